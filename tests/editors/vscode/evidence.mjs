// Makes PICTURE: evidence above its lines, in the list, and confirming a finding.
import fs from 'node:fs';
import path from 'node:path';
import { withVSCode, openFile, pause, log, WORKSPACE, EXTENSION, OUT } from './vscode.mjs';
const { FILE, PROFILES, PICTURE } = process.env;

// Profiles of a folder that the settings name are loaded without a click.
fs.mkdirSync(`${WORKSPACE}/profiles`);
for (const name of ['goroutineleak.pb.gz', 'heap.pb.gz']) fs.copyFileSync(`${PROFILES}/${name}`, `${WORKSPACE}/profiles/${name}`);
fs.mkdirSync(`${WORKSPACE}/.vscode`);
fs.writeFileSync(`${WORKSPACE}/.vscode/settings.json`, '{ "stopleak.evidence.folders": ["profiles"] }');

await withVSCode(async ({ page, open }) => {
  await page.setViewportSize({ width: 1240, height: 640 });
  await open();
  await openFile(page, FILE);
  await page.locator('.codelens-decoration', { hasText: 'stuck for ever' }).first().waitFor({ timeout: 60000 });
  log('lenses');
  await page.locator('.notifications-toasts .codicon-notifications-clear, .notification-toast .codicon-close').first()
    .click({ timeout: 1500 }).catch(() => {});
  await page.keyboard.press('F1');
  await page.keyboard.type('Explorer: Focus on Evidence View');
  await pause(700);
  await page.keyboard.press('Enter');
  await page.getByRole('treeitem', { name: 'still in use' }).first().waitFor({ timeout: 20000 });
  // The list gets the room of the files.
  const files = page.locator('.pane-header', { hasText: 'workspace' }).first();
  if (await files.getAttribute('aria-expanded') === 'true') await files.click();
  const row = page.getByRole('treeitem', { name: path.basename(FILE) }).first();
  await row.dblclick();
  await pause(500);
  await page.locator('.codelens-decoration a', { hasText: 'waiting' }).or(page.locator('.codelens-decoration a', { hasText: 'receiving' })).first().click();
  await page.locator('.monaco-hover', { hasText: 'stuck for ever' }).first().waitFor({ timeout: 20000 });
  await pause(900);
  await page.screenshot({ path: `${OUT}/picture.png` });
  fs.mkdirSync(path.dirname(PICTURE), { recursive: true });
  fs.copyFileSync(`${OUT}/picture.png`, PICTURE);
  log(`made ${PICTURE}`);
}, `${EXTENSION}/extension.vsix`);
