use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::Linker;
use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::call::CallState;
use crate::error::EngineError;
use crate::options::EngineOptions;
use crate::watchdog::Watchdog;
use crate::{fuel, v0_1};

/// Wasm stack of a call.
const WASM_STACK: usize = 64 << 20;
/// Stack of a thread that is surely enough for a call and the host's frames around it.
const THREAD_STACK: usize = 80 << 20;

/// The one engine of a process. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub engine: wasmtime::Engine,
    pub linker: Linker<CallState>,
    pub options: EngineOptions,
    fingerprint: Arc<str>,
    _watchdog: Watchdog,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("fingerprint", &self.inner.fingerprint).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these settings. Where the machine does not give the address space of the pool, as under
    /// `ulimit -v`, the pool is made smaller, and in the end left out, with a warning: opening a policy takes longer
    /// then, and what it answers is the same.
    ///
    /// # Errors
    /// When the machine cannot give what they ask for.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let costs = fuel::costs();
        let engine = Self::made(&options, &costs)?;
        let linker = v0_1::linker(&engine).map_err(EngineError::new)?;
        let watchdog = Watchdog::start(&engine, options.deadline).map_err(EngineError::new)?;
        let fingerprint = fingerprint(&engine, &costs).into();
        Ok(Engine { inner: Arc::new(Inner { engine, linker, options, fingerprint, _watchdog: watchdog }) })
    }

    fn made(options: &EngineOptions, costs: &wasmtime::OperatorCost) -> Result<wasmtime::Engine, EngineError> {
        let with = |pool| wasmtime::Engine::new(&config(options, costs, pool));
        let mut pool = options.pool;
        loop {
            let error = match with(pool) {
                Ok(engine) => return Ok(engine),
                Err(error) => error,
            };
            let Some(instances) = pool else { return Err(EngineError::new(error)) };
            pool = (instances > SMALLEST_POOL).then(|| (instances / 8).max(SMALLEST_POOL));
            let room = pool.map_or_else(|| "none".to_owned(), |instances| instances.to_string());
            tracing::warn!(%error, "no room for a pool of {instances} policies; trying with {room}");
        }
    }

    /// What, beside a component's bytes, decides what its calls do: version, settings, cost table,
    /// target and CPU features.
    pub fn fingerprint(&self) -> &Arc<str> {
        &self.inner.fingerprint
    }

    /// The most memory that a policy's limit may allow, in bytes.
    pub fn most_memory(&self) -> u64 {
        self.inner.options.most_memory
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

/// An engine of the same settings that only compiles: it needs no pool.
pub(crate) fn bare(options: &EngineOptions) -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config(options, &fuel::costs(), None))
}

/// Below that a pool is not worth its room.
const SMALLEST_POOL: u32 = 32;

fn config(options: &EngineOptions, costs: &wasmtime::OperatorCost, pool: Option<u32>) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .operator_cost(costs.clone())
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        // Never used without `async`, and still checked against the line above.
        .async_stack_size(WASM_STACK)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(None)
        .memory_reservation(options.most_memory)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10);
    let Some(instances) = pool else { return config };
    let mut pool = PoolingAllocationConfig::default();
    let most = usize::try_from(options.most_memory).unwrap_or(usize::MAX);
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .max_core_instances_per_component(16)
        .max_memories_per_component(1)
        .max_tables_per_component(4)
        .max_memory_size(most)
        // Reused memory is zeroed up to here rather than given back to the kernel and
        // faulted in again.
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(16 << 10);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Runs with enough stack for a policy's: on a thread that has it this costs a comparison, on any
/// other a mapping. A thread of 80 MiB has it.
pub(crate) fn with_stack<R>(call: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(WASM_STACK + (2 << 20), THREAD_STACK, call)
}

fn fingerprint(engine: &wasmtime::Engine, costs: &wasmtime::OperatorCost) -> String {
    use std::hash::{Hash, Hasher};
    struct Digesting(Sha256);
    impl Hasher for Digesting {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut digest = Digesting(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut digest);
    // Every field is a number: the text is the same for the same table.
    digest.write(serde_json::to_string(costs).unwrap_or_default().as_bytes());
    digest.write(&WASM_STACK.to_le_bytes());
    let digest = digest.0.finalize();
    let hex = countersign_contract::hex(&digest[..16]);
    format!("wasmtime-48/{}-{}/{hex}", std::env::consts::ARCH, std::env::consts::OS)
}
