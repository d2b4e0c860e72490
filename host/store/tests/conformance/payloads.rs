use countersign_kernel::{Code, Status};
use countersign_store::{FrameMark, PayloadError};

use crate::stores::{begin, each, lines};

#[test]
fn a_payload_and_the_salt_are_kept_until_they_are_erased_after_the_end() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        store.put_payload("r", "sha256:ab", b"secret").unwrap();
        store.put_payload("r", "sha256:ab", b"other").unwrap();
        let other = (kind.open)();
        assert_eq!(other.payload("r", "sha256:ab").unwrap().as_deref(), Some(&b"secret"[..]), "kept as it was");
        assert_eq!(other.payload("r", "sha256:cd").unwrap(), None);
        assert_eq!(other.read("r").unwrap().salt().unwrap(), Some([7; 32]));
        assert!(matches!(other.erase("r"), Err(PayloadError::NotEnded { .. })));
        log.append(1, b"x", FrameMark { at: 1, status: Status::Ended(Code::Success) }).unwrap();
        log.release().unwrap();
        other.erase("r").unwrap();
        assert_eq!(store.payload("r", "sha256:ab").unwrap(), None);
        assert_eq!(store.read("r").unwrap().salt().unwrap(), None);
        assert_eq!(lines(&*store.read("r").unwrap(), 0), ["manifest", "x"], "frames stay");
        for digest in ["", "../x", &"x".repeat(129)] {
            assert!(matches!(store.put_payload("r", digest, b""), Err(PayloadError::Digest { .. })), "{digest}");
        }
        assert!(matches!(store.put_payload("s", "a", b""), Err(PayloadError::NotFound { .. })));
        assert!(matches!(store.erase("s"), Err(PayloadError::NotFound { .. })));
    });
}

#[test]
fn payloads_alone_are_erased_at_any_time() {
    each(|kind| {
        let store = (kind.open)();
        let _log = begin(&store, "r");
        store.put_payload("r", "sha256:ab", b"secret").unwrap();
        let other = (kind.open)();
        other.erase_payloads("r").unwrap();
        assert_eq!(store.payload("r", "sha256:ab").unwrap(), None);
        assert_eq!(store.read("r").unwrap().salt().unwrap(), Some([7; 32]), "its marks can still be checked");
        assert!(matches!(store.erase_payloads("s"), Err(PayloadError::NotFound { .. })));
    });
}
