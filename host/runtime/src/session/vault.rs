//! The exact arguments of calls whose recorded ones have marks in the places of secrets.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::redact::{Salt, salted};

/// Most arguments that are held at once: calls that wait for people, and the one at hand. The oldest go first; a call
/// whose arguments are gone is refused, never made with marks in them.
const MOST: usize = 128;

/// What a tool is to receive, by the salted digest under which the trace names it. Kernel, policies and trace see the
/// shown text and this digest alone.
#[derive(Debug, Default)]
pub(super) struct Vault {
    held: VecDeque<(Arc<str>, Arc<str>)>,
}

impl Vault {
    /// Holds the exact arguments behind this digest.
    pub fn hold(&mut self, payload: &Arc<str>, exact: &str) {
        if self.held.iter().any(|(known, _)| known == payload) {
            return;
        }
        if self.held.len() == MOST {
            self.held.pop_front();
        }
        self.held.push_back((Arc::clone(payload), exact.into()));
    }

    /// The bytes that a tool is to receive for a call: the shown arguments where nothing in them was replaced.
    ///
    /// # Errors
    /// Why they cannot be had, in words for the run's record.
    pub fn exact(&self, shown: &Arc<str>, payload: Option<&Arc<str>>, salt: &Salt) -> Result<Arc<str>, &'static str> {
        let Some(payload) = payload else { return Ok(Arc::clone(shown)) };
        let held = self.held.iter().find(|(known, _)| known == payload).map(|(_, exact)| exact);
        let exact = held.ok_or(
            "its arguments held a secret, which is gone with the process that got it; propose the call again",
        )?;
        // What is handed out is what was judged and approved, to the byte.
        if *salted(exact.as_bytes(), salt) != **payload {
            return Err("its arguments are not the ones that were judged");
        }
        Ok(Arc::clone(exact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt([3; 32]);

    #[test]
    fn a_tool_gets_what_was_judged_or_nothing() {
        let mut vault = Vault::default();
        let shown: Arc<str> = r#"{"key":"[redacted:x:0]"}"#.into();
        let exact = r#"{"key":"s3cret"}"#;
        let payload: Arc<str> = salted(exact.as_bytes(), &SALT).into();
        assert_eq!(vault.exact(&shown, None, &SALT).as_deref(), Ok(&*shown), "nothing was replaced");
        assert!(vault.exact(&shown, Some(&payload), &SALT).is_err(), "nobody holds it");
        vault.hold(&payload, exact);
        assert_eq!(vault.exact(&shown, Some(&payload), &SALT).as_deref(), Ok(exact));
        assert!(vault.exact(&shown, Some(&payload), &Salt([4; 32])).is_err(), "another run's");
        for number in 0..MOST {
            vault.hold(&format!("{number}").into(), "{}");
        }
        assert!(vault.exact(&shown, Some(&payload), &SALT).is_err(), "the oldest go first");
    }
}
