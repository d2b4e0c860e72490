//! Slot `risk`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::risk::{Novelty, ProposedAction};
use countersign::kernel::contract::{Compliance, Reversibility, ToolCategory, risk as contract};
use countersign_sdk::risk as sdk;

use crate::generate::{KIB, Random, name, text as some_text};
use crate::laws::{Law, Trial, answered, view};
use crate::native::shared::{to_category, to_compliance, to_reversibility, verdict};

native!(Risk, countersign_risk::RiskMatrix, sdk::Risk.judge);

/// A question's record as the SDK has it.
pub fn to_sdk(action: &contract::ProposedAction) -> sdk::ProposedAction {
    sdk::ProposedAction {
        tool: action.tool.to_string(),
        category: to_category(action.category),
        arguments: action.arguments.to_string(),
        reversibility: to_reversibility(action.reversibility),
        blast_radius: action.blast_radius,
        compliance: to_compliance(action.compliance),
        novelty: map_enum!(action.novelty, contract::Novelty => sdk::Novelty { NewTool, NewArguments, Repeated }),
        working_context: action.working_context.to_string(),
        confidence: action.confidence,
    }
}

fn from_sdk(answer: sdk::Assessment) -> contract::Assessment {
    contract::Assessment { verdict: verdict(answer.verdict), score: answer.score, reason: answer.reason }
}

/// As document 001 orders them: what nobody declared is not taken for reversible.
const DECLARED: [Reversibility; 3] = [Reversibility::Reversible, Reversibility::Unknown, Reversibility::Irreversible];

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> ProposedAction {
    ProposedAction {
        tool: name(random).into(),
        category: random.pick(&ToolCategory::ALL),
        arguments: some_text(random, 64 * KIB),
        reversibility: random.pick(&DECLARED),
        blast_radius: random.maybe(Random::amount),
        compliance: random.pick(&Compliance::ALL),
        novelty: random.pick(&[Novelty::NewTool, Novelty::NewArguments, Novelty::Repeated]),
        working_context: some_text(random, KIB),
        confidence: if random.once_in(6) { None } else { Some(random.share()) },
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 5] = [
    Law { name: "risk never falls when irreversibility rises", check: irreversibility },
    Law { name: "risk never falls when the blast radius rises, unknown being the highest", check: blast_radius },
    Law { name: "risk never falls when compliance rises", check: compliance },
    Law { name: "risk never falls when confidence falls, unknown being the lowest", check: confidence },
    Law { name: "risk never falls when everything rises", check: everything },
];

fn irreversibility(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, less_reversible)
}

fn blast_radius(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, wider)
}

fn compliance(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, |action, _| action.compliance = stricter(action.compliance))
}

fn confidence(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, less_sure)
}

fn everything(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, |action, random| {
        less_reversible(action, random);
        wider(action, random);
        action.compliance = stricter(action.compliance);
        less_sure(action, random);
    })
}

fn less_reversible(action: &mut ProposedAction, random: &mut Random) {
    let at = DECLARED.iter().position(|known| *known == action.reversibility).unwrap_or(0);
    action.reversibility = random.pick(&DECLARED[at..]);
}

fn wider(action: &mut ProposedAction, random: &mut Random) {
    action.blast_radius = match action.blast_radius {
        Some(records) if !random.once_in(4) => Some(records.saturating_add(random.amount())),
        _ => None,
    };
}

fn less_sure(action: &mut ProposedAction, random: &mut Random) {
    action.confidence = match action.confidence {
        Some(confidence) if !random.once_in(4) => Some(confidence * random.share()),
        _ => None,
    };
}

fn never_falls(
    trial: &mut Trial<'_>,
    random: &mut Random,
    rises: impl Fn(&mut ProposedAction, &mut Random),
) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    rises(&mut after, random);
    let least = answered!(trial, Risk, before.clone(), &view);
    let most = answered!(trial, Risk, after.clone(), &view);
    ensure!(
        most.verdict >= least.verdict && most.score >= least.score,
        "{least:?} for {before:?}, but {most:?} for {after:?}"
    );
    Ok(())
}

/// The next stricter tag; the strictest stays.
fn stricter(tag: Compliance) -> Compliance {
    Compliance::ALL.into_iter().find(|other| *other > tag).unwrap_or(tag)
}
