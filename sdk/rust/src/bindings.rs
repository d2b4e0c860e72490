//! Generated from `wit/v0.1`: what every policy imports and exports. Authors never name this module; what a
//! slot adds is generated beside it, in the slot's own module, so that a policy claims only the exports it has.
#![allow(missing_docs, clippy::all, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit/v0.1",
    world: "policy-base",
    pub_export_macro: true,
    export_macro_name: "export",
    generate_unused_types: true,
    additional_derives: [PartialEq],
});
