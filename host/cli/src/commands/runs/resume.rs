//! `countersign runs resume`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::bundle::Digest;
use countersign::kernel::Status;
use countersign::{Host, HostError};
use countersign_scenario::{RunError, resume};

use super::Resume;
use super::loaded::load;
use crate::commands::{engine_options, installed_host, print_json, run};
use crate::exit::{self, BadInput};
use crate::screen::Screen;
use crate::style::{BAD, GOOD, MIND, QUIET, styled};

pub(super) fn take_up(arguments: &Resume) -> anyhow::Result<u8> {
    let stored = &arguments.one.stored;
    let loaded = load(&arguments.one)?;
    if let Status::Ended(_) = loaded.run.status() {
        return Err(BadInput(format!("run `{}` is over: it {}", loaded.row.id, loaded.run.status())).into());
    }
    if loaded.agent_drives() {
        let text = format!("run `{}` is an agent's: its next call takes along what was decided", loaded.row.id);
        return Err(BadInput(text).into());
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let pinned = Digest::parse(&loaded.run.manifest().lock);
    let host = |own: Option<PathBuf>| -> Result<Host, RunError> {
        if let Some(bundles) = &arguments.bundles {
            return Ok(installed_host(bundles, pinned.as_ref())?);
        }
        let folder: Option<&Path> = arguments.bundle.as_deref().or(own.as_deref());
        Host::new(engine_options(), folder).map_err(|error: HostError| error.into())
    };
    let keep = run::keep(Some(&stored.store))?.ok_or_else(|| BadInput("expected a store".to_owned()))?;
    let mut screen = Screen::default();
    let mut silent = countersign::Silent;
    let observer: &mut dyn countersign::Observer = if stored.json { &mut silent } else { &mut screen };
    let resumed = resume(&keep, &loaded.row.id, host, Some(cancel), observer)?;
    if stored.json {
        print_json(&serde_json::json!({
            "run": loaded.row.id,
            "status": resumed.status,
            "taken": resumed.taken,
            "refused": resumed.refused,
        }))?;
        return Ok(exit::of_status(resumed.status));
    }
    for (id, why) in &resumed.refused {
        crate::say!("{} {id}: {why}", styled(BAD, "not taken:"));
    }
    if resumed.taken.is_empty() {
        let told = match resumed.status {
            Status::Suspended(_) => "nothing was decided that the run could take",
            _ => "the run went on where its host was lost; it waited for nobody",
        };
        crate::say!("{}", styled(QUIET, told));
    }
    let style = if exit::of_status(resumed.status) == exit::OK { GOOD } else { MIND };
    crate::say!("\n{}", styled(style, resumed.status));
    run::budget(&resumed.run);
    Ok(exit::of_status(resumed.status))
}
