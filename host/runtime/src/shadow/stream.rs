//! The side stream that answers in shadow go to.

use std::ops::ControlFlow;

use countersign_store::{RunReader, ShadowRecord, Side, SideLog, StorageError};

/// What policies in shadow say of one run, beside its record.
#[derive(Debug)]
pub(super) struct Stream {
    side: Box<dyn SideLog>,
    reader: Box<dyn RunReader>,
}

impl Stream {
    pub fn new(side: Box<dyn SideLog>, reader: Box<dyn RunReader>) -> Self {
        Stream { side, reader }
    }

    pub fn write(&mut self, record: &ShadowRecord) -> Result<(), StorageError> {
        self.side.append(&serde_json::to_vec(record).unwrap_or_default())
    }

    /// What was written can be read from now on.
    pub fn flush(&mut self) -> Result<(), StorageError> {
        self.side.flush()
    }

    /// Shows every record so far until `each` has seen enough. False where they cannot be read.
    pub fn read_back(&mut self, mut each: impl FnMut(ShadowRecord) -> bool) -> bool {
        if self.flush().is_err() {
            return false;
        }
        let mut whole = true;
        let read = self.reader.read_side(Side::Shadow, &mut |line| match serde_json::from_slice(line) {
            Ok(record) => {
                whole = each(record);
                if whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
            Err(_) => {
                whole = false;
                ControlFlow::Break(())
            }
        });
        read.is_ok() && whole
    }
}
