use serde::de::DeserializeOwned;

/// What every policy says of itself, and how it takes its configuration.
pub trait Policy: Sized {
    /// Lower-case name with hyphens, such as `doom-loop`.
    const NAME: &'static str;
    /// The policy's own semantic version; `env!("CARGO_PKG_VERSION")` serves.
    const VERSION: &'static str;
    /// One sentence: what it decides and by what.
    const PURPOSE: &'static str;
    /// True when no call depends on an earlier one: after a trap it need not be fed its history.
    const STATELESS: bool;
    /// JSON Schema of the configuration. Close every object with `additionalProperties`; the host
    /// refuses a schema that lets a misspelt key pass.
    const CONFIGURATION_SCHEMA: &'static str;

    /// The configuration as a serde type. The host has checked it against the schema.
    type Configuration: DeserializeOwned;

    /// Makes the policy. Called once for each instance.
    ///
    /// # Errors
    /// A [`ConfigError`] for what a schema cannot say, such as one threshold below another.
    fn configure(configuration: Self::Configuration) -> Result<Self, ConfigError>;
}

/// A configuration that matches the schema and still makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// JSON pointer of the offending key, such as `/thresholds/ship`; empty for the whole.
    pub key: String,
    /// What was expected, lower case, no full stop.
    pub message: String,
}

impl ConfigError {
    /// An error at a key.
    pub fn at(key: impl Into<String>, message: impl Into<String>) -> Self {
        ConfigError { key: key.into(), message: message.into() }
    }
}
