//! Marks that the run's model was told in the place of text, turned back in what it proposes.

use countersign_kernel::told::{CameOf, Did};
use countersign_kernel::{Action, ModelRequest, Purpose, Reply};
use countersign_models::{proposed, proposed_as};
use countersign_tools::Hidden;
use countersign_tools::marks::{Receiver, TurnedBack};
use serde_json::Value;

use super::{ModelAnswer, Session};

/// Most bytes of the call that a result is named by.
const MOST_OF: usize = 96;

impl Session {
    /// Remembers what stands behind marks in what a model is told of a tool's result.
    pub(super) fn know(&mut self, tool: &str, all: &str, hidden: &[Hidden]) {
        for Hidden { start, end, instead } in hidden {
            if let Some(text) = all.get(*start..*end) {
                self.marks.know(instead, text, tool, &self.salt);
            }
        }
        self.marks.note(all);
    }

    /// A call as it is judged and recorded, and what its tool is to receive: with the text in the place of each mark. Where
    /// the tool may not have it, or nobody has it any more, the call has invalid arguments and says why.
    pub(super) fn wanted(&self, tool: &str, arguments: Value) -> (Action, Option<String>) {
        let receiver = Receiver { tool, changes: self.changes(tool) };
        let cut = if receiver.changes { self.parts.problem(&arguments) } else { None };
        match cut.map_or_else(|| self.marks.turn_back(&arguments, receiver), Err) {
            Ok(None) => proposed(tool, arguments, &self.registry, &self.salt),
            Ok(Some(TurnedBack { exact, shown, has_secret })) => {
                proposed_as(tool, exact, shown, has_secret, &self.registry, &self.salt)
            }
            Err(problem) => {
                let (mut action, exact) = proposed(tool, arguments, &self.registry, &self.salt);
                if let Action::Call { invalid, .. } = &mut action {
                    *invalid = Some(problem);
                }
                (action, exact)
            }
        }
    }

    /// A request in which marks stand again for the secrets that its model has handed on by them: the run knows those as
    /// they were put back. What it is told only the beginning of is remembered as that.
    pub(super) fn told_again(&mut self, mut request: ModelRequest) -> ModelRequest {
        for exchange in &request.recent {
            match (&exchange.came, &exchange.did) {
                (CameOf::Result { text, cut_from: Some(all) }, Did::Called(call)) => {
                    let of = &call[..call.floor_char_boundary(MOST_OF)];
                    self.parts.cut(&format!("the result of `{of}`"), text, *all);
                }
                (CameOf::Result { text, cut_from: None }, _) => self.parts.whole(text),
                _ => {}
            }
        }
        for exchange in &mut request.recent {
            if let Did::Called(text) = &mut exchange.did
                && let Some(told) = self.marks.put_away(text)
            {
                *text = told.into();
            }
        }
        if let Purpose::Patch(packet) = &mut request.purpose
            && let Some(told) = self.marks.put_away(&packet.snippet)
        {
            packet.snippet = told;
        }
        request
    }

    /// The same of a model's answer.
    pub(super) fn turned_back(&self, mut answer: ModelAnswer) -> ModelAnswer {
        if let (Reply::Step(step), Some(exact)) = (&mut answer.reply, &mut answer.arguments)
            && let Action::Call { tool, .. } = &step.action
            && (!self.parts.is_empty() || countersign_tools::marks::is_marked(exact))
            && let Ok(arguments) = serde_json::from_str(exact)
        {
            let before = match &step.action {
                Action::Call { invalid, .. } if self.registry.spec(tool).is_none() => invalid.clone(),
                _ => None,
            };
            let (mut action, turned) = self.wanted(&tool.clone(), arguments);
            // What the world knows of a tool that the session does not still holds.
            if let Action::Call { invalid, .. } = &mut action {
                *invalid = invalid.take().or(before);
            }
            step.action = action;
            answer.arguments = turned;
        }
        answer
    }
}
