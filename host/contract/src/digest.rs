//! Digests, the names of what a run is pinned to: one type and one spelling for all of the host.

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
    Digest(format!("sha256:{}", hex(&Sha256::digest(bytes))).into())
}

/// Bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = sha256(b"abc");
        assert_eq!(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(digest.as_str()), Some(digest.clone()));
        assert_eq!(digest.short(), "ba7816bf8f01");
        let upper = digest.as_str().to_uppercase();
        for text in ["", "sha256:", "sha256:ba78", &digest.as_str()[..70], &upper, digest.hex()] {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
        assert_eq!(hex(&[]), "");
    }
}
