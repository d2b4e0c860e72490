//! Questions that differ in what thresholds lie between: every combination of the values at which the source
//! documents, and so most configurations, change their minds. A policy may look at more.

use std::sync::Arc;

use countersign_contract::confidence::{ModelKind, Orientation, Signal, Stakes, Statement};
use countersign_contract::risk::{Novelty, ProposedAction, Reversibility};
use countersign_contract::{Compliance, Question, Slot, ToolCategory};

const CATEGORIES: [ToolCategory; 10] = [
    ToolCategory::ReadOnlyLookup,
    ToolCategory::Retrieval,
    ToolCategory::LiveApi,
    ToolCategory::Sandbox,
    ToolCategory::FileSystem,
    ToolCategory::Database,
    ToolCategory::Communication,
    ToolCategory::Payment,
    ToolCategory::Infrastructure,
    ToolCategory::ReviewQueue,
];
const REVERSIBILITIES: [Reversibility; 3] =
    [Reversibility::Reversible, Reversibility::Irreversible, Reversibility::Unknown];
const COMPLIANCE: [Compliance; 4] = [Compliance::None, Compliance::Pii, Compliance::Financial, Compliance::Regulated];
const NOVELTIES: [Novelty; 3] = [Novelty::NewTool, Novelty::NewArguments, Novelty::Repeated];
const STAKES: [Stakes; 4] = [Stakes::Low, Stakes::Medium, Stakes::High, Stakes::Critical];
const MODELS: [ModelKind; 2] = [ModelKind::General, ModelKind::Reasoning];

/// On both sides of 10 and 100 records, where low and medium end.
const BLAST_RADII: [Option<u64>; 7] = [None, Some(0), Some(9), Some(10), Some(99), Some(100), Some(1_000_000)];
/// On both sides of 0.70 and 0.85, where the columns of the matrix begin.
const CONFIDENCES: [Option<f64>; 7] = [None, Some(0.0), Some(0.69), Some(0.70), Some(0.84), Some(0.85), Some(1.0)];
/// On both sides of 0.30, 0.50, 0.65, 0.80 and 0.85.
const SCORES: [f64; 12] = [0.0, 0.29, 0.30, 0.49, 0.50, 0.64, 0.65, 0.79, 0.80, 0.84, 0.85, 1.0];
/// The same as nats: a little more than -ln of each edge, and a little less.
const NATS: [f64; 12] = [100.0, 1.21, 1.20, 0.70, 0.69, 0.44, 0.43, 0.23, 0.22, 0.17, 0.16, 0.0];
/// Signals that the contract names, and how they are read.
const SIGNALS: [(&str, Orientation); 6] = [
    ("logprob_entropy", Orientation::Entropy),
    ("sep_estimate", Orientation::Entropy),
    ("self_consistency", Orientation::Confidence),
    ("verbalised", Orientation::Confidence),
    ("verifier", Orientation::Confidence),
    ("schema", Orientation::Confidence),
];

/// Every question of a slot's grid; none where questions are texts, or depend on the ones before.
pub(super) fn questions(slot: Slot) -> Option<Vec<Question>> {
    match slot {
        Slot::Risk => Some(actions().map(Question::Risk).collect()),
        Slot::Confidence => Some(given().map(Question::Confidence).collect()),
        _ => None,
    }
}

/// What the questions of a slot have in common, so that nothing is known of what differs there.
pub(super) fn untried(slot: Slot) -> &'static str {
    match slot {
        Slot::Risk => {
            "all are of one tool without arguments: what it says of names, arguments or contexts is not known"
        }
        Slot::Confidence => "all have one signal or none: what it says of several is not known",
        _ => "no other question was tried",
    }
}

