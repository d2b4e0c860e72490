//! Kill switches: an operator stops everything, a tenant, a tool or a policy at once.
//!
//! They live in a small file, so that stopping needs no running service and no restart, and in a register of
//! the store that the runs are in, which every machine sees that has runs there. Whichever of the two says so
//! stops. One that is there but cannot be understood stops everything: whoever wrote it meant to stop something.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use countersign_contract::Digest;
use countersign_store::{RegisterName, SharedStore};
use serde::{Deserialize, Serialize};

use super::state::{self, StateError};

/// Most bytes of a switch file that are read.
const MOST_BYTES: u64 = 1 << 20;
/// A file changed this short a time ago may change again without a new time stamp.
const SETTLED: Duration = Duration::from_secs(2);

/// What the file says. Every key may be left out; then it switches nothing off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SwitchFile {
    /// Everything is off. Default false.
    pub all: bool,
    /// Tenants that are off, by exact name.
    pub tenants: Vec<String>,
    /// Tools that are off, by exact name.
    pub tools: Vec<String>,
    /// Policies that are off, each `sha256:` and 64 hexadecimal digits.
    pub policies: Vec<String>,
    /// Why; shown wherever something is stopped.
    pub reason: String,
}

impl SwitchFile {
    /// Whether a run of this tenant, with these tools and these policies (by digest), must not go
    /// on. The widest switch is named: all, tenant, policy, tool.
    pub fn refuses(
        &self,
        tenant: Option<&str>,
        tools: &[impl AsRef<str>],
        policies: &[impl AsRef<str>],
    ) -> Option<Halt> {
        let what = if self.all {
            Halted::All
        } else if let Some(tenant) = tenant.filter(|tenant| self.tenants.iter().any(|off| off == tenant)) {
            Halted::Tenant(tenant.to_owned())
        } else if let Some(digest) =
            policies.iter().find(|policy| self.policies.iter().any(|off| off.eq_ignore_ascii_case(policy.as_ref())))
        {
            Halted::Policy(digest.as_ref().to_owned())
        } else if let Some(tool) = tools.iter().find(|tool| self.tools.iter().any(|off| off == tool.as_ref())) {
            Halted::Tool(tool.as_ref().to_owned())
        } else {
            return None;
        };
        let reason = match self.reason.trim() {
            "" => "no reason given".to_owned(),
            reason => reason.to_owned(),
        };
        Some(Halt { what, reason })
    }
}

fn unknown(error: &dyn std::error::Error) -> Halt {
    Halt { what: Halted::All, reason: error.to_string() }
}

/// What is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halted {
    /// Everything.
    All,
    /// A tenant.
    Tenant(String),
    /// A tool.
    Tool(String),
    /// A policy, by digest.
    Policy(String),
}

impl std::fmt::Display for Halted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Halted::All => f.write_str("everything"),
            Halted::Tenant(name) => write!(f, "tenant `{name}`"),
            Halted::Tool(name) => write!(f, "tool `{name}`"),
            Halted::Policy(digest) => write!(f, "policy `{digest}`"),
        }
    }
}

/// Something must not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what} is switched off: {reason}")]
pub struct Halt {
    /// What is switched off.
    pub what: Halted,
    /// In the operator's words.
    pub reason: String,
}

