//! Tools that a running server has come to offer and that wait to be accepted: written down beside the pins, so that
//! whoever accepts one from another process finds it. A server that is started anew may not have it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign::mcp::{Joined, Offer};
use rmcp::model::Tool;

/// Most tools of one server that are written down.
const MOST: usize = 256;

/// Tools that wait, by server.
#[derive(Debug, Default, PartialEq)]
pub struct Waiting {
    servers: BTreeMap<String, Vec<Tool>>,
}

impl Waiting {
    fn file(pins: &Path) -> PathBuf {
        pins.with_extension("waiting.json")
    }

    /// What was written down beside the pins; nothing where there is no such file, or it is not what was written.
    pub fn load(pins: &Path) -> Self {
        let text = std::fs::read_to_string(Self::file(pins)).unwrap_or_default();
        Waiting { servers: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// Takes in which tools of a server wait.
    pub fn note(&mut self, offer: &Offer, joined: &Joined) {
        let waits = |tool: &&Tool| {
            let mut left_out = joined.left_out.iter().filter(|out| out.acceptable);
            left_out.any(|out| joined.own_names.get(&out.tool).is_some_and(|own| *own == *tool.name))
        };
        let tools: Vec<Tool> = offer.tools.iter().filter(waits).take(MOST).cloned().collect();
        self.servers.insert(offer.server.clone(), tools);
    }

    /// Writes it down beside the pins. Servers that are not known here stay as they are written.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(mut self, pins: &Path) -> std::io::Result<()> {
        let before = Self::load(pins);
        for (server, tools) in &before.servers {
            self.servers.entry(server.clone()).or_insert_with(|| tools.clone());
        }
        self.servers.retain(|_, tools| !tools.is_empty());
        if self == before {
            return Ok(());
        }
        let file = Self::file(pins);
        if self.servers.is_empty() {
            return std::fs::remove_file(file);
        }
        countersign::tools::write_atomically(
            &file,
            serde_json::to_string_pretty(&self.servers)?.as_bytes(),
            countersign::tools::Readers::Owner,
        )
    }

    /// Adds to what a server offers at its start the tools that it has come to offer since, in another process.
    pub fn complete(&self, offer: &mut Offer) {
        for tool in self.servers.get(&offer.server).into_iter().flatten() {
            if offer.tools.iter().all(|offered| offered.name != tool.name) {
                offer.tools.push(tool.clone());
            }
        }
    }
}
