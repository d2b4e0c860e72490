//! Which recordings are meant by the paths that were named, and what each is called among the others.
//!
//! A file is a recording by being named; a folder stands for the files below it whose names may be those of recordings,
//! and for the folders of events. Two recordings never share a name, a trace or an id: `a/output.jsonl` and
//! `b/output.jsonl` are told apart by as much of their paths as that takes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::file::{RecordingError, is_run_of_events};
use super::not_read::NotRead;

/// Ends of names of files that may be recordings.
const ENDS: [&str; 6] = [".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".traj"];
/// Below a conversation of OpenHands: its events, one a file.
const EVENTS: &str = "events";
/// Beside those: copies of them, which are no run of their own.
const COPIES: &str = "event_cache";
/// What OpenHands keeps beside the events of a conversation.
const BESIDE: [&str; 2] = ["base_state.json", "metadata.json"];
/// Most bytes of a trace's name before its number.
const STEM: usize = 200;
/// Most characters of a run's id before its number.
const ID: usize = 120;

/// A recording that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    /// What people call it: the end of its path that no other recording has.
    pub name: String,
    /// How the names of its traces begin.
    pub stem: String,
    /// How the ids of its runs begin.
    pub id: String,
}

/// The recordings of paths, in order.
#[derive(Debug, Default)]
pub struct Recordings {
    pub found: Vec<Found>,
    /// Folders in which there is none.
    pub not_read: Vec<NotRead>,
    /// Only one file or folder was named, and it is what is to be read: nothing is left of it if it cannot be.
    pub alone: bool,
}

impl Recordings {
    /// Looks below folders.
    ///
    /// # Errors
    /// When a folder that was named alone has no recording in it.
    pub fn of(paths: &[PathBuf]) -> Result<Self, RecordingError> {
        let (mut found, mut not_read, mut alone) = (Vec::new(), Vec::new(), paths.len() == 1);
        for path in paths {
            if !path.is_dir() {
                found.push(path.clone());
                continue;
            }
            let before = (found.len(), not_read.len());
            let mut own = Vec::new();
            below(path, &mut own, &mut not_read);
            own.sort();
            alone &= own.first().is_some_and(|first| first.is_dir()) && own.len() == 1;
            found.extend(own);
            if found.len() == before.0 && not_read.len() == before.1 {
                let folder = path.display().to_string();
                let none = RecordingError::NoneBelow { folder, names: ENDS.join(", ") };
                if paths.len() == 1 {
                    return Err(none);
                }
                not_read.push(NotRead { file: path.display().to_string(), problem: none.why() });
            }
        }
        let (mut stems, mut ids) = (BTreeSet::new(), BTreeSet::new());
        let names = names(&found);
        let found = found.into_iter().zip(names).map(|(path, name)| {
            let (stem, id) = (unique(&stem(&name), &mut stems), unique(&id(&name), &mut ids));
            Found { path, name, stem, id }
        });
        Ok(Recordings { found: found.collect(), not_read, alone })
    }

    /// A recording cannot be read: the others are read all the same, unless there is none.
    ///
    /// # Errors
    /// The same, where it was named alone.
    pub fn leave_out(&mut self, found: &Found, error: RecordingError) -> Result<(), RecordingError> {
        if self.alone {
            return Err(error);
        }
        self.not_read.push(NotRead { file: found.path.display().to_string(), problem: error.why() });
        Ok(())
    }

    /// What was left out, once everything is read.
    ///
    /// # Errors
    /// When nothing could be read.
    pub fn end(self, read: usize) -> Result<Vec<NotRead>, RecordingError> {
        if read == 0 { Err(RecordingError::Nothing { files: self.not_read }) } else { Ok(self.not_read) }
    }
}

