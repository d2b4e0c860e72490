//! A run as a file: written beside its store, moved out of one and into another, and never written over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_kernel::{Code, Frame, Input, Run, Status};
use countersign_store::memory::MemoryStore;
use countersign_store::sqlite::SqliteStore;
use countersign_store::trace::{
    Incoming, TraceFile, TraceFileError, TransferError, also_to_file, beside, export, import,
};
use countersign_store::{
    Attributes, BeginError, Chain, Durability, Ending, FrameMark, Holder, NewRun, RunReader, RunStore, Side,
    TraceError, TraceReader,
};

#[path = "../../kernel/tests/support/loop.rs"]
#[expect(dead_code, reason = "most of it is for other tests")]
mod driven;

fn here() -> Holder {
    Holder::this_process("test")
}

/// The frames of a run that begins and is cancelled, and where it stands after each.
fn frames() -> Vec<(Frame, Status)> {
    let mut run = Run::open(Arc::new(driven::manifest())).unwrap();
    let mut frames = Vec::new();
    for (at, input) in [(0, Input::Started), (5, Input::Cancelled)] {
        run.accept(at, input).unwrap();
        let closed = run.close().unwrap();
        frames.push((closed.frame, run.status()));
    }
    assert_eq!(run.status(), Status::Ended(Code::UserCancel));
    frames
}

/// The run in a store, with so many frames behind its manifest.
fn stored(store: &dyn RunStore, count: usize) {
    let manifest = driven::manifest();
    let mut chain = Chain::begin(&manifest);
    let attributes = Attributes { agent: "a".into(), ..Attributes::default() };
    let new = NewRun { id: "r", manifest: chain.line(), attributes, salt: Some([1; 32]) };
    let mut log = store.begin(new, &here(), Durability::Written).unwrap();
    for (frame, status) in frames().into_iter().take(count) {
        log.append(frame.frame, chain.encode(&frame), FrameMark { at: frame.at, status }).unwrap();
    }
    log.side(Side::Log).unwrap().append(b"{\"frame\":1}").unwrap();
    log.release().unwrap();
}

fn lines(reader: &dyn RunReader) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut keep = |line: &[u8]| {
        lines.push(line.to_vec());
        ControlFlow::Continue(())
    };
    reader.read_from(0, &mut keep).unwrap();
    lines
}

fn ending(path: &Path) -> Result<Ending, TraceError> {
    let file = fs::File::open(path).unwrap();
    TraceReader::new(path.display().to_string(), BufReader::new(file)).fold(|_, _| {}).map(|(_, ending)| ending)
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    (folder, path)
}

