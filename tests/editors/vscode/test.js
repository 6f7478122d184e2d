// Runs inside VS Code's extension host, with the whole vscode API; apitest.mjs starts it and takes the result.
const vscode = require('vscode'), fs = require('fs'), path = require('path');
const { WORKSPACE, FILE, AT, MESSAGE, TITLE, EXPECT, OUT } = process.env;
const log = text => fs.appendFileSync(path.join(OUT, 'exthost.log'), text + '\n');
const wait = async (what, condition) => {
  for (const end = Date.now() + 120000; Date.now() < end; await new Promise(r => setTimeout(r, 50))) {
    const result = await condition();
    if (result) return result;
  }
  throw new Error('timeout: ' + what);
};
const check = (what, condition) => { if (!condition) throw new Error(what); };

exports.run = async () => {
  try {
    log(`${vscode.env.appName} ${vscode.version}`);
    const uri = vscode.Uri.file(path.join(WORKSPACE, FILE));
    const doc = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(doc);
    const ours = () => vscode.languages.getDiagnostics(uri).filter(d => d.source === 'stopleak');
    const wanted = () => ours().find(d => d.message.startsWith(MESSAGE));
    const found = await wait('diagnostic', wanted);
    const { range, message, source, code, relatedInformation } = found;
    const at = `${range.start.line + 1}:${range.start.character + 1}`;
    log(`diagnostic ${at} ${message} [${source} ${code.value}]`);
    check(`diagnostic at ${at}, not at ${AT}`, at === AT);
    check('no page of the rule', code.target.toString().endsWith(`/docs/rules/${code.value}.md`));
    check('no path', relatedInformation.length > 0);
    relatedInformation.forEach(step => log(`  ${step.location.range.start.line + 1}: ${step.message}`));
    check('shown twice', new Set(ours().map(d => JSON.stringify([d.range, d.message]))).size === ours().length);

    const [hover] = await vscode.commands.executeCommand('vscode.executeHoverProvider', uri, range.start);
    log(`hover: ${hover.contents.map(content => content.value).join('\n')}`);

    // The last argument asks for actions that are resolved.
    const actions = await vscode.commands.executeCommand('vscode.executeCodeActionProvider', uri, range, undefined, 30);
    actions.forEach(a => log(`action: ${a.title} (${a.kind?.value}${a.isPreferred ? ', preferred' : ''})`));
    const before = ours().length;
    check('the fix was not applied', await vscode.workspace.applyEdit(actions.find(a => a.title.startsWith(TITLE)).edit));
    check('not fixed', doc.getText().includes(EXPECT));
    await wait('diagnostic gone', () => !wanted());
    check('other findings went too, or new ones came', ours().length === before - 1);
    await doc.save();

    const extension = vscode.extensions.getExtension('stopleak.stopleak');
    const commands = await vscode.commands.getCommands(true);
    for (const { command } of extension.packageJSON.contributes.commands) {
      check(`${command} is not there`, commands.includes(command));
    }
    await journey(extension);
    await vscode.commands.executeCommand('stopleak.restart');
    await wait('diagnostics after a restart', () => ours().length === before - 1);
  } catch (error) { log(error.stack); throw error; }
};

const file = name => vscode.Uri.file(path.join(WORKSPACE, name));
const write = (name, text) => fs.writeFileSync(path.join(WORKSPACE, name), text);
// Writes a file, again and again, as VS Code's watchers may not be there yet, or lose something on a busy machine.
const written = (what, name, text, condition) => {
  let next = 0;
  return wait(what, () => {
    if (Date.now() >= next) {
      write(name, text);
      next = Date.now() + 5000;
    }
    return condition();
  });
};
async function open(name) {
  const doc = await vscode.workspace.openTextDocument(file(name));
  await vscode.window.showTextDocument(doc);
  return doc;
}
const rule = diagnostic => String(diagnostic.code?.value ?? diagnostic.code);
const findings = uri => vscode.languages.getDiagnostics(uri).filter(d => d.source === 'stopleak');
const finding = (uri, name) => findings(uri).find(d => rule(d) === name);
const command = (name, ...args) => vscode.commands.executeCommand(`stopleak.${name}`, ...args);
async function act(uri, range, title) {
  const actions = await vscode.commands.executeCommand('vscode.executeCodeActionProvider', uri, range, 'quickfix', 30);
  const action = actions.find(a => a.title.includes(title));
  check(`no action ${title} in ${actions.map(a => a.title).join(' | ')}`, action);
  if (action.edit) check(`${title} was not applied`, await vscode.workspace.applyEdit(action.edit));
  if (action.command) await vscode.commands.executeCommand(action.command.command, ...action.command.arguments);
}

