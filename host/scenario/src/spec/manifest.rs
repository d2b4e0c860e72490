//! From a scenario to what its run is pinned to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use countersign::Host;
use countersign::settings::{self, Presets, Profile, SettingsError};
use countersign_kernel::contract::{CONTRACT, Tier};
use countersign_models::{Registry, overhead, templates_digest};
use countersign_spec::budget::Limits;
use countersign_spec::routing::Route;
use countersign_spec::state::Memory;
use countersign_spec::{Boundary, Driver, EscalationRules, KERNEL_RULES, Manifest, Mode, Model, TRACE_FORMAT, Tool};
use countersign_tools::registry::ToolSpec;

use super::{ModelSpec, Spec};

/// What a run is given beside its scenario.
pub struct Pinned<'a> {
    /// The scenario's file, for errors.
    pub file: &'a str,
    /// Real models, instead of the scenario's own.
    pub models: Option<&'a Registry>,
    pub id: &'a str,
    pub seed: u64,
    /// UTC milliseconds.
    pub started: u64,
    /// Of earlier runs of the same scenario.
    pub memory: &'a [Memory],
    /// The file's own and those of its servers.
    pub tools: &'a BTreeMap<String, ToolSpec>,
}

impl Spec {
    /// What the run is pinned to.
    pub fn manifest(&self, host: &Host, folder: &Path, pinned: &Pinned<'_>) -> Result<Manifest, SettingsError> {
        let bundle = host.bundle();
        let key = |problem: String| SettingsError::Invalid { file: pinned.file.to_owned(), problem };
        let presets = Presets::load(&self.presets, folder)?;
        let profile = self.boundary.profile.as_deref().map(|name| presets.profile(name)).transpose()?;
        let tools: Vec<Tool> = pinned.tools.iter().map(|(name, tool)| tool.registered(name)).collect();
        let (graph, graph_digest) = match &self.graph {
            Some(path) => settings::load_graph(&folder.join(path))?,
            None => settings::the_default_graph()?,
        };
        let table: Vec<Route> = match &self.escalation {
            Some(path) => settings::escalation_table(Some(&folder.join(path)))?,
            None => settings::escalation_table(None)?,
        };
        let mut rules = self.rules.clone();
        if let Some(profile) = profile {
            for (category, rule) in &profile.approvals {
                // A profile tightens what a scenario says, it does not loosen it.
                let own = rules.approvals.get(category).copied();
                rules.approvals.insert(*category, own.map_or(*rule, |own| own.max(*rule)));
            }
        }
        let boundary = self.boundary(&tools, &presets, profile)?;
        let mut limits = self.budget.limits(&presets, profile.map(|profile| profile.budget.as_str())).map_err(key)?;
        if let Some(steps) = presets.rung(boundary.autonomy)?.steps {
            limits.steps = limits.steps.min(steps);
        }
        // What fits into no window is not sent, unless somebody named a cap.
        let narrowest = pinned.models.and_then(Registry::narrowest).unwrap_or(u64::MAX);
        let window = Limits { context_tokens: narrowest, ..Limits::UNLIMITED };
        let limits = limits.at_most(&window, |dimension| self.budget.caps.of(dimension).is_none());
        let shown = boundary.tools.clone();
        // A cap that nobody named follows the operator's ceiling; one that somebody did must respect it.
        let ceilings = self.operator.ceilings.over(Limits::UNLIMITED);
        let limits = limits.at_most(&ceilings, |dimension| self.budget.caps.of(dimension).is_none());
        let mut entries = bundle.pins();
        for entry in &mut entries {
            for pin in &mut entry.slots {
                if let Some(mode) = self.slots.get(&pin.slot) {
                    pin.mode = *mode;
                }
            }
        }
        Ok(Manifest {
            format: TRACE_FORMAT,
            kernel_rules: KERNEL_RULES,
            run: pinned.id.into(),
            tenant: self.tenant.as_deref().map(Arc::from),
            agent: self.agent.as_str().into(),
            started: pinned.started,
            seed: pinned.seed,
            mode: self.mode.unwrap_or(Mode::Enforce),
            driver: Driver::Host,
            goal: self.goal.goal(),
            boundary,
            graph_digest: Arc::clone(graph_digest.as_str()),
            graph: Arc::new(graph),
            rules,
            limits,
            ceilings,
            show_budget: true,
            slot_modes: self.slots.clone(),
            plan: self.plan.iter().map(super::PlanStepSpec::step).collect(),
            escalation: EscalationRules {
                failed_attempts: self.boundary.failed_attempts.unwrap_or(2),
                max_escalations: self.boundary.max_escalations.unwrap_or(1),
                table,
            },
            models: pinned.models.map_or_else(|| self.scripted_models(), Registry::pinned),
            tools,
            specialists: self.specialists.clone(),
            reliability: self.reliability,
            past: self.past.clone(),
            memory: self.memory.iter().chain(pinned.memory).cloned().collect(),
            request_overhead: overhead(&crate::world::shown(pinned.tools, &shown)),
            prompt_templates: Arc::clone(templates_digest().as_str()),
            lock: Arc::clone(bundle.digest().as_str()),
            contract: CONTRACT.into(),
            engine: Arc::clone(host.engine().fingerprint()),
            entries,
            source: None,
            approvers: self.operator.approvers(),
        })
    }

