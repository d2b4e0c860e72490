//! Default policy of the slot `remediation`: phrases in the error's text say whether the agent can
//! mend it (document 002, "Error classification"; specification C2). Nothing is kept between calls.

mod config;
mod defaults;
mod phrases;
mod rules;
#[cfg(test)]
mod tests;

use countersign_sdk::remediation::{Authority, FailedCall, FailureClass, Remediability, Remediation, Remedy};
use countersign_sdk::{ConfigError, Policy, RunView, log, policy};

use config::{Category, Class};
use rules::{Match, Rules};

/// Bytes of a reason that the contract allows.
const REASON_BYTES: usize = 1024;

/// Ordered rules over the error's text.
pub struct ErrorRules {
    rules: Rules,
    retry_same_call_at_most: u32,
    irremediable_after_same_tool: u32,
    program_output: config::ProgramOutput,
}

impl Policy for ErrorRules {
    const NAME: &'static str = "remediation";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str =
        "tells by phrases in an error whether to retry it, to mend it or to hand it to a person";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        if configuration.retry_same_call_at_most == 1 {
            log::warn("nothing is ever retryable: retry_same_call_at_most is 1");
        }
        Ok(ErrorRules {
            rules: Rules::new(&configuration)?,
            retry_same_call_at_most: configuration.retry_same_call_at_most,
            irremediable_after_same_tool: configuration.irremediable_after_same_tool,
            program_output: configuration.program_output,
        })
    }
}

impl Remediation for ErrorRules {
    fn classify(&mut self, call: FailedCall, _run: &dyn RunView) -> Remedy {
        let found = self.find(&call);
        let (class, why) = self.class(&call, found);
        let tool = &call.tool[..call.tool.floor_char_boundary(128)];
        let (remediability, mut reason) =
            match (class, found.and_then(|found| self.rules.rule(found).authority.as_ref())) {
                (Class::Irremediable, Some(authority)) => {
                    let before = if call.worked_before { ", and it has worked before" } else { "" };
                    (
                        Remediability::Irremediable(authority.clone()),
                        format!("{why}{before}: {} must {}", authority.who, authority.what),
                    )
                }
                _ if self.irremediable_after_same_tool > 0 && call.same_tool >= self.irremediable_after_same_tool => {
                    let authority =
                        Authority { who: "user".to_owned(), what: "mend the tool, or name another way".to_owned() };
                    (
                        Remediability::Irremediable(authority),
                        format!("`{tool}` failed {} times in a row", call.same_tool),
                    )
                }
                (Class::Retryable, _) if call.same_call >= self.retry_same_call_at_most => (
                    Remediability::SelfRemediable,
                    format!("{why}, but the same call failed {} times in a row", call.same_call),
                ),
                (Class::Retryable, _) => (Remediability::Retryable, why),
                _ => (Remediability::SelfRemediable, why),
            };
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
        Remedy { remediability, reason }
    }
}

impl ErrorRules {
    /// The first rule that matches; of what a program printed only the ends are looked at.
    fn find(&self, call: &FailedCall) -> Option<Match> {
        let printed =
            call.category.is_some_and(|category| self.program_output.categories.contains(&Category::from(category)));
        if !printed {
            return self.rules.first_in(&call.error, call.worked_before);
        }
        let (head, tail) = phrases::ends(&call.error, self.program_output.ends_bytes as usize);
        let (head, tail) =
            (self.rules.first_in(head, call.worked_before), self.rules.first_in(tail, call.worked_before));
        [head, tail].into_iter().flatten().min()
    }

    /// What the rules and the class of the failure say together, and why.
    fn class(&self, call: &FailedCall, found: Option<Match>) -> (Class, String) {
        let said = found.map(|found| (self.rules.rule(found).class, self.rules.phrase(found)));
        match (call.class, said) {
            (_, Some((Class::Irremediable, phrase))) => (Class::Irremediable, format!("the error says `{phrase}`")),
            (FailureClass::Infrastructure, _) => {
                (Class::Retryable, "the service was busy or could not be reached".to_owned())
            }
            (FailureClass::TimedOut, _) => (Class::Retryable, "no answer came in time".to_owned()),
            (_, Some((class, phrase))) => (class, format!("the error says `{phrase}`")),
            (FailureClass::Rejected, None) => {
                (Class::SelfRemediable, "the call was refused, and another may not be".to_owned())
            }
            (FailureClass::Failed, None) => {
                (Class::SelfRemediable, "no rule knows the error: another call may mend it".to_owned())
            }
        }
    }
}

policy!(ErrorRules: remediation);
