//! One line for each ruling that is not simply "it runs": for whoever operates, on standard error, with when, whose, which
//! tool, who said so, why, where it stands on record, and what to do.

use std::sync::Arc;

use countersign::kernel::{Closed, Event, Response, Run};
use countersign::{Observer, shown};

use crate::served::Served;

/// What is known of a ruling.
#[derive(Debug, Clone, Copy)]
pub struct Ruling<'a> {
    /// `asks`, `refused`, `redacted`, `stopped`, `ended`, `told-to-stop`, `by-rule`, `would-have`, `not-forwarded`.
    pub ruling: &'static str,
    pub agent: &'a str,
    /// Empty where it is of no tool.
    pub tool: &'a str,
    /// The slot or the stage of the host's own.
    pub slot: &'a str,
    pub reason: &'a str,
    /// Empty where it is in no run.
    pub run: &'a str,
    pub frame: Option<u64>,
    /// What to do; empty where nothing is.
    pub next: &'a str,
}

impl Ruling<'_> {
    /// Writes the line.
    pub fn log(self) {
        let Ruling { ruling, agent, tool, slot, reason, run, frame, next } = self;
        let reason = shown::visible(reason);
        tracing::info!(target: "countersign::ruling", agent, tool, slot, reason = &*reason, run, frame, next, "{ruling}");
    }
}

/// Watches a run for rulings.
pub struct Rulings {
    served: Arc<Served>,
}

impl Rulings {
    pub fn new(served: &Arc<Served>) -> Self {
        Rulings { served: Arc::clone(served) }
    }
}

impl Observer for Rulings {
    fn frame(&mut self, run: &Run, closed: &Closed) {
        let (frame, agent) = (&closed.frame, &*self.served.name);
        let (id, store) = (&*run.manifest().run, self.served.deployment.store().file.display().to_string());
        let show = format!("countersign runs show {id} --store {store}");
        let file = self.served.deployment.file();
        let config = std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string();
        // Who has said what about the call of this frame.
        let mut asks: Vec<String> = Vec::new();
        for event in &frame.events {
            let tell = |ruling, tool: &str, slot: &str, reason: &str, next: &str| {
                Ruling { ruling, agent, tool, slot, reason, run: id, frame: Some(frame.frame), next }.log();
            };
            match event {
                Event::Verdict { slot, verdict, by, .. }
                    if *verdict > countersign::kernel::contract::Verdict::Notify =>
                {
                    asks.push(format!("{slot} ({})", by.join(", ")));
                }
                Event::Blocked { tool, stage, response, reason } => {
                    let slot = match asks.is_empty() {
                        true => stage.name().to_owned(),
                        false => format!("{}: {}", stage.name(), asks.join(", ")),
                    };
                    let explain = format!("countersign mcp explain {tool} --config {config}");
                    match response {
                        Response::AskApproval => tell("asks", tool, &slot, reason, &show),
                        _ => tell("refused", tool, &slot, reason, &explain),
                    }
                }
                Event::Redacted { tool, parts } => {
                    let parts = parts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>();
                    let next = "bundle.modes.guard = \"monitor\" lets it pass, for every tool";
                    tell("redacted", tool.as_deref().unwrap_or_default(), "guard", &parts.join(", "), next);
                }
                Event::Replanned { reason } => tell("told-to-stop", "", "doom-loop", reason, ""),
                Event::StandingApplied { standing, by, reason } => {
                    let next = format!("countersign approvals withdraw {standing} --store {store}");
                    tell("by-rule", "", &by.join(", "), reason, &next);
                }
                Event::WouldHave { verdict, by, reason } => {
                    tell("would-have", "", by, &format!("{verdict}: {reason}"), "");
                }
                Event::Suspended { code, report } => tell("stopped", "", code.name(), &report.reason, &show),
                Event::Ended { code, reason, .. } => tell("ended", "", code.name(), reason, ""),
                _ => {}
            }
        }
    }
}
