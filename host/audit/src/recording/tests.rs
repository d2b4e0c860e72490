//! Every form: what is read of it, and what of it cannot be.

use std::path::{Path, PathBuf};

use countersign_kernel::Outcome;

use super::{Header, Readout, Recording, RecordingError, Step, Visit, Went};

/// The runs of a recording in words.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
}

impl Visit for Told {
    fn begin(&mut self, _: &Header) -> Result<(), String> {
        self.lines.push("begin".to_owned());
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        self.lines.push(words(&step));
        Ok(())
    }

    fn end(&mut self, header: &Header) -> Result<(), String> {
        let went = match header.went {
            Went::Well => "well",
            Went::Badly => "badly",
            Went::Attacked => "attacked",
            Went::Unsaid => "unsaid",
        };
        let Header { outcome, task, model, .. } = header;
        self.lines.push(format!("end {outcome} ({went}), {task}, {model}"));
        Ok(())
    }

    fn abandon(&mut self) {
        self.lines.push("abandoned".to_owned());
    }
}

fn words(step: &Step) -> String {
    match step {
        Step::Spoke { at, text } => format!("{at} spoke: {text}"),
        Step::Said(said) => format!("{} said: {}", said.at, said.text),
        Step::Finished { at, summary, .. } => format!("{at} finished: {summary}"),
        Step::Call(call, returned) => {
            let arguments = serde_json::Value::Object(call.arguments.clone());
            let usage = call.usage.input_tokens + call.usage.output_tokens;
            let came = match returned {
                None => "nothing".to_owned(),
                Some(returned) => {
                    let how = match returned.outcome {
                        Outcome::Returned { exit_code: Some(code), .. } => format!("exit {code}"),
                        Outcome::Returned { ok: true, .. } => "ok".to_owned(),
                        Outcome::Returned { ok: false, .. } => "failed".to_owned(),
                        other => format!("{other:?}"),
                    };
                    let first: String = returned.text.replace('\n', "⏎").chars().take(24).collect();
                    format!("{} {how}: {first}", returned.at)
                }
            };
            format!("{} {}{arguments} [{}] {usage} → {came}", call.at, call.tool, call.thought)
        }
    }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/formats").join(name)
}

fn read(path: &Path) -> Result<(Vec<String>, Readout), RecordingError> {
    let mut told = Told::default();
    let read = Recording::open(path)?.read(&mut told)?;
    Ok((told.lines, read))
}

#[test]
fn every_form_is_known_and_read() -> Result<(), RecordingError> {
    let mut found = String::new();
    for name in SAMPLES {
        let (lines, read) = read(&sample(name))?;
        assert!(read.problems.is_empty(), "{name}: {:?}", read.problems);
        found.push_str(&format!("# {name}: {}, {} runs\n{}\n\n", read.form, read.runs, lines.join("\n")));
    }
    assert!(found == EXPECTED, "found:\n{found}");
    Ok(())
}

const SAMPLES: [&str; 13] = [
    "openhands-events.json",
    "openhands-events",
    "openhands-output.jsonl",
    "openhands-sdk.jsonl",
    "claude-code.jsonl",
    "claude-code-stream.jsonl",
    "codex.jsonl",
    "codex-early.jsonl",
    "atif.json",
    "chat.json",
    "chat-lines.jsonl",
    "chat-runs.jsonl",
    "steps.jsonl",
];

const EXPECTED: &str = include_str!("../../tests/recordings.txt");

/// A file of this content; the folder must outlive it.
fn written(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap_or_else(|error| panic!("{error}"));
    path
}

