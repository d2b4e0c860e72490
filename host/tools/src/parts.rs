//! Beginnings of results that were shown without their rest. Whoever writes such a beginning on as if it were all destroys
//! what comes behind it, and so a call that changes something is not made with it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

/// Beginnings that are remembered; the oldest go first.
const MOST: usize = 256;
/// Bytes of the end of a beginning by which it is known again.
const TAIL: usize = 128;
/// Bytes of the shortest end that is looked for: what is shorter ends other texts too.
const LEAST: usize = 24;

/// What was shown in parts, in one run.
#[derive(Debug, Default)]
pub struct Parts {
    known: VecDeque<Part>,
}

#[derive(Debug)]
struct Part {
    /// What it is the beginning of, in words.
    of: Arc<str>,
    tail: Arc<str>,
    shown: usize,
    all: u64,
}

impl Parts {
    /// Of a result only this beginning was shown, of so many bytes.
    pub fn cut(&mut self, of: &str, shown: &str, all: u64) {
        let Some(tail) = tail(shown) else { return };
        if self.known.iter().any(|part| *part.tail == *tail && part.all == all) {
            return;
        }
        if self.known.len() == MOST {
            self.known.pop_front();
        }
        self.known.push_back(Part { of: of.into(), tail: tail.into(), shown: shown.len(), all });
    }

    /// This is a whole result: what ends like it is no mere beginning.
    pub fn whole(&mut self, text: &str) {
        let text = text.trim_end();
        self.known.retain(|part| !text.ends_with(&*part.tail));
    }

    /// Whether there is nothing that could be met.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Why a call that changes something must not be made with these arguments, in words for the model: one of them is such
    /// a beginning, or ends as it does and is at least half as long.
    pub fn problem(&self, arguments: &Value) -> Option<String> {
        match arguments {
            Value::String(text) => {
                let text = text.trim_end();
                let part =
                    self.known.iter().find(|part| 2 * text.len() >= part.shown && text.ends_with(&*part.tail))?;
                let Part { of, shown, all, .. } = part;
                Some(format!(
                    "this is the first {shown} of {all} bytes of {of}, and the rest would be lost; read the rest first, or \
                     change the part you have seen by a tool that leaves the rest alone"
                ))
            }
            Value::Array(list) => list.iter().find_map(|value| self.problem(value)),
            Value::Object(map) => map.values().find_map(|value| self.problem(value)),
            _ => None,
        }
    }
}

fn tail(shown: &str) -> Option<&str> {
    let shown = shown.trim_end();
    let tail = &shown[shown.ceil_char_boundary(shown.len().saturating_sub(TAIL))..];
    (tail.len() >= LEAST).then_some(tail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(range: std::ops::Range<usize>) -> String {
        range.map(|number| format!("line {number}: const x{number} = compute({number});\n")).collect()
    }

    #[test]
    fn a_beginning_is_not_written_on_as_if_it_were_all() {
        let all = lines(0..100);
        let shown = &all[..2048];
        let mut parts = Parts::default();
        parts.cut("what `read` gave", shown, all.len() as u64);
        let edited = shown.replace("const x1 ", "let x1 ");
        for text in [shown, &format!("{shown}\n"), &edited, &format!("// moved\n{shown}"), shown.trim_end()] {
            for arguments in [json!({"text": text}), json!({"list": [{"a": text}]})] {
                let problem = parts.problem(&arguments).unwrap_or_default();
                assert!(problem.starts_with(&format!("this is the first 2048 of {} bytes", all.len())), "{problem}");
            }
        }
        let line = shown.lines().last().unwrap_or_default();
        for text in [&*all, &lines(0..40), &lines(40..100), line, &shown[..1500], "", "short", &format!("{all}// more")]
        {
            assert_eq!(parts.problem(&json!({"text": text})), None, "{text}");
        }
        // Somebody has cut the file there: it is whole now.
        parts.whole(&format!("{shown}\n"));
        assert!(parts.is_empty());
    }

    #[test]
    fn letters_are_not_cut_and_the_oldest_go_first() {
        let mut parts = Parts::default();
        parts.cut("a", &"😀".repeat(500), 90_000);
        assert!(parts.problem(&json!("😀".repeat(500))).is_some());
        parts.cut("a", "too short", 90_000);
        parts.cut("a", "", 90_000);
        assert_eq!(parts.known.len(), 1);
        for number in 0..MOST {
            parts.cut("b", &format!("{number} is the beginning of something"), 100);
        }
        assert!(parts.known.len() == MOST && parts.problem(&json!("😀".repeat(500))).is_none());
    }
}
