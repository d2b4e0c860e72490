//! Which agents are fit for work: pauses after errors, pauses by an administrator, and counters
//! (specification E4 and E5).
//!
//! Each agent has a register in the store of the runs, so that it survives a restart and every process
//! that dispatches work sees the same. Time comes in as an argument, UTC milliseconds.

use std::collections::BTreeMap;

use countersign_store::{RegisterName, SharedStore};
use serde::{Deserialize, Serialize};

use super::state::{self, StateError};

/// The registers of agents lie below this name.
const REGISTERS: &str = "health";

/// When and for how long agents are paused (document 004, "Dispatch pause"; specification E4).
/// Durations in milliseconds. A duration or count of 0 switches that rule off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HealthRules {
    /// Pause at once when the model provider refuses the credentials. Default 1 h (3600000).
    pub auth_failure_pause: u64,
    /// Pause at once when a quota is used up. Default 1 h (3600000).
    pub quota_exceeded_pause: u64,
    /// Other errors in a row before a pause. Default 10.
    pub consecutive_errors: u32,
    /// Pause after that many other errors. Default 30 min (1800000).
    pub consecutive_errors_pause: u64,
    /// No pause is longer, however often it was doubled. Default 24 h (86400000).
    pub longest_pause: u64,
}

impl Default for HealthRules {
    fn default() -> Self {
        HealthRules {
            auth_failure_pause: 3_600_000,
            quota_exceeded_pause: 3_600_000,
            consecutive_errors: 10,
            consecutive_errors_pause: 1_800_000,
            longest_pause: 86_400_000,
        }
    }
}

/// What went wrong with an agent's model calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// The provider refuses the credentials.
    AuthFailure,
    /// A quota is used up.
    QuotaExceeded,
    /// Anything else.
    Other,
}

/// A pause that an administrator ordered. Only a person ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AdminPause {
    /// The administrator, as they named themselves.
    pub by: String,
    /// In the administrator's words.
    pub reason: String,
    /// Since when, UTC milliseconds.
    pub since: u64,
}

/// Escalations by severity, for `agent_escalation_total` (specification E5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Escalations {
    /// To the architect.
    pub warning: u64,
    /// To the architect and the ops lead.
    pub critical: u64,
}

/// What is known of one agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AgentHealth {
    /// Other errors since the last success.
    pub consecutive_errors: u32,
    /// End of the last health pause, UTC milliseconds. In the past: it is over, and no success has
    /// followed yet.
    pub paused_until: Option<u64>,
    /// Why: `auth-failure`, `quota-exceeded` or `consecutive-errors`.
    pub paused_reason: Option<String>,
    /// Health pauses since the doubling last began anew.
    pub pauses: u32,
    /// The administrator's pause, which health neither sets nor ends.
    pub administrator: Option<AdminPause>,
    /// For `agent_incomplete_cycles_total`.
    pub incomplete_cycles: u64,
    /// For `agent_escalation_total`.
    pub escalations: Escalations,
    /// For `agent_defer_to_human_total`.
    pub deferrals: u64,
    /// Times that work was refused because of a pause.
    pub refused_dispatches: u64,
}

impl AgentHealth {
    /// Why the agent gets no work now, if so. An administrator's pause comes first: it does not end
    /// by itself.
    pub fn refuses(&self, now: u64) -> Option<Refused> {
        if let Some(pause) = &self.administrator {
            let reason = format!("paused by `{}`: {}", pause.by, pause.reason);
            return Some(Refused { by: RefusedBy::Administrator, until: None, reason });
        }
        let until = self.paused_until.filter(|until| now < *until)?;
        let reason = self.paused_reason.clone().unwrap_or_default();
        Some(Refused { by: RefusedBy::Health, until: Some(until), reason })
    }

    /// For the gauge `agent_dispatch_paused` (specification E5).
    pub fn is_paused(&self, now: u64) -> bool {
        self.refuses(now).is_some()
    }

