//! What the next request is made of: notices, notes, the last exchanges, and what stands for the rest once it
//! was compressed; and what a packet says of how it came so far.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bounded::{cut, push_bounded};
use super::hidden::Hidden;

/// Most bytes of an action or a result that the next request carries.
const EXCHANGE_TEXT: usize = 2 << 10;
/// Bytes that are left of a result that is cut.
const CUT_RESULT: usize = 512;
/// Error signals that a packet carries.
const SIGNALS: usize = 5;
/// Most bytes of one of them.
const SIGNAL_TEXT: usize = 512;
/// Most bytes of what stands for exchanges that were left out.
const KEPT_TEXT: usize = 4 << 10;
/// Most bytes of the text that a packet shows, and of the model's last words.
const SNIPPET: usize = 1024;
const LAST_OUTPUT: usize = 512;

#[derive(Debug)]
pub(super) struct Context {
    guidance: Option<Arc<str>>,
    notice: Option<String>,
    message: Option<Arc<str>>,
    /// People have said something that nobody has rated yet.
    unrated: bool,
    /// What no model is to see.
    hidden: Hidden,
    scratchpad: Option<Arc<str>>,
    kept: Option<Arc<str>>,
    recent: VecDeque<(Arc<str>, Arc<str>)>,
    /// Bytes that a loop without packets would have carried along.
    history_bytes: u64,
    last_valid_state: String,
    error_signals: VecDeque<String>,
    snippet: String,
    last_output: Arc<str>,
    /// A step of the plan has just been done.
    boundary: bool,
    /// The model has asked for room.
    asked: bool,
}

impl Default for Context {
    fn default() -> Self {
        Context {
            guidance: None,
            notice: None,
            message: None,
            unrated: false,
            hidden: Hidden::default(),
            scratchpad: None,
            kept: None,
            recent: VecDeque::new(),
            history_bytes: 0,
            last_valid_state: "nothing has been done yet".to_owned(),
            error_signals: VecDeque::new(),
            snippet: String::new(),
            last_output: "".into(),
            boundary: false,
            asked: false,
        }
    }
}

impl Context {
    pub fn guidance(&self) -> Option<&Arc<str>> {
        self.guidance.as_ref()
    }

    /// A stronger model has advised: what led there is left out.
    pub fn advise(&mut self, guidance: Arc<str>) {
        self.guidance = Some(guidance);
        self.recent.clear();
        self.notice = None;
    }

    pub fn notice(&mut self, notice: String) {
        self.notice = Some(notice);
    }

    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// A person has said something.
    pub fn message(&mut self, text: Arc<str>) {
        self.message = Some(text);
        self.unrated = true;
    }

    /// A person's words go out as a notice.
    pub fn notice_of_person(&mut self, notice: Option<String>) {
        self.notice = notice;
        self.unrated = true;
    }

    /// What people and the loop have said since the last request, where nobody has rated it yet.
    pub fn take_unrated(&mut self) -> Option<String> {
        std::mem::take(&mut self.unrated).then(|| {
            let words = [self.notice.as_deref(), self.message.as_deref()];
            words.into_iter().flatten().collect::<Vec<_>>().join("\n")
        })
    }

    /// What the loop and people have to say of the last step.
    pub fn said(&self) -> Option<String> {
        match (&self.notice, &self.message) {
            (Some(notice), Some(message)) => Some(format!("{notice}\n{message}")),
            (Some(notice), None) => Some(notice.clone()),
            (None, message) => message.as_deref().map(str::to_owned),
        }
    }

    /// The request was sent: what was said once is not said again.
    pub fn sent(&mut self) {
        self.notice = None;
        self.message = None;
        self.scratchpad = None;
    }

    pub fn forget_message(&mut self) {
        self.message = None;
    }

    pub fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    pub fn hidden_mut(&mut self) -> &mut Hidden {
        &mut self.hidden
    }

    pub fn scratchpad(&self) -> Option<&Arc<str>> {
        self.scratchpad.as_ref()
    }

    pub fn note(&mut self, text: Arc<str>) {
        self.scratchpad = Some(text);
    }

    pub fn kept(&self) -> Option<&Arc<str>> {
        self.kept.as_ref()
    }

    pub fn recent(&self) -> impl ExactSizeIterator<Item = &(Arc<str>, Arc<str>)> {
        self.recent.iter()
    }

    /// An action and what came of it.
    pub fn exchange(&mut self, action: &str, result: &str, most: usize) {
        push_bounded(&mut self.recent, most, (cut(action, EXCHANGE_TEXT).into(), cut(result, EXCHANGE_TEXT).into()));
    }

    pub fn carry(&mut self, bytes: u64) {
        self.history_bytes = self.history_bytes.saturating_add(bytes);
    }

