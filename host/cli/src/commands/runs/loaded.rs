//! A stored run, read back from its trace.

use anyhow::ensure;
use countersign::kernel::{Approval, Event, Input, Report, Run, Status};
use countersign::session::Past;
use countersign::spec::Driver;
use countersign::store::{RunRow, SharedStore};
use countersign::utc_now;

use super::One;
use crate::exit::BadInput;

/// A run as its trace tells it.
pub(super) struct Loaded {
    pub(super) store: SharedStore,
    pub(super) row: RunRow,
    pub(super) run: Run,
    /// It can go on here: what its marks are salted with is in this store, and not only where it ran.
    pub(super) goes_on: bool,
    /// What it waits for.
    pub(super) report: Option<Report>,
    /// Who decided so far, and what.
    pub(super) decided: Vec<(String, String)>,
    /// Calls of an agent that owns its loop, each waiting by itself.
    pub(super) parked: Vec<Approval>,
    /// Tasks that the agent handed over, each with its reason: nobody has decided anything since.
    pub(super) handed_over: Vec<String>,
    /// What monitor mode would have stopped: in which frame, and what.
    pub(super) would_have: Vec<(u64, String)>,
}

impl Loaded {
    /// The approval that is meant: by its fingerprint, or the only one that waits.
    pub(super) fn approval(&self, fingerprint: Option<&str>) -> anyhow::Result<&Approval> {
        let id = &self.row.id;
        let own = self.report.as_ref().and_then(|report| report.approval.as_ref());
        let mut waiting = own.into_iter().chain(&self.parked).peekable();
        ensure!(waiting.peek().is_some(), BadInput(format!("run `{id}` waits for no approval")));
        let Some(fingerprint) = fingerprint else {
            let first = waiting.next();
            return match (first, waiting.next()) {
                (Some(only), None) => Ok(only),
                _ => {
                    Err(BadInput(format!("run `{id}` waits for several; `countersign runs show {id}` shows them"))
                        .into())
                }
            };
        };
        // Whoever decides has seen what: the fingerprint is of exactly this action. Its digits are the same in either case.
        let digits = fingerprint.to_ascii_lowercase();
        let found = waiting.find(|approval| digits.len() >= 8 && approval.fingerprint.starts_with(&digits));
        found.ok_or_else(|| {
            let text = format!(
                "`{fingerprint}` is not the fingerprint of what waits; `countersign runs show {id}` shows it (at least \
                 8 digits are needed)"
            );
            BadInput(text).into()
        })
    }

    /// What there is to do with a run that came from a file.
    pub(super) fn elsewhere(&self) -> String {
        format!(
            "run `{}` came from a file and does not go on in this store, since what its marks are salted with stayed in the \
             store it ran in; decide there. Here it can be shown, verified, replayed and exported",
            self.row.id
        )
    }

    /// Whoever drives the run takes what is decided with its next call.
    pub(super) fn agent_drives(&self) -> bool {
        self.run.manifest().driver == Driver::Agent
    }
}

pub(super) fn load(one: &One) -> anyhow::Result<Loaded> {
    let store = one.stored.open()?;
    match store.find(&one.run) {
        Ok(row) => read(&store, row),
        Err(error) => Err(BadInput(format!("`{}`: {error}", one.stored.store.display())).into()),
    }
}

pub(super) fn read(store: &SharedStore, row: RunRow) -> anyhow::Result<Loaded> {
    let goes_on = store.read(&row.id)?.salt()?.is_some();
    let past = Past::read(store, &row.id)?;
    let run = past.fold()?;
    let (mut report, mut decided, mut would_have, mut handed_over) = (None, Vec::new(), Vec::new(), Vec::new());
    for frame in past.frames {
        for event in frame.events {
            match event {
                Event::Suspended { report: told, .. } => report = Some(told),
                Event::Ended { .. } => report = None,
                Event::Deferred { reason } => handed_over.push(reason.to_string()),
                Event::WouldHave { verdict, by, reason } => {
                    would_have.push((frame.frame, format!("{verdict} by {by}: {reason}")));
                }
                _ => {}
            }
        }
        if let Input::Decided { by, decision, .. } = frame.input {
            // A name that nobody checked is said to be one.
            let checked = if decision.key().is_some() { "key checked" } else { "name not checked" };
            decided.push((by.to_string(), format!("{} ({checked})", crate::screen::decided(decision.plain()))));
            handed_over.clear();
        }
    }
    if !matches!(run.status(), Status::Suspended(_)) {
        report = None;
    }
    // Nothing waits in a run that is over, nor for an approval that has run out since its last frame.
    let now = utc_now().saturating_sub(run.manifest().started);
    let over = matches!(run.status(), Status::Ended(_));
    let parked = run.parked().filter(|approval| !over && now <= approval.expires).cloned().collect();
    Ok(Loaded { store: SharedStore::clone(store), row, run, goes_on, report, decided, parked, handed_over, would_have })
}
