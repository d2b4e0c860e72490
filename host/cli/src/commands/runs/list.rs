//! `countersign runs list`.

use std::sync::Arc;

use countersign::kernel::Status;
use countersign::store::{RunQuery, RunState};
use countersign::utc_now;

use super::loaded::read;
use super::row::{Row, offered, standing};
use super::{List, State};
use crate::commands::print_json;
use crate::exit;
use crate::style::{BAD, QUIET, cell, line, number, styled, table, width};

pub(super) fn list(arguments: &List) -> anyhow::Result<u8> {
    let List { stored, .. } = arguments;
    let (mut loaded, mut unreadable) = (Vec::new(), Vec::new());
    if let Some(store) = stored.open_if_there()? {
        for row in store.list(&query(arguments))? {
            let id = row.id.clone();
            // One broken run does not hide the others.
            match read(&store, row) {
                Ok(run) => loaded.push(run),
                Err(error) => unreadable.push((id, format!("{error:#}"))),
            }
        }
    }
    let mut rows = loaded.iter().map(Row::of).collect::<anyhow::Result<Vec<_>>>()?;
    if arguments.state == Some(State::Waiting) {
        rows.retain(|row| !waits_for(row).is_empty());
    }
    // The newest first; those that began in the same millisecond stay in the order of the store.
    rows.sort_by_key(|row| std::cmp::Reverse(row.started));
    for (id, why) in &unreadable {
        anstream::eprintln!("{BAD}unreadable:{BAD:#} {id}: {}", line(why, 200));
    }
    let code = if unreadable.is_empty() { exit::OK } else { exit::DIFFERS };
    if stored.json {
        print_json(&rows)?;
        return Ok(code);
    }
    if rows.is_empty() && unreadable.is_empty() && arguments.is_narrow() {
        crate::say!("no run of `{}` fits", stored.store.display());
        return Ok(exit::OK);
    }
    if rows.is_empty() && unreadable.is_empty() {
        crate::say!("`{}` has no runs; `countersign run SCENARIO --store FILE` keeps one", stored.store.display());
        return Ok(exit::OK);
    }
    let now = utc_now();
    let mut cells =
        vec![["run", "age", "agent", "tenant", "status", "waits for", "steps", "goal"].map(str::to_owned).to_vec()];
    for row in &rows {
        cells.push(vec![
            row.run.to_owned(),
            age(now.saturating_sub(row.started)),
            cell(&row.agent, 20),
            cell(row.tenant.as_deref().unwrap_or("-"), 20),
            standing(row),
            waits_for(row),
            number(row.steps),
            cell(&row.goal, 60),
        ]);
    }
    fit(&mut cells, width().map(|width| width.saturating_sub(2)));
    for (index, text) in table(&cells, &[1, 6]).into_iter().enumerate() {
        match index {
            0 => crate::say!("{}", styled(QUIET, text)),
            _ => crate::say!("{text}"),
        }
    }
    Ok(code)
}

fn query(arguments: &List) -> RunQuery {
    let state = match arguments.state {
        Some(State::Running) => Some(RunState::Running),
        Some(State::Suspended) => Some(RunState::Suspended),
        Some(State::Ended) => Some(RunState::Ended),
        // What waits is running or suspended.
        Some(State::Waiting) | None => None,
    };
    RunQuery {
        state,
        code: arguments.code,
        tenant: arguments.tenant.as_deref().map(Arc::from),
        agent: arguments.agent.as_deref().map(Arc::from),
        since: arguments.since.map(|age| utc_now().saturating_sub(age)),
        ..RunQuery::default()
    }
}

/// What a run waits for; empty where it waits for nobody, as one that is over does.
fn waits_for(row: &Row<'_>) -> String {
    match (&row.report, row.waiting.first()) {
        (_, Some(entry)) => format!("resume ({} by {})", offered(&entry.wants), line(&entry.by, 20)),
        _ if matches!(row.status, Status::Ended(_)) => String::new(),
        (Some(report), None) => report.authority.endpoint.to_string(),
        (None, None) if row.held.is_some() => "its agent's report".to_owned(),
        (None, None) if row.parked.len() == 1 => "1 approval".to_owned(),
        (None, None) if !row.parked.is_empty() => format!("{} approvals", row.parked.len()),
        (None, None) if row.handed_over.len() == 1 => "a person: 1 task".to_owned(),
        (None, None) if !row.handed_over.is_empty() => format!("a person: {} tasks", row.handed_over.len()),
        (None, None) => String::new(),
    }
}

/// How long ago, in the largest unit that says it.
fn age(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    match minutes {
        0 => format!("{} s", milliseconds / 1000),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// Cuts the goals, the last column, so that a row fits the width. Ten characters of one stay.
fn fit(cells: &mut [Vec<String>], width: Option<usize>) {
    let Some(width) = width else { return };
    let length = |text: &String| text.chars().count();
    let columns = cells.first().map_or(0, Vec::len).saturating_sub(1);
    let before: usize = (0..columns)
        .map(|column| cells.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0) + 2)
        .sum();
    let most = width.saturating_sub(before).max(10);
    for goal in cells.iter_mut().filter_map(|row| row.last_mut()) {
        *goal = line(goal, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_the_width_and_says_how_old_it_is() {
        let row = |goal: &str| vec!["3f2a".to_owned(), "5 min".to_owned(), goal.to_owned()];
        let mut cells = vec![row("goal"), row("Find out why every search since noon has been empty")];
        fit(&mut cells, Some(40));
        assert!(table(&cells, &[1]).iter().all(|text| text.chars().count() <= 40));
        fit(&mut cells, Some(5));
        assert_eq!(cells[1][2].chars().count(), 10);
        let ages = [0, 59_999, 60_000, 7_140_000, 7_200_000, 200_000_000].map(age);
        assert_eq!(ages, ["0 s", "59 s", "1 min", "119 min", "2 h", "2 d"]);
    }
}
