//! Slot `dispatch`.

use std::sync::Arc;

use countersign_kernel::contract::dispatch;
use wasmtime::component::{ComponentType, Lift, Lower};

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Specialist {
    name: Arc<str>,
    description: Arc<str>,
    reliability: f64,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct SubTask {
    does: Arc<str>,
    independent: bool,
    parallel: u32,
    #[component(name = "chain-length")]
    chain_length: u32,
    #[component(name = "chain-reliability")]
    chain_reliability: f64,
    #[component(name = "own-reliability")]
    own_reliability: f64,
    specialists: Vec<Specialist>,
}

impl From<&dispatch::SubTask> for SubTask {
    fn from(task: &dispatch::SubTask) -> Self {
        let specialist = |specialist: &dispatch::Specialist| Specialist {
            name: Arc::clone(&specialist.name),
            description: Arc::clone(&specialist.description),
            reliability: specialist.reliability,
        };
        SubTask {
            does: Arc::clone(&task.does),
            independent: task.independent,
            parallel: task.parallel,
            chain_length: task.chain_length,
            chain_reliability: task.chain_reliability,
            own_reliability: task.own_reliability,
            specialists: task.specialists.iter().map(specialist).collect(),
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum Assignment {
    #[component(name = "inline")]
    Inline,
    #[component(name = "specialist")]
    Specialist(String),
    #[component(name = "fan-out")]
    FanOut(String),
    #[component(name = "hand-over")]
    HandOver,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Assigned {
    assignment: Assignment,
    reason: String,
}

impl From<Assigned> for dispatch::Assigned {
    fn from(answer: Assigned) -> Self {
        dispatch::Assigned {
            assignment: match answer.assignment {
                Assignment::Inline => dispatch::Assignment::Inline,
                Assignment::Specialist(name) => dispatch::Assignment::Specialist(name),
                Assignment::FanOut(name) => dispatch::Assignment::FanOut(name),
                Assignment::HandOver => dispatch::Assignment::HandOver,
            },
            reason: answer.reason,
        }
    }
}
