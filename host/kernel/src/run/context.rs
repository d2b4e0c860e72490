//! What the next request is made of: notices, notes, the last exchanges, and what stands for the rest once it
//! was compressed; and what a packet says of how it came so far.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bounded::{cut, push_bounded};
use super::hidden::Hidden;
use super::looked::Looked;
use crate::record::told::{CameOf, CompactedHistory, Did, Exchange, Notice, Texts};

/// Most bytes of an action, or of a reason, that the next request carries.
const EXCHANGE_TEXT: usize = 2 << 10;
/// Most bytes of a result that it carries: all that is recorded of one.
const RESULT_TEXT: usize = 4 << 10;
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
    notice: Option<Notice>,
    message: Option<Arc<str>>,
    /// People have said something that nobody has rated yet.
    unrated: bool,
    /// What no model is to see.
    hidden: Hidden,
    /// What a guard held up and a person has let pass.
    looked: Looked,
    scratchpad: Option<Arc<str>>,
    /// What the last request said once: it is said again where no answer came of it.
    said: Said,
    /// What is wrong with the form of the last answer.
    mend: Option<Arc<str>>,
    kept: Option<Arc<CompactedHistory>>,
    recent: VecDeque<Exchange>,
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

/// What one request says and the next does not.
#[derive(Debug, Default)]
struct Said {
    notice: Option<Notice>,
    message: Option<Arc<str>>,
    scratchpad: Option<Arc<str>>,
}

