//! All that an answer says, as one text for whoever judges it; and the answer again, with only that of
//! it which may be seen.

use std::ops::Range;

use countersign_tools::Redaction;
use rmcp::model::{CallToolResult, ErrorData, Tool};
use rmcp::{ServiceError, model::ContentBlock};
use serde_json::{Map, Value, json};

use super::Answer;

/// Where a result has what programs read.
const STRUCTURE: &str = "structuredContent";

/// Where an answer has words, in the order in which they are read.
const PLACES: [(&str, Reading); 5] = [
    ("message", Reading::Text),
    ("content", Reading::Form),
    (STRUCTURE, Reading::Data),
    ("data", Reading::Data),
    ("_meta", Reading::Data),
];
/// What models are told of content, of all that the protocol says of it: the rest is for programs.
const READ: [&str; 6] = ["text", "description", "title", "name", "uri", "mimeType"];

/// What a piece is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Words,
    Key,
    Data,
    /// Data that is no text: a number, true or false, or nothing.
    Scalar,
}

/// All that an answer says.
#[derive(Debug)]
pub struct Said {
    value: Value,
    text: String,
    /// Where each piece of it stands in the text.
    pieces: Vec<Range<usize>>,
}

/// What becomes of a piece.
enum Piece {
    Kept,
    Changed(String),
    Dropped,
}

impl Said {
    fn new(value: Value) -> Self {
        let (mut text, mut pieces, mut behind_key) = (String::new(), Vec::new(), false);
        let value = map(value, &mut |piece, sort| {
            if !pieces.is_empty() {
                // Data ends with a semicolon, so that nothing is taken for the value of a key before it.
                text.push_str(match sort {
                    _ if behind_key => ": ",
                    Sort::Words => "\n",
                    Sort::Key | Sort::Data | Sort::Scalar => ";\n",
                });
            }
            behind_key = sort == Sort::Key;
            let start = text.len();
            text.push_str(piece);
            pieces.push(start..text.len());
            Piece::Kept
        });
        Said { value, text, pieces }
    }

    /// As one text: what it says in words first, then its data, key by key.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As a value, without what must not be seen; and whether a name or something that is no text had to go from its
    /// structure. What stands in a number's place would be no number, and a strict reader would take none of the result.
    fn shown(self, redaction: &Redaction) -> (Value, bool) {
        let (mut pieces, mut value, mut is_broken) = (self.pieces.into_iter(), self.value, false);
        for (name, reading) in PLACES {
            let mut lost = false;
            map_place(&mut value, name, reading, &mut |piece, sort| match pieces.next() {
                Some(range) => match shown(piece, &range, redaction) {
                    // Under another name, or as a text, it would be something else to a program.
                    Piece::Changed(_) if matches!(sort, Sort::Scalar | Sort::Key) => {
                        lost = true;
                        Piece::Dropped
                    }
                    piece => piece,
                },
                None => Piece::Dropped,
            });
            if lost
                && name == STRUCTURE
                && let Value::Object(value) = &mut value
            {
                value.remove(name);
                is_broken = true;
            }
        }
        (value, is_broken)
    }
}

/// A piece that stands at `range`, without what must not be seen of it.
fn shown(piece: &str, range: &Range<usize>, redaction: &Redaction) -> Piece {
    let end = range.end.min(redaction.seen);
    if range.is_empty() {
        return Piece::Kept;
    }
    if range.start >= end {
        return Piece::Dropped;
    }
    // They are in order: most pieces are behind most of what is hidden, or before it.
    let first = redaction.hidden.partition_point(|hidden| hidden.end <= range.start);
    let within = redaction.hidden[first..].iter().take_while(|hidden| hidden.start < end);
    let (mut out, mut from) = (String::new(), range.start);
    for hidden in within {
        out.push_str(part(piece, range, from, hidden.start.max(from)));
        out.push_str(&hidden.instead);
        from = hidden.end.min(end);
    }
    if from == range.start && end == range.end {
        return Piece::Kept;
    }
    out.push_str(part(piece, range, from, end));
    Piece::Changed(out)
}

/// What stands in a piece between two places of the whole text.
fn part<'a>(piece: &'a str, range: &Range<usize>, from: usize, to: usize) -> &'a str {
    piece.get(from - range.start..to - range.start).unwrap_or_default()
}

/// Passes all that an answer says to `each`, with what it is.
fn map(mut value: Value, each: &mut impl FnMut(&str, Sort) -> Piece) -> Value {
    for (name, reading) in PLACES {
        map_place(&mut value, name, reading, each);
    }
    value
}

