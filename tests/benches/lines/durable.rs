//! What it costs to make frames survive a crash of the machine, where 64 runs do so at once: beside the same bytes
//! put into SQLite in groups of 64, as fast as that goes.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow};
use countersign::kernel::Status;
use countersign::store::sqlite::SqliteStore;
use countersign::store::{Attributes, Durability, FrameMark, Holder, NewRun, RunStore};
use rusqlite::Connection;

use super::Context;
use crate::measure::clock::Samples;
use crate::measure::table::Row;

const RUNS: usize = 64;
/// Frames of each run in a sample.
const FRAMES: u64 = 40;
const SAMPLES: usize = 11;
/// Bytes of a frame: about those of a reply with two verdicts.
const BYTES: usize = 1_500;

/// A store may take twice the time of the bare inserts.
pub fn durable(context: &mut Context) -> Result<()> {
    let line = vec![b'x'; BYTES];
    let (mut store, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        // Each on a disk of its own, as far as there is one: the other's pages are not waited for.
        let folder = tempfile::tempdir()?;
        store.push(through_the_store(&folder.path().join("runs.db"), &line)?);
        let folder = tempfile::tempdir()?;
        bare.push(bare_inserts(&folder.path().join("bare.db"), &line)?);
    }
    let (store, bare) = (Samples::new(store), Samples::new(bare));
    context.table.group("64 runs at once, a frame of 1.5 KB, on the disk when it returns");
    let ratio = Some(store.median() / bare.median());
    let bar = Some(2.0 * bare.median());
    let name = "a frame appended to the store";
    context.table.row(&Row { name, median: store.median(), least: store.least(), ratio, bar, ..Row::default() });
    let name = "the same bytes, 64 bare inserts a commit";
    context.table.row(&Row { name, median: bare.median(), least: bare.least(), ..Row::default() });
    Ok(())
}

/// Nanoseconds for each frame, all runs together.
fn through_the_store(file: &Path, line: &[u8]) -> Result<f64> {
    let store = SqliteStore::open(file)?;
    let mut logs = Vec::new();
    for run in 0..RUNS {
        let id = format!("run-{run}");
        let new = NewRun { id: &id, manifest: line, attributes: Attributes::default(), salt: None };
        logs.push(store.begin(new, &Holder::this_process("bench"), Durability::Synced)?);
    }
    let start = Instant::now();
    std::thread::scope(|scope| {
        let append = |mut log: Box<dyn countersign::store::RunLog>| -> Result<()> {
            for frame in 1..=FRAMES {
                log.append(frame, line, FrameMark { at: frame, status: Status::Running })?;
            }
            Ok(())
        };
        let threads: Vec<_> = logs.into_iter().map(|log| scope.spawn(move || append(log))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a run panicked"))?)
    })?;
    Ok(start.elapsed().as_nanos() as f64 / (RUNS as u64 * FRAMES) as f64)
}

fn bare_inserts(file: &Path, line: &[u8]) -> Result<f64> {
    let connection = Connection::open(file)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL; CREATE TABLE frame (id INTEGER PRIMARY KEY, line BLOB)")?;
    let start = Instant::now();
    for _ in 0..FRAMES {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare_cached("INSERT INTO frame (line) VALUES (?1)")?;
        for _ in 0..RUNS {
            insert.execute([line])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(start.elapsed().as_nanos() as f64 / (RUNS as u64 * FRAMES) as f64)
}