    /// Takes in an error; a pause that began or was lengthened.
    fn error(&mut self, class: ErrorClass, rules: &HealthRules, now: u64) -> Option<Paused> {
        let (pause, reason) = match class {
            ErrorClass::AuthFailure => (rules.auth_failure_pause, "auth-failure"),
            ErrorClass::QuotaExceeded => (rules.quota_exceeded_pause, "quota-exceeded"),
            ErrorClass::Other => {
                self.consecutive_errors = self.consecutive_errors.saturating_add(1);
                if rules.consecutive_errors == 0 || self.consecutive_errors < rules.consecutive_errors {
                    return None;
                }
                (rules.consecutive_errors_pause, "consecutive-errors")
            }
        };
        if pause == 0 {
            return None;
        }
        let running = self.paused_until.filter(|until| now < *until);
        // Calls that were under way when the pause began fail for the same cause: they may lengthen
        // it, but ten runs that fail together must not double it ten times.
        let doublings = if running.is_some() { self.pauses.saturating_sub(1) } else { self.pauses };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let until = now.saturating_add(pause.saturating_mul(factor).min(rules.longest_pause));
        if until <= running.unwrap_or(now) {
            return None;
        }
        if running.is_none() {
            self.pauses = self.pauses.saturating_add(1);
        }
        self.paused_until = Some(until);
        self.paused_reason = Some(reason.to_owned());
        Some(Paused { until, reason: reason.to_owned(), began: running.is_none(), pauses: self.pauses })
    }

    fn success(&mut self, now: u64) {
        self.consecutive_errors = 0;
        // A success during a pause comes from work that began before it.
        if self.paused_until.is_some_and(|until| until <= now) {
            self.well();
        }
    }

    fn well(&mut self) {
        self.consecutive_errors = 0;
        self.paused_until = None;
        self.paused_reason = None;
        self.pauses = 0;
    }
}

/// A health pause that began or was lengthened: something people should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// UTC milliseconds.
    pub until: u64,
    /// `auth-failure`, `quota-exceeded` or `consecutive-errors`.
    pub reason: String,
    /// It began; otherwise one that ran already became longer.
    pub began: bool,
    /// Pauses so far without a success after one.
    pub pauses: u32,
}

/// Who keeps an agent from work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedBy {
    /// Errors; it ends by itself.
    Health,
    /// A person; it ends when a person says so.
    Administrator,
    /// Its register cannot be read, so nobody knows whether the agent is paused.
    Unreadable,
}

/// The agent gets no work now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dispatch is refused{}: {reason}", until.map(|until| format!(" until {until} (UTC ms)")).unwrap_or_default())]
pub struct Refused {
    /// Its own errors, or an administrator.
    pub by: RefusedBy,
    /// UTC milliseconds; none when it does not end by itself.
    pub until: Option<u64>,
    /// The error that paused it, or the administrator's words.
    pub reason: String,
}

/// Something to count (specification E5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// A cycle ended without a terminal tool.
    IncompleteCycle,
    /// `escalate_to_architect` with severity `warning`.
    WarningEscalation,
    /// `escalate_to_architect` with severity `critical`.
    CriticalEscalation,
    /// `defer_to_human`.
    Deferral,
}

/// The health of all agents of a store. Cheap; every call looks into the store.
#[derive(Debug, Clone)]
pub struct HealthTracker {
    store: SharedStore,
    rules: HealthRules,
}

impl HealthTracker {
    /// Nothing is read yet; an agent that nothing is known of is well.
    pub fn new(store: SharedStore, rules: HealthRules) -> Self {
        HealthTracker { store, rules }
    }

    /// Takes in a failed model call. The pause that it began or lengthened, if any.
    ///
    /// After a pause the next error of the same streak pauses again at once, for twice as long: an
    /// agent that has just come back has to prove itself.
    ///
    /// # Errors
    /// When the agent's register cannot be read or written.
    pub fn record_error(&self, agent: &str, class: ErrorClass, now: u64) -> Result<Option<Paused>, StateError> {
        self.change(agent, |health| health.error(class, &self.rules, now))
    }

    /// Takes in a model call that worked. After a pause that is over, the doubling starts anew.
    ///
    /// # Errors
    /// When the agent's register cannot be read or written.
    pub fn record_success(&self, agent: &str, now: u64) -> Result<(), StateError> {
        // By far the most frequent call, and mostly there is nothing to change.
        let health = self.agent(agent)?;
        let mut after = health.clone();
        after.success(now);
        if after == health { Ok(()) } else { self.change(agent, |health| health.success(now)) }
    }

