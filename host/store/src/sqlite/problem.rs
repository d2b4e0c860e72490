//! What SQLite says, in the words of a store.

use rusqlite::ErrorCode;

use crate::error::StorageError;

pub(super) fn storage(file: &str, error: rusqlite::Error) -> StorageError {
    let store = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StorageError::Full { store },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StorageError::ReadOnly { store },
        Some(ErrorCode::DatabaseCorrupt) => StorageError::Damaged { store, problem: error.to_string() },
        Some(ErrorCode::NotADatabase) => StorageError::NoStore { store, problem: error.to_string() },
        _ => StorageError::failed(file, error),
    }
}

/// A value that no release writes.
pub(super) fn damaged(file: &str, problem: impl Into<String>) -> StorageError {
    StorageError::Damaged { store: file.to_owned(), problem: problem.into() }
}
