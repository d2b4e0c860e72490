//! The state machine: one input opens a frame, judgements fill it, `close` ends it.
//!
//! The run stands at a node of its compiled graph. An input wakes the node; what it finds is an
//! exit; the edge of that exit leads to the next node, and so on until a node waits for the world, a
//! policy or a person. There is no other way to move.

mod agent;
mod choice;
mod completion;
mod criteria;
mod delegation;
mod halt;
mod handed;
mod hidden;
mod joined;
mod machine;
mod model;
mod people;
mod pipeline;
mod planning;
mod relief;
mod repair;
mod screening;
mod start;
mod tools;
mod view;
mod waiting;
mod weighing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::contract::{Answered, Judged, Judgement, ModelKind, PlanningMode};
use crate::contract::{Key, SensitivityTag, Tier, Verdict};
use crate::effect::{Effect, Purpose};
use crate::event::Event;
use crate::frame::Frame;
use crate::graph::{Compiled, Exit, NodeId};
use crate::grounding::{Call, Observed};
use crate::input::{Input, Observation, Outcome, Reply, Unavailability, Usage, Verification};
use crate::manifest::{Manifest, ManifestError, PolicyMode};
use crate::plan::Plan;
use crate::state::Memory;
use crate::status::Status;

pub use handed::{Closed, FoldError, InputError, Overheard, Request};
pub use screening::redacted;
pub use view::View;
pub use weighing::Hold;

use agent::Parked;
use choice::Caches;
use halt::Halt;
use hidden::Hidden;
use people::Granted;
use pipeline::Proposal;
use tools::{Captured, Reading, ToolRecord};
use waiting::{
    Attempts, Claim, Context, CriterionState, Draft, ModelCall, Next, Open, Retrying, Stage, Then, ToolCall, Waiting,
    Watched,
};
use weighing::Returns;

/// Transitions of one frame. A compiled graph spends something on every way round; this is for a
/// fault of ours.
const MOST_MOVES: usize = 256;
/// Exchanges and calls that are remembered.
const CALLS: usize = 64;

/// A run: the fold of its recorded inputs.
#[derive(Debug)]
pub struct Run {
    manifest: Arc<Manifest>,
    graph: Compiled,
    node: NodeId,
    /// How often edges with a limit were taken.
    taken: BTreeMap<(NodeId, Exit), u32>,
    /// What policies see. Shared with a request while a policy is called, and only then.
    view: Arc<View>,
    status: Status,
    waiting: Waiting,
    open: Option<Open>,
    /// Frames closed, the manifest included.
    frames: u64,
    at: u64,
    /// Why the run is on its way to somebody else, or to its end.
    halt: Option<Halt>,

    tier: Tier,
    planning: PlanningMode,
    class: Option<String>,
    max_escalations: u32,
    /// An answer in which there is less confidence goes to a stronger model.
    escalate_below: f64,
    /// Training of the model whose answer is awaited or at hand.
    model_kind: ModelKind,
    /// How sensitive what the run holds is.
    tag: SensitivityTag,
    caches: Caches,
    context: Context,
    /// Who does which sub-task; none for the run itself.
    assigned: BTreeMap<Arc<str>, Option<Arc<str>>>,
    returns: Returns,
    /// What the guard wants asked of the call at hand: who, and why.
    asked_by_guard: Option<(Vec<Arc<str>>, String)>,
    /// A result whose text is looked at before anybody reads it.
    captured: Option<Captured>,
    /// Somebody beside the run wants to hear what its slots are asked.
    overhear: bool,
    escalations: u32,
    model_calls: u64,
    tool_calls: u64,
    waits: u64,
    model_retries: u32,
    /// What the next model call is for.
    purpose: Purpose,
    /// Fused confidence in the answer at hand.
    confidence: Option<f64>,
    attempts: Attempts,
    /// Failures in a row, whatever the step is called.
    failures: u32,
    guidance: Option<Arc<str>>,
    notice: Option<String>,
    message: Option<Arc<str>>,
    /// People have said something that nobody has rated yet.
    unrated: bool,
    /// What no model is to see.
    hidden: Hidden,
    scratchpad: Option<Arc<str>>,
    kept: Option<Arc<str>>,
    /// A person has spoken since the last observed step.
    user_boundary: bool,
    last_valid_state: String,
    error_signals: VecDeque<String>,
    snippet: String,
    last_output: Arc<str>,
    recent: VecDeque<(Arc<str>, Arc<str>)>,
    /// Bytes that a loop without packets would have carried along.
    history_bytes: u64,

