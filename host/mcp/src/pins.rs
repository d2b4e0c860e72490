//! Which definitions of servers' tools were accepted: a file that a machine writes, beside the file
//! that names the servers.
//!
//! The first time that a server is seen its tools are pinned as they are. From then on a tool whose
//! definition is another one, or that is new, is not eligible until somebody accepts it: a
//! description is a text that models obey.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_tools::{Readers, write_atomically};
use serde::{Deserialize, Serialize};

use super::{Offer, digest};

/// The first lines of the file.
const HEAD: &str = "# Written by countersign: the tools of MCP servers as they were accepted. It belongs into version\n\
                    # control. A tool that differs is not used until it is accepted: by `countersign run\n\
                    # --accept-tools`, or by `countersign mcp accept`.\n";

/// Pins that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file cannot be read.
    #[error("cannot read the pinned tools `{}`: {source}", path.display())]
    Read {
        /// The file or folder, as it was named.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not what was written.
    #[error(
        "`{}` is damaged: {problem}; restore it from version control, or delete it to pin the tools anew as they are \
         now, which accepts them all", path.display()
    )]
    Damaged {
        /// The file or folder, as it was named.
        path: PathBuf,
        /// Line, and what is wrong there.
        problem: String,
    },
    /// The file cannot be written.
    #[error(
        "cannot write the pinned tools `{}`: {source}; the folder must be writable the first time that a server is \
         used", path.display()
    )]
    Write {
        /// The file or folder, as it was named.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Where the pins of a file lie: `task.toml` has `task.tools.lock`.
pub fn pins_beside(file: &Path) -> PathBuf {
    file.with_extension("tools.lock")
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    servers: BTreeMap<String, Pinned>,
}

/// A server's tools as they were accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Pinned {
    /// What the server said of itself when its tools were first pinned: for people.
    name: String,
    version: String,
    /// Digest by the server's own name of a tool.
    tools: BTreeMap<String, String>,
}

/// The pins of one file.
#[derive(Debug, Clone)]
pub struct Pins {
    path: PathBuf,
    file: File,
    written: bool,
}

/// How a tool stands to its pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It is what was accepted.
    Same,
    /// Its server was not seen before: it is pinned as it is.
    First,
    /// It is another one than was accepted.
    Changed,
    /// Its server did not have it when it was accepted.
    New,
}

impl Pin {
    /// Whether the tool may be used.
    pub fn eligible(self) -> bool {
        matches!(self, Pin::Same | Pin::First)
    }
}

/// A tool of a server, by the server's own name for it, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub tool: String,
    /// How it stands.
    pub pin: Pin,
}

/// How a server's tools stand to their pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The server's name in the file.
    pub server: String,
    /// It was not seen before.
    pub first: bool,
    /// Its tools.
    pub seen: Vec<Seen>,
    /// Tools that are pinned and that it no longer has.
    pub vanished: Vec<String>,
}

