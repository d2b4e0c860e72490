//! What every store promises, asked of each of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod frames;
mod holding;
mod inbox;
mod listing;
mod payloads;
mod registers;
mod sqlite;
mod stores;
