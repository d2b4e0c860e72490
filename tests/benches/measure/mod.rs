//! A harness small enough to be read: work, its clock, its instructions, its table.

pub mod callgrind;
pub mod clock;
pub mod table;

use anyhow::Result;

/// Something that is repeated while it is measured.
pub trait Work {
    /// The most repetitions that one preparation serves.
    fn most(&self) -> usize {
        usize::MAX
    }

    /// Makes ready what so many repetitions use up; not measured.
    fn prepare(&mut self, _count: usize) -> Result<()> {
        Ok(())
    }

    /// Repeats it; measured.
    fn run(&mut self, count: usize) -> Result<()>;
}
