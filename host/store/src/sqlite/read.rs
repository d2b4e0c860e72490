//! Reading: connections of their own, which no writer waits for and which wait for none.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use countersign_kernel::{Code, Status};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::problem::{damaged, storage};
use super::schema;
use crate::error::StorageError;
use crate::holder::Holder;
use crate::query::{Attributes, RunQuery, RunRow, RunState};
use crate::run_log::{SaltBytes, Side, Visit};

/// Connections that wait for the next reader.
const IDLE: usize = 8;
/// Bytes that are read before a caller sees them: while it looks, no transaction holds the file.
const CHUNK: usize = 1 << 20;

/// Whoever reads takes a connection out and puts it back.
#[derive(Debug)]
pub(super) struct Readers {
    file: String,
    read_only: bool,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub fn new(file: &str, read_only: bool) -> Self {
        Readers { file: file.to_owned(), read_only, idle: Mutex::new(Vec::new()) }
    }

    /// Reads something, in one transaction where `read` makes one.
    pub fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StorageError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::reading(&self.file, self.read_only)?,
        };
        let result = read(&connection);
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(connection);
        }
        result.map_err(|error| storage(&self.file, error))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of a run by its id.
    pub fn number(&self, run: &str) -> Result<Option<i64>, StorageError> {
        self.with(|connection| number(connection, run))
    }

    pub fn row(&self, number: i64) -> Result<RunRow, StorageError> {
        let found = self.with(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE number = ?1"))?;
            statement.query_row([number], raw).optional()
        })?;
        found.ok_or_else(|| damaged(&self.file, "a run is gone"))?.row(&self.file)
    }

    pub fn list(&self, query: &RunQuery) -> Result<Vec<RunRow>, StorageError> {
        let state = query.state.map(state);
        let code = query.code.map(Code::name);
        let (since, until) = (query.since.map(signed), query.until.map(signed));
        let (tenant, agent) = (query.tenant.as_deref(), query.agent.as_deref());
        let principal = query.principal.as_deref();
        let wanted: [(&str, Option<&dyn ToSql>); 7] = [
            ("state =", state.as_ref().map(|value| value as _)),
            ("code =", code.as_ref().map(|value| value as _)),
            ("tenant =", tenant.as_ref().map(|value| value as _)),
            ("agent =", agent.as_ref().map(|value| value as _)),
            ("principal =", principal.as_ref().map(|value| value as _)),
            ("started >=", since.as_ref().map(|value| value as _)),
            ("started <", until.as_ref().map(|value| value as _)),
        ];
        let mut text = format!("SELECT {COLUMNS} FROM run");
        let mut values: Vec<&dyn ToSql> = Vec::new();
        for (condition, value) in wanted {
            if let Some(value) = value {
                values.push(value);
                let word = if values.len() == 1 { "WHERE" } else { "AND" };
                text.push_str(&format!(" {word} {condition} ?{}", values.len()));
            }
        }
        text.push_str(" ORDER BY started DESC, id DESC");
        if let Some(most) = query.most {
            text.push_str(&format!(" LIMIT {most}"));
        }
        self.rows(&text, &values)
    }

    /// At most two runs whose ids begin so, and the one that is called so.
    pub fn beginning(&self, prefix: &str) -> Result<Vec<RunRow>, StorageError> {
        // An id has no byte above `z`.
        let end = format!("{prefix}\u{7f}");
        let text = format!("SELECT {COLUMNS} FROM run WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 2");
        self.rows(&text, &[&prefix, &end])
    }

    fn rows(&self, text: &str, values: &[&dyn ToSql]) -> Result<Vec<RunRow>, StorageError> {
        let raw: Vec<Raw> = self.with(|connection| {
            let mut statement = connection.prepare_cached(text)?;
            statement.query_map(values, raw)?.collect()
        })?;
        raw.into_iter().map(|raw| raw.row(&self.file)).collect()
    }

    pub fn frames(&self, run: i64, from: u64, visit: Visit<'_>) -> Result<(), StorageError> {
        let mut next = signed(from);
        // Frames and their number are written together: what is there at least.
        let known: i64 = self.with(|connection| {
            connection.prepare_cached("SELECT frames FROM run WHERE number = ?1")?.query_row([run], |row| row.get(0))
        })?;
        loop {
            let chunk: Vec<(i64, Vec<u8>)> = self.with(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT frame, line FROM frame WHERE run = ?1 AND frame >= ?2 ORDER BY frame")?;
                bounded(statement.query(params![run, next])?)
            })?;
            if chunk.is_empty() {
                if next < known {
                    return Err(damaged(
                        &self.file,
                        format!("of a run's {known} frames those from {next} on are missing"),
                    ));
                }
                return Ok(());
            }
            for (frame, line) in &chunk {
                if *frame != next {
                    return Err(damaged(&self.file, format!("frame {next} of a run is missing")));
                }
                next += 1;
                if let ControlFlow::Break(()) = visit(line) {
                    return Ok(());
                }
            }
        }
    }

    pub fn side(&self, run: i64, side: Side, visit: Visit<'_>) -> Result<(), StorageError> {
        let mut after = 0;
        loop {
            let chunk: Vec<(i64, Vec<u8>)> = self.with(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT place, record FROM side WHERE run = ?1 AND side = ?2 AND place > ?3 ORDER BY place",
                )?;
                bounded(statement.query(params![run, side.name(), after])?)
            })?;
            let Some((last, _)) = chunk.last() else { return Ok(()) };
            after = *last;
            for (_, record) in &chunk {
                if let ControlFlow::Break(()) = visit(record) {
                    return Ok(());
                }
            }
        }
    }

    pub fn salt(&self, run: i64) -> Result<Option<SaltBytes>, StorageError> {
        let salt: Option<Vec<u8>> = self.with(|connection| {
            connection.prepare_cached("SELECT salt FROM run WHERE number = ?1")?.query_row([run], |row| row.get(0))
        })?;
        let Some(salt) = salt else { return Ok(None) };
        match SaltBytes::try_from(salt) {
            Ok(salt) => Ok(Some(salt)),
            Err(other) => Err(damaged(&self.file, format!("a run's salt has {} bytes", other.len()))),
        }
    }
}

