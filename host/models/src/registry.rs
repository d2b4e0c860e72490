//! The models of a deployment: one table for each tier. It names secrets and holds none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_kernel::contract::{ModelKind, Tier};
use countersign_spec::{Model, Retention};
use countersign_tools::SettingsError;
use serde::Deserialize;
use toml::{Table, Value};

use crate::address;
use crate::one_or_many::{OneOrMany, place};

/// Most samples of one answer.
const MOST_SAMPLES: u8 = 10;
/// Longest time-out, in milliseconds: a day is for ever here.
const LONGEST: u64 = 86_400_000;

/// The models of a run, by tier.
#[derive(Debug, Clone)]
pub struct Registry {
    file: String,
    /// Where the file lies: what it names is relative to it.
    folder: PathBuf,
    table: Table,
    models: BTreeMap<Tier, Vec<ModelSpec>>,
}

/// The section `models` of a deployment's file. Each tier is one table, or a list of them in the order of preference.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Section {
    cheap: Option<OneOrMany<ModelSpec>>,
    mid: Option<OneOrMany<ModelSpec>>,
    strong: Option<OneOrMany<ModelSpec>>,
}

/// One model.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelSpec {
    /// Its id, as the server knows it.
    pub name: String,
    /// Base address, such as `https://example.com/v1`; `/chat/completions` is added to it.
    pub endpoint: String,
    /// Micro-dollars for 1,000 tokens sent; 0 for a model of one's own.
    pub input_price: u64,
    /// Micro-dollars for 1,000 tokens received.
    pub output_price: u64,
    /// Tokens that one answer may have. Default 1024.
    #[serde(default = "max_output_tokens")]
    pub max_output_tokens: u64,
    /// Tokens that a request and its answer may have together: no request is made larger, unless the
    /// task names a cap of its own. Default: not known.
    pub context: Option<u64>,
    /// How long the provider keeps what it is sent: `"none"`, `{ days = 30 }` or `"unknown"`.
    pub retention: Option<Retention>,
    /// Whose law the provider is under, such as `"EU"`.
    pub jurisdiction: Option<String>,
    /// It runs on the operator's own machines: only such a model is told restricted texts. Default: whether `endpoint`
    /// is an address of this machine.
    pub self_hosted: Option<bool>,
    /// Whether the server gives the probabilities of tokens. Default: no.
    #[serde(default)]
    pub logprobs: bool,
    /// Whether it was trained to reason: its own word on its confidence is then worth less.
    #[serde(default)]
    pub reasoning_tuned: bool,
    /// Samples of each answer, 1 to 10. With more than one, how far they agree is a signal, and each is
    /// paid for. Default 1.
    #[serde(default = "samples")]
    pub samples: u8,
    /// 0 to 2. Default: the server's.
    pub temperature: Option<f32>,
    /// Milliseconds for one call. Default 60000.
    #[serde(default = "time_out")]
    pub time_out: u64,
    /// Environment variable that holds the key. At most one of this and `key-file`.
    pub key_env: Option<String>,
    /// File that holds the key, relative to this file; space around it does not count.
    pub key_file: Option<PathBuf>,
    /// How the server is told the form of an answer. Default `json-schema`.
    #[serde(default)]
    pub structured_output: StructuredOutput,
    /// Under which name it is told how long an answer may be. Default `max_tokens`.
    #[serde(default)]
    pub output_limit_key: OutputLimitKey,
}

/// How a server is told the form of an answer. Whatever it does with it, the answer is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StructuredOutput {
    /// By its JSON Schema.
    #[default]
    JsonSchema,
    /// That it is JSON.
    JsonObject,
    /// Only in words: for servers that know neither.
    None,
}

/// The name of the output limit in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputLimitKey {
    /// What compatible servers know.
    #[default]
    MaxTokens,
    /// What newer models of some providers insist on.
    MaxCompletionTokens,
}

fn max_output_tokens() -> u64 {
    1024
}

fn samples() -> u8 {
    1
}

fn time_out() -> u64 {
    60_000
}

impl Registry {
    /// Checks the section of a file; secrets are read when a [`Client`](super::Client) is made. `table` is the section as
    /// it was written.
    ///
    /// # Errors
    /// What is wrong, with file and key.
    pub fn of(path: &Path, table: Table, parsed: Section) -> Result<Self, SettingsError> {
        let file = path.display().to_string();
        let invalid = |problem: String| SettingsError::invalid(&file, "models", problem);
        let tiers = [(Tier::Cheap, parsed.cheap), (Tier::Mid, parsed.mid), (Tier::Strong, parsed.strong)];
        let models: BTreeMap<Tier, Vec<ModelSpec>> = tiers
            .into_iter()
            .filter_map(|(tier, several)| Some((tier, several?.0)))
            .filter(|(_, several)| !several.is_empty())
            .collect();
        if models.is_empty() {
            return Err(invalid(
                "expected at least one of the tables `models.cheap`, `models.mid` and `models.strong`".to_owned(),
            ));
        }
        for (tier, several) in &models {
            for (index, model) in several.iter().enumerate() {
                let place = place(&format!("models.{tier}"), index, several.len());
                let wrong = |(key, problem)| SettingsError::invalid(&file, &format!("{place}.{key}"), problem);
                model.check().map_err(wrong)?;
                if several[..index].iter().any(|other| other.name == model.name) {
                    return Err(wrong(("name", "stands twice in its tier".to_owned())));
                }
            }
        }
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Ok(Registry { file, folder, table, models })
    }

