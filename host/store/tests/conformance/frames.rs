use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::channel;

use countersign_kernel::{Code, Status};
use countersign_store::{AppendError, BeginError, Durability, FrameMark, LARGEST_FRAME, NewRun, OpenError, Side};

use crate::stores::{begin, each, gone, here, line, lines, new, running};

#[test]
fn frames_are_read_back_in_their_order() {
    each(|kind| {
        let store = (kind.open)();
        for durability in [Durability::Synced, Durability::Written, Durability::Buffered] {
            let id = format!("{durability:?}");
            let mut log = store.begin(new(&id), &here(), durability).unwrap();
            for frame in 1..=5 {
                assert_eq!(log.next(), frame);
                log.append(frame, &line(frame), running(frame)).unwrap();
            }
            assert_eq!(lines(&*log, 0), ["manifest", "frame 1", "frame 2", "frame 3", "frame 4", "frame 5"]);
            assert_eq!(lines(&*log, 4), ["frame 4", "frame 5"]);
            assert_eq!(lines(&*log, 6), Vec::<String>::new());
            log.sync().unwrap();
            let reader = (kind.open)().read(&id).unwrap();
            assert_eq!(lines(&*reader, 5), ["frame 5"], "{durability:?}: what is synced is there for others");
            let mut seen = 0;
            reader
                .read_from(0, &mut |_| {
                    seen += 1;
                    if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .unwrap();
            assert_eq!(seen, 2, "a reader may stop");
        }
    });
}

#[test]
fn a_frame_out_of_place_is_a_conflict_and_changes_nothing() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        log.append(1, &line(1), running(1)).unwrap();
        for given in [0, 1, 3, u64::MAX] {
            let error = log.append(given, b"x", running(2)).unwrap_err();
            assert!(matches!(error, AppendError::Conflict { given: g, expected: 2, .. } if g == given), "{error}");
        }
        log.append(2, &line(2), running(2)).unwrap();
        assert_eq!(lines(&*log, 1), ["frame 1", "frame 2"]);
    });
}

#[test]
fn what_no_reader_would_take_is_refused_before_it_is_written() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        let huge = vec![b'x'; LARGEST_FRAME + 1];
        let error = log.append(1, &huge, running(1)).unwrap_err();
        assert!(matches!(error, AppendError::TooLarge { frame: 1, .. }), "{error}");
        let error = log.append(1, b"two\nlines", running(1)).unwrap_err();
        assert!(matches!(error, AppendError::NotALine { frame: 1, .. }), "{error}");
        log.append(1, &huge[..LARGEST_FRAME], running(1)).unwrap();
        log.flush().unwrap();
        assert!(log.side(Side::Log).unwrap().append(&huge).is_err());
        assert!(log.side(Side::Log).unwrap().append(b"two\nlines").is_err());
        let large = store.begin(NewRun { manifest: &huge, ..new("large") }, &here(), Durability::Written);
        assert!(matches!(large, Err(BeginError::TooLarge { .. })));
        assert!(store.read("large").is_err(), "nothing was begun");
        for id in ["", ".", "../x", "a/b", "a b", "ä", &"x".repeat(201)] {
            let begun = store.begin(new(id), &here(), Durability::Written);
            assert!(matches!(begun, Err(BeginError::Id { .. })), "{id}");
        }
    });
}

#[test]
fn nothing_follows_the_end() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        log.append(1, &line(1), FrameMark { at: 1, status: Status::Ended(Code::Success) }).unwrap();
        let error = log.append(2, &line(2), running(2)).unwrap_err();
        assert!(matches!(error, AppendError::Ended { code: Code::Success, .. }), "{error}");
        log.release().unwrap();
        let error = store.open("r", &here(), Durability::Written).unwrap_err();
        assert!(matches!(error, OpenError::Ended { code: Code::Success, .. }), "{error}");
        assert_eq!(lines(&*store.read("r").unwrap(), 0), ["manifest", "frame 1"]);
        assert!(matches!(store.begin(new("r"), &here(), Durability::Written), Err(BeginError::Exists { .. })));
    });
}

#[test]
fn whoever_holds_an_older_number_writes_nothing() {
    each(|kind| {
        let store = (kind.open)();
        let mut old = store.begin(new("r"), &gone(), Durability::Written).unwrap();
        old.append(1, &line(1), running(1)).unwrap();
        old.flush().unwrap();
        let mut log = (kind.open)().open("r", &here(), Durability::Synced).unwrap();
        assert!(log.fence() > old.fence());
        assert_eq!(log.next(), 2);
        // One appends at once and is told later, the other waits: both are told.
        let told = old.append(2, b"of the old", running(2)).and_then(|()| old.flush()).unwrap_err();
        assert!(matches!(&told, AppendError::Fenced { by: Some(by), .. } if *by == here()), "{told}");
        assert!(old.append(3, b"of the old", running(3)).is_err());
        log.append(2, &line(2), running(2)).unwrap();
        drop(old);
        log.append(3, &line(3), running(3)).unwrap();
        assert_eq!(lines(&*log, 0), ["manifest", "frame 1", "frame 2", "frame 3"]);
    });
}

