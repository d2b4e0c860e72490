//! The two tables, made once at configuration so that a call only looks up.

use countersign_sdk::ConfigError;
use countersign_sdk::risk::{Compliance, ProposedAction, Reversibility, Verdict};

use crate::config::{ComplianceMatch, Configuration, OrAny, Row, Thresholds};

/// Which confidence column an action falls into.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// 0 when unknown.
    pub confidence: f64,
    index: usize,
}

/// Rows of the table of part 9.1, least to most severe.
const ROWS: [(&str, [Verdict; 3]); 5] = [
    ("reversible, low blast radius", [Verdict::Proceed, Verdict::Log, Verdict::Notify]),
    ("reversible, medium blast radius", [Verdict::Log, Verdict::Notify, Verdict::Ask]),
    ("high blast radius", [Verdict::Ask, Verdict::Ask, Verdict::Ask]),
    ("irreversible", [Verdict::Notify, Verdict::Ask, Verdict::Ask]),
    ("compliance-tagged", [Verdict::Ask, Verdict::Ask, Verdict::Ask]),
];

pub struct Matrix {
    thresholds: Thresholds,
    low_below: u64,
    medium_below: u64,
    contract: Vec<ContractRow>,
    /// One text for each row and column, and the fourth for unknown confidence.
    reasons: Vec<[String; 4]>,
}

/// One row of part 13.2.
pub struct ContractRow {
    /// None for any, as below.
    pub irreversible: Option<bool>,
    pub blast_below: Option<u64>,
    pub compliance: ComplianceMatch,
    decision: Decision,
    text: String,
}

enum Decision {
    ProceedAt(f64),
    NotifyAt(f64),
    Escalate,
}

