//! The engine and the bundle of a process, and the open policies of a run.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_bundle::{Bundle, BundleError, Digest, default_bundle};
use countersign_engine::{Engine, EngineError, EngineOptions, History, OpenError, Outcome, Session};
use countersign_kernel::contract::CONTRACT;
use countersign_kernel::contract::view::Read;
use countersign_kernel::{Answered, Cause, InputError, Judged, Judgement, Question, Run};
use countersign_models::templates_digest;
use countersign_spec::budget::Limits;
use countersign_spec::{
    Boundary, Driver, EscalationRules, Goal, HostRules, KERNEL_RULES, Manifest, Mode, Model, TRACE_FORMAT, Tool,
};

use crate::session::Record;
use crate::settings::{SettingsError, escalation_table, sealed, the_default_graph};
use crate::shadow::Shadow;

/// Engine and bundle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Host {
    engine: Engine,
    bundle: Arc<Bundle>,
}

/// A host that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A policy.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its lock is another than it should be.
    #[error("`{bundle}`: its lock is {found}, expected {expected}; nothing of it was compiled")]
    Digest {
        /// The bundle's folder.
        bundle: String,
        /// As pinned.
        expected: Digest,
        /// As it is.
        found: Digest,
    },
}

impl Host {
    /// A host with the bundle in a folder, or the one that it carries in itself.
    ///
    /// # Errors
    /// What is wrong with the bundle, or what the machine cannot give.
    pub fn new(options: EngineOptions, bundle: Option<&Path>) -> Result<Self, HostError> {
        let engine = Engine::new(options)?;
        let bundle = match bundle {
            Some(folder) => Bundle::load(&engine, folder)?,
            None => default_bundle(&engine)?,
        };
        Ok(Host { engine, bundle: Arc::new(bundle) })
    }

    /// The same, where the bundle's lock has this digest. Another one is refused before anything of it is compiled.
    ///
    /// # Errors
    /// As [`Host::new`], and a lock of another digest.
    pub fn pinned(options: EngineOptions, bundle: Option<&Path>, digest: Option<&Digest>) -> Result<Self, HostError> {
        if let (Some(folder), Some(expected)) = (bundle, digest) {
            let found = Bundle::digest_in(folder)?;
            if found != *expected {
                let bundle = folder.display().to_string();
                return Err(HostError::Digest { bundle, expected: expected.clone(), found });
            }
        }
        Host::new(options, bundle)
    }

    /// A host of a bundle that was loaded with this very engine.
    pub fn of(engine: Engine, bundle: Bundle) -> Self {
        Host { engine, bundle: Arc::new(bundle) }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The bundle.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// What a run of this host is pinned to, with defaults for everything else: a bounded loop over all
    /// of these tools, along the default graph, under every guard, without caps. Change what you
    /// need before `Run::open`; a changed boundary is sealed anew by [`crate::settings::sealed`].
    ///
    /// # Errors
    /// None, unless this program was built with broken presets.
    pub fn manifest(
        &self,
        run: &str,
        goal: Goal,
        models: Vec<Model>,
        tools: Vec<Tool>,
    ) -> Result<Manifest, SettingsError> {
        let (graph, graph_digest) = the_default_graph()?;
        let names = tools.iter().map(|tool| Arc::clone(&tool.name)).collect();
        Ok(Manifest {
            format: TRACE_FORMAT,
            kernel_rules: KERNEL_RULES,
            run: run.into(),
            tenant: None,
            agent: "agent".into(),
            started: 0,
            seed: 0,
            mode: Mode::Enforce,
            driver: Driver::Host,
            goal,
            boundary: sealed(Boundary::new("default", names)),
            graph_digest: Arc::clone(graph_digest.as_str()),
            graph: Arc::new(graph),
            rules: HostRules::default(),
            limits: Limits::UNLIMITED,
            ceilings: Limits::UNLIMITED,
            show_budget: true,
            slot_modes: std::collections::BTreeMap::new(),
            plan: Vec::new(),
            escalation: EscalationRules { failed_attempts: 2, max_escalations: 1, table: escalation_table(None)? },
            models,
            tools,
            memory: Vec::new(),
            specialists: Vec::new(),
            reliability: None,
            past: Vec::new(),
            request_overhead: 0,
            prompt_templates: Arc::clone(templates_digest().as_str()),
            lock: Arc::clone(self.bundle.digest().as_str()),
            contract: CONTRACT.into(),
            engine: Arc::clone(self.engine.fingerprint()),
            entries: self.bundle.pins(),
            source: None,
            approvers: Vec::new(),
        })
    }

    /// Opens the policies of a run, in the order of its manifest's entries. Those that the bundle has in
    /// shadow are opened with the run's first frame.
    ///
    /// # Errors
    /// When the machine cannot give another instance.
    pub fn open(&self, run: &Run) -> Result<Judges, HostError> {
        let lock = self.bundle.lock();
        let opened = run.manifest().entries.iter().map(|pin| {
            let found = lock.entry.iter().position(|entry| *entry.name == *pin.name);
            let Some(index) = found else { return Ok(None) };
            let entry = &lock.entry[index];
            let configuration = Arc::from(entry.configuration.as_str());
            self.bundle.policies()[index].open(configuration, entry.limits.into()).map(Some)
        });
        let sessions = opened.collect::<Result<_, OpenError>>()?;
        Ok(Judges { sessions, shadow: Shadow::of(&self.bundle), absent: None })
    }
}

/// The open policies of one run.
#[derive(Debug)]
pub struct Judges {
    sessions: Vec<Option<Session>>,
    shadow: Shadow,
    /// Why nobody answers; none where policies do.
    absent: Option<Cause>,
}

impl Judges {
    /// The session of an entry; none when the bundle has no such entry.
    pub fn session(&mut self, entry: usize) -> Option<&mut Session> {
        self.sessions.get_mut(entry)?.as_mut()
    }

