use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that the contract does not allow, with its bits: JSON has no NaN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Violation {
    /// The field, such as `score`.
    pub field: String,
    /// What is allowed.
    pub expected: String,
    /// IEEE 754 bits of the number, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<crate::Key>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}", self.field, self.expected)?;
        match self.bits {
            Some(bits) => write!(f, ", found {}", f64::from_bits(bits.0)),
            None => Ok(()),
        }
    }
}

/// Most spans of one answer.
const MOST_SPANS: usize = 256;
/// Most bytes of a text that a policy answers with.
const MOST_TEXT: usize = 1024;

pub(super) fn unit(field: &str, value: f64) -> Result<(), Violation> {
    number(field, value, 0.0..=1.0, "0..=1")
}

pub(super) fn number(
    field: &str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    expected: &str,
) -> Result<(), Violation> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Violation { field: field.to_owned(), expected: expected.to_owned(), bits: Some(crate::Key(value.to_bits())) })
}

pub(super) fn text(field: &str, text: &str) -> Result<(), Violation> {
    if text.len() <= MOST_TEXT { Ok(()) } else { Err(other(field, "at most 1024 bytes")) }
}

pub(super) fn other(field: &str, expected: &str) -> Violation {
    Violation { field: field.to_owned(), expected: expected.to_owned(), bits: None }
}

/// Whether parts of a text lie on the borders of its characters, in order, and are not too many.
pub(super) fn parts(field: &str, text: &str, parts: impl Iterator<Item = (u32, u32)>) -> Result<(), Violation> {
    let mut last = 0;
    for (index, (start, end)) in parts.enumerate() {
        if index == MOST_SPANS {
            return Err(other(field, "at most 256"));
        }
        let (from, to) = (start as usize, end as usize);
        if start < last || start >= end || !text.is_char_boundary(from) || !text.is_char_boundary(to) {
            return Err(other(
                &format!("{field}[{index}]"),
                "a part of the text, on the borders of characters, in order of `start`",
            ));
        }
        last = start;
    }
    Ok(())
}
