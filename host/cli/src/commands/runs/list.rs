//! `countersign runs list`.

use countersign::store::RunQuery;

use super::loaded::read;
use super::row::{Row, offered, standing};
use crate::commands::{Stored, print_json};
use crate::exit;
use crate::style::{BAD, QUIET, line, number, styled, table};

pub(super) fn list(stored: &Stored) -> anyhow::Result<u8> {
    let (mut loaded, mut unreadable) = (Vec::new(), Vec::new());
    if let Some(store) = stored.open_if_there()? {
        for row in store.list(&RunQuery::default())? {
            let id = row.id.clone();
            // One broken run does not hide the others.
            match read(&store, row) {
                Ok(run) => loaded.push(run),
                Err(error) => unreadable.push((id, format!("{error:#}"))),
            }
        }
    }
    let rows = loaded.iter().map(Row::of).collect::<anyhow::Result<Vec<_>>>()?;
    for (id, why) in &unreadable {
        anstream::eprintln!("{BAD}unreadable:{BAD:#} {id}: {}", line(why, 200));
    }
    let code = if unreadable.is_empty() { exit::OK } else { exit::DIFFERS };
    if stored.json {
        print_json(&rows)?;
        return Ok(code);
    }
    if rows.is_empty() && unreadable.is_empty() {
        crate::say!("`{}` has no runs; `countersign run SCENARIO --store FILE` keeps one", stored.store.display());
        return Ok(exit::OK);
    }
    let mut cells = vec![["run", "status", "waits for", "steps", "goal"].map(str::to_owned).to_vec()];
    for row in &rows {
        let waits = match (&row.report, row.waiting.first()) {
            (_, Some(entry)) => format!("resume ({} by {})", offered(&entry.wants), entry.by),
            (Some(report), None) => report.authority.endpoint.to_string(),
            (None, None) if row.held.is_some() => "its agent's report".to_owned(),
            (None, None) if row.parked.len() == 1 => "1 approval".to_owned(),
            (None, None) if !row.parked.is_empty() => format!("{} approvals", row.parked.len()),
            (None, None) => String::new(),
        };
        cells.push(vec![row.run.to_owned(), standing(row), waits, number(row.steps), line(&row.goal, 60)]);
    }
    for (index, text) in table(&cells, &[3]).into_iter().enumerate() {
        match index {
            0 => crate::say!("{}", styled(QUIET, text)),
            _ => crate::say!("{text}"),
        }
    }
    Ok(code)
}
