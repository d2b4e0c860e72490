//! What a host does with policies, models, tools and people: one program, since each holds the whole engine.

mod embedding;
mod incidents;
mod mcp;
mod models;
mod secrets;
mod shadow;
mod swap;
