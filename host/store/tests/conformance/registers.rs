use std::sync::Arc;

use countersign_store::{LARGEST_REGISTER, Register, RegisterError, RegisterName};

use crate::stores::each;

fn name(name: &str) -> RegisterName {
    RegisterName::new(name).unwrap()
}

#[test]
fn a_register_is_set_by_whoever_has_seen_its_last_value() {
    each(|kind| {
        let (store, other) = ((kind.open)(), (kind.open)());
        let current = name("bundles/current");
        assert_eq!(store.register(&current).unwrap(), None);
        let first = store.compare_and_set(&current, None, b"a").unwrap();
        assert_eq!(other.register(&current).unwrap(), Some(Register { value: b"a".to_vec(), version: first }));
        for expected in [None, Some(first + 1), Some(0)] {
            let error = other.compare_and_set(&current, expected, b"b").unwrap_err();
            assert!(matches!(&error, RegisterError::Conflict { found: Some(f), .. } if *f == first), "{error}");
        }
        let second = other.compare_and_set(&current, Some(first), b"b").unwrap();
        assert!(second > first);
        assert!(store.compare_and_set(&current, Some(first), b"c").is_err());
        assert_eq!(store.register(&current).unwrap().unwrap().value, b"b");
    });
}

#[test]
fn no_version_is_used_twice_even_where_a_register_was_removed() {
    each(|kind| {
        let store = (kind.open)();
        let one = name("memories/one");
        let first = store.compare_and_set(&one, None, b"a").unwrap();
        assert!(store.remove(&one, first + 1).is_err());
        store.remove(&one, first).unwrap();
        assert_eq!(store.register(&one).unwrap(), None);
        assert!(store.remove(&one, first).is_err());
        assert!(matches!(
            store.compare_and_set(&one, Some(first), b"b"),
            Err(RegisterError::Conflict { found: None, .. })
        ));
        assert!(store.compare_and_set(&one, None, b"b").unwrap() > first);
    });
}

#[test]
fn registers_are_listed_below_a_name() {
    each(|kind| {
        let store = (kind.open)();
        for text in ["buckets", "buckets/app", "buckets/tenant/acme", "buckets-of-old/app", "buckets0", "c/d"] {
            store.compare_and_set(&name(text), None, text.as_bytes()).unwrap();
        }
        let gone = store.compare_and_set(&name("buckets/gone"), None, b"").unwrap();
        store.remove(&name("buckets/gone"), gone).unwrap();
        let listed = store.registers(&name("buckets")).unwrap();
        let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["buckets/app", "buckets/tenant/acme"]);
        assert_eq!(listed[0].1.value, b"buckets/app");
    });
}

#[test]
fn what_many_count_at_once_is_counted() {
    const EACH: u64 = 25;
    each(|kind| {
        let counter = name("counter");
        let stores: Vec<_> = (0..4).map(|_| (kind.open)()).collect();
        std::thread::scope(|scope| {
            for store in &stores {
                let (store, counter) = (Arc::clone(store), counter.clone());
                scope.spawn(move || {
                    for _ in 0..EACH {
                        loop {
                            let found = store.register(&counter).unwrap();
                            let value = found.as_ref().map_or(0, |found| found.value[0]);
                            let version = found.map(|found| found.version);
                            match store.compare_and_set(&counter, version, &[value + 1]) {
                                Ok(_) => break,
                                Err(RegisterError::Conflict { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
        });
        assert_eq!(u64::from(stores[0].register(&counter).unwrap().unwrap().value[0]), 4 * EACH);
    });
}

#[test]
fn a_value_that_is_too_large_is_refused() {
    each(|kind| {
        let store = (kind.open)();
        let error = store.compare_and_set(&name("a"), None, &vec![0; LARGEST_REGISTER + 1]).unwrap_err();
        assert!(matches!(error, RegisterError::TooLarge { .. }), "{error}");
        store.compare_and_set(&name("a"), None, &vec![0; LARGEST_REGISTER]).unwrap();
    });
}
