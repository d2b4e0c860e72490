//! What would become of a call, and what changes that: the very pipeline of a run, with its policies, over a store in
//! memory that is thrown away. No server is called, nothing is recorded, no budget or bucket is used.
//!
//! Which key changes an answer is not written down anywhere: it is tried. Each value that the operator's file could state
//! is laid over what it says, and the pipeline is asked again; what no longer objects then is answered by that key. So
//! what is said holds for whichever policies are in the bundle.

mod changes;
mod dry;

use std::path::Path;

use countersign::kernel::contract::Verdict;
use countersign::mcp::{Accept, Known, Pins, pins_beside, settle};
use countersign::{Operations, utc_now};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::GatewayError;
use crate::serve::{Options, live};
use crate::served::Served;
use crate::tools::{offers, stated_as, values};

pub use changes::Change;
use changes::{candidates, last_resort};
use dry::Dry;
pub use dry::Outcome;

/// What would become of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explained {
    /// The tool, as clients know it.
    pub tool: String,
    /// The arguments that it was judged with.
    pub arguments: Value,
    /// Whether anybody gave them; else what depends on them was not looked at.
    pub arguments_given: bool,
    /// The agent on whose behalf it would be made.
    pub agent: String,
    /// What is known of the tool, and from where.
    pub values: Vec<Known>,
    /// Everybody who would ask a person, hold the call or deny it.
    pub objections: Vec<Objection>,
    /// What would become of the call, as the first of a run.
    pub outcome: Outcome,
    /// Changes that together let it run; empty where it runs, and where no keys of the tool and the boundary do.
    pub together: Vec<Change>,
}

/// Somebody who would not let a call pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Objection {
    /// The slot, or the host's own rule.
    pub stage: String,
    /// What it says.
    pub verdict: Verdict,
    /// What that leads to.
    pub leads_to: String,
    /// The policies, or the rule itself.
    pub by: Vec<String>,
    /// Why.
    pub reason: String,
    /// What changes it: each line by itself does.
    pub changes: Vec<Vec<Change>>,
}

/// Explains what would become of a call of a tool. Without arguments, what depends on them is left out.
///
/// # Errors
/// A file, a bundle or a server that cannot be used, and a tool that no server has.
pub async fn explain(options: &Options, tool: &str, arguments: Option<Value>) -> Result<Explained, GatewayError> {
    let served = Served::load(&options.file, options.agent.as_deref(), options.monitor)?;
    let deployment = &served.deployment;
    let host = live(options, deployment)?.host();
    let (offers, _) = offers(deployment).await?;
    // Judged as if it were accepted; whether it is is an objection of its own. Nothing is pinned by looking.
    let mut pins = Pins::load(&pins_beside(deployment.file()))?;
    let (now, _) = settle(deployment.servers(), &offers, deployment.tools(), &mut pins.clone(), &Accept::Nothing)?;
    let (joined, _) = settle(deployment.servers(), &offers, deployment.tools(), &mut pins, &Accept::All)?;
    let own_name = |(full, own): (&String, &String)| {
        let server = full.split_once("__").map_or("", |(server, _)| server);
        format!("{server}__{own}") == tool
    };
    let mapped = joined.own_names.iter().find(|pair| own_name(*pair)).map(|(full, _)| full.clone());
    let name = mapped.unwrap_or_else(|| tool.to_owned());
    let mut objections = Vec::new();
    if let Some(out) = now.left_out.iter().find(|out| out.tool == name) {
        let accept = Change::command(format!("mcp accept {name} --config {}", deployment.file().display()));
        objections.push(Objection {
            stage: "definition".to_owned(),
            verdict: Verdict::Deny,
            leads_to: "not forwarded".to_owned(),
            by: vec!["host".to_owned()],
            reason: format!("its definition {}", out.reason),
            changes: if out.acceptable { vec![vec![accept]] } else { Vec::new() },
        });
    }
    let given = arguments.is_some();
    let arguments = arguments.unwrap_or_else(|| json!({}));
    let values = values(deployment, &joined, &name);
    if !joined.tools.contains_key(&name) {
        if objections.is_empty() {
            return Err(GatewayError::NoTool { name, known: joined.tools.into_keys().collect() });
        }
        let outcome = Outcome::refused("its definition cannot be used");
        let (agent, arguments_given, together) = (served.name.clone(), given, Vec::new());
        return Ok(Explained { tool: name, arguments, arguments_given, agent, values, objections, outcome, together });
    }
    let stated = stated_as(deployment, &joined, &name).unwrap_or_else(|| name.clone());
    let dry = Dry::new(&host, &served, &joined, &name, &stated, &arguments, given);
    above(&served, &dry, &mut objections)?;
    let mut together = Vec::new();
    let all = candidates(&dry.manifest(&[])?, &name, &stated);
    for mut found in dry.objections(&[])? {
        let answers = |changes: &[&Change]| -> Result<bool, GatewayError> {
            let left = dry.objections(changes)?;
            Ok(!left.iter().any(|other| other.stage == found.stage))
        };
        let mut changes: Vec<Vec<Change>> = Vec::new();
        // That it changes nothing answers nearly everybody, and is seldom true: it is named last.
        let (telling, harmless): (Vec<&Change>, Vec<&Change>) = all.iter().partition(|change| !change.is_harmless());
        for change in &telling {
            if answers(&[change])? {
                changes.push(vec![Change::clone(change)]);
            }
        }
        if changes.is_empty() {
            changes.extend(first_pair(&telling, answers)?);
        }
        for change in harmless {
            if answers(&[change])? {
                changes.push(vec![change.clone()]);
            }
        }
        if let Some(first) = changes.first() {
            together.extend(first.iter().filter(|change| !together.contains(*change)).cloned().collect::<Vec<_>>());
        }
        changes.extend(last_resort(&found.stage, &stated, given));
        found.changes = changes;
        objections.push(found);
    }
    let outcome = dry.outcome(&[])?;
    let changed: Vec<&Change> = together.iter().collect();
    if !together.is_empty() && !dry.outcome(&changed)?.runs {
        together.clear();
    }
    let (agent, arguments_given) = (served.name.clone(), given);
    Ok(Explained { tool: name, arguments, arguments_given, agent, values, objections, outcome, together })
}

/// The first two changes that answer somebody whom none answers by itself.
fn first_pair(
    all: &[&Change],
    answers: impl Fn(&[&Change]) -> Result<bool, GatewayError>,
) -> Result<Option<Vec<Change>>, GatewayError> {
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if answers(&[one, other])? {
                return Ok(Some(vec![Change::clone(one), Change::clone(other)]));
            }
        }
    }
    Ok(None)
}

/// What stands above every run: pauses, switches, buckets. Read, and not changed.
fn above(served: &Served, dry: &Dry<'_>, objections: &mut Vec<Objection>) -> Result<(), GatewayError> {
    let deployment = &served.deployment;
    let file = &deployment.store().file;
    if !Path::new(file).exists() {
        return Ok(());
    }
    let store = countersign::open_store(file)?;
    let mut operations = Operations::watching(deployment.operator(), &store, deployment.store().folder());
    let manifest = dry.manifest(&[])?;
    for (what, reason, lifted) in operations.above(&manifest, dry.tool(), utc_now()) {
        let changes = lifted.map(|command| Change::command(format!("{command} --store {}", file.display())));
        objections.push(Objection {
            stage: what,
            verdict: Verdict::Deny,
            leads_to: "no call is made".to_owned(),
            by: vec!["operator".to_owned()],
            reason,
            changes: changes.into_iter().map(|change| vec![change]).collect(),
        });
    }
    Ok(())
}
