//! The mutants.

use std::fmt;

/// A change of one default policy.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// Its folder below `plugins`.
    pub policy: &'static str,
    /// File in it.
    pub file: &'static str,
    /// What stands there once.
    pub from: &'static str,
    /// What stands there instead.
    pub to: &'static str,
    /// What is wrong then.
    pub wrong: &'static str,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.policy, self.file, self.wrong)
    }
}

/// At least one for each policy. One whose text is gone after a change of its policy is to be written
/// anew.
pub const MUTANTS: [Mutant; 14] = [
    Mutant {
        policy: "sensitivity",
        file: "src/lib.rs",
        from: "hit.score >= self.least_score",
        to: "hit.score > self.least_score",
        wrong: "`>` for `>=`: what is exactly likely enough does not count",
    },
    Mutant {
        policy: "guard",
        file: "src/injection.rs",
        from: "self.send.take_if(|(_, sent)| *sent <= start)",
        to: "self.send.take_if(|(_, sent)| *sent < start.min(1))",
        wrong: "an order to send something is not seen",
    },
    Mutant {
        policy: "risk",
        file: "src/lib.rs",
        from: "None => 1.0,",
        to: "None => 0.0,",
        wrong: "an unknown blast radius scores like none",
    },
    Mutant {
        policy: "risk",
        file: "src/matrix.rs",
        from: "value >= self.thresholds.proceed",
        to: "value > self.thresholds.proceed",
        wrong: "`>` for `>=`: the column begins just above its threshold",
    },
    Mutant {
        policy: "confidence",
        file: "src/fusion.rs",
        from: "(weights > 0.0).then(|| sum / weights)",
        to: "Some(sum / weights)",
        wrong: "0/0 where no weighted signal was measured",
    },
    Mutant {
        policy: "doom-loop",
        file: "src/history.rs",
        from: "if period == 1 { loops as usize + 1 }",
        to: "if period == 1 { loops as usize }",
        wrong: "trips one repetition early",
    },
    Mutant {
        policy: "threshold",
        file: "src/lib.rs",
        from: "authority_gap: if ledger.gap.is_some() { 1.0 }",
        to: "authority_gap: if ledger.gap.is_some() { 2.0 }",
        wrong: "a score above 1",
    },
    Mutant {
        policy: "threshold",
        file: "src/value.rs",
        from: "expected.value + (1.0 - expected.value) * gain",
        to: "expected.value * gain",
        wrong: "a productive call lowers the value",
    },
    Mutant {
        policy: "remediation",
        file: "src/phrases.rs",
        from: "u64::from(bytes[at].to_ascii_lowercase())",
        to: "u64::from(bytes[at])",
        wrong: "the case of letters counts",
    },
    Mutant {
        policy: "remediation",
        file: "src/phrases.rs",
        from: "head -= 1;",
        to: "head -= 0;",
        wrong: "never comes to an end where a program's output would be cut within a word",
    },
    Mutant {
        policy: "classifier",
        file: "src/lib.rs",
        from: "offer.cheapest_call <= left",
        to: "offer.cheapest_call >= left",
        wrong: "the budget floor upside down",
    },
    Mutant {
        policy: "estimator",
        file: "src/interval.rs",
        from: "if units.done == 0 {",
        to: "if units.done == u32::MAX {",
        wrong: "divides by the units done when there are none",
    },
    Mutant {
        policy: "context",
        file: "src/lib.rs",
        from: "reached.max(wished)",
        to: "reached.min(wished)",
        wrong: "`min` for `max`: what the model asks for holds back the layer that is due",
    },
    Mutant {
        policy: "dispatch",
        file: "src/lib.rs",
        from: "self.specialist.name < other.specialist.name",
        to: "true",
        wrong: "among equals the last on offer is taken",
    },
];
