//! The contract is a draft with a number: the text and the number change together.

use countersign::bundle::sha256;
use countersign::kernel::contract::CONTRACT;
use countersign_tests::root;

/// The number and the digest of the text that it stands for. After a change of the text: raise the
/// number in `wit/v0.1/types.wit`, in `CONTRACT` and in the SDK's `slots.rs`, and put the new
/// digest here.
const DRAFT: (u32, &str) = (4, "sha256:82221b27b1b47ec607f750f6eaeb531f86e4ceda62af835e6d61cd96c91d2bf5");

#[test]
fn the_draft_number_belongs_to_this_text() -> std::io::Result<()> {
    let folder = root().join("wit/v0.1");
    let mut names: Vec<_> = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let mut text = Vec::new();
    for name in names {
        text.extend(name.to_string_lossy().as_bytes());
        text.extend(std::fs::read(folder.join(name))?);
    }
    assert_eq!(CONTRACT, format!("countersign:policy@0.1.0-draft.{}", DRAFT.0));
    let found = sha256(&text);
    assert_eq!(**found.as_str(), *DRAFT.1, "the contract's text has changed: give it the next draft number");
    Ok(())
}