/// The same of one of its places.
fn map_place(value: &mut Value, name: &str, reading: Reading, each: &mut impl FnMut(&str, Sort) -> Piece) {
    if let Some(place) = value.get_mut(name) {
        *place = map_in(place.take(), reading, each).unwrap_or_default();
    }
}

/// What of a value is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The tool's own data: keys and values.
    Data,
    /// The text that stands here.
    Text,
    /// Of a form that the protocol gives, what stands under some keys.
    Form,
}

/// The same of a value in it; none where nothing is left of it.
fn map_in(value: Value, reading: Reading, each: &mut impl FnMut(&str, Sort) -> Piece) -> Option<Value> {
    let own = reading == Reading::Data;
    let sort = if own { Sort::Data } else { Sort::Words };
    Some(match value {
        Value::String(text) if reading != Reading::Form => match each(&text, sort) {
            Piece::Kept => Value::String(text),
            Piece::Changed(text) => Value::String(text),
            // A form must keep its keys.
            Piece::Dropped if !own => Value::String(String::new()),
            Piece::Dropped => return None,
        },
        // The protocol's own numbers are sizes and priorities.
        Value::Number(_) | Value::Bool(_) | Value::Null if own => match each(&value.to_string(), Sort::Scalar) {
            Piece::Kept => value,
            Piece::Changed(_) | Piece::Dropped => return None,
        },
        Value::Array(list) => {
            begins("[", own, each);
            let list: Vec<Value> = list.into_iter().filter_map(|value| map_in(value, reading, each)).collect();
            Value::Array(list)
        }
        Value::Object(object) => {
            begins("{", own, each);
            Value::Object(map_object(object, reading, each))
        }
        other => other,
    })
}

/// What begins behind a key is its value: the first key or item in it is not.
fn begins(with: &str, own: bool, each: &mut impl FnMut(&str, Sort) -> Piece) {
    if own {
        each(with, Sort::Data);
    }
}

fn map_object(
    object: Map<String, Value>,
    reading: Reading,
    each: &mut impl FnMut(&str, Sort) -> Piece,
) -> Map<String, Value> {
    let own = reading == Reading::Data;
    let mut out = Map::new();
    for (key, value) in object {
        let named = if own { each(&key, Sort::Key) } else { Piece::Kept };
        let below = match &*key {
            "_meta" => Reading::Data,
            _ if own => Reading::Data,
            key if value.is_string() && READ.contains(&key) => Reading::Text,
            _ => Reading::Form,
        };
        let value = map_in(value, below, each);
        let mut key = match named {
            Piece::Kept => key,
            Piece::Changed(key) => key,
            Piece::Dropped => continue,
        };
        // Two keys of which nothing else is left are still two.
        let (base, mut number) = (key.clone(), 1);
        while out.contains_key(&key) {
            number += 1;
            key = format!("{base} {number}");
        }
        if let Some(value) = value {
            out.insert(key, value);
        }
    }
    out
}

impl Answer {
    /// All that it says.
    pub fn said(&self) -> Said {
        Said::new(match &self.raw {
            Ok(result) => serde_json::to_value(result).unwrap_or_default(),
            Err(ServiceError::McpError(error)) => serde_json::to_value(error).unwrap_or_default(),
            Err(_) => json!({"message": self.result(false).text}),
        })
    }

    /// The same answer, of which `result_text` is all that it says, with only that of it which may be seen; and
    /// a note where some of it was not looked at.
    pub fn seen(mut self, said: Said, redaction: &Redaction) -> Self {
        let unseen = said.text.len().saturating_sub(redaction.seen);
        if unseen == 0 && redaction.hidden.is_empty() {
            return self;
        }
        let note = Redaction::note(unseen);
        let (shown, is_broken) = said.shown(redaction);
        self.is_changed = true;
        self.raw = match self.raw {
            Ok(_) => {
                // What cannot be read back is not passed on as it was.
                let mut result: CallToolResult = serde_json::from_value(shown).unwrap_or_else(|_| withheld());
                if is_broken {
                    result.content.push(ContentBlock::text(HIDDEN_NUMBER));
                }
                if unseen > 0 {
                    result.content.push(ContentBlock::text(note));
                    // A part of it would be taken for the whole, and no longer fit what the tool declares.
                    if result.structured_content.take().is_some() {
                        result.content.push(ContentBlock::text(NO_STRUCTURE));
                        result.is_error = Some(true);
                    }
                }
                Ok(result)
            }
            Err(ServiceError::McpError(error)) => {
                let code = error.code;
                let mut error: ErrorData =
                    serde_json::from_value(shown).unwrap_or_else(|_| ErrorData::new(code, WITHHELD, None));
                if unseen > 0 {
                    error.message = format!("{}\n{note}", error.message).into();
                }
                Err(ServiceError::McpError(error))
            }
            other => other,
        };
        self
    }