#[test]
fn a_run_moves_from_store_to_file_to_store_with_its_chain_whole() {
    for count in [0, 1, 2] {
        let (folder, path) = place();
        let from = MemoryStore::new();
        stored(&from, count);
        export(&from, "r", &path).unwrap();
        let expected = if count == 2 { Ending::Complete } else { Ending::Open { half_written: false } };
        assert_eq!(ending(&path).unwrap(), expected);
        let to = SqliteStore::open(&folder.path().join("runs.db")).unwrap();
        let row = import(&to, &path, &here()).unwrap();
        let before = from.find("r").unwrap();
        assert_eq!((row.status, row.frames, row.last, &row.held), (before.status, before.frames, before.last, &None));
        let reader = to.read("r").unwrap();
        assert_eq!(lines(&*reader), lines(&*from.read("r").unwrap()), "the very bytes");
        let mut log = Vec::new();
        reader
            .read_side(Side::Log, &mut |record| {
                log.push(record.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(log, [b"{\"frame\":1}"]);
        assert!(matches!(import(&to, &path, &here()), Err(TransferError::Begin(BeginError::Exists { .. }))));
        let again = folder.path().join("again.jsonl");
        export(&to, "r", &again).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    }
}

#[test]
fn what_is_there_is_not_written_over() {
    let (folder, path) = place();
    let store = MemoryStore::new();
    stored(&store, 1);
    fs::write(&path, "evidence").unwrap();
    let exists = |result: Result<(), TransferError>| {
        assert!(matches!(result, Err(TransferError::File(TraceFileError::Exists { .. }))), "{result:?}");
    };
    exists(export(&store, "r", &path));
    exists(also_to_file(&path, Durability::Written, || panic!("opened")).map(|_| ()));
    assert!(matches!(TraceFile::create(&path, Durability::Written), Err(TraceFileError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"evidence");
    // What lies beside it is evidence too, and then nothing is written at all.
    fs::remove_file(&path).unwrap();
    fs::write(beside(&path, Side::Shadow), "evidence").unwrap();
    exists(export(&store, "r", &path));
    exists(also_to_file(&path, Durability::Written, || panic!("opened")).map(|_| ()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_was_changed_in_a_store_or_a_file_is_not_moved() {
    let (folder, path) = place();
    let store = MemoryStore::new();
    stored(&store, 2);
    export(&store, "r", &path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let whole: Vec<&str> = text.lines().collect();
    let table = [
        ("changed", text.replace("\"at\":5", "\"at\":6")),
        ("a frame is missing", format!("{}\n{}\n", whole[0], whole[2])),
        ("something follows the end", format!("{text}{}\n", whole[2])),
        ("cut off", format!("{}\n{}", whole[0], &whole[1][..40])),
        ("cut off before its end", format!("{}\n{}", whole[0], whole[1])),
        ("empty", String::new()),
    ];
    for (what, text) in table {
        let path = folder.path().join("changed.jsonl");
        fs::write(&path, text).unwrap();
        let to = MemoryStore::new();
        assert!(Incoming::read(&path).is_err(), "{what}: it is refused before any store is looked for");
        assert!(import(&to, &path, &here()).is_err(), "{what}");
        assert!(to.find("r").is_err(), "{what}: nothing of it is in the store");
    }
    let broken = MemoryStore::new();
    let attributes = Attributes { agent: "a".into(), ..Attributes::default() };
    let new = NewRun { id: "r", manifest: b"no manifest", attributes, salt: None };
    drop(broken.begin(new, &here(), Durability::Written).unwrap());
    let target = folder.path().join("broken.jsonl");
    assert!(matches!(export(&broken, "r", &target), Err(TransferError::Trace(_))));
    assert!(!target.exists(), "no file is left that looks like a trace");
}

#[test]
fn what_a_file_is_that_is_no_trace_or_was_changed_on_its_way_is_said() {
    let (folder, path) = place();
    let store = MemoryStore::new();
    stored(&store, 2);
    export(&store, "r", &path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let with = |begin: &[u8]| [begin, text.as_bytes()].concat();
    let table = [
        (text.replace('\n', "\r\n").into_bytes(), "frame 0 is not what was written", "carriage return"),
        (text.trim_end().as_bytes().to_vec(), "frame 2 is not what was written", "put it back"),
        (text.lines().next().unwrap().as_bytes().to_vec(), "frame 0 is not what was written", "put it back"),
        (with(b"\xef\xbb\xbf"), "is no trace", "byte order mark"),
        (with(b"\xff\xfe"), "is no trace", "UTF-16"),
        (with(b"\x1f\x8b\x08"), "is no trace", "gunzip"),
        (with(b"\x28\xb5\x2f\xfd"), "is no trace", "zstd"),
        (with(b"PK\x03\x04"), "is no trace", "zip archive"),
        (with(b"SQLite format 3\0"), "is no trace", "`--store`"),
    ];
    for (bytes, what, then) in table {
        let path = folder.path().join("changed.jsonl");
        fs::write(&path, bytes).unwrap();
        let error = ending(&path).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains(then), "expected `{what}` and `{then}`: {error}");
    }
    // A frame that was being written when its process was lost is no change.
    fs::write(&path, &text[..text.len() - 40]).unwrap();
    assert_eq!(ending(&path).unwrap(), Ending::Open { half_written: true });
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let (folder, path) = place();
    let status = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(status.success());
    let store = MemoryStore::new();
    for (path, expected) in [(path.as_path(), "a pipe or a device"), (folder.path(), "a folder")] {
        let error = import(&store, path, &here()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_trace_takes_its_frames_in_order_and_a_line_each() {
    let (_folder, path) = place();
    let all = frames();
    let mut chain = Chain::begin(&driven::manifest());
    let mut file = TraceFile::create(&path, Durability::Written).unwrap();
    assert!(matches!(file.append(1, chain.line()), Err(TraceFileError::Conflict { expected: 0, .. })));
    file.append(0, chain.line()).unwrap();
    file.append(1, chain.encode(&all[0].0)).unwrap();
    assert!(matches!(file.append(2, b"two\nlines"), Err(TraceFileError::NotALine { .. })));
    assert_eq!(file.next(), 2);
    file.append(2, chain.encode(&all[1].0)).unwrap();
    drop(file);
    assert_eq!(ending(&path).unwrap(), Ending::Complete);
}

#[test]
fn a_file_beside_the_store_has_the_whole_run_also_when_it_was_taken_up() {
    let (folder, path) = place();
    let store = SqliteStore::open(&folder.path().join("runs.db")).unwrap();
    stored(&store, 1);
    let log = || Ok::<_, TransferError>(store.open("r", &here(), Durability::Synced).unwrap());
    let mut log = also_to_file(&path, Durability::Synced, log).unwrap();
    let mut chain = Chain::begin(&driven::manifest());
    let all = frames();
    chain.encode(&all[0].0);
    let (last, status) = &all[1];
    // What the store refuses is not in the file either.
    assert!(log.append(7, b"x", FrameMark { at: 1, status: Status::Running }).is_err());
    log.append(2, chain.encode(last), FrameMark { at: last.at, status: *status }).unwrap();
    log.side(Side::Log).unwrap().append(b"{}").unwrap();
    log.release().unwrap();
    drop(log);
    assert_eq!(ending(&path).unwrap(), Ending::Complete);
    assert_eq!(fs::read(beside(&path, Side::Log)).unwrap(), b"{\"frame\":1}\n{}\n");
    let text = fs::read(&path).unwrap();
    let expected: Vec<u8> =
        lines(&*store.read("r").unwrap()).into_iter().flat_map(|line| line.into_iter().chain(*b"\n")).collect();
    assert_eq!(text, expected);
}

#[test]
fn a_line_that_is_longer_than_a_frame_may_be_is_an_error_and_no_end() {
    let (_folder, path) = place();
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(Chain::begin(&driven::manifest()).line()).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(&vec![b'x'; 65 << 20]).unwrap();
    let error = ending(&path).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}
