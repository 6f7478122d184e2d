// Packs the extension. usage: npm run package -- [--target TARGET --server PROGRAM] [--out FILE]
//
// With a target (linux-x64, win32-x64, darwin-arm64 …, see `vsce package --help`) and a stopleak program for it, the program is
// packed too. Without, the extension has no server and looks for one on PATH.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: { target: { type: 'string' }, server: { type: 'string' }, out: { type: 'string' } },
});
const { target, server } = values;
if (Boolean(target) !== Boolean(server)) {
  console.error('--target and --server belong together');
  process.exit(2);
}
const bundled = path.join(here, 'server');
fs.rmSync(bundled, { recursive: true, force: true });
try {
  if (server) {
    fs.mkdirSync(bundled);
    const name = target.startsWith('win32') ? 'stopleak.exe' : 'stopleak';
    fs.copyFileSync(server, path.join(bundled, name));
    fs.chmodSync(path.join(bundled, name), 0o755);
  }
  for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    fs.copyFileSync(path.join(here, '..', '..', licence), path.join(here, licence));
  }
  const { version } = JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8'));
  const out = path.resolve(values.out ?? `stopleak-${target ? `${target}-` : ''}${version}.vsix`);
  const args = ['vsce', 'package', '--no-dependencies', '--skip-license', '--out', out];
  if (target) args.push('--target', target);
  execFileSync('npx', args, { cwd: here, stdio: 'inherit', shell: process.platform === 'win32' });
} finally {
  fs.rmSync(bundled, { recursive: true, force: true });
  for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) fs.rmSync(path.join(here, licence), { force: true });
}