    pub fn history_bytes(&self) -> u64 {
        self.history_bytes
    }

    pub fn last_valid_state(&self) -> &str {
        &self.last_valid_state
    }

    pub fn reached(&mut self, state: String) {
        self.last_valid_state = state;
    }

    /// An error signal for the next packet.
    pub fn signal(&mut self, text: &str) {
        if self.error_signals.back().is_none_or(|last| last != text) {
            push_bounded(&mut self.error_signals, SIGNALS, cut(text, SIGNAL_TEXT).to_owned());
        }
    }

    pub fn signals(&self) -> Vec<String> {
        self.error_signals.iter().cloned().collect()
    }

    /// A step succeeded: what went wrong before it is settled.
    pub fn settled(&mut self) {
        self.error_signals.clear();
    }

    pub fn snippet(&self) -> &str {
        &self.snippet
    }

    pub fn show(&mut self, snippet: &str) {
        self.snippet = cut(snippet, SNIPPET).to_owned();
    }

    pub fn last_output(&self) -> &Arc<str> {
        &self.last_output
    }

    pub fn output(&mut self, text: &str) {
        self.last_output = cut(text, LAST_OUTPUT).into();
    }

    /// A step of the plan is done: a place where the context may well be cut.
    pub fn at_boundary(&mut self) {
        self.boundary = true;
    }

    /// The model asks for room.
    pub fn ask_for_room(&mut self) {
        self.asked = true;
    }

    /// Whether a boundary was passed, and whether room was asked for, since the last request.
    pub fn take_pressure(&mut self) -> (bool, bool) {
        (std::mem::take(&mut self.boundary), std::mem::take(&mut self.asked))
    }

    /// All exchanges but the last so many go, and a digest stands for them.
    pub fn collapse(&mut self, exchanges: usize, kept: &str) {
        self.kept = Some(cut(kept, KEPT_TEXT).into());
        self.scratchpad = None;
        // The exchange at hand is what the next step is about.
        while self.recent.len() > exchanges {
            self.recent.pop_front();
        }
    }

    pub fn forget_guidance(&mut self) {
        self.guidance = None;
    }

    /// As if from anew.
    pub fn branch(&mut self) {
        self.guidance = None;
        self.error_signals.clear();
        self.snippet.clear();
    }

    pub fn cut_largest(&mut self) {
        if let Some((_, result)) = self.recent.iter_mut().max_by_key(|(_, result)| result.len()) {
            *result = shortened(result);
        }
    }

    /// The older half of the exchanges goes.
    pub fn snip(&mut self) {
        let older = self.recent.len() / 2;
        self.recent.drain(..older);
    }

    /// All results but the last are cut.
    pub fn cut_older(&mut self) {
        let last = self.recent.len().saturating_sub(1);
        for (_, result) in self.recent.iter_mut().take(last) {
            *result = shortened(result);
        }
    }
}

/// The first bytes of a result, and how many there were.
fn shortened(result: &Arc<str>) -> Arc<str> {
    if result.len() <= CUT_RESULT {
        return Arc::clone(result);
    }
    format!("{} … ({} bytes, cut)", cut(result, CUT_RESULT), result.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Context {
        let mut context = Context::default();
        for number in 0..9 {
            context.exchange(&format!("call {number}"), &"x".repeat(10_000), 4);
        }
        context
    }

    #[test]
    fn exchanges_are_bounded_in_number_and_bytes() {
        let context = full();
        assert_eq!(context.recent().len(), 4);
        assert!(context.recent().all(|(_, result)| result.len() == EXCHANGE_TEXT));
    }

    #[test]
    fn each_layer_makes_the_context_smaller() {
        let layers: [fn(&mut Context); 4] =
            [Context::cut_largest, Context::snip, Context::cut_older, |context| context.collapse(1, "kept")];
        for layer in layers {
            let mut context = full();
            let size = |context: &Context| context.recent().map(|(_, result)| result.len()).sum::<usize>();
            let before = size(&context);
            layer(&mut context);
            assert!(size(&context) < before);
            assert_eq!(context.recent().last().map(|(action, _)| &**action), Some("call 8"), "the last one stays");
        }
    }

    #[test]
    fn what_was_said_is_rated_once_and_sent_once() {
        let mut context = Context::default();
        context.notice("stop".to_owned());
        assert_eq!(context.take_unrated(), None, "the loop's own words need no rating");
        context.message("go on".into());
        assert_eq!(context.take_unrated().as_deref(), Some("stop\ngo on"));
        assert_eq!(context.take_unrated(), None);
        assert_eq!(context.said().as_deref(), Some("stop\ngo on"));
        context.sent();
        assert_eq!(context.said(), None);
    }
}
