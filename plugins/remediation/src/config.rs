//! The configuration. Document 002 names the three classes; the rules are ours.

use countersign_sdk::remediation::ToolCategory;
use serde::Deserialize;

use crate::defaults;

/// `error-classification.v1`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    pub _version: u32,
    /// Tried in order; the first that matches counts.
    pub rules: Vec<Rule>,
    /// Tried before `rules`.
    pub extra_rules: Vec<Rule>,
    /// A retryable error that the same call gave this often in a row is no longer one.
    pub retry_same_call_at_most: u32,
    /// Failures in a row of one tool that make its error irremediable; 0 switches it off.
    pub irremediable_after_same_tool: u32,
    pub program_output: ProgramOutput,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            _version: 1,
            rules: defaults::rules(),
            extra_rules: Vec::new(),
            retry_same_call_at_most: 3,
            irremediable_after_same_tool: 0,
            program_output: ProgramOutput::default(),
        }
    }
}

/// Phrases, and what an error that has one of them is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub any: Vec<String>,
    pub class: Class,
    /// Who could mend it; for `irremediable` alone.
    #[serde(default)]
    pub who: Option<String>,
    /// What they would have to do; for `irremediable` alone.
    #[serde(default)]
    pub what: Option<String>,
    /// Not for a tool that has answered well before in the run.
    #[serde(default)]
    pub unless_worked_before: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Retryable,
    SelfRemediable,
    Irremediable,
}

/// Tools whose errors are what some program printed: it may quote anything.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProgramOutput {
    pub categories: Vec<Category>,
    /// Bytes looked at from each end: a program says first or last why it failed.
    pub ends_bytes: u32,
}

impl Default for ProgramOutput {
    fn default() -> Self {
        ProgramOutput { categories: vec![Category::Sandbox, Category::FileSystem], ends_bytes: 512 }
    }
}

macro_rules! categories {
    ($($variant:ident),+) => {
        /// The contract's categories, as configuration.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Category { $($variant),+ }

        impl From<ToolCategory> for Category {
            fn from(category: ToolCategory) -> Self {
                match category { $(ToolCategory::$variant => Category::$variant),+ }
            }
        }
    };
}

categories!(
    ReadOnlyLookup,
    Retrieval,
    LiveApi,
    Sandbox,
    FileSystem,
    Database,
    Communication,
    Payment,
    Infrastructure,
    ReviewQueue
);
