//! The words a graph is written in: kinds of node, rules, phases, and which of them go together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An enumeration whose names in files, in traces and in messages come from one place, so that they
/// cannot drift apart.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $Name:ident { $($(#[$word_about:meta])* $Word:ident = $name:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $Name {
            $($(#[$word_about])* #[serde(rename = $name)] $Word,)*
        }

        impl $Name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [$Name] = &[$($Name::$Word,)*];

            /// As it is written in files and traces.
            pub fn name(self) -> &'static str {
                match self { $($Name::$Word => $name,)* }
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

words! {
    /// What happens at a node.
    pub enum NodeKind {
        /// Takes the request and turns it into a goal.
        Intake = "intake",
        /// Finds the class of the task, its tier and its planning mode.
        Classify = "classify",
        /// Resolves tenant, authority, tools and policy.
        Scope = "scope",
        /// Sets up the task state, the budget and the boundary.
        StateInit = "state-init",
        /// Drafts or changes the plan.
        Plan = "plan",
        /// Checks the plan against tools, scope, budget and risk.
        PlanValidation = "plan-validation",
        /// Chooses the next action of the plan.
        ActionSelection = "action-selection",
        /// Decides whether the chosen call may run.
        ToolEligibility = "tool-eligibility",
        /// Runs the call.
        ToolInvocation = "tool-invocation",
        /// Keeps what came back, before anybody reads anything into it.
        ObservationCapture = "observation-capture",
        /// Checks what came back.
        ObservationVerification = "observation-verification",
        /// Tries to put a failure right.
        Repair = "repair",
        /// Waits for the user to say more.
        AskUser = "ask-user",
        /// Waits for a person, a stronger model or a review queue.
        Escalate = "escalate",
        /// Commits what was verified.
        StateUpdate = "state-update",
        /// Decides whether the goal is reached, out of reach, or still ahead.
        CompletionCheck = "completion-check",
        /// Puts the answer together from what was committed.
        Finalise = "finalise",
        /// Decides what long-term memory keeps.
        MemoryWrite = "memory-write",
        /// Closes the run.
        Terminate = "terminate",
    }
}

words! {
    /// The phases of the step loop (document 003), in their order.
    pub enum LoopPhase {
        /// The request becomes a goal.
        GoalIntake = "goal-intake",
        /// Tenant, authority and limits are resolved.
        ScopeResolution = "scope-resolution",
        /// The goal is held against the policies of the organisation.
        PolicyCheck = "policy-check",
        /// The task state is set up.
        StateInit = "state-init",
        /// A plan is made.
        PlanSelection = "plan-selection",
        /// The run gets its budget.
        BudgetAssignment = "budget-assignment",
        /// A call is held against registry and permissions.
        ToolEligibility = "tool-eligibility",
        /// The next action is chosen.
        ActionSelection = "action-selection",
        /// A call is made.
        ToolInvocation = "tool-invocation",
        /// Its result is kept and verified.
        ObservationGrounding = "observation-grounding",
        /// What was verified is committed.
        StateUpdate = "state-update",
        /// The step is held against the acceptance criteria.
        ValidationCheck = "validation-check",
        /// A failure is diagnosed and corrected.
        ReflectionTrigger = "reflection-trigger",
        /// The conditions for stopping are checked.
        TerminationCheck = "termination-check",
        /// The run is handed to somebody.
        EscalationCheck = "escalation-check",
        /// The answer is put together.
        FinalResponse = "final-response",
        /// Long-term memory is updated.
        MemoryWrite = "memory-write",
        /// The trace is closed.
        TraceLogging = "trace-logging",
    }
}

words! {
    /// How a node ended. Each is found by the kernel from recorded inputs; a model cannot choose one.
    pub enum Exit {
        /// The request is a goal; or a person accepts the result as it stands.
        Accepted = "accepted",
        /// The request, the scope, the manifest or the call is not allowed.
        Refused = "refused",
        /// The task has a class.
        Classified = "classified",
        /// The goal can be read in several ways.
        Ambiguous = "ambiguous",
        /// Authority and tools are known.
        Resolved = "resolved",
        /// The task state is there.
        Initialised = "initialised",
        /// There is a plan.
        Drafted = "drafted",
        /// No plan can be made.
        Abandoned = "abandoned",
        /// A model, a tool, a verifier or a person cannot be reached.
        Unavailable = "unavailable",
        /// The plan holds.
        Valid = "valid",
        /// The plan does not hold and may be made anew.
        Invalid = "invalid",
        /// No repair, no new plan or no reflection is left.
        Exhausted = "exhausted",
        /// A policy stopped the run.
        Unsafe = "unsafe",
        /// A call was chosen.
        Selected = "selected",
        /// The model handed in a plan instead of a call.
        Planned = "planned",
        /// The model says it is done.
        Finished = "finished",
        /// The model neither acts nor says it is done.
        Idle = "idle",
        /// The reply or the arguments do not have the form asked for.
        Malformed = "malformed",
        /// A policy finds that the run gets nowhere.
        Stuck = "stuck",
        /// The answer is not trusted enough to act on.
        Untrusted = "untrusted",
        /// The next action is not worth it, or should be thought over.
        Doubtful = "doubtful",
        /// A policy gives the run to somebody else.
        HandedOver = "handed-over",
        /// The call may run.
        Eligible = "eligible",
        /// The call needs what only the user can say.
        MissingInformation = "missing-information",
        /// The call waits for an approval.
        ApprovalRequired = "approval-required",
        /// The call waits for a review.
        ReviewRequired = "review-required",
        /// The run has no authority for the call, and no other way.
        Unauthorised = "unauthorised",
        /// The tool or the user has answered.
        Answered = "answered",
        /// The result is kept.
        Captured = "captured",
        /// The result is what it should be.
        Verified = "verified",
        /// Nothing verifies the result, so that nothing is committed.
        Unverified = "unverified",
        /// The call failed, or its result is not what it should be.
        Failed = "failed",
        /// A credential, an approval or a question ran out of time.
        Expired = "expired",
        /// The result no longer has the form its parser knows.
        Drifted = "drifted",
        /// There is something to try.
        Repairable = "repairable",
        /// The run repeats itself and may try another way.
        Looping = "looping",
        /// No further attempt can help.
        Hopeless = "hopeless",
        /// The user takes the request back.
        Withdrawn = "withdrawn",
        /// A person has changed state or arguments.
        Patched = "patched",
        /// A person allows the call.
        Approved = "approved",
        /// A stronger model or a reviewer has made another proposal.
        Revised = "revised",
        /// A person gives more budget or lifts a stop.
        Released = "released",
        /// A person says no.
        Rejected = "rejected",
        /// The task state has a new version.
        Updated = "updated",
        /// There is more to do.
        Incomplete = "incomplete",
        /// Every acceptance criterion is verified.
        Complete = "complete",
        /// Some criteria are verified and the rest will not be.
        Partial = "partial",
        /// Success is claimed without a verified observation.
        Ungrounded = "ungrounded",
        /// Sources contradict each other.
        Conflicting = "conflicting",
        /// The answer is put together.
        Finalised = "finalised",
        /// Memory has what it should keep.
        Written = "written",
        /// Somebody stopped the run.
        Cancelled = "cancelled",
        /// The running time or the deadline is over.
        TimedOut = "timed-out",
        /// A dimension of the budget is used up.
        OverBudget = "over-budget",
        /// A kill switch is on.
        Halted = "halted",
    }
}

/// One way a node of a kind can end, and which kinds of node may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How it ended.
    pub on: Exit,
    /// What may follow: only kinds whose needs are met then. The first is what the default graph has.
    pub to: &'static [NodeKind],
}

