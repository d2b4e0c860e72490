//! The state machine: one input opens a frame, judgements fill it, `close` ends it.
//!
//! The run stands at a node of its compiled graph. An input wakes the node; what it finds is an
//! exit; the edge of that exit leads to the next node, and so on until a node waits for the world, a
//! policy or a person. There is no other way to move.

mod agent;
mod approvals;
mod asked;
mod bounded;
mod budget;
mod choice;
mod compaction;
mod completion;
mod consequence;
mod context;
mod delegation;
mod evidence;
mod finalise;
mod halt;
mod handed;
mod hidden;
mod host_asks;
mod joined;
mod looked;
mod machine;
mod memories;
mod model;
mod models;
mod next;
mod people;
mod pipeline;
mod place;
mod planning;
mod progress;
mod proposals;
mod repair;
mod scope;
mod screening;
mod standing;
mod start;
mod tasks;
mod threshold;
mod tools;
mod used;
mod view;
mod waiting;

use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_spec::{Manifest, ManifestError, PolicyMode};

use crate::contract::{Answered, Judged, Judgement, Question};
use crate::contract::{Dimension, Verdict};
use crate::record::event::Event;
use crate::record::frame::Frame;
use crate::record::input::{Input, Observation, Outcome, Reply, Unavailability, Usage, Verification};
use crate::record::status::Status;

pub use consequence::{Asked, CONSEQUENCES, Consequence, Driving, HOLDING, Row, consequence, severities, verdicts};
pub use handed::{CallDecision, Closed, FoldError, InputError, Recorded, Request, Sampled, Withheld, WouldHave};
pub use host_asks::{Envelope, HostAsks, approval_rule, host_asks};
pub use threshold::Hold;
pub use view::View;

use approvals::Approvals;
use context::Context;
use evidence::Evidence;
use halt::StopCause;
use memories::Memories;
use models::Models;
use place::Place;
use progress::Progress;
use proposals::Proposals;
use tasks::Tasks;
use threshold::Returns;
use used::Used;
use waiting::{Open, Waiting};

/// Transitions of one frame. A compiled graph spends something on every way round; this is for a
/// fault of ours.
const MOST_MOVES: usize = 256;
/// How often in a row a run can be taken up without anything else happening to it, so that its frames stay bounded.
const MOST_TAKEN_UP: u32 = 64;

/// A run: the fold of its recorded inputs.
#[derive(Debug)]
pub struct Run {
    manifest: Arc<Manifest>,
    place: Place,
    /// What policies see. Shared with a request while a policy is called, and only then.
    view: Arc<View>,
    status: Status,
    waiting: Waiting,
    open: Option<Open>,
    /// Frames closed, the manifest included.
    frames: u64,
    at: u64,
    /// Why the run is on its way to somebody else, or to its end.
    halt: Option<StopCause>,
    models: Models,
    context: Context,
    tasks: Tasks,
    progress: Progress,
    used: Used,
    proposals: Proposals,
    approvals: Approvals,
    evidence: Evidence,
    memories: Memories,
    returns: Returns,
    /// Somebody beside the run wants to hear what its slots are asked.
    sampling: bool,
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
        Ok(Run {
            view: Arc::new(View::new(&manifest)),
            place: Place::new(graph),
            status: Status::Running,
            waiting: Waiting::Start,
            open: None,
            frames: 1,
            at: 0,
            halt: None,
            models: Models::new(&manifest),
            context: Context::default(),
            tasks: Tasks::default(),
            progress: Progress::default(),
            used: Used::new(manifest.tools.len()),
            proposals: Proposals::default(),
            approvals: Approvals::default(),
            evidence: Evidence::new(&manifest),
            memories: Memories::default(),
            returns: Returns::default(),
            sampling: false,
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
        self.place.name()
    }

    /// Class of the task, once somebody has classified it.
    pub fn class(&self) -> Option<&str> {
        self.models.class()
    }

    /// How often a stronger model was asked.
    pub fn escalations(&self) -> u32 {
        self.models.escalations()
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
        self.context.guidance()
    }

    /// Size in tokens of what a loop without packets would have carried along, estimated as a
    /// quarter of its bytes.
    pub fn history_tokens(&self) -> u64 {
        crate::record::packet::tokens(self.context.history_bytes())
    }

    /// Lets whoever answers beside the run hear what its slots are asked, see [`Closed::sampled`]. No part
    /// of the fold.
    pub fn sample_slots(&mut self) {
        self.sampling = true;
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
        // Neither waiting for a person costs running time nor having nobody who drives the run.
        let in_time = match (self.status, &input) {
            (Status::Running, Input::TakenUp { .. }) => self.view_mut().lie_dead(),
            (Status::Running, _) => self.view_mut().run_for(passed),
            (Status::Suspended(_) | Status::Ended(_), _) => true,
        };
        let in_time = in_time || !self.enforces();
        self.at = at;
        self.open = Some(Open {
            at,
            input: input.clone(),
            // What a frame of a call comes to: it grows in one go.
            judgements: Vec::with_capacity(6),
            questions: Vec::with_capacity(6),
            events: Vec::with_capacity(10),
            effects: Vec::new(),
            stage: None,
            from: self.place.node(),
            path: Vec::with_capacity(6),
            sampled: Vec::new(),
            decision: None,
            hidden: Vec::new(),
            said: None,
        });
        let next = self.begin(input, in_time);
        self.go(next);
        Ok(())
    }

    /// What there is to say when whoever drove the run was lost on the way: nobody knows what became
    /// of a call, a model has not answered, nothing was verified. Of several calls under way the oldest comes
    /// first. None while a person is waited for, or an agent, or after the end.
    pub fn lost(&self) -> Option<Input> {
        const LOST: &str = "the host stopped on the way";
        if let Some((call, verifying)) = self.proposals.oldest() {
            let Some(observed) = verifying else {
                let observation = Observation::new(Outcome::TimedOut, LOST.into());
                return Some(Input::Observed { call, observation });
            };
            let verifier = self.manifest.tool(observed.tool()).and_then(|tool| tool.verifier.clone())?;
            let (holds, detail, drifted) = (false, LOST.to_owned(), false);
            return Some(Input::Verified { call, verification: Verification { verifier, holds, detail, drifted } });
        }
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
                // It may well have answered: what was set aside for it stays spent.
                usage: waiting.reservation.as_ref().map_or_else(Usage::default, |reservation| Usage {
                    input_tokens: reservation.demand().of(Dimension::InputTokens),
                    output_tokens: reservation.demand().of(Dimension::OutputTokens),
                    cost: reservation.demand().of(Dimension::Cost),
                    estimated: true,
                }),
                request: None,
            },
            Waiting::Retry(wait, _) => Input::Waited { wait: *wait },
            Waiting::Calls | Waiting::Person(_) | Waiting::Nothing => return None,
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
        Some(Request { entry, question: &stage.question, key: stage.key, view: Arc::clone(&self.view) })
    }

