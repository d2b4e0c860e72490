use std::sync::Arc;

use proptest::prelude::*;

use super::Joined;
use crate::contract::confidence::{Trust, TrustAction};
use crate::contract::estimator::{Forecast, Interval};
use crate::contract::guard::{Finding, FindingKind, Inspection, Severity};
use crate::contract::remediation::{Authority, Remediability, Remedy};
use crate::contract::risk::Assessment;
use crate::contract::sensitivity::Rating;
use crate::contract::threshold::{self, Decision, Trigger};
use crate::contract::{Answered, Cause};
use crate::contract::{Dimension, SensitivityTag, Verdict};

const VERDICTS: [Verdict; 8] = [
    Verdict::Proceed,
    Verdict::Log,
    Verdict::Notify,
    Verdict::Replan,
    Verdict::Escalate,
    Verdict::Ask,
    Verdict::Deny,
    Verdict::Terminate,
];

/// An answer of one of the slots that several policies may fill, made of three numbers and a word.
fn answer(slot: u8, a: u8, b: u8, unit: f64, word: &str) -> Answered {
    let reason = word.to_owned();
    if a == 255 {
        return Answered::Undecided(Cause::Trap);
    }
    match slot % 7 {
        0 => Answered::Risk(Assessment { verdict: VERDICTS[usize::from(a % 8)], score: unit, reason }),
        1 => {
            let action = [TrustAction::Ship, TrustAction::Retrieve, TrustAction::Abstain][usize::from(a % 3)];
            let score = (!b.is_multiple_of(4)).then_some(unit);
            Answered::Confidence(Trust { score, action, signals_used: Vec::new(), surface_uncertainty: false, reason })
        }
        2 => {
            let (lower, dimension) = (u64::from(a), Dimension::ALL[usize::from(b % 3)]);
            let interval = Interval { dimension, lower, upper: lower + u64::from(b) };
            Answered::Estimator(Forecast { intervals: vec![interval], reason })
        }
        3 => {
            let tags = [SensitivityTag::Public, SensitivityTag::Confidential, SensitivityTag::Critical];
            Answered::Sensitivity(Rating { tag: tags[usize::from(a % 3)], spans: Vec::new(), reason })
        }
        4 => {
            let kind = [FindingKind::Injection, FindingKind::Secret][usize::from(a % 2)];
            let severity = [Severity::Low, Severity::Medium, Severity::High][usize::from(b % 3)];
            let finding = Finding { kind, start: u32::from(a % 4), end: 5 + u32::from(b % 3), score: unit, severity };
            Answered::Guard(Inspection {
                findings: if b.is_multiple_of(5) { Vec::new() } else { vec![finding] },
                reason,
            })
        }
        5 => {
            let authority = Authority { who: word.to_owned(), what: format!("do {a}") };
            let remediability = match a % 3 {
                0 => Remediability::Retryable,
                1 => Remediability::SelfRemediable,
                _ => Remediability::Irremediable(authority),
            };
            Answered::Remediation(Remedy { remediability, reason })
        }
        _ => {
            let triggers = [Trigger::AuthorityGap, Trigger::ConfidenceCollapse, Trigger::BudgetExhausted];
            let trigger = triggers[usize::from(b % 3)];
            let decision = if a.is_multiple_of(2) { Decision::Continue } else { Decision::Escalate(trigger) };
            let (value, risk, cost, irreversibility, authority_gap) = (unit, unit, unit, unit, unit);
            Answered::Threshold(threshold::Assessment {
                decision,
                value,
                risk,
                cost,
                irreversibility,
                authority_gap,
                reason,
            })
        }
    }
}

fn joined(answers: &[(Arc<str>, Answered, Verdict)]) -> Joined {
    let mut joined = Joined::default();
    for (entry, answer, failure_verdict) in answers {
        joined.add(entry, answer, *failure_verdict);
    }
    joined
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    /// Design §3: several policies combine by a join, whatever the order they answer in.
    #[test]
    fn the_order_of_the_policies_changes_nothing(
        slot in 0..7_u8,
        parts in prop::collection::vec((any::<u8>(), any::<u8>(), 0.0..=1.0_f64, "[a-z]{1,4}", 0..8_usize), 1..6),
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut answers: Vec<(Arc<str>, Answered, Verdict)> = parts
            .iter()
            .enumerate()
            .map(|(index, (a, b, unit, word, failure))| {
                let name = Arc::from(format!("policy-{index}"));
                (name, answer(slot, *a, *b, *unit, word), VERDICTS[*failure])
            })
            .collect();
        let expected = joined(&answers);
        let at = order.index(answers.len());
        answers.rotate_left(at);
        if seed % 2 == 0 {
            answers.reverse();
        }
        prop_assert_eq!(joined(&answers), expected);
    }

    /// Design §1: a policy can only tighten.
    #[test]
    fn one_policy_more_never_loosens(
        slot in 0..7_u8,
        parts in prop::collection::vec((any::<u8>(), any::<u8>(), 0.0..=1.0_f64, "[a-z]{1,4}", 0..8_usize), 2..6),
    ) {
        let answers: Vec<(Arc<str>, Answered, Verdict)> = parts
            .iter()
            .enumerate()
            .map(|(index, (a, b, unit, word, failure))| {
                (Arc::from(format!("policy-{index}")), answer(slot, *a, *b, *unit, word), VERDICTS[*failure])
            })
            .collect();
        let (all, without) = (joined(&answers), joined(&answers[1..]));
        prop_assert!(all.verdict() >= without.verdict());
        prop_assert!(all.tag >= without.tag);
        prop_assert!(all.findings.len() >= without.findings.len());
        prop_assert!(without.authority.is_none() || all.authority.is_some());
        prop_assert!(without.trigger.is_none() || all.trigger.is_some());
        prop_assert!(without.collapse_alone != Some(false) || all.collapse_alone == Some(false));
        let lower = |a: Option<f64>, b: Option<f64>| b.is_none_or(|b| a.is_some_and(|a| a <= b));
        prop_assert!(lower(all.score, without.score));
    }
}
