-- Evidence from running programs: `:Stopleak…Evidence`. See `:help stopleak-evidence`.
local M = {}

local function say(text, level)
  vim.notify('stopleak: ' .. text, level or vim.log.levels.INFO)
end

---Asks the server; `done` gets the answer, failures are told.
---@param client vim.lsp.Client
---@param command string
---@param arguments any[]
---@param done fun(result: table)
local function ask(client, command, arguments, done)
  client:request('workspace/executeCommand', { command = command, arguments = arguments }, function(error, result)
    if error then
      say(error.message, vim.log.levels.ERROR)
    else
      done(result)
    end
  end)
end

---What is loaded, in one line.
---@param all table
---@return string
local function summary(all)
  local parts = vim.tbl_map(function(profile)
    local lines = profile.lines == 1 and '1 line' or profile.lines .. ' lines'
    return ('%s: %s%s'):format(profile.title, lines, type(profile.truncated) == 'string' and ' (cut off)' or '')
  end, all.profiles)
  return #parts == 0 and 'no evidence is loaded' or table.concat(parts, ', ')
end

---Puts the lines into the quickfix list, the heaviest first, and opens it.
---@param client vim.lsp.Client
function M.list(client)
  ask(client, 'stopleak.listEvidence', {}, function(all)
    if #all.items == 0 then
      say(#all.profiles == 0 and summary(all) or 'no line is over a threshold')
      return
    end
    local types = { warning = 'W', information = 'I' }
    local items = vim.tbl_map(function(item)
      local rules = #item.rules > 0 and (' [confirms %s]'):format(table.concat(item.rules, ', ')) or ''
      return {
        filename = vim.uri_to_fname(item.uri),
        lnum = item.range.start.line + 1,
        col = item.range.start.character + 1,
        type = types[item.level] or 'N',
        text = item.title .. rules,
      }
    end, all.items)
    vim.fn.setqflist({}, ' ', { title = 'stopleak: evidence', items = items })
    vim.cmd('botright copen')
  end)
end

local function is_address(input)
  return input:find('://', 1, true) ~= nil
end

---Commands of a buffer, its code lenses, and what a code lens does.
---@param client vim.lsp.Client
---@param buffer integer
function M.attach(client, buffer)
  local function command(name, options, run)
    vim.api.nvim_buf_create_user_command(buffer, name, run, options)
  end
  local function load(server_command, inputs)
    local paths = vim.tbl_map(function(input)
      return is_address(input) and input or vim.fn.fnamemodify(vim.fn.expand(input), ':p')
    end, inputs)
    ask(client, server_command, paths, function(all)
      say(summary(all))
    end)
  end
  command('StopleakEvidence', {
    nargs = '+',
    complete = 'file',
    desc = 'Load profiles: files, folders, or http://localhost:PORT of a running program',
  }, function(args)
    local address = is_address(args.fargs[1])
    load(address and 'stopleak.fetchEvidence' or 'stopleak.loadEvidence', args.fargs)
  end)
  command('StopleakEvidenceBase', {
    nargs = 1,
    complete = 'file',
    desc = 'Compare the loaded profiles with an earlier one',
  }, function(args)
    load('stopleak.compareEvidence', args.fargs)
  end)
  command('StopleakEvidenceList', { desc = 'List the lines with evidence' }, function()
    M.list(client)
  end)
  command('StopleakEvidenceToggle', { desc = 'Show or hide evidence above the lines' }, function()
    ask(client, 'stopleak.toggleEvidence', {}, function(all)
      say(all.shown and 'evidence is shown' or 'evidence is hidden')
    end)
  end)
  command('StopleakEvidenceClear', { desc = 'Forget all evidence' }, function()
    ask(client, 'stopleak.clearEvidence', {}, function(all)
      say(summary(all))
    end)
  end)

  -- A code lens shows what is known about its line.
  vim.lsp.commands['stopleak.showEvidence'] = function(lens)
    local line = lens.arguments[2] + 1
    vim.api.nvim_win_set_cursor(0, { line, vim.fn.indent(line) > 0 and #vim.fn.getline(line):match('^%s*') or 0 })
    vim.lsp.buf.hover()
  end
  if vim.g.stopleak_lenses == false then
    return
  end
  if vim.lsp.codelens.enable then
    vim.lsp.codelens.enable(true, { bufnr = buffer, client_id = client.id })
    return
  end
  -- Neovim 0.11 asks when it is told to, and does not know the request to ask again. Its own `refresh` does nothing while an
  -- answer is awaited, so what changed since would not be seen.
  client.handlers['stopleak/evidenceChanged'] = function()
    for attached in pairs(client.attached_buffers) do
      M.refresh(client, attached)
    end
  end
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged' }, {
    buffer = buffer,
    callback = function()
      M.refresh(client, buffer)
    end,
  })
  M.refresh(client, buffer)
end

---How often each buffer's code lenses were asked for: only the last answer counts.
---@type table<integer, integer>
local asked = {}

---Asks for the code lenses of a buffer and shows them, in Neovim 0.11.
---@param client vim.lsp.Client
---@param buffer integer
function M.refresh(client, buffer)
  local this = (asked[buffer] or 0) + 1
  asked[buffer] = this
  local document = vim.lsp.util.make_text_document_params(buffer)
  client:request('textDocument/codeLens', { textDocument = document }, function(error, lenses, context)
    if asked[buffer] == this then
      vim.lsp.codelens.on_codelens(error, lenses, context)
    end
  end, buffer)
end

return M
