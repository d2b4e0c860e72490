//! A run on the terminal, step by step.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use countersign::Observer;
use countersign::engine::Outcome;
use countersign::kernel::{Action, Answered, Closed, Decision, Event, Input, Reply, Run, Slot, Usage, Wrapping};
use countersign::mcp::ToolsReport;
use countersign_scenario as scenario;

use crate::style::{self, BAD, GOOD, MIND, QUIET, STRONG, line, number, styled};
use crate::verdict_text;

/// Shows each step as it happens.
#[derive(Default)]
pub struct Screen {
    step: u64,
    /// Size of the last packet, in tokens.
    pub packet: Option<u64>,
    score: Option<f64>,
    /// Why the policies of the frame said what they said.
    reasons: Vec<(Slot, Arc<str>, String)>,
    /// What the thresholds of the frame weighed, each with its entry.
    weighed: VecDeque<(Slot, Arc<str>, String)>,
    failures: Vec<(String, String)>,
}

impl Observer for Screen {
    fn tools(&mut self, report: &ToolsReport) {
        style::tools(report);
    }

    fn judged(&mut self, entry: &str, outcome: &Outcome, _: Duration) {
        if let Some(failure) = &outcome.failure {
            self.failures.push((entry.to_owned(), failure.clone()));
        }
    }

    fn frame(&mut self, _: &Run, closed: &Closed) {
        let frame = &closed.frame;
        self.input(&frame.input, closed.said.as_deref());
        for (_, failure) in self.failures.drain(..) {
            crate::say!("      {} {}", styled(BAD, "undecided"), line(&failure, 110));
        }
        self.score = frame.judgements.iter().find_map(|judgement| match &judgement.answer {
            Answered::Confidence(trust) => trust.score,
            _ => None,
        });
        let reasons = frame.judgements.iter();
        self.reasons = reasons.map(|one| (one.slot, Arc::clone(&one.entry), one.answer.reason().to_owned())).collect();
        let weighed = frame.judgements.iter();
        let weighed =
            weighed.filter_map(|one| Some((one.slot, Arc::clone(&one.entry), verdict_text::terms(&one.answer)?)));
        self.weighed = weighed.collect();
        for event in &frame.events {
            self.event(event);
        }
    }
}

impl Screen {
    fn input(&mut self, input: &Input, said: Option<&str>) {
        match input {
            Input::Replied { reply, usage, .. } => {
                self.reply(reply, said);
                for (what, text) in beside_the_reply(reply, usage) {
                    tell(what, &text);
                }
            }
            Input::Observed { observation, .. } => {
                let size = if observation.bytes == 0 { "nothing".to_owned() } else { line(&observation.text, 70) };
                let outcome = match observation.outcome {
                    countersign::kernel::Outcome::Returned { exit_code: Some(code), .. } => format!("exit {code}"),
                    countersign::kernel::Outcome::Returned { ok: true, .. } => "answered".to_owned(),
                    countersign::kernel::Outcome::Returned { .. } => "failed".to_owned(),
                    countersign::kernel::Outcome::Rejected => "did not run".to_owned(),
                    countersign::kernel::Outcome::TimedOut => "timed out".to_owned(),
                    countersign::kernel::Outcome::Infrastructure => "could not be reached".to_owned(),
                    countersign::kernel::Outcome::Unauthenticated => "did not accept the credential".to_owned(),
                    countersign::kernel::Outcome::Unknown => "unknown".to_owned(),
                };
                tell("tool", &format!("{outcome}: {size}"));
            }
            Input::Verified { verification, .. } => {
                let text = if verification.holds { "holds".to_owned() } else { verification.detail.clone() };
                let style = if verification.holds { GOOD } else { BAD };
                crate::say!("      {:<11} {}", "verifier", styled(style, line(&text, 80)));
            }
            Input::Message { text } => tell("person", &line(text, 80)),
            Input::Decided { by, decision, .. } => {
                crate::say!("\n      {} {}", styled(STRONG, format!("{by:<11}")), line(&decided(decision), 100));
            }
            Input::Refused { bucket, dimension, .. } => stop("bucket", &format!("{bucket}: {dimension} used up")),
            Input::Halted { switch, reason, .. } => stop("switch", &format!("{switch}: {reason}")),
            Input::Started | Input::TakenUp { .. } | Input::Waited { .. } | Input::Cancelled | Input::Closed { .. } => {
            }
        }
    }

