//! Recall and precision on the sentences of `presidio-pii` (synthetic, from presidio-research).
//!
//! `COUNTERSIGN_PRESIDIO=FOLDER cargo run -p countersign-patterns --example presidio`

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use countersign_patterns::{Hit, Kind, Scanner};
use serde_json::Value;

const FILES: [&str; 2] = ["synth_dataset_v2.jsonl.gz", "generated_large.jsonl.gz"];
/// Labels that patterns can reach.
const REACHED: [(&str, Kind); 7] = [
    ("EMAIL_ADDRESS", Kind::EmailAddress),
    ("PHONE_NUMBER", Kind::PhoneNumber),
    ("CREDIT_CARD", Kind::CreditCard),
    ("IBAN_CODE", Kind::Iban),
    ("US_SSN", Kind::UsSsn),
    ("IP_ADDRESS", Kind::IpAddress),
    ("US_DRIVER_LICENSE", Kind::DriverLicence),
];
/// The policies' default.
const LEAST_SCORE: f64 = 0.5;

#[derive(Default)]
struct Count {
    labelled: u32,
    found: u32,
    hits: u32,
    right: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::var_os("COUNTERSIGN_PRESIDIO") else {
        println!("skipped: COUNTERSIGN_PRESIDIO does not name the folder of presidio-pii");
        return Ok(());
    };
    let show = std::env::args().any(|argument| argument == "--show");
    let scanner = Scanner::builder().build();
    for file in FILES {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(Path::new(&folder).join(file))?).read_to_string(&mut text)?;
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        let (mut texts, mut with_reached, mut told) = (0, 0, 0);
        for line in text.lines() {
            let record: Value = serde_json::from_str(line)?;
            let text = record["full_text"].as_str().unwrap_or_default();
            let labels = labels(&record, text);
            let hits: Vec<Hit> =
                scanner.scan(text, |_, _, _| {}).into_iter().filter(|hit| hit.score >= LEAST_SCORE).collect();
            texts += 1;
            let reached = labels.iter().any(|(label, ..)| REACHED.iter().any(|(name, _)| name == label));
            with_reached += u32::from(reached);
            told += u32::from(reached && hits.iter().any(|hit| !hit.kind.is_term()));
            let overlap = |hit: &Hit, from: usize, to: usize| hit.start < to && from < hit.end;
            for (label, from, to) in &labels {
                let kind = REACHED.iter().find(|(name, _)| name == label).map(|(_, kind)| *kind);
                let found = hits.iter().any(|hit| Some(hit.kind) == kind && overlap(hit, *from, *to));
                for key in [kind.map(Kind::name), Some("all labels")].into_iter().flatten() {
                    let count = counts.entry(key).or_default();
                    count.labelled += 1;
                    count.found += u32::from(found);
                }
                if show && kind.is_some() && !found {
                    println!("missed {label}: {:?}", &text[*from..*to]);
                }
            }
            for hit in &hits {
                let of_kind = |label: &str| {
                    REACHED.contains(&(label, hit.kind)) || hit.kind == Kind::DateOfBirth && label == "DATE_TIME"
                };
                let right = labels.iter().any(|(label, from, to)| of_kind(label) && overlap(hit, *from, *to));
                for key in [hit.kind.name(), "all labels"] {
                    let count = counts.entry(key).or_default();
                    count.hits += 1;
                    count.right += u32::from(right);
                }
                if show && !right {
                    println!("wrong {}: {:?} in {text:?}", hit.kind.name(), &text[hit.start..hit.end]);
                }
            }
        }
        println!("{file}: {texts} texts, {told} of {with_reached} with a reachable label are told");
        for (kind, count) in &counts {
            let share = |part: u32, of: u32| {
                if of == 0 { "-".to_owned() } else { format!("{:.3}", f64::from(part) / f64::from(of)) }
            };
            println!(
                "{kind:20} labelled {:5} recall {:>5}   hits {:4} precision {:>5}",
                count.labelled,
                share(count.found, count.labelled),
                count.hits,
                share(count.right, count.hits)
            );
        }
    }
    Ok(())
}

/// Labels with their bytes; the file counts characters.
fn labels<'a>(record: &'a Value, text: &str) -> Vec<(&'a str, usize, usize)> {
    let offset = |place: &Value| {
        let characters = place.as_u64().unwrap_or(0) as usize;
        text.char_indices().nth(characters).map_or(text.len(), |(byte, _)| byte)
    };
    let spans = record["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let label = |span: &'a Value| {
        (
            span["entity_type"].as_str().unwrap_or_default(),
            offset(&span["start_position"]),
            offset(&span["end_position"]),
        )
    };
    spans.iter().map(label).collect()
}
