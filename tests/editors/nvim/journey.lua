-- Run by nvim -l: what else a user does in a day, in the sample of SAMPLE.
local env, out = vim.env, function(...) io.stdout:write(string.format(...), '\n') end
local function wait(what, condition) assert(vim.wait(60000, condition, 20), 'timeout: ' .. what) end
local function ours()
  return vim.tbl_filter(function(d) return d.source == 'stopleak' end, vim.diagnostic.get(0))
end
local function finding(rule) return vim.iter(ours()):find(function(d) return d.code == rule end) end
local function edit(file) vim.cmd.edit({ env.WORKSPACE .. '/' .. file, bang = true }) end
local function put(file, text) vim.fn.writefile(vim.split(text, '\n'), env.WORKSPACE .. '/' .. file) end
local function has(text) return vim.fn.search('\\V' .. text, 'nw') > 0 end
local function touch() vim.bo.modified = true; vim.cmd.write() end -- Neovim does not watch files here: saving is when the server looks
local function act(rule, title)
  local d = finding(rule)
  vim.api.nvim_win_set_cursor(0, { d.lnum + 1, d.col })
  vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title:find(title, 1, true) ~= nil end })
end

-- The path goes into the location list.
edit('internal/feed/feed.go')
wait('unclosed-http-body', function() return finding('unclosed-http-body') end)
wait('commands', function() return vim.fn.exists(':StopleakPath') == 2 end)
local window, d = vim.api.nvim_get_current_win(), finding('unclosed-http-body')
vim.api.nvim_win_set_cursor(0, { d.lnum + 1, d.col })
vim.cmd.StopleakPath()
local steps = vim.fn.getloclist(window)
for _, step in ipairs(steps) do out('%d: %s', step.lnum, step.text) end
assert(#steps == 4 and steps[3].text:find('^3%. returns without closing'), 'not the path')
assert(vim.api.nvim_win_get_cursor(window)[1] == steps[1].lnum, 'not at the first step')
vim.cmd.lnext()
assert(vim.api.nvim_win_get_cursor(window)[1] == steps[2].lnum, 'not at the second step')
vim.cmd.lclose()
-- The page of the rule.
local opened
vim.ui.open = function(page) opened = page return {}, nil end
vim.api.nvim_win_set_cursor(0, { d.lnum + 1, d.col })
vim.cmd.StopleakRule()
wait('the page', function() return opened end)
assert(opened:find('/docs/rules/unclosed%-http%-body%.md$'), opened)

-- A configuration counts.
put('stopleak.toml', 'ignore = ["unclosed-http-body"]\n')
touch()
wait('the configuration', function() return #ours() == 0 end)
vim.fn.delete(env.WORKSPACE .. '/stopleak.toml')
touch()
wait('no configuration', function() return finding('unclosed-http-body') end)

-- The body of a loop gets a function of its own; a suppression comment.
edit('internal/report/report.go')
wait('defer-in-loop', function() return finding('defer-in-loop') end)
act('defer-in-loop', 'wrap the loop body in a function')
wait('no defer-in-loop', function() return not finding('defer-in-loop') and has('func() ') end)
act('unclosed-file', 'on this line')
wait('silence', function() return #ours() == 0 and has('//stopleak:ignore unclosed-file') end)
vim.cmd.write()

-- What go.mod says of the version of Go.
edit('internal/watch/watch.go')
local severity = vim.diagnostic.severity
local function ticker(wanted)
  return function() local d = finding('unstopped-ticker') return d and d.severity == wanted end
end
wait('unstopped-ticker', ticker(severity.WARN))
local module = table.concat(vim.fn.readfile(env.WORKSPACE .. '/go.mod'), '\n')
put('go.mod', (module:gsub('go 1%.22', 'go 1.23')))
touch()
wait('another version of Go', ticker(severity.HINT))
put('go.mod', module)
touch()
wait('the first version of Go', ticker(severity.WARN))

-- All that is safe at once.
vim.cmd.StopleakFixAll()
wait('the fixes', function() return has('defer ticker.Stop()') and has('defer timer.Stop()') and #ours() == 1 end)
vim.cmd.write()

-- The whole workspace.
vim.cmd.StopleakCheck()
wait('the quickfix list', function() return #vim.fn.getqflist() > 0 end)
local list = vim.fn.getqflist()
for _, item in ipairs(list) do out('%s:%d %s %s', vim.fn.bufname(item.bufnr), item.lnum, item.type, item.text) end
assert(#list == 3, ('%d in the list'):format(#list))
local store = vim.iter(list):find(function(item) return vim.fn.bufname(item.bufnr):find('store.go', 1, true) end)
wait('a finding in a closed file', function() return #vim.diagnostic.get(store.bufnr) == 1 end)
edit('internal/store/store.go')
wait('once each', function() return #ours() == 1 end)
vim.cmd.checkhealth('stopleak')
assert(has('running, root'), 'checkhealth')
vim.cmd.quitall({ bang = true })
