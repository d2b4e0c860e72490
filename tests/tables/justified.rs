//! Why a field stays that nobody fills, or that no default policy reads.

const OWN_RULES: &str = "document 001, part 6.4: what rules of a deployment's own go by";

/// The slot (or `run`), the field, and why it stays.
pub const JUSTIFIED: [(&str, &str, &str); 19] = [
    ("sensitivity", "bytes", "read where `cut_raises` is on; without it a policy takes a part for the whole"),
    ("guard", "tool", "a deployment trusts what some tools answer more than what others do"),
    ("classifier", "past.runs", "document 001, part 10: how well a class goes decides its tier"),
    ("classifier", "past.succeeded", "document 001, part 10: the same"),
    ("risk", "tool", OWN_RULES),
    ("risk", "category", OWN_RULES),
    ("risk", "arguments", OWN_RULES),
    ("risk", "novelty", OWN_RULES),
    ("risk", "working-context", OWN_RULES),
    ("remediation", "tool", "who can mend an error depends on the tool: a deployment's roles"),
    ("remediation", "same-tool", "read where `irremediable_after_same_tool` is set"),
    ("threshold", "since", "where nothing came a person is told for how long, from the last boundary on"),
    ("doom-loop", "action-bytes", "`action` is cut at 8 KiB: whether it is all there"),
    (
        "doom-loop",
        "drift",
        "specification B6 trips above 2 sigma, and the default policy does where it is told; the host has no model of \
         embeddings to measure it by",
    ),
    ("run", "goal", "what every policy but the classifier would else not know"),
    ("run", "step-index", "for policies that are laxer at a run's beginning than at its end"),
    ("run", "current-phase", "the same policy is asked in several phases"),
    ("run", "recent-steps", "a history for policies that keep nothing themselves"),
    ("run", "fact", "what was verified: a policy can hold an action against it"),
];
