// Runs inside VS Code's extension host, with the whole vscode API; apitest.mjs starts it and takes the result.
const vscode = require('vscode'), fs = require('fs'), path = require('path');
const { WORKSPACE, FILE, AT, MESSAGE, TITLE, EXPECT, OUT } = process.env;
const log = text => fs.appendFileSync(path.join(OUT, 'exthost.log'), text + '\n');
const wait = async (what, condition) => {
  for (const end = Date.now() + 60000; Date.now() < end; await new Promise(r => setTimeout(r, 50))) {
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

    const commands = await vscode.commands.getCommands(true);
    for (const { command } of vscode.extensions.getExtension('stopleak.stopleak').packageJSON.contributes.commands) {
      check(`${command} is not there`, commands.includes(command));
    }
    await vscode.commands.executeCommand('stopleak.restart');
    await wait('diagnostics after a restart', () => ours().length === before - 1);
  } catch (error) { log(error.stack); throw error; }
};
