//! What a verdict leads to: one table, slot × verdict × who drives, that the run consults and a reader can print.

use super::Run;
use crate::contract::Slot;
use crate::contract::Verdict;
use crate::contract::guard::Severity;

/// What a slot was asked about. Some slots are asked about several things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// How sensitive a text is.
    Rating,
    /// Whether a text is hostile or leaks.
    Text,
    /// Whether a call is.
    Call,
    /// Which class the task has.
    Task,
    /// Who does a sub-task.
    SubTask,
    /// Whether an answer may be trusted.
    Answer,
    /// Whether an action may run: what the risk slot, the threshold slot and the host's own rules say together.
    Action,
    /// Whether going on is worth it, once a call has come back.
    Worth,
    /// Whether the run still gets anywhere.
    Step,
    /// What the rest will cost.
    Rest,
}

/// What the run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: it goes on.
    GoOn,
    /// The verdict is recorded beside what really happened.
    Recorded,
    /// The text counts as the most sensitive that a model may still be told.
    MostSensitive,
    /// The model is asked for another way.
    Replan,
    /// That very call is not made again before something else succeeds.
    BlockCall,
    /// A stronger model is asked; where there is none, a person.
    StrongerModel,
    /// The run is suspended until the user says more.
    AskUser,
    /// The run is suspended until a person has looked.
    Review,
    /// A person approves the call: the run is suspended until then.
    Approval,
    /// A person approves the call: it waits by itself, and the run goes on.
    CallWaits,
    /// No call is made before the agent has reported, and people are told.
    Hold,
    /// The call is not made.
    Deny,
    /// The run ends.
    End,
}

impl Consequence {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Consequence::GoOn => "goes on",
            Consequence::Recorded => "recorded",
            Consequence::MostSensitive => "counts as restricted",
            Consequence::Replan => "another plan",
            Consequence::BlockCall => "call blocked",
            Consequence::StrongerModel => "stronger model",
            Consequence::AskUser => "user is asked",
            Consequence::Review => "a person looks",
            Consequence::Approval => "run waits for approval",
            Consequence::CallWaits => "call waits for approval",
            Consequence::Hold => "no more calls",
            Consequence::Deny => "call denied",
            Consequence::End => "run ends",
        }
    }
}

/// Who owns the loop, as far as verdicts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driving {
    /// The host.
    Host,
    /// The agent.
    Agent,
    /// Nobody: the run has long happened.
    Recording,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The slot.
    pub slot: Slot,
    /// What it was asked about.
    pub asked: Asked,
    /// In words.
    pub about: &'static str,
    /// From `replan` to `terminate`, where the host drives.
    pub host: [Consequence; 5],
    /// The same where the agent does.
    pub agent: [Consequence; 5],
}

/// The verdicts that hold something up, from the least restrictive. Below them the run goes on.
pub const HOLDING: [Verdict; 5] = [Verdict::Replan, Verdict::Escalate, Verdict::Ask, Verdict::Deny, Verdict::Terminate];

macro_rules! rows {
    ($($slot:ident $asked:ident $about:literal: $host:tt $(, agent $agent:tt)?;)*) => {
        &[$(rows!(@ $slot $asked $about $host $($agent)?)),*]
    };
    (@ $slot:ident $asked:ident $about:literal $host:tt) => { rows!(@ $slot $asked $about $host $host) };
    (@ $slot:ident $asked:ident $about:literal
        [$($host:ident),* $(,)?] [$($agent:ident),* $(,)?]) => {
        Row {
            slot: Slot::$slot,
            asked: Asked::$asked,
            about: $about,
            host: [$(Consequence::$host),*],
            agent: [$(Consequence::$agent),*],
        }
    };
}

/// Slot × verdict × who drives. The slots that are not named (`remediation`, `context`) hold nothing up: what
/// they say is written into the ledger or changes the next request. A verdict of the threshold slot about a call
/// that has not been made joins that of the risk slot.
pub const CONSEQUENCES: &[Row] = rows! {
    // slot        about                            replan    escalate  ask       deny      terminate
    Sensitivity Rating "a text":
        [MostSensitive, MostSensitive, MostSensitive, MostSensitive, MostSensitive];
    Guard Text "a text on its way": [Review, Review, Review, End, End];
    Guard Call "a call": [Approval, Approval, Approval, Deny, End], agent [CallWaits, CallWaits, CallWaits, Deny, End];
    Classifier Task "the task": [AskUser, AskUser, AskUser, End, End];
    Dispatch SubTask "a sub-task": [Review, Review, Review, Review, Review];
    Confidence Answer "an answer": [Replan, StrongerModel, Review, Review, End];
    Risk Action "a call": [Replan, StrongerModel, Approval, Deny, End],
        agent [Replan, StrongerModel, CallWaits, Deny, End];
    Threshold Worth "a call that came back": [Review, Review, Review, End, End], agent [Hold, Hold, Hold, End, End];
    DoomLoop Step "a step": [Replan, StrongerModel, Review, End, End],
        agent [BlockCall, StrongerModel, Review, End, End];
    Estimator Rest "the rest": [Review, Review, Review, End, End];
};

