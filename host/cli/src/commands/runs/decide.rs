//! What somebody decides goes into the inbox of a run: approve, reject, answer, accept, release, go-on, cancel.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::ensure;
use countersign::kernel::{Code, Decision, Event, Input, Outcome, StandingApproval, Status};
use countersign::operate::{Signer, heard};
use countersign::session::Past;
use countersign::spec::Tool;
use countersign::store::{Entry, Offer};

use super::loaded::{Loaded, load};
use super::row::offered;
use countersign::{utc_now, utc_text};

use super::{Answer, Approve, Deciding, Reject, Release};
use crate::commands::print_json;
use crate::exit::{self, BadInput};
use crate::style::{GOOD, MIND, QUIET, styled, told};

pub(super) fn approve(arguments: &Approve) -> anyhow::Result<u8> {
    let loaded = load(&arguments.deciding.one)?;
    let approval = loaded.approval(arguments.fingerprint.as_deref().or(arguments.named.as_deref()))?;
    let fingerprint = Arc::clone(&approval.fingerprint);
    let until = arguments.lasts.map(|lasts| utc_now().saturating_add(lasts));
    let standing = match &arguments.below {
        Some(folder) => Some(StandingApproval::below(approval, folder, until)),
        None if arguments.same || until.is_some() => Some(StandingApproval::same(approval, until)),
        None => None,
    };
    let decision = match standing.transpose().map_err(|error| BadInput(error.to_string()))? {
        None => Decision::Approved { fingerprint },
        Some(standing) => {
            if !arguments.deciding.one.stored.json {
                // Whoever gives it sees what it covers, before it is given.
                let where_ = match standing.until {
                    None => "in this run".to_owned(),
                    Some(until) => format!("in runs of `{}` until {}", loaded.run.manifest().agent, utc_text(until)),
                };
                told("rule", 5, &format!("{}: {}, {where_}", standing.id, standing.in_words()));
            }
            Decision::ApprovedFor { fingerprint, standing: Box::new(standing) }
        }
    };
    decide(&loaded, "approve", &arguments.deciding, decision)
}

pub(super) fn reject(arguments: &Reject) -> anyhow::Result<u8> {
    let loaded = load(&arguments.deciding.one)?;
    let suspended = matches!(loaded.run.status(), Status::Suspended(_));
    let approval = match arguments.fingerprint.as_ref().or(arguments.named.as_ref()) {
        None if suspended => loaded.report.as_ref().and_then(|report| report.approval.as_ref()),
        fingerprint => Some(loaded.approval(fingerprint.map(String::as_str))?),
    };
    let decision = Decision::Rejected {
        fingerprint: approval.map(|approval| Arc::clone(&approval.fingerprint)),
        instead: arguments.instead.as_deref().map(Arc::from),
    };
    decide(&loaded, "reject", &arguments.deciding, decision)
}

pub(super) fn answer(arguments: &Answer) -> anyhow::Result<u8> {
    let decision = Decision::Answered { text: arguments.text.as_str().into() };
    decide(&load(&arguments.deciding.one)?, "answer", &arguments.deciding, decision)
}

pub(super) fn accept(deciding: &Deciding) -> anyhow::Result<u8> {
    decide(&load(&deciding.one)?, "accept", deciding, Decision::Accepted)
}

pub(super) fn release(arguments: &Release) -> anyhow::Result<u8> {
    let decision = Decision::Released { extra: arguments.extra.iter().copied().collect() };
    decide(&load(&arguments.deciding.one)?, "release", &arguments.deciding, decision)
}

pub(super) fn go_on(deciding: &Deciding) -> anyhow::Result<u8> {
    let loaded = load(&deciding.one)?;
    if let Status::Ended(code) = loaded.run.status() {
        lifts(&loaded, code)?;
        return offer(&loaded, "go-on", deciding, Offer::Decide(Decision::Resumed));
    }
    decide(&loaded, "go-on", deciding, Decision::Resumed)
}

/// Whether the end of a run can be lifted: an agent's, which a policy or a rule has ended and nobody else, and after which
/// nothing is left of which nobody knows whether it was done. What ended stays ended; the agent's next call begins anew.
fn lifts(loaded: &Loaded, code: Code) -> anyhow::Result<()> {
    let id = &loaded.row.id;
    let by_rule = !matches!(code, Code::Success | Code::PartialSuccess | Code::UserCancel);
    ensure!(
        loaded.agent_drives() && by_rule,
        BadInput(format!("run `{id}` is over: it {}, which nobody lifts; begin another one", loaded.run.status()))
    );
    if let Some(tool) = unknown_outcome(loaded)? {
        let text = format!(
            "run `{id}` may have done a call of `{tool}` that never returned: look at what it did, then begin another one"
        );
        return Err(BadInput(text).into());
    }
    Ok(())
}

