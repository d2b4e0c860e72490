//! The contract is a draft with a number: the text and the number change together.

use countersign::bundle::sha256;
use countersign::kernel::contract::CONTRACT;
use countersign_tests::root;

/// The number and the digest of the text that it stands for. After a change of the text: raise the
/// number in `wit/v0.1/types.wit`, in `CONTRACT` and in the SDK's `slots.rs`, and put the new
/// digest here.
const DRAFT: (u32, &str) = (5, "sha256:3e021fae4fd56ebdf1f1c523456a0459eb7ee8a7d9013e9e2e7ed67abaa39740");

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