    plan: Plan,
    /// A plan, or sub-tasks to be added, that nobody has looked at; or why there is none.
    draft: Option<Draft>,
    plan_repairs: u32,
    plan_approved: bool,
    /// A memory that a person is asked about.
    doubted: Option<Memory>,

    /// The call on its way through the pipeline.
    pending: Option<Proposal>,
    granted: Option<Granted>,
    /// Approvals that calls of the agent wait for, or were given.
    parked: Vec<Parked>,
    /// The call that got nowhere too often: it is not made again before something else succeeds.
    tripped: Option<(Key, String)>,
    asks: u64,
    decided: Vec<Arc<str>>,
    reviews: u32,

    records: Vec<ToolRecord>,
    calls_seen: VecDeque<Key>,
    done: BTreeSet<Key>,
    repeated: (Option<Key>, u32),
    /// The call that failed last, and how often in a row.
    failing: (Option<Key>, u32),
    /// Changes whose outcome nobody knows: a call that did not answer in time may have done it.
    uncertain: BTreeSet<Key>,
    denied: BTreeMap<Key, u32>,
    denied_tools: BTreeMap<Arc<str>, u32>,
    /// Calls in a row that the pipeline did not let pass.
    refused: u32,
    last_calls: VecDeque<Arc<str>>,

    observed: Option<Call<Observed>>,
    verified: Option<Call<crate::grounding::Verified>>,
    /// What the doom-loop slot said of the step at hand.
    watched: Option<Watched>,
    /// What the step at hand claims.
    claim: Option<Claim>,
    /// Why the step at hand is to be repaired.
    mend: Option<repair::Mend>,
    readings: BTreeMap<Arc<str>, Reading>,
    conflict: Option<String>,
    conflicts: u32,
    validation_reflections: u32,
    terminal_retried: bool,
    changed: bool,
    criteria: Vec<CriterionState>,
    committed: Vec<u64>,
    memories: Vec<Memory>,
}

impl Run {
    /// A run that has not started.
    ///
    /// # Errors
    /// A manifest that makes no sense, or of another version of the fold.
    pub fn open(manifest: Arc<Manifest>) -> Result<Run, ManifestError> {
        manifest.check()?;
        let graph = manifest.graph.compile().map_err(|violations| ManifestError::Invalid {
            key: "graph".to_owned(),
            problem: violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        })?;
        let criteria = manifest
            .goal
            .criteria
            .iter()
            .map(|criterion| CriterionState {
                met: false,
                reading: manifest.tool(&criterion.tool).is_some_and(|tool| !tool.mutating()),
            })
            .collect();
        Ok(Run {
            view: Arc::new(View::new(&manifest)),
            node: graph.start(),
            graph,
            taken: BTreeMap::new(),
            status: Status::Running,
            waiting: Waiting::Start,
            open: None,
            frames: 1,
            at: 0,
            halt: None,
            tier: manifest.models.first().map_or(Tier::Cheap, |model| model.tier),
            planning: PlanningMode::Act,
            class: None,
            max_escalations: manifest.escalation.max_escalations,
            escalate_below: 0.0,
            model_kind: manifest.models.first().map(|model| model.kind).unwrap_or_default(),
            tag: manifest.goal.sensitivity,
            caches: Caches::default(),
            context: Context::default(),
            assigned: BTreeMap::new(),
            returns: Returns::default(),
            asked_by_guard: None,
            captured: None,
            overhear: false,
            escalations: 0,
            model_calls: 0,
            tool_calls: 0,
            waits: 0,
            model_retries: 0,
            purpose: Purpose::Step,
            confidence: None,
            attempts: Attempts::default(),
            failures: 0,
            guidance: None,
            notice: None,
            message: None,
            unrated: false,
            hidden: Hidden::default(),
            scratchpad: None,
            kept: None,
            user_boundary: false,
            last_valid_state: "nothing has been done yet".to_owned(),
            error_signals: VecDeque::new(),
            snippet: String::new(),
            last_output: "".into(),
            recent: VecDeque::new(),
            history_bytes: 0,
            plan: Plan::default(),
            draft: None,
            plan_repairs: 0,
            plan_approved: false,
            doubted: None,
            pending: None,
            granted: None,
            parked: Vec::new(),
            tripped: None,
            asks: 0,
            decided: Vec::new(),
            reviews: 0,
            records: vec![ToolRecord::default(); manifest.tools.len()],
            calls_seen: VecDeque::new(),
            done: BTreeSet::new(),
            repeated: (None, 0),
            failing: (None, 0),
            uncertain: BTreeSet::new(),
            denied: BTreeMap::new(),
            denied_tools: BTreeMap::new(),
            refused: 0,
            last_calls: VecDeque::new(),
            observed: None,
            verified: None,
            watched: None,
            claim: None,
            mend: None,
            readings: BTreeMap::new(),
            conflict: None,
            conflicts: 0,
            validation_reflections: 0,
            terminal_retried: false,
            changed: false,
            criteria,
            committed: Vec::new(),
            memories: Vec::new(),
            manifest,
        })
    }

