-- As a user has it: the plugin folder on the runtime path; only the program is another.
vim.lsp.config('stopleak', { cmd = { vim.env.STOPLEAK, 'server' } })
vim.opt.runtimepath:prepend(vim.env.ROOT .. '/editors/neovim')
