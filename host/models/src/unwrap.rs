//! What models put around the one object that they are asked for. It is set aside and noted; where two objects stand
//! in an answer, or part of one, nobody guesses which was meant.

use countersign_kernel::Wrapping;
use countersign_tools::Strict;
use serde_json::{Map, Value};

/// Between what models think aloud, in lower case: how thoughts begin and how they end.
const THOUGHTS: [(&str, &str); 14] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<analysis>", "</analysis>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis", "<|channel|>final"),
    ("<|channel|>commentary", "<|channel|>final"),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
];
/// Most parts of an answer that are looked at: what has more of them is no answer.
const MOST_PARTS: usize = 64;

/// The one object of an answer, and what stood around it.
pub(crate) fn one_object(answer: &str) -> Result<(Map<String, Value>, Vec<Wrapping>), String> {
    let mut around = Vec::new();
    let text = without_marks(answer, &mut around);
    let whole = match serde_json::from_str(text) {
        Ok(Strict(value)) => return within(value, around),
        Err(error) => error,
    };
    let mut parts = Parts::of(text)?;
    if let Some(problem) = parts.broken {
        return Err(format!("expected one JSON object: {problem}"));
    }
    let object = match (parts.objects.pop(), parts.objects.len()) {
        (Some(object), 0) => object,
        (Some(_), others) => return Err(format!("expected one JSON object, found {}", others + 1)),
        (None, _) if parts.thoughts => {
            return Err("expected one JSON object after the thoughts, found none".to_owned());
        }
        (None, _) => return Err(format!("expected one JSON object: {whole}")),
    };
    let found =
        [(parts.thoughts, Wrapping::Thoughts), (parts.fence, Wrapping::CodeFence), (parts.words, Wrapping::Words)];
    around.extend(found.into_iter().filter(|(is, _)| *is).map(|(_, wrapping)| wrapping));
    within(Value::Object(object), around)
}

/// A free text without the thoughts before it.
pub(crate) fn free_text(answer: &str) -> (&str, Vec<Wrapping>) {
    let mut around = Vec::new();
    let mut text = without_marks(answer, &mut around);
    let mut thoughts = false;
    while let Some(open) = begins(text) {
        thoughts = true;
        text = ends(&text[open..]).map_or("", |end| text[open + end..].trim_start());
    }
    // Some servers leave out how thoughts begin. A text may well mention how they end: alone on its line it does not.
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        from += line.len();
        if ending(line.trim()).is_some_and(|length| length == line.trim().len()) {
            (text, thoughts) = (text[from..].trim_start(), true);
            break;
        }
    }
    if thoughts {
        around.push(Wrapping::Thoughts);
    }
    (text, around)
}

/// Without space, byte order marks and the like at both ends.
fn without_marks<'a>(text: &'a str, around: &mut Vec<Wrapping>) -> &'a str {
    let is_mark = |c: char| matches!(c, '\u{feff}' | '\u{200b}' | '\u{2060}');
    let inner = text.trim_matches(|c: char| c.is_whitespace() || is_mark(c));
    if text.trim().len() > inner.len() {
        around.push(Wrapping::ByteOrderMark);
    }
    inner
}

/// An object, alone in a list, in a text, or under the only key of another.
fn within(value: Value, mut around: Vec<Wrapping>) -> Result<(Map<String, Value>, Vec<Wrapping>), String> {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(mut list) if list.len() == 1 => match list.pop() {
            Some(Value::Object(object)) => {
                around.push(Wrapping::List);
                object
            }
            _ => return Err("expected a JSON object".to_owned()),
        },
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Strict(Value::Object(object))) => {
                around.push(Wrapping::Text);
                object
            }
            _ => return Err("expected a JSON object".to_owned()),
        },
        _ => return Err("expected a JSON object".to_owned()),
    };
    if object.len() != 1 || object.values().any(|value| value.get("action").is_none()) {
        return Ok((object, around));
    }
    around.push(Wrapping::Envelope);
    match object.into_iter().next() {
        Some((_, Value::Object(inner))) => Ok((inner, around)),
        _ => Err("expected a JSON object".to_owned()),
    }
}

/// What an answer consists of, its thoughts left out.
#[derive(Default)]
struct Parts {
    objects: Vec<Map<String, Value>>,
    /// Why something that was to be an object is none.
    broken: Option<String>,
    thoughts: bool,
    fence: bool,
    words: bool,
}