fn bounded(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while bytes < CHUNK {
        let Some(row) = rows.next()? else { break };
        let line: Vec<u8> = row.get(1)?;
        bytes += line.len();
        chunk.push((row.get(0)?, line));
    }
    Ok(chunk)
}

/// Number of a run by its id.
pub(super) fn number(connection: &Connection, run: &str) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT number FROM run WHERE id = ?1")?.query_row([run], |row| row.get(0)).optional()
}

/// A time or a count. SQLite's integers are signed; nothing here reaches their end.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn state(state: RunState) -> i64 {
    match state {
        RunState::Running => 0,
        RunState::Suspended => 1,
        RunState::Ended => 2,
    }
}

/// State and code of a status, as they are stored.
pub(super) fn stored(status: Status) -> (i64, Option<&'static str>) {
    let code = match status {
        Status::Running => None,
        Status::Suspended(code) | Status::Ended(code) => Some(code.name()),
    };
    (state(RunState::of(status)), code)
}

pub(super) fn status(state: i64, code: Option<&str>) -> Option<Status> {
    let code = code.map(|name| Code::ALL.into_iter().find(|code| code.name() == name));
    match (state, code) {
        (0, None) => Some(Status::Running),
        (1, Some(Some(code))) => Some(Status::Suspended(code)),
        (2, Some(Some(code))) => Some(Status::Ended(code)),
        _ => None,
    }
}

const COLUMNS: &str = "id, tenant, agent, principal, started, at, frames, state, code, holder, until";

struct Raw {
    id: String,
    tenant: Option<String>,
    agent: String,
    principal: Option<String>,
    started: i64,
    at: i64,
    frames: i64,
    state: i64,
    code: Option<String>,
    holder: Option<String>,
    until: i64,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: row.get(0)?,
        tenant: row.get(1)?,
        agent: row.get(2)?,
        principal: row.get(3)?,
        started: row.get(4)?,
        at: row.get(5)?,
        frames: row.get(6)?,
        state: row.get(7)?,
        code: row.get(8)?,
        holder: row.get(9)?,
        until: row.get(10)?,
    })
}

impl Raw {
    fn row(self, file: &str) -> Result<RunRow, StorageError> {
        let status = status(self.state, self.code.as_deref());
        let status = status.ok_or_else(|| damaged(file, format!("run `{}` has no status", self.id)))?;
        let (started, at) = (self.started.unsigned_abs(), self.at.unsigned_abs());
        let held = holder(file, self.holder.as_deref())?.filter(|holder| holds(holder, self.until, super::now()));
        Ok(RunRow {
            id: self.id.into(),
            attributes: Attributes {
                tenant: self.tenant.map(Into::into),
                agent: self.agent.into(),
                principal: self.principal.map(Into::into),
                started,
            },
            status,
            frames: self.frames.unsigned_abs(),
            last: started.saturating_add(at),
            held,
        })
    }
}

pub(super) fn holder(file: &str, text: Option<&str>) -> Result<Option<Holder>, StorageError> {
    let parsed = text.map(serde_json::from_str).transpose();
    parsed.map_err(|error| damaged(file, format!("a holder of a run cannot be read: {error}")))
}

/// Whether a holder still holds: where its process can be looked for that decides, else its lease.
pub(super) fn holds(holder: &Holder, until: i64, now: u64) -> bool {
    holder.is_there().unwrap_or(until > signed(now))
}
