-- Commands of a buffer: the path of a leak, the page of its rule, the whole workspace.
local M = {}

local function say(text, level)
  vim.notify('stopleak: ' .. text, level or vim.log.levels.INFO)
end

---The diagnostic of the server for the finding under the cursor, or else the first one of its line.
---@return lsp.Diagnostic?
local function finding()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local here = vim.tbl_filter(function(d)
    return d.source == 'stopleak' and vim.tbl_get(d, 'user_data', 'lsp') ~= nil
  end, vim.diagnostic.get(0, { lnum = row - 1 }))
  local touched = vim.iter(here):find(function(d)
    return d.col <= column and (d.end_lnum > row - 1 or column <= d.end_col)
  end)
  local chosen = touched or here[1]
  return chosen and chosen.user_data.lsp
end

---Puts the steps of the path into the location list, in their order, and goes to the first.
---@param client vim.lsp.Client
function M.path(client)
  local found = finding()
  local steps = found and found.relatedInformation or {}
  if #steps == 0 then
    return say('no leak with a path is marked on this line')
  end
  local items = {}
  for number, step in ipairs(steps) do
    local item = vim.lsp.util.locations_to_items({ step.location }, client.offset_encoding)[1]
    item.text, item.nr = ('%d. %s'):format(number, step.message), number
    item.user_data = nil
    table.insert(items, item)
  end
  vim.fn.setloclist(0, {}, ' ', { title = 'stopleak: ' .. found.message, items = items })
  vim.cmd.lopen({ count = #items, mods = { split = 'belowright' } })
  vim.cmd.wincmd('p')
  vim.cmd.lfirst()
end

---Opens the page of a rule, by default that of the finding under the cursor.
---@param client vim.lsp.Client
---@param name string
function M.rule(client, name)
  local found = name == '' and finding()
  local rule = found and found.code or name
  if rule == '' then
    return say('no finding is marked on this line')
  end
  client:request('workspace/executeCommand', { command = 'stopleak.openRule', arguments = { rule } }, function(error)
    if error then
      say(error.message, vim.log.levels.ERROR)
    end
  end)
end

---Checks all files of the workspace and puts what is found into the quickfix list.
---@param client vim.lsp.Client
function M.check(client)
  client:request('workspace/executeCommand', { command = 'stopleak.checkWorkspace' }, function(error, result)
    if error then
      return say(error.message, vim.log.levels.ERROR)
    end
    if result.cancelled then
      return say('cancelled')
    end
    local types = { 'E', 'W', 'I', 'N' }
    local items = vim.tbl_map(function(found)
      local item = vim.lsp.util.locations_to_items({ found }, client.offset_encoding)[1]
      item.text, item.type = ('%s [%s]'):format(found.message, found.code), types[found.severity]
      item.user_data = nil
      return item
    end, result.items)
    vim.fn.setqflist({}, ' ', { title = 'stopleak: workspace', items = items })
    say(('%d files, %d findings'):format(result.files, result.findings))
    if #items > 0 then
      vim.cmd('botright copen')
    end
  end)
end

---@param client vim.lsp.Client
---@param buffer integer
function M.attach(client, buffer)
  local function command(name, options, run)
    vim.api.nvim_buf_create_user_command(buffer, name, run, options)
  end
  command('StopleakPath', { desc = 'Go along the path of the leak under the cursor' }, function()
    M.path(client)
  end)
  command('StopleakRule', { nargs = '?', desc = 'Open the page of a rule' }, function(args)
    M.rule(client, args.args)
  end)
  command('StopleakCheck', { bang = true, desc = 'Check all files of the workspace; with ! forget what was found' }, function(args)
    if args.bang then
      client:request('workspace/executeCommand', { command = 'stopleak.clearWorkspace' }, function() end)
    else
      M.check(client)
    end
  end)
end

return M
