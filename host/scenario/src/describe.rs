//! One line for each event: for expectations, and for people.

use countersign_kernel::contract::{Layer, PlanningMode};
use countersign_kernel::{Alarm, Event, Support};

/// The line of an event. Begins with the event's name as traces have it.
pub fn line(event: &Event) -> String {
    let list = |items: &[std::sync::Arc<str>]| items.iter().map(|item| &**item).collect::<Vec<_>>().join(", ");
    match event {
        Event::Moved { from, path, .. } => {
            let path = path.iter().map(|step| format!(" -{}-> {}", step.on, step.to)).collect::<String>();
            format!("moved {from}{path}")
        }
        Event::Scoped { tools, withheld, memories, lapsed, tiers, out_of_reach, .. } => {
            let tiers = tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let mut text = format!("scoped {tools} tools, {memories} memories, tiers [{tiers}]");
            for (what, which) in [("withheld", withheld), ("lapsed", lapsed)] {
                if !which.is_empty() {
                    text.push_str(&format!("; {what} {}", list(which)));
                }
            }
            if !out_of_reach.is_empty() {
                text.push_str(&format!("; out of reach: {}", out_of_reach.join("; ")));
            }
            text
        }
        Event::Finalised { criteria, facts, unverified } => {
            let mut text = format!("finalised: criteria [{}], facts [{}]", supports(criteria), supports(facts));
            if !unverified.is_empty() {
                text.push_str(&format!("; claimed and not verified: {}", list(unverified)));
            }
            text
        }
        Event::Bounded { autonomy, least_autonomy, boundary, .. } => {
            format!("bounded autonomy {autonomy}, least {least_autonomy}, boundary {boundary}")
        }
        Event::Classified { class, tier, planning } => {
            format!("classified {} tier {tier}, {}", class.as_deref().unwrap_or("-"), planning_name(*planning))
        }
        Event::Verdict { slot, verdict, reason, .. } => format!("verdict {slot} {verdict}: {reason}"),
        Event::NotJudged { slot } => format!("not-judged {slot}"),
        Event::SchemaViolation { reason } => format!("schema-violation: {reason}"),
        Event::AnswerSentBack { attempt } => format!("answer-sent-back {attempt}"),
        Event::ModelCalled { tier, model, cached, .. } if *cached > 0 => {
            format!("model-called {tier} {model}, {cached} tokens cached")
        }
        Event::ModelCalled { tier, model, .. } => format!("model-called {tier} {model}"),
        Event::Rerouted { wanted, to, reason } => {
            let to = to.map_or_else(|| "nobody".to_owned(), |to| to.to_string());
            format!("rerouted from {wanted} to {to}: {reason}")
        }
        Event::TagRaised { tag, reason } => format!("tag-raised to {tag}: {reason}"),
        Event::Redacted { tool, parts } => {
            let parts = parts.iter().map(|(kind, number)| format!("{number} {kind}")).collect::<Vec<_>>().join(", ");
            format!("redacted {}: {parts}", tool.as_deref().unwrap_or("the model's words"))
        }
        Event::GapFound { gap } => format!("gap-found {}: {} must {}", gap.tool, gap.who, gap.what),
        // Where there is a trigger the reason begins with it.
        Event::Held { trigger, reason } => match trigger {
            Some(_) => format!("held by {reason}"),
            None => format!("held: {reason}"),
        },
        Event::HoldLifted { by } => format!("hold-lifted by {by}"),
        Event::RoomMade { layer, before, after, reason } => {
            let layer = layer.map_or("branch", layer_name);
            format!("room-made by {layer}, {before} to {after} tokens: {reason}")
        }
        Event::Assigned { id, to, parallel } => {
            let with = if *parallel { ", beside others" } else { "" };
            format!("assigned {id} to {}{with}", to.as_deref().unwrap_or("the run itself"))
        }
        Event::Escalated { from, to, cause, .. } => format!("escalated {from} to {to}: {cause}"),
        Event::Patched { tier } => format!("patched {tier}"),
        Event::Replanned { reason } => format!("replanned: {reason}"),
        Event::Planned { steps } => {
            let ids = steps.iter().map(|step| &*step.id).collect::<Vec<_>>().join(", ");
            format!("planned {}: {ids}", steps.len())
        }
        Event::PlanRefused { problems } => format!("plan-refused: {}", problems.join("; ")),
        Event::Merged { id, into } => format!("merged {id} into {into}"),
        Event::PlanStepDone { id } => format!("plan-step-done {id}"),
        Event::Repairing { attempt, reason } => format!("repairing {attempt}: {reason}"),
        Event::Reflecting { about, passes } => format!("reflecting {passes}: {about}"),
        Event::ReflectionRefused { reason } => format!("reflection-refused: {reason}"),
        Event::Retrying { attempt, wait, reason } => format!("retrying {attempt} after {wait} ms: {reason}"),
        Event::Compressed { before, after, kept, dropped } => {
            let names = |kinds: &[countersign_spec::state::StateKind]| {
                kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
            };
            format!("compressed {before} to {after}: kept {}; dropped {}", names(kept), names(dropped))
        }
        Event::Blocked { tool, stage, response, reason } => {
            format!("blocked {tool} at {} by {}: {reason}", stage.name(), response.name())
        }
        Event::Dispatched { call, tool, idempotency_key, .. } => match idempotency_key {
            Some(key) => format!("dispatched {tool} as call {call} with key {key}"),
            None => format!("dispatched {tool} as call {call}"),
        },
        Event::EvidenceKept { source, at, .. } => format!("evidence-kept of {source} at {at} ms"),
        Event::WriteRefused { state, key, reason } => format!("write-refused {state} {key}: {reason}"),
        Event::MemoryProposed { key } => format!("memory-proposed {key}"),
        Event::MemoryWritten { key, sources, .. } => format!("memory-written {key} from calls {sources:?}"),
        Event::Conflict { fact, first, now } => {
            format!("conflict {fact}: {} says {}, {} says {}", first.1, first.0, now.1, now.0)
        }
        Event::ToolRequired { need } => format!("tool-required {}", need.name()),
        Event::Assumed { tools } => format!("assumed: {}", list(tools)),
        Event::ToolSetAside { tool, .. } => format!("tool-set-aside {tool}"),
        Event::CredentialExpired { tool } => format!("credential-expired {tool}"),
        Event::Incomplete { kind, last_calls, last_output, retried } => {
            let retried = if *retried { ", tried once more" } else { "" };
            format!(
                "incomplete {}{retried}: last calls [{}], last words `{last_output}`",
                kind.name(),
                list(last_calls)
            )
        }
        Event::Deferred { reason } => format!("deferred: {reason}"),
        Event::EscalatedToArchitect { severity, reason } => {
            let severity = match severity {
                Alarm::Warning => "warning",
                Alarm::Critical => "critical",
            };
            format!("escalated-to-architect {severity}: {reason}")
        }
        Event::WillNotSuffice { dimension, lower, left } => {
            format!("will-not-suffice {dimension}: at least {lower}, {left} left")
        }
        Event::BucketRefused { bucket, dimension } => format!("bucket-refused {bucket}: {dimension}"),
        Event::Halted { switch } => format!("halted by {switch}"),
        Event::Approved { by, .. } => format!("approved by {by}"),
        Event::ApprovalJoined { by, reason, .. } => format!("approval-joined by {}: {reason}", list(by)),
        Event::ApprovalSpent { .. } => "approval-spent".to_owned(),
        Event::ApprovalReturned { .. } => "approval-returned".to_owned(),
        Event::ApprovalRequested { approval } => {
            format!("approval-requested {} {}", approval.tool, approval.fingerprint)
        }
        Event::StandingGiven { standing, by } => {
            format!("standing-given {} by {by}: {}", standing.id, standing.in_words())
        }
        Event::StandingApplied { standing, by, reason } => {
            format!("standing-applied {standing} to {}: {reason}", list(by))
        }
        Event::StandingWithdrawn { standing, by } => format!("standing-withdrawn {standing} by {by}"),
        Event::Rejected { by } => format!("rejected by {by}"),
        Event::ApprovalExpired { asked_again, .. } => {
            format!("approval-expired{}", if *asked_again { ", asked again" } else { "" })
        }
        Event::ApprovalUnavailable => "approval-unavailable".to_owned(),
        Event::Resumed { by } => format!("resumed by {by}"),
        Event::Released { dimension, limit, by } => format!("released {dimension} to {limit} by {by}"),
        Event::ReviewDeferred { text } => format!("review-deferred: {text}"),
        Event::FailedClosed { condition, reason } => format!("failed-closed {}: {reason}", condition.name()),
        Event::Committed { fact, .. } => format!("committed {fact}"),
        Event::VerificationFailed { detail, .. } => format!("verification-failed: {detail}"),
        Event::CriterionMet { id } => format!("criterion-met {id}"),
        Event::CriterionLost { id } => format!("criterion-lost {id}"),
        Event::ClaimUnsupported { unmet } => format!("claim-unsupported: {}", list(unmet)),
        Event::BudgetRefused { dimension, demand, left } => {
            format!("budget-refused {dimension}: needs {demand}, {left} left")
        }
        Event::Notified { text } => format!("notified: {text}"),
        Event::WouldHave { verdict, by, reason } => format!("would-have {by} {verdict}: {reason}"),
        Event::Suspended { code, report } => {
            let authority = &report.authority;
            format!("suspended {code} for {}: {}", authority.endpoint, report.reason)
        }
        Event::Ended { code, verified, reason, authority, .. } => {
            let authority = authority.as_ref().map(|authority| format!(" (for {})", authority.endpoint));
            let verified = if *verified { " verified" } else { "" };
            format!("ended {code}{verified}: {reason}{}", authority.unwrap_or_default())
        }
        Event::Withdrawn { call } => format!("withdrawn call {call}"),
        Event::RightWithheld { right } => format!("right-withheld {}", right.name()),
    }
}

fn supports(all: &[Support]) -> String {
    all.iter().map(|one| format!("{} by call {}", one.of, one.call)).collect::<Vec<_>>().join(", ")
}

fn planning_name(planning: PlanningMode) -> String {
    match planning {
        PlanningMode::Act => "act".to_owned(),
        PlanningMode::ActWithReflexion => "act with reflexion".to_owned(),
        PlanningMode::PlanThenExecute => "plan, then execute".to_owned(),
        PlanningMode::ExtendedThinking(tokens) => format!("think for {tokens} tokens"),
    }
}

fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::BudgetReduction => "budget-reduction",
        Layer::Snip => "snip",
        Layer::Microcompact => "microcompact",
        Layer::Collapse => "collapse",
        Layer::FullCompaction => "full-compaction",
    }
}
