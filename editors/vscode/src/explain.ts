// Along the path of a leak: its places are numbered beside the code, and commands go from one to the next.

import * as vscode from 'vscode';

interface Step {
  location: vscode.Location;
  message: string;
}

export function isOurs(diagnostic: vscode.Diagnostic): boolean {
  return diagnostic.source === 'stopleak';
}

/** The findings of a place that have a path: those that it touches, or else those of its line. */
function withPath(uri: vscode.Uri, range: vscode.Range): vscode.Diagnostic[] {
  const all = vscode.languages
    .getDiagnostics(uri)
    .filter((diagnostic) => isOurs(diagnostic) && diagnostic.relatedInformation?.length);
  const touched = all.filter((diagnostic) => diagnostic.range.intersection(range));
  return touched.length ? touched : all.filter((diagnostic) => diagnostic.range.start.line === range.start.line);
}

function digits(n: number): string {
  return n <= 20 ? String.fromCodePoint(0x245f + n) : `(${n})`;
}

export class Explain implements vscode.Disposable {
  private steps: Step[] = [];
  private at = 0;
  private readonly places = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('editor.wordHighlightBackground'),
    overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.warningForeground'),
    overviewRulerLane: vscode.OverviewRulerLane.Center,
  });
  private readonly notes = vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor('editorCodeLens.foreground'), margin: '0 0 0 2em', fontStyle: 'italic' },
  });
  private readonly bar = vscode.window.createStatusBarItem('stopleak.path', vscode.StatusBarAlignment.Left);
  private readonly disposables: vscode.Disposable[] = [];

  constructor() {
    this.bar.name = 'stopleak: path of a leak';
    this.bar.command = 'stopleak.nextStep';
    const command = (name: string, run: (...args: never[]) => unknown) =>
      this.disposables.push(vscode.commands.registerCommand(`stopleak.${name}`, run));
    command('explainLeak', (uri?: string, position?: { line: number; character: number }) => this.begin(uri, position));
    command('nextStep', () => this.go(this.at + 1));
    command('previousStep', () => this.go(this.at - 1));
    command('endSteps', () => this.end());
    this.disposables.push(
      vscode.window.onDidChangeVisibleTextEditors(() => this.draw()),
      // Numbers that stand at the wrong lines are worse than none.
      vscode.workspace.onDidChangeTextDocument((change) => {
        if (change.contentChanges.length && this.steps.some((step) => same(step, change.document.uri))) {
          this.end();
        }
      }),
    );
  }

  /** Where the path of the finding at this place is shown, for tests: lines from 1. */
  get shown(): { line: number; note: string; current: boolean }[] {
    return this.steps.map((step, i) => ({
      line: step.location.range.start.line + 1,
      note: step.message,
      current: i === this.at,
    }));
  }

  private async begin(uri?: string, position?: { line: number; character: number }) {
    const editor = vscode.window.activeTextEditor;
    const document = uri ? vscode.Uri.parse(uri) : editor?.document.uri;
    const place = position
      ? new vscode.Range(position.line, position.character, position.line, position.character)
      : editor?.selection;
    const found = document && place ? withPath(document, place) : [];
    let diagnostic: vscode.Diagnostic | undefined = found[0];
    if (found.length > 1) {
      const items = found.map((diagnostic) => ({ label: diagnostic.message, diagnostic }));
      diagnostic = (await vscode.window.showQuickPick(items, { placeHolder: 'The leak to follow' }))?.diagnostic;
    } else if (!diagnostic) {
      void vscode.window.showInformationMessage('stopleak: no leak with a path is marked on this line.');
    }
    if (!diagnostic) {
      return;
    }
    this.steps = (diagnostic.relatedInformation ?? []).map(({ location, message }) => ({ location, message }));
    await vscode.commands.executeCommand('setContext', 'stopleak.explaining', true);
    await this.go(0);
  }

  private async go(step: number) {
    if (!this.steps.length) {
      return;
    }
    this.at = (step + this.steps.length) % this.steps.length;
    const { location, message } = this.steps[this.at];
    const start = location.range.start;
    await vscode.window.showTextDocument(location.uri, { selection: new vscode.Range(start, start) });
    this.draw();
    this.bar.text = `$(debug-step-over) ${this.at + 1} of ${this.steps.length}: ${message}`;
    this.bar.tooltip = 'The path of the leak: the next step';
    this.bar.show();
  }

  private draw() {
    for (const editor of vscode.window.visibleTextEditors) {
      const here = this.steps
        .map((step, i) => ({ ...step, number: i + 1 }))
        .filter((step) => same(step, editor.document.uri));
      editor.setDecorations(this.places, here.map((step) => step.location.range));
      // Of several steps on a line, the notes stand one after the other.
      const lines = new Map<number, string[]>();
      for (const { location, message, number } of here) {
        const line = Math.min(location.range.end.line, editor.document.lineCount - 1);
        const current = number === this.at + 1 ? '▶ ' : '';
        lines.set(line, [...(lines.get(line) ?? []), `${current}${digits(number)} ${message}`]);
      }
      const notes = [...lines].map(([line, texts]) => {
        const end = editor.document.lineAt(line).range.end;
        return { range: new vscode.Range(end, end), renderOptions: { after: { contentText: texts.join('   ') } } };
      });
      editor.setDecorations(this.notes, notes);
    }
  }

  private end() {
    if (this.steps.length) {
      this.steps = [];
      this.draw();
      this.bar.hide();
      void vscode.commands.executeCommand('setContext', 'stopleak.explaining', false);
    }
  }

  /** The entry in the menu of quick fixes. */
  actions(document: vscode.TextDocument, context: vscode.CodeActionContext): vscode.CodeAction[] {
    const wanted = !context.only || context.only.contains(vscode.CodeActionKind.QuickFix);
    if (!wanted || context.triggerKind === vscode.CodeActionTriggerKind.Automatic) {
      return [];
    }
    const found = context.diagnostics.filter((it) => isOurs(it) && it.relatedInformation?.length);
    return found.slice(0, 1).map((diagnostic) => {
      const title = 'stopleak: show the path of the leak';
      const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
      action.diagnostics = [diagnostic];
      const args = [document.uri.toString(), diagnostic.range.start];
      action.command = { title, command: 'stopleak.explainLeak', arguments: args };
      return action;
    });
  }

  /** The link below the hover. */
  link(document: vscode.TextDocument, position: vscode.Position): vscode.MarkdownString | undefined {
    if (!withPath(document.uri, new vscode.Range(position, position)).some((it) => it.range.contains(position))) {
      return undefined;
    }
    const args = encodeURIComponent(JSON.stringify([document.uri.toString(), position]));
    const text = new vscode.MarkdownString(`[Show the path](command:stopleak.explainLeak?${args})`);
    text.isTrusted = { enabledCommands: ['stopleak.explainLeak'] };
    return text;
  }

  dispose(): void {
    this.end();
    for (const disposable of [...this.disposables, this.places, this.notes, this.bar]) {
      disposable.dispose();
    }
  }
}

function same(step: Step, uri: vscode.Uri): boolean {
  return step.location.uri.toString() === uri.toString();
}
