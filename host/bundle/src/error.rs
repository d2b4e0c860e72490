use std::path::PathBuf;

use countersign_engine::{ConfigurationError, LoadError};

/// A bundle that cannot be used. Names the file, and the key or line.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be read or written.
    #[error("`{}`: {source}{help}", path.display())]
    Io {
        /// The file or folder, as it was named.
        path: PathBuf,
        /// What to do about it, if anything, with its separator.
        help: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("`{file}`: {problem}")]
    Invalid {
        /// The file, as it was named.
        file: String,
        /// Line or key, and what was expected.
        problem: String,
    },
    /// A component is not the one that was locked.
    #[error(
        "`{file}`: entry `{entry}`: `{component}` has digest {found}, the lock says {expected}; if the change is \
         meant, run `countersign bundle lock`"
    )]
    Digest {
        /// The lock.
        file: String,
        /// The entry.
        entry: String,
        /// The component's file.
        component: String,
        /// Digest of the bytes there.
        found: String,
        /// Digest in the lock.
        expected: String,
    },
    /// A folder of installed bundles does not hold what is wanted.
    #[error("`{}`: {problem}", folder.display())]
    Installed {
        /// The folder, as it was named.
        folder: PathBuf,
        /// What is missing, and what to do.
        problem: String,
    },
    /// A component cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A configuration does not fit.
    #[error("`{file}`: entry `{entry}`: {source}")]
    Configuration {
        /// Where it stands.
        file: String,
        /// The entry.
        entry: String,
        /// What is wrong.
        source: ConfigurationError,
    },
}