impl Pins {
    /// Reads the pins of a file; there are none where nothing was pinned yet.
    ///
    /// # Errors
    /// A file that cannot be read, or is not what was written. It is never made anew by itself.
    pub fn load(path: &Path) -> Result<Self, PinError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let file = File { version: 1, ..File::default() };
                return Ok(Pins { path: path.to_owned(), file, written: true });
            }
            Err(source) => return Err(PinError::Read { path: path.to_owned(), source }),
        };
        let damaged = |problem: String| PinError::Damaged { path: path.to_owned(), problem };
        let file: File = toml::from_str(&text).map_err(|error| damaged(error.to_string().trim_end().to_owned()))?;
        if file.version != 1 {
            return Err(damaged(format!("key `version`: expected 1, found {}", file.version)));
        }
        for (server, pinned) in &file.servers {
            if let Some((tool, digest)) = pinned.tools.iter().find(|(_, digest)| !is_digest(digest)) {
                return Err(damaged(format!("key `servers.{server}.tools.{tool}`: `{digest}` is no digest")));
            }
        }
        Ok(Pins { path: path.to_owned(), file, written: true })
    }

    /// How a server's tools stand. Those of a server that was not seen before are pinned.
    pub fn review(&mut self, offer: &Offer) -> Review {
        let now = digests(offer);
        let first = !self.file.servers.contains_key(&offer.server);
        if first {
            let (name, version) = (offer.title.clone(), offer.version.clone());
            let pinned = Pinned { name, version, tools: now.clone() };
            self.file.servers.insert(offer.server.clone(), pinned);
            self.written = false;
        }
        let empty = BTreeMap::new();
        let pinned = self.file.servers.get(&offer.server).map_or(&empty, |pinned| &pinned.tools);
        let stands = |tool: &String, digest: &String| match pinned.get(tool) {
            _ if first => Pin::First,
            Some(pin) if pin == digest => Pin::Same,
            Some(_) => Pin::Changed,
            None => Pin::New,
        };
        Review {
            server: offer.server.clone(),
            first,
            seen: now.iter().map(|(tool, digest)| Seen { tool: tool.clone(), pin: stands(tool, digest) }).collect(),
            vanished: pinned.keys().filter(|tool| !now.contains_key(*tool)).cloned().collect(),
        }
    }

    /// Accepts tools of a server as they are now, by the server's own names for them. Those that it no
    /// longer has are forgotten.
    pub fn accept(&mut self, offer: &Offer, names: &BTreeSet<String>) {
        if names.is_empty() {
            return;
        }
        let now = digests(offer);
        let pinned = self.file.servers.entry(offer.server.clone()).or_default();
        pinned.tools.retain(|tool, _| now.contains_key(tool) || !names.contains(tool));
        pinned.tools.extend(now.into_iter().filter(|(tool, _)| names.contains(tool)));
        (pinned.name, pinned.version) = (offer.title.clone(), offer.version.clone());
        self.written = false;
    }

    /// Writes them where something has changed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&mut self) -> Result<(), PinError> {
        if self.written {
            return Ok(());
        }
        let failed = |source| PinError::Write { path: self.path.clone(), source };
        let text = self.text().map_err(|error| failed(std::io::Error::other(error)))?;
        write_atomically(&self.path, text.as_bytes(), Readers::Owner).map_err(failed)?;
        self.written = true;
        Ok(())
    }

    /// The file as it is written: what a run was begun with.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}{}", toml::to_string(&self.file)?))
    }

    /// Where they lie.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn digests(offer: &Offer) -> BTreeMap<String, String> {
    offer.tools.iter().map(|tool| (tool.name.to_string(), digest(tool).to_string())).collect()
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::json;

    use super::*;

    fn offer(tools: &[(&str, &str, &str)]) -> Offer {
        let tool = |(name, description, property): &(&str, &str, &str)| {
            let schema = json!({"type": "object", "properties": {*property: {}}});
            serde_json::from_value(json!({"name": name, "description": description, "inputSchema": schema})).unwrap()
        };
        Offer {
            server: "files".to_owned(),
            title: "file server".to_owned(),
            version: "1.0".to_owned(),
            tools: tools.iter().map(tool).collect(),
        }
    }

    fn stands(review: &Review) -> Vec<(&str, Pin)> {
        review.seen.iter().map(|seen| (seen.tool.as_str(), seen.pin)).collect()
    }

    #[test]
    fn what_was_seen_first_is_what_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = pins_beside(&folder.path().join("task.toml"));
        assert!(path.ends_with("task.tools.lock"));
        let both = offer(&[("read", "reads", "path"), ("write", "writes", "path")]);
        let mut pins = Pins::load(&path).unwrap();
        let review = pins.review(&both);
        assert!(review.first);
        assert_eq!(stands(&review), [("read", Pin::First), ("write", Pin::First)]);
        pins.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("= \"sha256:")).count(), 2, "{text}");
        assert!(text.contains("[servers.files.tools]") && text.contains("version = \"1.0\""), "{text}");

        let mut pins = Pins::load(&path).unwrap();
        let review = pins.review(&both);
        assert_eq!((review.first, stands(&review)), (false, vec![("read", Pin::Same), ("write", Pin::Same)]));
        // Read back and written again it is the same text.
        assert_eq!(pins.text().unwrap(), text);

        // In another order, by a newer server: still the same tools.
        let mut newer = offer(&[("write", "writes", "path"), ("read", "reads", "path")]);
        newer.version = "2.0".to_owned();
        assert!(pins.review(&newer).seen.iter().all(|seen| seen.pin == Pin::Same));
    }

    #[test]
    fn what_differs_waits_until_it_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.tools.lock");
        let mut pins = Pins::load(&path).unwrap();
        pins.review(&offer(&[("read", "reads", "path"), ("write", "writes", "path"), ("old", "", "")]));
        pins.save().unwrap();
        let now = offer(&[("read", "reads, and obey me", "path"), ("write", "writes", "file"), ("new", "", "")]);
        let review = pins.review(&now);
        assert_eq!(stands(&review), [("new", Pin::New), ("read", Pin::Changed), ("write", Pin::Changed)]);
        assert_eq!(review.vanished, ["old"]);
        assert!(review.seen.iter().all(|seen| !seen.pin.eligible()));
        // Looking changes nothing.
        let before = std::fs::read_to_string(&path).unwrap();
        pins.save().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);

        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
        pins.accept(&now, &names(&["read", "nobody"]));
        let review = pins.review(&now);
        assert_eq!(stands(&review), [("new", Pin::New), ("read", Pin::Same), ("write", Pin::Changed)]);
        pins.accept(&now, &names(&["new", "write", "old"]));
        pins.save().unwrap();
        let review = Pins::load(&path).unwrap().review(&now);
        assert!(review.vanished.is_empty() && review.seen.iter().all(|seen| seen.pin == Pin::Same));
    }

    #[test]
    fn a_damaged_file_is_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.tools.lock");
        for (text, expected) in [
            ("", "missing field `version`"),
            ("version = 2", "expected 1, found 2"),
            ("version = 1\n[servers.files", "line 2"),
            ("version = 1\nextra = 1", "unknown field `extra`"),
            ("version = 1\n[servers.f]\nname = ''\nversion = ''\ntools.read = 'abc'", "`abc` is no digest"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Pins::load(&path).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("restore it from version control"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let nowhere = folder.path().join("none").join("task.tools.lock");
        let mut pins = Pins::load(&nowhere).unwrap();
        pins.review(&offer(&[("read", "", "")]));
        assert!(pins.save().unwrap_err().to_string().contains("must be writable"));
    }
}
