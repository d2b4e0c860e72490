//! What stands above a run while it is driven: kill switches, buckets, health, and the sinks by
//! which people hear of it. Whatever they refuse reaches the run as a recorded input.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_kernel::contract::Dimension;
use countersign_kernel::{
    Alarm, Code, Decision, Effect, Event, Frame, IncompleteKind, Input, Observation, Outcome, Reply, Report, Run,
    Unavailability, Usage, Wanted,
};
use countersign_operate::{
    self as operate, AgentHealth, BucketError, BucketReservation, Buckets, Counter, ErrorClass, Halt, HealthTracker,
    Item, ItemKind, Paused, Severity, SinkError, SinkQueue, StoredSwitches, Switches,
};
use countersign_spec::budget::Demand;
use countersign_spec::routing::{Authority, Severity as RouteSeverity, TriggerClass};
use countersign_spec::{Manifest, Verifier};
use countersign_store::SharedStore;
use countersign_tools::shown;
use serde_json::json;

use crate::reach;
use crate::settings::OperatorSpec;

/// The operator's side of a run. Cheap to make; buckets and health are shared between runs.
#[derive(Debug, Default)]
pub struct Operations {
    sinks: Option<Arc<SinkQueue>>,
    health: Option<HealthTracker>,
    buckets: Option<Buckets>,
    switches: Option<Switches>,
    stored_switches: Option<StoredSwitches>,
}

/// Why a run is not begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("agent `{agent}` is not dispatched{}: {reason}", until.map_or_else(String::new, |until| format!(" until {until} (UTC ms)")))]
pub struct NotDispatched {
    /// The agent that was to be given work.
    pub agent: String,
    /// Until when, UTC milliseconds; none until an administrator says so.
    pub until: Option<u64>,
    /// What paused it, or what is switched off.
    pub reason: String,
}

impl Operations {
    /// Nothing above the run.
    pub fn none() -> Self {
        Operations::default()
    }

    /// What an operator's file says. Buckets and health are kept in the store that the runs are in; `folder` is
    /// what the file's paths are relative to, and where undelivered items go.
    ///
    /// # Errors
    /// A sink that makes no sense.
    pub fn new(spec: &OperatorSpec, store: &SharedStore, folder: &Path) -> Result<Self, SinkError> {
        Ok(Operations { sinks: Operations::sinks(spec, folder)?, ..Operations::watching(spec, store, folder) })
    }

    /// The sinks of an operator's file behind their queue, to be shared by all runs of a process; none where it names none.
    ///
    /// # Errors
    /// A sink that makes no sense.
    pub fn sinks(spec: &OperatorSpec, folder: &Path) -> Result<Option<Arc<SinkQueue>>, SinkError> {
        (!spec.sinks.is_empty()).then(|| SinkQueue::start(&spec.sinks, folder).map(Arc::new)).transpose()
    }

    /// The same with the sinks of a process.
    #[must_use]
    pub fn telling(self, sinks: Option<Arc<SinkQueue>>) -> Self {
        Operations { sinks, ..self }
    }

    /// The same for whoever only looks: nobody is told anything by it.
    pub fn watching(spec: &OperatorSpec, store: &SharedStore, folder: &Path) -> Self {
        Operations {
            health: Some(HealthTracker::new(Arc::clone(store), spec.health)),
            buckets: Some(Buckets::new(Arc::clone(store), &spec.buckets)),
            switches: spec.switches.as_ref().map(|path| Switches::load(folder.join(path))),
            stored_switches: Some(StoredSwitches::new(Arc::clone(store))),
            ..Operations::none()
        }
    }

    /// What stands in the way of any call of a tool at this moment (UTC milliseconds): what, why, and the command that
    /// lifts it where one does. Reads, and changes nothing.
    pub fn above(&mut self, manifest: &Manifest, tool: &str, now: u64) -> Vec<(String, String, Option<String>)> {
        let mut found = Vec::new();
        if let Some(Err(refused)) = self.health.as_ref().map(|health| health.dispatch(&manifest.agent, now)) {
            let lifted = format!("agents resume {} --clear-health", manifest.agent);
            found.push(("agent".to_owned(), refused.reason, Some(lifted)));
        }
        if let Some(halt) = self.switched_off(manifest, &[tool]) {
            found.push(("switch".to_owned(), halt.to_string(), None));
        }
        match self.buckets.as_ref().map(|buckets| buckets.lines(manifest.tenant.as_deref())) {
            Some(Ok(lines)) => found.extend(lines.into_iter().filter(|line| line.left == Some(0)).map(|line| {
                let reason = format!("the bucket of {} has no {} left", line.bucket, line.dimension);
                ("bucket".to_owned(), reason, None)
            })),
            Some(Err(error)) => found.push(("bucket".to_owned(), error.to_string(), None)),
            None => {}
        }
        found
    }

