//! Tools of MCP servers: started as child processes, spoken to over their standard streams.
//!
//! `servers` is a server as a file names it, `process` its child process, `connection` a client of it
//! `answer` what a call gives and `result_text` all that stands in it. `annotations` turns a server's description of a tool into an entry
//! of the registry, `pins` says whether it is still the description that was accepted, `merged_tools` puts
//! both together for all servers of a file, and `tool_review` decides what may be used. `origins` says of each value of an entry where it comes from, `names` gives tools names that
//! clients take, `pages` takes lists page by page, `numbers` keeps numbers from being rounded, `lost` answers for lines that nobody can read (`skim`
//! tells whose they are), `wire` tells calls' progress apart.

mod annotations;
mod answer;
mod connection;
mod error;
mod lost;
mod merged_tools;
mod names;
mod numbers;
mod offer;
mod origins;
mod pages;
mod pins;
mod process;
mod result_text;
mod servers;
mod skim;
mod tool_review;
mod wire;

pub use annotations::{Overrides, derived, digest, reads_json};
pub use answer::Answer;
pub use connection::{Connection, Quiet};
pub use error::McpError;
pub use merged_tools::{Joined, LeftOut, join};
pub use names::{MOST_NAME, full_names, nearest, split};
pub use numbers::{ExactNumbers, From as NumbersFrom, marked_call, unkept};
pub use offer::Offer;
pub use origins::{Known, Origin, VALUES, known};
pub use pages::Pages;
pub use pins::{Pin, PinError, Pins, Review, Seen, pins_beside};
pub use result_text::Said;
pub use servers::{ServerSpec, ServersSpec, StandardError, check_servers};
pub use skim::{Skimmed, skim};
pub use tool_review::{Accept, ToolsReport, settle};

/// The library whose types this module speaks: whoever hands in a handler needs the same version.
pub use rmcp;
