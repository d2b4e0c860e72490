//! What the threshold evaluator saves: a scenario that it stops against its twin without it, driven by
//! the host and by an agent that owns its loop.

use countersign::Host;
use countersign_scenario::{Finished, RunError, Scenario};

use crate::style::{BAD, GOOD, MIND, QUIET, styled};

/// A scenario that the evaluator stops, and its twin.
pub struct Stopped {
    /// By the host.
    pub by_host: Saved,
    /// By an agent that owns its loop, where the scenario is run so too.
    pub by_agent: Option<Saved>,
}

/// One way of driving it.
pub struct Saved {
    /// Why it was stopped.
    trigger: String,
    /// When, in milliseconds of the run's own time.
    at: u64,
    /// When the twin was over.
    twin: u64,
    /// What was expected of either and did not happen.
    pub unmet: Vec<String>,
}

impl Saved {
    /// None where the evaluator did not stop it.
    fn of(finished: &Finished, twin: &Finished, without: &str) -> Option<Saved> {
        let (trigger, at) = finished.held?;
        let twins = twin.unmet.iter().map(|unmet| format!("{without}: {unmet}"));
        Some(Saved {
            trigger: trigger.map_or_else(|| "undecided".to_owned(), |trigger| trigger.to_string()),
            at,
            twin: twin.run.at(),
            unmet: finished.unmet.iter().cloned().chain(twins).collect(),
        })
    }

    /// Whole seconds.
    pub fn seconds(&self) -> u64 {
        (self.twin / 1000).saturating_sub(self.at / 1000)
    }

    fn shown(&self) -> String {
        let (at, twin) = (self.at / 1000, self.twin / 1000);
        format!("{:>4} s of {:>4} s", styled(GOOD, format!("{at:>4}")), styled(MIND, format!("{twin:>4}")))
    }
}

impl Stopped {
    /// What the runs say, and the same driven by an agent. None where the evaluator stopped nothing or
    /// there is no twin to hold it against.
    ///
    /// # Errors
    /// When it could not be run.
    pub fn of(
        scenario: &Scenario,
        host: &Host,
        finished: &Finished,
        twin: Option<&Finished>,
    ) -> Result<Option<Stopped>, RunError> {
        let (Some(other), Some(twin)) = (scenario.twin(), twin) else { return Ok(None) };
        let Some(by_host) = Saved::of(finished, twin, other.title()) else { return Ok(None) };
        let mut by_agent = None;
        if scenario.by_agent() {
            let (finished, _) = scenario.run_by_agent(host)?;
            let (twin, _) = other.run_by_agent(host)?;
            let saved = Saved::of(&finished, &twin, other.title());
            by_agent = Some(saved.unwrap_or_else(|| Saved {
                trigger: "nothing".to_owned(),
                at: finished.run.at(),
                twin: twin.run.at(),
                unmet: vec!["the evaluator did not stop it".to_owned()],
            }));
        }
        Ok(Some(Stopped { by_host, by_agent }))
    }

    /// What was expected and did not happen.
    pub fn unmet(&self) -> impl Iterator<Item = String> + '_ {
        let agent = self.by_agent.iter().flat_map(|saved| &saved.unmet).map(|unmet| format!("by an agent: {unmet}"));
        self.by_host.unmet.iter().cloned().chain(agent)
    }

    /// One line.
    pub fn line(&self, name: &str) -> String {
        let good = self.unmet().next().is_none();
        let mark = if good { styled(GOOD, "ok    ") } else { styled(BAD, "FAILED") };
        let agent = match &self.by_agent {
            Some(saved) => format!("   by an agent {}", saved.shown()),
            None => String::new(),
        };
        format!(
            "{mark} {name:<24} {:<20} stopped at {}{agent}   {}",
            self.by_host.trigger,
            self.by_host.shown(),
            styled(QUIET, format!("saved {} s", self.by_host.seconds()))
        )
    }
}