/// The tool of a changing call of which nobody knows what became.
fn unknown_outcome(loaded: &Loaded) -> anyhow::Result<Option<Arc<str>>> {
    let (manifest, mut open) = (loaded.run.manifest(), BTreeMap::new());
    for frame in Past::read(&loaded.store, &loaded.row.id)?.frames {
        if let Input::Observed { call, observation } = &frame.input
            && observation.outcome != Outcome::TimedOut
        {
            open.remove(call);
        }
        for event in frame.events {
            if let Event::Dispatched { call, tool, .. } = event
                && manifest.tool(&tool).is_none_or(Tool::mutating)
            {
                open.insert(call, tool);
            }
        }
    }
    Ok(open.into_values().next())
}

fn decide(loaded: &Loaded, what: &str, deciding: &Deciding, decision: Decision) -> anyhow::Result<u8> {
    let waits =
        matches!(loaded.run.status(), Status::Suspended(_)) || !loaded.parked.is_empty() || loaded.run.held().is_some();
    ensure!(waits, BadInput(format!("run `{}` waits for nobody: it is {}", loaded.row.id, loaded.run.status())));
    ensure!(loaded.goes_on, BadInput(loaded.elsewhere()));
    // Said now, where somebody can mend it, and not when the run is taken up.
    let input = Input::Decided { id: "now".into(), by: "somebody".into(), decision: decision.clone(), given: None };
    if let Err(error) = loaded.run.expects(&input) {
        return Err(BadInput(format!("run `{}` cannot take that: {error}", loaded.row.id)).into());
    }
    offer(loaded, what, deciding, Offer::Decide(decision))
}

pub(super) fn cancel(deciding: &Deciding) -> anyhow::Result<u8> {
    let loaded = load(&deciding.one)?;
    let over = matches!(loaded.run.status(), Status::Ended(_));
    ensure!(!over, BadInput(format!("run `{}` is over: it {}", loaded.row.id, loaded.run.status())));
    ensure!(loaded.goes_on, BadInput(loaded.elsewhere()));
    offer(&loaded, "cancel", deciding, Offer::Cancel)
}

/// Who signs, where a key is given.
fn signer(deciding: &Deciding) -> anyhow::Result<Option<Signer>> {
    let Some(path) = &deciding.key else { return Ok(None) };
    let wrong = |problem: String| BadInput(format!("`{}`: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let signer = Signer::parse(&text).map_err(|error| wrong(error.to_string()))?;
    if let Some(by) = deciding.by.as_deref().filter(|by| *by != signer.name()) {
        return Err(wrong(format!("it is the key of `{}`, and not of `{by}`", signer.name())).into());
    }
    Ok(Some(signer))
}

fn offer(loaded: &Loaded, what: &str, deciding: &Deciding, wants: Offer) -> anyhow::Result<u8> {
    let signer = signer(deciding)?;
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
    let entry = Entry {
        version: 1,
        // One decision of a kind for each time that the run waits, or for each call that does.
        id: match &wants {
            Offer::Decide(
                Decision::Approved { fingerprint }
                | Decision::ApprovedFor { fingerprint, .. }
                | Decision::Rejected { fingerprint: Some(fingerprint), .. },
            ) if loaded.agent_drives() => format!("{what}-{fingerprint}"),
            _ => format!("{what}-{}", loaded.run.frames()),
        },
        by: match &signer {
            Some(signer) => signer.name().to_owned(),
            None => deciding.by.clone().or(user.ok()).unwrap_or_else(|| "operator".to_owned()),
        },
        at: utc_now(),
        wants,
    };
    let manifest = loaded.run.manifest();
    let entry = match &signer {
        Some(signer) => signer.sign(&manifest.run, entry),
        None => entry,
    };
    // Whoever owns the run looks at it again: this is for whoever can mend it now.
    let heard = heard(&manifest.run, &entry, &manifest.approvers);
    let heard = heard.map_err(|error| BadInput(format!("run `{}`: {error}", loaded.row.id)))?;
    let checked = heard.is_some_and(|decision| decision.key().is_some());
    let new = loaded.store.offer(&loaded.row.id, &entry)?;
    if deciding.one.stored.json {
        print_json(&entry)?;
        return Ok(exit::OK);
    }
    let id = &loaded.row.id;
    let held = loaded.store.waiting(&loaded.row.id)?;
    for other in held.iter().filter(|other| other.id != entry.id) {
        crate::say!("{} {} by {} waits there too", styled(MIND, "mind:"), offered(&other.wants), other.by);
    }
    if new {
        let how = if checked { "key checked" } else { "name not checked" };
        crate::say!("{} is in the inbox of run {id}, by {} ({how})", styled(GOOD, &entry.id), entry.by);
    } else {
        crate::say!("{} was in the inbox of run {id} before: it counts once", styled(MIND, &entry.id));
    }
    if loaded.agent_drives() {
        crate::say!("{} the agent's next call takes it along", styled(QUIET, "go on:"));
    } else {
        crate::say!(
            "{} countersign runs resume {id} --store {}",
            styled(QUIET, "go on:"),
            deciding.one.stored.store.display()
        );
    }
    Ok(exit::OK)
}