    /// Judgements of the open frame so far, each with what it answers.
    pub fn open_judgements(&self) -> impl Iterator<Item = (&Question, &Judgement)> {
        let open = self.open.as_ref();
        open.into_iter().flat_map(|open| open.questions.iter().map(|question| &**question).zip(&open.judgements))
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
        open.questions.push(Arc::clone(&stage.question));
        open.judgements.push(Judgement {
            entry: Arc::clone(&pin.name),
            slot,
            question: stage.key,
            reads: judged.reads,
            answer: judged.answer,
            fuel: judged.fuel,
        });
        stage.next += 1;
        if self.manifest.entries_in(slot).nth(stage.next).is_none()
            && let Some(stage) = open.stage.take()
        {
            self.sample(&stage.question, Some(stage.joined.verdict()));
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
            let moved =
                Event::Moved { from: Arc::clone(self.place.name_of(open.from)), path: std::mem::take(&mut open.path) };
            // Where the input led comes first; an end stays the last word.
            open.events.insert(0, moved);
        }
        let decision = self.decision(&open);
        let would_have = open.events.iter().filter_map(WouldHave::of).collect();
        let frame = Frame {
            frame: self.frames,
            at: open.at,
            input: open.input,
            judgements: open.judgements,
            events: open.events,
        };
        self.frames += 1;
        Ok(Closed {
            frame,
            questions: open.questions,
            effects: open.effects,
            sampled: open.sampled,
            decision,
            hidden: open.hidden,
            said: open.said,
            would_have,
        })
    }

    /// Folds a recorded frame: no policy is called.
    ///
    /// # Errors
    /// When the frame does not follow from the ones before it.
    pub fn fold(&mut self, frame: &Frame) -> Result<Closed, FoldError> {
        let folded = self.fold_each(frame, &mut |_| ControlFlow::Continue(()))?;
        // Only `each` breaks off.
        folded.ok_or(FoldError::Events)
    }

    /// The same; `each` is shown every recorded judgement with its position in the frame, its entry and its question, once
    /// it is known to answer what the run asks, and may break off there: none then, and nobody can go on with the run.
    ///
    /// # Errors
    /// As [`Run::fold`].
    pub fn fold_each(
        &mut self,
        frame: &Frame,
        each: &mut dyn FnMut(Recorded<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Closed>, FoldError> {
        self.accept(frame.at, frame.input.clone())?;
        for (index, judgement) in frame.judgements.iter().enumerate() {
            let differs = |problem| FoldError::Judgement { index, problem };
            let request = self.request().ok_or_else(|| differs("nothing is asked here"))?;
            let pin = &self.manifest.entries[request.entry];
            if pin.name != judgement.entry {
                return Err(differs("another entry is asked"));
            }
            if request.question.slot() != judgement.slot {
                return Err(differs("another slot is asked"));
            }
            if request.key != judgement.question {
                return Err(differs("the question is another"));
            }
            let question = Arc::clone(request.question);
            drop(request);
            if each(Recorded { index, entry: pin, question: &question, judgement }).is_break() {
                return Ok(None);
            }
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
        Ok(Some(closed))
    }
}
