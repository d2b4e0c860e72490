//! The exact arguments of calls whose recorded ones have marks in the places of secrets.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_tools::marks::Marks;
use countersign_tools::parts::Parts;
use countersign_tools::redact::salted;

use super::Session;

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
    /// Holds the exact arguments behind this digest. False where they were held before.
    pub fn hold(&mut self, payload: &Arc<str>, exact: &str) -> bool {
        if self.held.iter().any(|(known, _)| known == payload) {
            return false;
        }
        if self.held.len() == MOST {
            self.held.pop_front();
        }
        self.held.push_back((Arc::clone(payload), exact.into()));
        true
    }

    /// What is held behind a digest.
    pub fn held(&self, payload: &Arc<str>) -> Option<&Arc<str>> {
        self.held.iter().find(|(known, _)| known == payload).map(|(_, exact)| exact)
    }
}

impl Session {
    /// Holds the exact arguments of a call, in the store too where secrets may be kept there.
    pub(super) fn hold(&mut self, payload: &Arc<str>, exact: &str) {
        if !self.vault.hold(payload, exact) || !self.keep_secrets {
            return;
        }
        let run = Arc::clone(&self.run.manifest().run);
        self.secrets_kept = true;
        if let Err(error) = self.store.put_payload(&run, payload, exact.as_bytes()) {
            tracing::warn!(%run, %error, "the arguments of a call are not kept: no other process can make it");
        }
    }

    /// The run is over: nobody makes a call of it any more.
    pub(super) fn forget_secrets(&mut self) {
        self.vault = Vault::default();
        self.marks = Marks::default();
        self.parts = Parts::default();
        // Where none was kept, nothing is to be looked for.
        let kept = std::mem::take(&mut self.secrets_kept);
        let run = &self.run.manifest().run;
        if kept && let Err(error) = self.store.erase_payloads(run) {
            tracing::warn!(%run, %error, "the exact arguments of its calls are still in the store");
        }
    }

    /// The bytes that a tool is to receive for a call: the shown arguments where nothing in them was replaced.
    ///
    /// # Errors
    /// Why they cannot be had, in words for the run's record.
    pub(super) fn exact(&self, shown: &Arc<str>, payload: Option<&Arc<str>>) -> Result<Arc<str>, &'static str> {
        let Some(payload) = payload else { return Ok(Arc::clone(shown)) };
        let kept = || {
            let bytes = self.store.payload(&self.run.manifest().run, payload).ok()??;
            String::from_utf8(bytes).ok().map(Arc::from)
        };
        let exact = self.vault.held(payload).cloned().or_else(kept).ok_or(GONE)?;
        // What is handed out is what was judged and approved, to the byte.
        let same = *salted(exact.as_bytes(), &self.salt) == **payload;
        if same { Ok(exact) } else { Err("its arguments are not the ones that were judged") }
    }
}

/// What is said of a call whose arguments nobody has any more.
const GONE: &str = "its arguments held a secret, which is gone with the process that got it; propose the call again";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_arguments_go_first() {
        let mut vault = Vault::default();
        let payload: Arc<str> = "salted:1".into();
        assert!(vault.held(&payload).is_none(), "nobody holds it");
        assert!(vault.hold(&payload, "{}") && !vault.hold(&payload, "{}"));
        assert_eq!(vault.held(&payload).map(|exact| &**exact), Some("{}"));
        for number in 0..MOST {
            vault.hold(&format!("{number}").into(), "{}");
        }
        assert!(vault.held(&payload).is_none());
    }
}