    /// Health of the agents, where it is kept.
    pub fn health(&self) -> Option<&HealthTracker> {
        self.health.as_ref()
    }

    /// Whether a run may begin, or be taken up, at this moment (UTC milliseconds).
    ///
    /// # Errors
    /// When its agent is paused, or something it needs is switched off.
    pub fn dispatch(&mut self, manifest: &Manifest, now: u64) -> Result<(), NotDispatched> {
        let refuse = |until, reason| NotDispatched { agent: manifest.agent.to_string(), until, reason };
        if let Some(health) = &self.health {
            health.dispatch(&manifest.agent, now).map_err(|refused| refuse(refused.until, refused.reason))?;
        }
        match self.switched_off(manifest, &[]) {
            Some(halt) => Err(refuse(None, halt.to_string())),
            None => Ok(()),
        }
    }

    /// What an operator has switched off of what a run needs: everything, its tenant, one of its
    /// policies, one of these tools.
    fn switched_off(&mut self, manifest: &Manifest, tools: &[&str]) -> Option<Halt> {
        let policies: Vec<&str> = manifest.entries.iter().map(|entry| &*entry.component).collect();
        self.refuses(manifest.tenant.as_deref(), tools, &policies)
    }

    fn refuses(&mut self, tenant: Option<&str>, tools: &[&str], policies: &[&str]) -> Option<Halt> {
        let file = self.switches.as_mut().and_then(|switches| switches.current().refuses(tenant, tools, policies));
        file.or_else(|| self.stored_switches.as_ref()?.refuses(tenant, tools, policies))
    }

    /// Whether a policy is switched off, by the digest of its component: one that no run is pinned to.
    pub(crate) fn revoked(&mut self, component: &str) -> bool {
        self.refuses(None, &[], &[component]).is_some()
    }

    /// Whether a run may go on at all; else what it is told. A policy that is revoked is not asked
    /// any more.
    pub(crate) fn halted(&mut self, manifest: &Manifest) -> Option<Input> {
        self.halted_with(manifest, &[])
    }

    /// The same of a run that is about to use these tools.
    fn halted_with(&mut self, manifest: &Manifest, tools: &[&str]) -> Option<Input> {
        self.paused(manifest).or_else(|| self.switched_off(manifest, tools).map(|halt| halted(&halt)))
    }

    /// An administrator's pause holds a run too that is under way; a pause of health holds the next one only.
    fn paused(&self, manifest: &Manifest) -> Option<Input> {
        let told = |reason: &str| Input::Halted {
            switch: format!("agent {}", manifest.agent).as_str().into(),
            reason: reason.into(),
            in_between: false,
        };
        match self.health.as_ref()?.agent(&manifest.agent) {
            Ok(AgentHealth { administrator: Some(pause), .. }) => {
                Some(told(&format!("paused by `{}`: {}", pause.by, pause.reason)))
            }
            Ok(_) => None,
            Err(error) => Some(told(&error.to_string())),
        }
    }

    /// Whether an effect may be carried out; what is held for it in the buckets.
    pub(crate) fn admit(&mut self, run: &Run, effect: &Effect) -> Result<Option<BucketReservation>, Box<Input>> {
        let manifest = run.manifest();
        let nothing = Demand::default();
        let (demand, tool) = match effect {
            Effect::CallModel { demand, .. } => (demand, None),
            Effect::Dispatch { demand, tool, .. } => (demand, Some(&**tool)),
            // A reading that verifies is a call too.
            Effect::Verify { verifier: Verifier::ReadBack(tool), .. } => (&nothing, Some(&**tool)),
            _ => return Ok(None),
        };
        if let Some(halted) = self.halted_with(manifest, tool.as_slice()) {
            return Err(Box::new(halted));
        }
        let Some(buckets) = &self.buckets else { return Ok(None) };
        match buckets.reserve(manifest.tenant.as_deref(), bucket_demand(demand)) {
            Ok(held) => Ok(Some(held)),
            Err(BucketError::Refused(refused)) => Err(Box::new(Input::Refused {
                bucket: refused.bucket.as_str().into(),
                dimension: refused.dimension.into(),
                demand: refused.demand,
                left: refused.left,
            })),
            // Nobody knows what is left: a person has to look.
            Err(error @ BucketError::State(_)) => {
                let reason = error.to_string();
                Err(Box::new(Input::Halted {
                    switch: "buckets".into(),
                    reason: reason.as_str().into(),
                    in_between: false,
                }))
            }
        }
    }

