//! Contract `countersign:policy@0.1.0`: its imports, its exports, its types in the host.

mod types;

use std::sync::Arc;

use countersign_kernel::contract::view::{Answer, Query};
use countersign_kernel::{Answered, Question, Slot, contract};
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre, Linker, TypedFunc};
use wasmtime::{Store, StoreContextMut};

use crate::call::{CallState, Level};

pub use types::{ConfigError, Descriptor};

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
        Answer::Phase(phase) => Ok((phase.map(types::Phase::from),)),
        other => Err(mismatch(other)),
    })?;
    run.func_wrap("budget", |mut cx: Cx<'_>, (of,): (types::Dimension,)| {
        match read(&mut cx, Query::Budget(of.into()))? {
            Answer::Budget(line) => Ok((line.map(types::BudgetLine::from),)),
            other => Err(mismatch(other)),
        }
    })?;
    run.func_wrap("recent-steps", |mut cx: Cx<'_>, (count,): (u32,)| {
        match read(&mut cx, Query::RecentSteps(count.min(32)))? {
            Answer::RecentSteps(steps) => {
                let steps = steps.as_ref();
                Ok((steps.map(|steps| steps.iter().map(types::StepSummary::from).collect::<Vec<_>>()),))
            }
            other => Err(mismatch(other)),
        }
    })?;
    run.func_wrap("boundary", |mut cx: Cx<'_>, (): ()| match read(&mut cx, Query::Boundary)? {
        Answer::Boundary(boundary) => Ok((boundary.map(types::BoundaryLimits::from),)),
        other => Err(mismatch(other)),
    })?;
    let mut log = linker.instance(&name("log"))?;
    log.func_wrap("write", |mut cx: Cx<'_>, (level, message): (types::LogLevel, String)| {
        cx.data_mut().log(Level::from(level), &message);
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
        let mut functions = Functions::default();
        for (slot, index) in &self.slots {
            match slot {
                Slot::Classifier => functions.classifier = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Confidence => functions.confidence = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Risk => functions.risk = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::DoomLoop => functions.doom_loop = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Estimator => functions.estimator = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Sensitivity => functions.sensitivity = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Guard => functions.guard = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Dispatch => functions.dispatch = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Context => functions.context = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Remediation => functions.remediation = Some(instance.get_typed_func(&mut *store, index)?),
                Slot::Threshold => functions.threshold = Some(instance.get_typed_func(&mut *store, index)?),
            }
        }
        Ok(functions)
    }
}

/// The functions of one instance.
#[derive(Default)]
pub struct Functions {
    classifier: Option<TypedFunc<(types::Task,), (types::Classification,)>>,
    confidence: Option<TypedFunc<(types::Answer,), (types::Trust,)>>,
    risk: Option<TypedFunc<(types::ProposedAction,), (types::Assessment,)>>,
    doom_loop: Option<TypedFunc<(types::ObservedStep,), (types::DoomLoopSignal,)>>,
    estimator: Option<TypedFunc<(types::Progress,), (types::Forecast,)>>,
    sensitivity: Option<TypedFunc<(types::Text,), (types::Rating,)>>,
    guard: Option<TypedFunc<(types::Passing,), (types::Inspection,)>>,
    dispatch: Option<TypedFunc<(types::SubTask,), (types::Assigned,)>>,
    context: Option<TypedFunc<(types::Pressure,), (types::Relief,)>>,
    remediation: Option<TypedFunc<(types::FailedCall,), (types::Remedy,)>>,
    threshold: Option<TypedFunc<(types::Ledger,), (types::Weighing,)>>,
}

impl Functions {
    /// Calls the function of a question; none when the policy does not serve its slot.
    pub fn call(&self, store: &mut Store<CallState>, question: &Question) -> Option<wasmtime::Result<Answered>> {
        Some(match question {
            Question::Classifier(task) => {
                let answer = self.classifier.as_ref()?.call(store, (task.into(),));
                answer.map(|(answer,)| Answered::Classifier(answer.into()))
            }
            Question::Confidence(asked) => {
                let answer = self.confidence.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Confidence(answer.into()))
            }
            Question::Risk(action) => {
                let answer = self.risk.as_ref()?.call(store, (action.into(),));
                answer.map(|(answer,)| Answered::Risk(answer.into()))
            }
            Question::DoomLoop(step) => {
                let answer = self.doom_loop.as_ref()?.call(store, (step.into(),));
                answer.map(|(answer,)| Answered::DoomLoop(answer.into()))
            }
            Question::Estimator(progress) => {
                let answer = self.estimator.as_ref()?.call(store, (progress.into(),));
                answer.map(|(answer,)| Answered::Estimator(answer.into()))
            }
            Question::Sensitivity(asked) => {
                let answer = self.sensitivity.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Sensitivity(answer.into()))
            }
            Question::Guard(asked) => {
                let answer = self.guard.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Guard(answer.into()))
            }
            Question::Dispatch(asked) => {
                let answer = self.dispatch.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Dispatch(answer.into()))
            }
            Question::Context(asked) => {
                let answer = self.context.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Context(answer.into()))
            }
            Question::Remediation(asked) => {
                let answer = self.remediation.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Remediation(answer.into()))
            }
            Question::Threshold(asked) => {
                let answer = self.threshold.as_ref()?.call(store, (asked.into(),));
                answer.map(|(answer,)| Answered::Threshold(answer.into()))
            }
        })
    }
}