// What else a user does in a day, in the sample of SAMPLE.
async function journey(extension) {
  // The path, step by step.
  const feed = await open('internal/feed/feed.go');
  const body = await wait('unclosed-http-body', () => finding(feed.uri, 'unclosed-http-body'));
  await act(feed.uri, body.range, 'show the path of the leak');
  const steps = () => extension.exports.steps();
  await wait('steps', () => steps().length === 4);
  const line = () => vscode.window.activeTextEditor.selection.active.line + 1;
  steps().forEach(step => log(`step ${step.line}: ${step.note}`));
  check('not at the first step', steps()[0].current && line() === steps()[0].line);
  await command('nextStep'); await command('nextStep');
  check('not at the third step', steps()[2].current && line() === steps()[2].line);
  await command('previousStep');
  check('not at the second step', steps()[1].current && line() === steps()[1].line);
  await command('endSteps');
  check('steps are shown still', steps().length === 0);
  await command('explainLeak', feed.uri.toString(), body.range.start);
  await wait('steps again', () => steps().length === 4);

  // A configuration counts when it is written, and when it is gone.
  await written('the configuration', 'stopleak.toml', 'ignore = ["unclosed-http-body"]\n', () => findings(feed.uri).length === 0);
  await written('the mistake in it', 'stopleak.toml', 'ignore = [\n', () => findings(file('stopleak.toml')).length === 1);
  fs.rmSync(path.join(WORKSPACE, 'stopleak.toml'));
  await wait('no configuration', () => finding(feed.uri, 'unclosed-http-body') && findings(file('stopleak.toml')).length === 0);

  // The body of a loop gets a function of its own; the steps go when the text changes.
  const report = await open('internal/report/report.go');
  const loop = await wait('defer-in-loop', () => finding(report.uri, 'defer-in-loop'));
  await act(report.uri, loop.range, 'wrap the loop body in a function');
  await wait('no defer-in-loop', () => !finding(report.uri, 'defer-in-loop'));
  check('not wrapped', report.getText().includes('func() '));
  // A suppression comment.
  const leak = await wait('unclosed-file', () => finding(report.uri, 'unclosed-file'));
  await act(report.uri, leak.range, 'on this line');
  await wait('silence', () => findings(report.uri).length === 0);
  check('no comment', report.getText().includes('//stopleak:ignore unclosed-file'));
  await report.save();

  // What go.mod says of the version of Go.
  const watch = await open('internal/watch/watch.go');
  const { Warning, Hint } = vscode.DiagnosticSeverity;
  const ticker = severity => () => finding(watch.uri, 'unstopped-ticker')?.severity === severity;
  await wait('unstopped-ticker', ticker(Warning));
  const module = fs.readFileSync(path.join(WORKSPACE, 'go.mod'), 'utf8');
  await written('another version of Go', 'go.mod', module.replace('go 1.22', 'go 1.23'), ticker(Hint));
  await written('the first version of Go', 'go.mod', module, ticker(Warning));

  // What gopls says too can be left to it.
  const settings = () => vscode.workspace.getConfiguration('stopleak');
  check('no dropped-cancel', finding(watch.uri, 'dropped-cancel'));
  await settings().update('leaveToGopls', true, vscode.ConfigurationTarget.Workspace);
  await wait('dropped-cancel is left to gopls', () => !finding(watch.uri, 'dropped-cancel'));
  await settings().update('leaveToGopls', undefined, vscode.ConfigurationTarget.Workspace);
  await wait('dropped-cancel is back', () => finding(watch.uri, 'dropped-cancel'));

  // Files that are not open.
  const other = file('internal/feed/other.go');
  write('internal/feed/other.go', feed.getText().replace('type Client', 'type Other').replaceAll('*Client', '*Other')
    .replace('type quote', 'type bid').replace('var q quote', 'var q bid'));
  check('looked at unasked', findings(other).length === 0);
  const answer = await command('checkAllFiles');
  log(`workspace: ${answer.findings} findings in ${answer.files} files`);
  await wait('a finding in a closed file', () => findings(other).length === 1);
  check('shown twice', findings(watch.uri).length === 3);
  await command('forgetOtherFiles');
  await wait('none in a closed file', () => findings(other).length === 0);
  fs.rmSync(other.fsPath);

  // Which program is run.
  const elsewhere = path.join(OUT, 'elsewhere');
  fs.mkdirSync(elsewhere);
  fs.copyFileSync(path.join(extension.extensionPath, 'server', 'stopleak'), path.join(elsewhere, 'stopleak'));
  const runs = async text => {
    await command('debugInformation');
    return vscode.window.activeTextEditor.document.getText().includes(text);
  };
  await wait('the one that is bundled', () => runs('(bundled)'));
  await settings().update('path', path.join(elsewhere, 'stopleak'), vscode.ConfigurationTarget.Global);
  await wait('the one of the settings', () => runs(`server: ${path.join(elsewhere, 'stopleak')} (stopleak.path)`));
  await settings().update('path', undefined, vscode.ConfigurationTarget.Global);
  await wait('the bundled one again', () => runs('(bundled)'));

  // The walkthrough's first step.
  await command('trySample');
  const sample = vscode.window.activeTextEditor.document;
  await wait('a finding in a document without a file', () => finding(sample.uri, 'unclosed-http-body'));
}
