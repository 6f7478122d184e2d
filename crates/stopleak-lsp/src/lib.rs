//! The stopleak language server.
//!
//! Architecture invariant: this is the only crate that names an LSP type.
//!
//! From the wire inwards: `gateway` reads standard input on a thread of its own and mends what clients get wrong; the handlers in
//! `server` put what they are told into one channel; `model` owns the documents and the database and applies it in order;
//! computations (`analysis`, `actions`, `hover`) run on worker threads on snapshots that the next change ends; one task, the
//! `outbox`, writes to the client.

mod actions;
mod analysis;
mod companion;
mod completion;
mod configs;
mod evidence;
mod gateway;
mod hover;
mod model;
mod outbox;
mod peer;
mod server;
mod uri;
mod workspace;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tower_lsp::LspService;

use crate::gateway::Life;
use crate::outbox::Jitter;
use crate::server::Server;

/// How the server runs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The pause after a keystroke before findings are published; `None` is the client's setting.
    pub debounce: Option<Duration>,
    /// For tests: a seed for short sleeps at the points where tasks may overtake each other.
    #[doc(hidden)]
    pub jitter: Option<u64>,
}

/// Serves a client over standard input and output until it says `exit`, its input ends, or the process that started it ends. Ends
/// the process itself in the first and the last case: with 0 after `shutdown`, else with 1.
///
/// Standard output belongs to the protocol; the log goes to standard error, as much of it as the environment variable
/// `STOPLEAK_LOG` asks for (`warn` by default).
pub fn run(options: &Options) -> ExitCode {
    log_to_stderr();
    let life = Arc::new(Life::default());
    // One thread for all tasks: they are short, what takes time has threads of its own, and handing a message from thread to thread
    // takes longer than what is done with it.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::from(2);
        }
    };
    let served = runtime.block_on(async {
        let input = gateway::start(std::io::stdin(), Arc::clone(&life))?;
        let jitter = Jitter(options.jitter);
        let mut failure = None;
        let (service, socket) = LspService::build(|client| {
            match Server::new(client, Arc::clone(&life), options.debounce, jitter) {
                Ok(server) => server,
                Err(error) => {
                    // Without its thread there is nothing that the server can do.
                    failure = Some(error);
                    std::process::exit(2)
                }
            }
        })
        .custom_method(gateway::MALFORMED, Server::malformed)
        .custom_method(workspace::CANCEL, Server::cancel_progress)
        .finish();
        if let Some(error) = failure {
            return Err(error);
        }
        tower_lsp::Server::new(input, tokio::io::stdout(), socket)
            .serve(service)
            .await;
        Ok(())
    });
    if let Err(error) = served {
        tracing::error!(%error, "cannot start");
        std::process::exit(2);
    }
    life.exit()
}

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("STOPLEAK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // The program may have set up a log already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tracing::error!("panic: {info}");
        default(info);
    }));
}
