//! Contract `countersign:policy@0.1.0`: its imports and its exports. It is the newest version: its records are
//! those of `countersign_contract`.

use std::sync::Arc;

use countersign_contract as contract;
use countersign_contract::view::{Answer, Query};
use countersign_contract::{Answered, ConfigError, Descriptor, Dimension, Level, Question, Slot};
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre, Linker, TypedFunc};
use wasmtime::{Store, StoreContextMut};

use crate::call::CallState;

type Cx<'a> = StoreContextMut<'a, CallState>;

fn name(interface: &str) -> String {
    let (package, version) = contract::CONTRACT.split_once('@').unwrap_or((contract::CONTRACT, ""));
    format!("{package}/{interface}@{version}")
}

/// The imports that a policy may have.
pub fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    linker.instance(&name("types"))?;
    let mut run = linker.instance(&name("run"))?;
    run.func_wrap("goal", |mut cx: Cx<'_>, (): ()| text(&mut cx, Query::Goal))?;
    run.func_wrap("fact", |mut cx: Cx<'_>, (name,): (String,)| text(&mut cx, Query::Fact(name)))?;
    run.func_wrap("step-index", |mut cx: Cx<'_>, (): ()| match read(&mut cx, Query::StepIndex)? {
        Answer::StepIndex(index) => Ok((*index,)),
        other => Err(mismatch(other)),
    })?;
    run.func_wrap("current-phase", |mut cx: Cx<'_>, (): ()| match read(&mut cx, Query::Phase)? {
        Answer::Phase(phase) => Ok((*phase,)),
        other => Err(mismatch(other)),
    })?;
    run.func_wrap("budget", |mut cx: Cx<'_>, (of,): (Dimension,)| match read(&mut cx, Query::Budget(of))? {
        Answer::Budget(line) => Ok((*line,)),
        other => Err(mismatch(other)),
    })?;
    run.func_wrap("recent-steps", |mut cx: Cx<'_>, (count,): (u32,)| {
        match read(&mut cx, Query::RecentSteps(count.min(32)))? {
            Answer::RecentSteps(steps) => Ok((steps.clone(),)),
            other => Err(mismatch(other)),
        }
    })?;
    run.func_wrap("boundary", |mut cx: Cx<'_>, (): ()| match read(&mut cx, Query::Boundary)? {
        Answer::Boundary(boundary) => Ok((*boundary,)),
        other => Err(mismatch(other)),
    })?;
    let mut log = linker.instance(&name("log"))?;
    log.func_wrap("write", |mut cx: Cx<'_>, (level, message): (Level, String)| {
        cx.data_mut().log(level, &message);
        Ok(())
    })?;
    Ok(linker)
}

fn read<'a>(cx: &'a mut Cx<'_>, query: Query) -> wasmtime::Result<&'a Answer> {
    cx.data_mut().read(query).map_err(wasmtime::Error::new)
}

fn text(cx: &mut Cx<'_>, query: Query) -> wasmtime::Result<(Option<Arc<str>>,)> {
    match read(cx, query)? {
        Answer::Goal(text) | Answer::Fact(text) => Ok((text.clone(),)),
        other => Err(mismatch(other)),
    }
}

/// A recorded answer that does not belong to its question: the record was tampered with.
fn mismatch(_: &Answer) -> wasmtime::Error {
    wasmtime::Error::new(crate::call::Broken)
}

/// Where a component keeps its exports.
pub struct Exports {
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
    slots: Vec<(Slot, ComponentExportIndex)>,
}

impl Exports {
    pub fn find(pre: &InstancePre<CallState>, slots: &[Slot]) -> Result<Self, String> {
        let component = pre.component();
        let find = |interface: &str, function: &str| {
            let interface_name = name(interface);
            component
                .get_export_index(None, &interface_name)
                .and_then(|index| component.get_export_index(Some(&index), function))
                .ok_or_else(|| format!("`{interface_name}` has no function `{function}`"))
        };
        Ok(Exports {
            describe: find("policy", "describe")?,
            configure: find("policy", "configure")?,
            slots: slots
                .iter()
                .map(|slot| Ok((*slot, find(slot.name(), slot.function())?)))
                .collect::<Result<_, String>>()?,
        })
    }

    pub fn describe(&self, store: &mut Store<CallState>, instance: &Instance) -> wasmtime::Result<Descriptor> {
        let function = instance.get_typed_func::<(), (Descriptor,)>(&mut *store, &self.describe)?;
        Ok(function.call(store, ())?.0)
    }

    pub fn configure(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        json: &str,
    ) -> wasmtime::Result<Result<(), ConfigError>> {
        type Configured = (Result<(), ConfigError>,);
        let function = instance.get_typed_func::<(&str,), Configured>(&mut *store, &self.configure)?;
        Ok(function.call(store, (json,))?.0)
    }

    pub fn functions(&self, store: &mut Store<CallState>, instance: &Instance) -> wasmtime::Result<Functions> {
        Functions::find(&self.slots, store, instance)
    }
}

/// The functions of an instance, one a slot; each asks by the contract's own records.
macro_rules! functions {
    ($({ $(#[$doc:meta])* $slot:ident $module:ident $name:literal: $function:ident($question:ident) -> $answer:ident, $($rest:tt)* })+) => {
        /// The functions of one instance.
        #[derive(Default)]
        pub struct Functions {
            $($module: Option<TypedFunc<(&'static contract::$module::$question,), (contract::$module::$answer,)>>,)+
        }

        impl Functions {
            fn find(
                slots: &[(Slot, ComponentExportIndex)],
                store: &mut Store<CallState>,
                instance: &Instance,
            ) -> wasmtime::Result<Self> {
                let mut functions = Functions::default();
                for (slot, index) in slots {
                    match slot {
                        $(Slot::$slot => functions.$module = Some(instance.get_typed_func(&mut *store, index)?),)+
                    }
                }
                Ok(functions)
            }

            /// Calls the function of a question; none when the policy does not serve its slot.
            pub fn call(&self, store: &mut Store<CallState>, question: &Question) -> Option<wasmtime::Result<Answered>> {
                Some(match question {
                    $(Question::$slot(asked) => {
                        let answer = self.$module.as_ref()?.call(store, (asked,));
                        answer.map(|(answer,)| Answered::$slot(answer))
                    })+
                })
            }
        }
    };
}

contract::slots!(functions);
