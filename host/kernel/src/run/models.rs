//! Which models a run asks: its tier and class, what it was sent before, how often it asked for help and
//! tried again, and what the next call is for.

use countersign_spec::{Manifest, Model};

use super::choice::Caches;
use crate::contract::ModelKind;
use crate::contract::{Classification, PlanningMode};
use crate::contract::{Key, SensitivityTag, Tier};
use crate::record::effect::Purpose;

#[derive(Debug)]
pub(super) struct Models {
    tier: Tier,
    planning: PlanningMode,
    class: Option<String>,
    max_escalations: u32,
    /// An answer in which there is less confidence goes to a stronger model.
    escalate_below: f64,
    /// Training of the model whose answer is awaited or at hand.
    kind: ModelKind,
    /// How sensitive what the run holds is.
    tag: SensitivityTag,
    caches: Caches,
    escalations: u32,
    /// Those of them for answers that stay out of form: counted apart, so that they take none away from what a run
    /// needs help with.
    for_form: u32,
    calls: u64,
    retries: u32,
    /// Times in a row that an answer was sent back for its form.
    sent_back: u32,
    waits: u64,
    /// What the next model call is for.
    purpose: Purpose,
    /// Fused confidence in the answer at hand.
    confidence: Option<f64>,
}

impl Models {
    pub fn new(manifest: &Manifest) -> Self {
        let first = manifest.models.first();
        Models {
            tier: first.map_or(Tier::Cheap, |model| model.tier),
            planning: PlanningMode::Act,
            class: None,
            max_escalations: manifest.escalation.max_escalations,
            escalate_below: 0.0,
            kind: first.map(|model| model.kind).unwrap_or_default(),
            tag: manifest.goal.sensitivity,
            caches: Caches::default(),
            escalations: 0,
            for_form: 0,
            calls: 0,
            retries: 0,
            sent_back: 0,
            waits: 0,
            purpose: Purpose::Step,
            confidence: None,
        }
    }

    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The tier that the run starts with is not offered to it.
    pub fn start_at(&mut self, tier: Tier) {
        self.tier = tier;
    }

    pub fn planning(&self) -> PlanningMode {
        self.planning
    }

    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// The classifier was heard; none where nobody classified the task.
    pub fn classified(&mut self, classification: Option<Classification>) {
        self.class = None;
        if let Some(classification) = classification {
            self.tier = classification.tier;
            self.planning = classification.planning;
            self.max_escalations = classification.cascade.map_or(0, |cascade| cascade.max_escalations);
            self.escalate_below = classification.cascade.map_or(0.0, |cascade| cascade.escalate_below);
            self.class = Some(classification.class);
        }
    }

    pub fn tag(&self) -> SensitivityTag {
        self.tag
    }

    /// The tag only rises; whether it did.
    pub fn raise(&mut self, tag: SensitivityTag) -> bool {
        let rises = tag > self.tag;
        self.tag = self.tag.max(tag);
        rises
    }

    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// A model is sent these parts.
    pub fn sent(&mut self, model: &Model, parts: Vec<(Key, u64)>) {
        self.caches.sent(model, parts);
    }

    pub fn kind(&self) -> ModelKind {
        self.kind
    }

    /// A model of this training is asked.
    pub fn asks(&mut self, kind: ModelKind) {
        self.kind = kind;
    }

    pub fn escalations(&self) -> u32 {
        self.escalations
    }

    /// Whether a stronger model may still be asked, should there be one.
    pub fn may_escalate(&self) -> bool {
        self.escalations - self.for_form < self.max_escalations
    }

    /// The same where answers stay out of form.
    pub fn may_escalate_for_form(&self) -> bool {
        self.for_form < self.max_escalations
    }

    pub fn escalate(&mut self) {
        self.escalations += 1;
    }

    pub fn escalate_for_form(&mut self) {
        self.escalations += 1;
        self.for_form += 1;
    }

    /// Whether an answer of this confidence goes to a stronger model by the cascade's own gate.
    pub fn is_below_the_gate(&self, score: f64) -> bool {
        score < self.escalate_below
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Number of the next call.
    pub fn call(&mut self) -> u64 {
        self.calls += 1;
        self.calls - 1
    }

    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// The call is tried again; which try that is.
    pub fn retry(&mut self) -> u32 {
        self.retries += 1;
        self.retries
    }

    /// The call was answered, or given up.
    pub fn settled(&mut self) {
        self.retries = 0;
    }

    /// An answer is sent back for its form, at most so many times in a row; which time that is.
    pub fn send_back(&mut self, most: u32) -> Option<u32> {
        self.sent_back = if self.sent_back < most { self.sent_back + 1 } else { 0 };
        (self.sent_back > 0).then_some(self.sent_back)
    }

    /// An answer has the form that was asked for.
    pub fn in_form(&mut self) {
        self.sent_back = 0;
    }

    /// Number of the next wait.
    pub fn wait(&mut self) -> u64 {
        self.waits += 1;
        self.waits - 1
    }

    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    pub fn aim(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// What the next call is for; the one after it is a step again.
    pub fn take_purpose(&mut self) -> Purpose {
        std::mem::replace(&mut self.purpose, Purpose::Step)
    }

    pub fn confidence(&self) -> Option<f64> {
        self.confidence
    }

    pub fn trust(&mut self, confidence: Option<f64>) {
        self.confidence = confidence;
    }
}
