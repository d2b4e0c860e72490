//! `countersign approvals`: rules that people gave, and the keys of who may give them.

use std::path::PathBuf;

use anyhow::Context;
use countersign::kernel::{Decision, StandingApproval, Status};
use countersign::operate::{KeptApprovals, Signer};
use countersign::session::Past;
use countersign::store::{Entry, InboxError, Offer, RunQuery, SharedStore, Taken};
use countersign::{utc_now, utc_text};

use super::{Stored, print_json};
use crate::exit::{self, BadInput};
use crate::style::{BAD, GOOD, QUIET, styled, table};

/// Look at rules of approval, withdraw them, make approvers' keys
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the rules that hold or wait to: what each covers, where, until when, who gave it
    #[command(after_help = "Example:\n  countersign approvals rules --store runs.db")]
    Rules(Stored),
    /// End a rule: runs that have it lose it with their next call
    #[command(after_help = "Example:\n  countersign approvals withdraw 9c41d0e2 --store runs.db")]
    Withdraw(Withdraw),
    /// Make an approver's key: a file for the approver, and the lines for `countersign.toml`
    #[command(after_help = "Example:\n  countersign approvals key olga olga.key")]
    Key(Key),
}

#[derive(clap::Args)]
pub struct Withdraw {
    /// Name of the rule, or at least its first 8 digits
    rule: String,
    /// Who withdraws it [default: $USER, else operator]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    by: Option<String>,
    #[command(flatten)]
    stored: Stored,
}

#[derive(clap::Args)]
pub struct Key {
    /// The approver, as decisions will name them
    name: String,
    /// File of the key; whoever has it is that approver
    file: PathBuf,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Rules(stored) => rules(stored),
        Command::Withdraw(withdraw) => end(withdraw),
        Command::Key(key) => make(key),
    }
}

/// A rule that holds, and where.
#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Rule {
    standing: StandingApproval,
    covers: String,
    agent: String,
    tenant: Option<String>,
    /// The run that it holds in, where it holds in one alone.
    run: Option<String>,
    by: String,
    /// The entry of that run's inbox that gives it with the next call; none where it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<String>,
}

/// All rules that hold: those that outlive runs, and those of runs that are not over. What cannot be read is told, and
/// hides nothing else.
fn holding(store: &SharedStore) -> anyhow::Result<(Vec<Rule>, Vec<String>)> {
    let now = utc_now();
    let mut rules: Vec<Rule> = KeptApprovals::new(store.clone())
        .all(now)?
        .into_iter()
        .map(|kept| Rule {
            covers: kept.standing.in_words(),
            standing: kept.standing,
            agent: kept.agent,
            tenant: kept.tenant,
            run: None,
            by: kept.by,
            pending: None,
        })
        .collect();
    let mut unreadable = Vec::new();
    for row in store.list(&RunQuery::default())? {
        if matches!(row.status, Status::Ended(_)) {
            continue;
        }
        let read = Past::read(store, &row.id).map_err(anyhow::Error::from);
        let past = match read.and_then(|past| Ok((past.fold()?, past))) {
            Ok(past) => past,
            Err(error) => {
                unreadable.push(format!("{}: {error:#}", row.id));
                continue;
            }
        };
        let (run, past) = past;
        let own = run.standing().filter(|standing| standing.until.is_none());
        rules.extend(own.map(|standing| Rule {
            standing: standing.clone(),
            covers: standing.in_words(),
            agent: run.manifest().agent.to_string(),
            tenant: run.manifest().tenant.as_deref().map(str::to_owned),
            run: Some(row.id.to_string()),
            by: giver(&past, &standing.id),
            pending: None,
        }));
        for entry in store.waiting(&row.id)? {
            let (Offer::Decide(decision) | Offer::Signed { decision, .. }) = &entry.wants else { continue };
            let Decision::ApprovedFor { standing, .. } = decision.plain() else { continue };
            rules.push(Rule {
                standing: StandingApproval::clone(standing),
                covers: standing.in_words(),
                agent: run.manifest().agent.to_string(),
                tenant: run.manifest().tenant.as_deref().map(str::to_owned),
                run: Some(row.id.to_string()),
                by: entry.by.clone(),
                pending: Some(entry.id.clone()),
            });
        }
    }
    Ok((rules, unreadable))
}

/// Who gave a rule.
fn giver(past: &Past, id: &str) -> String {
    let events = past.frames.iter().flat_map(|frame| &frame.events);
    let given = |event: &countersign::kernel::Event| match event {
        countersign::kernel::Event::StandingGiven { standing, by } if *standing.id == *id => Some(by.to_string()),
        _ => None,
    };
    events.filter_map(given).next_back().unwrap_or_default()
}

