//! The cost: how near the run is to a cap, and to the deployment's own limits.

use countersign_sdk::threshold::Ledger;
use countersign_sdk::{ConfigError, RunView, log};

use crate::config::{Capped, Configuration};

/// What a cap counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    EveryAction,
    MutatingAction,
    Nothing,
}

/// How costs are counted.
#[derive(Debug)]
pub struct Rule {
    counts: [Counts; Capped::ALL.len()],
    own: [Option<u64>; Capped::ALL.len()],
    task_time: Option<u64>,
}

/// What has been spent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cost {
    /// 0..=1: 0.19 at nine tenths of the nearest cap, 1 at the cap.
    pub term: f64,
    /// The same without the caps that no longer matter: once an action is done nothing more is spent
    /// by it, and a run whose cap is just used up may still finish without a call.
    pub weighed: f64,
    /// The first limit that nothing more may be spent of.
    pub reached: Option<Line>,
}

/// One dimension and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub name: &'static str,
    pub used: u64,
    pub limit: u64,
}

impl Rule {
    pub fn new(configuration: &Configuration) -> Result<Self, ConfigError> {
        let costs = &configuration.costs;
        let mut counts = [Counts::Nothing; Capped::ALL.len()];
        for capped in &costs.mutating_action {
            counts[*capped as usize] = Counts::MutatingAction;
        }
        for capped in &costs.every_action {
            let count = &mut counts[*capped as usize];
            if *count == Counts::MutatingAction {
                log::warn(&format!(
                    "{} of costs.mutating_action has no effect: costs.every_action takes it",
                    capped.name()
                ));
            }
            *count = Counts::EveryAction;
        }
        let limits = &configuration.limits;
        if limits.task_time == Some(0) || Capped::ALL.iter().any(|capped| limits.of(*capped) == Some(0)) {
            return Err(ConfigError::at("/limits", "expected limits of at least 1"));
        }
        Ok(Rule { counts, own: Capped::ALL.map(|capped| limits.of(capped)), task_time: limits.task_time })
    }

    /// More spent never lowers the term.
    pub fn measure(&self, ledger: &Ledger, run: &dyn RunView) -> Cost {
        let mut cost = Cost::default();
        let before = ledger.next.is_some();
        let mutating = ledger.next.as_ref().is_some_and(|next| next.mutating);
        let mut seen = [false; Capped::ALL.len()];
        for line in &ledger.costs {
            let capped = Capped::from(line.dimension);
            let own = self.own[capped as usize].filter(|own| *own <= line.limit);
            seen[capped as usize] = true;
            let counts = match self.counts[capped as usize] {
                Counts::EveryAction => true,
                Counts::MutatingAction => mutating,
                Counts::Nothing => false,
            };
            // A hard cap is the host's to keep: after an action that used it up none needs to stop.
            if let Some(limit) = own {
                cost.note(Line { name: capped.name(), used: line.used, limit }, true);
            } else if counts || self.own[capped as usize].is_some() {
                cost.note(Line { name: capped.name(), used: line.used, limit: line.limit }, before);
            }
        }
        // The ledger names what has a cap; a dimension may have a limit of its own without one.
        for capped in Capped::ALL.into_iter().filter(|capped| !seen[*capped as usize]) {
            if let Some(limit) = self.own[capped as usize]
                && let Some(line) = run.budget(capped.dimension())
            {
                let used = line.used.saturating_add(line.reserved);
                cost.note(Line { name: capped.name(), used, limit }, true);
            }
        }
        if let Some(limit) = self.task_time {
            let used = ledger.at.saturating_sub(ledger.since);
            cost.note(Line { name: "milliseconds on the task", used, limit }, true);
        }
        cost
    }
}

impl Cost {
    fn note(&mut self, line: Line, binding: bool) {
        let share = if line.used >= line.limit { 1.0 } else { line.used as f64 / line.limit as f64 };
        // The sixteenth power: a cap is there to be used up, and calls that are worth it one by one go
        // on to it.
        let term = (0..4).fold(share, |power, _| power * power);
        self.term = self.term.max(term);
        if binding || line.used < line.limit {
            self.weighed = self.weighed.max(term);
        }
        if binding && line.used >= line.limit {
            self.reached.get_or_insert(line);
        }
    }
}