    /// Books what a model call used.
    pub(crate) fn settle(&mut self, usage: Usage, held: Option<BucketReservation>) {
        let Some(held) = held else { return };
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        held.settle(operate::Demand { tokens, cost: usage.cost, ..operate::Demand::default() });
    }

    /// Takes in how a model call went.
    pub(crate) fn replied(&mut self, run: &Run, reply: &Reply) {
        let Some(health) = &self.health else { return };
        let manifest = run.manifest();
        let now = manifest.started.saturating_add(run.at());
        // Health is a help: where it cannot be written the run goes on, and dispatch refuses later.
        let noted = match reply {
            Reply::Unavailable { class, retry_after, .. } => {
                let class = match class {
                    Unavailability::AuthFailure => ErrorClass::AuthFailure,
                    Unavailability::QuotaExceeded => ErrorClass::QuotaExceeded,
                    // Asked to stay away for longer than any run waits: other runs need not try it either.
                    Unavailability::Transient if retry_after.is_some_and(|after| after > manifest.rules.retry.most) => {
                        ErrorClass::QuotaExceeded
                    }
                    Unavailability::Transient | Unavailability::Permanent => ErrorClass::Other,
                };
                health.record_error(&manifest.agent, class, now)
            }
            _ => health.record_success(&manifest.agent, now).map(|()| None),
        };
        if let Ok(Some(paused)) = noted {
            self.pause_began(run, &paused);
        }
    }

    /// An agent gets no more tasks for a time: people hear of it when it begins, and not from the next task that is
    /// refused.
    fn pause_began(&mut self, run: &Run, paused: &Paused) {
        let agent = &run.manifest().agent;
        let lifted = format!("countersign agents resume {agent} --clear-health --store STORE");
        let reason = format!(
            "agent `{agent}` gets no tasks until {}: {}; `{lifted}` lifts it",
            operate::utc_text(paused.until),
            paused.reason
        );
        tracing::warn!(%agent, until = paused.until, reason = paused.reason, "the agent is paused");
        let details = json!({"until": paused.until, "lifted-by": lifted});
        self.deliver(item(run, ItemKind::Paused, "operator", Severity::High, &reason, &["pause"], details));
    }

    pub(crate) fn observed(&mut self, observation: &Observation, demand: &Demand, held: Option<BucketReservation>) {
        let Some(held) = held else { return };
        let nothing =
            matches!(observation.outcome, Outcome::Infrastructure | Outcome::Rejected | Outcome::Unauthenticated);
        held.settle(if nothing { operate::Demand::default() } else { bucket_demand(demand) });
    }

    /// Counts what a frame tells of the agent, and tells people who of them has taken something up.
    pub(crate) fn watch(&mut self, run: &Run, frame: &Frame) {
        if let Input::Decided { by, decision, .. } = &frame.input
            && !matches!(
                decision.plain(),
                // Nobody has just decided anything.
                Decision::Expired | Decision::Unavailable | Decision::Standing { .. } | Decision::Withdrawn { .. }
            )
        {
            let reason = format!("taken up by {by}: the run waits for nobody's word on this any more");
            let taken = item(run, ItemKind::Accepted, by, Severity::Low, &reason, &["accepted"], json!({}));
            self.deliver(Item { accepted_by: Some(by.to_string()), ..taken });
        }
        let Some(health) = &self.health else { return };
        for event in &frame.events {
            let counter = match event {
                Event::Incomplete { kind: IncompleteKind::PoliteLoop, .. } => continue,
                Event::Incomplete { .. } => Counter::IncompleteCycle,
                Event::Deferred { .. } => Counter::Deferral,
                Event::EscalatedToArchitect { severity: Alarm::Warning, .. } => Counter::WarningEscalation,
                Event::EscalatedToArchitect { severity: Alarm::Critical, .. } => Counter::CriticalEscalation,
                _ => continue,
            };
            let _ = health.count(&run.manifest().agent, counter);
        }
    }

    pub(crate) fn notify(&mut self, run: &Run, text: &str) {
        self.deliver(item(run, ItemKind::Review, "review queue", Severity::Low, text, &["review"], json!({})));
    }

