//! What holds for every text.

use countersign_sdk::guard::Direction;
use proptest::prelude::*;
use serde_json::json;

use super::{inspect, policy};
use crate::rules::Rule;

fn keeps_to_the_contract(direction: Direction, text: &str) {
    let inspection = inspect(&mut policy(json!({ "least_score": 0.0 })), direction, text);
    assert!(inspection.findings.len() <= 256);
    assert!(inspection.findings.is_sorted_by_key(|finding| finding.start));
    for finding in &inspection.findings {
        let (start, end) = (finding.start as usize, finding.end as usize);
        assert!(start < end && text.get(start..end).is_some(), "{start}..{end} of {text:?}");
        assert!((0.0..=1.0).contains(&finding.score));
    }
    // Counts and names of rules, nothing of the text.
    assert!(inspection.reason.len() <= 1024);
    let named = |part: &str| {
        part.split_once(' ')
            .is_some_and(|(count, name)| count.parse::<u32>().is_ok() && Rule::all().any(|rule| rule.name() == name))
    };
    assert!(inspection.reason == "nothing found" || inspection.reason.split(", ").all(named), "{}", inspection.reason);
}

const PIECES: &[&str] = &[
    "a",
    " ",
    "é",
    "\u{200b}",
    "\u{e0041}",
    ".",
    "../",
    "{",
    "(",
    ")",
    "\\",
    "\\n",
    "\\\"",
    "\"",
    "'",
    "`",
    "|",
    ";",
    "&",
    "/",
    "<|",
    "|>",
    "[",
    "]",
    "rm",
    "-rf",
    "~",
    "dd",
    "of=/dev/sd",
    "mkfs",
    "/dev/x",
    "sh",
    "bash",
    "-c",
    "curl",
    "sudo",
    "ssh",
    "/id_",
    "shadow",
    "/etc/",
    "/proc/",
    "environ",
    "credentials",
    "ignore",
    "previous",
    "instructions",
    "send",
    "to",
    "new",
    ":",
    "im_start",
    "inst",
    "ada@example.org",
    "password=hunter22",
    "kill yourself",
    "169.254.169.254",
    ":(){",
    "\\t",
    "\\\\\\n",
    "\\\\rm",
    "[\"",
    "\",\"",
    "\"command\":[\"",
    "\"args\":[\"",
    "]",
    "cd ~/.ssh && ",
    "git commit -m ",
    "curl -o x ",
    "xargs",
    "rsync --delete",
    "ssh -i ~/.ssh/k ",
];

proptest! {
    #[test]
    fn every_answer_keeps_to_the_contract(text in any::<String>(), direction in 0_usize..3) {
        keeps_to_the_contract([Direction::Input, Direction::Output, Direction::Call][direction], &text);
    }

    #[test]
    fn every_row_of_beginnings_too(pieces in proptest::collection::vec(0..PIECES.len(), 0..40), direction in 0_usize..3) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        keeps_to_the_contract([Direction::Input, Direction::Output, Direction::Call][direction], &text);
    }
}

#[test]
fn every_beginning_over_and_over_is_read_in_no_time() {
    let mut policy = policy(json!({}));
    for piece in PIECES {
        for text in [piece.repeat(32768 / piece.len()), format!("{piece} ").repeat(32768 / (piece.len() + 1))] {
            for direction in [Direction::Input, Direction::Call] {
                let before = std::time::Instant::now();
                inspect(&mut policy, direction, &text);
                assert!(before.elapsed().as_millis() < 500, "{piece:?}");
            }
        }
    }
}
