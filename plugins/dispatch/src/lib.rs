//! Default policy of the slot `dispatch`: who does a sub-task (document 001, part 5; specification
//! B4).
//!
//! A specialist does it only when it is independent, a description matches, and that saves time or
//! is done better; otherwise the run itself. A chain of agents too long to be relied on goes to a
//! person.

mod config;
mod words;

#[cfg(test)]
mod tests;

use countersign_sdk::dispatch::{Assigned, Assignment, Dispatch, Specialist, SubTask};
use countersign_sdk::{ConfigError, Policy, RunView, policy};

use words::Words;

/// Specialists by the words of their descriptions, chains by their reliability.
pub struct Dispatcher {
    configuration: config::Configuration,
    stop_words: Vec<u64>,
}

impl Policy for Dispatcher {
    const NAME: &'static str = "dispatch";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str =
        "gives independent sub-tasks to a specialist whose description matches, long chains to a person";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        Ok(Dispatcher { configuration, stop_words: words::stop_words() })
    }
}

impl Dispatch for Dispatcher {
    fn assign(&mut self, task: SubTask, _run: &dyn RunView) -> Assigned {
        let chain = Chain::of(&task);
        let longest = self.configuration.longest_chain;
        if chain.length > longest {
            let reason = format!("the result would pass through {} agents, more than {longest}", chain.length);
            return Assigned { assignment: Assignment::HandOver, reason };
        }
        let floor = self.configuration.reliability_floor;
        let own = share(task.own_reliability);
        let why_inline = match self.specialist(&task, &chain) {
            Ok(found) => {
                let name = found.specialist.name.clone();
                let reason = found.reason(&task);
                let assignment =
                    if task.parallel >= 2 { Assignment::FanOut(name) } else { Assignment::Specialist(name) };
                return Assigned { assignment, reason };
            }
            Err(why) => why,
        };
        if chain.holds(own, floor) {
            return Assigned { assignment: Assignment::Inline, reason: why_inline.to_owned() };
        }
        let reason = format!(
            "a chain of {} agents holds with {} %, below {} %",
            chain.length,
            // Cut and not rounded: what is below must not look equal.
            (chain.before * own * 100.0) as u32,
            (floor * 100.0 + 0.5) as u32,
        );
        Assigned { assignment: Assignment::HandOver, reason }
    }
}

impl Dispatcher {
    /// The best specialist that may have the sub-task, or why there is none.
    fn specialist<'a>(&self, task: &'a SubTask, chain: &Chain) -> Result<Match<'a>, &'static str> {
        if !self.configuration.spawn {
            return Err("specialists are switched off");
        }
        if !task.independent {
            return Err("it needs what the run has yet to find out");
        }
        let wanted = Words::of(&task.does, &self.stop_words);
        let mut counted = vec![0_usize; wanted.len()];
        let mut best: Option<Match<'a>> = None;
        let mut why = "no specialist's description matches";
        for (position, specialist) in task.specialists.iter().enumerate() {
            let words = shared(&wanted, &specialist.description, &mut counted, position + 1);
            if words == 0 || (words as f64 / wanted.len() as f64) < self.configuration.match_at_least {
                continue;
            }
            let reliability = share(specialist.reliability);
            if task.parallel < 2 && reliability <= share(task.own_reliability) {
                why = "nothing is done at the same time, and no specialist that matches is more reliable";
            } else if !chain.holds(reliability, self.configuration.reliability_floor) {
                why = "the chain could not be relied on with a specialist that matches";
            } else {
                let found = Match { specialist, words, of: wanted.len(), reliability };
                if best.as_ref().is_none_or(|best| found.beats(best)) {
                    best = Some(found);
                }
            }
        }
        best.ok_or(why)
    }
}

/// Distinct words wanted that stand in the description. `counted` holds, for each, the round in
/// which it was counted last.
fn shared(wanted: &Words, description: &str, counted: &mut [usize], round: usize) -> usize {
    let mut words = 0;
    words::each(description, |word| {
        if let Some(at) = wanted.find(word)
            && counted[at] != round
        {
            counted[at] = round;
            words += 1;
        }
    });
    words
}

/// A specialist whose description matches.
struct Match<'a> {
    specialist: &'a Specialist,
    /// Words of the sub-task in its description.
    words: usize,
    /// Words of the sub-task.
    of: usize,
    reliability: f64,
}

impl Match<'_> {
    /// More words, then more reliable, then the name: whatever the order on offer.
    fn beats(&self, other: &Match<'_>) -> bool {
        if self.words != other.words {
            self.words > other.words
        } else if self.reliability != other.reliability {
            self.reliability > other.reliability
        } else {
            self.specialist.name < other.specialist.name
        }
    }

    fn reason(&self, task: &SubTask) -> String {
        let name = &self.specialist.name;
        let name = &name[..name.floor_char_boundary(256)];
        let why = if task.parallel >= 2 {
            format!("{} sub-tasks can be done at the same time", task.parallel)
        } else {
            "it is more reliable than the run itself".to_owned()
        };
        format!("{} of {} words are in the description of `{name}`; {why}", self.words, self.of)
    }
}

/// The agents that a result passes through.
struct Chain {
    /// The sub-task's own included.
    length: u32,
    /// Reliability of those before it.
    before: f64,
}

impl Chain {
    fn of(task: &SubTask) -> Self {
        Chain { length: task.chain_length, before: share(task.chain_reliability) }
    }

    /// Whether it can be relied on with such an agent at its end. One agent alone is no chain: what
    /// it does passes through no other hands.
    fn holds(&self, last: f64, floor: f64) -> bool {
        self.length < 2 || self.before * last >= floor
    }
}

/// What is no share is taken for the nearest, what is no number for none.
fn share(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

policy!(Dispatcher: dispatch);
