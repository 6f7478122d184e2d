// Drives VS Code's user interface with EXTENSION/extension.vsix installed: squiggle, Ctrl+., quick fix, Ctrl+S.
import fs from 'node:fs';
import { withVSCode, openFile, wait, log, WORKSPACE, EXTENSION, OUT } from './vscode.mjs';
const { FILE, TITLE, EXPECT } = process.env;

await withVSCode(async ({ page, open }) => {
  const key = combination => page.keyboard.press(combination);
  await open();
  await page.setViewportSize({ width: 1200, height: 1300 }); // only what is in view is drawn
  await openFile(page, FILE);
  const squiggle = page.locator('.monaco-editor [class*="squiggly-"]').first();
  await squiggle.waitFor({ timeout: 60000 });
  log('squiggle');

  const { x, y, width, height } = await squiggle.boundingBox();
  await page.mouse.click(x + width / 2, y + height / 2); // the overlay itself takes no clicks
  await page.waitForSelector('.monaco-editor.focused'); // a key pressed before is lost

  const action = page.locator('.action-widget', { hasText: TITLE }).first();
  for (let tries = 1; ; tries++) { // the first Ctrl+. sometimes shows nothing
    await key('Control+.');
    if (await action.waitFor({ timeout: 2500 }).then(() => true, () => tries === 8)) break;
  }
  log('menu: ' + (await action.innerText()).replace(/\s*\n\s*/g, ' | '));
  await page.screenshot({ path: `${OUT}/menu.png` });
  await key('Enter'); // the wanted action must be the first
  await wait(`${EXPECT} in the saved file`, async () => {
    await key('Control+S');
    return fs.readFileSync(`${WORKSPACE}/${FILE}`, 'utf8').includes(EXPECT);
  });
}, `${EXTENSION}/extension.vsix`);
