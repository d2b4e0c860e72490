//! Generated from `wit/v0.1`: one world for what every policy exports and one for each slot, so
//! that a policy claims only the exports it has. Authors never name this module.
#![allow(missing_docs, clippy::all, reason = "generated code")]

pub mod base {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "policy-base",
        pub_export_macro: true,
        export_macro_name: "export_base",
        generate_unused_types: true,
        additional_derives: [PartialEq],
    });
}

macro_rules! slot_world {
    ($module:ident, $world:literal, $export:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit/v0.1",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export,
                generate_unused_types: true,
                additional_derives: [PartialEq],
                with: {
                    "countersign:policy/types@0.1.0-draft.3": crate::bindings::base::countersign::policy::types,
                    "countersign:policy/run@0.1.0-draft.3": crate::bindings::base::countersign::policy::run,
                    "countersign:policy/log@0.1.0-draft.3": crate::bindings::base::countersign::policy::log,
                },
            });
        }
    };
}

slot_world!(classifier, "classifier-slot", "export_classifier");
slot_world!(confidence, "confidence-slot", "export_confidence");
slot_world!(doom_loop, "doom-loop-slot", "export_doom_loop");
slot_world!(estimator, "estimator-slot", "export_estimator");
slot_world!(risk, "risk-slot", "export_risk");
slot_world!(context, "context-slot", "export_context");
slot_world!(dispatch, "dispatch-slot", "export_dispatch");
slot_world!(guard, "guard-slot", "export_guard");
slot_world!(remediation, "remediation-slot", "export_remediation");
slot_world!(sensitivity, "sensitivity-slot", "export_sensitivity");
slot_world!(threshold, "threshold-slot", "export_threshold");
