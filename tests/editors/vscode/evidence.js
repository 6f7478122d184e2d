// Runs inside VS Code's extension host: loads a profile, sees its line, lists it, hides it.
const vscode = require('vscode'), fs = require('fs'), path = require('path');
const { WORKSPACE, FILE, LINE, PROFILES, OUT } = process.env;
const log = text => fs.appendFileSync(path.join(OUT, 'exthost.log'), text + '\n');
const wait = async (what, condition) => {
  for (const end = Date.now() + 120000; Date.now() < end; await new Promise(r => setTimeout(r, 100))) {
    const result = await condition();
    if (result) return result;
  }
  throw new Error('timeout: ' + what);
};
const check = (what, condition) => { if (!condition) throw new Error(what); };
const run = (command, ...args) => vscode.commands.executeCommand(`stopleak.${command}`, ...args);

exports.run = async () => {
  try {
    const uri = vscode.Uri.file(path.join(WORKSPACE, FILE));
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    const ours = () => vscode.languages.getDiagnostics(uri).filter(d => d.source === 'stopleak');
    const confirmed = () => ours().find(d => d.message.includes('(confirmed: '));
    const lenses = async () => (await vscode.commands.executeCommand('vscode.executeCodeLensProvider', uri, 100))
      .filter(lens => lens.command?.command === 'stopleak.showEvidence');
    await wait('a finding', () => ours().length > 0);
    check('lenses without evidence', (await lenses()).length === 0);
    check('confirmed without evidence', !confirmed());

    await run('openProfiles', path.join(PROFILES, 'goroutineleak.pb.gz'), path.join(PROFILES, 'heap.pb.gz'));
    const found = await wait('code lenses', async () => { const all = await lenses(); return all.length === 2 && all; });
    found.forEach(lens => log(`lens ${lens.range.start.line + 1}: ${lens.command.title}`));
    const [, lens] = found;
    check('not on its line', lens.range.start.line + 1 === Number(LINE));
    check('not its weight', lens.command.title.startsWith('64 goroutines stuck for ever'));
    log(`diagnostic ${(await wait('a confirmed finding', confirmed)).message}`);

    const at = new vscode.Position(Number(LINE) - 1, 5);
    const hovers = await vscode.commands.executeCommand('vscode.executeHoverProvider', uri, at);
    const hover = hovers.flatMap(hover => hover.contents.map(content => content.value)).join('\n');
    log(`hover: ${hover}`);
    check('no hover', hover.includes('64 goroutines stuck for ever') && hover.includes('goroutineleak.pb.gz'));

    const { items } = await run('listEvidence');
    items.forEach(item => log(`${item.place} ${item.level} ${item.title} (${item.status})`));
    check('not listed', items.some(item => item.place === `${FILE}:${LINE}` && item.status === 'confirmed'));
    check('heap is not listed', items.some(item => item.kind === 'heap'));

    // A code lens leads to its line.
    await vscode.window.activeTextEditor.document.save();
    await run('showEvidence', ...lens.command.arguments);
    check('the lens does not lead to its line', vscode.window.activeTextEditor.selection.start.line + 1 === Number(LINE));

    await run('toggleLenses');
    await wait('hidden', async () => (await lenses()).length === 0);
    await run('toggleLenses');
    await wait('shown', async () => (await lenses()).length === 2);
    await run('clearProfiles');
    await wait('cleared', async () => (await lenses()).length === 0 && !confirmed());
  } catch (error) { log(error.stack); throw error; }
};
