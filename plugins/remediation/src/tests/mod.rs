//! The policy natively: its rules one by one, its automaton against the obvious way, and what holds
//! for every error.

mod automaton;
mod laws;
mod ordinary;
mod rules;

use std::cell::RefCell;

use countersign_sdk::Policy;
use countersign_sdk::remediation::{FailedCall, FailureClass, Remediability, Remediation, Remedy, ToolCategory};
use countersign_sdk::testing::TestRun;

use crate::ErrorRules;
use crate::config::{Class, Configuration, Rule};

fn call(error: &str) -> FailedCall {
    FailedCall {
        tool: "mail".to_owned(),
        category: Some(ToolCategory::Communication),
        class: FailureClass::Failed,
        error: error.to_owned(),
        same_call: 1,
        same_tool: 1,
        worked_before: false,
    }
}

fn shell(error: &str) -> FailedCall {
    FailedCall { tool: "shell".to_owned(), category: Some(ToolCategory::Sandbox), ..call(error) }
}

fn rule(class: Class, any: &[&str]) -> Rule {
    let any = any.iter().map(|phrase| (*phrase).to_owned()).collect();
    let named = |text: &str| (class == Class::Irremediable).then(|| text.to_owned());
    Rule { any, class, who: named("operator"), what: named("open the gate"), unless_worked_before: false }
}

fn policy(configuration: Configuration) -> ErrorRules {
    ErrorRules::configure(configuration).unwrap_or_else(|error| panic!("{error:?}"))
}

thread_local! {
    static DEFAULT: RefCell<ErrorRules> = RefCell::new(policy(Configuration::default()));
}

fn classify(call: &FailedCall) -> Remedy {
    DEFAULT.with_borrow_mut(|policy| policy.classify(call.clone(), &TestRun::default()))
}

fn classify_with(configuration: Configuration, call: &FailedCall) -> Remedy {
    policy(configuration).classify(call.clone(), &TestRun::default())
}

/// `retry`, `self`, or who could mend it.
fn short(remedy: &Remedy) -> &str {
    match &remedy.remediability {
        Remediability::Retryable => "retry",
        Remediability::SelfRemediable => "self",
        Remediability::Irremediable(authority) => &authority.who,
    }
}
