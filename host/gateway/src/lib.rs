//! MCP in front of real MCP servers: an unchanged agent, each of whose tool calls is judged before it
//! is forwarded.
//!
//! ```text
//! agent ── stdio ──▶ service ── propose ──▶ principal (a session) ── permit ──▶ upstream ── stdio ──▶ servers
//! ```
//!
//! `principal` is the run of an agent, `upstream` the servers behind,
//! `service` what the agent talks to, `approval` how a person at the client is asked, `messages` what
//! the agent is told. Everything but tool calls passes through.

mod approval;
mod error;
mod malformed;
mod messages;
mod principal;
mod serve;
mod served;
mod service;
mod upstream;

pub use error::GatewayError;
pub use serve::{Options, review, serve};
pub use served::Report;
pub use upstream::ToolLine;
