//! MCP in front of real MCP servers: an unchanged agent, each of whose tool calls is judged before it
//! is forwarded.
//!
//! ```text
//! agent ── stdio ──▶ service ── propose ──▶ principal (a session) ── permit ──▶ upstream ── stdio ──▶ servers
//! ```
//!
//! `config` is the gateway's file, `principal` the run of a principal, `upstream` the servers behind,
//! `service` what the agent talks to, `approval` how a person at the client is asked, `messages` what
//! the agent is told. Everything but tool calls passes through.

mod approval;
mod config;
mod messages;
mod principal;
mod serve;
mod service;
mod upstream;

pub use config::{Config, ConfigError};
pub use serve::{GatewayError, Options, Report, review, serve};
pub use upstream::ToolLine;
