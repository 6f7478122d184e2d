//! What the client can do.

use go_syntax::PositionEncoding;
use tower_lsp::ls_types::{
    ClientCapabilities, DiagnosticClientCapabilities, DiagnosticTag, InitializeParams,
    PositionEncodingKind, PublishDiagnosticsClientCapabilities, ResourceOperationKind,
};

/// What the client can do, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Name and version, for the log.
    pub(crate) name: String,
    /// What columns count.
    pub(crate) encoding: PositionEncoding,
    /// Diagnostics are pulled by the client, never pushed: only if it can be told to ask again.
    pub(crate) pull: bool,
    /// Diagnostics may have related information, and the client shows it.
    pub(crate) related: bool,
    /// Diagnostics may be marked as unnecessary code.
    pub(crate) unnecessary: bool,
    /// Diagnostics may have a page.
    pub(crate) code_description: bool,
    /// Diagnostics may carry data.
    pub(crate) diagnostic_data: bool,
    /// The edit of a code action may be computed when it is chosen.
    pub(crate) resolve_edit: bool,
    /// Edits may name the version that they are made for.
    pub(crate) document_changes: bool,
    /// Edits of the client may create files.
    pub(crate) creates_files: bool,
    /// The client watches files for the server.
    pub(crate) watches_files: bool,
    /// The client can be asked for settings.
    pub(crate) configuration: bool,
    /// The client tells changes of settings only to who registers for it.
    pub(crate) register_configuration: bool,
    /// The client knows several workspace folders.
    pub(crate) folders: bool,
    /// The client can show a page.
    pub(crate) show_document: bool,
    /// The client shows progress that it did not ask for.
    pub(crate) creates_progress: bool,
    /// Hovers may be Markdown.
    pub(crate) markdown: bool,
    /// The client can be told to ask for code lenses again.
    pub(crate) refreshes_lenses: bool,
    /// The client wants to be told when there is other evidence.
    pub(crate) follows_evidence: bool,
}

impl Peer {
    pub(crate) fn new(params: &InitializeParams) -> Self {
        let ClientCapabilities {
            workspace,
            text_document,
            general,
            window,
            experimental,
            ..
        } = params.capabilities.clone();
        let workspace = workspace.unwrap_or_default();
        let text_document = text_document.unwrap_or_default();
        let action = text_document.code_action.unwrap_or_default();
        let refresh = workspace
            .diagnostics
            .as_ref()
            .and_then(|d| d.refresh_support)
            .unwrap_or_default();
        let pull = text_document.diagnostic.is_some() && refresh;
        let diagnostics = Diagnostics::new(
            text_document.diagnostic.filter(|_| pull),
            text_document.publish_diagnostics,
        );
        let experimental = experimental.unwrap_or_default();
        let client = params.client_info.as_ref();
        Self {
            name: client.map_or_else(String::new, |client| {
                format!(
                    "{} {}",
                    client.name,
                    client.version.as_deref().unwrap_or_default()
                )
                .trim()
                .to_owned()
            }),
            encoding: encoding(
                general
                    .as_ref()
                    .and_then(|general| general.position_encodings.as_deref()),
            ),
            refreshes_lenses: workspace
                .code_lens
                .and_then(|lens| lens.refresh_support)
                .unwrap_or_default(),
            follows_evidence: experimental["stopleakEvidence"] == true,
            pull,
            // lsp-mode announces related information that it does not show.
            related: diagnostics.related && experimental["stopleakPathInMessage"] != true,
            unnecessary: diagnostics.unnecessary,
            code_description: diagnostics.code_description,
            diagnostic_data: diagnostics.data,
            // lsp-mode asks all servers of a document to resolve the action of one.
            resolve_edit: experimental["stopleakWholeActions"] != true
                && action.data_support.unwrap_or_default()
                && action
                    .resolve_support
                    .is_some_and(|resolve| resolve.properties.iter().any(|p| p == "edit")),
            creates_files: workspace.workspace_edit.as_ref().is_some_and(|edit| {
                edit.resource_operations
                    .as_ref()
                    .is_some_and(|all| all.contains(&ResourceOperationKind::Create))
            }),
            document_changes: workspace
                .workspace_edit
                .and_then(|edit| edit.document_changes)
                .unwrap_or_default(),
            watches_files: workspace
                .did_change_watched_files
                .and_then(|watch| watch.dynamic_registration)
                .unwrap_or_default(),
            configuration: workspace.configuration.unwrap_or_default(),
            register_configuration: workspace
                .did_change_configuration
                .and_then(|change| change.dynamic_registration)
                .unwrap_or_default(),
            folders: workspace.workspace_folders.unwrap_or_default(),
            creates_progress: window
                .as_ref()
                .and_then(|window| window.work_done_progress)
                .unwrap_or_default(),
            show_document: window
                .and_then(|window| window.show_document)
                .is_some_and(|show| show.support),
            markdown: text_document.hover.is_none_or(|hover| {
                hover.content_format.is_none_or(|formats| {
                    formats.contains(&tower_lsp::ls_types::MarkupKind::Markdown)
                })
            }),
        }
    }
}

