//! From events as they are recorded to steps: results find their calls, texts the calls that they belong to.

use std::collections::VecDeque;

use countersign_kernel::Usage;

use super::run::{Call, Event, Header, Returned, Said, Step, Visit};

/// Most calls of one turn that wait for their results.
const CALLS: usize = 1024;
/// Most texts that are kept before the agent has done anything.
const TEXTS: usize = 64;
/// Most bytes of a task's name that is taken from its text.
const TASK: usize = 200;

/// Takes the events of one run.
pub struct Sink<'a> {
    visit: &'a mut dyn Visit,
    pub header: Header,
    begun: bool,
    /// Texts before the agent has done anything.
    texts: Vec<Step>,
    thought: Option<Said>,
    calls: VecDeque<(Call, Option<Returned>)>,
    /// A result has come since the last call.
    answered: bool,
    /// Events that it has been told.
    pub told: u64,
    /// Results of calls that nobody made, or that were given up.
    pub stray: u64,
}

/// The visitor wants no more, and why.
#[derive(Debug)]
pub struct Refused(pub String);

impl<'a> Sink<'a> {
    pub fn new(visit: &'a mut dyn Visit) -> Self {
        Sink {
            visit,
            header: Header::default(),
            begun: false,
            texts: Vec::new(),
            thought: None,
            calls: VecDeque::new(),
            answered: false,
            told: 0,
            stray: 0,
        }
    }

    /// Whether anything has happened in it.
    pub fn is_empty(&self) -> bool {
        !self.begun && self.texts.is_empty()
    }

    /// The next event.
    pub fn event(&mut self, event: Event) -> Result<(), Refused> {
        self.told += 1;
        match event {
            Event::Spoke { at, text } => {
                self.flush()?;
                if self.header.task.is_empty() {
                    self.header.task = text[..text.floor_char_boundary(TASK)].to_owned();
                }
                self.emit(Step::Spoke { at, text })
            }
            Event::Said(said) => {
                self.flush()?;
                self.emit(Step::Said(said))
            }
            Event::Thought(said) => {
                self.next_turn()?;
                self.say()?;
                self.thought = Some(said);
                Ok(())
            }
            Event::Called(mut call) => {
                self.next_turn()?;
                if let Some(said) = self.thought.take() {
                    if call.thought.is_empty() {
                        call.thought = said.text;
                    }
                    call.usage = added(call.usage, said.usage);
                }
                self.answered = false;
                self.calls.push_back((call, None));
                if self.calls.len() > CALLS { self.pop() } else { Ok(()) }
            }
            Event::Returned(returned) => self.returned(returned),
            Event::Finished { at, summary, usage } => {
                self.flush()?;
                self.emit(Step::Finished { at, summary, usage })
            }
        }
    }

    /// The run is over; whether there was one.
    pub fn end(mut self) -> Result<bool, Refused> {
        if self.is_empty() && self.calls.is_empty() && self.thought.is_none() {
            return Ok(false);
        }
        self.flush()?;
        self.begin()?;
        self.visit.end(&self.header).map_err(Refused)?;
        Ok(true)
    }

    /// The run broke off where it cannot be read on: nothing of it counts.
    pub fn abandon(self) {
        if self.begun {
            self.visit.abandon();
        }
    }

    fn returned(&mut self, returned: Returned) -> Result<(), Refused> {
        let Some((_, result)) = self.calls.iter_mut().find(|(call, result)| call.id == returned.id && result.is_none())
        else {
            self.stray += 1;
            return Ok(());
        };
        *result = Some(returned);
        self.answered = true;
        // Calls of one turn stay in their order, whichever is answered first.
        while self.calls.front().is_some_and(|(_, result)| result.is_some()) {
            self.pop()?;
        }
        Ok(())
    }

    /// What the agent does after a result belongs to another turn: what was not answered by then is not answered.
    fn next_turn(&mut self) -> Result<(), Refused> {
        if self.answered {
            self.give_up()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Refused> {
        self.give_up()?;
        self.say()
    }

    fn give_up(&mut self) -> Result<(), Refused> {
        while !self.calls.is_empty() {
            self.pop()?;
        }
        self.answered = false;
        Ok(())
    }

    fn pop(&mut self) -> Result<(), Refused> {
        match self.calls.pop_front() {
            Some((call, result)) => self.emit(Step::Call(call, result)),
            None => Ok(()),
        }
    }

    fn say(&mut self) -> Result<(), Refused> {
        match self.thought.take() {
            Some(said) => self.emit(Step::Said(said)),
            None => Ok(()),
        }
    }

    fn emit(&mut self, step: Step) -> Result<(), Refused> {
        if !self.begun && matches!(step, Step::Spoke { .. }) && self.texts.len() < TEXTS {
            self.texts.push(step);
            return Ok(());
        }
        self.begin()?;
        self.visit.step(step).map_err(Refused)
    }

    fn begin(&mut self) -> Result<(), Refused> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.visit.begin(&self.header).map_err(Refused)?;
        for text in std::mem::take(&mut self.texts) {
            self.visit.step(text).map_err(Refused)?;
        }
        Ok(())
    }
}

fn added(a: Usage, b: Usage) -> Usage {
    Usage {
        input_tokens: a.input_tokens.saturating_add(b.input_tokens),
        output_tokens: a.output_tokens.saturating_add(b.output_tokens),
        cost: a.cost.saturating_add(b.cost),
        estimated: a.estimated || b.estimated,
    }
}
