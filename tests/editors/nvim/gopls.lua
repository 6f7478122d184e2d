-- Run by nvim -l: stopleak beside a real gopls ($GOPLS). Each says what it has to say once.
local env, out = vim.env, function(...) io.stdout:write(string.format(...), '\n') end
local function wait(what, condition) assert(vim.wait(60000, condition, 20), 'timeout: ' .. what) end
local function of(source)
  return vim.tbl_filter(function(d) return (d.source == 'stopleak') == (source == 'stopleak') end, vim.diagnostic.get(0))
end
local function finding(source, code)
  return vim.iter(of(source)):find(function(d) return d.code == code or d.source == code end)
end
local function once_each()
  local seen = {}
  for _, d in ipairs(vim.diagnostic.get(0)) do
    local key = ('%d:%d %s %s'):format(d.lnum, d.col, d.source, d.message)
    assert(not seen[key], 'shown twice: ' .. key)
    seen[key] = true
  end
end

vim.lsp.config('gopls', { cmd = { env.GOPLS }, filetypes = { 'go' }, root_markers = { 'go.work', 'go.mod', '.git' } })
vim.lsp.enable('gopls')
vim.cmd.edit(env.WORKSPACE .. '/internal/watch/watch.go')
wait('both servers', function() return #vim.lsp.get_clients({ bufnr = 0 }) == 2 end)
for _, client in ipairs(vim.lsp.get_clients({ bufnr = 0 })) do
  out('%s: root %s, positions in %s', client.name, client.root_dir, client.offset_encoding)
end
wait('stopleak', function() return #of('stopleak') == 3 end)
wait('gopls', function() return finding('gopls', 'lostcancel') end)
for _, d in ipairs(vim.diagnostic.get(0)) do out('%d: %s [%s]', d.lnum + 1, d.message, d.source) end
once_each()
-- Both know of the cancel function; the setting leaves it to gopls.
assert(finding('stopleak', 'dropped-cancel').lnum == finding('gopls', 'lostcancel').lnum)
local stopleak = vim.lsp.get_clients({ name = 'stopleak' })[1]
stopleak.settings = { stopleak = { leaveToGopls = true } }
stopleak:notify('workspace/didChangeConfiguration', { settings = stopleak.settings })
wait('left to gopls', function() return #of('stopleak') == 2 and not finding('stopleak', 'dropped-cancel') end)
assert(finding('gopls', 'lostcancel'))

-- A fix of stopleak, in a buffer of both.
local d = finding('stopleak', 'unstopped-ticker')
vim.api.nvim_win_set_cursor(0, { d.lnum + 1, d.col })
vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title:find('defer `ticker.Stop()`', 1, true) ~= nil end })
wait('the fix', function() return #of('stopleak') == 1 and vim.fn.search('\\Vdefer ticker.Stop()', 'nw') > 0 end)
-- Typing shows that both follow.
vim.fn.append(vim.fn.line('$'), { 'var _ = nothing' })
wait('an error of gopls', function()
  return vim.iter(of('gopls')):find(function(d) return d.message:find('nothing') end)
end)
once_each()
vim.cmd.undo()
vim.cmd.write()
wait('no error of gopls', function()
  return not vim.iter(of('gopls')):find(function(d) return d.message:find('nothing') end)
end)
once_each()
vim.cmd.quitall({ bang = true })
