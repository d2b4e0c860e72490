use countersign_store::{Entry, InboxError, Offer, Taken};

use crate::stores::{begin, each};

fn entry(id: &str, at: u64) -> Entry {
    Entry { version: 1, id: id.into(), by: "ada".into(), at, wants: Offer::Cancel }
}

#[test]
fn an_entry_counts_once() {
    each(|kind| {
        let store = (kind.open)();
        drop(begin(&store, "r"));
        drop(begin(&store, "s"));
        let other = (kind.open)();
        assert!(store.waiting("r").unwrap().is_empty());
        assert!(other.offer("r", &entry("b", 2)).unwrap());
        assert!(other.offer("r", &entry("a", 1)).unwrap());
        assert!(!store.offer("r", &entry("a", 9)).unwrap(), "the same id again");
        assert!(store.offer("s", &entry("a", 1)).unwrap(), "another run");
        let ids = |run| -> Vec<String> { store.waiting(run).unwrap().into_iter().map(|entry| entry.id).collect() };
        assert_eq!(ids("r"), ["a", "b"], "the oldest first");
        store.take("r", "a", &Taken::Frame(3)).unwrap();
        store.take("r", "b", &Taken::Refused("it asks for nothing".into())).unwrap();
        assert!(ids("r").is_empty());
        assert_eq!(ids("s"), ["a"]);
        for id in ["a", "b"] {
            assert!(!other.offer("r", &entry(id, 1)).unwrap(), "taken, and offered once more");
            let again = store.take("r", id, &Taken::Frame(4)).unwrap_err();
            assert!(matches!(again, InboxError::NotWaiting { .. }), "{again}");
        }
        assert!(store.rejects("r").unwrap().is_empty());
    });
}

#[test]
fn what_can_be_no_entry_is_refused() {
    each(|kind| {
        let store = (kind.open)();
        drop(begin(&store, "r"));
        for id in ["", "../x", "a b", &"x".repeat(65)] {
            assert!(matches!(store.offer("r", &entry(id, 1)), Err(InboxError::Id { .. })), "{id}");
        }
        let large = Entry { by: "x".repeat(1 << 20), ..entry("a", 1) };
        assert!(matches!(store.offer("r", &large), Err(InboxError::TooLarge { .. })));
        assert!(matches!(store.offer("s", &entry("a", 1)), Err(InboxError::NotFound { .. })));
        assert!(matches!(store.waiting("s"), Err(InboxError::NotFound { .. })));
        assert!(matches!(store.take("r", "a", &Taken::Frame(1)), Err(InboxError::NotWaiting { .. })));
    });
}