fn actions() -> impl Iterator<Item = ProposedAction> {
    let (tool, arguments, context): (Arc<str>, Arc<str>, Arc<str>) = ("tool".into(), "{}".into(), "".into());
    let nature = CATEGORIES.into_iter().flat_map(|category| REVERSIBILITIES.map(|kind| (category, kind)));
    let extent = nature.flat_map(|(category, kind)| BLAST_RADII.map(|blast| (category, kind, blast)));
    let tagged = extent.flat_map(|(category, kind, blast)| COMPLIANCE.map(|tag| (category, kind, blast, tag)));
    let known = NOVELTIES.map(|novelty| CONFIDENCES.map(|confidence| (novelty, confidence))).concat();
    tagged.flat_map(move |(category, reversibility, blast_radius, compliance)| {
        let (tool, arguments, working_context) = (Arc::clone(&tool), Arc::clone(&arguments), Arc::clone(&context));
        known.clone().into_iter().map(move |(novelty, confidence)| ProposedAction {
            tool: Arc::clone(&tool),
            category,
            arguments: Arc::clone(&arguments),
            reversibility,
            blast_radius,
            compliance,
            novelty,
            working_context: Arc::clone(&working_context),
            confidence,
        })
    })
}

/// Answers with one signal, or with none.
fn given() -> impl Iterator<Item = Statement> {
    let one = |(name, orientation): (&str, Orientation)| {
        let values = if orientation == Orientation::Entropy { NATS } else { SCORES };
        let name: Arc<str> = name.into();
        values.map(|value| Some(Signal { name: Arc::clone(&name), value, orientation }))
    };
    let signals = std::iter::once(None).chain(SIGNALS.into_iter().flat_map(one));
    let weighed = signals.flat_map(|signal| STAKES.map(|stakes| (signal.clone(), stakes)));
    let tagged = weighed.flat_map(|(signal, stakes)| COMPLIANCE.map(|tag| (signal.clone(), stakes, tag)));
    let models = tagged.flat_map(|(signal, stakes, tag)| MODELS.map(|model| (signal.clone(), stakes, tag, model)));
    models.flat_map(|(signal, stakes, compliance, model)| {
        [(0, true), (0, false), (1, true), (1, false)].map(|(evidence, may_investigate)| Statement {
            signals: signal.clone().into_iter().collect(),
            stakes,
            compliance,
            model,
            evidence,
            may_investigate,
        })
    })
}

/// A question for people.
pub(super) fn in_words(question: &Question) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
    match question {
        Question::Risk(action) => format!(
            "a {} of {} nature, blast radius {}, compliance {}, {}, confidence {}",
            word(&action.category),
            word(&action.reversibility),
            action.blast_radius.map_or_else(|| "unknown".to_owned(), |blast| blast.to_string()),
            word(&action.compliance),
            word(&action.novelty),
            number(action.confidence)
        ),
        Question::Confidence(answer) => format!(
            "{}, stakes {}, compliance {}, a {} model, evidence {}, investigation {}",
            answer
                .signals
                .first()
                .map_or_else(|| "no signal".to_owned(), |signal| format!("{} {}", signal.name, signal.value)),
            word(&answer.stakes),
            word(&answer.compliance),
            word(&answer.model),
            answer.evidence,
            if answer.may_investigate { "allowed" } else { "switched off" }
        ),
        _ => String::new(),
    }
}

/// A case of the contract by its name.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_one_that_the_contract_allows_and_stands_once() {
        let actions = questions(Slot::Risk).unwrap_or_default();
        assert_eq!(actions.len(), 10 * 3 * 7 * 4 * 3 * 7);
        let answers = questions(Slot::Confidence).unwrap_or_default();
        assert_eq!(answers.len(), (1 + 6 * 12) * 4 * 4 * 2 * 4);
        for questions in [&actions, &answers] {
            let words: std::collections::BTreeSet<String> = questions.iter().map(in_words).collect();
            assert_eq!(words.len(), questions.len());
        }
        for question in &answers {
            let Question::Confidence(answer) = question else { continue };
            assert!(answer.signals.iter().all(|signal| signal.check().is_ok()), "{question:?}");
        }
        // What is trusted this much as a score is trusted as much as an entropy.
        for (score, nats) in SCORES.iter().zip(NATS) {
            assert!(((-nats).exp() - score).abs() < 0.011, "{score} {nats}");
        }
    }
}
