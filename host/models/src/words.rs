//! Every word for a model that is not somebody else's text: what requests say around the state of a task, and what
//! an agent that owns its loop is told. Where something is put in stands `{}`. The digest of all of them is in each
//! run's manifest.
#![allow(missing_docs, reason = "a word says itself what it says")]

use countersign_kernel::contract::{Digest, sha256};

use crate::models::step_schema;
use crate::reply::injected_tools;

/// Defines the words, and the list of all of them: none can be left out of the digest.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$about])* pub const $name: &str = $text;)*
        const ALL: &[&str] = &[$($name),*];
    };
}

words! {
    /// The form of an answer.
    FORM = "Answer with one JSON object and nothing else: {\"step\": short name of what you are doing, \
\"action\": {\"tool\": name, \"arguments\": {…}}, {\"finish\": summary, \"claims\": [tools used]}, \
{\"plan\": [{\"id\", \"does\", \"tool\", \"after\": [ids]}]}, {\"sub-tasks\": [… with \"parent\"]}, \
{\"write\": {\"state\", \"key\", \"text\", \"sources\": [calls]}}, {\"reflect\": on what}, {\"compact\": true} when the context \
gets in the way, {\"ask\": question} or \
{\"abandon\": reason}, \"reasoning\": why, \"status\": \"ok\", \
\"confused\" or \"blocked\", \"confidence\": 0.0 to 1.0}.";
    /// Who a model is, where the interface has a place of its own for that.
    STEPPING = "You are the model in an agent loop. You propose one step at a time; a host decides whether it \
runs, runs it, and shows you what came of it. You are told the state of the task as a JSON object. Use only the tools \
it lists.";
    /// Who a stronger model is.
    HELPING = "A weaker model in an agent loop is stuck. You are told the goal, the last valid state, where it \
failed and why. Answer in plain words: what is wrong, and what exactly to do next, in a few short sentences. The \
weaker model follows your text.";
    ACT = "Take one step at a time.";
    ACT_WITH_REFLEXION = "Take one step at a time, and mind the lessons of earlier tries.";
    PLAN_THEN_EXECUTE = "Make a plan first, then follow it step by step.";
    EXTENDED_THINKING = "Think the decision through before you answer.";

    /// A cycle that ended without a terminal tool (document 004).
    NO_TERMINAL_TOOL = "Your last cycle ended without a call of any terminal tool. Either finish the work with one, \
or call defer_to_human or escalate_to_architect with a reason.";
    PLAN_REFUSED = "the plan is not valid: {}";
    ANOTHER_PLAN = "Stop: {}. Make another plan.";
    REJECTED_CALL = "`{}` is not approved. {}";

    PLANNED = "plan";
    FINISHED = "finish";
    REFLECTED = "reflect";
    ASKED_FOR_ROOM = "compact";
    WROTE = "write {}";
    WROTE_UNDER = "write {} {}";
    ASKED_USER = "ask the user";
    HANDED_OVER = "hand the task over";
    GAVE_UP = "give the goal up";

    CUT = "{} … ({} bytes, cut)";
    NOT_RUN = "Not run: {}.";
    NOT_ACCEPTED = "Not accepted: {}.";
    NOT_WRITTEN = "Not written: {}.";
    NOT_DONE = "Not done: {}.";
    NO_REFLECTION = "Not done: {}. Act, or finish.";
    NO_CALL = "No tool was called. Call a tool, or finish.";
    LOOKED_AT_LATER = "It is looked at when the run is over.";
    NOTED = "Noted.";

    PLAN_LINE = "{} {}: {}";
    PLAN_LINE_WITH_TOOL = "{} {}: {} ({})";
    KEPT_FACTS = "verified so far:";
    KEPT_FACT = "\n{}: {}";
    KEPT_UNMET = "\nnot verified yet: {}";
    KEPT_NOTHING = "nothing";
    KEPT_CALL = "\nlast call: {}";
    KEPT_STEPS = "\nsteps left: {}";
    KEPT_APPROVED = "\napproved and not yet done: {}";
    KEPT_STATE = "\nlast valid state: {}";

    NOTHING_DONE = "nothing has been done yet";
    NOTHING_RUN = "(nothing was run)";
    NO_CONSTRAINTS = "none";

    /// What becomes of an agent whose next call is not worth it (specification C4).
    STOP = "Stop here: report to your user what you found out and what is in the way, and take the next task.";
    /// How an agent that was told to stop may go on.
    REPORT = "Nothing is forwarded before you have reported: call defer_to_human with your diagnosis as its \
reason; after that the next task can begin.";
    OTHERS_UNDER_WAY = "other calls are under way; hand in what came of one of them first";
    SOMETHING_ELSE = "a policy wants something else done";
    PERSON_TOLD = "handed over; a person is told";
    PARKED = "Not forwarded yet: {}";
    REFUSED = "Not forwarded: {}";
    STOPPED = "Not forwarded: {} ({})";
    REFUSED_BY_HOLD = "Not forwarded: {}. {} {}";
    REFUSED_AS_LOOP = "Not forwarded: this call gets nowhere ({}). {} Do not make this call again.";
    OVER_INSTEAD = "The call was made; its result is not shown: this run is over with {} ({}). {}";
    WAITS_INSTEAD = "The call was made; its result is not shown: this run waits for a person, {} ({}). {}";
    HELD = "The next action is not worth it ({}). {} {}";
    GETS_NOWHERE = "This gets nowhere: {}. {} The same call will not be forwarded again.";
}

/// Digest of all of them, of what the tools say that every agent has, and of the schema of an answer.
pub fn templates_digest() -> Digest {
    let mut text = ALL.join("\0");
    for (name, description, _) in injected_tools() {
        text.push('\0');
        text.push_str(name);
        text.push('\0');
        text.push_str(description);
    }
    text.push('\0');
    text.push_str(&step_schema().to_string());
    sha256(text.as_bytes())
}

/// A text with these in the places where something is put in, in order.
pub fn fill(template: &str, with: &[&str]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut with = with.iter();
    for (at, part) in template.split("{}").enumerate() {
        if at > 0 {
            out.push_str(with.next().unwrap_or(&"{}"));
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        assert_eq!(fill(REJECTED_CALL, &["{}", "go {} on"]), "`{}` is not approved. go {} on");
        assert_eq!(fill(NOTED, &[]), NOTED);
    }

    #[test]
    fn no_two_words_can_be_told_apart_by_nothing_in_the_digest() {
        assert!(ALL.iter().all(|text| !text.is_empty() && !text.contains('\0')));
    }
}
