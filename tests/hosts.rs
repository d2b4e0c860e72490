//! What a host does with policies, models, tools and people: one program, since each holds the whole engine.

mod incidents;
mod mcp;
mod models;
mod shadow;
mod swap;