/// What becomes of a content: runs that were read and what was left out, or the error.
fn came_of(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = written(folder.path(), "r", content);
    let words = match read(&path) {
        Ok((lines, read)) => {
            let problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
            let steps = lines.iter().filter(|line| !line.starts_with("begin") && !line.starts_with("end")).count();
            format!("{} runs, {steps} steps; {}", read.runs, problems.join("; "))
        }
        Err(error) => error.to_string(),
    };
    words.replace(&path.display().to_string(), "r")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(sample(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A line of a sample is replaced by another.
fn with_line(name: &str, line: usize, by: &str) -> String {
    let text = text(name);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[line - 1] = by;
    lines.join("\n")
}

#[test]
fn a_broken_line_is_named_and_the_rest_is_read() {
    let cut = |name: &str, line: usize| {
        let text = text(name);
        let own = text.lines().nth(line - 1).unwrap_or_default();
        with_line(name, line, &own[..own.len() / 2])
    };
    let claude = "{\"type\":\"assistant\",\"message\":{\"role\":\"assistant\",\"content\":7}}";
    let table = [
        // Truncated.
        ("claude-code.jsonl", cut("claude-code.jsonl", 14), "1 runs, 4 steps; `r`, line 14, run 0, element 13: EOF"),
        ("codex.jsonl", cut("codex.jsonl", 9), "line 9, run 0, element 8: EOF while parsing a string, column"),
        ("openhands-sdk.jsonl", cut("openhands-sdk.jsonl", 3), "1 runs, 4 steps; `r`, line 3"),
        (
            "chat-lines.jsonl",
            cut("chat-lines.jsonl", 3),
            "line 4, run 0, element 3: a result of a call that nobody made",
        ),
        ("chat-runs.jsonl", cut("chat-runs.jsonl", 2), "2 runs, 8 steps; `r`, line 2, run 1: EOF"),
        ("openhands-output.jsonl", cut("openhands-output.jsonl", 1), "1 runs, 2 steps; `r`, line 1, run 0: EOF"),
        ("steps.jsonl", cut("steps.jsonl", 2), "1 runs, 2 steps; `r`, line 2, run 1: EOF"),
        // Of another type.
        ("claude-code.jsonl", with_line("claude-code.jsonl", 13, claude), "key `content`: expected a text or a list"),
        ("claude-code.jsonl", with_line("claude-code.jsonl", 13, "[]"), "expected an object, found a list"),
        (
            "codex.jsonl",
            with_line("codex.jsonl", 9, "{\"type\":\"response_item\",\"payload\":[]}"),
            "line 9, run 0, element 8: key `payload`: expected an object, found a list",
        ),
        (
            "codex.jsonl",
            with_line("codex.jsonl", 9, "{\"type\":\"response_item\",\"payload\":{\"type\":\"function_call\"}}"),
            "expected the key `name`",
        ),
        ("openhands-sdk.jsonl", with_line("openhands-sdk.jsonl", 3, "{\"kind\":3}"), "key `kind`: expected a text"),
        ("chat-lines.jsonl", with_line("chat-lines.jsonl", 3, "{\"role\":\"wizard\"}"), "`wizard` is none of system"),
        (
            "chat-lines.jsonl",
            with_line("chat-lines.jsonl", 3, "{\"role\":\"assistant\",\"tool_calls\":{}}"),
            "key `tool_calls`: expected a list, found an object",
        ),
        ("atif.json", text("atif.json").replace("\"agent\",\n   \"model", "\"angel\",\n   \"model"), "found `angel`"),
        (
            "atif.json",
            text("atif.json").replace("ATIF-v1.4", "ATIF-v9.0"),
            "key `schema_version`: expected `ATIF-v1.` and a number, found \"ATIF-v9.0\"",
        ),
        (
            "openhands-events.json",
            text("openhands-events.json").replacen("\"args\": {", "\"args\": 3, \"x\": {", 2),
            "key `args`",
        ),
        (
            "steps.jsonl",
            text("steps.jsonl").replace("\"Search[greeting]\"", "7"),
            "key `action`: expected a text, found a number",
        ),
        ("steps.jsonl", text("steps.jsonl").replace("\"steps\": [", "\"steps\": 3, \"x\": ["), "expected a recording"),
        // Other forms within.
        (
            "claude-code.jsonl",
            with_line("claude-code.jsonl", 13, "{\"role\":\"user\",\"content\":\"x\"}"),
            "line 13, run 0",
        ),
        (
            "codex.jsonl",
            text("codex.jsonl") + &text("chat-lines.jsonl"),
            "line 16, run 0, element 15: expected the key `type`",
        ),
        ("chat-lines.jsonl", text("chat-lines.jsonl") + &text("codex.jsonl"), "expected the key `role`"),
    ];
    for (name, content, expected) in table {
        let came = came_of(content.as_bytes());
        assert!(came.contains(expected), "{name}: expected `{expected}` in: {came}");
    }
}

#[test]
fn what_is_no_recording_is_refused_with_what_it_looks_like() {
    let table = [
        ("", "`r` is empty; expected a recording"),
        (" \n\n", "is empty"),
        ("nonsense", "looks like no JSON object or list"),
        ("[]", "looks like an empty list"),
        ("{}", "looks like an object without keys"),
        ("{\"a\": 1, \"b\": 2}\n{\"a\": 1}\n", "looks like lines, the first an object with `a`, `b`"),
        ("[{\"id\": 1}]", "looks like a list, first an object with `id`"),
        ("<!DOCTYPE html>\n<html></html>", "looks like no JSON object or list"),
        ("a\u{0}b", "is no text"),
        ("{\"terminal\": \"FINISHED\", \"evnts\": []}", "looks like an object with `terminal`, `evnts`"),
        ("{\"messages\": []}", "looks like an object with `messages`"),
    ];
    for (content, expected) in table {
        let came = came_of(content.as_bytes());
        assert!(came.contains(expected), "expected `{expected}` in: {came}");
        // All that is looked for is named.
        assert!(came.contains("an ATIF trajectory") && came.contains("a Codex session"), "{came}");
    }
}

#[test]
fn a_huge_line_takes_nothing_else_with_it() {
    let huge = format!("{{\"role\":\"user\",\"content\":\"{}\"}}", "x".repeat(66 << 20));
    let came = came_of(with_line("chat-lines.jsonl", 2, &huge).as_bytes());
    assert!(came.contains("1 runs, 4 steps; `r`, line 2, run 0, element 1: longer than 64 MiB"), "{came}");
    let huge = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}", "x".repeat(66 << 20));
    let came = came_of(with_line("chat-runs.jsonl", 2, &huge).as_bytes());
    assert!(came.contains("2 runs, 8 steps; `r`, line 2, run 1: longer than 64 MiB"), "{came}");
}

#[test]
fn lines_end_as_they_like() {
    let text = text("claude-code.jsonl");
    let expected = came_of(text.as_bytes());
    for other in
        [text.replace('\n', "\r\n"), text.replace('\n', "\n\n"), format!("\u{feff}{text}"), text.trim_end().to_owned()]
    {
        let came = came_of(other.as_bytes());
        assert_eq!(came, expected);
    }
}
