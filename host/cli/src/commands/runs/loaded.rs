//! A stored run, read back from its trace.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::ensure;
use countersign::kernel::{Approval, Decision, Event, Frame, Input, Report, Run, Status};
use countersign::session::Past;
use countersign::spec::Driver;
use countersign::store::{RunRow, SharedStore};
use countersign::{utc_now, utc_text};

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
    /// What became of approvals that people were asked for, by fingerprint.
    asked: BTreeMap<Arc<str>, Became>,
}

/// What became of an approval.
#[derive(Debug)]
enum Became {
    /// It is asked for until then, by the run's own time.
    Asked {
        expires: u64,
    },
    Approved {
        by: Arc<str>,
    },
    Ruled {
        by: Arc<str>,
        rule: Arc<str>,
    },
    Rejected {
        by: Arc<str>,
        at: u64,
    },
    Spent {
        by: Arc<str>,
        call: Option<u64>,
        frame: u64,
    },
    Expired {
        at: u64,
        again: bool,
    },
}

impl Loaded {
    /// The approval that is meant: by its fingerprint, or the only one that waits.
    pub(super) fn approval(&self, fingerprint: Option<&str>) -> anyhow::Result<&Approval> {
        let id = &self.row.id;
        let own = self.report.as_ref().and_then(|report| report.approval.as_ref());
        let mut waiting = own.into_iter().chain(&self.parked).peekable();
        if let Some(over) = fingerprint.and_then(|fingerprint| self.over(fingerprint)) {
            return Err(BadInput(format!("run `{id}`: {over}")).into());
        }
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

    /// What became of an approval that waits no more; none for one that does, or that nobody was asked for.
    fn over(&self, fingerprint: &str) -> Option<String> {
        let digits = fingerprint.to_ascii_lowercase();
        let own = self.report.as_ref().and_then(|report| report.approval.as_ref());
        if digits.len() < 8 || own.into_iter().chain(&self.parked).any(|one| one.fingerprint.starts_with(&digits)) {
            return None;
        }
        let (token, became) = self.asked.iter().find(|(token, _)| token.starts_with(&digits))?;
        let time = |at: &u64| utc_text(self.run.manifest().started.saturating_add(*at));
        let again = "a repeat of that call asks anew";
        let what = match became {
            Became::Asked { .. } if matches!(self.run.status(), Status::Ended(_)) => {
                "waited when the run ended; nobody had decided".to_owned()
            }
            Became::Asked { expires } => format!("expired at {}: nobody had decided by then; {again}", time(expires)),
            Became::Approved { by } => format!("is approved by {by} already, and not used yet"),
            Became::Ruled { by, rule } => format!("is approved by {by} already, with the rule {rule}"),
            Became::Rejected { by, at } => {
                format!("was rejected by {by} at {}, and stays so in this run", time(at))
            }
            Became::Spent { by, call, frame } => {
                let call = call.map_or_else(String::new, |call| format!(" by call {call}"));
                format!("was approved by {by} and spent{call} in frame {frame}; {again}")
            }
            Became::Expired { at, again: true } => {
                format!("expired at {}, and is asked for again under another fingerprint", time(at))
            }
            Became::Expired { at, again: false } => format!("expired at {}; {again}", time(at)),
        };
        Some(format!("`{token}` {what}"))
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
    let mut asked = BTreeMap::new();
    for frame in past.frames {
        follow(&mut asked, &frame);
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
    Ok(Loaded {
        store: SharedStore::clone(store),
        row,
        run,
        goes_on,
        report,
        decided,
        parked,
        handed_over,
        would_have,
        asked,
    })
}

/// Takes in what a frame says of approvals.
fn follow(asked: &mut BTreeMap<Arc<str>, Became>, frame: &Frame) {
    let mut last: Option<Arc<str>> = None;
    for event in &frame.events {
        match event {
            Event::ApprovalRequested { approval } => {
                asked.insert(Arc::clone(&approval.fingerprint), Became::Asked { expires: approval.expires });
            }
            Event::Suspended { report, .. } => {
                if let Some(approval) = &report.approval {
                    asked.insert(Arc::clone(&approval.fingerprint), Became::Asked { expires: approval.expires });
                }
            }
            Event::Approved { fingerprint, by } => {
                asked.insert(Arc::clone(fingerprint), Became::Approved { by: Arc::clone(by) });
            }
            Event::StandingGiven { standing, by } => {
                if let Some((_, became)) = asked.iter_mut().find(|(token, _)| token.starts_with(&*standing.id)) {
                    *became = Became::Ruled { by: Arc::clone(by), rule: Arc::clone(&standing.id) };
                }
            }
            Event::ApprovalSpent { fingerprint } => {
                let by = match asked.get(fingerprint) {
                    Some(Became::Approved { by } | Became::Ruled { by, .. }) => Arc::clone(by),
                    _ => "somebody".into(),
                };
                let spent = Became::Spent { by, call: None, frame: frame.frame };
                asked.insert(Arc::clone(fingerprint), spent);
                last = Some(Arc::clone(fingerprint));
            }
            Event::Dispatched { call: made, .. } => {
                if let Some(Became::Spent { call, .. }) = last.take().and_then(|token| asked.get_mut(&token)) {
                    *call = Some(*made);
                }
            }
            Event::ApprovalReturned { fingerprint } => {
                if let Some(Became::Spent { by, .. }) = asked.get(fingerprint) {
                    let by = Arc::clone(by);
                    asked.insert(Arc::clone(fingerprint), Became::Approved { by });
                }
            }
            Event::ApprovalExpired { fingerprint, asked_again } => {
                asked.insert(Arc::clone(fingerprint), Became::Expired { at: frame.at, again: *asked_again });
            }
            Event::Rejected { by } => {
                if let Input::Decided { decision, .. } = &frame.input
                    && let Decision::Rejected { fingerprint: Some(fingerprint), .. } = decision.plain()
                {
                    let rejected = Became::Rejected { by: Arc::clone(by), at: frame.at };
                    asked.insert(Arc::clone(fingerprint), rejected);
                }
            }
            _ => {}
        }
    }
}
