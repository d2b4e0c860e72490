//! Names of the files that a store consists of.

use std::path::{Path, PathBuf};

/// Where a link leads: SQLite puts its files beside what it opens, and not beside a link to it.
pub(super) fn resolved(file: &Path) -> PathBuf {
    std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

/// What SQLite keeps beside the file of a store, by the end of its name.
pub(super) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = resolved(file).into_os_string();
    name.push(end);
    name.into()
}
