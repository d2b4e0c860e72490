use wasmtime::ResourceLimiter;

/// Limits of one instance. All of them stand in the bundle's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel of one call; default 4,000,000.
    pub fuel_per_call: u64,
    /// Bytes over all memories and tables; default 16 MiB.
    pub memory_bytes: u64,
    /// Bytes of one answer's texts; default 16 KiB.
    pub answer_bytes: u64,
    /// Fuel of feeding its history to an instance that is rebuilt after a failure; default 400,000,000.
    /// Where another process takes a run up in which nothing failed, the limit of each call is enough.
    pub rebuild_fuel: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { fuel_per_call: 4_000_000, memory_bytes: 16 << 20, answer_bytes: 16 << 10, rebuild_fuel: 400_000_000 }
    }
}

/// The instance asked for more than its limit. An error of our own, so that it can be told from a
/// policy's own trap.
#[derive(Debug, thiserror::Error)]
#[error("more than {limit} bytes of memory")]
pub(crate) struct MemoryLimit {
    limit: u64,
}

/// Counts every memory and table of a store together: wasmtime's own limit is for each alone.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: u64,
    used: u64,
}

/// What a table's element takes in the host.
const ELEMENT: u64 = 8;

impl Memory {
    pub fn new(limit: u64) -> Self {
        Memory { limit, used: 0 }
    }

    fn grow(&mut self, current: usize, desired: usize, unit: u64) -> wasmtime::Result<bool> {
        let more = (desired.saturating_sub(current) as u64).saturating_mul(unit);
        let total = self.used.saturating_add(more);
        if total > self.limit {
            return Err(wasmtime::Error::new(MemoryLimit { limit: self.limit }));
        }
        self.used = total;
        Ok(true)
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(current, desired, 1)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(current, desired, ELEMENT)
    }
}
