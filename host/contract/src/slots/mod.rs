//! The slots: the one list of them, what is made from it here, and the records of each, one module a slot.

pub mod classifier;
pub mod confidence;
pub mod context;
pub mod dispatch;
pub mod doom_loop;
pub mod estimator;
pub mod guard;
pub mod remediation;
pub mod risk;
pub mod sensitivity;
pub mod threshold;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Cause, Verdict, Violation};

// What a run keeps and shows of slots' answers and questions is named without its slot.
pub use classifier::{Classification, PastOutcomes, PlanningMode};
pub use context::Layer;
pub use dispatch::Specialist;
pub use doom_loop::{Failure, ObservedStep};
pub use guard::{Direction, Finding, FindingKind};
pub use threshold::{AuthorityGap, Trigger};

/// Hands the list of slots to a macro, in the order in which one step comes to them first. Tokens after the
/// macro's name are handed to it ahead of the rows. A row is
///
/// ```text
/// { /// What its policies say.
///   Slot module "name-in-the-wit": function(Question) -> Answer, Join, Asked }
/// ```
///
/// where `Question` and `Answer` are the records of `countersign_contract::module`. A macro that needs less
/// of a row takes the rest as it is.
#[macro_export]
macro_rules! slots {
    ($then:ident $($given:tt)*) => {
        $then! {
            $($given)*
            { /// How sensitive a text is.
              Sensitivity sensitivity "sensitivity": rate(Text) -> Rating, Highest, HostDriven }
            { /// Whether a text or a call is hostile or leaks.
              Guard guard "guard": inspect(Transit) -> Inspection, Union, Everywhere }
            { /// Tier and planning mode.
              Classifier classifier "classifier": classify(Task) -> Classification, One, HostDriven }
            { /// Who does a sub-task.
              Dispatch dispatch "dispatch": assign(SubTask) -> Assigned, One, HostDriven }
            { /// Pressure on the context.
              Context context "context": compact(Pressure) -> Compaction, One, HostDriven }
            { /// Trust in an answer.
              Confidence confidence "confidence": judge(Statement) -> Trust, Highest, Everywhere }
            { /// Risk of an action.
              Risk risk "risk": judge(ProposedAction) -> Assessment, Highest, Everywhere }
            { /// Whether the agent can mend an error.
              Remediation remediation "remediation": classify(FailedCall) -> Remedy, Highest, Everywhere }
            { /// Progress of the run.
              DoomLoop doom_loop "doom-loop": observe(ObservedStep) -> Signal, Highest, Everywhere }
            { /// Whether the next action is worth it.
              Threshold threshold "threshold": assess(Ledger) -> Assessment, Highest, Everywhere }
            { /// What the rest will cost.
              Estimator estimator "estimator": estimate(Progress) -> Forecast, Hull, HostDriven }
        }
    };
}

/// What the policies of a slot answer.
pub trait Answer: Sized {
    /// What they are asked.
    type Question;

    /// Whether the contract allows it as the answer to this question.
    ///
    /// # Errors
    /// The first field that breaks it.
    fn check(&self, asked: &Self::Question) -> Result<(), Violation>;

    /// What the host does, as the slot documents it.
    fn verdict(&self) -> Verdict;

    /// The policy's own words.
    fn reason(&self) -> &str;

    /// Bytes of text in it, as far as the host limits them.
    fn bytes(&self) -> usize {
        self.reason().len()
    }

    /// The one number that says most of it, 0..=1, where there is one.
    fn score(&self) -> Option<f64> {
        None
    }

    /// Of several scores the lowest is the one that counts; else the highest.
    const LOWEST_COUNTS: bool = false;

    /// The words that [`word`](Answer::word) may give, least restrictive first.
    const WORDS: &'static [&'static str] = &[];

    /// It in one word, where it comes to one.
    fn word(&self) -> Option<&'static str> {
        None
    }

    /// It without the policy's own words: what may stand where no text may.
    #[must_use]
    fn without_words(&self) -> Self;
}

/// How the answers of several policies in a slot become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// The most restrictive counts, and the highest tag or score with it.
    Highest,
    /// What any of them found was found.
    Union,
    /// The interval that holds all of theirs.
    Hull,
    /// One policy answers.
    One,
}

/// Where a slot is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Whoever owns the loop.
    Everywhere,
    /// Where the host drives: an agent that owns its loop has nobody to classify its task or compose its
    /// requests, and nobody knows how much of the task is left.
    HostDriven,
}

