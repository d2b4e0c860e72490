//! Plans and sub-tasks.

use countersign_spec::plan::PlanLine;

use super::*;

#[test]
fn plans_are_valid_or_sent_back() {
    let child = |id: &str, parent: &str| PlanStep { parent: Some(parent.into()), ..step(id, "read", &[]) };
    let cyclic = || vec![step("a", "read", &["b"]), step("b", "read", &["a"])];
    let deep = || vec![step("a", "read", &[]), child("b", "a"), child("c", "b"), child("d", "c")];
    let foreign = || vec![step("a", "outside", &[])];
    let unknown = || vec![step("a", "read", &["z"])];
    let twice = || vec![step("a", "read", &[]), PlanStep { signature: Key(9), ..step("a", "read", &[]) }];
    let refused: [(&str, Vec<PlanStep>, Setting); 5] = [
        ("a cycle", cyclic(), |m| m.rules.acyclic_plans = false),
        ("four levels", deep(), |m| m.rules.sub_task_depth = 3),
        ("a tool outside", foreign(), |m| m.rules.plan_validation = false),
        ("an unknown step", unknown(), |_| {}),
        ("an id twice", twice(), |_| {}),
    ];
    for (what, steps, off) in refused {
        let mut sent_back = Loop::start(manifest());
        sent_back.does(plan(steps.clone()));
        assert_eq!(sent_back.count(|event| matches!(event, Event::PlanRefused { .. })), 1, "{what}");
        let wants_plan = sent_back
            .effects()
            .iter()
            .any(|effect| matches!(effect, Effect::CallModel { request, .. } if request.purpose == Purpose::Plan));
        assert!(wants_plan, "{what}: the model may mend it");
        let mut accepted = Loop::start(with(off));
        accepted.does(plan(steps));
        let fixed = matches!(what, "an unknown step" | "an id twice");
        assert_eq!(accepted.count(|event| matches!(event, Event::Planned { .. })), usize::from(!fixed), "{what}");
    }
    // Three levels down and no further; too many calls for the budget; none at all.
    let mut allowed = Loop::start(manifest());
    allowed.does(plan(vec![step("a", "read", &[]), child("b", "a"), child("c", "b")]));
    assert_eq!(allowed.count(|event| matches!(event, Event::Planned { .. })), 1);
    let mut dear = Loop::start(with(|m| m.limits.tool_calls = 1));
    dear.does(plan(vec![step("a", "read", &[]), step("b", "read", &[])]));
    assert_eq!(dear.count(|event| matches!(event, Event::PlanRefused { .. })), 1);
    let mut fits = Loop::start(with(|m| m.limits.tool_calls = 2));
    fits.does(plan(vec![step("a", "read", &[]), step("b", "read", &[])]));
    assert_eq!(fits.count(|event| matches!(event, Event::Planned { .. })), 1);
    let mut empty = Loop::start(manifest());
    empty.does(plan(vec![]));
    assert_eq!(empty.count(|event| matches!(event, Event::PlanRefused { .. })), 1);
    // Repaired a bounded number of times.
    let mut bounded = Loop::start(manifest());
    bounded.does(plan(cyclic())).does(plan(cyclic())).does(plan(cyclic()));
    assert_eq!(suspended(&bounded), Some(Code::ReviewRequired));
    // Given up where the model may.
    let mut abandoned = Loop::start(with(|m| m.boundary.plans = PlanRule::Required));
    abandoned.does(Action::Abandon { reason: "no way".into() });
    assert_eq!(ended(&abandoned), Some(Code::Impossible));
}

#[test]
fn equal_sub_tasks_are_one() {
    let twin = PlanStep { signature: step("a", "read", &[]).signature, ..step("b", "read", &[]) };
    let after = step("c", "write", &["b"]);
    let steps = vec![step("a", "read", &[]), twin, after];
    let mut merged = Loop::start(manifest());
    merged.does(plan(steps.clone()));
    assert_eq!(merged.count(|event| matches!(event, Event::Merged { .. })), 1);
    // Whoever waited for the one waits for the other.
    merged.does(call("read", 1)).answers("x").does(call("write", 1));
    assert_eq!(merged.dispatched(), 2);
    let mut twice = Loop::start(with(|m| m.rules.unique_sub_tasks = false));
    twice.does(plan(steps)).does(call("read", 1)).answers("x").does(call("write", 1));
    assert_eq!((twice.dispatched(), suspended(&twice)), (1, Some(Code::ReviewRequired)));
}