impl Parts {
    fn of(text: &str) -> Result<Self, String> {
        let mut parts = Parts::default();
        let (mut at, mut looked) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            at += if let Some(open) = begins(rest) {
                parts.thoughts = true;
                // Thoughts without an end: all of it is thought.
                open + ends(&rest[open..]).unwrap_or(rest.len() - open)
            } else if let Some(end) = ending(rest) {
                parts.were_thoughts();
                end
            } else if c == '{' {
                looked += 1;
                if looked > MOST_PARTS {
                    return Err(format!("expected one JSON object, found more than {MOST_PARTS} pairs of braces"));
                }
                parts.object(rest)
            } else if rest.starts_with("```") || rest.starts_with("~~~") {
                parts.fence = true;
                let ticks = rest.len() - rest.trim_start_matches(['`', '~']).len();
                // The name of a language, up to the end of its line.
                let name = rest[ticks..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len() - ticks);
                ticks + name
            } else {
                parts.words |= !c.is_whitespace();
                c.len_utf8()
            };
        }
        Ok(parts)
    }

    /// Everything so far was thought.
    fn were_thoughts(&mut self) {
        *self = Parts { thoughts: true, ..Parts::default() };
    }

    /// Takes in what begins with a brace; its length.
    fn object(&mut self, rest: &str) -> usize {
        let Some(end) = closed(rest) else {
            // What thoughts leave open does not matter.
            if let Some(end) = ends(rest) {
                self.were_thoughts();
                return end;
            }
            let error = serde_json::from_str::<Strict>(rest).err().map(|error| error.to_string());
            self.broken.get_or_insert(error.unwrap_or_else(|| "it has no end".to_owned()));
            return rest.len();
        };
        let text = &rest[..end];
        match serde_json::from_str(text) {
            Ok(Strict(Value::Object(object))) => self.objects.push(object),
            Err(_) if is_placeholder(text) => self.words = true,
            Err(error) => drop(self.broken.get_or_insert(error.to_string())),
            Ok(_) => self.words = true,
        }
        end
    }
}

/// A place to be filled in, as `{path}`, is part of the words around it.
fn is_placeholder(text: &str) -> bool {
    text.trim_matches(['{', '}']).chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '…'))
}

/// Length of the beginning of thoughts, where a text begins with one.
fn begins(text: &str) -> Option<usize> {
    THOUGHTS.iter().map(|(open, _)| open).find(|open| starts(text, open)).map(|open| open.len())
}

/// Length of the end of thoughts, where a text begins with one.
fn ending(text: &str) -> Option<usize> {
    THOUGHTS.iter().map(|(_, close)| close).find(|close| starts(text, close)).map(|close| close.len())
}

/// Where thoughts end, behind that end.
fn ends(text: &str) -> Option<usize> {
    text.char_indices().find_map(|(at, _)| Some(at + ending(&text[at..])?))
}

fn starts(text: &str, with: &str) -> bool {
    // Most places begin with none of them.
    text.as_bytes().first() == with.as_bytes().first()
        && text.as_bytes().get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
}