    /// What the run is pinned to.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The node of the graph that it stands at.
    pub fn node(&self) -> &Arc<str> {
        self.graph.name(self.node)
    }

    /// Class of the task, once somebody has classified it.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// How often a stronger model was asked.
    pub fn escalations(&self) -> u32 {
        self.escalations
    }

    /// What policies see of it now.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Frames closed so far, the manifest included: the number of the next one.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Milliseconds of the run's own time at its last input.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The stronger model's advice that the run follows.
    pub fn guidance(&self) -> Option<&Arc<str>> {
        self.guidance.as_ref()
    }

    /// Size in tokens of what a loop without packets would have carried along, estimated as a
    /// quarter of its bytes.
    pub fn history_tokens(&self) -> u64 {
        crate::packet::tokens(self.history_bytes)
    }

    /// Lets whoever answers beside the run hear what its slots are asked, see [`Closed::overheard`]. No part
    /// of the fold.
    pub fn overhear(&mut self) {
        self.overhear = true;
    }

    /// Opens a frame with an input.
    ///
    /// # Errors
    /// An input that the run does not expect; nothing has changed then.
    pub fn accept(&mut self, at: u64, input: Input) -> Result<(), InputError> {
        if self.open.is_some() {
            return Err(InputError::Order("the frame before is still open"));
        }
        if at < self.at {
            return Err(InputError::Time { last: self.at, found: at });
        }
        self.expect(&input)?;
        let passed = at - self.at;
        // Waiting for a person costs no running time.
        let in_time = self.status != Status::Running || self.view_mut().budget.run_for(passed) || !self.enforces();
        self.at = at;
        self.open = Some(Open {
            at,
            input: input.clone(),
            judgements: Vec::new(),
            events: Vec::new(),
            effects: Vec::new(),
            stage: None,
            from: self.node,
            path: Vec::new(),
            overheard: Vec::new(),
        });
        let next = self.begin(input, in_time);
        self.go(next);
        Ok(())
    }

    /// What there is to say when whoever drove the run was lost on the way: nobody knows what became
    /// of a call, a model has not answered, nothing was verified. None while a person is waited for,
    /// or an agent, or after the end.
    pub fn lost(&self) -> Option<Input> {
        const LOST: &str = "the host stopped on the way";
        Some(match &self.waiting {
            Waiting::Start => Input::Started,
            // The agent may still be there.
            Waiting::Model(_) if self.agent_drives() => return None,
            Waiting::Model(waiting) => Input::Replied {
                call: waiting.call,
                reply: Reply::Unavailable {
                    reason: LOST.to_owned(),
                    class: Unavailability::Transient,
                    retry_after: None,
                },
                usage: Usage::default(),
            },
            Waiting::Tool(waiting) => Input::Observed {
                call: waiting.call.id(),
                observation: Observation::new(Outcome::TimedOut, LOST.into()),
            },
            Waiting::Verifier(call) => {
                let tool = self.manifest.tool(call.tool());
                let verifier = tool.and_then(|tool| tool.verifier.clone())?;
                let (holds, detail, drifted) = (false, LOST.to_owned(), false);
                Input::Verified { call: call.id(), verification: Verification { verifier, holds, detail, drifted } }
            }
            Waiting::Retry(wait, _) => Input::Waited { wait: *wait },
            Waiting::Person(_) | Waiting::Nothing => return None,
        })
    }

    /// Whether the run could take this input now.
    ///
    /// # Errors
    /// Why not.
    pub fn expects(&self, input: &Input) -> Result<(), InputError> {
        self.expect(input)
    }

