-- Installing the plugin is enough; `vim.g.stopleak_enable = false` beforehand leaves it to `vim.lsp.enable('stopleak')`.
if vim.g.loaded_stopleak or vim.g.stopleak_enable == false or vim.fn.has('nvim-0.11') == 0 then
  return
end
vim.g.loaded_stopleak = true
vim.lsp.enable('stopleak')
