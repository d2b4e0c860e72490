//! Which model answers: those that may be told, then those of the tier, then the one that has most of
//! the request in its cache (specification B1, B7, B8).

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_spec::{Model, Retention};

use super::Run;
use crate::contract::{Key, SensitivityTag, Tier};
use crate::record::effect::ModelRequest;
use crate::record::told::Texts;

/// Parts of a request that are remembered of each model.
const PARTS: usize = 64;

/// What a model was sent last, part by part: as much of a provider's cache as can be foreseen. A
/// prediction, not what the provider really kept.
#[derive(Debug, Default)]
pub(super) struct Caches(BTreeMap<Arc<str>, Vec<(Key, u64)>>);

/// A model for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// Position in the manifest.
    pub index: usize,
    /// Tokens at the beginning of the request that it was sent before.
    pub cached: u64,
}

impl Caches {
    /// Tokens at the beginning of the request that the model was sent before.
    fn cached(&self, model: &Model, parts: &[(Key, u64)]) -> u64 {
        let Some(last) = self.0.get(&model.name) else { return 0 };
        parts.iter().zip(last).take_while(|(now, then)| now == then).map(|((_, tokens), _)| tokens).sum()
    }

    pub fn sent(&mut self, model: &Model, parts: Vec<(Key, u64)>) {
        self.0.insert(Arc::clone(&model.name), parts);
    }
}

impl Run {
    /// Whether a model may be told what the run holds: a filter before any scoring.
    pub(super) fn is_eligible(&self, model: &Model) -> bool {
        let may_hold = match self.models.tag() {
            SensitivityTag::Public | SensitivityTag::Internal => true,
            SensitivityTag::Confidential => model.self_hosted || model.retention == Some(Retention::None),
            SensitivityTag::Restricted | SensitivityTag::Critical => model.self_hosted,
        };
        let allowed = &self.manifest.boundary.jurisdictions;
        let under = allowed.is_empty() || model.jurisdiction.as_ref().is_some_and(|own| allowed.contains(own));
        may_hold && under
    }

    /// Tiers with a model that may be told, weakest first.
    pub(super) fn eligible_tiers(&self) -> Vec<Tier> {
        let mut tiers: Vec<Tier> =
            self.manifest.models.iter().filter(|model| self.is_eligible(model)).map(|model| model.tier).collect();
        tiers.dedup();
        tiers
    }

    /// A model of this tier, else of the next stronger one, else of the strongest below it; of several
    /// the one with the longest prefix in its cache, of equals the first. None when none may be told.
    /// `tokens` is what a request needs beside its answer; 0 where it is not known.
    pub(super) fn choose_model(&self, tier: Tier, tokens: u64) -> Option<Choice> {
        self.choose_with(tier, tokens, &[])
    }

    pub(super) fn choose_for(&self, tier: Tier, request: &ModelRequest) -> Option<(Choice, Vec<(Key, u64)>)> {
        let parts = parts(request);
        let choice = self.choose_with(tier, self.tokens(request), &parts)?;
        Some((choice, parts))
    }

    fn choose_with(&self, tier: Tier, tokens: u64, parts: &[(Key, u64)]) -> Option<Choice> {
        let tiers = self.eligible_tiers();
        let tier = tiers.iter().copied().find(|other| *other >= tier).or_else(|| tiers.last().copied())?;
        let models = self.manifest.models.iter().enumerate();
        let own = models.filter(|(_, model)| model.tier == tier && self.is_eligible(model));
        let fits = |model: &Model| {
            model.context.is_none_or(|context| tokens.saturating_add(model.max_output_tokens) <= context)
        };
        let mut best: Option<(bool, Choice)> = None;
        for (index, model) in own {
            let this = (fits(model), Choice { index, cached: self.models.caches().cached(model, parts) });
            // What is too long for it is sent only where nobody else could take it.
            let better = best.is_none_or(|(fitted, so_far)| (this.0, this.1.cached) > (fitted, so_far.cached));
            if better {
                best = Some(this);
            }
        }
        best.map(|(_, choice)| choice)
    }
}

/// Identities and tokens of a request's parts, in the order in which a prompt has them: its keys are
/// sorted, and what stays the same from step to step happens to come first.
fn parts(request: &ModelRequest) -> Vec<(Key, u64)> {
    let mut parts = Vec::with_capacity(16);
    let mut add = |text: &str| {
        if parts.len() < PARTS {
            parts.push((Key::of(text.as_bytes()), crate::record::packet::tokens(text.len() as u64)));
        }
    };
    request.constraints.iter().for_each(|text| add(text));
    add(&request.goal);
    request.guidance.iter().for_each(|text| add(text));
    request.kept.iter().for_each(|kept| kept.texts(&mut add));
    request.memory.iter().for_each(|(key, text)| {
        add(key);
        add(text);
    });
    request.notice.iter().for_each(|notice| notice.texts(&mut add));
    request.mend.iter().for_each(|text| add(text));
    request.message.iter().for_each(|text| add(text));
    request.plan.iter().for_each(|line| line.texts(&mut add));
    request.recent.iter().for_each(|exchange| exchange.texts(&mut add));
    parts
}
