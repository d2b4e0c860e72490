use std::path::PathBuf;

/// A setting that cannot be used. Names file and key.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file or folder, as it was named.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something in it makes no sense.
    #[error("`{file}`: {problem}")]
    Invalid {
        /// Which file.
        file: String,
        /// Line or key, and what was expected.
        problem: String,
    },
}

impl SettingsError {
    /// A key of a file that makes no sense.
    pub fn invalid(file: &str, key: &str, problem: impl std::fmt::Display) -> Self {
        SettingsError::Invalid { file: file.to_owned(), problem: format!("key `{key}`: {problem}") }
    }
}
