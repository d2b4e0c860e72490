//! What somebody decides goes into the inbox of a run: approve, reject, answer, accept, release, go-on, cancel.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::ensure;
use countersign::kernel::{Code, Decision, Event, Input, Outcome, StandingApproval, Status};
use countersign::operate::{Signer, heard};
use countersign::session::Past;
use countersign::spec::Tool;
use countersign::store::{Entry, Offer, by_caution};

use super::loaded::{Loaded, load};
use super::row::offered;
use countersign::{utc_now, utc_text};

use super::{Answer, Approve, Deciding, Reject, Release};
use crate::commands::print_json;
use crate::exit::{self, BadInput};
use crate::style::{GOOD, MIND, QUIET, styled, told};

/// How often a decision on one approval can be taken back and given anew.
const MOST_TAKEN_BACK: u32 = 64;

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
        Some(standing) => Decision::ApprovedFor { fingerprint, standing: Box::new(standing) },
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

/// The approval that a decision is on.
fn decides_on(decision: &Decision) -> Option<&Arc<str>> {
    match decision.plain() {
        Decision::Approved { fingerprint }
        | Decision::ApprovedFor { fingerprint, .. }
        | Decision::Rejected { fingerprint: Some(fingerprint), .. } => Some(fingerprint),
        _ => None,
    }
}

/// A decision on an approval counts once: what waits in the inbox already is said, and another one refused beside it. To
/// hold something back that somebody else has approved is always possible.
fn contradicts(loaded: &Loaded, wants: &Offer) -> anyhow::Result<()> {
    let Offer::Decide(decision) = wants else { return Ok(()) };
    let Some(fingerprint) = decides_on(decision) else { return Ok(()) };
    let mut waiting = loaded.store.waiting(&loaded.row.id)?;
    by_caution(&mut waiting);
    for held in waiting {
        let (Offer::Decide(other) | Offer::Signed { decision: other, .. }) = &held.wants else { continue };
        if decides_on(other) != Some(fingerprint) || other.plain() == decision.plain() {
            continue;
        }
        let (rejects, rejected) = (!decision.loosens(), !other.loosens());
        if rejects && !rejected {
            continue;
        }
        let (what, undo) = match other.plain() {
            Decision::ApprovedFor { standing, .. } => (
                format!("approved by {} with the rule {}: {}", held.by, standing.id, standing.in_words()),
                format!("; `countersign approvals withdraw {}` takes that back", standing.id),
            ),
            Decision::Rejected { .. } => (format!("rejected by {}", held.by), String::new()),
            _ => (
                format!("approved by {}", held.by),
                format!("; `countersign runs reject {} {fingerprint}` holds it back", loaded.row.id),
            ),
        };
        let text = format!(
            "run `{}`: `{fingerprint}` is {what}; that waits for the next call, and what you say now would not count{undo}",
            loaded.row.id
        );
        return Err(BadInput(text).into());
    }
    Ok(())
}

/// Puts an entry into the inbox; whether it is new there. One that was taken back before leaves its name behind.
fn put(loaded: &Loaded, signer: Option<&Signer>, entry: Entry) -> anyhow::Result<(Entry, bool)> {
    let (run, name) = (&loaded.run.manifest().run, entry.id.clone());
    let mut number = 1;
    loop {
        let id = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        let one = Entry { id, ..entry.clone() };
        let one = match signer {
            Some(signer) => signer.sign(run, one),
            None => one,
        };
        if loaded.store.offer(&loaded.row.id, &one)? {
            return Ok((one, true));
        }
        let waits = loaded.store.waiting(&loaded.row.id)?.iter().any(|held| held.id == one.id);
        if waits || number == MOST_TAKEN_BACK {
            return Ok((one, false));
        }
        number += 1;
    }
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
    contradicts(loaded, &wants)?;
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
    // Whoever owns the run looks at it again: this is for whoever can mend it now.
    let shown = signer.as_ref().map_or_else(|| entry.clone(), |signer| signer.sign(&manifest.run, entry.clone()));
    let heard = heard(&manifest.run, &shown, &manifest.approvers);
    let heard = heard.map_err(|error| BadInput(format!("run `{}`: {error}", loaded.row.id)))?;
    let checked = heard.is_some_and(|decision| decision.key().is_some());
    let (entry, new) = put(loaded, signer.as_ref(), entry)?;
    if deciding.one.stored.json {
        print_json(&entry)?;
        return Ok(exit::OK);
    }
    if let Offer::Decide(decision) | Offer::Signed { decision, .. } = &entry.wants
        && let Decision::ApprovedFor { standing, .. } = decision.plain()
    {
        let where_ = match standing.until {
            None => "in this run".to_owned(),
            Some(until) => format!("in runs of `{}` until {}", manifest.agent, utc_text(until)),
        };
        told("rule", 5, &format!("{}: {}, {where_}", standing.id, standing.in_words()));
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
