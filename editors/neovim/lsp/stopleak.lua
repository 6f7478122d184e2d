---@brief
---
--- https://github.com/stopleak/stopleak
---
--- Finds leaks in Go code while it is typed; runs beside gopls.

---@type vim.lsp.Config
return {
  cmd = { 'stopleak', 'server' },
  filetypes = { 'go' },
  -- In the order of their priority, as for gopls, so that both have the same root.
  root_markers = { 'go.work', 'go.mod', '.git' },
  settings = {
    -- run = 'onSave', leaveToGopls = true, configuration = 'path/of/stopleak.toml' …
    stopleak = vim.empty_dict(),
  },
  -- To be told when there is other evidence: see lua/stopleak/evidence.lua.
  capabilities = { experimental = { stopleakEvidence = vim.lsp.codelens.enable == nil } },
  on_attach = function(client, buffer)
    local function command(name, description, run)
      vim.api.nvim_buf_create_user_command(buffer, name, run, { desc = description })
    end
    command('StopleakFixAll', 'Apply every fix of stopleak that is safe', function()
      vim.lsp.buf.code_action({
        context = { only = { 'source.fixAll.stopleak' }, diagnostics = {} },
        apply = true,
      })
    end)
    command('StopleakDebug', 'Show what the stopleak server knows', function()
      client:request('workspace/executeCommand', { command = 'stopleak.debugInfo' }, function(error, result)
        local text = error and error.message or result
        vim.cmd.new()
        vim.bo.buftype, vim.bo.bufhidden = 'nofile', 'wipe'
        vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(text, '\n'))
      end, buffer)
    end)
    -- Without the rest of the plugin this file works, too.
    for _, part in ipairs({ 'commands', 'evidence' }) do
      local found, module = pcall(require, 'stopleak.' .. part)
      if found then
        module.attach(client, buffer)
      end
    end
  end,
}
