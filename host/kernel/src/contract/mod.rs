//! The contract's records as the host knows them, one module a slot. Serialised with the WIT names:
//! this is what a trace holds. What each field means, its unit and its range stand in `wit/v0.1`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

pub mod classifier;
pub mod confidence;
pub mod context;
pub mod dispatch;
pub mod doom_loop;
pub mod estimator;
pub mod guard;
pub mod remediation;
pub mod risk;
pub mod sensitivity;
pub mod threshold;
pub mod view;
mod violation;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use violation::Violation;

/// Version of the contract that this kernel speaks, as the package name in a component's imports
/// and exports carries it.
pub const CONTRACT: &str = "countersign:policy@0.1.0-draft.3";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Proceed,
    Log,
    Notify,
    Replan,
    Escalate,
    Ask,
    Deny,
    Terminate,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Proceed => "proceed",
            Verdict::Log => "log",
            Verdict::Notify => "notify",
            Verdict::Replan => "replan",
            Verdict::Escalate => "escalate",
            Verdict::Ask => "ask",
            Verdict::Deny => "deny",
            Verdict::Terminate => "terminate",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    Cheap,
    Mid,
    Strong,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Tier::Cheap => "cheap",
            Tier::Mid => "mid",
            Tier::Strong => "strong",
        })
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compliance {
    #[default]
    None,
    Pii,
    Financial,
    Regulated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolCategory {
    ReadOnlyLookup,
    Retrieval,
    LiveApi,
    Sandbox,
    FileSystem,
    Database,
    Communication,
    Payment,
    Infrastructure,
    ReviewQueue,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reversibility {
    Reversible,
    Irreversible,
    #[default]
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    Rejected,
    Failed,
    TimedOut,
    Infrastructure,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SensitivityTag {
    #[default]
    Public,
    Internal,
    Confidential,
    Restricted,
    Critical,
}

impl fmt::Display for SensitivityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SensitivityTag::Public => "public",
            SensitivityTag::Internal => "internal",
            SensitivityTag::Confidential => "confidential",
            SensitivityTag::Restricted => "restricted",
            SensitivityTag::Critical => "critical",
        })
    }
}

/// Part of a text, in bytes, with what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Span {
    pub start: u32,
    pub end: u32,
    pub kind: String,
    pub score: f64,
}

/// Most spans of one answer.
pub(crate) const MOST_SPANS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Intake,
    Proposal,
    Observation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    Steps,
    InputTokens,
    OutputTokens,
    ToolCalls,
    ExternalCalls,
    RunningTime,
    Cost,
    Retries,
    Reflections,
    ContextTokens,
    MemoryWrites,
    SideEffects,
    RecordsTouched,
    MoneyMoved,
    RecipientsReached,
}

impl Dimension {
    pub const ALL: [Dimension; 15] = [
        Dimension::Steps,
        Dimension::InputTokens,
        Dimension::OutputTokens,
        Dimension::ToolCalls,
        Dimension::ExternalCalls,
        Dimension::RunningTime,
        Dimension::Cost,
        Dimension::Retries,
        Dimension::Reflections,
        Dimension::ContextTokens,
        Dimension::MemoryWrites,
        Dimension::SideEffects,
        Dimension::RecordsTouched,
        Dimension::MoneyMoved,
        Dimension::RecipientsReached,
    ];
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Dimension::Steps => "steps",
            Dimension::InputTokens => "input tokens",
            Dimension::OutputTokens => "output tokens",
            Dimension::ToolCalls => "tool calls",
            Dimension::ExternalCalls => "external calls",
            Dimension::RunningTime => "running time",
            Dimension::Cost => "cost",
            Dimension::Retries => "retries",
            Dimension::Reflections => "reflections",
            Dimension::ContextTokens => "context tokens",
            Dimension::MemoryWrites => "memory writes",
            Dimension::SideEffects => "side effects",
            Dimension::RecordsTouched => "records touched",
            Dimension::MoneyMoved => "money moved",
            Dimension::RecipientsReached => "recipients reached",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BudgetLine {
    pub limit: u64,
    pub used: u64,
    pub reserved: u64,
}

impl BudgetLine {
    /// What is neither spent nor set aside.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.reserved)
    }
}

/// Identity of a call, a result or a state: equal keys, equal things. Written as 16 hexadecimal
/// digits, since a JSON number that large is read back wrongly by many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub u64);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes: [u8; 16] = std::array::from_fn(|at| DIGITS[(self.0 >> (60 - 4 * at)) as usize & 15]);
        // Sixteen ASCII digits.
        serializer.serialize_str(str::from_utf8(&bytes).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hex;
        impl de::Visitor<'_> for Hex {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 lower-case hexadecimal digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
                let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                match u64::from_str_radix(text, 16) {
                    Ok(value) if digits => Ok(Key(value)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_str(Hex)
    }
}
