// Evidence from running programs: commands to load it, and the list of the lines that it is on. The server has the evidence itself.

import * as vscode from 'vscode';
import type { ClientCapabilities, FeatureState, LanguageClient, StaticFeature } from 'vscode-languageclient/node';

type Ask = (command: string, args: unknown[]) => Promise<unknown>;

interface Profile {
  source: string;
  title: string;
  age: string | null;
  base: string | null;
  truncated: string | null;
  lines: number;
}

interface Item {
  uri: string;
  range: { start: { line: number; character: number } };
  place: string;
  source: string;
  level: 'warning' | 'information' | 'none';
  title: string;
  label: string;
  notes: string[];
  status: 'confirmed' | 'runtime only';
  rules: string[];
}

interface All {
  profiles: Profile[];
  items: Item[];
  shown: boolean;
}

/** The tree view: the lines, heaviest first. */
class Lines implements vscode.TreeDataProvider<Item> {
  private readonly emitter = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.emitter.event;
  items: Item[] = [];

  set(items: Item[]): void {
    this.items = items;
    this.emitter.fire();
  }

  getChildren(parent?: Item): Item[] {
    return parent ? [] : this.items;
  }

  getTreeItem(item: Item): vscode.TreeItem {
    const row = new vscode.TreeItem(item.place.replace(/^.*[/\\]/, ''));
    row.description = item.title;
    const colour = { warning: 'list.warningForeground', information: 'charts.blue', none: 'descriptionForeground' };
    const icon = { warning: 'flame', information: 'info', none: 'circle-small' };
    row.iconPath = new vscode.ThemeIcon(icon[item.level], new vscode.ThemeColor(colour[item.level]));
    const rules = item.rules.map((rule) => `- confirms \`${rule}\``);
    const notes = [...rules, ...item.notes.map((note) => `- ${note}`)].join('\n');
    const head = `${item.place}\n\n**${item.title}**${item.label ? `: ${item.label}` : ''}`;
    row.tooltip = new vscode.MarkdownString(`${head}\n\n\`\`\`go\n${item.source}\n\`\`\`\n\n${notes}`);
    const { line, character } = item.range.start;
    const at = new vscode.Range(line, character, line, character);
    row.command = {
      title: 'Open',
      command: 'vscode.open',
      arguments: [vscode.Uri.parse(item.uri), { selection: at } satisfies vscode.TextDocumentShowOptions],
    };
    return row;
  }
}

export class Evidence implements vscode.Disposable {
  private readonly lines = new Lines();
  private readonly view: vscode.TreeView<Item>;
  private readonly disposables: vscode.Disposable[] = [];

  constructor(private readonly ask: Ask) {
    this.view = vscode.window.createTreeView('stopleak.evidence', { treeDataProvider: this.lines });
    const command = (name: string, run: (...args: never[]) => unknown) =>
      this.disposables.push(vscode.commands.registerCommand(`stopleak.${name}`, run));
    command('openProfiles', (...inputs: string[]) => this.open(inputs));
    command('fetchProfiles', (address?: string) => this.fetch(address));
    command('compareProfiles', (input?: string) => this.compare(input));
    command('clearProfiles', () => this.run('stopleak.clearEvidence', []));
    command('toggleLenses', () => this.run('stopleak.toggleEvidence', []));
    command('showEvidence', (uri: string, line: number) => this.show(uri, line));
  }

  /** Tells the server that the list wants to know of changes, and listens to them. */
  feature(client: LanguageClient): StaticFeature {
    return {
      fillClientCapabilities: (capabilities: ClientCapabilities) => {
        capabilities.experimental = { ...capabilities.experimental, stopleakEvidence: true };
      },
      initialize: () => {
        client.onNotification('stopleak/evidenceChanged', () => this.changed());
      },
      getState: (): FeatureState => ({ kind: 'static' }),
      clear: () => undefined,
    };
  }

  /** Fetches the list anew. */
  changed(): void {
    this.ask('stopleak.listEvidence', []).then(
      (all) => this.list(all as All),
      () => this.list({ profiles: [], items: [], shown: false }),
    );
  }

  private list({ profiles, items }: All): void {
    void vscode.commands.executeCommand('setContext', 'stopleak.hasEvidence', profiles.length > 0);
    const about = profiles.map(({ title, age, truncated }) =>
      [title, ...(age ? [age] : []), ...(truncated ? ['cut off'] : [])].join(', '),
    );
    this.view.description = about.length > 2 ? `${about.length} profiles` : about.join('; ');
    this.view.message = profiles.length > 0 && items.length === 0 ? 'No line is over a threshold.' : undefined;
    this.view.badge = items.length > 0 ? { value: items.length, tooltip: 'lines with evidence' } : undefined;
    this.lines.set(items);
  }

  private async run(command: string, args: unknown[]): Promise<boolean> {
    const options = { location: vscode.ProgressLocation.Window, title: 'stopleak: reading evidence' };
    try {
      await vscode.window.withProgress(options, () => this.ask(command, args));
      return true;
    } catch (error) {
      void vscode.window.showErrorMessage(`stopleak: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  private async load(command: string, args: string[]): Promise<void> {
    if (args.length > 0 && (await this.run(command, args))) {
      await vscode.commands.executeCommand('setContext', 'stopleak.hasEvidence', true);
      await vscode.commands.executeCommand('stopleak.evidence.focus');
    }
  }

  private async open(inputs: string[]): Promise<void> {
    await this.load('stopleak.loadEvidence', inputs.length > 0 ? inputs : await choose('Load', true));
  }

  private async fetch(given?: string): Promise<void> {
    const address =
      given ??
      (await vscode.window.showInputBox({
        prompt: 'Address of a program on this machine that serves net/http/pprof',
        value: 'http://localhost:6060',
        validateInput: (text) => (/^http:\/\/./.test(text) ? undefined : 'It should begin with http://'),
      }));
    await this.load('stopleak.fetchEvidence', address ? [address] : []);
  }

  private async compare(input?: string): Promise<void> {
    await this.load('stopleak.compareEvidence', input ? [input] : await choose('Compare', false));
  }

  /** What a code lens does: the hover of its line. */
  private async show(uri: string, line: number): Promise<void> {
    const editor = await vscode.window.showTextDocument(vscode.Uri.parse(uri));
    const at = new vscode.Position(line, editor.document.lineAt(line).firstNonWhitespaceCharacterIndex);
    editor.selection = new vscode.Selection(at, at);
    await vscode.commands.executeCommand('editor.action.showHover');
  }

  dispose(): void {
    for (const disposable of [this.view, ...this.disposables]) {
      disposable.dispose();
    }
  }
}

async function choose(openLabel: string, canSelectMany: boolean): Promise<string[]> {
  const chosen = await vscode.window.showOpenDialog({
    openLabel,
    canSelectMany,
    canSelectFolders: process.platform === 'darwin' && canSelectMany,
    title: 'Profiles, goroutine dumps, output of tests',
    defaultUri: vscode.workspace.workspaceFolders?.[0]?.uri,
  });
  return (chosen ?? []).map((uri) => uri.fsPath);
}
