-- `:checkhealth stopleak`
local M = {}

function M.check()
  local health = vim.health
  health.start('stopleak')
  if vim.fn.has('nvim-0.11') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()))
  else
    health.error('Neovim 0.11 or later is needed')
    return
  end
  local config = vim.lsp.config.stopleak
  local command = config and type(config.cmd) == 'table' and config.cmd[1] or 'stopleak'
  if vim.fn.executable(command) == 1 then
    local version = vim.fn.system({ command, 'version' })
    health.ok(('%s: %s'):format(vim.fn.exepath(command), vim.trim(version)))
  else
    health.error(('`%s` is not on PATH'):format(command), {
      'Install the stopleak program,',
      "or say where it is: vim.lsp.config('stopleak', { cmd = { '/path/of/stopleak', 'server' } })",
    })
  end
  if vim.lsp.is_enabled and not vim.lsp.is_enabled('stopleak') then
    health.warn('not enabled', { "vim.lsp.enable('stopleak')" })
  end
  if vim.fn.executable('gopls') == 0 and #vim.lsp.get_clients({ name = 'gopls' }) == 0 then
    health.info('gopls is not on PATH; stopleak does not need it')
  end
  local clients = vim.lsp.get_clients({ name = 'stopleak' })
  for _, client in ipairs(clients) do
    health.ok(('running, root %s, positions in %s'):format(client.root_dir or 'none', client.offset_encoding))
  end
  if #clients > 1 then
    health.info('one server runs for each root; nested modules have roots of their own')
  end
  if #clients == 0 then
    health.info('no server is running; one is started when a Go file is opened')
  end
end

return M