    fn scripted_models(&self) -> Vec<Model> {
        let pinned = |(tier, model): (Tier, &ModelSpec)| Model {
            context: model.context,
            retention: model.retention,
            jurisdiction: model.jurisdiction.as_deref().map(Arc::from),
            self_hosted: model.self_hosted,
            kind: model.kind,
            input_price: model.input_price,
            output_price: model.output_price,
            max_output_tokens: model.max_output_tokens,
            ..Model::new(tier, &model.name)
        };
        let each = self.models.iter().flat_map(|(tier, several)| several.0.iter().map(|model| (*tier, model)));
        each.map(pinned).collect()
    }

    fn boundary(
        &self,
        tools: &[Tool],
        presets: &Presets,
        profile: Option<&Profile>,
    ) -> Result<Boundary, SettingsError> {
        let spec = &self.boundary;
        let names = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect::<Vec<Arc<str>>>();
        let autonomy = spec.autonomy.or(profile.map(|profile| profile.autonomy)).unwrap_or(6);
        let rung = presets.rung(autonomy)?;
        let allowed: Vec<Arc<str>> = match &spec.tools {
            // A server's tool that is not eligible is none of the run's, whoever lists it.
            Some(listed) => names(listed)
                .into_iter()
                .filter(|name| !self.serves(name) || tools.iter().any(|tool| tool.name == *name))
                .collect(),
            None if !rung.tools => Vec::new(),
            None => tools.iter().map(|tool| Arc::clone(&tool.name)).collect(),
        };
        let changes = tools.iter().any(|tool| tool.mutating() && allowed.contains(&tool.name));
        let least =
            settings::least_autonomy(!allowed.is_empty(), changes, !self.plan.is_empty(), self.goal.step_estimate);
        let writes = spec.writes.clone().or_else(|| profile.map(|profile| profile.writes.clone()));
        // What a profile asks for and ends at stays; a scenario adds to it.
        let mut asks = profile.map_or_else(Vec::new, |profile| profile.asks.clone());
        asks.extend(names(spec.asks.as_deref().unwrap_or_default()));
        let mut fail_closed = profile.map_or_else(Vec::new, |profile| profile.fail_closed.clone());
        fail_closed.extend(spec.fail_closed.iter().flatten());
        fail_closed.sort_unstable();
        fail_closed.dedup();
        asks.sort_unstable();
        asks.dedup();
        Ok(settings::sealed(Boundary {
            name: spec.name.clone().or_else(|| spec.profile.clone()).unwrap_or_else(|| "scenario".to_owned()).into(),
            digest: "".into(),
            profile: spec.profile.as_deref().map(Arc::from),
            autonomy,
            least_autonomy: least,
            pattern: spec.pattern,
            plans: spec.plans.unwrap_or(rung.plans),
            tools: allowed,
            permissions: names(&spec.permissions),
            writes: writes.unwrap_or_else(|| {
                vec![countersign_spec::state::StateKind::Scratchpad, countersign_spec::state::StateKind::Memory]
            }),
            decisions: spec.decisions.clone().unwrap_or_else(|| rung.decisions.clone()),
            preauthorised: names(&spec.preauthorised),
            asks,
            fail_closed,
            jurisdictions: names(&spec.jurisdictions),
            blast_radius_limit: spec.blast_radius_limit,
            working_context: spec.working_context.as_str().into(),
            exchanges: spec.exchanges.unwrap_or(4),
        }))
    }
}