/// A switch file that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// It cannot be read.
    #[error(
        "switch file `{}` cannot be read: {source}; make it readable, or empty it to switch nothing off",
        path.display()
    )]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not TOML of the known keys.
    #[error("switch file `{}` is not valid: {}", path.display(), source.to_string().trim_end())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// A value that can match nothing.
    #[error("switch file `{}`: `{key}` contains `{value}`; give {wanted}", path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// It was named, and is not there: what it switched off nobody knows.
    #[error(
        "switch file `{}` is not there, and nobody knows what it switches off; put it back, or make an empty one to switch \
         nothing off",
        path.display()
    )]
    Gone {
        /// Which file.
        path: PathBuf,
    },
    /// There is none where a switch is to be thrown.
    #[error(
        "switch file `{}` is not there; give the file that `[operator]` names under `switches`, since no host hears of \
         another, or make an empty one",
        path.display()
    )]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be replaced.
    #[error("switch file `{}` cannot be written: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The register of the store.
    #[error(transparent)]
    State(#[from] StateError),
    /// It is far too long.
    #[error("switch file `{}` is larger than {MOST_BYTES} bytes; name fewer things, or set `all`", path.display())]
    Size {
        /// Which file.
        path: PathBuf,
    },
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stamp {
    Missing,
    Present { modified: SystemTime, length: u64, identity: (u64, i64, i64) },
}

/// The switches of a host.
#[derive(Debug)]
pub struct Switches {
    path: PathBuf,
    file: SwitchFile,
    error: Option<SwitchError>,
    /// None: look again next time, whatever it looks like.
    stamp: Option<Stamp>,
}

impl Switches {
    /// Reads the file. One that is missing, cannot be read or is not understood switches everything off, and
    /// [`Switches::error`] says why: whoever has named it means it.
    pub fn load(path: impl Into<PathBuf>) -> Self {
        let mut switches = Switches { path: path.into(), file: SwitchFile::default(), error: None, stamp: None };
        switches.reload();
        switches
    }

    /// The switches as they are now: the file is read again when it has changed. Cheap enough for
    /// every step of a run.
    ///
    /// Change the file by renaming a new one over it: one that is written in place is seen half
    /// written, which mostly stops everything for a moment, but an empty file stops nothing.
    pub fn current(&mut self) -> &Self {
        if self.stamp.is_none() || self.stamp != stamp(&self.path) {
            self.reload();
        }
        self
    }

    /// Why everything is switched off although the file does not say so.
    pub fn error(&self) -> Option<&SwitchError> {
        self.error.as_ref()
    }

    /// What the file says. Nothing while there is an error.
    pub fn file(&self) -> &SwitchFile {
        &self.file
    }

    /// What [`SwitchFile::refuses`] says, or that nobody knows what is switched off.
    pub fn refuses(
        &self,
        tenant: Option<&str>,
        tools: &[impl AsRef<str>],
        policies: &[impl AsRef<str>],
    ) -> Option<Halt> {
        match &self.error {
            Some(error) => Some(unknown(error)),
            None => self.file.refuses(tenant, tools, policies),
        }
    }

    fn reload(&mut self) {
        let before = stamp(&self.path);
        (self.file, self.error) = match read(&self.path) {
            Ok(file) => (file, None),
            Err(error) => (SwitchFile::default(), Some(error)),
        };
        // Only a state that lasted while it was read, and whose time stamp can no longer hide a
        // second change, may be relied on.
        self.stamp = before.filter(|before| lasting(before) && stamp(&self.path).as_ref() == Some(before));
    }
}

/// The switches in a store.
#[derive(Debug, Clone)]
pub struct StoredSwitches {
    store: SharedStore,
}

impl StoredSwitches {
    /// Nothing is read yet; where there is no register nothing is switched off.
    pub fn new(store: SharedStore) -> Self {
        StoredSwitches { store }
    }

    /// What is switched off at this moment.
    ///
    /// # Errors
    /// When the register cannot be read.
    pub fn read(&self) -> Result<SwitchFile, SwitchError> {
        let (file, _) = state::read(&*self.store, &register()?)?;
        Ok(file)
    }

    /// Changes what is switched off, however many others do so at the same time.
    ///
    /// # Errors
    /// When the register cannot be read or changed.
    pub fn change<T>(&self, change: impl FnMut(&mut SwitchFile) -> T) -> Result<T, SwitchError> {
        Ok(state::change(&*self.store, &register()?, change)?)
    }

    /// What [`SwitchFile::refuses`] says at this moment, or that nobody knows what is switched off.
    pub fn refuses(
        &self,
        tenant: Option<&str>,
        tools: &[impl AsRef<str>],
        policies: &[impl AsRef<str>],
    ) -> Option<Halt> {
        match self.read() {
            Ok(file) => file.refuses(tenant, tools, policies),
            Err(error) => Some(unknown(&error)),
        }
    }
}

fn register() -> Result<RegisterName, StateError> {
    Ok(RegisterName::new("switches")?)
}

fn lasting(stamp: &Stamp) -> bool {
    match stamp {
        Stamp::Missing => true,
        Stamp::Present { modified, .. } => SystemTime::now().duration_since(*modified).is_ok_and(|age| age > SETTLED),
    }
}

/// None when it cannot be told.
fn stamp(path: &Path) -> Option<Stamp> {
    match std::fs::metadata(path) {
        Ok(data) => {
            Some(Stamp::Present { modified: data.modified().ok()?, length: data.len(), identity: identity(&data) })
        }
        Err(error) => is_missing(path, &error).then_some(Stamp::Missing),
    }
}

/// A file renamed over another may well have its length and an older time.
#[cfg(unix)]
fn identity(data: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (data.ino(), data.ctime(), data.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

/// A link that leads nowhere is not a missing file: somebody means something by it.
fn is_missing(path: &Path, error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound && std::fs::symlink_metadata(path).is_err()
}

pub(super) fn read(path: &Path) -> Result<SwitchFile, SwitchError> {
    let io = |source| SwitchError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_missing(path, &error) => return Err(SwitchError::Gone { path: path.to_owned() }),
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    let length = file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    if length as u64 > MOST_BYTES {
        return Err(SwitchError::Size { path: path.to_owned() });
    }
    let file: SwitchFile = toml::from_str(&text)
        .map_err(|source| SwitchError::Malformed { path: path.to_owned(), source: Box::new(source) })?;
    // A name or digest that can match nothing would be a switch that looks thrown and is not.
    let value =
        |key, value: &str, wanted| SwitchError::Value { path: path.to_owned(), key, value: value.into(), wanted };
    for (key, names) in [("tenants", &file.tenants), ("tools", &file.tools)] {
        if let Some(name) = names.iter().find(|name| name.trim() != name.as_str() || name.is_empty()) {
            return Err(value(key, name, "a name without spaces around it"));
        }
    }
    if let Some(digest) = file.policies.iter().find(|digest| !is_digest(digest)) {
        return Err(value("policies", digest, "`sha256:` and 64 hexadecimal digits"));
    }
    Ok(file)
}

pub(super) fn is_digest(text: &str) -> bool {
    Digest::parse(&text.to_ascii_lowercase()).is_some()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    fn digest(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    fn with(text: &str) -> (tempfile::TempDir, Switches) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.toml");
        std::fs::write(&path, text).unwrap();
        let switches = Switches::load(path);
        (folder, switches)
    }

    #[test]
    fn each_switch_stops_what_it_names_and_nothing_else() {
        let policies = format!("policies = [\"{}\"]", digest('A'));
        let mail = vec!["read".to_owned(), "mail".to_owned()];
        type Case<'a> = (&'a str, Option<&'a str>, &'a [String], Vec<String>, Option<Halted>);
        let table: [Case; 14] = [
            ("", Some("acme"), &mail, vec![digest('a')], None),
            ("all = false", Some("acme"), &mail, vec![digest('a')], None),
            ("all = true", Some("acme"), &mail, vec![], Some(Halted::All)),
            ("all = true", None, &[], vec![], Some(Halted::All)),
            ("tenants = [\"acme\"]", Some("acme"), &mail, vec![], Some(Halted::Tenant("acme".into()))),
            ("tenants = [\"acme\"]", Some("Acme"), &mail, vec![], None),
            ("tenants = [\"acme\"]", None, &mail, vec![], None),
            ("tools = [\"mail\"]", Some("acme"), &mail, vec![], Some(Halted::Tool("mail".into()))),
            ("tools = [\"mai\"]", Some("acme"), &mail, vec![], None),
            ("tools = [\"mail\"]", Some("acme"), &[], vec![], None),
            (&policies, Some("acme"), &mail, vec![digest('b'), digest('a')], Some(Halted::Policy(digest('a')))),
            (&policies, Some("acme"), &mail, vec![digest('b')], None),
            (
                "tenants = [\"acme\"]\ntools = [\"mail\"]",
                Some("acme"),
                &mail,
                vec![],
                Some(Halted::Tenant("acme".into())),
            ),
            ("all = true\ntools = [\"mail\"]", Some("acme"), &mail, vec![], Some(Halted::All)),
        ];
        for (text, tenant, tools, policies, wanted) in table {
            let (_folder, switches) = with(text);
            assert!(switches.error().is_none(), "{text}");
            assert_eq!(switches.refuses(tenant, tools, &policies).map(|halt| halt.what), wanted, "{text}");
        }
    }

    #[test]
    fn the_reason_is_passed_on() {
        for (text, wanted) in [
            ("all = true\nreason = \" leak under inspection \"", "everything is switched off: leak under inspection"),
            ("all = true", "everything is switched off: no reason given"),
            ("tenants = [\"a\"]\nreason = \"unpaid\"", "tenant `a` is switched off: unpaid"),
        ] {
            let (_folder, switches) = with(text);
            assert_eq!(switches.refuses(Some("a"), &NONE, &NONE).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn what_cannot_be_understood_stops_everything() {
        let long = format!("reason = \"{}\"", "x".repeat(1 << 20));
        let table = [
            ("al = true", "unknown field `al`"),
            ("all = 1", "is not valid"),
            ("all = tr", "is not valid"),
            ("tenants = \"acme\"", "is not valid"),
            ("tenants = [\"\"]", "`tenants` contains ``; give a name"),
            ("tools = [\"mail \"]", "`tools` contains `mail `; give a name"),
            ("policies = [\"sha256:abc\"]", "`policies` contains `sha256:abc`; give `sha256:` and 64"),
            ("policies = [\"risk\"]", "`policies` contains `risk`"),
            (&long, "is larger than 1048576 bytes"),
        ];
        for (text, wanted) in table {
            let (_folder, switches) = with(text);
            let halt = switches.refuses(None, &NONE, &NONE).unwrap();
            assert_eq!(halt.what, Halted::All);
            assert!(halt.reason.contains(wanted), "{}", halt.reason);
            assert_eq!(switches.error().unwrap().to_string(), halt.reason);
        }
    }

    #[test]
    fn what_is_missing_or_unreadable_switches_everything_off() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Switches::load(folder.path().join("no").join("switches.toml"));
        let halt = missing.refuses(Some("acme"), &["mail"], &NONE).unwrap();
        assert!(halt.what == Halted::All && halt.reason.contains("make an empty one"), "{halt}");
        std::fs::write(folder.path().join("empty"), "").unwrap();
        let empty = Switches::load(folder.path().join("empty"));
        assert!(empty.refuses(Some("acme"), &["mail"], &NONE).is_none() && empty.error().is_none());

        let a_folder = Switches::load(folder.path());
        assert_eq!(a_folder.refuses(None, &NONE, &NONE).unwrap().what, Halted::All);

        std::fs::write(folder.path().join("latin"), b"reason = \"\xe9\"").unwrap();
        let latin = Switches::load(folder.path().join("latin"));
        assert_eq!(latin.refuses(None, &NONE, &NONE).unwrap().what, Halted::All);

        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
            let link = Switches::load(folder.path().join("link"));
            assert_eq!(link.refuses(None, &NONE, &NONE).unwrap().what, Halted::All);
        }
    }

    #[test]
    fn changes_are_seen_and_an_error_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.toml");
        let mut switches = Switches::load(&path);
        let off = |switches: &mut Switches| switches.current().refuses(Some("a"), &NONE, &NONE).map(|halt| halt.what);
        assert_eq!(off(&mut switches), Some(Halted::All), "it is not there yet");
        // The second and third differ in neither length nor, perhaps, time.
        let table = [
            ("all = true", Some(Halted::All)),
            ("tenants = [\"a\"]", Some(Halted::Tenant("a".into()))),
            ("tenants = [\"b\"]", None),
            ("all = ", Some(Halted::All)),
            ("all = false", None),
        ];
        for (text, wanted) in table {
            std::fs::write(&path, text).unwrap();
            assert_eq!(off(&mut switches), wanted, "{text}");
            assert_eq!(off(&mut switches), wanted, "{text}");
        }
        std::fs::write(&path, "all = true").unwrap();
        assert_eq!(off(&mut switches), Some(Halted::All));
        std::fs::write(&path, "").unwrap();
        assert_eq!(off(&mut switches), None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(off(&mut switches), Some(Halted::All), "it was removed");
    }

    #[test]
    fn an_unchanged_file_is_not_read_again_and_a_replaced_one_is() {
        let (folder, mut switches) = with("all = true");
        let path = folder.path().join("switches.toml");
        let old = SystemTime::now() - Duration::from_secs(3600);
        let set_old = |path: &Path| File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        set_old(&path);
        assert!(switches.current().stamp.is_some());
        // Had it been read again, this would be gone.
        switches.file.reason = "mark".into();
        assert_eq!(switches.current().refuses(None, &NONE, &NONE).unwrap().reason, "mark");

        #[cfg(unix)]
        {
            // Same length, same time, another file.
            let new = folder.path().join("new");
            std::fs::write(&new, "all = true").unwrap();
            set_old(&new);
            std::fs::rename(&new, &path).unwrap();
            assert_eq!(switches.current().file().reason, "");
        }
    }
}