impl Default for Context {
    fn default() -> Self {
        Context {
            guidance: None,
            notice: None,
            message: None,
            unrated: false,
            hidden: Hidden::default(),
            looked: Looked::default(),
            scratchpad: None,
            said: Said::default(),
            mend: None,
            kept: None,
            recent: VecDeque::new(),
            history_bytes: 0,
            last_valid_state: String::new(),
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

    pub fn notice(&mut self, notice: Notice) {
        self.notice = Some(notice);
    }

    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    /// A person has said something.
    pub fn message(&mut self, text: Arc<str>) {
        self.message = Some(text);
        self.unrated = true;
    }

    /// A person does not want something done, and says what to do instead.
    pub fn rejected(&mut self, tool: Option<Arc<str>>, instead: Option<Arc<str>>) {
        self.notice = instead.map(|instead| Notice::Rejected { tool, instead });
        self.unrated = true;
    }

    /// What people have said since the last request, where nobody has rated it yet. The loop's own notices have
    /// nothing in them that is not rated.
    pub fn take_unrated(&mut self) -> Option<String> {
        std::mem::take(&mut self.unrated).then(|| {
            let instead = match &self.notice {
                Some(Notice::Rejected { instead, .. }) => Some(&**instead),
                _ => None,
            };
            [instead, self.message.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("\n")
        })
    }

    /// What the loop has to say of the last step.
    pub fn own_notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// What a person has said since the last request.
    pub fn own_message(&self) -> Option<&Arc<str>> {
        self.message.as_ref()
    }

    /// The request was sent: what was said once is not said again.
    pub fn sent(&mut self) {
        let (notice, message) = (self.notice.take(), self.message.take());
        self.said = Said { notice, message, scratchpad: self.scratchpad.take() };
    }

    /// No answer that counts came of the last request: the next one says what it said. What a person has said since
    /// comes after it.
    pub fn say_again(&mut self) {
        let Said { notice, message, scratchpad } = std::mem::take(&mut self.said);
        self.notice = self.notice.take().or(notice);
        self.scratchpad = self.scratchpad.take().or(scratchpad);
        self.message = match (message, self.message.take()) {
            (Some(first), Some(then)) => Some(format!("{first}\n{then}").into()),
            (first, then) => first.or(then),
        };
    }

    /// What is wrong with the form of the last answer.
    pub fn own_mend(&self) -> Option<&Arc<str>> {
        self.mend.as_ref()
    }

    /// The model is told this of its answer, until there is one in the form asked for.
    pub fn mend(&mut self, reason: Option<Arc<str>>) {
        self.mend = reason;
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

    pub fn looked(&mut self) -> &mut Looked {
        &mut self.looked
    }

    pub fn scratchpad(&self) -> Option<&Arc<str>> {
        self.scratchpad.as_ref()
    }

    pub fn note(&mut self, text: Arc<str>) {
        self.scratchpad = Some(text);
    }

    pub fn kept(&self) -> Option<&Arc<CompactedHistory>> {
        self.kept.as_ref()
    }

    pub fn recent(&self) -> impl ExactSizeIterator<Item = &Exchange> {
        self.recent.iter()
    }

    /// An action and what came of it.
    pub fn exchange(&mut self, did: Did, came: CameOf, most: usize) {
        push_bounded(&mut self.recent, most, Exchange { did: bounded_action(did), came: bounded_result(came) });
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
        self.snippet = cut(&self.hidden.hide(snippet), SNIPPET).to_owned();
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

    /// All exchanges but the last so many go, and this stands for them; of more facts than there is room for the
    /// first by name.
    pub fn collapse(&mut self, exchanges: usize, mut kept: CompactedHistory) {
        let mut room = KEPT_TEXT;
        kept.facts.retain(|(name, text)| {
            let size = name.len() + text.len();
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        self.kept = Some(Arc::new(kept));
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
        if let Some(exchange) = self.recent.iter_mut().max_by_key(|exchange| exchange.came.bytes()) {
            shorten(&mut exchange.came);
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
        for exchange in self.recent.iter_mut().take(last) {
            shorten(&mut exchange.came);
        }
    }
}

/// Leaves the first bytes of a result, and how many there were.
fn shorten(came: &mut CameOf) {
    if let CameOf::Result { text, cut_from } = came
        && text.len() > CUT_RESULT
    {
        *cut_from = Some(cut_from.unwrap_or(text.len() as u64));
        *text = cut(text, CUT_RESULT).into();
    }
}

/// A text of at most so many bytes.
fn short(text: &Arc<str>) -> Arc<str> {
    if text.len() <= EXCHANGE_TEXT { Arc::clone(text) } else { cut(text, EXCHANGE_TEXT).into() }
}

fn bounded_action(did: Did) -> Did {
    match did {
        Did::Called(text) => Did::Called(short(&text)),
        Did::Said(text) => Did::Said(short(&text)),
        Did::Wrote { state, key } => Did::Wrote { state, key: key.as_ref().map(short) },
        other => other,
    }
}

fn bounded_result(came: CameOf) -> CameOf {
    match came {
        CameOf::Result { text, cut_from } if text.len() > RESULT_TEXT => {
            let cut_from = Some(cut_from.unwrap_or(text.len() as u64));
            CameOf::Result { text: cut(&text, RESULT_TEXT).into(), cut_from }
        }
        CameOf::NotRun { reason } => CameOf::NotRun { reason: short(&reason) },
        CameOf::NotAccepted { reason } => CameOf::NotAccepted { reason: short(&reason) },
        CameOf::NotWritten { reason } => CameOf::NotWritten { reason: short(&reason) },
        CameOf::NotDone { reason } => CameOf::NotDone { reason: short(&reason) },
        CameOf::NoReflection { reason } => CameOf::NoReflection { reason: short(&reason) },
        CameOf::Plan(mut lines) => {
            let mut room = EXCHANGE_TEXT;
            lines.retain(|line| {
                let fits = line.bytes() <= room;
                room = room.saturating_sub(line.bytes());
                fits
            });
            CameOf::Plan(lines)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_spec::plan::{PlanLine, StepState};

    fn history() -> CompactedHistory {
        CompactedHistory {
            facts: vec![],
            unmet: vec![],
            last_call: 8,
            steps_left: 1,
            approved: None,
            last_valid_state: "".into(),
        }
    }

    fn full() -> Context {
        let mut context = Context::default();
        for number in 0..9 {
            let result = CameOf::Result { text: "x".repeat(10_000).into(), cut_from: None };
            context.exchange(Did::Called(format!("call {number}").into()), result, 4);
        }
        context
    }

    #[test]
    fn exchanges_are_bounded_in_number_and_bytes() {
        let context = full();
        assert_eq!(context.recent().len(), 4);
        assert!(context.recent().all(|exchange| exchange.came.bytes() == RESULT_TEXT));
        let mut context = Context::default();
        let line = PlanLine { id: "a".into(), does: "x".repeat(900).into(), tool: None, state: StepState::Next };
        context.exchange(Did::Planned, CameOf::Plan(vec![line; 9]), 4);
        assert!(context.recent().all(|exchange| (1..EXCHANGE_TEXT).contains(&exchange.came.bytes())));
        let fact = |number: u32| (format!("fact {number}").into(), "x".repeat(256).into());
        context.collapse(0, CompactedHistory { facts: (0..99).map(fact).collect(), ..history() });
        let kept = context.kept().map_or(0, |kept| kept.facts.len());
        assert!((1..99).contains(&kept), "{kept}");
    }

    #[test]
    fn each_layer_makes_the_context_smaller() {
        let layers: [fn(&mut Context); 4] =
            [Context::cut_largest, Context::snip, Context::cut_older, |context| context.collapse(1, history())];
        for layer in layers {
            let mut context = full();
            let size = |context: &Context| context.recent().map(|exchange| exchange.came.bytes()).sum::<usize>();
            let before = size(&context);
            layer(&mut context);
            assert!(size(&context) < before);
            let last = context.recent().last().map(|exchange| &exchange.did);
            assert_eq!(last, Some(&Did::Called("call 8".into())), "the last one stays");
        }
    }

    #[test]
    fn what_was_said_is_rated_once_and_sent_once() {
        let mut context = Context::default();
        context.notice(Notice::NoTerminalTool);
        assert_eq!(context.take_unrated(), None, "the loop's own notices need no rating");
        context.message("go on".into());
        assert_eq!(context.take_unrated().as_deref(), Some("go on"));
        assert_eq!(context.take_unrated(), None);
        context.rejected(Some("write".into()), Some("read".into()));
        assert_eq!(context.take_unrated().as_deref(), Some("read\ngo on"));
        assert!(context.own_notice().is_some() && context.own_message().is_some());
        context.sent();
        assert!(context.own_notice().is_none() && context.own_message().is_none());
    }

    #[test]
    fn what_nobody_answered_is_said_again() {
        let mut context = Context::default();
        context.notice(Notice::NoTerminalTool);
        context.message("go on".into());
        context.note("a note".into());
        context.sent();
        context.message("but slowly".into());
        context.say_again();
        assert_eq!(context.own_notice(), Some(&Notice::NoTerminalTool));
        assert_eq!(context.own_message().map(|text| &**text), Some("go on\nbut slowly"));
        assert_eq!(context.scratchpad().map(|text| &**text), Some("a note"));
        context.sent();
        context.sent();
        context.say_again();
        assert!(context.own_notice().is_none() && context.own_message().is_none(), "it was answered");
    }
}