fn rules(stored: &Stored) -> anyhow::Result<u8> {
    let (rules, unreadable) = match stored.open_if_there()? {
        Some(store) => holding(&store)?,
        None => (Vec::new(), Vec::new()),
    };
    for why in &unreadable {
        anstream::eprintln!("{} {why}", styled(BAD, "unreadable:"));
    }
    let code = if unreadable.is_empty() { exit::OK } else { exit::DIFFERS };
    if stored.json {
        print_json(&rules)?;
        return Ok(code);
    }
    if rules.is_empty() {
        crate::say!(
            "`{}` has no rules; `countersign runs approve RUN FINGERPRINT --same` gives one",
            stored.store.display()
        );
        return Ok(code);
    }
    let mut cells = vec![["rule", "holds", "by", "covers"].map(str::to_owned).to_vec()];
    for rule in &rules {
        let until = rule.standing.until.map(utc_text);
        let holds = match (&rule.run, until) {
            (Some(run), _) if rule.pending.is_some() => format!("pending: with the next call of run {run}"),
            (Some(run), _) => format!("in run {run}"),
            (None, until) => format!("for {} until {}", rule.agent, until.unwrap_or_default()),
        };
        cells.push(vec![rule.standing.id.to_string(), holds, rule.by.clone(), rule.covers.clone()]);
    }
    for (index, text) in table(&cells, &[]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
    Ok(code)
}

fn end(arguments: &Withdraw) -> anyhow::Result<u8> {
    let store = arguments.stored.open()?;
    let (rules, _) = holding(&store)?;
    let digits = arguments.rule.to_ascii_lowercase();
    let found: Vec<&Rule> =
        rules.iter().filter(|rule| digits.len() >= 8 && rule.standing.id.starts_with(&digits)).collect();
    let [rule] = found[..] else {
        let what = if found.is_empty() { "is no rule that holds" } else { "is the beginning of several" };
        let text = format!(
            "`{}` {what}; `countersign approvals rules` lists them (at least 8 digits are needed)",
            arguments.rule
        );
        return Err(BadInput(text).into());
    };
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
    let by = arguments.by.clone().or(user.ok()).unwrap_or_else(|| "operator".to_owned());
    let id = &rule.standing.id;
    if let (Some(run), Some(entry)) = (&rule.run, &rule.pending) {
        match store.take(run, entry, &Taken::Refused(format!("taken back by {by}"))) {
            Ok(()) => {
                if arguments.stored.json {
                    print_json(rule)?;
                    return Ok(exit::OK);
                }
                crate::say!("{} {id}: {}; no run has had it", styled(GOOD, "withdrawn"), rule.covers);
                return Ok(exit::OK);
            }
            // The run was faster: it holds there by now.
            Err(InboxError::NotWaiting { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match &rule.run {
        None => {
            KeptApprovals::new(store.clone()).withdraw(&rule.agent, id, &by)?;
        }
        Some(run) => {
            let wants = Offer::Decide(Decision::Withdrawn { standing: id.clone() });
            store.offer(run, &Entry { version: 1, id: format!("withdraw-{id}"), by, at: utc_now(), wants })?;
        }
    }
    if arguments.stored.json {
        print_json(rule)?;
        return Ok(exit::OK);
    }
    crate::say!("{} {id}: {}; runs that have it lose it with their next call", styled(GOOD, "withdrawn"), rule.covers);
    Ok(exit::OK)
}

fn make(arguments: &Key) -> anyhow::Result<u8> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let name = &arguments.name;
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let text = format!("`{name}`: expected 1 to 64 letters, digits, `-`, `_`, `.` and `@` as a name");
        return Err(BadInput(text).into());
    }
    let signer = Signer::new(name)?;
    let file = &arguments.file;
    write_secret(file, &signer.to_text()).with_context(|| format!("cannot write `{}`", file.display()))?;
    crate::say!("{} `{}`: give it to {name} alone; in `countersign.toml`:", styled(GOOD, "written"), file.display());
    crate::say!("\n[approvers.{}]\nkey = \"{}\"", quoted(name), signer.key());
    Ok(exit::OK)
}

/// A name as a key of TOML.
fn quoted(name: &str) -> String {
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if bare { name.to_owned() } else { format!("\"{name}\"") }
}

/// A file that its owner alone can read, and that was not there.
fn write_secret(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