#[test]
fn a_log_that_was_given_back_writes_nothing() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        log.release().unwrap();
        log.release().unwrap();
        assert!(matches!(log.append(1, &line(1), running(1)), Err(AppendError::Fenced { .. })));
        let other = store.open("r", &here(), Durability::Written).unwrap();
        assert_eq!(other.next(), 1);
    });
}

#[test]
fn sixty_four_runs_at_once_each_keep_their_order() {
    const RUNS: usize = 64;
    const FRAMES: u64 = 20;
    each(|kind| {
        let store = (kind.open)();
        std::thread::scope(|scope| {
            for run in 0..RUNS {
                let store = Arc::clone(&store);
                scope.spawn(move || {
                    let durability = if run % 2 == 0 { Durability::Synced } else { Durability::Written };
                    let id = format!("run-{run}");
                    let mut log = store.begin(new(&id), &here(), durability).unwrap();
                    for frame in 1..=FRAMES {
                        log.append(frame, format!("{run} {frame}").as_bytes(), running(frame)).unwrap();
                    }
                    log.release().unwrap();
                });
            }
        });
        let other = (kind.open)();
        for run in 0..RUNS {
            let expected: Vec<String> = (1..=FRAMES).map(|frame| format!("{run} {frame}")).collect();
            let reader = other.read(&format!("run-{run}")).unwrap();
            assert_eq!(lines(&*reader, 1), expected);
            assert_eq!(reader.row().unwrap().frames, FRAMES + 1);
        }
    });
}

#[test]
fn a_reader_beside_a_writer_sees_a_beginning_of_what_is_written() {
    each(|kind| {
        let (store, other) = ((kind.open)(), (kind.open)());
        let mut log = begin(&store, "r");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut most = 0;
                while most < 300 {
                    let seen = lines(&*other.read("r").unwrap(), 1);
                    let expected: Vec<String> = (1..=seen.len()).map(|frame| format!("frame {frame}")).collect();
                    assert_eq!(seen, expected);
                    assert!(seen.len() >= most, "what was there stays there");
                    most = seen.len();
                }
            });
            for frame in 1..=300 {
                log.append(frame, &line(frame), running(frame)).unwrap();
            }
            log.flush().unwrap();
        });
    });
}

#[test]
fn whoever_must_not_wait_is_told() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        let (tell, told) = channel();
        for frame in 1..=3 {
            log.append(frame, &line(frame), running(frame)).unwrap();
            let tell = tell.clone();
            let then = move |result: Result<(), AppendError>| tell.send((frame, result.is_ok())).unwrap();
            if frame == 2 { log.when_flushed(Box::new(then)) } else { log.when_synced(Box::new(then)) }
        }
        let seen: Vec<(u64, bool)> = told.iter().take(3).collect();
        assert_eq!(seen, [(1, true), (2, true), (3, true)]);
        assert_eq!(lines(&*(kind.open)().read("r").unwrap(), 1).len(), 3);
    });
}

#[test]
fn side_streams_lie_apart_and_outlive_the_log() {
    each(|kind| {
        let store = (kind.open)();
        let mut log = begin(&store, "r");
        let mut shadow = log.side(Side::Shadow).unwrap();
        shadow.append(b"s1").unwrap();
        log.side(Side::Log).unwrap().append(b"l1").unwrap();
        log.append(1, &line(1), FrameMark { at: 1, status: Status::Ended(Code::Success) }).unwrap();
        log.release().unwrap();
        // The run is over, and what judges beside it is not through yet.
        shadow.append(b"s2").unwrap();
        shadow.flush().unwrap();
        drop(shadow);
        let mut late = (kind.open)().side("r", Side::Shadow).unwrap();
        late.append(b"s3").unwrap();
        late.flush().unwrap();
        let reader = store.read("r").unwrap();
        let records = |side| {
            let mut records = Vec::new();
            let mut keep = |record: &[u8]| {
                records.push(String::from_utf8_lossy(record).into_owned());
                ControlFlow::Continue(())
            };
            reader.read_side(side, &mut keep).unwrap();
            records
        };
        assert_eq!(records(Side::Shadow), ["s1", "s2", "s3"]);
        assert_eq!(records(Side::Log), ["l1"]);
        assert_eq!(lines(&*reader, 0), ["manifest", "frame 1"]);
        assert!(matches!(store.side("nobody", Side::Log), Err(OpenError::NotFound { .. })));
    });
}
