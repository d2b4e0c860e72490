//! The bytes of a frame and their hashes.

use countersign_kernel::{Event, Frame, Input, Judgement};
use countersign_spec::Manifest;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Distinguishes these hashes from any others over the same bytes.
const DOMAIN: &[u8] = b"countersign trace 1\0";
/// `,"seal":"sha256:` + 64 digits + `"}`.
pub(crate) const SEAL_BYTES: usize = SEAL_OPEN.len() + 64 + 2;
const SEAL_OPEN: &str = ",\"seal\":\"sha256:";

#[derive(Serialize)]
struct ManifestLine<'a> {
    frame: u64,
    prev: &'a str,
    manifest: &'a Manifest,
}

#[derive(Serialize)]
struct FrameLine<'a> {
    frame: u64,
    prev: &'a str,
    at: u64,
    input: &'a Input,
    judgements: &'a [Judgement],
    events: &'a [Event],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadManifest {
    pub frame: u64,
    pub prev: String,
    pub manifest: Manifest,
    #[serde(rename = "seal")]
    pub _seal: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadFrame {
    pub frame: u64,
    pub prev: String,
    pub at: u64,
    pub input: Input,
    pub judgements: Vec<Judgement>,
    pub events: Vec<Event>,
    #[serde(rename = "seal")]
    pub _seal: serde::de::IgnoredAny,
}

/// What frame 0 points to.
pub fn genesis(run: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(run.as_bytes());
    name(hasher)
}

/// Writes frame 0 into `line`; returns its hash.
pub fn encode_manifest(line: &mut Vec<u8>, manifest: &Manifest) -> String {
    let prev = genesis(&manifest.run);
    seal(line, &ManifestLine { frame: 0, prev: &prev, manifest })
}

/// Writes a frame into `line`, without the line's end; returns its hash.
pub fn encode_frame(line: &mut Vec<u8>, prev: &str, frame: &Frame) -> String {
    let content = FrameLine {
        frame: frame.frame,
        prev,
        at: frame.at,
        input: &frame.input,
        judgements: &frame.judgements,
        events: &frame.events,
    };
    seal(line, &content)
}

/// One pass over the bytes gives both the seal and the hash that the next frame points to.
fn seal(line: &mut Vec<u8>, content: &impl Serialize) -> String {
    line.clear();
    // Into memory, from types whose maps have text keys: there is nothing that could fail.
    if serde_json::to_writer(&mut *line, content).is_err() || line.pop() != Some(b'}') {
        line.clear();
    }
    let mut hasher = Sha256::new();
    hasher.update(&*line);
    let own = name(hasher.clone());
    let from = line.len();
    line.extend_from_slice(b",\"seal\":\"");
    line.extend_from_slice(own.as_bytes());
    line.extend_from_slice(b"\"}");
    hasher.update(&line[from..]);
    name(hasher)
}

/// The chain of a run that is being written: encodes frame after frame into one buffer.
#[derive(Debug, Clone)]
pub struct Chain {
    head: String,
    next: u64,
    line: Vec<u8>,
}

impl Chain {
    /// Encodes frame 0, which [`Chain::line`] holds then.
    pub fn begin(manifest: &Manifest) -> Self {
        let mut line = Vec::new();
        let head = encode_manifest(&mut line, manifest);
        Chain { head, next: 1, line }
    }

    /// Goes on behind frames that were read.
    pub(crate) fn behind(head: String, next: u64) -> Self {
        Chain { head, next, line: Vec::new() }
    }

    /// Encodes the next frame.
    pub fn encode(&mut self, frame: &Frame) -> &[u8] {
        self.head = encode_frame(&mut self.line, &self.head, frame);
        self.next += 1;
        &self.line
    }

    /// What was encoded last.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Hash of what was encoded last: kept elsewhere, it proves that a trace is the one it was.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Number of the next frame.
    pub fn next(&self) -> u64 {
        self.next
    }
}

/// Checks the seal of a stored line; its hash, or none when the bytes are not what was sealed.
pub(crate) fn unseal(line: &[u8]) -> Option<String> {
    let at = line.len().checked_sub(SEAL_BYTES)?;
    let (content, end) = line.split_at(at);
    let mut hasher = Sha256::new();
    hasher.update(content);
    let own = name(hasher.clone());
    let written = end.strip_prefix(b",\"seal\":\"")?.strip_suffix(b"\"}")?;
    hasher.update(end);
    (written == own.as_bytes()).then(|| name(hasher))
}

/// Whether a stored line is the frame of this number behind the one with this hash; its hash. Its content is not
/// looked at.
pub(crate) fn linked(line: &[u8], frame: u64, prev: &str) -> Option<String> {
    let begins = format!("{{\"frame\":{frame},\"prev\":\"{prev}\",");
    line.starts_with(begins.as_bytes()).then(|| unseal(line))?
}

fn name(hasher: Sha256) -> String {
    format!("sha256:{}", countersign_kernel::contract::hex(&hasher.finalize()))
}
