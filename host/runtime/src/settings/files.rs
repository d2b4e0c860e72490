//! Files that include others: tools and shared parts are written once.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::SettingsError;

/// A file with everything that it includes.
pub struct Merged {
    /// What all of them say together.
    pub table: Table,
    /// The file's own text, where it includes nothing: errors then name its lines.
    pub text: Option<String>,
}

/// Reads a file. `include = ["other.toml"]`, relative to the file, is merged below it: what the file
/// itself says counts.
///
/// # Errors
/// A file that cannot be read or is no TOML, or files that include each other.
pub fn read_merged(path: &Path) -> Result<Merged, SettingsError> {
    let mut open = Vec::new();
    let (table, text) = read(path, &mut open, &mut { MOST_FILES })?;
    Ok(Merged { table, text })
}

/// Most files that one file may include, by whatever way.
const MOST_FILES: u32 = 256;

fn read(path: &Path, open: &mut Vec<PathBuf>, left: &mut u32) -> Result<(Table, Option<String>), SettingsError> {
    let io = |source| SettingsError::Io { path: path.to_owned(), source };
    let file = path.display().to_string();
    let own = path.canonicalize().map_err(io)?;
    if open.contains(&own) {
        let problem = format!("includes itself, by way of `{}`", open.last().unwrap_or(&own).display());
        return Err(SettingsError::invalid(&file, "include", problem));
    }
    // A pipe would hang, a web of includes would not end.
    *left = left.checked_sub(1).ok_or_else(|| {
        SettingsError::invalid(&file, "include", format!("more than {MOST_FILES} files are included"))
    })?;
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(SettingsError::Invalid { file, problem: "is no file".to_owned() });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let invalid = |problem: String| SettingsError::Invalid { file: file.clone(), problem };
    let text = String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8".to_owned()))?;
    let mut table: Table = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let Some(include) = table.remove("include") else { return Ok((table, Some(text))) };
    let expected = || SettingsError::invalid(&file, "include", "expected a list of files");
    let Value::Array(names) = include else { return Err(expected()) };
    open.push(own);
    let mut merged = Table::new();
    for name in names {
        let Value::String(name) = name else { return Err(expected()) };
        let other = path.parent().unwrap_or(Path::new("")).join(name);
        let (table, _) = read(&other, open, left).map_err(|error| match error {
            SettingsError::Io { path: missing, source } if missing == other => {
                SettingsError::invalid(&file, "include", format!("`{}`: {source}", missing.display()))
            }
            error => error,
        })?;
        merge(&mut merged, table);
    }
    open.pop();
    merge(&mut merged, table);
    Ok((merged, None))
}

/// Lays one table over another: tables are merged, everything else is replaced.
pub fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(value)) => merge(below, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