    /// Its file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The same, told of in errors under another name than that of its file.
    pub fn named(self, file: String) -> Self {
        Registry { file, ..self }
    }

    /// What relative paths in it start from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its models, weakest tier first, within a tier in the order of preference.
    pub fn models(&self) -> impl Iterator<Item = (Tier, &ModelSpec)> {
        self.models.iter().flat_map(|(tier, several)| several.iter().map(|model| (*tier, model)))
    }

    /// Its models with where each stands in the file.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, Tier, &ModelSpec)> {
        self.models.iter().flat_map(|(tier, several)| {
            let of = several.len();
            several
                .iter()
                .enumerate()
                .map(move |(index, model)| (place(&format!("models.{tier}"), index, of), *tier, model))
        })
    }

    /// The models as a run is pinned to them.
    pub fn pinned(&self) -> Vec<Model> {
        self.models().map(|(tier, spec)| spec.pinned(tier)).collect()
    }

    /// Tokens that fit the narrowest model beside its answer; none where no window is known.
    pub fn narrowest(&self) -> Option<u64> {
        self.models
            .values()
            .flatten()
            .filter_map(|model| Some(model.context?.saturating_sub(model.max_output_tokens)))
            .min()
    }

    /// A deployment's file with these models, which means the same wherever it lies.
    pub fn portable(&self) -> String {
        let mut table = self.table.clone();
        let tables = table.iter_mut().flat_map(|(_, value)| match value {
            Value::Table(model) => vec![model],
            Value::Array(several) => several.iter_mut().filter_map(Value::as_table_mut).collect(),
            _ => Vec::new(),
        });
        for model in tables {
            if let Some(Value::String(path)) = model.get_mut("key-file") {
                let whole = self.folder.join(&path);
                *path = std::path::absolute(&whole).unwrap_or(whole).display().to_string();
            }
        }
        let file =
            Table::from_iter([("version".to_owned(), Value::Integer(1)), ("models".to_owned(), Value::Table(table))]);
        file.to_string()
    }
}

impl ModelSpec {
    /// The key that is wrong, and what was expected.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |key, problem: &str| Err((key, problem.to_owned()));
        if self.name.trim().is_empty() {
            return wrong("name", "is empty; expected the model's id, as the server knows it");
        }
        if let Err(problem) = address::checked(&self.endpoint) {
            return Err(("endpoint", format!("{problem}; give an address such as `https://example.com/v1`")));
        }
        if self.endpoint.contains(['?', '#']) {
            return wrong("endpoint", "contains `?` or `#`; a key belongs into `key-env` or `key-file`");
        }
        if self.endpoint.trim_end_matches('/').ends_with("/chat/completions") {
            return wrong("endpoint", "ends with `/chat/completions`; leave that out, it is added");
        }
        if self.key_env.is_some() && self.key_file.is_some() {
            return wrong("key-env", "stands beside `key-file`; expected at most one of them");
        }
        let keyed = self.key_env.is_some() || self.key_file.is_some();
        let clear = self.endpoint.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
        if keyed && clear && !address::is_local(&self.endpoint) {
            return wrong("endpoint", "would send the key in clear text; expected `https://`, or no key");
        }
        let most = u64::from(u32::MAX);
        if !(1..=most).contains(&self.max_output_tokens) {
            return Err(("max-output-tokens", format!("expected 1 to {most}")));
        }
        if self.context.is_some_and(|context| context <= self.max_output_tokens) {
            return wrong("context", "leaves no room for a request beside `max-output-tokens`");
        }
        if self.jurisdiction.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return wrong("jurisdiction", "is empty; name it or leave the key out");
        }
        if !(1..=MOST_SAMPLES).contains(&self.samples) {
            return Err(("samples", format!("expected 1 to {MOST_SAMPLES}, found {}", self.samples)));
        }
        if let Some(temperature) = self.temperature {
            if !(0.0..=2.0).contains(&temperature) {
                return Err(("temperature", format!("expected 0 to 2, found {temperature}")));
            }
            if self.samples > 1 && temperature == 0.0 {
                return wrong("temperature", "at 0 all `samples` are the same; expected more, or one sample");
            }
        }
        if !(1..=LONGEST).contains(&self.time_out) {
            return Err(("time-out", format!("expected 1 to {LONGEST} milliseconds, found {}", self.time_out)));
        }
        Ok(())
    }

    /// The model as a run is pinned to it: what a call may be answered with is all samples together.
    pub(super) fn pinned(&self, tier: Tier) -> Model {
        Model {
            kind: if self.reasoning_tuned { ModelKind::Reasoning } else { ModelKind::General },
            input_price: self.input_price,
            output_price: self.output_price,
            max_output_tokens: self.max_output_tokens.saturating_mul(self.samples.into()),
            context: self.context,
            retention: self.retention,
            jurisdiction: self.jurisdiction.as_deref().map(Into::into),
            self_hosted: self.self_hosted.unwrap_or_else(|| address::is_local(&self.endpoint)),
            ..Model::new(tier, &self.name)
        }
    }
}