    fn reply(&mut self, reply: &Reply, said: Option<&str>) {
        self.step += 1;
        match reply {
            Reply::Step(step) => {
                let confidence =
                    step.confidence.map_or_else(String::new, |value| format!("  says it is {value:.2} sure"));
                crate::say!(
                    "\n{:>4}  {}{}",
                    self.step,
                    styled(STRONG, line(&step.step, 60)),
                    styled(QUIET, confidence)
                );
                // What is kept in is in nobody's sight here.
                let words = |text: &Arc<str>| said.map_or_else(|| text.to_string(), str::to_owned);
                let wants = match &step.action {
                    Action::Call { tool, arguments, .. } => format!("{tool} {arguments}"),
                    Action::Finish { summary, .. } => format!("finish: {}", words(summary)),
                    Action::Say { text, .. } => format!("says: {}", words(text)),
                    Action::Plan { steps } => format!("plan of {} steps", steps.len()),
                    Action::Split { steps } => format!("{} sub-tasks", steps.len()),
                    Action::Write { state, key, .. } => format!("write {state} {key}"),
                    Action::Reflect { about } => format!("reflect on {about}"),
                    Action::Compact => "make room in its context".to_owned(),
                    Action::Ask { question } => format!("ask: {}", words(question)),
                    Action::Abandon { reason } => format!("give up: {}", words(reason)),
                    Action::Defer { reason } => format!("defer to a person: {}", words(reason)),
                    Action::EscalateToArchitect { reason, .. } => format!("tell an architect: {}", words(reason)),
                };
                tell("wants", &line(&wants, 90));
            }
            Reply::Patch { text, .. } => {
                crate::say!("\n{:>4}  {}", self.step, styled(STRONG, "advice of the stronger model"));
                for part in text.lines() {
                    crate::say!("      {}", line(part, 100));
                }
            }
            Reply::Invalid { bytes, .. } => {
                crate::say!("\n{:>4}  {}", self.step, styled(STRONG, format!("an answer of {} bytes", number(*bytes))));
            }
            Reply::Unavailable { reason, .. } => {
                crate::say!("\n{:>4}  {}", self.step, styled(BAD, line(reason, 100)));
            }
        }
    }

    /// What was weighed for the verdict that was just told: each entry answered once.
    fn weighed(&mut self, verdict_of: Slot) {
        let mut told: Vec<Arc<str>> = Vec::new();
        let own = |(slot, entry, _): &mut (Slot, Arc<str>, String), told: &[Arc<str>]| {
            *slot == verdict_of && !told.contains(entry)
        };
        while let Some((_, entry, terms)) = self.weighed.pop_front_if(|one| own(one, &told)) {
            tell("weighed", &terms);
            told.push(entry);
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Classified { class, tier, .. } => {
                let class = class.as_deref().unwrap_or("unclassified");
                tell("start", &format!("class {class}, tier {tier}"));
            }
            Event::Verdict { slot, verdict, by, reason } => {
                // Of a verdict that lets the run go on the event leaves out why.
                let own = |(of, entry, _): &&(Slot, Arc<str>, String)| of == slot && by.first() == Some(entry);
                let said = self.reasons.iter().find(own).map(|(_, _, reason)| reason);
                let reason = if reason.is_empty() { said.unwrap_or(reason) } else { reason };
                let by = verdict_text::by(*slot, by);
                let score = self.score.filter(|_| *slot == Slot::Confidence && reason.is_empty());
                let reason = score.map_or_else(|| reason.clone(), |score| format!("score {score:.2}"));
                crate::say!(
                    "      {:<11} {} {}{}",
                    slot.name(),
                    styled(style::verdict(*verdict), format!("{verdict:<9}")),
                    line(&reason, 80),
                    styled(QUIET, by)
                );
                self.weighed(*slot);
            }
            Event::NotJudged { slot } => not_judged(*slot),
            Event::SchemaViolation { reason } => stop("invalid", reason),
            Event::AnswerSentBack { attempt } => {
                mind("asked again", &format!("it is told so, time {attempt} in a row"))
            }
            Event::Escalated { from, to, cause, packet_tokens, history_tokens, .. } => {
                self.packet = Some(*packet_tokens);
                mind("escalate", &format!("{from} → {to}: {cause}"));
                tell("packet", &format!("{packet_tokens} tokens instead of {history_tokens}"));
            }
            Event::Patched { tier } => tell("restart", &format!("the {tier} model goes on from the last valid state")),
            Event::Replanned { reason } => mind("replan", reason),
            Event::Blocked { tool, reason, stage, .. } => {
                stop("blocked", &format!("{tool} at {}: {reason}", stage.name()));
            }
            Event::Dispatched { tool, .. } => tell("host", &format!("runs {tool}")),
            Event::Committed { fact, .. } => tell("commit", fact),
            Event::VerificationFailed { .. }
            | Event::ModelCalled { .. }
            | Event::Moved { .. }
            | Event::EvidenceKept { .. }
            | Event::Bounded { .. }
            | Event::Scoped { .. }
            | Event::BucketRefused { .. }
            | Event::Halted { .. } => {}
            Event::CriterionMet { id } => {
                crate::say!("      {:<11} {}", "criterion", styled(GOOD, format!("{id} is verified")))
            }
            Event::Finalised { unverified, .. } => {
                if !unverified.is_empty() {
                    mind("unverified", &format!("the answer claims {}, which nothing verified", unverified.join(", ")));
                }
            }
            Event::CriterionLost { id } => mind("criterion", &format!("{id} no longer holds")),
            Event::ClaimUnsupported { unmet } => stop("claim", &format!("not verified: {}", unmet.join(", "))),
            Event::BudgetRefused { dimension, demand, left } => {
                stop("budget", &format!("{dimension}: may need {demand}, {left} left"));
            }
            Event::Notified { text } => mind("notify", text.trim_end().trim_end_matches(':')),
            Event::WouldHave { verdict, reason, .. } => {
                mind("would", &verdict_text::because(&verdict.to_string(), reason))
            }
            Event::Suspended { report, .. } => {
                mind("suspend", &report.reason);
                tell("state", &line(&report.last_valid_state, 90));
                let authority = &report.authority;
                tell("authority", &line(&format!("{}: {}", authority.endpoint, authority.recovery), 100));
                if let Some(approval) = &report.approval {
                    tell("approve?", &line(&format!("{} {}", approval.tool, approval.arguments), 90));
                    tell("fingerprint", &approval.fingerprint);
                }
            }
            Event::Ended { reason, .. } => tell("end", &line(reason, 90)),
            other => {
                // The rest has no look of its own: the name, then what there is to say.
                let text = scenario::describe_event(other);
                let text = text.trim_end().trim_end_matches(':');
                let (name, rest) = text.split_once([' ', ':']).unwrap_or((text, ""));
                mind(&short(name), rest.trim_start_matches([':', ' ']));
            }
        }
    }
}