macro_rules! define {
    ($({ $(#[$doc:meta])* $slot:ident $module:ident $name:literal: $function:ident($question:ident) -> $answer:ident, $join:ident, $asked:ident })+) => {
        /// A decision of the loop that policies make.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Slot {
            $($(#[$doc])* #[serde(rename = $name)] $slot,)+
        }

        impl Slot {
            /// In the order in which one step comes to them first.
            pub const ALL: [Slot; [$($name),+].len()] = [$(Slot::$slot),+];

            /// As interfaces, bundles and traces name it.
            pub const fn name(self) -> &'static str {
                match self { $(Slot::$slot => $name),+ }
            }

            /// The function that the slot's interface has.
            pub const fn function(self) -> &'static str {
                match self { $(Slot::$slot => stringify!($function)),+ }
            }

            /// How several answers become one.
            pub const fn join(self) -> Join {
                match self { $(Slot::$slot => Join::$join),+ }
            }

            /// Who is asked it.
            pub const fn asked(self) -> Asked {
                match self { $(Slot::$slot => Asked::$asked),+ }
            }

            /// Of several scores the lowest is the one that counts; else the highest.
            pub const fn lowest_counts(self) -> bool {
                match self { $(Slot::$slot => <$module::$answer as Answer>::LOWEST_COUNTS),+ }
            }

            /// The words that a policy may answer with, least restrictive first; none where its answer is
            /// more than a word.
            pub const fn words(self) -> &'static [&'static str] {
                match self { $(Slot::$slot => <$module::$answer as Answer>::WORDS),+ }
            }
        }

        /// What a policy is asked, by slot.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Question {
            $($(#[$doc])* #[serde(rename = $name)] $slot(crate::$module::$question),)+
        }

        impl Question {
            /// The slot that is asked.
            pub fn slot(&self) -> Slot {
                match self { $(Question::$slot(_) => Slot::$slot),+ }
            }
        }

        impl crate::identity::Encode for Question {
            fn encode(&self, out: &mut Vec<u8>) {
                crate::identity::Encode::encode(self.slot().name(), out);
                match self { $(Question::$slot(asked) => crate::identity::Encode::encode(asked, out)),+ }
            }
        }

        $(impl From<crate::$module::$question> for Question {
            fn from(asked: crate::$module::$question) -> Self {
                Question::$slot(asked)
            }
        }

        impl From<crate::$module::$answer> for Answered {
            fn from(answer: crate::$module::$answer) -> Self {
                Answered::$slot(answer)
            }
        })+

        /// What came of asking, by slot.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Answered {
            $($(#[$doc])* #[serde(rename = $name)] $slot(crate::$module::$answer),)+
            /// The policy could not decide. Not a decision: the slot's failure verdict applies.
            #[serde(rename = "undecided")]
            Undecided(Cause),
        }

        impl Answered {
            /// Whether the contract allows it as the answer to a question.
            ///
            /// # Errors
            /// The first field that breaks it.
            pub fn check(&self, question: &Question) -> Result<(), Violation> {
                match (self, question) {
                    $((Answered::$slot(answer), Question::$slot(asked)) => answer.check(asked),)+
                    (Answered::Undecided(_), _) => Ok(()),
                    _ => Err(crate::violation::other("answer", "the answer of the slot that was asked")),
                }
            }

            /// The verdict, as the slot documents it; none when undecided.
            pub fn verdict(&self) -> Option<Verdict> {
                match self {
                    $(Answered::$slot(answer) => Some(answer.verdict()),)+
                    Answered::Undecided(_) => None,
                }
            }

            /// The policy's own words.
            pub fn reason(&self) -> &str {
                match self {
                    $(Answered::$slot(answer) => answer.reason(),)+
                    Answered::Undecided(cause) => cause.name(),
                }
            }

            /// The one number that says most of it, where there is one.
            pub fn score(&self) -> Option<f64> {
                match self {
                    $(Answered::$slot(answer) => answer.score(),)+
                    Answered::Undecided(_) => None,
                }
            }

            /// It in one word, of [`Slot::words`]; none where it comes to none.
            pub fn word(&self) -> Option<&'static str> {
                match self {
                    $(Answered::$slot(answer) => answer.word(),)+
                    Answered::Undecided(_) => None,
                }
            }

            /// It without the policy's own words; none when undecided.
            pub fn without_words(&self) -> Option<Self> {
                match self {
                    $(Answered::$slot(answer) => Some(Answered::$slot(answer.without_words())),)+
                    Answered::Undecided(_) => None,
                }
            }

            /// Bytes of text in it, as far as the host limits them.
            pub fn bytes(&self) -> usize {
                match self {
                    $(Answered::$slot(answer) => answer.bytes(),)+
                    Answered::Undecided(_) => 0,
                }
            }
        }
    };
}

slots!(define);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No slot has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchSlot;

impl fmt::Display for NoSuchSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such slot, one of {}", Slot::ALL.map(Slot::name).join(", "))
    }
}

impl std::error::Error for NoSuchSlot {}

impl FromStr for Slot {
    type Err = NoSuchSlot;

    fn from_str(name: &str) -> Result<Self, NoSuchSlot> {
        Slot::ALL.into_iter().find(|slot| slot.name() == name).ok_or(NoSuchSlot)
    }
}
