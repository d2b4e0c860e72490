//! JSON Schemas of strangers, compiled and checked within a budget of steps.
//!
//! Whoever describes a tool or a policy writes its schema, so a schema is untrusted: see the README of this crate.

mod cost;
mod index;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

pub use cost::MOST_STEPS;
pub use index::{DEEPEST, MOST_NODES};

use index::Index;

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON Schema.
    #[error("is no JSON Schema: {0}")]
    Invalid(String),
    /// It is larger or deeper than any that people write.
    #[error("{found}; expected at most {most}")]
    TooLarge {
        /// What was found, with its number.
        found: String,
        /// The limit.
        most: usize,
    },
    /// A reference that leads out of it, or nowhere.
    #[error("its reference `{0}` leads nowhere in it; expected one like `#/$defs/NAME`")]
    Reference(String),
    /// Checking anything against it never comes to an end.
    #[error("it refers to itself without going into the value, at `{0}`")]
    Endless(String),
}

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the value; empty for the whole.
    pub at: String,
    /// What was expected.
    pub message: String,
    /// Whether a key stands there that the schema does not know.
    pub is_unknown_key: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at.is_empty() { f.write_str(&self.message) } else { write!(f, "`{}`: {}", self.at, self.message) }
    }
}

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    index: Index,
}

impl Schema {
    /// Compiles a schema of at most [`MOST_NODES`] values that nest at most [`DEEPEST`] deep and refer to nothing
    /// outside.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        let index = Index::new(schema)?;
        let validator = jsonschema::validator_for(schema).map_err(|error| SchemaError::Invalid(error.to_string()))?;
        Ok(Schema { validator, index })
    }

    /// The first problem of a value; none where it fits. A value whose check would take more than [`MOST_STEPS`]
    /// steps does not fit.
    pub fn problem(&self, value: &Value) -> Option<Problem> {
        if !cost::is_bounded(&self.index, value) {
            let message = format!("it cannot be checked: its schema asks for more than {MOST_STEPS} steps");
            return Some(Problem { at: String::new(), message, is_unknown_key: false });
        }
        let error = self.validator.iter_errors(value).next()?;
        Some(Problem {
            at: error.instance_path().to_string(),
            is_unknown_key: matches!(error.kind(), ValidationErrorKind::FalseSchema),
            message: error.to_string(),
        })
    }

    /// Whether a value fits.
    pub fn fits(&self, value: &Value) -> bool {
        cost::is_bounded(&self.index, value) && self.validator.is_valid(value)
    }
}
