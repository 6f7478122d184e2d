//! Ctrl-C: the first one stops the work between two files, so that nothing is left half-written; the second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Starts to listen.
pub fn install() {
    // It fails only when somebody has installed a handler before; then Ctrl-C ends the process, as it does by default.
    let _ = ctrlc::set_handler(|| {
        if STOPPED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
}

/// Whether Ctrl-C was pressed.
pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}
