// Packs the extension. usage: npm run package -- [--target TARGET --server PROGRAM] [--out FILE]
//                             npm run package -- --servers FOLDER [--out FOLDER]
//
// With a target (see TARGETS) and a stopleak program for it, the program is packed too. Without, the extension has no server and looks
// for one on PATH. With --servers one package is made for each target of which FOLDER holds a program, as
// FOLDER/RUST-TARGET/stopleak (`cargo build --release --target RUST-TARGET`), and one without a server; missing ones are told.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

// Statically linked programs run on any Linux, so that one serves glibc's and musl's distributions.
const TARGETS = {
  'linux-x64': 'x86_64-unknown-linux-musl',
  'linux-arm64': 'aarch64-unknown-linux-musl',
  'linux-armhf': 'armv7-unknown-linux-musleabihf',
  'alpine-x64': 'x86_64-unknown-linux-musl',
  'alpine-arm64': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
  'win32-x64': 'x86_64-pc-windows-msvc',
  'win32-arm64': 'aarch64-pc-windows-msvc',
};

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    server: { type: 'string' },
    servers: { type: 'string' },
    out: { type: 'string' },
  },
});
const { target, server, servers } = values;
const { version } = JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8'));

function fail(message) {
  console.error(message);
  process.exit(2);
}
if (Boolean(target) !== Boolean(server)) fail('--target and --server belong together');
if (servers && target) fail('--servers packs all targets: leave out --target');
if (target && !TARGETS[target]) fail(`unknown target ${target}; the targets are ${Object.keys(TARGETS).join(', ')}`);

const program = (target) => (target.startsWith('win32') ? 'stopleak.exe' : 'stopleak');
const name = (target) => `stopleak-${target ? `${target}-` : ''}${version}.vsix`;

function pack(target, server, out) {
  const bundled = path.join(here, 'server');
  fs.rmSync(bundled, { recursive: true, force: true });
  try {
    if (server) {
      fs.mkdirSync(bundled);
      const copy = path.join(bundled, program(target));
      fs.copyFileSync(server, copy);
      fs.chmodSync(copy, 0o755);
    }
    for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) {
      fs.copyFileSync(path.join(here, '..', '..', licence), path.join(here, licence));
    }
    const args = ['vsce', 'package', '--no-dependencies', '--skip-license', '--out', out];
    if (target) args.push('--target', target);
    execFileSync('npx', args, { cwd: here, stdio: 'inherit', shell: process.platform === 'win32' });
  } finally {
    fs.rmSync(bundled, { recursive: true, force: true });
    for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) fs.rmSync(path.join(here, licence), { force: true });
  }
}

if (servers) {
  const folder = path.resolve(values.out ?? 'packages');
  fs.mkdirSync(folder, { recursive: true });
  for (const [target, rust] of Object.entries(TARGETS)) {
    const server = path.join(servers, rust, program(target));
    if (fs.existsSync(server)) pack(target, path.resolve(server), path.join(folder, name(target)));
    else console.warn(`${target}: ${server} is not there; not packed`);
  }
  pack(undefined, undefined, path.join(folder, name()));
} else {
  pack(target, server && path.resolve(server), path.resolve(values.out ?? name(target)));
}