macro_rules! exits {
    ($($on:ident => [$($to:ident),+],)*) => {
        &[$(Ending { on: Exit::$on, to: &[$(NodeKind::$to),+] },)*]
    };
}

/// What may happen at any node, and where it may lead.
pub const INTERRUPTS: &[Ending] = exits! {
    Cancelled => [Terminate],
    TimedOut => [Terminate, Escalate],
    OverBudget => [Terminate, Escalate],
    Unsafe => [Terminate, Escalate],
    Halted => [Escalate, Terminate],
};

impl LoopPhase {
    /// From 1 to 18, as the document numbers them.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl NodeKind {
    /// The phases that take place at a node of this kind. What happens at a node is the kernel's, so whoever
    /// writes a graph does not say it.
    pub fn phases(self) -> &'static [LoopPhase] {
        match self {
            NodeKind::Intake => &[LoopPhase::GoalIntake],
            NodeKind::Classify => &[LoopPhase::GoalIntake, LoopPhase::PolicyCheck],
            NodeKind::Scope => &[LoopPhase::ScopeResolution],
            NodeKind::StateInit => &[LoopPhase::StateInit, LoopPhase::BudgetAssignment],
            NodeKind::Plan | NodeKind::PlanValidation => &[LoopPhase::PlanSelection],
            NodeKind::ActionSelection => &[LoopPhase::ActionSelection],
            NodeKind::ToolEligibility => &[LoopPhase::ToolEligibility],
            NodeKind::ToolInvocation => &[LoopPhase::ToolInvocation],
            NodeKind::ObservationCapture => &[LoopPhase::ObservationGrounding],
            NodeKind::ObservationVerification => &[LoopPhase::ObservationGrounding, LoopPhase::ValidationCheck],
            NodeKind::Repair => &[LoopPhase::ReflectionTrigger],
            NodeKind::AskUser | NodeKind::Escalate => &[LoopPhase::EscalationCheck],
            NodeKind::StateUpdate => &[LoopPhase::StateUpdate],
            NodeKind::CompletionCheck => &[LoopPhase::ValidationCheck, LoopPhase::TerminationCheck],
            NodeKind::Finalise => &[LoopPhase::FinalResponse],
            NodeKind::MemoryWrite => &[LoopPhase::MemoryWrite],
            NodeKind::Terminate => &[LoopPhase::TraceLogging],
        }
    }

    /// Every way a node of this kind can end. A terminal node has none.
    pub fn exits(self) -> &'static [Ending] {
        match self {
            NodeKind::Intake => exits! {
                Accepted => [Classify],
                Refused => [Terminate],
            },
            NodeKind::Classify => exits! {
                Classified => [Scope],
                Ambiguous => [AskUser, Terminate],
                Refused => [Terminate],
            },
            NodeKind::Scope => exits! {
                Resolved => [StateInit],
                Refused => [Terminate],
            },
            NodeKind::StateInit => exits! {
                Initialised => [Plan],
                Refused => [Terminate],
            },
            NodeKind::Plan => exits! {
                Drafted => [PlanValidation],
                Abandoned => [Terminate, Escalate, AskUser],
                Unavailable => [Terminate, Escalate],
            },
            NodeKind::PlanValidation => exits! {
                Valid => [ActionSelection],
                Invalid => [Plan, Escalate, Terminate],
                Exhausted => [Escalate, Terminate],
                Unsafe => [Terminate, Escalate],
            },
            NodeKind::ActionSelection => exits! {
                Selected => [ToolEligibility],
                Planned => [PlanValidation],
                Finished => [CompletionCheck],
                Idle => [CompletionCheck],
                Malformed => [Escalate, Repair, Terminate],
                Stuck => [Escalate, AskUser, Terminate],
                Untrusted => [Escalate, Repair, Terminate],
                Doubtful => [Plan, Repair],
                HandedOver => [Escalate, Terminate],
                Unavailable => [Terminate, Escalate],
                Unsafe => [Terminate, Escalate],
            },
            NodeKind::ToolEligibility => exits! {
                Eligible => [ToolInvocation],
                Malformed => [Repair, AskUser, Terminate],
                MissingInformation => [AskUser, Repair, Terminate],
                Refused => [CompletionCheck, Repair, Terminate],
                ApprovalRequired => [Escalate, Terminate],
                ReviewRequired => [Escalate, Terminate],
                Unauthorised => [Terminate, Escalate],
                Doubtful => [Repair, CompletionCheck],
                Unsafe => [Terminate, Escalate],
            },
            NodeKind::ToolInvocation => exits! {
                Answered => [ObservationCapture],
            },
            NodeKind::ObservationCapture => exits! {
                Captured => [ObservationVerification],
            },
            NodeKind::ObservationVerification => exits! {
                Verified => [StateUpdate],
                Unverified => [CompletionCheck],
                Failed => [Repair, Escalate, Terminate],
                Unavailable => [Repair, Escalate, Terminate],
                Expired => [Escalate, Terminate],
                Drifted => [Escalate, Repair, Terminate],
            },
            NodeKind::Repair => exits! {
                Repairable => [Plan],
                Exhausted => [Escalate, Terminate],
                Looping => [Plan, Escalate, Terminate],
                Stuck => [Escalate, Terminate],
                Hopeless => [Terminate, Escalate],
            },
            NodeKind::AskUser => exits! {
                Answered => [Scope, Plan],
                Withdrawn => [Terminate],
                Expired => [Terminate],
            },
            NodeKind::Escalate => exits! {
                Patched => [ActionSelection, Plan],
                Approved => [ActionSelection],
                Revised => [ActionSelection, Plan],
                Accepted => [Finalise],
                Released => [ActionSelection, Plan],
                Rejected => [Terminate, Plan],
                Expired => [Terminate, Plan],
                Unavailable => [Terminate],
            },
            NodeKind::StateUpdate => exits! {
                Updated => [CompletionCheck],
            },
            NodeKind::CompletionCheck => exits! {
                Incomplete => [Plan],
                Complete => [Finalise],
                Partial => [Finalise, Terminate],
                Ungrounded => [Plan, Escalate, Terminate],
                Exhausted => [Escalate, Terminate],
                Looping => [Plan, Escalate, Terminate],
                Stuck => [Escalate, Terminate],
                Conflicting => [Escalate, Terminate],
                Hopeless => [Terminate, Escalate],
            },
            NodeKind::Finalise => exits! {
                Finalised => [MemoryWrite, Terminate],
            },
            NodeKind::MemoryWrite => exits! {
                Written => [Terminate],
            },
            NodeKind::Terminate => &[],
        }
    }

    /// What may follow a node of this kind on an exit; none where it cannot end so.
    pub fn exit(self, on: Exit) -> Option<&'static Ending> {
        self.exits().iter().find(|way| way.on == on)
    }

    /// Whether the run ends here.
    pub fn is_terminal(self) -> bool {
        self == NodeKind::Terminate
    }

    /// Whether what happens here belongs to one call that came back, and not to the loop around it.
    pub fn is_of_a_call(self) -> bool {
        matches!(self, NodeKind::ObservationCapture | NodeKind::ObservationVerification | NodeKind::StateUpdate)
    }

    /// Whether the run may be suspended here until somebody answers.
    pub fn waits(self) -> bool {
        matches!(self, NodeKind::AskUser | NodeKind::Escalate)
    }

    /// Whether every visit uses up some of the budget, so that a cycle through it comes to an end.
    pub fn spends(self) -> bool {
        matches!(
            self,
            NodeKind::Plan
                | NodeKind::ActionSelection
                | NodeKind::ToolInvocation
                | NodeKind::Repair
                | NodeKind::AskUser
                | NodeKind::Escalate
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case_and_unique() {
        let lists = [
            NodeKind::ALL.iter().map(|word| word.name()).collect::<Vec<_>>(),
            LoopPhase::ALL.iter().map(|word| word.name()).collect(),
            Exit::ALL.iter().map(|word| word.name()).collect(),
        ];
        for list in lists {
            assert!(list.iter().all(|name| name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())));
            assert_eq!(list.iter().collect::<std::collections::BTreeSet<_>>().len(), list.len());
        }
        assert_eq!((NodeKind::ALL.len(), LoopPhase::ALL.len()), (19, 18));
    }

    #[test]
    fn every_phase_takes_place_at_some_kind_of_node() {
        for (at, phase) in LoopPhase::ALL.iter().enumerate() {
            assert_eq!(usize::from(phase.number()), at + 1);
            assert!(NodeKind::ALL.iter().any(|kind| kind.phases().contains(phase)), "no node stands for `{phase}`");
        }
    }

    #[test]
    fn an_enumeration_is_read_by_the_name_it_prints() {
        for exit in Exit::ALL {
            assert_eq!(serde_json::to_value(exit).ok(), Some(exit.name().into()));
        }
        for kind in NodeKind::ALL {
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.name().into()));
        }
    }

    #[test]
    fn every_guard_is_given_by_some_kind_and_at_most_once() {
        let mut given: Vec<Exit> = INTERRUPTS.iter().map(|way| way.on).collect();
        for kind in NodeKind::ALL {
            let mut own: Vec<Exit> = kind.exits().iter().map(|way| way.on).collect();
            given.extend(&own);
            own.sort();
            own.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1], "{kind}"));
        }
        for exit in Exit::ALL {
            assert!(given.contains(exit), "no node gives `{exit}`");
        }
    }

    /// Whatever targets a graph picks, no cycle is free: this is what the second check relies on.
    #[test]
    fn no_cycle_of_permitted_kinds_is_without_a_kind_that_spends() {
        fn visit(kind: NodeKind, path: &mut Vec<NodeKind>) {
            assert!(!path.contains(&kind), "{path:?} turns back to {kind}");
            if kind.spends() {
                return;
            }
            path.push(kind);
            kind.exits().iter().flat_map(|exit| exit.to).for_each(|&to| visit(to, path));
            path.pop();
        }
        NodeKind::ALL.iter().for_each(|&kind| visit(kind, &mut Vec::new()));
    }
}
