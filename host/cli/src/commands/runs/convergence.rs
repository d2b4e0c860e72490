//! `countersign runs convergence`.

use countersign::store::RunQuery;
use countersign_audit::convergence::{RunFigures, report};

use super::loaded::read;
use crate::commands::{Stored, print_json};
use crate::exit;
use crate::style::{QUIET, line, number, styled, table};

pub(super) fn convergence(stored: &Stored) -> anyhow::Result<u8> {
    let mut figures = Vec::new();
    if let Some(store) = stored.open_if_there()? {
        for row in store.list(&RunQuery::default())? {
            let loaded = read(&store, row)?;
            let started = loaded.run.manifest().started;
            figures.push(RunFigures::of(&loaded.run, started));
        }
    }
    let classes = report(&figures);
    if stored.json {
        print_json(&classes)?;
        return Ok(exit::OK);
    }
    let headings = ["class", "runs", "escalated", "", "steps a run", "", ""];
    let mut cells = vec![headings.map(str::to_owned).to_vec()];
    let percent = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value} %"));
    let tenths =
        |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| format!("{}.{}", value / 10, value % 10));
    for class in &classes {
        cells.push(vec![
            line(&class.class, 40),
            number(class.runs),
            percent(class.earlier.escalation_rate()),
            format!("→ {}", percent(class.later.escalation_rate())),
            tenths(class.earlier.steps_per_run()),
            format!("→ {}", tenths(class.later.steps_per_run())),
            if class.converges() { "converges".to_owned() } else { String::new() },
        ]);
    }
    for (index, text) in table(&cells, &[1, 2, 4]).into_iter().enumerate() {
        match index {
            0 => crate::say!("{}", styled(QUIET, text)),
            _ => crate::say!("{text}"),
        }
    }
    crate::say!("\n{}", styled(QUIET, "the earlier half of each class's runs against the later"));
    Ok(exit::OK)
}
