//! MCP in front of real MCP servers: an unchanged agent, each of whose tool calls is judged before it
//! is forwarded.
//!
//! ```text
//! agent ── stdio ──▶ service ── propose ──▶ principal (a session) ── permit ──▶ upstream ── stdio ──▶ servers
//! ```
//!
//! `gateway` rules on a call and `forward` makes it, `principal` is the run of an agent, `upstream` the servers behind,
//! `supervised` one of them, `relay` what they say beside answers, `client_lines` how it is heard (`incoming` reads a
//! line), `service` what the agent talks to, `approval` how a
//! person at the client is asked, `messages` what the agent is told. Everything but tool calls passes through.

mod approval;
mod client_lines;
mod error;
mod explain;
mod forward;
mod gateway;
mod incoming;
mod malformed;
mod messages;
mod principal;
mod relay;
mod rulings;
mod serve;
mod served;
mod service;
mod supervised;
mod tools;
mod under_way;
mod upstream;
mod waiting;

pub use error::GatewayError;
pub use explain::{Change, Explained, Objection, Outcome, explain};
pub use serve::{Options, review, serve};
pub use served::Report;
pub use tools::{Asks, ToolLine};
