//! The presets that ship: budgets, profiles, the ladder of autonomy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_kernel::contract::{Dimension, ToolCategory};
use countersign_spec::boundary::{DecisionRight, FailClosed, PlanRule};
use countersign_spec::budget::Limits;
use countersign_spec::state::StateKind;
use countersign_spec::tool::ApprovalRule;
use serde::Deserialize;

use super::{SettingsError, parse, read_toml};

const BUDGETS: &str = include_str!("../../presets/budgets.toml");
const PROFILES: &str = include_str!("../../presets/profiles.toml");
const AUTONOMY: &str = include_str!("../../presets/autonomy.toml");

/// Caps by dimension; what is left out is somebody else's to say.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BudgetCaps {
    /// Model calls.
    pub steps: Option<u64>,
    /// Tokens.
    pub input_tokens: Option<u64>,
    /// Tokens.
    pub output_tokens: Option<u64>,
    /// Dispatched calls.
    pub tool_calls: Option<u64>,
    /// Paid or networked calls.
    pub external_calls: Option<u64>,
    /// Milliseconds.
    pub running_time: Option<u64>,
    /// Micro-dollars.
    pub cost: Option<u64>,
    /// Failed attempts in a row.
    pub retries: Option<u64>,
    /// Passes of reflection.
    pub reflections: Option<u64>,
    /// Tokens of one request.
    pub context_tokens: Option<u64>,
    /// Memories written.
    pub memory_writes: Option<u64>,
    /// Calls that change something.
    pub side_effects: Option<u64>,
    /// Records or people touched.
    pub records_touched: Option<u64>,
    /// Micro-dollars moved.
    pub money_moved: Option<u64>,
    /// People written to.
    pub recipients_reached: Option<u64>,
}

impl BudgetCaps {
    /// The cap of one dimension, where it is named.
    pub fn of(&self, dimension: Dimension) -> Option<u64> {
        match dimension {
            Dimension::Steps => self.steps,
            Dimension::InputTokens => self.input_tokens,
            Dimension::OutputTokens => self.output_tokens,
            Dimension::ToolCalls => self.tool_calls,
            Dimension::ExternalCalls => self.external_calls,
            Dimension::RunningTime => self.running_time,
            Dimension::Cost => self.cost,
            Dimension::Retries => self.retries,
            Dimension::Reflections => self.reflections,
            Dimension::ContextTokens => self.context_tokens,
            Dimension::MemoryWrites => self.memory_writes,
            Dimension::SideEffects => self.side_effects,
            Dimension::RecordsTouched => self.records_touched,
            Dimension::MoneyMoved => self.money_moved,
            Dimension::RecipientsReached => self.recipients_reached,
        }
    }

    /// These caps over others.
    pub fn over(&self, below: Limits) -> Limits {
        Limits::each(|dimension| self.of(dimension).unwrap_or_else(|| below.of(dimension)))
    }

    /// The first cap that another one makes pointless.
    pub fn contradiction(&self) -> Option<(&'static str, String)> {
        let calls = self.tool_calls?;
        for (key, cap) in [("external-calls", self.external_calls), ("side-effects", self.side_effects)] {
            if let Some(cap) = cap.filter(|cap| *cap > calls) {
                return Some((key, format!("{cap} of {calls} tool calls cannot be; expected at most {calls}")));
            }
        }
        None
    }
}

/// A risk profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Profile {
    /// Its rung.
    pub autonomy: u8,
    /// Its preset of the budget.
    pub budget: String,
    /// State that the model may propose to write.
    pub writes: Vec<StateKind>,
    /// What asks beside categories.
    #[serde(default)]
    pub asks: Vec<Arc<str>>,
    /// When categories ask.
    pub approvals: BTreeMap<ToolCategory, ApprovalRule>,
    /// What ends a run at once.
    pub fail_closed: Vec<FailClosed>,
}

/// A rung on the ladder of autonomy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Autonomy {
    /// Its name.
    pub name: String,
    /// Whether it may call tools.
    pub tools: bool,
    /// Steps that it has at most.
    pub steps: Option<u64>,
    /// Whether calls follow a plan.
    #[serde(default)]
    pub plans: PlanRule,
    /// What the model may decide.
    pub decisions: Vec<DecisionRight>,
}

/// Files of presets instead of those that ship; what is left out ships.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PresetFiles {
    /// Budgets by name, as `presets/budgets.toml` has them.
    pub budgets: Option<PathBuf>,
    /// Risk profiles by name, as `presets/profiles.toml` has them.
    pub profiles: Option<PathBuf>,
    /// The ladder of autonomy, as `presets/autonomy.toml` has it: rungs `1` to `7`.
    pub autonomy: Option<PathBuf>,
}

/// The presets of a run.
#[derive(Debug)]
pub struct Presets {
    budgets: BTreeMap<String, BudgetCaps>,
    profiles: BTreeMap<String, Profile>,
    autonomy: BTreeMap<String, Autonomy>,
    files: [String; 3],
}

impl Presets {
    /// Those that ship, or those of files, relative to `folder`.
    ///
    /// # Errors
    /// A file that cannot be read, or has a key that presets have not.
    pub fn load(files: &PresetFiles, folder: &Path) -> Result<Self, SettingsError> {
        fn one<T: serde::de::DeserializeOwned>(
            file: Option<&PathBuf>,
            folder: &Path,
            name: &str,
            own: &str,
        ) -> Result<(T, String), SettingsError> {
            match file {
                Some(file) => {
                    let path = folder.join(file);
                    Ok((read_toml(&path)?, path.display().to_string()))
                }
                None => Ok((parse(name, own)?, name.to_owned())),
            }
        }
        let (budgets, first) = one(files.budgets.as_ref(), folder, "presets/budgets.toml", BUDGETS)?;
        let (profiles, second) = one(files.profiles.as_ref(), folder, "presets/profiles.toml", PROFILES)?;
        let (autonomy, third) = one(files.autonomy.as_ref(), folder, "presets/autonomy.toml", AUTONOMY)?;
        Ok(Presets { budgets, profiles, autonomy, files: [first, second, third] })
    }

    /// A preset of the budget; `research`, `coding` and `incident` ship.
    ///
    /// # Errors
    /// A name that is none of them.
    pub fn budget(&self, name: &str) -> Result<&BudgetCaps, SettingsError> {
        named(&self.budgets, &self.files[0], name)
    }

    /// A profile; `research`, `coding`, `support`, `procurement` and `incident` ship.
    ///
    /// # Errors
    /// A name that is none of them.
    pub fn profile(&self, name: &str) -> Result<&Profile, SettingsError> {
        named(&self.profiles, &self.files[1], name)
    }

    /// A rung, 1 to 7.
    ///
    /// # Errors
    /// Another number.
    pub fn rung(&self, number: u8) -> Result<&Autonomy, SettingsError> {
        named(&self.autonomy, &self.files[2], &number.to_string())
    }
}

fn named<'a, T>(all: &'a BTreeMap<String, T>, file: &str, name: &str) -> Result<&'a T, SettingsError> {
    all.get(name).ok_or_else(|| {
        let names = all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        SettingsError::invalid(file, name, format!("no such preset; there are {names}"))
    })
}
