// Which server is started.

import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';

export interface Found {
  command: string;
  /** Where it comes from, for people. */
  origin: string;
}

const EXECUTABLE = process.platform === 'win32' ? 'stopleak.exe' : 'stopleak';

/**
 * The server: `stopleak.path` if it is set, then the one that comes with the extension, then the one on PATH. A workspace that is
 * not trusted must not choose what is run: there it is the one that comes with the extension or none.
 */
export async function findServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<Found | undefined> {
  const bundled = path.join(context.extensionPath, 'server', EXECUTABLE);
  const hasBundled = await isFile(bundled);
  const setting = vscode.workspace.getConfiguration('stopleak').get<string>('path', '').trim();
  if (!vscode.workspace.isTrusted) {
    return hasBundled ? runnable(await temporaryCopy(bundled, context, log), 'bundled', log) : undefined;
  }
  if (setting) {
    const command = expand(setting);
    const found = await runnable(command, 'stopleak.path', log);
    if (!found) {
      void vscode.window.showWarningMessage(`stopleak: stopleak.path is set to ${command}, which cannot be run.`);
    }
    return found;
  }
  if (hasBundled) {
    const found = await runnable(await temporaryCopy(bundled, context, log), 'bundled', log);
    if (found) {
      return found;
    }
  }
  const onPath = await lookUp(EXECUTABLE);
  return onPath ? runnable(onPath, 'PATH', log) : undefined;
}

/** `~` and the workspace folder, as in other settings that hold paths. */
function expand(setting: string): string {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  const home = process.env.HOME ?? process.env.USERPROFILE ?? '~';
  return setting.replace(/^~(?=[\\/])/, home).replaceAll('${workspaceFolder}', folder);
}

async function isFile(file: string): Promise<boolean> {
  return fs.stat(file).then((found) => found.isFile(), () => false);
}

/** An absolute path, so that a program in the current folder is never taken (Windows looks there first). */
async function lookUp(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, name);
    if (path.isAbsolute(file) && (await isFile(file))) {
      return file;
    }
  }
  return undefined;
}

/** Asks the program for its version, which shows that it runs here. */
function runnable(command: string, origin: string, log: vscode.LogOutputChannel): Promise<Found | undefined> {
  return new Promise((resolve) => {
    execFile(command, ['version'], { timeout: 20_000, windowsHide: true }, (error, stdout) => {
      if (error) {
        log.error(`${command} (${origin}) cannot be run: ${error.message}`);
        resolve(undefined);
      } else {
        log.info(`${command} (${origin}): ${stdout.trim()}`);
        resolve({ command, origin });
      }
    });
  });
}

/** Windows locks a program that runs, and the extension could not be updated: there a copy is run. */
async function temporaryCopy(
  bundled: string,
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<string> {
  if (process.platform !== 'win32') {
    return bundled;
  }
  const folder = path.join(context.globalStorageUri.fsPath, `server-${context.extension.packageJSON.version}`);
  const copy = path.join(folder, EXECUTABLE);
  try {
    await fs.mkdir(folder, { recursive: true });
    if (!(await isFile(copy))) {
      const part = `${copy}.${process.pid}`;
      await fs.copyFile(bundled, part);
      await fs.rename(part, copy);
    }
    return copy;
  } catch (error) {
    log.warn(`${bundled} is run where it is: ${String(error)}`);
    return bundled;
  }
}
