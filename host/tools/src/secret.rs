//! Secrets that a file of settings names and never holds: from the environment, or from a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A secret; never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// What it is. Whoever asks must not show it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A secret that is not where it was said to be.
pub enum SecretError {
    /// Both places are named.
    Two,
    /// It was to be in a variable of the environment.
    Variable {
        /// Its name.
        variable: String,
        /// That it is not set, or empty.
        problem: &'static str,
    },
    /// It was to be in a file.
    File {
        /// As it was named.
        path: PathBuf,
        /// Why it cannot be read, or that it is empty.
        problem: String,
    },
}

/// Reads the secret that a variable or a file holds, a relative path from `base`; line ends at its end
/// do not count. None where neither is named.
pub fn read(
    variable: Option<&str>,
    file: Option<&Path>,
    base: &Path,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Secret>, SecretError> {
    match (variable, file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(SecretError::Two),
        (Some(variable), None) => {
            let refused = |problem| SecretError::Variable { variable: variable.to_owned(), problem };
            let value = environment(variable).ok_or_else(|| refused("not set"))?;
            trimmed(value.into_encoded_bytes()).ok_or_else(|| refused("empty")).map(Some)
        }
        (None, Some(path)) => {
            let refused = |problem: String| SecretError::File { path: path.to_owned(), problem };
            let bytes = std::fs::read(base.join(path)).map_err(|error| refused(error.to_string()))?;
            trimmed(bytes).ok_or_else(|| refused("it is empty".to_owned())).map(Some)
        }
    }
}

fn trimmed(mut bytes: Vec<u8>) -> Option<Secret> {
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    (!bytes.is_empty()).then_some(Secret(bytes))
}
