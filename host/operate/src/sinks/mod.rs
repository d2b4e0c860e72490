//! Where items for people go: a file, a webhook, a command (specification E2, D16, D20).
//!
//! An item that only reaches a log reaches nobody, so a delivery says which sinks took it and
//! which did not, and an empty list of takers is for the caller to act on.

mod command;
mod file;
mod item;
mod queue;
mod signature;
mod spec;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use command::CommandSink;
use countersign_tools::shown;
use file::FileSink;
use webhook::{WebhookSink, checked_origin};

pub use item::{ITEM_VERSION, Item, ItemKind, Severity};
pub use queue::SinkQueue;
pub use signature::{ID_HEADER, SIGNATURE_HEADER, sign, signed_at, verify_signature};
pub use spec::{CommandSpec, FileSpec, SinkError, SinkSpec, WebhookSpec};

/// What became of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Sinks that took it, by name, in the order of the file.
    pub delivered: Vec<String>,
    /// Sinks that did not, and why.
    pub failed: Vec<(String, String)>,
}

impl Delivery {
    /// Whether any sink took it. When none did, nobody knows: the caller keeps the item and tries again.
    pub fn reached(&self) -> bool {
        !self.delivered.is_empty()
    }
}

enum Target {
    File(FileSink),
    Webhook(WebhookSink),
    Command(CommandSink),
}

struct Sink {
    name: String,
    kinds: Option<BTreeSet<ItemKind>>,
    target: Target,
}

impl Sink {
    fn takes(&self, kind: ItemKind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    fn send(&self, id: &str, body: &[u8]) -> Result<(), String> {
        match &self.target {
            Target::File(sink) => sink.send(body),
            Target::Webhook(sink) => sink.send(id, body),
            Target::Command(sink) => sink.send(body),
        }
    }
}

/// All sinks of a host. Shared by reference between threads.
pub struct Sinks {
    sinks: Vec<Sink>,
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sinks.iter().map(|sink| &sink.name)).finish()
    }
}

impl Sinks {
    /// Checks every sink and reads its secret; relative paths start at `base_dir`. Nothing is
    /// written or sent.
    ///
    /// # Errors
    /// When a sink cannot work as it is written.
    pub fn new(specs: &[SinkSpec], base_dir: &Path) -> Result<Sinks, SinkError> {
        Self::with_environment(specs, base_dir, &|name| std::env::var_os(name))
    }

    fn with_environment(
        specs: &[SinkSpec],
        base_dir: &Path,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Sinks, SinkError> {
        let mut sinks: Vec<Sink> = Vec::with_capacity(specs.len());
        let mut names: BTreeMap<String, u32> = BTreeMap::new();
        for (index, spec) in specs.iter().enumerate() {
            let sink = index + 1;
            let (name, kinds, target) = match spec {
                SinkSpec::File(spec) => (
                    format!("file {}", spec.path.display()),
                    &spec.kinds,
                    Target::File(FileSink::new(sink, spec, base_dir)?),
                ),
                SinkSpec::Webhook(spec) => {
                    let shown = checked_origin(sink, &spec.url)?;
                    (
                        format!("webhook {shown}"),
                        &spec.kinds,
                        Target::Webhook(WebhookSink::new(sink, spec, base_dir, environment)?),
                    )
                }
                SinkSpec::Command(spec) => {
                    let program = spec.argv.first().map(String::as_str).unwrap_or_default();
                    (
                        format!("command {program}"),
                        &spec.kinds,
                        Target::Command(CommandSink::new(sink, spec, base_dir)?),
                    )
                }
            };
            if kinds.as_ref().is_some_and(Vec::is_empty) {
                return Err(SinkError::Kinds { sink });
            }
            let same = names.entry(name.clone()).or_default();
            *same += 1;
            let name = if *same == 1 { name } else { format!("{name} ({same})") };
            sinks.push(Sink { name, kinds: kinds.as_ref().map(|kinds| kinds.iter().copied().collect()), target });
        }
        Ok(Sinks { sinks })
    }

    /// Kinds that no sink takes: such items would reach nobody.
    pub fn unserved(&self) -> Vec<ItemKind> {
        ItemKind::ALL.into_iter().filter(|kind| !self.sinks.iter().any(|sink| sink.takes(*kind))).collect()
    }

    /// Looks whether each sink could take something now, without giving it anything: those that could not, and why.
    pub fn try_out(&self) -> Vec<(String, String)> {
        let tried = |sink: &Sink| match &sink.target {
            Target::File(file) => file.try_out(),
            Target::Webhook(webhook) => webhook.try_out(),
            Target::Command(command) => command.try_out(),
        };
        self.sinks.iter().filter_map(|sink| Some((sink.name.clone(), tried(sink).err()?))).collect()
    }

    /// Gives an item to every sink that takes its kind, and waits for all of them. They work side
    /// by side, so that a slow one delays no other.
    pub fn deliver(&self, item: &Item) -> Delivery {
        let wanted: Vec<&Sink> = self.sinks.iter().filter(|sink| sink.takes(item.kind)).collect();
        let body = match serde_json::to_string(item) {
            // It means the same, and whoever looks at the line itself sees all of it.
            Ok(body) => shown::visible_json(&body).into_owned().into_bytes(),
            Err(error) => {
                let failed = wanted.iter().map(|sink| (sink.name.clone(), format!("not JSON: {error}"))).collect();
                return Delivery { delivered: Vec::new(), failed };
            }
        };
        let outcomes: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let started: Vec<_> = wanted
                .iter()
                .map(|sink| std::thread::Builder::new().spawn_scoped(scope, || sink.send(&item.id, &body)))
                .collect();
            started
                .into_iter()
                .zip(&wanted)
                .map(|(thread, sink)| match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|_| Err("the delivery broke off".to_owned())),
                    // No thread to be had: one after the other then.
                    Err(_) => sink.send(&item.id, &body),
                })
                .collect()
        });
        let mut delivery = Delivery::default();
        for (sink, outcome) in wanted.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => delivery.delivered.push(sink.name.clone()),
                Err(why) => delivery.failed.push((sink.name.clone(), why)),
            }
        }
        delivery
    }
}