    /// Whether the agent may get work. Nothing has to be cleared once a health pause is over.
    ///
    /// # Errors
    /// When it may not. A register that cannot be read refuses too: nobody knows what it says.
    pub fn dispatch(&self, agent: &str, now: u64) -> Result<(), Refused> {
        let unreadable =
            |error: StateError| Refused { by: RefusedBy::Unreadable, until: None, reason: error.to_string() };
        let Some(refused) = self.agent(agent).map_err(unreadable)?.refuses(now) else { return Ok(()) };
        // A refusal that could not be counted is a refusal all the same.
        let _ = self.change(agent, |health| health.refused_dispatches = health.refused_dispatches.saturating_add(1));
        Err(refused)
    }

    /// Counts one.
    ///
    /// # Errors
    /// When the agent's register cannot be read or written.
    pub fn count(&self, agent: &str, counter: Counter) -> Result<(), StateError> {
        self.change(agent, |health| {
            let count = match counter {
                Counter::IncompleteCycle => &mut health.incomplete_cycles,
                Counter::WarningEscalation => &mut health.escalations.warning,
                Counter::CriticalEscalation => &mut health.escalations.critical,
                Counter::Deferral => &mut health.deferrals,
            };
            *count = count.saturating_add(1);
        })
    }

    /// An administrator's pause, until [`HealthTracker::resume`]: no run of the agent begins, and one that is under way
    /// is halted before its next call. A second one replaces who and why;
    /// it still counts from the first.
    ///
    /// # Errors
    /// When the agent's register cannot be read or written.
    pub fn pause(&self, agent: &str, by: &str, reason: &str, now: u64) -> Result<(), StateError> {
        self.change(agent, |health| {
            let since = health.administrator.as_ref().map_or(now, |pause| pause.since);
            health.administrator = Some(AdminPause { by: by.to_owned(), reason: reason.to_owned(), since });
        })
    }

    /// Ends an administrator's pause, and with `clear_health` what errors have led to as well: the
    /// pause, the streak and the doubling. What it is afterwards.
    ///
    /// # Errors
    /// When the agent's register cannot be read or written.
    pub fn resume(&self, agent: &str, clear_health: bool) -> Result<AgentHealth, StateError> {
        self.change(agent, |health| {
            health.administrator = None;
            if clear_health {
                health.well();
            }
            health.clone()
        })
    }

    /// One agent; as new when nothing is known of it.
    ///
    /// # Errors
    /// When the agent's register cannot be read.
    pub fn agent(&self, agent: &str) -> Result<AgentHealth, StateError> {
        Ok(state::read(&*self.store, &RegisterName::of(&[REGISTERS, agent])?)?.0)
    }

    /// Every agent that anything is known of.
    ///
    /// # Errors
    /// When the agent's register cannot be read.
    pub fn agents(&self) -> Result<BTreeMap<String, AgentHealth>, StateError> {
        Ok(state::below(&*self.store, &RegisterName::of(&[REGISTERS])?)?.into_iter().collect())
    }