impl Matrix {
    pub fn new(configuration: Configuration) -> Result<Self, ConfigError> {
        let thresholds = configuration.confidence_thresholds;
        let order = [thresholds.escalate, thresholds.notify_and_proceed, thresholds.proceed];
        if !order.is_sorted() {
            return Err(ConfigError::at(
                "/confidence_thresholds",
                "expected escalate <= notify_and_proceed <= proceed",
            ));
        }
        let bands = configuration.blast_bands;
        if bands.low_below > bands.medium_below {
            return Err(ConfigError::at("/blast_bands", "expected low_below <= medium_below"));
        }
        let contract = configuration
            .matrix
            .iter()
            .enumerate()
            .map(|(index, row)| {
                ContractRow::parse(row)
                    .map_err(|(key, message)| ConfigError::at(format!("/matrix/{index}/{key}"), message))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (high, middle) = (hundredths(thresholds.proceed), hundredths(thresholds.notify_and_proceed));
        let reasons = ROWS
            .iter()
            .map(|(row, _)| {
                [
                    format!("{row}, confidence {high} or more"),
                    format!("{row}, confidence below {high}"),
                    format!("{row}, confidence below {middle}"),
                    format!("{row}, confidence unknown"),
                ]
            })
            .collect();
        Ok(Matrix { thresholds, low_below: bands.low_below, medium_below: bands.medium_below, contract, reasons })
    }

    /// The rows of part 13.2, the first that matches first.
    pub fn contract(&self) -> &[ContractRow] {
        &self.contract
    }

    pub fn column(&self, confidence: Option<f64>) -> Column {
        let index = match confidence {
            None => 3,
            Some(value) if value >= self.thresholds.proceed => 0,
            Some(value) if value >= self.thresholds.notify_and_proceed => 1,
            Some(_) => 2,
        };
        Column { confidence: confidence.unwrap_or(0.0), index }
    }

    /// The stricter of the table and the contract's row. What cannot be undone is never judged milder
    /// than the same action that can: neither of the two tables says so of a wide blast radius.
    pub fn decide(&self, action: &ProposedAction, column: Column) -> (Verdict, String) {
        let reversible = self.decide_as(false, action, column);
        if action.reversibility == Reversibility::Reversible {
            return self.with_reason(reversible, column);
        }
        let irreversible = self.decide_as(true, action, column);
        self.with_reason(if irreversible.0 >= reversible.0 { irreversible } else { reversible }, column)
    }

    fn with_reason(&self, (verdict, why): (Verdict, Why<'_>), column: Column) -> (Verdict, String) {
        let reason = match why {
            Why::Table(row) => self.reasons[row][column.index].clone(),
            Why::Contract(row) => row.text.clone(),
            Why::NoRow => "no row of the matrix matches".to_owned(),
        };
        (verdict, reason)
    }

    fn decide_as(&self, irreversible: bool, action: &ProposedAction, column: Column) -> (Verdict, Why<'_>) {
        // What nobody declared is taken for more than any band.
        let blast = action.blast_radius.unwrap_or(u64::MAX);
        let row = if action.compliance != Compliance::None {
            4
        } else if irreversible {
            3
        } else if blast >= self.medium_below {
            2
        } else if blast >= self.low_below {
            1
        } else {
            0
        };
        let table = ROWS[row].1[column.index.min(2)];
        let matching = self.contract.iter().find(|row| row.matches(irreversible, blast, action.compliance));
        match matching {
            Some(row) if row.decision.verdict(column.confidence) > table => {
                (row.decision.verdict(column.confidence), Why::Contract(row))
            }
            None if table < Verdict::Ask => (Verdict::Ask, Why::NoRow),
            _ => (table, Why::Table(row)),
        }
    }
}

/// What a decision rests on.
enum Why<'a> {
    /// A row of [`ROWS`].
    Table(usize),
    Contract(&'a ContractRow),
    NoRow,
}

impl ContractRow {
    fn parse(row: &Row) -> Result<Self, (&'static str, String)> {
        let blast_below = match row.blast.trim() {
            "any" => None,
            text => Some(
                text.strip_prefix('<')
                    .and_then(|number| number.trim().parse().ok())
                    .ok_or_else(|| ("blast", format!("expected `any` or `<` and a number, found `{text}`")))?,
            ),
        };
        let decision = Decision::parse(&row.decision).ok_or_else(|| {
            (
                "decision",
                format!(
                    "expected `proceed_at_` and a confidence, `notify_at_` one and `_else_escalate`, or \
                     `always_escalate`, found `{}`",
                    row.decision
                ),
            )
        })?;
        Ok(ContractRow {
            irreversible: match row.irreversible {
                OrAny::Exactly(value) => Some(value),
                OrAny::Any(_) => None,
            },
            blast_below,
            compliance: row.compliance,
            decision,
            text: format!("matrix row `{}`", row.decision),
        })
    }

    pub fn matches(&self, irreversible: bool, blast: u64, compliance: Compliance) -> bool {
        self.irreversible.is_none_or(|wanted| wanted == irreversible)
            && self.blast_below.is_none_or(|limit| blast < limit)
            && match self.compliance {
                ComplianceMatch::Any => true,
                ComplianceMatch::None => compliance == Compliance::None,
                ComplianceMatch::PiiOrHigher => compliance >= Compliance::Pii,
            }
    }
}

impl Decision {
    fn parse(text: &str) -> Option<Self> {
        let confidence = |number: &str| number.parse().ok().filter(|value| (0.0..=1.0).contains(value));
        if text == "always_escalate" {
            Some(Decision::Escalate)
        } else if let Some(rest) = text.strip_prefix("notify_at_") {
            confidence(rest.strip_suffix("_else_escalate")?).map(Decision::NotifyAt)
        } else {
            confidence(text.strip_prefix("proceed_at_")?).map(Decision::ProceedAt)
        }
    }

    /// "Escalate" of the document means a person.
    fn verdict(&self, confidence: f64) -> Verdict {
        match *self {
            Decision::ProceedAt(least) if confidence >= least => Verdict::Proceed,
            Decision::NotifyAt(least) if confidence >= least => Verdict::Notify,
            _ => Verdict::Ask,
        }
    }
}

/// Two decimals, by integer arithmetic: formatting a float would be a sixth of the component.
fn hundredths(value: f64) -> String {
    let whole = libm::round(value * 100.0) as u64;
    format!("{}.{:02}", whole / 100, whole % 100)
}