/// Behind the brace that closes the first one, texts in quotes left out.
fn closed(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use Wrapping::{ByteOrderMark, CodeFence, Envelope, List, Text, Thoughts, Words};

    /// The object, with texts in it that look like wrappings.
    const OBJECT: &str = r#"{"action":{"arguments":{"text":"```\n</think> {\"a\": \"}\" <think>"},"tool":"t"}}"#;

    fn found(text: &str) -> Result<(String, Vec<Wrapping>), String> {
        one_object(text).map(|(object, around)| (Value::Object(object).to_string(), around))
    }

    #[test]
    fn what_stands_around_one_object_is_set_aside() {
        let quoted = Value::from(OBJECT).to_string();
        let table: [(&str, &[Wrapping]); 38] = [
            ("$", &[]),
            (" \r\n$\n\n", &[]),
            ("\u{feff}$", &[ByteOrderMark]),
            ("\n\u{feff} \u{feff}$\u{200b}", &[ByteOrderMark]),
            ("```json\n$\n```", &[CodeFence]),
            ("```JSON5\r\n$\r\n```\n", &[CodeFence]),
            ("```\n$\n```", &[CodeFence]),
            ("``` json\n$", &[CodeFence, Words]),
            ("````json\n$\n````", &[CodeFence]),
            ("~~~\n$\n~~~", &[CodeFence]),
            ("```$```", &[CodeFence]),
            ("\u{feff}```json\n$\n```", &[ByteOrderMark, CodeFence]),
            ("Here is the step:\n```json\n$\n```\nI hope that this helps!", &[CodeFence, Words]),
            ("Sure! Here is the next step:\n\n$", &[Words]),
            ("$\n\nLet me know.", &[Words]),
            ("json\n$", &[Words]),
            ("**Answer:** $", &[Words]),
            ("<answer>$</answer>", &[Words]),
            ("$<|im_end|>", &[Words]),
            ("I put {path} and {text} in: $", &[Words]),
            ("Für Zürich → $ ✓", &[Words]),
            ("<think>\nFirst the file.\n</think>\n\n$", &[Thoughts]),
            ("<think></think>$", &[Thoughts]),
            ("<THINK>no, {\"action\": 1} or {</Think>\n$", &[Thoughts]),
            ("<thinking>{\"action\":{\"tool\":\"delete\"}}</thinking>$", &[Thoughts]),
            ("<think>a</think><reasoning>b</reasoning> $", &[Thoughts]),
            ("<think>a <think>b</think> {\"action\": \"c\"} </think>$", &[Thoughts]),
            ("First the file, {\"action\": \"a\"} perhaps.\n</think>\n\n$", &[Thoughts]),
            ("First {what\n</think>\n$", &[Thoughts]),
            ("<think>\nhm\n</think>\n```json\n$\n```", &[Thoughts, CodeFence]),
            ("<think>\nhm\n</think>\nHere:\n```json\n$\n```", &[Thoughts, CodeFence, Words]),
            ("[THINK]hm[/THINK]$", &[Thoughts]),
            ("◁think▷hm◁/think▷$", &[Thoughts]),
            ("<|begin_of_thought|>hm<|end_of_thought|>$", &[Thoughts]),
            (
                "<|channel|>analysis<|message|>hm {}<|end|><|start|>assistant<|channel|>final<|message|>$",
                &[Thoughts, Words],
            ),
            ("[$]", &[List]),
            ("{\"response\": $}", &[Envelope]),
            ("```\n{\"step\": $}\n```", &[CodeFence, Envelope]),
        ];
        for (text, around) in table {
            let text = text.replace('$', OBJECT);
            assert_eq!(found(&text), Ok((OBJECT.to_owned(), around.to_vec())), "{text}");
        }
        assert_eq!(found(&quoted), Ok((OBJECT.to_owned(), vec![Text])));
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let plain = r#"{"action":{"tool":"t"}}"#;
        let table = [
            ("", "one JSON object"),
            ("   \u{feff}", "one JSON object"),
            ("Sure! I will do that.", "one JSON object"),
            ("42", "a JSON object"),
            ("null", "a JSON object"),
            ("\"just words\"", "a JSON object"),
            ("[]", "a JSON object"),
            ("[1]", "a JSON object"),
            ("[$, $]", "a JSON object"),
            ("$ $", "found 2"),
            ("$\n$", "found 2"),
            ("```json\n$\n```\nor\n```json\n$\n```", "found 2"),
            ("With {\"path\": \"a\"} it is $", "found 2"),
            ("{} $", "found 2"),
            ("<think>$</think>", "after the thoughts"),
            ("<think>$", "after the thoughts"),
            ("<think>hm</think>", "after the thoughts"),
            ("$</think>", "after the thoughts"),
            ("$</think>Done.", "after the thoughts"),
            ("I shall <think> of it: $", "after the thoughts"),
            ("{\"action\": ", "EOF"),
            ("```json\n{\"action\": {\"tool\": \"t\"", "EOF"),
            ("{\"broken\": $", "EOF"),
            ("{'action': 'a'} or $", "column"),
            ("{action: a} or $", "column"),
            ("{\"a\": b} $", "column"),
            ("{\"a\": 1, \"a\": 2}", "stands twice"),
            ("Here: {\"a\": 1, \"a\": 2}", "stands twice"),
        ];
        for (text, part) in table {
            let text = text.replace('$', plain);
            let found = found(&text);
            assert!(found.as_ref().is_err_and(|reason| reason.contains(part)), "{text}: {found:?}");
        }
    }

    /// However an answer is made, it is looked at once.
    #[test]
    fn no_answer_takes_long() {
        for text in ["{", "{}", "{\"", "{</think>", "<think>", "<think></think>", "```{", "{\"a\":{", "}"] {
            let answer = text.repeat((1 << 20) / text.len());
            assert!(one_object(&answer).is_err(), "{text}");
        }
    }

    #[test]
    fn a_free_text_loses_its_thoughts_and_nothing_else() {
        let table: [(&str, &str, &[Wrapping]); 10] = [
            ("Do this.", "Do this.", &[]),
            (" \u{feff}Do this.\n", "Do this.", &[ByteOrderMark]),
            ("<think>\nhm\n</think>\n\nDo this.", "Do this.", &[Thoughts]),
            ("<think>a</think> <thinking>b</thinking>Do this.", "Do this.", &[Thoughts]),
            ("It is stuck.\n</think>\nDo this.", "Do this.", &[Thoughts]),
            ("<think>never mind", "", &[Thoughts]),
            ("<think>only that</think>", "", &[Thoughts]),
            ("Leave out the <think> part.", "Leave out the <think> part.", &[]),
            ("Write </think> at its end.", "Write </think> at its end.", &[]),
            ("```\nDo {this}.\n```", "```\nDo {this}.\n```", &[]),
        ];
        for (text, wanted, around) in table {
            assert_eq!(free_text(text), (wanted, around.to_vec()), "{text}");
        }
    }
}
