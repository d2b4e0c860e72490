//! What is known of the runs of a recording before any of them is judged: which tools they use, and how they went.

use std::collections::BTreeSet;

use super::run::{Header, Step, Visit, Went};

/// Most tools of one run; calls of further ones are calls of tools that nobody has registered.
const TOOLS: usize = 512;

/// Tools by run, in the order in which the runs begin.
#[derive(Debug, Default)]
pub struct UsedTools {
    pub runs: Vec<BTreeSet<String>>,
    /// How each went; none for one that cannot be read to its end.
    pub went: Vec<Option<Went>>,
}

impl Visit for UsedTools {
    fn begin(&mut self, _: &Header) -> Result<(), String> {
        self.runs.push(BTreeSet::new());
        self.went.push(None);
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        if let (Step::Call(call, _), Some(tools)) = (step, self.runs.last_mut())
            && tools.len() < TOOLS
        {
            tools.insert(call.tool);
        }
        Ok(())
    }

    fn end(&mut self, header: &Header) -> Result<(), String> {
        if let Some(went) = self.went.last_mut() {
            *went = Some(header.went);
        }
        Ok(())
    }

    fn abandon(&mut self) {}
}
