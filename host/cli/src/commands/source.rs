//! What a command is given as a run: a trace in a file, or a run of a store by the beginning of its id.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::store::{Diagnostic, SharedStore, Side, TraceError, TraceReader};

use super::Stored;
use crate::exit::BadInput;
use crate::style::MIND;

/// Where the lines of a trace come from.
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A run of a store.
    Run(SharedStore, Arc<str>),
}

impl Source {
    /// The file of this name, else the run of the store whose id begins so.
    pub fn find(given: &Path, stored: &Stored) -> anyhow::Result<Self> {
        // Whatever else it is than a file, it is told when it is opened.
        let about = given.metadata();
        if about.as_ref().is_ok_and(|about| !about.is_dir()) {
            return Ok(Source::File(given.to_owned()));
        }
        let Some(store) = stored.open_if_there()? else {
            if about.is_ok() {
                return Ok(Source::File(given.to_owned()));
            }
            let (name, store) = (given.display(), stored.store.display());
            let text = format!(
                "`{name}` is no file, and there is no store `{store}` that could have a run of this id; name the file of a \
                 trace, or with --store the store of the run"
            );
            return Err(BadInput(text).into());
        };
        match store.find(&given.to_string_lossy()) {
            Ok(row) => Ok(Source::Run(store, row.id)),
            Err(error) => {
                let name = given.display();
                Err(BadInput(format!("`{name}` is no file; in `{}` {error}", stored.store.display())).into())
            }
        }
    }

    /// For messages and results.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Run(_, id) => id.to_string(),
        }
    }

    /// Its lines from the first on.
    pub fn open(&self) -> std::io::Result<Box<dyn BufRead>> {
        Ok(match self {
            Source::File(path) => Box::new(BufReader::new(countersign::open_regular(path)?)),
            Source::Run(store, id) => Box::new(Cursor::new(lines(store, id, None)?)),
        })
    }

    /// A reader that checks the chain.
    pub fn reader(&self) -> Result<TraceReader<Box<dyn BufRead>>, TraceError> {
        let name = self.name();
        self.open()
            .map(|input| TraceReader::new(name.clone(), input))
            .map_err(|source| TraceError::Io { file: name, source })
    }

    /// What policies logged beside it; nothing where nothing is kept.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let bytes = match self {
            Source::File(path) => countersign::open_regular(&countersign::beside(path, Side::Log)).and_then(whole),
            Source::Run(store, id) => lines(store, id, Some(Side::Log)),
        };
        let text = match bytes {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                unreadable(&error.to_string());
                return Vec::new();
            }
        };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let (read, bad): (Vec<_>, Vec<_>) = lines.map(serde_json::from_slice).partition(Result::is_ok);
        if !bad.is_empty() {
            unreadable(&format!("{} of its lines are no diagnostics of this release", bad.len()));
        }
        read.into_iter().flatten().collect()
    }
}

/// What policies logged is a help: without it everything else is shown.
fn unreadable(problem: &str) {
    anstream::eprintln!("{MIND}mind:{MIND:#} what policies logged is not all shown: {problem}");
}

fn whole(mut file: std::fs::File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn lines(store: &SharedStore, run: &str, side: Option<Side>) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut take = |line: &[u8]| {
        all.extend_from_slice(line);
        all.push(b'\n');
        ControlFlow::Continue(())
    };
    let reader = store.read(run).map_err(std::io::Error::other)?;
    match side {
        Some(side) => reader.read_side(side, &mut take),
        None => reader.read_from(0, &mut take),
    }
    .map_err(std::io::Error::other)?;
    Ok(all)
}
