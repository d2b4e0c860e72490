//! What can be told of a line of which nobody knows whether it is JSON: whose answer it waits for. Whoever asks and hears
//! nothing waits for ever, and so a number is looked for even in what no parser takes.

use rmcp::model::RequestId;

/// The keys that lead to what a call says.
const OF_ARGUMENTS: [&[u8]; 2] = [b"params", b"arguments"];

/// What a line seems to be.
#[derive(Debug, Default)]
pub struct Skimmed<'a> {
    /// The request that it is; none where it says none, or several.
    pub id: Option<RequestId>,
    /// What it asks for, as it is written.
    pub method: Option<&'a [u8]>,
    /// It is an answer, to which nothing is to be said.
    pub is_answer: bool,
    /// The arguments of a call, as far as the line goes.
    pub arguments: Option<&'a [u8]>,
}

/// Looks at a line once, whatever is in it, and remembers nothing else.
pub fn skim(line: &[u8]) -> Skimmed<'_> {
    let mut found = Skimmed::default();
    let (mut at, mut depth) = (0, 0_usize);
    // The keys that lead to where it is, of the two outermost objects.
    let mut keys: [&[u8]; 2] = [b"", b""];
    let mut arguments = None;
    let mut ids = 0;
    while at < line.len() {
        match line[at] {
            b'"' => {
                let end = end_of_text(line, at);
                let text = &line[at + 1..end.max(at + 1)];
                let next = after_blanks(line, end + 1);
                if matches!(depth, 1 | 2) && line.get(next) == Some(&b':') {
                    keys[depth - 1] = text;
                    let value = after_blanks(line, next + 1);
                    if depth == 1 && text == b"id" {
                        ids += 1;
                        found.id = id(&line[value..]);
                    } else if depth == 1 && text == b"method" && line.get(value) == Some(&b'"') {
                        let method = &line[value + 1..];
                        found.method = method.get(..end_of_text(line, value) - value - 1);
                    } else if depth == 1 && matches!(text, b"result" | b"error") {
                        found.is_answer = true;
                    } else if depth == 2 && keys == OF_ARGUMENTS && arguments.is_none() {
                        arguments = Some(value);
                        found.arguments = line.get(value..);
                    }
                    at = next;
                } else {
                    at = end;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 2
                    && keys == OF_ARGUMENTS
                    && let Some(begin) = arguments
                {
                    found.arguments = line.get(begin..=at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found.is_answer &= found.method.is_none();
    found.id = found.id.filter(|_| ids == 1);
    found
}

/// Where a text ends that begins here, or the line does.
fn end_of_text(line: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < line.len() && line[at] != b'"' {
        at += 1 + usize::from(line[at] == b'\\');
    }
    at.min(line.len())
}

fn after_blanks(line: &[u8], from: usize) -> usize {
    let blanks = line.iter().skip(from).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    (from + blanks).min(line.len())
}

/// A request's number or name, where one stands here.
fn id(line: &[u8]) -> Option<RequestId> {
    let end = match line.first()? {
        b'"' => end_of_text(line, 0) + 1,
        _ => line.iter().position(|byte| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r'))?,
    };
    serde_json::from_slice(line.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_answer_is_waited_for_is_told_of_what_no_parser_takes() {
        let bomb = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"m","params":{}"#, "[".repeat(200_000));
        for (line, id, method) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}"#, Some("7"), Some("tools/call")),
            (r#"{"id" : "a-b" , "method" : "ping"}"#, Some("a-b"), Some("ping")),
            (r#"{"method":"m","params":{"id":3,"a":"\ud800"},"id":-9}"#, Some("-9"), Some("m")),
            (r#"{"params":{"n":NaN,"m":1e999},"id":4}"#, Some("4"), None),
            (r#"{"params":"\"id\":5","id":6}"#, Some("6"), None),
            (&bomb, Some("7"), Some("m")),
            (r#"{"id":1,"method":"m","id":2}"#, None, Some("m")),
            (r#"{"id":1.5,"method":"m"}"#, None, Some("m")),
            (r#"{"id":null}"#, None, None),
            (r#"{"id":"#, None, None),
            (r#"{"id":12"#, None, None),
            (r#"[{"id":1}]"#, None, None),
            ("Content-Length: 12", None, None),
            ("", None, None),
            ("\"", None, None),
            ("{\"\\", None, None),
        ] {
            let found = skim(line.as_bytes());
            let shown = found.id.map(|id| id.to_string());
            assert_eq!(
                (shown.as_deref(), found.method),
                (id, method.map(str::as_bytes)),
                "{}",
                &line[..line.len().min(80)]
            );
        }
    }

    #[test]
    fn the_arguments_of_a_call_are_measured_wherever_they_stand() {
        for (line, expected) in [
            (r#"{"id":1,"params":{"name":"x","arguments":{"a":[{"b":1}]},"_meta":{}}}"#, Some(r#"{"a":[{"b":1}]}"#)),
            (r#"{"id":1,"params":{"arguments":{},"name":"arguments"}}"#, Some("{}")),
            (r#"{"id":1,"params":{"name":"x"},"arguments":{"a":1}}"#, None),
            (r#"{"id":1,"params":{"_meta":{"arguments":{"a":1}}}}"#, None),
            // As far as the line goes.
            (r#"{"id":1,"params":{"arguments":{"a":"xxx"#, Some(r#"{"a":"xxx"#)),
        ] {
            assert_eq!(skim(line.as_bytes()).arguments, expected.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn nothing_is_said_to_an_answer() {
        for (line, expected) in [
            (r#"{"id":1,"result":{}}"#, true),
            (r#"{"id":null,"error":{"code":-32700,"message":"x"}}"#, true),
            (r#"{"id":1,"method":"m","params":{"result":1}}"#, false),
            (r#"{"id":1,"method":"m","result":1}"#, false),
        ] {
            assert_eq!(skim(line.as_bytes()).is_answer, expected, "{line}");
        }
    }
}