    fn change<T>(&self, agent: &str, change: impl FnMut(&mut AgentHealth) -> T) -> Result<T, StateError> {
        state::change(&*self.store, &RegisterName::of(&[REGISTERS, agent])?, change)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::sync::Arc;

    use countersign_store::memory::MemoryStore;
    use countersign_store::sqlite::SqliteStore;

    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;

    fn tracker() -> HealthTracker {
        HealthTracker::new(Arc::new(MemoryStore::new()), HealthRules::default())
    }

    enum Step {
        Auth,
        Quota,
        Others(u32),
        Success,
        Admin,
        Resume,
        ResumeAll,
    }
    use Step::*;

    #[test]
    fn pauses_follow_the_rules() {
        type By = RefusedBy;
        // What happens when (minutes), and who refuses until when afterwards.
        type Case = (&'static str, Vec<(u64, Step)>, Option<(RefusedBy, Option<u64>)>);
        let health = |until| Some((By::Health, Some(until)));
        let table: Vec<Case> = vec![
            ("all is well", vec![(0, Success)], None),
            ("credentials refused", vec![(1, Auth)], health(61)),
            ("quota used up", vec![(1, Quota)], health(61)),
            ("nine errors", vec![(0, Others(9))], None),
            ("ten errors", vec![(0, Others(10))], health(30)),
            ("a success breaks the streak", vec![(0, Others(9)), (1, Success), (2, Others(9))], None),
            ("over by itself", vec![(0, Auth), (60, Others(0))], None),
            ("one millisecond before the end counts", vec![(0, Auth), (59, Others(0))], health(60)),
            ("second pause doubles", vec![(0, Auth), (60, Auth)], health(180)),
            ("kinds double each other", vec![(0, Auth), (60, Others(10))], health(120)),
            ("the streak goes on after a pause", vec![(0, Others(10)), (30, Others(1))], health(90)),
            ("third doubles again", vec![(0, Auth), (60, Auth), (180, Quota)], health(180 + 240)),
            ("success after a pause starts anew", vec![(0, Auth), (60, Success), (61, Auth)], health(121)),
            ("success during a pause does not end it", vec![(0, Auth), (5, Success)], health(60)),
            (
                "success during a pause does not undo the doubling",
                vec![(0, Auth), (5, Success), (60, Auth)],
                health(180),
            ),
            ("errors under way do not double", vec![(0, Auth), (0, Auth), (0, Auth), (60, Auth)], health(180)),
            ("a graver error lengthens", vec![(0, Others(10)), (10, Auth)], health(70)),
            ("a lighter error does not shorten", vec![(0, Auth), (10, Others(10))], health(60)),
            (
                "never above the cap",
                vec![(0, Auth), (60, Auth), (180, Auth), (420, Auth), (900, Auth), (1860, Auth), (3300, Auth)],
                health(3300 + 24 * 60),
            ),
            ("an administrator's pause", vec![(0, Admin)], Some((By::Administrator, None))),
            ("health expiry leaves it", vec![(0, Auth), (1, Admin), (60, Success)], Some((By::Administrator, None))),
            ("resume ends it", vec![(0, Admin), (1, Resume)], None),
            ("resume leaves health", vec![(0, Auth), (1, Admin), (2, Resume)], health(60)),
            ("unless asked", vec![(0, Auth), (1, Admin), (2, ResumeAll)], None),
            ("cleared health starts anew", vec![(0, Auth), (2, ResumeAll), (3, Auth)], health(63)),
        ];
        for (name, steps, wanted) in table {
            let tracker = tracker();
            let mut now = 0;
            for (minute, step) in steps {
                now = minute * MINUTE;
                match step {
                    Auth => drop(tracker.record_error("clerk", ErrorClass::AuthFailure, now).unwrap()),
                    Quota => drop(tracker.record_error("clerk", ErrorClass::QuotaExceeded, now).unwrap()),
                    Others(n) => (0..n).for_each(|_| {
                        tracker.record_error("clerk", ErrorClass::Other, now).unwrap();
                    }),
                    Success => tracker.record_success("clerk", now).unwrap(),
                    Admin => tracker.pause("clerk", "ann", "inspection", now).unwrap(),
                    Resume => drop(tracker.resume("clerk", false).unwrap()),
                    ResumeAll => drop(tracker.resume("clerk", true).unwrap()),
                }
            }
            let found = tracker.dispatch("clerk", now).err().map(|r| (r.by, r.until.map(|until| until / MINUTE)));
            assert_eq!(found, wanted, "{name}");
            assert_eq!(tracker.dispatch("another", now), Ok(()), "{name}");
            let counted = tracker.agent("clerk").unwrap().refused_dispatches;
            assert_eq!(counted, u64::from(wanted.is_some()), "{name}");
        }
    }

    #[test]
    fn a_pause_ends_at_its_last_millisecond_and_not_before() {
        let tracker = tracker();
        let paused = tracker.record_error("clerk", ErrorClass::AuthFailure, 7).unwrap().unwrap();
        assert_eq!(paused, Paused { until: 7 + HOUR, reason: "auth-failure".into(), began: true, pauses: 1 });
        let refused = tracker.dispatch("clerk", 6 + HOUR).unwrap_err();
        assert_eq!(refused.to_string(), "dispatch is refused until 3600007 (UTC ms): auth-failure");
        assert!(tracker.agent("clerk").unwrap().is_paused(6 + HOUR));
        assert_eq!(tracker.dispatch("clerk", 7 + HOUR), Ok(()));
        assert!(!tracker.agent("clerk").unwrap().is_paused(7 + HOUR));
    }

    #[test]
    fn every_number_is_the_operators() {
        let mut tracker = tracker();
        tracker.rules = toml::from_str(
            "auth-failure-pause = 0\nquota-exceeded-pause = 7\nconsecutive-errors = 2\nconsecutive-errors-pause = 5\n\
             longest-pause = 9",
        )
        .unwrap();
        assert_eq!(tracker.record_error("a", ErrorClass::AuthFailure, 0).unwrap(), None);
        assert_eq!(tracker.record_error("a", ErrorClass::Other, 0).unwrap(), None);
        assert_eq!(tracker.record_error("a", ErrorClass::Other, 0).unwrap().unwrap().until, 5);
        assert_eq!(tracker.record_error("a", ErrorClass::QuotaExceeded, 5).unwrap().unwrap().until, 14);
        assert_eq!(tracker.record_error("b", ErrorClass::QuotaExceeded, u64::MAX).unwrap(), None);
        assert!(toml::from_str::<HealthRules>("longest = 1").is_err());
        assert_eq!(toml::from_str::<HealthRules>("").unwrap(), HealthRules::default());
    }

    #[test]
    fn any_number_of_pauses_stays_below_the_cap() {
        let rules = HealthRules::default();
        let mut health = AgentHealth { pauses: u32::MAX, ..AgentHealth::default() };
        let paused = health.error(ErrorClass::AuthFailure, &rules, 0).unwrap();
        assert_eq!((paused.until, paused.pauses), (24 * HOUR, u32::MAX));
    }

    #[test]
    fn it_survives_a_restart_and_several_writers() {
        let folder = tempfile::tempdir().unwrap();
        // Each opens the store anew, as another process would.
        let tracker = || {
            let store = SqliteStore::open(&folder.path().join("runs.db")).unwrap();
            HealthTracker::new(Arc::new(store), HealthRules::default())
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let tracker = tracker();
                scope.spawn(move || {
                    for _ in 0..8 {
                        tracker.count("clerk", Counter::IncompleteCycle).unwrap();
                        tracker.count("clerk", Counter::WarningEscalation).unwrap();
                        tracker.count("clerk", Counter::CriticalEscalation).unwrap();
                        tracker.count("clerk", Counter::Deferral).unwrap();
                    }
                });
            }
        });
        let (tracker, again) = (tracker(), tracker());
        tracker.pause("clerk", "ann", "inspection", 5).unwrap();
        tracker.pause("clerk", "bob", "still", 9).unwrap();
        let wanted = AgentHealth {
            administrator: Some(AdminPause { by: "bob".into(), reason: "still".into(), since: 5 }),
            incomplete_cycles: 32,
            escalations: Escalations { warning: 32, critical: 32 },
            deferrals: 32,
            ..AgentHealth::default()
        };
        assert_eq!(again.agents().unwrap(), [("clerk".to_owned(), wanted)].into());
        let refused = again.dispatch("clerk", 0).unwrap_err();
        assert_eq!(refused.to_string(), "dispatch is refused: paused by `bob`: still");
    }

    #[test]
    fn what_cannot_be_read_refuses_and_is_left_alone() {
        let table = [
            ("{", "is not valid"),
            ("", "is not valid"),
            ("{\"version\": 2, \"agents\": []}", "has version `2`, this release knows 1"),
            ("{\"version\": 1, \"value\": {\"pauses\": -1}}", "is not valid"),
        ];
        for (text, wanted) in table {
            let tracker = tracker();
            let name = RegisterName::of(&[REGISTERS, "a"]).unwrap();
            tracker.store.compare_and_set(&name, None, text.as_bytes()).unwrap();
            let refused = tracker.dispatch("a", 0).unwrap_err();
            assert_eq!((refused.by, refused.until), (RefusedBy::Unreadable, None));
            assert!(refused.reason.contains(wanted), "{text}: {refused}");
            assert!(tracker.record_error("a", ErrorClass::AuthFailure, 0).is_err());
            assert_eq!(tracker.store.register(&name).unwrap().unwrap().value, text.as_bytes());
            assert_eq!(tracker.dispatch("b", 0), Ok(()), "another agent's register is not to blame");
        }
    }
}
