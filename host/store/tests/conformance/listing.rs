use std::sync::Arc;

use countersign_kernel::{Code, Status};
use countersign_store::{Attributes, Durability, FindError, FrameMark, NewRun, RunQuery, RunState, SharedStore};

use crate::stores::{each, here, new};

/// Three runs: running, suspended, ended.
fn filled(store: &SharedStore) {
    let table = [
        ("aa1", Some("acme"), "mail", Some("ada"), 10, Status::Running),
        ("aa2", None, "mail", None, 30, Status::Suspended(Code::ConfirmRequired)),
        ("b", Some("acme"), "code", Some("ada"), 20, Status::Ended(Code::Success)),
    ];
    for (id, tenant, agent, principal, started, status) in table {
        let attributes = Attributes {
            tenant: tenant.map(Arc::from),
            agent: agent.into(),
            principal: principal.map(Arc::from),
            started,
        };
        let mut log = store.begin(NewRun { attributes, ..new(id) }, &here(), Durability::Written).unwrap();
        log.append(1, b"x", FrameMark { at: 5, status }).unwrap();
        log.release().unwrap();
    }
}

#[test]
fn runs_are_listed_by_what_is_asked_for_newest_first() {
    each(|kind| {
        let store = (kind.open)();
        filled(&store);
        let any = RunQuery::default();
        let table: [(RunQuery, &[&str]); 11] = [
            (any.clone(), &["aa2", "b", "aa1"]),
            (RunQuery { most: Some(2), ..any.clone() }, &["aa2", "b"]),
            (RunQuery { state: Some(RunState::Running), ..any.clone() }, &["aa1"]),
            (RunQuery { state: Some(RunState::Suspended), ..any.clone() }, &["aa2"]),
            (RunQuery { state: Some(RunState::Ended), ..any.clone() }, &["b"]),
            (RunQuery { code: Some(Code::ConfirmRequired), ..any.clone() }, &["aa2"]),
            (RunQuery { tenant: Some("acme".into()), ..any.clone() }, &["b", "aa1"]),
            (RunQuery { agent: Some("mail".into()), ..any.clone() }, &["aa2", "aa1"]),
            (RunQuery { principal: Some("ada".into()), most: Some(1), ..any.clone() }, &["b"]),
            (RunQuery { since: Some(20), ..any.clone() }, &["aa2", "b"]),
            (RunQuery { until: Some(20), tenant: Some("acme".into()), ..any.clone() }, &["aa1"]),
        ];
        let other = (kind.open)();
        for (query, expected) in table {
            let rows = other.list(&query).unwrap();
            let ids: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
            assert_eq!(ids, expected, "{query:?}");
        }
        let row = other.find("b").unwrap();
        assert_eq!((row.frames, row.last, row.status), (2, 25, Status::Ended(Code::Success)));
        assert_eq!(row.attributes.principal.as_deref(), Some("ada"));
    });
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_id_unless_that_fits_two() {
    each(|kind| {
        let store = (kind.open)();
        filled(&store);
        drop(store.begin(new("aa"), &here(), Durability::Written).unwrap());
        for (prefix, found) in [("aa", Some("aa")), ("aa1", Some("aa1")), ("b", Some("b")), ("c", None), ("", None)] {
            match (store.find(prefix), found) {
                (Ok(row), Some(id)) => assert_eq!(&*row.id, id),
                (Err(FindError::NotFound { .. }), None) => {}
                (other, _) => panic!("{prefix}: {other:?}"),
            }
        }
        let error = store.find("a").unwrap_err();
        assert!(matches!(&error, FindError::Ambiguous { .. }), "{error}");
    });
}
