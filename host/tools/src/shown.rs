//! Text that came from elsewhere, as people are shown it: what cannot be seen, or makes other text look otherwise than
//! it is, is written out. Terminals, questions to a client and items of sinks all show it by these functions.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Map, Value};

pub use countersign_patterns::without_unseen;

/// Most characters of one argument that are shown whole.
pub const ARGUMENT: usize = 4000;
/// Characters of a longer one that are shown of its end.
const END: usize = 800;

/// Characters, first and last of each range, that no reader sees or that change how others are read: soft hyphen,
/// joiners and fillers, directions of writing, selectors of variants, the tag block, blanks that look like nothing.
const UNSEEN: [(char, char); 21] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{e0000}', '\u{10ffff}'),
];

/// Whether a reader does not see a character, or reads others wrongly because of it.
pub fn is_unseen(character: char) -> bool {
    UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// The text with everything unseen written out, as `\u{202e}`; line ends and tabs as `\n` and `\t`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            unseen if is_unseen(unseen) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(unseen));
            }
            seen => out.push(seen),
        }
    }
    Cow::Owned(out)
}

/// Text in lines with everything unseen written out but its line ends.
pub fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// JSON with everything unseen escaped by its own rules: it means the same, and whoever looks at it as text sees all.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unseen) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    let mut units = [0; 2];
    for character in json.chars() {
        // Control characters are not inside a string: JSON has escaped those.
        if is_unseen(character) && !character.is_ascii() {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// One argument of a call as a person is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownArgument {
    /// Its name; empty where the arguments are no object.
    pub name: String,
    /// What it is, everything unseen written out. Of one longer than [`ARGUMENT`] characters the middle is left out.
    pub value: String,
    /// Characters that were left out.
    pub left_out: usize,
}

/// The arguments of a call, given as JSON, each by itself: the short ones first, so that none is hidden behind the
/// length of another.
pub fn arguments(json: &str) -> Vec<ShownArgument> {
    let Ok(Value::Object(arguments)) = serde_json::from_str::<Value>(json) else {
        return match json.is_empty() {
            true => Vec::new(),
            false => vec![argument(String::new(), json.to_owned())],
        };
    };
    let mut shown: Vec<ShownArgument> = each(arguments).collect();
    // A stable sort: arguments of one line stay in their order.
    shown.sort_by_key(|argument| argument.value.chars().count() > LINE);
    shown
}

/// Characters that stand on one line.
const LINE: usize = 100;

fn each(arguments: Map<String, Value>) -> impl Iterator<Item = ShownArgument> {
    arguments.into_iter().map(|(name, value)| argument(visible(&name).into_owned(), value.to_string()))
}

fn argument(name: String, value: String) -> ShownArgument {
    let value = visible(&value).into_owned();
    let length = value.chars().count();
    if length <= ARGUMENT {
        return ShownArgument { name, value, left_out: 0 };
    }
    let left_out = length - ARGUMENT;
    let begins: String = value.chars().take(ARGUMENT - END).collect();
    let ends: String = value.chars().skip(length - END).collect();
    ShownArgument { name, value: format!("{begins} … {left_out} characters left out … {ends}"), left_out }
}

/// The call in lines: its tool, then an argument a line, and where the rest is shown if anything was left out.
pub fn call(tool: &str, json: &str, all_of_it: &str) -> String {
    let mut out = visible(tool).into_owned();
    let arguments = arguments(json);
    for argument in &arguments {
        let colon = if argument.name.is_empty() { "" } else { ": " };
        let _ = write!(out, "\n  {}{colon}{}", argument.name, argument.value);
    }
    if arguments.iter().any(|argument| argument.left_out > 0) {
        let _ = write!(out, "\n  all of it: {all_of_it}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_written_out() {
        let table = [
            ("plain, Übung, 表, 🦀", "plain, Übung, 表, 🦀"),
            ("ls \u{202e}fr- mr\u{202c}", "ls \\u{202e}fr- mr\\u{202c}"),
            ("ls\u{e0026}\u{e0072}", "ls\\u{e0026}\\u{e0072}"),
            ("a\u{200b}b\u{2066}c\u{ad}d", "a\\u{200b}b\\u{2066}c\\u{ad}d"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("two\nlines\r\tend", "two\\nlines\\r\\tend"),
            ("x\u{fe01}\u{e0100}", "x\\u{fe01}\\u{e0100}"),
        ];
        for (text, shown) in table {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\u{202e}\nb"), "a\\u{202e}\nb");
    }

    #[test]
    fn json_says_the_same_when_all_of_it_is_seen() {
        for text in ["plain", "a\u{202e}b", "tag \u{e0061} end", "esc \u{1b} \u{7f}"] {
            let json = Value::from(text).to_string();
            let shown = visible_json(&json);
            assert!(!shown.contains(|c: char| is_unseen(c) && !c.is_ascii()), "{shown}");
            assert_eq!(serde_json::from_str::<Value>(&shown).ok(), Some(Value::from(text)));
        }
    }

    #[test]
    fn no_argument_hides_behind_another() {
        let content = "x".repeat(300);
        let json = format!(r#"{{"content":"{content}","mode":"a","path":"~/.profile"}}"#);
        let shown = call("write", &json, "-");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[..3], ["write", "  mode: \"a\"", "  path: \"~/.profile\""]);
        assert!(lines[3].starts_with("  content: \"xxx") && lines.len() == 4);
    }

    #[test]
    fn what_is_left_out_says_so_and_where_it_is() {
        let json = format!(r#"{{"command":"{}LAST"}}"#, "a".repeat(2 * ARGUMENT));
        let shown = call("shell", &json, "countersign runs show 1 --json");
        assert!(shown.contains("4006 characters left out") && shown.contains("LAST\""), "{shown}");
        assert!(shown.ends_with("all of it: countersign runs show 1 --json"));
        assert_eq!(call("plan", "not json", "-"), "plan\n  not json");
        assert_eq!(call("look", "{}", "-"), "look");
    }
}
