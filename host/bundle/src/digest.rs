use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(Arc<str>);

impl Digest {
    /// As it is written.
    pub fn as_str(&self) -> &Arc<str> {
        &self.0
    }

    /// Reads one back: `sha256:` and 64 lower-case hexadecimal digits, nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let digits = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| Digest(text.into()))
    }

    /// Its 64 digits alone, which can be the name of a folder.
    pub fn hex(&self) -> &str {
        &self.0[7..]
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[7..19]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Digest of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Digest(format!("sha256:{hex}").into())
}