    /// The next question of the open frame; none when it can be closed.
    pub fn request(&self) -> Option<Request<'_>> {
        let stage = self.open.as_ref()?.stage.as_ref()?;
        let entry = self.manifest.entries_in(stage.question.slot()).nth(stage.next)?;
        Some(Request { entry, question: &stage.question, view: Arc::clone(&self.view) })
    }

    /// Judgements of the open frame so far.
    pub fn open_judgements(&self) -> &[Judgement] {
        self.open.as_ref().map_or(&[], |open| &open.judgements)
    }

    /// Answers the question that [`Run::request`] gives.
    ///
    /// # Errors
    /// When nothing was asked, or the answer is not one the contract allows to this question.
    pub fn answer(&mut self, judged: Judged) -> Result<(), InputError> {
        const NOTHING: InputError = InputError::Order("nothing was asked");
        let entry = self.request().ok_or(NOTHING)?.entry;
        let Some(open) = self.open.as_mut() else { return Err(NOTHING) };
        let Some(stage) = open.stage.as_mut() else { return Err(NOTHING) };
        judged.answer.check(&stage.question).map_err(InputError::Violation)?;
        let pin = &self.manifest.entries[entry];
        let slot = stage.question.slot();
        let slot_pin = pin.slots.iter().find(|pin| pin.slot == slot);
        let failure_verdict = slot_pin.map_or(Verdict::Ask, |pin| pin.failure_verdict);
        if slot_pin.is_some_and(|pin| pin.mode == PolicyMode::Monitor) {
            // Recorded and heard by nobody.
            let verdict = judged.answer.verdict().unwrap_or(failure_verdict);
            if verdict > Verdict::Notify {
                let reason = match &judged.answer {
                    Answered::Undecided(cause) => format!("undecided: {cause}"),
                    answer => answer.reason().to_owned(),
                };
                open.events.push(Event::WouldHave { verdict, by: Arc::clone(&pin.name), reason });
            }
        } else {
            stage.joined.add(&pin.name, &judged.answer, failure_verdict);
        }
        open.judgements.push(Judgement {
            entry: Arc::clone(&pin.name),
            policy: Arc::clone(&pin.component),
            question: Arc::clone(&stage.question),
            reads: judged.reads,
            answer: judged.answer,
            fuel: judged.fuel,
        });
        stage.next += 1;
        if self.manifest.entries_in(slot).nth(stage.next).is_none()
            && let Some(stage) = open.stage.take()
        {
            self.let_overhear(&stage.question, Some(stage.joined.verdict()));
            let next = self.heard(slot, stage.joined, stage.then);
            self.go(next);
        }
        Ok(())
    }

    /// Closes the open frame.
    ///
    /// # Errors
    /// When no frame is open, or a question is.
    pub fn close(&mut self) -> Result<Closed, InputError> {
        match &self.open {
            None => return Err(InputError::Order("no frame is open")),
            Some(open) if open.stage.is_some() => return Err(InputError::Order("a question is open")),
            Some(_) => {}
        }
        let Some(mut open) = self.open.take() else { return Err(InputError::Order("no frame is open")) };
        if !open.path.is_empty() {
            let moved = Event::Moved {
                from: Arc::clone(self.graph.name(open.from)),
                path: open.path,
                boundary: Arc::clone(&self.manifest.boundary.digest),
            };
            // Where the input led comes first; an end stays the last word.
            open.events.insert(0, moved);
        }
        let frame = Frame {
            frame: self.frames,
            at: open.at,
            input: open.input,
            judgements: open.judgements,
            events: open.events,
        };
        self.frames += 1;
        Ok(Closed { frame, effects: open.effects, overheard: open.overheard })
    }

    /// Folds a recorded frame: no policy is called.
    ///
    /// # Errors
    /// When the frame does not follow from the ones before it.
    pub fn fold(&mut self, frame: &Frame) -> Result<Vec<Effect>, FoldError> {
        self.accept(frame.at, frame.input.clone())?;
        for (index, judgement) in frame.judgements.iter().enumerate() {
            let differs = |problem| FoldError::Judgement { index, problem };
            let request = self.request().ok_or_else(|| differs("nothing is asked here"))?;
            if self.manifest.entries[request.entry].name != judgement.entry {
                return Err(differs("another entry is asked"));
            }
            if self.manifest.entries[request.entry].component != judgement.policy {
                return Err(differs("another component than the run is pinned to"));
            }
            if **request.question != *judgement.question {
                return Err(differs("the question is another"));
            }
            drop(request);
            self.answer(Judged {
                answer: judgement.answer.clone(),
                reads: judgement.reads.clone(),
                fuel: judgement.fuel,
            })?;
        }
        let closed = self.close()?;
        if closed.frame.events != frame.events || closed.frame.frame != frame.frame {
            return Err(FoldError::Events);
        }
        Ok(closed.effects)
    }
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Keeps a ring at its length.
fn push_bounded<T>(ring: &mut VecDeque<T>, most: usize, value: T) {
    if most == 0 {
        return;
    }
    while ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(value);
}
