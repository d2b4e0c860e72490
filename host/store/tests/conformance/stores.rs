//! The stores that are asked.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use countersign_kernel::Status;
use countersign_store::memory::MemoryStore;
use countersign_store::sqlite::SqliteStore;
use countersign_store::{Attributes, Durability, FrameMark, Holder, NewRun, RunLog, RunReader, SharedStore};

/// A kind of store, empty, and opened as often as is wanted.
pub struct Kind {
    pub name: &'static str,
    pub open: Box<dyn Fn() -> SharedStore>,
    _folder: Option<tempfile::TempDir>,
}

/// One of each kind.
pub fn each(test: impl Fn(&Kind)) {
    for kind in [memory(), sqlite()] {
        println!("store: {}", kind.name);
        test(&kind);
    }
}

pub fn memory() -> Kind {
    let store: SharedStore = Arc::new(MemoryStore::new());
    Kind { name: "memory", open: Box::new(move || Arc::clone(&store)), _folder: None }
}

/// Each opening has a writer and connections of its own, as another process would.
pub fn sqlite() -> Kind {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runs.db");
    let open = move || -> SharedStore { Arc::new(SqliteStore::open(&file).unwrap()) };
    Kind { name: "sqlite", open: Box::new(open), _folder: Some(folder) }
}

pub fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("runs.db")
}

pub fn here() -> Holder {
    Holder::this_process("test")
}

/// A process of this machine that has ended.
pub fn gone() -> Holder {
    Holder { process: u32::MAX, ..here() }
}

pub fn new(id: &str) -> NewRun<'_> {
    let attributes = Attributes { agent: "agent".into(), started: 1_000, ..Attributes::default() };
    NewRun { id, manifest: b"manifest", attributes, salt: Some([7; 32]) }
}

pub fn begin(store: &SharedStore, id: &str) -> Box<dyn RunLog> {
    store.begin(new(id), &here(), Durability::Written).unwrap()
}

pub fn running(at: u64) -> FrameMark {
    FrameMark { at, status: Status::Running }
}

pub fn line(frame: u64) -> Vec<u8> {
    format!("frame {frame}").into_bytes()
}

pub fn lines(reader: &(impl RunReader + ?Sized), from: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut keep = |line: &[u8]| {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
        ControlFlow::Continue(())
    };
    reader.read_from(from, &mut keep).unwrap();
    lines
}
