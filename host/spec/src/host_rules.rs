//! The host's own rules, as data: each can be set, and each can be switched off by whoever
//! answers for a deployment. Ceilings cannot (design §7).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::ToolCategory;
use crate::tool::ApprovalRule;

/// Settings of the host's rules. Defaults are those of document 003 where it gives a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HostRules {
    /// The same call may come so often in a row; the next one is blocked. 0 is no limit. Default 15:
    /// the default doom-loop policy has tripped three times by then, at every fourth.
    pub repeated_calls: u32,
    /// Where the agent owns its loop: the same call may fail so often in a row, busy services apart; then
    /// it is not made again before something else succeeds. 0 is no limit. Default 3 (document 001,
    /// part 6.2). Where the host drives, repairs and escalation come first.
    pub failing_calls: u32,
    /// A change that is not idempotent and was made once, or may have been, is not made again with the
    /// very same arguments: the first repeat is refused, the next one waits for a person. It is no repeat once
    /// something else was changed, a person has spoken, or `repetition_window` has passed.
    pub duplicate_actions: bool,
    /// Milliseconds within which the same call is a repetition of the last one (document 003, "within a short
    /// interval"). 0 is as long as the run. Default 300,000.
    pub repetition_window: u64,
    /// Milliseconds from which the same reading, asked again while its answer says that something is still under
    /// way, waits for it and is no loop. 0 is never. Default 5,000.
    pub waiting_interval: u64,
    /// What the goal's criteria, the task's own plan and what must come from a tool need is in reach when the
    /// run begins, or it ends before anything is spent.
    pub reachable_goal: bool,
    /// A plan's tools must belong to the task, and its steps fit into the budget.
    pub plan_validation: bool,
    /// Where there is a plan, calls follow it.
    pub plan_adherence: bool,
    /// Steps must not wait for themselves.
    pub acyclic_plans: bool,
    /// Sub-tasks of equal signature are merged.
    pub unique_sub_tasks: bool,
    /// Levels of sub-tasks; default 2.
    pub sub_task_depth: u32,
    /// Times in a row that a plan may be sent back; default 2.
    pub plan_repairs: u32,
    /// Times in a row that a model is told what is wrong with the form of its answer, and asked again, before a stronger
    /// one or a person is; default 2, 0 is never. Each is a call like any other.
    pub answer_repairs: u32,
    /// Repairs in a row after a failing tool; default 2. The smaller of this and what is left of
    /// the budget's retries counts.
    pub repairs: u32,
    /// Passes of reflection after a failed validation; default 1.
    pub validation_reflections: u32,
    /// Passes of cross-checking after a conflict of sources; default 1.
    pub conflict_reflections: u32,
    /// Reflection happens on a diagnosis only, not because a model likes to.
    pub diagnosed_reflection: bool,
    /// Claims must be supported by what tools were seen to do.
    pub grounded_claims: bool,
    /// Success needs every criterion verified.
    pub verified_completion: bool,
    /// The run ends once every criterion is verified.
    pub stop_when_complete: bool,
    /// Facts that two sources give differently stop the run.
    pub source_conflicts: bool,
    /// Facts that a tool needs fresh must be fresh.
    pub fresh_facts: bool,
    /// The cheaper of two tools that do the same goes first.
    pub least_tool: bool,
    /// Percent of the context budget at which a request is compressed; default 80, 0 is never.
    pub context_gate: u32,
    /// Memories need sources that were verified.
    pub memory_sources: bool,
    /// Memories are written after a verified success only.
    pub memory_after_verification: bool,
    /// Milliseconds that a memory counts; default 90 days, 0 is for ever.
    pub memory_tenure: u64,
    /// A credential that stops working after it has worked pauses the run.
    pub credential_expiry: bool,
    /// Results that no longer have their form before the tool is not called again; default 1, 0 is
    /// no limit.
    pub parser_drift: u32,
    /// What becomes of a cycle that ends without a terminal tool, where there are any.
    pub terminal_tools: TerminalTools,
    /// Denied tries of a call, or of a tool outside the boundary, before the run ends; default 2, 0 is
    /// no limit. Three times as many different ones end it too.
    pub denials: u32,
    /// Calls in a row that the pipeline may refuse before somebody else takes over; default 5, 0 is no
    /// limit.
    pub refusals: u32,
    /// By category, when a person must approve; a category that is not named keeps its default.
    #[serde(deserialize_with = "over_defaults")]
    pub approvals: BTreeMap<ToolCategory, ApprovalRule>,
    /// Milliseconds of the run's time that an approval may take; default 24 hours.
    pub approval_expiry: u64,
    /// Times that an expired approval is asked for again; default 1.
    pub approval_reasks: u32,
    /// Notices of low severity that a run may send to reviewers; none is no limit.
    pub review_capacity: Option<u32>,
    /// How calls that could not be made are tried again.
    pub retry: Retry,
}