    pub(crate) fn alarm(&mut self, run: &Run, severity: Alarm, reason: &str) {
        let (severity, channels): (_, &[&str]) = match severity {
            Alarm::Warning => (Severity::High, &["coordination"]),
            Alarm::Critical => (Severity::Critical, &["coordination", "ops-lead"]),
        };
        self.deliver(item(run, ItemKind::Escalate, "architect", severity, reason, channels, json!({})));
    }

    pub(crate) fn suspended(&mut self, run: &Run, code: Code, report: &Report) {
        let (kind, channel) = match report.wanted {
            Wanted::Approval | Wanted::Answer => (ItemKind::Ask, "approvals"),
            Wanted::Review => (ItemKind::Review, "review"),
            Wanted::Release => (ItemKind::Exhausted, "budget"),
            Wanted::Triage => (ItemKind::Defer, "triage"),
            // Told by its alarm.
            Wanted::Architect => return,
            Wanted::Resumption if code == Code::BudgetExhausted => (ItemKind::Exhausted, "budget"),
            Wanted::Resumption => (ItemKind::Paused, "operations"),
        };
        let severity = severity(report.authority.severity);
        let mut details = json!({"code": code, "report": report});
        if let Some(approval) = &report.approval {
            let manifest = run.manifest();
            details["blast-radius"] = reach::blast_radius(manifest, approval).into();
            details["way-back"] = reach::way_back(manifest, approval).into();
        }
        self.deliver(item(run, kind, &report.authority.endpoint, severity, &report.reason, &[channel], details));
    }

    pub(crate) fn ended(&mut self, run: &Run, code: Code, reason: &str, authority: Option<&Authority>) {
        let Some(authority) = authority else { return };
        let (kind, channel) = match authority.class {
            TriggerClass::Security => (ItemKind::Review, "security"),
            _ if code == Code::BudgetExhausted || code == Code::Timeout => (ItemKind::Exhausted, "budget"),
            _ if code == Code::ConfirmRequired => (ItemKind::Expired, "approvals"),
            _ => (ItemKind::Review, "ended"),
        };
        // What is done and what is open, for whoever takes over from here.
        let (met, unmet): (Vec<_>, Vec<_>) = (run.criteria(true).collect(), run.criteria(false).collect());
        let last = run.last_valid_state();
        let details =
            json!({"code": code, "authority": authority, "met": met, "unmet": unmet, "last-valid-state": last});
        let severity = severity(authority.severity);
        self.deliver(item(run, kind, &authority.endpoint, severity, reason, &[channel], details));
    }

    /// Waits until people are told everything there is to tell, at most so long.
    pub(crate) fn told(&self, most: Duration) {
        if let Some(sinks) = &self.sinks {
            sinks.wait(most);
        }
    }

    fn deliver(&self, item: Item) {
        if let Some(sinks) = &self.sinks {
            sinks.tell(item);
        }
    }
}

fn halted(halt: &Halt) -> Input {
    Input::Halted {
        switch: halt.what.to_string().as_str().into(),
        reason: halt.reason.as_str().into(),
        in_between: false,
    }
}

fn item(
    run: &Run,
    kind: ItemKind,
    authority: &str,
    severity: Severity,
    reason: &str,
    channels: &[&str],
    details: serde_json::Value,
) -> Item {
    let manifest = run.manifest();
    Item {
        version: operate::sinks::ITEM_VERSION,
        id: format!("{}-{}-{}", manifest.run, run.frames(), channels.first().unwrap_or(&"item")),
        kind,
        run: manifest.run.to_string(),
        agent: manifest.agent.to_string(),
        tenant: manifest.tenant.as_deref().map(str::to_owned),
        authority: authority.to_owned(),
        channels: channels.iter().map(|channel| (*channel).to_owned()).collect(),
        severity,
        reason: shown::visible_lines(reason),
        details,
        at: manifest.started.saturating_add(run.at()),
        accepted_by: None,
    }
}

fn severity(severity: RouteSeverity) -> Severity {
    match severity {
        RouteSeverity::Low => Severity::Low,
        RouteSeverity::Moderate => Severity::Moderate,
        RouteSeverity::High => Severity::High,
        RouteSeverity::Critical => Severity::Critical,
    }
}

fn bucket_demand(demand: &Demand) -> operate::Demand {
    operate::Demand {
        tokens: demand.of(Dimension::InputTokens).saturating_add(demand.of(Dimension::OutputTokens)),
        cost: demand.of(Dimension::Cost),
        records: demand.of(Dimension::RecordsTouched),
        money: demand.of(Dimension::MoneyMoved),
        recipients: demand.of(Dimension::RecipientsReached),
    }
}
