//! The slots: for each a module with its records, as they are generated from `wit/v0.1`, and the trait that a
//! policy implements to fill it.

/// One module a slot. Its world and its function are those of the slot's file in `wit/v0.1`.
macro_rules! slots {
    ($(
        $(#[$doc:meta])*
        $slot:ident in $world:literal:
        $(#[$called:meta])*
        $trait:ident.$function:ident($asked:ident: $question:ident) -> $answer:ident;
    )+) => {$(
        $(#[$doc])*
        pub mod $slot {
            /// As generated. Authors never name it.
            #[doc(hidden)]
            #[allow(missing_docs, clippy::all, reason = "generated code")]
            pub mod bindings {
                wit_bindgen::generate!({
                    path: "../../wit/v0.1",
                    world: $world,
                    pub_export_macro: true,
                    export_macro_name: "export",
                    generate_unused_types: true,
                    additional_derives: [PartialEq],
                    with: {
                        "countersign:policy/types@0.1.0-draft.5": crate::bindings::countersign::policy::types,
                        "countersign:policy/run@0.1.0-draft.5": crate::bindings::countersign::policy::run,
                        "countersign:policy/log@0.1.0-draft.5": crate::bindings::countersign::policy::log,
                    },
                });
            }

            pub use bindings::exports::countersign::policy::$slot::*;

            /// A policy that fills the slot.
            pub trait $trait: crate::Policy {
                $(#[$called])*
                fn $function(&mut self, $asked: $question, run: &dyn crate::RunView) -> $answer;
            }

            #[doc(hidden)]
            pub use $trait as Fills;

            impl<P: $trait + crate::glue::Instance> Guest for crate::glue::Component<P> {
                fn $function($asked: $question) -> $answer {
                    crate::glue::with(|policy: &mut P| policy.$function($asked, &crate::view::HostView))
                }
            }
        }
    )+};
}

slots! {
    /// Slot `sensitivity`: how sensitive is this text?
    sensitivity in "sensitivity-slot":
    /// Called for each text on its way to a model.
    Sensitivity.rate(text: Text) -> Rating;

    /// Slot `guard`: is this text or call hostile, or does it leak?
    guard in "guard-slot":
    /// Called for each text on its way to a model, to people or to a tool.
    Guard.inspect(transit: Transit) -> Inspection;

    /// Slot `classifier`: which model tier and which planning mode does this task want?
    classifier in "classifier-slot":
    /// Called once a run, before any model is called.
    Classifier.classify(task: Task) -> Classification;

    /// Slot `dispatch`: who does this sub-task?
    dispatch in "dispatch-slot":
    /// Called once for each new sub-task of a valid plan.
    Dispatch.assign(sub_task: SubTask) -> Assigned;

    /// Slot `context`: what about the pressure on the context?
    context in "context-slot":
    /// Called before each request to a model.
    Context.compact(pressure: Pressure) -> Compaction;

    /// Slot `confidence`: may this answer be trusted?
    confidence in "confidence-slot":
    /// Called once for each model reply that parses, before its action is judged.
    Confidence.judge(statement: Statement) -> Trust;

    /// Slot `risk`: may this action run?
    risk in "risk-slot":
    /// Called once for each tool call within the boundary, before it is dispatched.
    Risk.judge(action: ProposedAction) -> Assessment;

    /// Slot `remediation`: can the agent mend this error?
    remediation in "remediation-slot":
    /// Called once for each call that failed.
    Remediation.classify(call: FailedCall) -> Remedy;

    /// Slot `doom-loop`: is the run still getting anywhere?
    doom_loop in "doom-loop-slot":
    /// Called once for each step, after its tool has answered.
    DoomLoop.observe(step: ObservedStep) -> Signal;

    /// Slot `threshold`: is the next action worth it?
    threshold in "threshold-slot":
    /// Called after each action, and before each call that is about to be dispatched.
    Threshold.assess(ledger: Ledger) -> Assessment;

    /// Slot `estimator`: what will the rest of the task cost?
    estimator in "estimator-slot":
    /// Called after each step, before the next model call, once the task's size is known.
    Estimator.estimate(progress: Progress) -> Forecast;
}
