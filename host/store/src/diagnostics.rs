//! What policies logged, beside the trace: never in a frame, never compared.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::StoreError;

/// One judgement's diagnostics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Diagnostic {
    /// The frame.
    pub frame: u64,
    /// The bundle entry.
    pub entry: String,
    /// Why it could not decide; none when it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Level and line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<(String, String)>,
}

impl Diagnostic {
    /// What there is to keep of a judgement; none where its policy logged nothing and could decide.
    pub fn of(frame: u64, entry: &str, failure: Option<&str>, lines: Vec<(String, String)>) -> Option<Self> {
        let nothing = lines.is_empty() && failure.is_none();
        (!nothing).then(|| Diagnostic { frame, entry: entry.to_owned(), failure: failure.map(str::to_owned), lines })
    }
}

/// The file beside a trace: `NAME.log`, made when there is something to write.
#[derive(Debug)]
pub struct Diagnostics {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Diagnostics {
    /// Beside this trace. What a run before left there is removed.
    pub fn beside(trace: &Path) -> Self {
        let path = path(trace);
        // Where there is none, all is well.
        let _ = std::fs::remove_file(&path);
        Diagnostics { path, file: None }
    }

    /// Writes one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, diagnostic: &Diagnostic) -> Result<(), StoreError> {
        let failed = |source| StoreError { path: self.path.clone(), source };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(File::create(&self.path).map_err(failed)?)),
        };
        let line = serde_json::to_string(diagnostic).unwrap_or_default();
        writeln!(file, "{line}").and_then(|()| file.flush()).map_err(failed)
    }

    /// Reads those beside a trace; none when there is no such file, or it cannot be read.
    pub fn read(trace: &Path) -> Vec<Diagnostic> {
        let Ok(file) = File::open(path(trace)) else { return Vec::new() };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str(&line).ok()).collect()
    }
}

fn path(trace: &Path) -> PathBuf {
    let mut path = trace.as_os_str().to_owned();
    path.push(".log");
    path.into()
}
