//! The default policies: one row for each slot and policy in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use countersign::Host;
use countersign::kernel::Slot;
use countersign_tests::subject::Subject;
use serde_json::Value;

use super::contract::Contract;
use super::material::Material;

pub fn table(host: &Host, contract: &Contract, material: &Material) -> Result<String> {
    let subjects = Subject::all(host);
    let fuel = fuel(material);
    let mut what = String::from("| slot | default policy | what it does | when | keys |\n|---|---|---|---|---|\n");
    let mut figures = String::from(
        "| default policy | undecided | stateless | fuel p50 | p99 | most | ceiling | questions |\n\
         |---|---|---|---:|---:|---:|---:|---:|\n",
    );
    for slot in Slot::ALL {
        let called = contract.called(slot)?;
        let mut served = subjects.iter().filter(|subject| subject.slot() == slot).peekable();
        if served.peek().is_none() {
            writeln!(what, "| `{slot}` | – | | {called} | |")?;
        }
        for subject in served {
            let (name, policy) = (subject.name(), subject.policy().descriptor());
            let schema: Value = serde_json::from_str(&policy.configuration_schema)?;
            let link = format!("[{name}]({name}/README.md)");
            writeln!(what, "| `{slot}` | {link} | {} | {called} | {} |", policy.purpose, keys(&schema))?;
            let pin = subject.entry().slot.iter().find(|served| served.slot == slot);
            let failure = pin.map_or_else(String::new, |pin| pin.failure_verdict.to_string());
            let stateless = if subject.stateless() { "yes" } else { "no" };
            let burnt = fuel.get(&(name.to_owned(), slot)).map(Vec::as_slice).unwrap_or_default();
            writeln!(
                figures,
                "| {name} | {failure} | {stateless} | {} | {} | {} | {} | {} |",
                rounded(at(burnt, 50)),
                rounded(at(burnt, 99)),
                rounded(at(burnt, 100)),
                grouped(subject.limits().fuel_per_call),
                grouped(burnt.len() as u64),
            )?;
        }
    }
    Ok(format!("{what}\n{figures}"))
}

/// What each call burnt, least first, by entry and slot.
fn fuel(material: &Material) -> BTreeMap<(String, Slot), Vec<u64>> {
    let mut fuel: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for (_, judgement) in material.recorded.iter().chain(&material.loops).flat_map(|run| &run.judgements) {
        fuel.entry((judgement.entry.to_string(), judgement.slot)).or_default().push(judgement.fuel);
    }
    fuel.values_mut().for_each(|burnt| burnt.sort_unstable());
    fuel
}

/// The value that so many percent of them do not exceed.
fn at(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

/// Two significant digits: a text may be a byte longer the next time.
fn rounded(number: Option<u64>) -> String {
    let Some(number) = number else { return String::new() };
    let unit = 10_u64.pow(number.max(1).ilog10().saturating_sub(1));
    grouped((number + unit / 2) / unit * unit)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join(",")
}

/// Names below one key that are written out; more of them stand in the policy's README.
const MOST_NAMES: usize = 13;

/// The keys of a configuration to the second level: `trips.{a, b}`, and `signals.*` where any name may
/// stand or too many do.
fn keys(schema: &Value) -> String {
    let names = names(schema).into_iter().filter(|name| name != "version").map(|name| {
        let inner = schema.pointer(&format!("/properties/{name}")).unwrap_or(&Value::Null);
        let inner = self::names(inner);
        match &inner[..] {
            [] => format!("`{name}`"),
            [one] => format!("`{name}.{one}`"),
            many if many.len() > MOST_NAMES => format!("`{name}.*` ({})", many.len()),
            many => format!("`{name}.{{{}}}`", many.join(", ")),
        }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn names(schema: &Value) -> Vec<String> {
    match (&schema["properties"], &schema["additionalProperties"]) {
        (Value::Object(properties), _) => properties.keys().cloned().collect(),
        (_, Value::Object(_)) => vec!["*".to_owned()],
        _ => Vec::new(),
    }
}
