//! `countersign runs show`.

use countersign::kernel::{Approval, Status, Wanted};

use super::One;
use super::loaded::{Loaded, load};
use super::row::{Row, offered, standing};
use crate::commands::{print_json, run};
use crate::exit;
use crate::style::{BAD, GOOD, MIND, QUIET, STRONG, dollars, line, number, styled, told};
use countersign::{reach, shown, utc_now, utc_text};

pub(super) fn show(one: &One) -> anyhow::Result<u8> {
    let loaded = load(one)?;
    let row = Row::of(&loaded)?;
    if one.stored.json {
        print_json(&row)?;
        return Ok(exit::OK);
    }
    crate::say!("{} {}", styled(STRONG, row.run), styled(QUIET, format!("in {}", loaded.store.name())));
    let style = match row.status {
        Status::Ended(_) if exit::of_status(row.status) == exit::OK => GOOD,
        Status::Suspended(_) => MIND,
        Status::Running => QUIET,
        Status::Ended(_) => BAD,
    };
    crate::say!("{}\n", styled(style, standing(&row)));
    let tell = |what: &str, text: &str| told(what, 18, &text.replace(['\n', '\t'], " "));
    let boundary = &loaded.run.manifest().boundary;
    tell("goal", &row.goal);
    tell("class", row.class.unwrap_or("-"));
    tell("boundary", &format!("{}, autonomy {}, {}", boundary.name, boundary.autonomy, boundary.digest));
    tell("started", &utc_text(row.started));
    for id in &row.verified {
        tell("verified", id);
    }
    for id in &row.open {
        tell("not verified", id);
    }
    for reason in row.handed_over {
        tell("handed over", reason);
    }
    for (by, what) in row.decided {
        tell("decided", &format!("{by} {what}"));
    }
    for entry in &row.too_late {
        tell("came too late", &format!("{} by {}", offered(&entry.wants), entry.by));
    }
    if let Some(report) = row.report {
        tell("why", &report.reason);
        tell("authority", &format!("{} ({:?})", report.authority.endpoint, report.authority.severity).to_lowercase());
        tell("then", &report.authority.recovery);
        tell("last valid state", &report.last_valid_state);
        let id = row.run;
        let commands = match &report.approval {
            Some(approval) => {
                show_approval(&loaded, approval);
                vec![format!("approve {id} {}", &approval.fingerprint[..8]), format!("reject {id}")]
            }
            None => match report.wanted {
                Wanted::Release => vec![format!("release {id} DIMENSION=AMOUNT"), format!("accept {id}")],
                Wanted::Resumption => vec![format!("go-on {id}"), format!("cancel {id}")],
                _ => vec![format!("answer {id} TEXT"), format!("accept {id}"), format!("cancel {id}")],
            },
        };
        let store = one.stored.store.display();
        crate::say!();
        for reject in loaded.store.rejects(row.run)? {
            let text = format!("{}: {}", reject.id, reject.problem);
            crate::say!("  {} {}", styled(BAD, format!("{:<18}", "no entry")), line(&text, 110));
        }
        for entry in &row.waiting {
            let what = format!("{} by {}, not yet taken", offered(&entry.wants), entry.by);
            crate::say!("  {} {what}", styled(MIND, format!("{:<18}", "in the inbox")));
        }
        let commands = match (loaded.goes_on, row.waiting.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => commands,
            (true, false) => vec![format!("resume {id}")],
        };
        for command in commands {
            crate::say!("  {} countersign runs {command} --store {store}", styled(QUIET, format!("{:<18}", "next")));
        }
    }
    if let Some(held) = row.held {
        crate::say!();
        tell("held", held);
        let command = format!("countersign runs go-on {} --store {}", row.run, one.stored.store.display());
        crate::say!("  {} the agent's report, or {command}", styled(QUIET, format!("{:<18}", "next")));
    }
    for standing in loaded.run.standing() {
        let until =
            standing.until.map_or_else(|| "in this run".to_owned(), |until| format!("until {}", utc_text(until)));
        told("rule", 18, &format!("{}: {}, {until}", standing.id, standing.in_words()));
    }
    for approval in row.parked {
        crate::say!();
        tell("why", &approval.reason);
        show_approval(&loaded, approval);
        if !loaded.goes_on {
            continue;
        }
        let (id, fingerprint, store) = (row.run, &approval.fingerprint[..8], one.stored.store.display());
        let next = |text: String| crate::say!("  {} {text}", styled(QUIET, format!("{:<18}", "next")));
        next(format!("countersign runs approve {id} {fingerprint} --store {store}"));
        next(format!("countersign runs reject {id} {fingerprint} --store {store}"));
        next("… approve … --same, --below FOLDER, --for 1h: a rule for others like it".to_owned());
    }
    if !row.would_have.is_empty() {
        crate::say!();
        const SHOWN: usize = 20;
        for (frame, what) in row.would_have.iter().take(SHOWN) {
            tell("would have stopped", &format!("frame {frame}: {what}"));
        }
        if row.would_have.len() > SHOWN {
            tell("", &format!("and {} times more", row.would_have.len() - SHOWN));
        }
    }
    if !loaded.goes_on && !matches!(row.status, Status::Ended(_)) {
        crate::say!("  {} {}", styled(MIND, format!("{:<18}", "elsewhere")), loaded.elsewhere());
    } else if row.status == Status::Running && !row.being_written {
        let next = match loaded.agent_drives() {
            true => "the next process of its agent takes it up".to_owned(),
            false => format!("countersign runs resume {} --store {}", row.run, one.stored.store.display()),
        };
        crate::say!("  {} {next}", styled(QUIET, format!("{:<18}", "next")));
    }
    crate::say!();
    run::budget(&loaded.run);
    Ok(exit::OK)
}

fn show_approval(loaded: &Loaded, approval: &Approval) {
    let tell = |what: &str, text: &str| told(what, 18, &text.replace(['\n', '\t'], " "));
    // Whole, however long a line gets: whoever approves has seen what.
    let all_of_it = format!("countersign runs show {} --store {} --json", loaded.row.id, loaded.store.name());
    let call = shown::call(&approval.tool, &approval.arguments, &all_of_it);
    for (index, text) in call.lines().enumerate() {
        let label = if index == 0 { "action" } else { "" };
        crate::say!("  {} {text}", styled(QUIET, format!("{label:<18}")));
    }
    tell("wanted by", &approval.asked_by.join(", "));
    if let Some(money) = approval.touches.money {
        tell("moves", &dollars(money));
    }
    let manifest = loaded.run.manifest();
    tell("blast radius", &reach::blast_radius(manifest, approval));
    tell("way back", reach::way_back(manifest, approval));
    if let Some(people) = approval.touches.recipients {
        tell("reaches", &format!("{} people", number(people)));
    }
    if let Some(confidence) = approval.confidence {
        tell("confidence", &format!("{confidence:.2}"));
    }
    tell("definition", &approval.definition);
    tell("fingerprint", &approval.fingerprint);
    let now = utc_now().saturating_sub(loaded.run.manifest().started);
    let minutes = number(approval.expires.saturating_sub(now) / 60_000);
    tell("runs out", &format!("in {minutes} minutes, {}", utc_text(manifest.started.saturating_add(approval.expires))));
}