    /// The same answer as a client takes it that holds results against what their tool declares: a structure that is not
    /// the server's own any more and does not fit is left out, and the text stays. Such a client takes a result without
    /// its structure only as an error, and so it is one, which says that the call was made.
    pub fn fitting(mut self, tool: Option<&Tool>) -> Self {
        let schema = tool.and_then(|tool| tool.output_schema.as_ref()).filter(|_| self.is_changed);
        let (Some(schema), Ok(result)) = (schema, &mut self.raw) else { return self };
        let schema = countersign_schema::Schema::new(&Value::Object((**schema).clone()));
        let fits = |value: &Value| schema.as_ref().is_ok_and(|schema| schema.fits(value));
        if result.is_error != Some(true) && !result.structured_content.as_ref().is_some_and(fits) {
            result.structured_content = None;
            result.content.push(ContentBlock::text(WITHOUT_STRUCTURE));
            result.is_error = Some(true);
        }
        self
    }
}

const NO_STRUCTURE: &str = "The call was made. Its structured result is left out for the same reason.";
const HIDDEN_NUMBER: &str = "The structured result is left out: it holds a number or a name that must not be seen.";
const WITHOUT_STRUCTURE: &str =
    "The call was made, and this is its result. It is marked as an error because the structured result is left out.";
const WITHHELD: &str = "The result held what a model must not see, and is withheld.";

