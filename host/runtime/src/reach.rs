//! What a person has to know of a call beside its arguments before it is approved: how much it touches, and whether
//! there is a way back (document 003, "High-Impact Mutation").

use countersign_kernel::Approval;
use countersign_kernel::contract::Reversibility;
use countersign_spec::Manifest;

/// How many records or people a call touches, in words, by its arguments or by what its tool declares.
pub fn blast_radius(manifest: &Manifest, approval: &Approval) -> String {
    let declared = manifest.tool(&approval.tool).and_then(|tool| tool.blast_radius);
    match approval.touches.records.max(declared) {
        Some(0) => "nothing".to_owned(),
        Some(1) => "1 record or person".to_owned(),
        Some(many) => format!("{many} records or people"),
        None => "not known: neither the call nor its tool says how many it touches".to_owned(),
    }
}

/// Whether what a call does can be undone, in words.
pub fn way_back(manifest: &Manifest, approval: &Approval) -> &'static str {
    let tool = manifest.tool(&approval.tool);
    match tool.map(|tool| tool.reversibility) {
        Some(_) if tool.is_some_and(|tool| !tool.mutating()) => "none is needed: it changes nothing",
        Some(Reversibility::Reversible) => "its tool is declared reversible; how it is undone is not declared",
        Some(Reversibility::Irreversible) => "none: it cannot be undone",
        Some(Reversibility::Unknown) | None => "none is known",
    }
}
