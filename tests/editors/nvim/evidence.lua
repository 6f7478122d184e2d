-- Run by nvim -l: loads a profile, sees its line, lists it, jumps there, hides it.
local env, out = vim.env, function(...) io.stdout:write(string.format(...), '\n') end
local function wait(what, condition) assert(vim.wait(60000, condition, 20), 'timeout: ' .. what) end
local function lenses()
  -- Neovim 0.11 has no `enable`, and gives the lenses themselves.
  local new = vim.lsp.codelens.enable ~= nil
  local all = vim.lsp.codelens.get(new and { bufnr = 0 } or 0)
  all = vim.tbl_map(function(found) return new and found.lens or found end, all)
  table.sort(all, function(a, b) return a.range.start.line < b.range.start.line end)
  return vim.tbl_map(function(lens) return ('%d: %s'):format(lens.range.start.line + 1, lens.command.title) end, all)
end
local function confirmed()
  return vim.iter(vim.diagnostic.get(0)):find(function(d) return d.message:find('%(confirmed: ') end)
end

vim.cmd.edit(env.WORKSPACE .. '/' .. env.FILE)
wait('commands', function() return vim.fn.exists(':StopleakEvidence') == 2 end)
assert(#lenses() == 0, 'lenses without evidence')
vim.cmd.StopleakEvidence(env.PROFILES .. '/goroutineleak.pb.gz')
wait('code lenses', function() return #lenses() == 2 end)
for _, lens in ipairs(lenses()) do out('lens %s', lens) end
assert(lenses()[2]:find('^' .. env.LINE .. ': 64 goroutines stuck for ever'), lenses()[2])
wait('confirmed', confirmed)
out('diagnostic %s', confirmed().message)

vim.cmd.StopleakEvidenceList()
wait('quickfix list', function() return #vim.fn.getqflist() > 0 end)
local list = vim.fn.getqflist()
for _, item in ipairs(list) do
  out('%s:%d %s %s', vim.fn.fnamemodify(vim.fn.bufname(item.bufnr), ':t'), item.lnum, item.type, item.text)
end
local at = vim.iter(ipairs(list)):find(function(_, item)
  return item.lnum == tonumber(env.LINE) and vim.fn.bufname(item.bufnr):find(env.FILE, 1, true)
end)
assert(at and list[at].type == 'W', 'the line is not listed')
vim.cmd.cc(at)
assert(vim.api.nvim_win_get_cursor(0)[1] == tonumber(env.LINE), 'the list does not lead there')

vim.cmd.StopleakEvidenceToggle()
wait('hidden', function() return #lenses() == 0 end)
vim.cmd.StopleakEvidenceToggle()
wait('shown', function() return #lenses() == 2 end)
vim.cmd.StopleakEvidenceClear()
wait('cleared', function() return #lenses() == 0 and not confirmed() end)
vim.cmd.quitall({ bang = true })
