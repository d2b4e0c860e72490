//! What a run uses, counted from its inputs.

use countersign_kernel::{Input, Observation, Outcome, Reply};
use countersign_spec::Tool;

use super::triple::Used;

impl Used {
    /// Books an input. `tool` is that of the call under way.
    pub(super) fn book(&mut self, input: &Input, tool: Option<&Tool>) {
        match input {
            Input::Replied { reply, usage, .. } => {
                // A call that nobody answered was none, as the run's own budget has it.
                self.steps += u64::from(!matches!(reply, Reply::Unavailable { .. }));
                self.input_tokens = self.input_tokens.saturating_add(usage.input_tokens);
                self.output_tokens = self.output_tokens.saturating_add(usage.output_tokens);
                self.cost = self.cost.saturating_add(usage.cost);
            }
            Input::Observed { observation, .. } => {
                self.tool_calls += 1;
                self.cost = self.cost.saturating_add(cost(observation, tool));
            }
            _ => {}
        }
    }
}

/// Micro-dollars of a call: as it reports them, else as the registry has them; nothing where nothing
/// was done.
fn cost(observation: &Observation, tool: Option<&Tool>) -> u64 {
    match observation.outcome {
        Outcome::Infrastructure | Outcome::Rejected | Outcome::Unauthenticated => 0,
        _ => observation.cost.unwrap_or_else(|| tool.map_or(0, |tool| tool.cost)),
    }
}