#[test]
fn calls_follow_the_plan() {
    let steps = || vec![step("a", "read", &[]), step("b", "write", &["a"])];
    let mut early = Loop::start(manifest());
    early.does(plan(steps())).does(call("write", 1));
    assert_eq!((early.dispatched(), suspended(&early)), (0, Some(Code::ReviewRequired)), "b waits for a");
    let mut free = Loop::start(with(|m| m.rules.plan_adherence = false));
    free.does(plan(steps())).does(call("write", 1));
    assert_eq!(free.dispatched(), 1);
    let mut in_order = Loop::start(manifest());
    in_order.does(plan(steps())).does(call("read", 1)).answers("x").does(call("write", 1)).answers("x");
    assert_eq!(in_order.count(|event| matches!(event, Event::PlanStepDone { .. })), 2);
    // Sub-tasks are added, and their parent waits for them.
    let mut split = Loop::start(with(|m| add(m, writing("part"))));
    let part = PlanStep { parent: Some("a".into()), ..step("p", "part", &[]) };
    split.does(plan(vec![step("a", "write", &[])])).does(Action::Split { steps: vec![part] });
    split.does(call("part", 1)).answers("x").does(call("write", 1));
    assert_eq!(split.dispatched(), 2);
    // Nothing that can be begun: somebody else looks.
    let mut stalled = Loop::start(with(|m| m.boundary.decisions = vec![DecisionRight::ChooseTool]));
    stalled.does(plan(steps()));
    assert_eq!(stalled.count(|event| matches!(event, Event::PlanRefused { .. })), 1, "a right it does not have");
}

#[test]
fn a_plan_may_be_required_and_approved() {
    let mut required = Loop::start(with(|m| m.boundary.plans = PlanRule::Required));
    required.does(call("read", 1));
    assert_eq!((required.dispatched(), required.count(|event| matches!(event, Event::PlanRefused { .. }))), (0, 1));
    required.does(plan(vec![step("a", "read", &[])])).does(call("read", 1));
    assert_eq!(required.dispatched(), 1);
    let approved = || {
        with(|m| {
            m.boundary.autonomy = 5;
            m.boundary.plans = PlanRule::Approved;
        })
    };
    let mut waits = Loop::start(approved());
    waits.does(plan(vec![step("a", "read", &[])]));
    assert_eq!(suspended(&waits), Some(Code::ConfirmRequired));
    waits.approves().does(call("read", 1));
    assert_eq!(waits.dispatched(), 1);
    let mut brought = Loop::start(with(|m| m.plan = vec![step("a", "read", &[])]));
    brought.does(call("write", 1));
    assert_eq!(brought.dispatched(), 0, "a plan that comes with the task counts");
    // The planner is the strongest model where the pattern says so.
    let mut planner = with(|m| {
        m.boundary.plans = PlanRule::Required;
        m.boundary.pattern = Pattern::PlannerExecutor;
        m.models = vec![model(Tier::Cheap), model(Tier::Strong)];
    });
    planner.escalation.max_escalations = 1;
    let planned = Loop::start(planner);
    let strong = planned.effects().iter().any(|effect| matches!(effect, Effect::CallModel { tier: Tier::Strong, .. }));
    assert!(strong);
}

#[test]
fn a_plan_counts_what_is_done() {
    use countersign_spec::plan::{MOST_STEPS, Plan};
    let rules = countersign_spec::HostRules::default();
    let tools: Vec<Arc<str>> = vec!["read".into()];
    let numbered = |count: usize| -> Vec<PlanStep> {
        (0..count)
            .map(|number| PlanStep { signature: Key(number as u64), ..step(&format!("s{number}"), "read", &[]) })
            .collect()
    };
    let propose = |steps: &[PlanStep]| Plan::default().propose(steps, false, &rules, &tools);
    let Ok(accepted) = propose(&numbered(3)) else { panic!("three steps are a plan") };
    let mut plan = accepted.plan;
    assert_eq!((plan.len(), plan.done(), plan.is_empty()), (3, 0, false));
    plan.complete("s1");
    assert_eq!(plan.done(), 1);
    assert!(propose(&numbered(MOST_STEPS)).is_ok() && propose(&numbered(MOST_STEPS + 1)).is_err());
    // Sub-tasks count with what is there already.
    let Ok(full) = propose(&numbered(MOST_STEPS)) else { panic!("as many as there may be") };
    let one_more = [PlanStep { signature: Key(999), ..step("more", "read", &[]) }];
    assert!(full.plan.propose(&one_more, true, &rules, &tools).is_err());
    // A new plan keeps what was done under the same signature, and nothing else.
    let Ok(again) = plan.propose(&numbered(3), false, &rules, &tools) else { panic!("the same plan again") };
    assert_eq!(again.plan.done(), 1);
    let other: Vec<PlanStep> =
        numbered(3).into_iter().map(|step| PlanStep { signature: Key(step.signature.0 + 50), ..step }).collect();
    let Ok(other) = plan.propose(&other, false, &rules, &tools) else { panic!("another plan") };
    assert_eq!(other.plan.done(), 0);
}

