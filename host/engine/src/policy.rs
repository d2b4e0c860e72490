use std::sync::Arc;

use countersign_contract::{Descriptor, Slot};
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::accepted::Accepted;
use crate::call::{CallState, LogLine};
use crate::cause::{cause_of, message};
use crate::compiled;
use crate::configuration::Schema;
use crate::engine::{Engine, with_stack};
use crate::error::{ConfigurationError, LoadError, LoadProblem, OpenError};
use crate::inspect;
use crate::limits::{Limits, Memory};
use crate::v0_1::{Exports, Functions};
use crate::watchdog::Watchdog;

/// Hostcall fuel, in bytes of host structures. Several times what the contract allows: it only
/// protects the host.
const HOSTCALL_FUEL: usize = 1 << 20;

/// A compiled policy. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Inner>,
}

struct Inner {
    accepted: Accepted,
    engine: Engine,
    pre: InstancePre<CallState>,
    exports: Exports,
    slots: Vec<Slot>,
    descriptor: Descriptor,
    label: Arc<str>,
    schema: Schema,
    digest: Arc<str>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("label", &self.inner.label).finish_non_exhaustive()
    }
}

/// A configured instance.
pub(crate) struct Open {
    pub store: Store<CallState>,
    pub functions: Functions,
}

impl Engine {
    /// Checks and compiles a component. `origin` names it in errors, such as a file.
    ///
    /// # Errors
    /// What is wrong with it and what to do.
    pub fn load(&self, origin: &str, bytes: &[u8]) -> Result<Policy, LoadError> {
        let slots = inspect::inspect(bytes, &self.inner().options.caps)
            .map_err(|problem| LoadError { origin: origin.to_owned(), problem })?;
        with_stack(|| Policy::compile(self, origin, bytes, slots))
    }
}

impl Policy {
    pub(crate) fn compile(engine: &Engine, origin: &str, bytes: &[u8], slots: Vec<Slot>) -> Result<Self, LoadError> {
        let fail = |problem| LoadError { origin: origin.to_owned(), problem };
        let inner = engine.inner();
        let pre = compiled::component(&inner.engine, engine.fingerprint(), &inner.options, bytes)
            .and_then(|component| inner.linker.instantiate_pre(&component))
            .map_err(|error| fail(LoadProblem::Compile(format!("{error:#}"))))?;
        let exports = Exports::find(&pre, &slots).map_err(|error| fail(LoadProblem::Compile(error)))?;
        let descriptor = describe(engine, &pre, &exports).map_err(fail)?;
        let schema =
            Schema::parse(&descriptor.configuration_schema).map_err(|error| fail(LoadProblem::Schema(error)))?;
        Ok(Policy {
            inner: Arc::new(Inner {
                engine: engine.clone(),
                pre,
                exports,
                slots,
                label: format!("{}@{}", descriptor.name, descriptor.version).into(),
                descriptor,
                schema,
                digest: Arc::clone(countersign_contract::sha256(bytes).as_str()),
                accepted: Accepted::default(),
            }),
        })
    }

    /// Who it says it is.
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// `name@version`.
    pub fn label(&self) -> &Arc<str> {
        &self.inner.label
    }

    /// Digest of the bytes that its author shipped.
    pub fn digest(&self) -> &Arc<str> {
        &self.inner.digest
    }

    /// The slots it fills.
    pub fn slots(&self) -> &[Slot] {
        &self.inner.slots
    }

    /// Checks a configuration against the policy's schema.
    ///
    /// # Errors
    /// The first key that does not fit.
    pub fn check_configuration(&self, configuration: &Value) -> Result<(), ConfigurationError> {
        self.inner.schema.check(&self.inner.label, configuration)
    }

    /// What the policy logs about a configuration while it is configured: rules of its own that are never
    /// reached, say. Opens an instance for that alone.
    ///
    /// # Errors
    /// When the policy refuses the configuration, or the instance cannot be made.
    pub fn remarks(&self, configuration: &str, limits: &Limits) -> Result<Vec<LogLine>, OpenError> {
        with_stack(|| self.configure(configuration, limits)).map(|(_, log)| log)
    }

    /// Whether it has accepted the very same configuration before.
    pub(crate) fn has_accepted(&self, configuration: &str, limits: &Limits) -> bool {
        self.inner.accepted.holds(configuration, limits)
    }

    pub(crate) fn accept(&self, configuration: &Arc<str>, limits: &Limits) {
        self.inner.accepted.add(configuration, limits);
    }

    pub(crate) fn instantiate(&self, configuration: &str, limits: &Limits) -> Result<Open, OpenError> {
        self.configure(configuration, limits).map(|(open, _)| open)
    }

    /// A configured instance, and what was logged on the way.
    fn configure(&self, configuration: &str, limits: &Limits) -> Result<(Open, Vec<LogLine>), OpenError> {
        let (mut store, instance) = instance(&self.inner.engine, &self.inner.pre, limits)
            .map_err(|error| self.instance_error(&format!("{error:#}")))?;
        store.data_mut().begin(None);
        let configured = self.inner.exports.configure(&mut store, &instance, configuration);
        let (_, _, log) = store.data_mut().end();
        match configured {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let (policy, key, message) = (self.inner.label.to_string(), error.key, error.message);
                return Err(ConfigurationError { policy, key, message }.into());
            }
            Err(error) => {
                let cause = cause_of(&error, None);
                return Err(self.instance_error(&message(&log, &cause)));
            }
        }
        let functions = self.inner.exports.functions(&mut store, &instance);
        let functions = functions.map_err(|error| self.instance_error(&format!("{error:#}")))?;
        Ok((Open { store, functions }, log))
    }

    fn instance_error(&self, message: &str) -> OpenError {
        OpenError::Instance { policy: self.inner.label.to_string(), message: message.to_owned() }
    }
}

fn instance(
    engine: &Engine,
    pre: &InstancePre<CallState>,
    limits: &Limits,
) -> wasmtime::Result<(Store<CallState>, Instance)> {
    let mut store = Store::new(&engine.inner().engine, CallState::new(Memory::new(limits.memory_bytes)));
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_fuel(limits.fuel_per_call)?;
    Watchdog::arm(&mut store);
    let instance = pre.instantiate(&mut store)?;
    Ok((store, instance))
}

fn describe(engine: &Engine, pre: &InstancePre<CallState>, exports: &Exports) -> Result<Descriptor, LoadProblem> {
    let fail = |error: wasmtime::Error| LoadProblem::Describe(format!("{error:#}"));
    let (mut store, instance) = instance(engine, pre, &Limits::default()).map_err(fail)?;
    store.data_mut().begin(None);
    let found = exports.describe(&mut store, &instance).map_err(fail)?;
    let wrong = |field, found: &str, expected| LoadProblem::Descriptor { field, found: found.to_owned(), expected };
    let named = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if found.name.is_empty() || found.name.len() > 64 || !found.name.bytes().all(named) {
        return Err(wrong("name", &found.name, "1 to 64 lower-case letters, digits and hyphens"));
    }
    let numbers: Vec<&str> = found.version.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u64>().is_err()) || found.version.len() > 64 {
        return Err(wrong("version", &found.version, "a semantic version such as `1.4.0`"));
    }
    if found.purpose.len() > 500 {
        return Err(wrong("purpose", "", "at most 500 bytes"));
    }
    Ok(found)
}