fn withheld() -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(WITHHELD)])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use countersign_tools::Hidden;

    fn answer(value: Value) -> Answer {
        Answer::new(Ok(serde_json::from_value(value).unwrap()))
    }

    /// What is left of an answer of whose text `hidden` must not be seen.
    fn left(answer: Answer, hidden: &str) -> Value {
        let said = answer.said();
        let start = said.text().find(hidden).unwrap();
        let hidden = vec![Hidden { start, end: start + hidden.len(), instead: "[x]".into() }];
        let seen = said.text().len();
        let answer = answer.seen(said, &Redaction { hidden, seen });
        match answer.raw {
            Ok(result) => serde_json::to_value(result).unwrap(),
            Err(ServiceError::McpError(error)) => serde_json::to_value(error).unwrap(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn all_is_read_words_first() {
        let answer = answer(json!({
            "content": [
                {"type": "text", "text": "one\ntwo"},
                {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                {"type": "resource", "resource": {"uri": "x://2", "text": "inside"}},
            ],
            "structuredContent": {"a": {"b": [1, "c"]}, "d": true},
        }));
        assert_eq!(answer.said().text(), "one\ntwo\nimage/png\ninside\nx://2;\n{;\na: {;\nb: [;\n1;\nc;\nd: true");
    }

    #[test]
    fn whatever_the_form_it_is_hidden() {
        let text = |text: &str| json!({"type": "text", "text": text});
        for (value, hidden, pointer, expected) in [
            (json!({"content": [text("of ada.")]}), "ada", "/content/0/text", json!("of [x].")),
            (json!({"content": [text("4539 14"), text("88 1")]}), "4539 14\n88", "/content/0/text", json!("[x]")),
            (json!({"content": [text("4539 14"), text("88 1")]}), "4539 14\n88", "/content/1/text", json!("[x] 1")),
            // A key that is withheld takes its place along: no client looks for another one.
            (json!({"content": [], "_meta": {"ada": 1}}), "ada", "/_meta", json!({})),
            (
                json!({"content": [{"type": "resource_link", "uri": "x://1", "name": "n", "description": "of ada"}]}),
                "ada",
                "/content/0/description",
                json!("of [x]"),
            ),
            (
                json!({"content": [{"type": "resource", "resource": {"uri": "x://1", "text": "of ada"}}]}),
                "ada",
                "/content/0/resource/text",
                json!("of [x]"),
            ),
            (json!({"content": [], "_meta": {"who": "ada"}}), "ada", "/_meta/who", json!("[x]")),
        ] {
            let left = left(answer(value.clone()), hidden);
            assert_eq!(left.pointer(pointer), Some(&expected), "{value}: {left}");
        }
        let error = ErrorData::internal_error("of ada", Some(json!({"who": "bob"})));
        let error = || Answer::new(Err(ServiceError::McpError(error.clone())));
        assert_eq!(left(error(), "ada")["message"], "of [x]");
        assert_eq!(left(error(), "bob")["data"]["who"], "[x]");
    }

    /// A strict reader would not take a result in which a text stands in a number's place.
    #[test]
    fn a_hidden_number_never_becomes_something_else() {
        let text = json!({"type": "text", "text": "contact 4539"});
        for structured in [
            json!({"id": 1, "card": 4539}),
            json!([1, [4539]]),
            json!({"a": {"b": 4539}, "name": "x"}),
            json!({"4539": "x"}),
        ] {
            let left = left(answer(json!({"content": [], "structuredContent": structured})), "4539");
            assert_eq!(left["structuredContent"], Value::Null, "{left}");
            assert_eq!(left["content"][0]["text"], HIDDEN_NUMBER, "{left}");
        }
        let all = answer(json!({"content": [text], "structuredContent": {"card": 4539, "n": 1}}));
        let said = all.said();
        let places: Vec<usize> = said.text().match_indices("4539").map(|(start, _)| start).collect();
        let hidden = places.iter().map(|start| Hidden { start: *start, end: start + 4, instead: "[x]".into() });
        let redaction = Redaction { hidden: hidden.collect(), seen: said.text().len() };
        let passed = serde_json::to_value(all.seen(said, &redaction).raw.unwrap()).unwrap();
        assert!(places.len() == 2 && !passed.to_string().contains("4539"), "{passed}");
        assert_eq!((&passed["content"][0]["text"], &passed["isError"]), (&json!("contact [x]"), &Value::Null));
        // Of what is no structure only the number goes.
        let left = left(
            answer(json!({"content": [], "structuredContent": {"n": 1}, "_meta": {"card": 4539, "m": 2}})),
            "4539",
        );
        assert_eq!((&left["structuredContent"], &left["_meta"]), (&json!({"n": 1}), &json!({"m": 2})));
    }

    #[test]
    fn what_a_tool_declares_holds_for_what_is_left_too() {
        let schema = json!({"type": "object", "required": ["mail"], "properties": {"mail": {"pattern": "@"}, "n": {"type": "integer"}}});
        let tool = json!({"name": "t", "inputSchema": {"type": "object"}, "outputSchema": schema});
        let tool: Tool = serde_json::from_value(tool).unwrap();
        for (structured, hidden, fits) in [
            (json!({"mail": "ada@example.com", "n": 4539}), "4539", false),
            (json!({"mail": "ada@example.com"}), "ada@example.com", false),
            (json!({"mail": "ada@example.com"}), "ada", true),
        ] {
            let all = answer(json!({"content": [{"type": "text", "text": "one"}], "structuredContent": structured}));
            let said = all.said();
            let start = said.text().find(hidden).unwrap();
            let redaction = Redaction {
                hidden: vec![Hidden { start, end: start + hidden.len(), instead: "[x]".into() }],
                seen: said.text().len(),
            };
            let passed = serde_json::to_value(all.seen(said, &redaction).fitting(Some(&tool)).raw.unwrap()).unwrap();
            assert_eq!(passed["structuredContent"].is_null(), !fits, "{passed}");
            assert_eq!(passed["isError"] == json!(true), !fits, "{passed}");
            assert_eq!(passed["content"][0]["text"], "one");
        }
        // What the server itself says is the server's own business.
        let own = answer(json!({"content": [], "structuredContent": {"mail": 7}})).fitting(Some(&tool));
        assert_eq!(own.raw.unwrap().structured_content, Some(json!({"mail": 7})));
    }

    #[test]
    fn what_nobody_has_looked_at_is_not_passed_on() {
        let answer = answer(json!({
            "content": [{"type": "text", "text": "abcdef"}, {"type": "text", "text": "ghi"}],
            "structuredContent": {"a": [1, 2], "b": "c"},
        }));
        let said = answer.said();
        let all = said.text().len();
        let result = answer.seen(said, &Redaction { hidden: Vec::new(), seen: 4 }).raw.unwrap();
        let left = serde_json::to_value(&result).unwrap();
        assert_eq!(left["content"][0]["text"], "abcd");
        assert_eq!(left["content"][1]["text"], "");
        let note = format!("… {} bytes not shown: longer than what the guard looks at.", all - 4);
        assert_eq!(left["content"][2]["text"], note.as_str());
        assert_eq!((&left["structuredContent"], &left["isError"]), (&Value::Null, &json!(true)));
    }

    #[test]
    fn what_programs_read_stays_as_it_is() {
        let annotated =
            json!({"type": "text", "text": "of ada", "annotations": {"audience": ["user"], "priority": 1.0}});
        let left = left(answer(json!({"content": [annotated]})), "of ada");
        assert_eq!(left["content"][0]["annotations"]["audience"], json!(["user"]));
        let data = json!({"ada": 1, "bob": {"password": null, "user": "x", "has_secret": true, "tokens": []}});
        let said = answer(json!({"content": [], "structuredContent": data}));
        assert_eq!(said.said().text(), "{;\nada: 1;\nbob: {;\nhas_secret: true;\npassword: null;\ntokens: [;\nuser: x");
    }
}
