//! The Zed extension: finds the `stopleak` program and tells Zed how to start it.

use zed_extension_api::{self as zed, settings::LspSettings, LanguageServerId, Result, Worktree};

struct Stopleak;

impl zed::Extension for Stopleak {
    fn new() -> Self {
        Self
    }

    /// `lsp.stopleak.binary.path` of the settings, or the program on PATH.
    fn language_server_command(
        &mut self,
        _: &LanguageServerId,
        worktree: &Worktree,
    ) -> Result<zed::Command> {
        let binary = LspSettings::for_worktree("stopleak", worktree)
            .ok()
            .and_then(|settings| settings.binary);
        let arguments = binary.as_ref().and_then(|it| it.arguments.clone());
        let command = binary
            .and_then(|it| it.path)
            .or_else(|| worktree.which("stopleak"))
            .ok_or("`stopleak` is not on PATH: install it, or set lsp.stopleak.binary.path")?;
        Ok(zed::Command {
            command,
            args: arguments.unwrap_or_else(|| vec!["server".to_owned()]),
            env: worktree.shell_env(),
        })
    }

    fn language_server_workspace_configuration(
        &mut self,
        _: &LanguageServerId,
        worktree: &Worktree,
    ) -> Result<Option<zed::serde_json::Value>> {
        let settings = LspSettings::for_worktree("stopleak", worktree)
            .ok()
            .and_then(|settings| settings.settings)
            .unwrap_or_default();
        // The server asks for its section.
        Ok(Some(zed::serde_json::json!({ "stopleak": settings })))
    }
}

zed::register_extension!(Stopleak);
