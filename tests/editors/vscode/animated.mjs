// Makes PICTURE, an animated picture: a leak is found, its path is followed, its fix is applied.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { withVSCode, openFile, pause, log, EXTENSION, OUT } from './vscode.mjs';
const { DIR, FILE, TITLE, EXPECT_SHOWN, PICTURE } = process.env;
const require = createRequire(`${DIR}/gif/`);
const { GIFEncoder, quantize, applyPalette } = require('gifenc');
const { PNG } = require('pngjs');

const frames = [];
await withVSCode(async ({ page, open }) => {
  const key = combination => page.keyboard.press(combination);
  const frame = async (milliseconds, wait = 500) => {
    await pause(wait);
    frames.push([await page.screenshot(), milliseconds]);
    log(`frame ${frames.length}`);
  };
  await page.setViewportSize({ width: 960, height: 560 });
  await open();
  await openFile(page, FILE);
  const squiggle = page.locator('.monaco-editor [class*="squiggly-"]').first();
  await squiggle.waitFor({ timeout: 60000 });
  await page.locator('.notifications-toasts .codicon-notifications-clear, .notification-toast .codicon-close').first()
    .click({ timeout: 1500 }).catch(() => {});
  await key('Control+B');
  await pause(500);
  const place = async () => {
    const { x, y, width, height } = await squiggle.boundingBox();
    return [x + Math.min(width, 60) / 2, y + height / 2];
  };
  const [x, y] = await place();
  await page.mouse.click(x, y);
  await page.waitForSelector('.monaco-editor.focused');
  await page.mouse.move(620, 80);
  await frame(1600);

  // The message, and the path in words.
  await page.mouse.move(x + 2, y);
  await page.locator('.monaco-hover', { hasText: 'is not closed on every path' }).first().waitFor({ timeout: 20000 });
  await frame(3200);
  await page.mouse.move(620, 80);
  await key('Escape');

  // The path, step by step.
  await key('F1');
  await page.keyboard.type('Explain This Leak');
  await pause(700);
  await key('Enter');
  await page.getByText('1 of ').first().waitFor({ timeout: 20000 });
  await frame(1700);
  for (let step = 2; step <= 3; step++) {
    await key('Alt+BracketRight');
    await page.getByText(`${step} of `).first().waitFor({ timeout: 20000 });
    await frame(step === 3 ? 2400 : 1400);
  }
  await key('Escape');

  // The fix.
  await page.mouse.click(...await place());
  const action = page.locator('.action-widget', { hasText: TITLE }).first();
  for (let tries = 1; ; tries++) {
    await key('Control+.');
    if (await action.waitFor({ timeout: 2500 }).then(() => true, () => tries === 8)) break;
  }
  await page.mouse.move(620, 80);
  await frame(2200);
  await key('Enter');
  await page.getByText(EXPECT_SHOWN).first().waitFor({ timeout: 20000 });
  await key('Control+S');
  await frame(3200, 1500);
}, `${EXTENSION}/extension.vsix`);

const images = frames.map(([png]) => PNG.sync.read(png));
// One palette for all, so that nothing flickers.
const palette = quantize(Buffer.concat(images.map(image => image.data.filter((_, i) => (i >> 2) % 3 === 0))), 256);
const gif = GIFEncoder();
images.forEach(({ data, width, height }, i) =>
  gif.writeFrame(applyPalette(data, palette), width, height, { palette: i ? undefined : palette, delay: frames[i][1] }));
gif.finish();
fs.mkdirSync(path.dirname(PICTURE), { recursive: true });
fs.writeFileSync(PICTURE, gif.bytes());
fs.copyFileSync(PICTURE, `${OUT}/picture.gif`);
frames.forEach(([png], i) => fs.writeFileSync(`${OUT}/frame${i + 1}.png`, png));
log(`made ${PICTURE}, ${gif.bytes().length} bytes`);