/// What becomes of a cycle that ends well in its own words, without a terminal tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalTools {
    /// Nothing: it counts as complete.
    Off,
    /// It is incomplete.
    Required,
    /// It is tried once more with a directive, then it is incomplete.
    RequiredWithRetry,
}

/// Exponential back-off with jitter from the run's seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Retry {
    /// Tries after the first; default 2.
    pub attempts: u32,
    /// Milliseconds before the first of them; default 500. Each next waits twice as long.
    pub base: u64,
    /// Milliseconds that a wait takes at most; default 30,000.
    pub most: u64,
    /// Percent of a wait that jitter may add; default 50.
    pub jitter: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 2, base: 500, most: 30_000, jitter: 50 }
    }
}

impl Retry {
    /// Milliseconds before try number `attempt`, from 1. The same seed and attempt, the same wait.
    pub fn wait(&self, seed: u64, attempt: u32) -> u64 {
        let doubled = self.base.saturating_mul(1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX));
        let wait = doubled.min(self.most);
        let room = wait.saturating_mul(u64::from(self.jitter)) / 100;
        let jitter = if room == 0 { 0 } else { mix(seed ^ u64::from(attempt)) % (room + 1) };
        wait.saturating_add(jitter)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a number that looks random and follows from another.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Default for HostRules {
    fn default() -> Self {
        HostRules {
            repeated_calls: 15,
            failing_calls: 3,
            duplicate_actions: true,
            repetition_window: 300_000,
            waiting_interval: 5_000,
            reachable_goal: true,
            plan_validation: true,
            plan_adherence: true,
            acyclic_plans: true,
            unique_sub_tasks: true,
            sub_task_depth: 2,
            plan_repairs: 2,
            answer_repairs: 2,
            repairs: 2,
            validation_reflections: 1,
            conflict_reflections: 1,
            diagnosed_reflection: true,
            grounded_claims: true,
            verified_completion: true,
            stop_when_complete: true,
            source_conflicts: true,
            fresh_facts: true,
            least_tool: true,
            context_gate: 80,
            memory_sources: true,
            memory_after_verification: true,
            memory_tenure: 90 * 24 * 3_600_000,
            credential_expiry: true,
            parser_drift: 1,
            terminal_tools: TerminalTools::RequiredWithRetry,
            denials: 2,
            refusals: 5,
            approvals: default_approvals(),
            approval_expiry: 24 * 3_600_000,
            approval_reasks: 1,
            review_capacity: None,
            retry: Retry::default(),
        }
    }
}

fn over_defaults<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<ToolCategory, ApprovalRule>, D::Error> {
    let mut approvals = default_approvals();
    approvals.extend(BTreeMap::<ToolCategory, ApprovalRule>::deserialize(deserializer)?);
    Ok(approvals)
}

/// Default approvals of the ten categories (document 003, tool policy matrix).
pub fn default_approvals() -> BTreeMap<ToolCategory, ApprovalRule> {
    use ApprovalRule::{Destructive, Mutating, Never};
    BTreeMap::from([
        (ToolCategory::ReadOnlyLookup, Never),
        (ToolCategory::Retrieval, Never),
        (ToolCategory::LiveApi, Mutating),
        (ToolCategory::Sandbox, Never),
        (ToolCategory::FileSystem, Destructive),
        (ToolCategory::Database, Mutating),
        (ToolCategory::Communication, Mutating),
        (ToolCategory::Payment, Mutating),
        (ToolCategory::Infrastructure, Mutating),
        (ToolCategory::ReviewQueue, Never),
    ])
}