#[test]
fn a_plan_on_which_nothing_can_be_begun_is_handed_over() {
    // A step of thought waits for itself, by way of another: only without the check can it be proposed.
    let circle = || vec![step("a", "read", &["b"]), step("b", "read", &["a"])];
    let mut stalled = Loop::start(with(|m| m.rules.acyclic_plans = false));
    stalled.does(plan(circle())).does(call("read", 1)).answers("x");
    assert_eq!(stalled.status(), Status::Running, "the rule is off: nobody notices");
    // A parent whose parts wait for it.
    let parts = vec![step("a", "read", &["p"]), PlanStep { parent: Some("a".into()), ..step("p", "write", &["a"]) }];
    let mut refused = Loop::start(manifest());
    refused.does(plan(parts));
    assert_eq!(refused.count(|event| matches!(event, Event::PlanRefused { .. })), 1);
}

fn outline(lines: &[PlanLine]) -> String {
    let tool = |line: &PlanLine| line.tool.as_ref().map_or_else(String::new, |tool| format!(" ({tool})"));
    let line = |line: &PlanLine| format!("{} {}: {}{}", line.state.name(), line.id, line.does, tool(line));
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn plans_are_shown_and_kept_in_order() {
    let told = |l: &Loop| {
        l.effects().iter().find_map(|effect| match effect {
            Effect::CallModel { request, .. } if !request.plan.is_empty() => Some(outline(&request.plan)),
            _ => None,
        })
    };
    let mut l = Loop::start(manifest());
    l.does(plan(vec![step("a", "read", &[]), step("b", "write", &["a"])]));
    assert_eq!(told(&l).as_deref(), Some("next a: a (read)\nwaits b: b (write)"));
    l.does(call("read", 1)).answers("x");
    assert_eq!(told(&l).as_deref(), Some("done a: a (read)\nnext b: b (write)"));
    // What waits deep below waits for what its ancestors wait for; a step without a tool is done
    // with its last part.
    let part = |id: &str, tool: Option<&str>, parent: Option<&str>, after: &[&str]| PlanStep {
        tool: tool.map(Arc::from),
        parent: parent.map(Arc::from),
        ..step(id, "read", after)
    };
    let mut deep = Loop::start(with(|m| add(m, writing("part"))));
    deep.does(plan(vec![
        part("first", Some("read"), None, &[]),
        part("top", None, None, &["first"]),
        part("middle", None, Some("top"), &[]),
        part("leaf", Some("part"), Some("middle"), &[]),
        part("last", Some("write"), None, &["top"]),
    ]));
    let mut early = Loop::start(with(|m| add(m, writing("part"))));
    early.does(plan(vec![
        part("first", Some("read"), None, &[]),
        part("top", None, None, &["first"]),
        part("middle", None, Some("top"), &[]),
        part("leaf", Some("part"), Some("middle"), &[]),
    ]));
    early.does(call("part", 1));
    assert_eq!(early.dispatched(), 0, "its grandparent waits");
    deep.does(call("read", 1)).answers("x").does(call("part", 1)).answers("x").does(call("write", 1));
    assert_eq!(deep.dispatched(), 3);
    assert_eq!(deep.count(|event| matches!(event, Event::PlanStepDone { .. })), 4);
    // Where the model may not choose, a reading follows the plan too, and nothing is done halfway.
    let fixed = |m: &mut Manifest| {
        m.boundary.autonomy = 3;
        m.boundary.decisions = vec![DecisionRight::Clarify];
        m.plan = vec![step("a", "read", &[]), step("b", "write", &["a"])];
        add(m, reading("other"));
    };
    let mut aside = Loop::start(with(fixed));
    aside.does(call("other", 1));
    assert_eq!(aside.dispatched(), 0);
    let mut halfway = Loop::start(with(fixed));
    halfway.does(call("read", 1)).answers("x").does(finish(&[]));
    assert_eq!(halfway.status(), Status::Running);
    halfway.does(call("write", 1)).answers("x").does(finish(&[]));
    assert_eq!(ended(&halfway), Some(Code::Success));
}

#[test]
fn a_step_of_thought_is_done_by_a_reading() {
    let thought = || vec![PlanStep { tool: None, ..step("think", "read", &[]) }];
    let done = |tool: &str| {
        let mut l = Loop::start(with(|m| m.rules.plan_adherence = false));
        l.does(plan(thought())).does(call(tool, 1)).answers("x");
        l.count(|event| matches!(event, Event::PlanStepDone { .. }))
    };
    assert_eq!((done("read"), done("write")), (1, 0));
}

#[test]
fn workers_have_the_tools_of_their_own_steps() {
    let aside = |pattern: Pattern| {
        let mut l = Loop::start(with(|m| {
            m.boundary.pattern = pattern;
            add(m, reading("other"));
        }));
        l.does(plan(vec![step("a", "read", &[]), step("b", "write", &["a"])])).does(call("other", 1));
        l.dispatched()
    };
    assert_eq!((aside(Pattern::StateMachine), aside(Pattern::SupervisorWorker)), (1, 0));
}
