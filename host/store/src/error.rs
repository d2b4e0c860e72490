//! What can be wrong with a store itself, whatever was asked of it.

use std::error::Error;

/// A store that cannot do what it was asked to. `store` is its own name for itself: a file, a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Nothing more fits: what was to be kept is not. Whether it may be tried again is for those to say who know what
    /// was done before it.
    #[error("{store}: no space is left, and what came last is not kept; make room first")]
    Full {
        /// The store.
        store: String,
    },
    /// It can be read only.
    #[error("{store}: cannot be written; check who owns it and how it is mounted")]
    ReadOnly {
        /// The store.
        store: String,
    },
    /// A newer release made it.
    #[error("{store}: has schema version {found}, this release knows up to {known}; use the release that wrote it")]
    NewerSchema {
        /// The store.
        store: String,
        /// Its version.
        found: u64,
        /// The newest that is known here.
        known: u64,
    },
    /// It is something else than a store. Nothing of it was changed.
    #[error("{store}: is no store of Countersign: {problem}")]
    NoStore {
        /// What was taken for one.
        store: String,
        /// What was found.
        problem: String,
    },
    /// It is no longer what was written.
    #[error("{store}: is damaged: {problem}")]
    Damaged {
        /// The store.
        store: String,
        /// What was found.
        problem: String,
    },
    /// Anything else.
    #[error("{store}: {source}")]
    Failed {
        /// The store.
        store: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StorageError {
    /// An error that nothing better is known of.
    pub fn failed(store: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        StorageError::Failed { store: store.to_owned(), source: source.into() }
    }
}
