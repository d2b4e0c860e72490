//! Diagnostics for whoever wrote or operates the policy: beside the trace, never in it.
//!
//! The last [`error`] of a call that fails is shown first in its report; a panic's message is
//! written there by itself. Natively these do nothing.

/// A line is cut here: the host drops what is longer, and a far longer one would end the call.
const MOST_BYTES: usize = 4096;

/// For the author alone.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Worth knowing.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Worth looking at.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Why the call is about to fail.
pub fn error(message: &str) {
    write(Level::Error, message);
}

enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

fn write(level: Level, message: &str) {
    let message = &message[..message.floor_char_boundary(MOST_BYTES)];
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::countersign::policy::log::{self, Level as Wit};
        log::write(
            match level {
                Level::Debug => Wit::Debug,
                Level::Info => Wit::Info,
                Level::Warn => Wit::Warn,
                Level::Error => Wit::Error,
            },
            message,
        );
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (level, message);
}
