// The extension: starts the server, shows that it runs, and forwards a few commands. Everything about Go is the server's work.

import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  type ServerOptions,
  State,
  WorkDoneProgress,
} from 'vscode-languageclient/node';

import { Evidence } from './evidence';
import { Explain, isOurs } from './explain';
import { findServer, type Found } from './server';

/** Opened by the walkthrough. */
const SAMPLE = `package main

import (
	"fmt"
	"io"
	"net/http"
)

func price(client *http.Client, url string) ([]byte, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("price: %s", resp.Status)
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}
`;

const RULES = 'https://github.com/stopleak/stopleak/blob/main/docs/rules';

/** What a check of the workspace answers. */
interface Checked {
  files: number;
  findings: number;
  cancelled: boolean;
}

/** The running client and what it was started with. */
interface Session {
  client: LanguageClient;
  server: Found;
}

class Stopleak implements vscode.Disposable {
  private session: Session | undefined;
  /** Starts and stops one after another. */
  private queue: Promise<void> = Promise.resolve();
  private readonly log = vscode.window.createOutputChannel('stopleak', { log: true });
  /** What the server logs and, with `stopleak.trace.server`, the messages. */
  private readonly serverLog = vscode.window.createOutputChannel('stopleak Language Server', { log: true });
  private readonly status = vscode.languages.createLanguageStatusItem('stopleak', { language: 'go' });
  private readonly disposables: vscode.Disposable[] = [];
  private readonly evidence = new Evidence((command, args) => this.ask(command, args));
  readonly path = new Explain();

