//! Texts that a guard held up and a person has let pass: to ask about one of them again would ask for ever.

use std::collections::VecDeque;

use super::bounded::push_bounded;
use crate::contract::{Digest, sha256};

/// Texts that are kept.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Looked {
    /// What a person is looking at.
    at: Option<Digest>,
    passed: VecDeque<Digest>,
}

impl Looked {
    /// A person is asked to look at a text.
    pub fn ask(&mut self, text: &str) {
        self.at = Some(sha256(text.as_bytes()));
    }

    /// The run goes on by a person's word: what was looked at may pass.
    pub fn pass(&mut self) {
        if let Some(text) = self.at.take() {
            push_bounded(&mut self.passed, MOST, text);
        }
    }

    /// Whether a person has let this very text pass.
    pub fn has_passed(&self, text: &str) -> bool {
        !self.passed.is_empty() && self.passed.contains(&sha256(text.as_bytes()))
    }
}
