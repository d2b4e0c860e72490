//! Rules of approval that are kept, and whether they may be believed: where approvers have keys, a rule that anybody wrote
//! into the store is worth nothing.

use countersign_kernel::Decision;
use countersign_operate::{KeptApproval, heard};
use countersign_spec::Approver;
use countersign_store::Entry;

/// Whether a kept rule was given by somebody who may: where there are no approvers anybody may.
pub(crate) fn is_believed(kept: &KeptApproval, approvers: &[Approver]) -> bool {
    approvers.is_empty() || key(kept, approvers).is_some()
}

/// A decision about a kept rule, with the key of whoever gave the rule where they have shown one.
pub(crate) fn shown(decision: Decision, kept: &KeptApproval, approvers: &[Approver]) -> Decision {
    match key(kept, approvers) {
        Some(key) => Decision::Signed { key: key.as_str().into(), decision: Box::new(decision) },
        None => decision,
    }
}

fn key(kept: &KeptApproval, approvers: &[Approver]) -> Option<String> {
    let entry: Entry = serde_json::from_str(kept.signed.as_deref()?).ok()?;
    let decision = heard(&kept.run, &entry, approvers).ok()??;
    let Decision::ApprovedFor { standing, .. } = decision.plain() else { return None };
    let same = **standing == kept.standing && entry.by == kept.by;
    same.then(|| decision.key().map(str::to_owned))?
}