  constructor(private readonly context: vscode.ExtensionContext) {
    this.status.name = 'stopleak';
    this.status.command = { command: 'stopleak.showServerLogs', title: 'Open logs' };
    const command = (name: string, run: () => unknown) =>
      this.disposables.push(vscode.commands.registerCommand(`stopleak.${name}`, run));
    command('restart', () => this.restart());
    command('fixFile', () => this.fixFile());
    command('explain', () => this.explain());
    command('showLogs', () => this.log.show());
    command('showServerLogs', () => this.serverLog.show());
    command('debugInformation', () => this.debugInformation());
    command('checkAllFiles', () => this.checkAllFiles());
    command('forgetOtherFiles', () => this.request('stopleak.clearWorkspace', []));
    command('trySample', () => this.trySample());
    this.disposables.push(
      this.evidence,
      this.path,
      vscode.workspace.onDidChangeConfiguration((change) => {
        // The server is told of the others.
        if (change.affectsConfiguration('stopleak.path')) {
          void this.restart();
        }
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.restart()),
    );
  }

  restart(): Promise<void> {
    this.queue = this.queue.then(async () => {
      await this.stopNow();
      await this.startNow();
    });
    return this.queue;
  }

  stop(): Promise<void> {
    this.queue = this.queue.then(() => this.stopNow());
    return this.queue;
  }

  private async startNow(): Promise<void> {
    this.show('starting');
    const server = await findServer(this.context, this.log);
    if (!server) {
      this.show('no server', vscode.LanguageStatusSeverity.Error);
      const settings = 'Open Settings';
      const text =
        'stopleak: no server was found. Install the stopleak program, or set stopleak.path to where it is.';
      void vscode.window.showErrorMessage(text, settings).then((chosen) => {
        if (chosen === settings) {
          void vscode.commands.executeCommand('workbench.action.openSettings', 'stopleak.path');
        }
      });
      return;
    }
    this.log.info(`starting ${server.command} (${server.origin})`);
    // Without a transport nothing is appended to the arguments; standard input and output is what the server speaks.
    const options: ServerOptions = {
      command: server.command,
      args: ['server'],
      options: { env: { ...process.env, STOPLEAK_LOG: process.env.STOPLEAK_LOG ?? 'info' } },
    };
    const client = new LanguageClient('stopleak', 'stopleak', options, this.clientOptions());
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        const version = client.initializeResult?.serverInfo?.version ?? 'unknown version';
        this.show(version);
        this.status.detail = `stopleak server, ${server.origin}`;
      } else if (newState === State.Stopped) {
        this.show('stopped', vscode.LanguageStatusSeverity.Warning);
      }
    });
    client.registerFeature(this.evidence.feature(client));
    this.session = { client, server };
    try {
      await client.start();
    } catch (error) {
      this.log.error(`the server did not start: ${String(error)}`);
      this.show('did not start', vscode.LanguageStatusSeverity.Error);
    }
  }

  private async stopNow(): Promise<void> {
    const session = this.session;
    this.session = undefined;
    if (session?.client.needsStop()) {
      try {
        await session.client.stop();
      } catch (error) {
        this.log.warn(`the server did not stop in order: ${String(error)}`);
      }
    }
    await session?.client.dispose().catch(() => undefined);
    this.evidence.changed();
  }

  private clientOptions(): LanguageClientOptions {
    let failures = 0;
    return {
      documentSelector: [
        { language: 'go', scheme: 'file' },
        { language: 'go', scheme: 'untitled' },
        // For hovers; what is wrong in it is told without.
        { scheme: 'file', pattern: '**/{stopleak,.stopleak}.toml' },
      ],
      diagnosticCollectionName: 'stopleak',
      outputChannel: this.serverLog,
      traceOutputChannel: this.serverLog,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: vscode.workspace.getConfiguration('stopleak'),
      middleware: {
        provideCodeActions: async (document, range, context, token, next) => {
          const actions = (await next(document, range, context, token)) ?? [];
          return [...actions, ...this.path.actions(document, context)];
        },
        provideHover: async (document, position, token, next) => {
          const hover = await next(document, position, token);
          const link = hover && this.path.link(document, position);
          return link ? new vscode.Hover([...hover.contents, link], hover.range) : hover;
        },
      },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          failures += 1;
          const again = failures <= 4;
          this.log.error(`the server has ended${again ? '; it is started again' : ' too often; see its logs'}`);
          return { action: again ? CloseAction.Restart : CloseAction.DoNotRestart, handled: again };
        },
      },
    };
  }

  private show(text: string, severity = vscode.LanguageStatusSeverity.Information): void {
    this.status.text = `stopleak ${text}`;
    this.status.severity = severity;
    this.status.busy = text === 'starting';
  }

  private async fixFile(): Promise<void> {
    const uri = vscode.window.activeTextEditor?.document.uri;
    if (uri && this.session) {
      const argument = { uri: this.session.client.code2ProtocolConverter.asUri(uri) };
      await this.request('stopleak.fixAll', [argument]);
    }
  }

  private async explain(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const rules = new Set<string>();
    if (editor) {
      for (const diagnostic of vscode.languages.getDiagnostics(editor.document.uri)) {
        const { code } = diagnostic;
        if (isOurs(diagnostic) && code !== undefined) {
          rules.add(String(typeof code === 'object' ? code.value : code));
        }
      }
    }
    const all = 'all rules';
    const chosen = await vscode.window.showQuickPick([...[...rules].sort(), all], {
      placeHolder: 'The rule to read about; those of this file come first',
    });
    if (chosen) {
      const page = chosen === all ? `${RULES}/` : `${RULES}/${chosen}.md`;
      await vscode.env.openExternal(vscode.Uri.parse(page));
    }
  }

  /** All files of the workspace, also those that are not open. */
  private async checkAllFiles(): Promise<unknown> {
    const client = this.session?.client;
    if (!client?.isRunning()) {
      void vscode.window.showWarningMessage('stopleak: the server is not running.');
      return undefined;
    }
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: 'stopleak: checking the workspace',
      cancellable: true,
    };
    const answer = await vscode.window.withProgress(options, async (progress, cancelled) => {
      const workDoneToken = `check-${Date.now()}`;
      let done = 0;
      const listener = client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
        if (value.kind === 'report') {
          const increment = (value.percentage ?? done) - done;
          done += increment;
          progress.report({ increment, message: value.message });
        }
      });
      try {
        const params = { command: 'stopleak.checkWorkspace', arguments: [], workDoneToken };
        return await client.sendRequest<Checked>('workspace/executeCommand', params, cancelled);
      } catch (error) {
        if (!cancelled.isCancellationRequested) {
          this.log.error(`the workspace was not checked: ${String(error)}`);
          void vscode.window.showErrorMessage(`stopleak: ${error instanceof Error ? error.message : String(error)}`);
        }
        return undefined;
      } finally {
        listener.dispose();
      }
    });
    if (answer && !answer.cancelled) {
      const problems = 'Show Problems';
      const text = `stopleak: ${answer.findings} finding(s) in ${answer.files} files.`;
      const buttons = answer.findings ? [problems] : [];
      void vscode.window.showInformationMessage(text, ...buttons).then((chosen) => {
        if (chosen === problems) {
          void vscode.commands.executeCommand('workbench.actions.view.problems');
        }
      });
    }
    return answer;
  }

  private async trySample(): Promise<void> {
    const document = await vscode.workspace.openTextDocument({ content: SAMPLE, language: 'go' });
    const editor = await vscode.window.showTextDocument(document);
    const at = document.positionAt(SAMPLE.indexOf('client.Get'));
    editor.selection = new vscode.Selection(at, at);
  }

  private async debugInformation(): Promise<void> {
    const lines = [
      `extension ${this.context.extension.packageJSON.version}`,
      `editor ${vscode.env.appName} ${vscode.version}, ${process.platform} ${process.arch}`,
      `trusted: ${vscode.workspace.isTrusted}`,
      `server: ${this.session ? `${this.session.server.command} (${this.session.server.origin})` : 'none'}`,
    ];
    if (this.session) {
      lines.push(String(await this.request('stopleak.debugInfo', [])));
    }
    const content = lines.join('\n');
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content, language: 'plaintext' }));
  }

  /** As `request`, but failures are the caller's. */
  private async ask(command: string, args: unknown[]): Promise<unknown> {
    if (!this.session?.client.isRunning()) {
      throw new Error('the server is not running; open a Go file');
    }
    return this.session.client.sendRequest('workspace/executeCommand', { command, arguments: args });
  }

  private async request(command: string, args: unknown[]): Promise<unknown> {
    try {
      return await this.session?.client.sendRequest('workspace/executeCommand', { command, arguments: args });
    } catch (error) {
      this.log.error(`${command}: ${String(error)}`);
      return undefined;
    }
  }

  dispose(): void {
    for (const disposable of [...this.disposables, this.status, this.log, this.serverLog]) {
      disposable.dispose();
    }
  }
}

let running: Stopleak | undefined;

/** What tests see of the extension. */
export interface Api {
  /** The steps of the path that is shown. */
  steps(): { line: number; note: string; current: boolean }[];
}

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const stopleak = new Stopleak(context);
  running = stopleak;
  await stopleak.restart();
  return { steps: () => stopleak.path.shown };
}

export async function deactivate(): Promise<void> {
  await running?.stop();
  running?.dispose();
  running = undefined;
}