/// The first encoding of the client's list that is known; the list is in the order of preference.
fn encoding(offered: Option<&[PositionEncodingKind]>) -> PositionEncoding {
    offered
        .unwrap_or_default()
        .iter()
        .find_map(|kind| match kind.as_str() {
            "utf-8" => Some(PositionEncoding::Utf8),
            "utf-16" => Some(PositionEncoding::Utf16),
            "utf-32" => Some(PositionEncoding::Utf32),
            _ => None,
        })
        .unwrap_or(PositionEncoding::Utf16)
}

/// The name of an encoding in the protocol.
pub(crate) fn encoding_kind(encoding: PositionEncoding) -> PositionEncodingKind {
    match encoding {
        PositionEncoding::Utf8 => PositionEncodingKind::UTF8,
        PositionEncoding::Utf16 => PositionEncodingKind::UTF16,
        PositionEncoding::Utf32 => PositionEncodingKind::UTF32,
    }
}

/// Pulled and pushed diagnostics have the same abilities under different names.
#[derive(Default)]
struct Diagnostics {
    related: bool,
    unnecessary: bool,
    code_description: bool,
    data: bool,
}

impl Diagnostics {
    fn new(
        pull: Option<DiagnosticClientCapabilities>,
        push: Option<PublishDiagnosticsClientCapabilities>,
    ) -> Self {
        // Clients announce these for one kind and mean both (Neovim, Helix): what either says counts. Unknown members are ignored
        // by everybody, except related information, which replaces lines of the message.
        let pull = pull.unwrap_or_default();
        let push = push.unwrap_or_default();
        let pull_unnecessary = pull
            .tag_support
            .and_then(|tags| serde_json::to_value(tags).ok())
            .is_some_and(|tags| {
                tags["valueSet"]
                    .as_array()
                    .is_some_and(|tags| tags.contains(&serde_json::json!(1)))
            });
        Self {
            related: pull.related_information == Some(true)
                || push.related_information == Some(true),
            unnecessary: pull_unnecessary
                || push
                    .tag_support
                    .is_some_and(|tags| tags.value_set.contains(&DiagnosticTag::UNNECESSARY)),
            code_description: pull.code_description_support == Some(true)
                || push.code_description_support == Some(true),
            data: pull.data_support == Some(true) || push.data_support == Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(capabilities: serde_json::Value) -> Peer {
        let params = serde_json::json!({ "capabilities": capabilities });
        Peer::new(&serde_json::from_value(params).unwrap())
    }

    #[test]
    fn the_clients_order_of_encodings_counts() {
        for (offered, chosen) in [
            (vec!["utf-16"], PositionEncoding::Utf16),
            (vec!["utf-32", "utf-8", "utf-16"], PositionEncoding::Utf32),
            (vec!["utf-7", "utf-8", "utf-16"], PositionEncoding::Utf8),
            (vec![], PositionEncoding::Utf16),
        ] {
            let peer = peer(serde_json::json!({ "general": { "positionEncodings": offered } }));
            assert_eq!(peer.encoding, chosen);
        }
        assert_eq!(
            peer(serde_json::json!({})).encoding,
            PositionEncoding::Utf16
        );
    }

    #[test]
    fn pulls_only_when_the_client_can_be_told_to_ask_again() {
        let with = |refresh: bool| {
            peer(serde_json::json!({
                "textDocument": { "diagnostic": {} },
                "workspace": { "diagnostics": { "refreshSupport": refresh } },
            }))
        };
        assert!(with(true).pull);
        assert!(!with(false).pull);
        assert!(!peer(serde_json::json!({})).pull);
    }
}
