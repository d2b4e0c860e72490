//! Slot `risk`.

use std::sync::Arc;

use countersign_kernel::contract::risk;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Compliance, Reversibility, ToolCategory, Verdict};

twin!(Novelty, risk::Novelty {
    NewTool = "new-tool", NewArguments = "new-arguments", Repeated = "repeated",
});

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct ProposedAction {
    tool: Arc<str>,
    category: ToolCategory,
    arguments: Arc<str>,
    reversibility: Reversibility,
    #[component(name = "blast-radius")]
    blast_radius: Option<u64>,
    compliance: Compliance,
    novelty: Novelty,
    #[component(name = "working-context")]
    working_context: Arc<str>,
    confidence: Option<f64>,
}

impl From<&risk::ProposedAction> for ProposedAction {
    fn from(action: &risk::ProposedAction) -> Self {
        ProposedAction {
            tool: Arc::clone(&action.tool),
            category: action.category.into(),
            arguments: Arc::clone(&action.arguments),
            reversibility: action.reversibility.into(),
            blast_radius: action.blast_radius,
            compliance: action.compliance.into(),
            novelty: action.novelty.into(),
            working_context: Arc::clone(&action.working_context),
            confidence: action.confidence,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Assessment {
    verdict: Verdict,
    score: f64,
    reason: String,
}

impl From<Assessment> for risk::Assessment {
    fn from(answer: Assessment) -> Self {
        risk::Assessment { verdict: answer.verdict.into(), score: answer.score, reason: answer.reason }
    }
}
