//! Throws a policy's kill switch by machine: the switch file as it is, with one digest more or less.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

use countersign_tools::{Readers, write_atomically};

use super::switches::{StoredSwitches, SwitchError, SwitchFile, is_digest, read};

/// Switches the policy with this component's digest off: new runs that would use it are refused, open
/// ones are suspended at their next call. False when it was off before. Everything else that the file
/// says stays, with the comments above its first key; the reason is added to the one that stands there,
/// for it is shown wherever anything is stopped.
///
/// # Errors
/// A file that is not there, cannot be understood or written; what is no digest.
pub fn revoke(path: &Path, digest: &str, reason: &str) -> Result<bool, SwitchError> {
    check(&path.display().to_string(), digest)?;
    change(path, |file| off(file, digest, reason))
}

/// The same in a store, where every machine sees it.
///
/// # Errors
/// A store that cannot be read or written; what is no digest.
pub fn revoke_in(switches: &StoredSwitches, digest: &str, reason: &str) -> Result<bool, SwitchError> {
    check("switches", digest)?;
    switches.change(|file| off(file, digest, reason))
}

/// Switches it on again. False when it was not off. The reason goes with the last switch.
///
/// # Errors
/// As [`revoke`].
pub fn restore(path: &Path, digest: &str) -> Result<bool, SwitchError> {
    change(path, |file| on(file, digest))
}

/// The same in a store.
///
/// # Errors
/// As [`revoke_in`].
pub fn restore_in(switches: &StoredSwitches, digest: &str) -> Result<bool, SwitchError> {
    switches.change(|file| on(file, digest))
}

fn check(place: &str, digest: &str) -> Result<(), SwitchError> {
    if is_digest(digest) {
        return Ok(());
    }
    let (value, wanted) = (digest.to_owned(), "`sha256:` and 64 hexadecimal digits");
    Err(SwitchError::Value { path: place.into(), key: "policies", value, wanted })
}

fn off(file: &mut SwitchFile, digest: &str, reason: &str) -> bool {
    let off = file.policies.iter().any(|policy| policy.eq_ignore_ascii_case(digest));
    if !off {
        file.policies.push(digest.to_ascii_lowercase());
    }
    let reason = reason.trim();
    if file.reason.trim().is_empty() {
        reason.clone_into(&mut file.reason);
    } else if !file.reason.contains(reason) {
        file.reason = format!("{}; {reason}", file.reason.trim());
    }
    !off
}

fn on(file: &mut SwitchFile, digest: &str) -> bool {
    let before = file.policies.len();
    file.policies.retain(|policy| !policy.eq_ignore_ascii_case(digest));
    let changed = file.policies.len() < before;
    if *file == (SwitchFile { reason: file.reason.clone(), ..SwitchFile::default() }) {
        file.reason.clear();
    }
    changed
}

fn change(path: &Path, change: impl FnOnce(&mut SwitchFile) -> bool) -> Result<bool, SwitchError> {
    // Where it is a link, what it leads to is replaced, not the link.
    let path = &path.canonicalize().map_err(|source| match source.kind() {
        ErrorKind::NotFound => SwitchError::Missing { path: path.to_owned() },
        _ => SwitchError::Io { path: path.to_owned(), source },
    })?;
    let failed = |source| SwitchError::Write { path: path.clone(), source };
    // A file of its own: the switch file is replaced, and a lock stays with the old one.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(beside).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let before = read(path)?;
    let mut after = before.clone();
    let changed = change(&mut after);
    if after != before {
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let is_head = |line: &&str| line.trim_start().starts_with('#') || line.trim().is_empty();
        let head: String = text.lines().take_while(is_head).map(|line| format!("{line}\n")).collect();
        let body = toml::to_string(&after).map_err(|error| failed(std::io::Error::other(error)))?;
        // Renamed over the old one, as whoever reads it expects.
        write_atomically(path, format!("{head}{body}").as_bytes(), Readers::Owner).map_err(failed)?;
    }
    // The lock ends with its file, at the latest with the process.
    drop(lock);
    Ok(changed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::sync::Arc;

    use countersign_store::sqlite::SqliteStore;
    use countersign_store::{RegisterName, SharedStore};

    use super::*;

    fn digest(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    #[test]
    fn one_digest_comes_and_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.toml");
        std::fs::write(&path, "# Ask Ada first.\n\ntools = [\"mail\"]\nreason = \"leak\"\n").unwrap();
        assert!(revoke(&path, &digest('A'), "too lax").unwrap());
        assert!(!revoke(&path, &digest('a'), "too lax").unwrap(), "it was off before");
        let file = read(&path).unwrap();
        assert_eq!(file.policies, [digest('a')]);
        assert_eq!((file.tools, file.reason), (vec!["mail".to_owned()], "leak; too lax".to_owned()));
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# Ask Ada first.\n"));

        assert!(restore(&path, &digest('A')).unwrap());
        assert!(!restore(&path, &digest('a')).unwrap());
        let file = read(&path).unwrap();
        assert_eq!((file.policies.len(), file.tools.len()), (0, 1));
        assert_eq!(file.reason, "leak; too lax", "the tool is still off");
    }

    #[test]
    fn a_switch_in_a_store_is_seen_by_everybody_who_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let open = || -> SharedStore { Arc::new(SqliteStore::open(&folder.path().join("runs.db")).unwrap()) };
        let (here, there) = (StoredSwitches::new(open()), StoredSwitches::new(open()));
        let refused = || there.refuses(None, &["mail"], &[digest('a')]).map(|halt| halt.to_string());
        assert_eq!(refused(), None);
        assert!(revoke_in(&here, &digest('A'), "too lax").unwrap());
        assert!(!revoke_in(&there, &digest('a'), "too lax").unwrap(), "it was off before");
        assert_eq!(refused(), Some(format!("policy `{}` is switched off: too lax", digest('a'))));
        assert!(restore_in(&there, &digest('a')).unwrap());
        assert_eq!((refused(), here.read().unwrap()), (None, SwitchFile::default()));
        assert!(revoke_in(&here, "sha256:abc", "x").is_err());
        // What cannot be understood stops everything.
        let (store, name) = (open(), RegisterName::new("switches").unwrap());
        let version = store.register(&name).unwrap().unwrap().version;
        store.compare_and_set(&name, Some(version), b"{\"version\":1,\"value\":{\"al\":true}}").unwrap();
        assert!(refused().unwrap().starts_with("everything is switched off: register `switches`"), "{:?}", refused());
    }

    #[test]
    fn the_reason_goes_with_the_last_switch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.toml");
        std::fs::write(&path, "").unwrap();
        revoke(&path, &digest('a'), "too lax").unwrap();
        restore(&path, &digest('a')).unwrap();
        assert_eq!(read(&path).unwrap(), SwitchFile::default());
    }

    #[test]
    fn what_no_host_would_hear_of_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.toml");
        let error = revoke(&path, &digest('a'), "x").unwrap_err().to_string();
        assert!(error.contains("is not there; give the file that `[operator]` names"), "{error}");
        std::fs::write(&path, "polices = []").unwrap();
        let error = revoke(&path, &digest('a'), "x").unwrap_err().to_string();
        assert!(error.contains("unknown field `polices`"), "{error}");
        std::fs::write(&path, "").unwrap();
        let error = revoke(&path, "sha256:abc", "x").unwrap_err().to_string();
        assert!(error.contains("`policies` contains `sha256:abc`"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }
}
