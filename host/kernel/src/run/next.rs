//! How a node goes on.

use countersign_spec::graph::Exit;

/// What a node does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is left along the edge of this exit.
    Leave(Exit),
    /// Something happened that no node expects.
    Interrupt(Exit),
    /// It waits.
    Wait,
}
