// Runs inside VS Code's extension host, in a workspace that is not trusted: only the bundled server is started, whatever it asks for.
const vscode = require('vscode'), fs = require('fs'), path = require('path');
const { WORKSPACE, FILE, OUT } = process.env;
const log = text => fs.appendFileSync(path.join(OUT, 'exthost.log'), text + '\n');
const wait = async (what, condition) => {
  for (const end = Date.now() + 120000; Date.now() < end; await new Promise(r => setTimeout(r, 50))) {
    const result = await condition();
    if (result) return result;
  }
  throw new Error('timeout: ' + what);
};

exports.run = async () => {
  try {
    if (vscode.workspace.isTrusted) throw new Error('the workspace is trusted');
    const uri = vscode.Uri.file(path.join(WORKSPACE, FILE));
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    await wait('diagnostic', () => vscode.languages.getDiagnostics(uri).some(d => d.source === 'stopleak'));
    await vscode.commands.executeCommand('stopleak.debugInformation');
    const text = vscode.window.activeTextEditor.document.getText();
    log(text);
    if (!text.includes('trusted: false') || !text.includes('(bundled)')) throw new Error('another server than the bundled one');
    if (fs.existsSync(path.join(WORKSPACE, 'was-run'))) throw new Error('the program of the workspace was run');
  } catch (error) { log(error.stack); throw error; }
};
