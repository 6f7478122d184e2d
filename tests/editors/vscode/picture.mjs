// Makes PICTURE, the README's picture of a finding: the path of the leak in the Problems view, its fixes in the menu.
import fs from 'node:fs';
import path from 'node:path';
import { withVSCode, openFile, pause, log, EXTENSION, OUT } from './vscode.mjs';
const { FILE, TITLE, PICTURE } = process.env;

await withVSCode(async ({ page, open }) => {
  const key = combination => page.keyboard.press(combination);
  await page.setViewportSize({ width: 1120, height: 700 });
  await open();
  await openFile(page, FILE);
  const squiggle = page.locator('.monaco-editor [class*="squiggly-"]').first();
  await squiggle.waitFor({ timeout: 60000 });
  log('squiggle');
  await page.locator('.notifications-toasts .codicon-notifications-clear, .notification-toast .codicon-close').first()
    .click({ timeout: 1500 }).catch(() => {});

  await key('Control+Shift+M');
  const problem = page.locator('.markers-panel-container .monaco-list-row', { hasText: 'stopleak' }).first();
  await problem.waitFor({ timeout: 20000 });
  await problem.click({ position: { x: 150, y: 10 } }); // not on the rule's link
  await key('ArrowRight');
  await pause(500);
  await key('Control+B'); // the side bar gives its place
  await pause(500);

  const { x, y, width, height } = await squiggle.boundingBox();
  await page.mouse.click(x + Math.min(width, 60) / 2, y + height / 2);
  await page.waitForSelector('.monaco-editor.focused');
  const action = page.locator('.action-widget', { hasText: TITLE }).first();
  for (let tries = 1; ; tries++) {
    await key('Control+.');
    if (await action.waitFor({ timeout: 2500 }).then(() => true, () => tries === 8)) break;
  }
  await page.mouse.move(1100, 690);
  await pause(700);
  await page.screenshot({ path: `${OUT}/picture.png` });
  fs.mkdirSync(path.dirname(PICTURE), { recursive: true });
  fs.copyFileSync(`${OUT}/picture.png`, PICTURE);
  log(`made ${PICTURE}`);
}, `${EXTENSION}/extension.vsix`);
