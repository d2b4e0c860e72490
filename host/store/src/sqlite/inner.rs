//! What everything of one open file shares.

use std::time::Duration;

use super::read::Readers;
use super::writer::Writer;
use crate::error::StorageError;

#[derive(Debug)]
pub(super) struct Inner {
    pub file: String,
    pub readers: Readers,
    /// How long a run stays held after its holder was last heard of.
    pub lease: Duration,
    /// None where the file can only be read.
    pub writer: Option<Writer>,
}

impl Inner {
    pub fn writer(&self) -> Result<&Writer, StorageError> {
        self.writer.as_ref().ok_or_else(|| StorageError::ReadOnly { store: self.file.clone() })
    }
}
