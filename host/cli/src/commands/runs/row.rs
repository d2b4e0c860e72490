//! What is told of a run: one row of the list, and all that `show --json` prints.

use countersign::kernel::contract::Dimension;
use countersign::kernel::{Approval, Report, Status};
use countersign::store::{Entry, Offer};

use super::loaded::Loaded;

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Row<'a> {
    pub(super) run: &'a str,
    pub(super) status: Status,
    pub(super) being_written: bool,
    pub(super) goal: String,
    pub(super) class: Option<&'a str>,
    pub(super) agent: String,
    pub(super) tenant: Option<String>,
    pub(super) autonomy: u8,
    pub(super) steps: u64,
    pub(super) cost: u64,
    pub(super) waiting: Vec<Entry>,
    /// Came when the run was over, or was not taken before it was.
    pub(super) too_late: Vec<Entry>,
    pub(super) report: &'a Option<Report>,
    pub(super) decided: &'a [(String, String)],
    pub(super) parked: &'a [Approval],
    pub(super) held: Option<&'a str>,
    /// Tasks that the agent handed to people, with its reasons.
    pub(super) handed_over: &'a [String],
    pub(super) would_have: &'a [(u64, String)],
    /// UTC milliseconds.
    pub(super) started: u64,
    /// Criteria of the goal that are verified, and those that are not.
    pub(super) verified: Vec<&'a str>,
    pub(super) open: Vec<&'a str>,
}

impl<'a> Row<'a> {
    pub(super) fn of(loaded: &'a Loaded) -> anyhow::Result<Self> {
        let manifest = loaded.run.manifest();
        let entries = loaded.store.waiting(&loaded.row.id)?;
        let over = matches!(loaded.run.status(), Status::Ended(_));
        let (waiting, too_late) = if over { (Vec::new(), entries) } else { (entries, Vec::new()) };
        Ok(Row {
            run: &loaded.row.id,
            status: loaded.run.status(),
            being_written: loaded.row.held.is_some(),
            goal: manifest.goal.text.to_string(),
            class: loaded.run.class(),
            agent: manifest.agent.to_string(),
            tenant: manifest.tenant.as_deref().map(str::to_owned),
            autonomy: manifest.boundary.autonomy,
            steps: loaded.run.view().budget(Dimension::Steps).used,
            cost: loaded.run.view().budget(Dimension::Cost).used,
            waiting,
            too_late,
            report: &loaded.report,
            decided: &loaded.decided,
            parked: &loaded.parked,
            held: loaded.run.held().filter(|_| !over).map(|hold| hold.reason.as_str()),
            handed_over: &loaded.handed_over,
            would_have: &loaded.would_have,
            started: manifest.started,
            verified: loaded.run.criteria(true).map(|id| &**id).collect(),
            open: loaded.run.criteria(false).map(|id| &**id).collect(),
        })
    }
}

/// Where a run stands, for people. One that nobody drives is not told of as one that runs.
pub(super) fn standing(row: &Row<'_>) -> String {
    match row.status {
        Status::Running if !row.being_written => "open, held by nobody".to_owned(),
        status => status.to_string(),
    }
}

/// What an entry of the inbox wants, in a word or two.
pub(super) fn offered(offer: &Offer) -> String {
    match offer {
        Offer::Cancel => "cancel".to_owned(),
        Offer::Decide(decision) | Offer::Signed { decision, .. } => crate::screen::decided(decision),
    }
}
