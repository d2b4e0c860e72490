//! Pressure on the context: what the slot `context` says, done layer by layer (specification B7, D12).

use countersign_spec::state::StateKind;
use std::sync::Arc;

use super::Run;
use super::bounded::cut;
use super::joined::SlotVerdict;
use super::next::Next;
use super::waiting::Then;
use crate::contract::Dimension;
use crate::contract::Question;
use crate::contract::context::{Item, ItemKind, Layer, Pressure, Strategy, Tenure};
use crate::record::effect::{ModelRequest, Purpose};
use crate::record::event::Event;
use crate::record::told::{CompactedHistory, Texts};

/// Most parts that a policy is told of.
const ITEMS: usize = 64;
/// Most bytes of a fact that stand for the exchanges it came from.
const FACT_TEXT: usize = 256;

impl Run {
    /// Asks what about the pressure, where it is known; then the model is called.
    pub(super) fn relieve_and_call(&mut self, purpose: Purpose) -> Next {
        let patch = matches!(purpose, Purpose::Patch(_));
        let Some(window) = self.window().filter(|_| !patch && !self.recorded()) else {
            return self.call_model_now(purpose);
        };
        let request = self.compose(purpose.clone());
        let (boundary, asked) = self.context.take_pressure();
        let pressure = Pressure {
            used: self.tokens(&request),
            window,
            boundary: boundary || request.purpose == Purpose::Replan,
            asked,
            items: items(&request),
        };
        self.ask(Question::Context(pressure), Then::Relieve(Box::new(purpose)))
    }

    /// Tokens that the next request may have; none where nobody said.
    fn window(&self) -> Option<u64> {
        let capped = self.view.budget(Dimension::ContextTokens).limit;
        let model = self.choose_model(self.models.tier(), 0).and_then(|choice| {
            let model = &self.manifest.models[choice.index];
            model.context.map(|context| context.saturating_sub(model.max_output_tokens))
        });
        let window = capped.min(model.unwrap_or(u64::MAX));
        (1..u64::MAX).contains(&window).then_some(window)
    }

    pub(super) fn relieved(&mut self, joined: SlotVerdict, purpose: Purpose) -> Next {
        // Whoever only watches changes nothing.
        match joined.strategy.filter(|_| self.enforces()) {
            Some(Strategy::Layer(layer)) => self.make_room(layer, &purpose, &joined.reason),
            Some(Strategy::Branch) => self.branch(&purpose, &joined.reason),
            Some(Strategy::Keep) | None => {}
        }
        self.call_model_now(purpose)
    }

    fn make_room(&mut self, layer: Layer, purpose: &Purpose, reason: &str) {
        let before = self.tokens(&self.compose(purpose.clone()));
        match layer {
            Layer::BudgetReduction => self.context.cut_largest(),
            Layer::Snip => self.context.snip(),
            Layer::Microcompact => self.context.cut_older(),
            Layer::Collapse => self.collapse(1),
            Layer::FullCompaction => {
                self.collapse(0);
                self.context.forget_guidance();
            }
        }
        let after = self.tokens(&self.compose(purpose.clone()));
        self.event(Event::RoomMade { layer: Some(layer), before, after, reason: reason.to_owned() });
    }

    /// Goes on as if from anew: what was verified and the last valid state are all that is left.
    fn branch(&mut self, purpose: &Purpose, reason: &str) {
        let before = self.tokens(&self.compose(purpose.clone()));
        self.collapse(0);
        self.context.branch();
        let after = self.tokens(&self.compose(purpose.clone()));
        self.event(Event::RoomMade { layer: None, before, after, reason: reason.to_owned() });
    }

    /// The host's own gate (document 003): keeps goal, plan, verified observations, open questions,
    /// budget, call ids and approvals; drops drafts and what was only read.
    pub(super) fn compress(&mut self, request: ModelRequest) -> ModelRequest {
        let before = self.tokens(&request);
        self.collapse(1);
        let request = self.compose(request.purpose);
        let (kept, dropped): (Vec<StateKind>, Vec<StateKind>) =
            StateKind::ALL.iter().partition(|kind| kind.survives_compression());
        self.event(Event::Compressed { before, after: self.tokens(&request), kept, dropped });
        request
    }

    /// All exchanges but the last so many go; what must not be lost of them stays.
    fn collapse(&mut self, exchanges: usize) {
        let fact = |(name, text): (&Arc<str>, &Arc<str>)| (Arc::clone(name), cut(text, FACT_TEXT).into());
        let kept = CompactedHistory {
            facts: self.view.facts().map(fact).collect(),
            unmet: self.unmet().cloned().collect(),
            last_call: self.proposals.calls().saturating_sub(1),
            steps_left: self.view.budget(Dimension::Steps).left(),
            approved: self.approvals.granted().cloned(),
            last_valid_state: self.context.last_valid_state().into(),
        };
        self.context.collapse(exchanges, kept);
    }
}

/// The parts of a request, in its order.
fn items(request: &ModelRequest) -> Vec<Item> {
    let mut items = Vec::new();
    let mut add = |kind, bytes: usize, tenure| {
        if bytes > 0 && items.len() < ITEMS {
            let tokens = u32::try_from(crate::record::packet::tokens(bytes as u64)).unwrap_or(u32::MAX);
            items.push(Item { kind, tokens, tenure });
        }
    };
    let goal = request.goal.len() + request.constraints.iter().map(|text| text.len()).sum::<usize>();
    add(ItemKind::Goal, goal, Tenure::Pinned);
    add(ItemKind::Guidance, request.guidance.as_deref().map_or(0, str::len), Tenure::Working);
    let said = [&request.mend, &request.message].into_iter().flatten().map(|text| text.len()).sum::<usize>();
    add(ItemKind::Notice, said + request.notice.as_ref().map_or(0, Texts::bytes), Tenure::Transient);
    add(ItemKind::Plan, request.plan.iter().map(Texts::bytes).sum(), Tenure::Pinned);
    add(ItemKind::Digest, request.kept.as_ref().map_or(0, |kept| kept.bytes()), Tenure::Pinned);
    add(ItemKind::Scratchpad, request.scratchpad.as_deref().map_or(0, str::len), Tenure::Transient);
    for (key, text) in &request.memory {
        add(ItemKind::Memory, key.len() + text.len(), Tenure::Pinned);
    }
    for exchange in &request.recent {
        add(ItemKind::Exchange, exchange.bytes(), Tenure::Working);
    }
    items
}
