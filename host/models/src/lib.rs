//! All words for models: what they are told, how their answers are read, and the client that calls those behind an
//! OpenAI-compatible chat-completions interface.
//!
//! | file | what it does |
//! |---|---|
//! | `registry` | section `models` of a deployment's file: which model stands behind which tier, checked when it is loaded |
//! | `client` | one call: request, time-out, cancellation, and what became of it |
//! | `request` | what is sent, as the chat-completions API has it |
//! | `transport` | HTTP: what is sent, how much is read, what a failure means and says |
//! | `answer` | what a completion says: samples, usage, signals |
//! | `signals` | how sure the model was, as the confidence policy takes it |
//! | `schema` | the form that an answer has, for servers that can hold a model to it |
//! | `prompt` | what a model is told |
//! | `words` | every word of it, and the digest of all |
//! | `reply` | what its answer means: a step, or a violation |
//! | `unwrap` | what models put around their answer, and what of it is set aside |

pub mod address;
mod answer;
mod client;
pub mod http;
pub mod one_or_many;
mod prompt;
mod registry;
mod reply;
mod request;
mod schema;
mod signals;
mod tools;
mod transport;
mod unwrap;
pub mod words;

pub use client::Client;
pub use prompt::{messages, notice, overhead, render};
pub use registry::{ModelSpec, OutputLimitKey, Registry, Section, StructuredOutput};
pub use reply::{
    INJECTED, MOST_REPLY_BYTES, Parsed, injected_tools, parse_patch, parse_step, proposed, proposed_as, say,
};
pub use schema::step_schema;
pub use tools::Tools;
pub use words::templates_digest;