/// A decision in words.
pub fn decided(decision: &Decision) -> String {
    match decision {
        Decision::Approved { .. } => "approves".to_owned(),
        Decision::ApprovedFor { standing, .. } => format!("approves {}", standing.in_words()),
        Decision::Standing { standing } => format!("has approved {} in another run", standing.in_words()),
        Decision::Withdrawn { standing } => format!("withdraws the rule {standing}"),
        Decision::Signed { decision, .. } => format!("{}, key checked", decided(decision)),
        Decision::Rejected { instead: None, .. } => "rejects".to_owned(),
        Decision::Rejected { instead: Some(text), .. } => format!("rejects: {text}"),
        Decision::Expired => "did not decide in time".to_owned(),
        Decision::Unavailable => "could not be reached".to_owned(),
        Decision::Answered { text } => format!("answers: {text}"),
        Decision::Accepted => "accepts it as it is".to_owned(),
        Decision::Released { extra } => {
            let parts = extra.iter().map(|(dimension, more)| format!("{} {dimension}", number(*more)));
            format!("releases {}", parts.collect::<Vec<_>>().join(", "))
        }
        Decision::Resumed => "lets it go on".to_owned(),
    }
}

/// An event's name as it fits its column.
fn short(name: &str) -> String {
    let label = match name {
        "plan-refused" => "no plan",
        "plan-step-done" => "done",
        "reflecting" => "reflect",
        "reflection-refused" => "no thought",
        "write-refused" => "not written",
        "memory-proposed" => "remember?",
        "memory-written" => "remembered",
        "tool-required" => "needs tool",
        "tool-set-aside" => "set aside",
        "credential-expired" => "credential",
        "escalated-to-architect" => "architect",
        "will-not-suffice" => "estimate",
        "approval-spent" => "approval",
        "approval-expired" => "expired",
        "approval-unavailable" => "unreachable",
        "review-deferred" => "later",
        "failed-closed" => "fail closed",
        other => other,
    };
    label.chars().take(11).collect()
}

/// What there is to say of a reply beside its own words: what was set aside around it, and what nobody has counted.
pub fn beside_the_reply(reply: &Reply, usage: &Usage) -> Vec<(&'static str, String)> {
    let unwrapped: &[Wrapping] = match reply {
        Reply::Step(step) => &step.unwrapped,
        Reply::Patch { unwrapped, .. } => unwrapped,
        Reply::Invalid { .. } | Reply::Unavailable { .. } => &[],
    };
    let what: Vec<String> = unwrapped.iter().map(Wrapping::describe).collect();
    let (sent, made) = (number(usage.input_tokens), number(usage.output_tokens));
    let aside = (!what.is_empty()).then(|| ("set aside", what.join(", ")));
    let estimated = || ("estimated", format!("{sent} tokens sent, {made} received: nobody has counted them"));
    aside.into_iter().chain(usage.estimated.then(estimated)).collect()
}

fn not_judged(slot: Slot) {
    crate::say!("      {:<11} {}", slot.name(), styled(QUIET, "not judged: the slot is empty"));
}

fn tell(what: &str, text: &str) {
    crate::say!("      {} {}", styled(QUIET, format!("{what:<11}")), line(text, 110));
}

fn mind(what: &str, text: &str) {
    crate::say!("      {} {}", styled(MIND, format!("{what:<11}")), line(text, 110));
}

fn stop(what: &str, text: &str) {
    crate::say!("      {} {}", styled(BAD, format!("{what:<11}")), line(text, 110));
}