    /// The policies that are asked beside the run.
    pub fn shadow(&mut self) -> &mut Shadow {
        &mut self.shadow
    }

    /// The run was taken up: each policy is rebuilt from its recorded judgements before its next
    /// call.
    pub fn take_up(&mut self) {
        self.sessions.iter_mut().flatten().for_each(Session::take_up);
        self.shadow.take_up();
    }

    /// No policies: whatever they would be asked is undecided for this cause.
    pub(crate) fn absent(cause: Cause) -> Self {
        Judges { sessions: Vec::new(), shadow: Shadow::none(), absent: Some(cause) }
    }

    /// Answers every question of the open frame. `each` is told every outcome as it comes, and the time that it took.
    ///
    /// # Errors
    /// When the run does not take an answer, which would be a fault of this host.
    pub(crate) fn evaluate(
        &mut self,
        run: &mut Run,
        record: &mut Record,
        mut each: impl FnMut(&str, &Outcome, Duration),
    ) -> Result<(), InputError> {
        while let Some(request) = run.request() {
            let (entry, view) = (request.entry, Arc::clone(&request.view));
            let question = Arc::clone(request.question);
            drop(request);
            if let Some(cause) = &self.absent {
                run.answer(Judged { answer: Answered::Undecided(cause.clone()), reads: Vec::new(), fuel: 0 })?;
                continue;
            }
            let name = Arc::clone(&run.manifest().entries[entry].name);
            let mut history = Recorded { entry: &name, record: &mut *record, run };
            let asked = Instant::now();
            let outcome = match self.sessions.get_mut(entry).and_then(Option::as_mut) {
                Some(session) => session.judge(&question, view, &mut history),
                None => return Err(InputError::Order("an entry of the run is not in the bundle")),
            };
            each(&name, &outcome, asked.elapsed());
            run.answer(outcome.judged)?;
        }
        Ok(())
    }
}

/// The judgements of an entry: read back from where the run is stored, where the fold makes the questions
/// again, and those of the frame that is being filled.
struct Recorded<'a> {
    entry: &'a str,
    record: &'a mut Record,
    run: &'a Run,
}

impl History for Recorded<'_> {
    fn feed(&mut self, each: &mut dyn FnMut(&Question, &[Read], &Answered) -> bool) -> bool {
        let Ok(mut again) = Run::open(Arc::clone(self.run.manifest())) else { return false };
        let mut feed = |question: &Question, judgement: &Judgement| {
            *judgement.entry != *self.entry || each(question, &judgement.reads, &judgement.answer)
        };
        let mut one = |recorded: countersign_kernel::Recorded<'_>| match feed(recorded.question, recorded.judgement) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        self.record.frames(|frame| matches!(again.fold_each(&frame, &mut one), Ok(Some(_))))
            && self.run.open_judgements().all(|(question, judgement)| feed(question, judgement))
    }
}