/// What a verdict leads to.
pub fn consequence(asked: Asked, verdict: Verdict, driving: Driving) -> Consequence {
    let Some(at) = HOLDING.iter().position(|holding| *holding == verdict) else { return Consequence::GoOn };
    let row = CONSEQUENCES.iter().find(|row| row.asked == asked);
    match (row, driving) {
        (_, Driving::Recording) => Consequence::Recorded,
        (Some(row), Driving::Host) => row.host[at],
        (Some(row), Driving::Agent) => row.agent[at],
        // Nobody forgets a row: a test asks for each. What were forgotten would be looked at.
        (None, _) => Consequence::Review,
    }
}

/// The table as Markdown, for READMEs and terminals.
pub fn verdicts() -> String {
    let mut out = String::from("| slot, asked about | who drives |");
    HOLDING.iter().for_each(|verdict| out.push_str(&format!(" {verdict} |")));
    out.push_str("\n|---|---|---|---|---|---|---|\n");
    for row in CONSEQUENCES {
        let same = row.host == row.agent;
        for (who, consequences) in [(if same { "host or agent" } else { "host" }, row.host), ("agent", row.agent)] {
            if same && who == "agent" {
                continue;
            }
            out.push_str(&format!("| `{}`, {} | {who} |", row.slot, row.about));
            consequences.iter().for_each(|one| out.push_str(&format!(" {} |", one.name())));
            out.push('\n');
        }
    }
    let recorded = consequence(Asked::Action, Verdict::Deny, Driving::Recording).name();
    out.push_str(&format!("| any | recording |{}\n", format!(" {recorded} |").repeat(HOLDING.len())));
    out
}

/// What a finding of the slot `guard` leads to, by its severity, as Markdown.
pub fn severities() -> String {
    let mut out = String::from(
        "| severity | verdict | in a text | in a call, host drives | in a call, agent drives |\n|---|---|---|---|---|\n",
    );
    for severity in Severity::ALL {
        let verdict = severity.verdict();
        let [text, host, agent] =
            [(Asked::Text, Driving::Host), (Asked::Call, Driving::Host), (Asked::Call, Driving::Agent)]
                .map(|(asked, driving)| consequence(asked, verdict, driving).name());
        out.push_str(&format!("| `{}` | {verdict} | {text} | {host} | {agent} |\n", severity.name()));
    }
    out
}

impl Run {
    /// What a verdict leads to in this run.
    pub(super) fn consequence(&self, asked: Asked, verdict: Verdict) -> Consequence {
        let driving = match (self.recorded(), self.agent_drives()) {
            (true, _) => Driving::Recording,
            (false, true) => Driving::Agent,
            (false, false) => Driving::Host,
        };
        match consequence(asked, verdict, driving) {
            // What has long happened is not held up.
            Consequence::Recorded => Consequence::GoOn,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Asked; 10] = [
        Asked::Rating,
        Asked::Text,
        Asked::Call,
        Asked::Task,
        Asked::SubTask,
        Asked::Answer,
        Asked::Action,
        Asked::Worth,
        Asked::Step,
        Asked::Rest,
    ];

    #[test]
    fn every_question_has_one_row_and_what_holds_nothing_up_goes_on() {
        for asked in ALL {
            assert_eq!(CONSEQUENCES.iter().filter(|row| row.asked == asked).count(), 1, "{asked:?}");
            for driving in [Driving::Host, Driving::Agent, Driving::Recording] {
                for verdict in [Verdict::Proceed, Verdict::Log, Verdict::Notify] {
                    assert_eq!(consequence(asked, verdict, driving), Consequence::GoOn);
                }
                for verdict in HOLDING {
                    assert_ne!(consequence(asked, verdict, driving), Consequence::GoOn, "{asked:?} {verdict}");
                }
            }
        }
        assert_eq!(CONSEQUENCES.len(), ALL.len());
    }

    #[test]
    fn a_person_who_must_look_is_never_passed_over_by_a_stricter_verdict() {
        let irrevocable = |one: &Consequence| matches!(one, Consequence::Deny | Consequence::End);
        for row in CONSEQUENCES {
            for consequences in [row.host, row.agent] {
                let first = consequences.iter().position(irrevocable).unwrap_or(consequences.len());
                assert!(first >= 3, "{:?}: only deny and terminate may be irrevocable", row.asked);
            }
        }
    }
}