/// The recordings below a folder. Links to folders are not followed: they may lead round in a circle.
fn below(folder: &Path, found: &mut Vec<PathBuf>, not_read: &mut Vec<NotRead>) {
    if is_run_of_events(folder) {
        found.push(folder.to_owned());
        return;
    }
    let events = folder.join(EVENTS);
    if BESIDE.iter().any(|name| folder.join(name).is_file()) && is_run_of_events(&events) {
        found.push(events);
        return;
    }
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))))
            .collect::<io::Result<Vec<_>>>()
    });
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            not_read.push(NotRead { file: folder.display().to_string(), problem: error.to_string() });
            return;
        }
    };
    for (path, kind) in entries {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if kind.is_dir() {
            if name != COPIES {
                below(&path, found, not_read);
            }
        } else if ENDS.iter().any(|end| name.ends_with(end)) && !path.is_dir() {
            found.push(path);
        }
    }
}

/// The shortest ends of paths that differ from each other; the same path once more has a number.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = paths.iter().map(|path| parts(path)).collect();
    let mut taken = vec![1; paths.len()];
    let name = |at: usize, taken: usize| {
        let parts = &parts[at];
        parts[parts.len().saturating_sub(taken)..].join("/")
    };
    loop {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, taken) in taken.iter().enumerate() {
            by_name.entry(name(at, *taken)).or_default().push(at);
        }
        let mut longer = false;
        // The same path once more is told apart by nothing of it.
        let alike = |same: &Vec<usize>| same.iter().all(|at| parts[*at] == parts[same[0]]);
        for at in by_name.into_values().filter(|same| !alike(same)).flatten() {
            if taken[at] < parts[at].len() {
                taken[at] += 1;
                longer = true;
            }
        }
        if !longer {
            break;
        }
    }
    let mut used = BTreeSet::new();
    taken.iter().enumerate().map(|(at, taken)| unique(&name(at, *taken), &mut used)).collect()
}

/// What a path says of a recording. A folder of events is called as its conversation is.
fn parts(path: &Path) -> Vec<String> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    };
    let mut parts: Vec<String> = path.components().filter_map(part).collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last == EVENTS) && path.is_dir() {
        parts.pop();
    }
    parts
}

fn stem(name: &str) -> String {
    let stem = name.trim_end_matches(".gz").trim_end_matches(".jsonl").trim_end_matches(".json").replace('/', "-");
    stem[..stem.floor_char_boundary(STEM)].to_owned()
}

fn id(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '-' };
    let name: String = name.chars().map(plain).take(ID).collect();
    name.trim_start_matches('.').to_owned()
}

/// A name that is not used yet, whatever a file system makes of capital letters.
fn unique(name: &str, used: &mut BTreeSet<String>) -> String {
    let mut own = name.to_owned();
    let mut number = 2_u64;
    while !used.insert(own.to_lowercase()) {
        own = format!("{name}-{number}");
        number += 1;
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_told_apart_by_as_much_of_their_paths_as_it_takes() -> Result<(), RecordingError> {
        let table: [(&[&str], &[&str]); 6] = [
            (&["a/x.jsonl"], &["x.jsonl"]),
            (&["a/x.jsonl", "b/x.jsonl", "b/y.jsonl"], &["a/x.jsonl", "b/x.jsonl", "y.jsonl"]),
            (&["a/c/x.jsonl", "b/c/x.jsonl"], &["a/c/x.jsonl", "b/c/x.jsonl"]),
            (&["x.jsonl", "./x.jsonl", "x.jsonl"], &["x.jsonl", "x.jsonl-2", "x.jsonl-3"]),
            (&["x.jsonl", "a/x.jsonl"], &["x.jsonl", "a/x.jsonl"]),
            (&["x.json", "x.jsonl", "X.json"], &["x.json", "x.jsonl", "X.json-2"]),
        ];
        for (paths, expected) in table {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            let found = Recordings::of(&paths)?.found;
            let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
            assert_eq!(names, expected);
            let different = |of: fn(&Found) -> &String| found.iter().map(of).collect::<BTreeSet<_>>().len();
            assert_eq!((different(|one| &one.stem), different(|one| &one.id)), (paths.len(), paths.len()), "{found:?}");
        }
        Ok(())
    }
}
