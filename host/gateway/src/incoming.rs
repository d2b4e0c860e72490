//! One line of the client: a message of the protocol, or what is said of it at once. What is no JSON gets an answer too,
//! by the number of its request where there is one to be found.

use countersign::mcp::{marked_call, skim};
use countersign::tools::{MOST_ARGUMENTS, twice};
use rmcp::RoleServer;
use rmcp::model::{ErrorCode, ErrorData, RequestId};
use rmcp::service::RxJsonRpcMessage;
use serde_json::Value;

/// Longest line that is taken, in bytes: 16 MiB.
pub const MOST_LINE: usize = 16 << 20;

/// What a line is.
#[derive(Debug)]
pub enum Incoming {
    /// A message of the protocol.
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// None; this is said of it, of the request with this number where that is known.
    Refused(Option<RequestId>, ErrorData),
    /// Nothing that anybody waits for.
    Nothing,
}

/// Reads a line without its end.
pub fn read(line: &[u8]) -> Incoming {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Incoming::Nothing;
    }
    let skimmed = skim(line);
    let refused = |code, message: String| match skimmed.is_answer {
        // Two that answer each other's answers would never end.
        true => {
            tracing::warn!(problem = message, "an answer of the client is left out");
            Incoming::Nothing
        }
        false => Incoming::Refused(skimmed.id.clone(), ErrorData::new(code, message, None)),
    };
    let is_call = skimmed.method == Some(b"tools/call");
    let bytes = skimmed.arguments.map_or(0, <[u8]>::len);
    if is_call && bytes > MOST_ARGUMENTS {
        let problem = format!("`tools/call`: arguments of {bytes} bytes; at most {MOST_ARGUMENTS} are taken");
        return refused(ErrorCode::INVALID_PARAMS, problem);
    }
    let marked = if is_call { marked_call(line) } else { None };
    let value = match serde_json::from_slice::<Value>(marked.as_deref().unwrap_or(line)) {
        Ok(value) => value,
        Err(error) => return refused(ErrorCode::PARSE_ERROR, format!("that is no JSON that can be read: {error}")),
    };
    if value.is_array() {
        let problem = "one message a line, found a list; send each by itself".to_owned();
        return refused(ErrorCode::INVALID_REQUEST, problem);
    }
    let is_request = skimmed.method.is_some() && value.get("id").is_some();
    if is_request && let Some(key) = twice(line) {
        let code = if is_call { ErrorCode::INVALID_PARAMS } else { ErrorCode::INVALID_REQUEST };
        let problem = format!(
            "the key `{}` stands twice; programs differ on which of the two counts, so send it once",
            short(&key)
        );
        return refused(code, problem);
    }
    let is_notification = value.get("method").is_some() && value.get("id").is_none();
    match serde_json::from_value(value) {
        Ok(message) => Incoming::Message(Box::new(message)),
        // Of the protocol or not: nobody waits for an answer to it.
        Err(error) if is_notification => {
            tracing::debug!(%error, "a notification of the client is left out");
            Incoming::Nothing
        }
        Err(error) => refused(ErrorCode::INVALID_REQUEST, format!("that is no request of the protocol: {error}")),
    }
}

/// A line that is longer than any that is taken; `begin` is as much of it as was.
pub fn too_long(begin: &[u8]) -> Incoming {
    let skimmed = skim(begin);
    if skimmed.is_answer {
        return Incoming::Nothing;
    }
    let problem = format!("a message of more than {MOST_LINE} bytes; it is not looked at");
    Incoming::Refused(skimmed.id, ErrorData::new(ErrorCode::INVALID_REQUEST, problem, None))
}

fn short(key: &str) -> &str {
    &key[..key.floor_char_boundary(64)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#)
    }

    fn refusal(line: &[u8]) -> Option<(Option<String>, i32, String)> {
        match read(line) {
            Incoming::Refused(id, error) => {
                Some((id.map(|id| id.to_string()), error.code.0, error.message.into_owned()))
            }
            Incoming::Message(_) | Incoming::Nothing => None,
        }
    }

    #[test]
    fn what_nobody_can_read_is_answered_with_what_is_wrong() {
        let deep = |levels: usize| call(&format!("{}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels)));
        let huge = call(&format!(r#"{{"a":"{}"}}"#, "x".repeat(10 << 20)));
        let table: [(Vec<u8>, Option<&str>, i32, &str); 18] = [
            (call(r#"{"a":"\ud800"}"#).into(), Some("5"), -32700, "no JSON"),
            (call(r#"{"a":"\udc00x"}"#).into(), Some("5"), -32700, "no JSON"),
            (call(r#"{"a":NaN}"#).into(), Some("5"), -32700, "no JSON"),
            (call(r#"{"a":-Infinity}"#).into(), Some("5"), -32700, "no JSON"),
            (deep(200).into(), Some("5"), -32700, "recursion"),
            (deep(100_000).into(), Some("5"), -32700, "recursion"),
            (r#"{"jsonrpc":"2.0","id":6,"method":"ping","params":{"n":1e999}}"#.into(), Some("6"), -32700, "range"),
            (
                [&br#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{"n":""#[..], b"\xff\xfe\"}}"].concat(),
                Some("a"),
                -32700,
                "",
            ),
            ("Content-Length: 120".into(), None, -32700, "no JSON"),
            ("{".into(), None, -32700, "no JSON"),
            (r#"{"jsonrpc":"2.0","id":5,"method":"ping"} trailing"#.into(), Some("5"), -32700, "no JSON"),
            ("[]".into(), None, -32600, "found a list"),
            (r#"[{"jsonrpc":"2.0","id":5,"method":"ping"}]"#.into(), None, -32600, "found a list"),
            ("7".into(), None, -32600, "no request"),
            (r#"{"jsonrpc":"1.0","id":5,"method":"ping"}"#.into(), Some("5"), -32600, "no request"),
            (call(r#"{"path":"a","path":"b"}"#).into(), Some("5"), -32602, "the key `path` stands twice"),
            (call(r#"{"a":[{"b":1,"b":1}]}"#).into(), Some("5"), -32602, "the key `b` stands twice"),
            (huge.into(), Some("5"), -32602, "at most 1048576"),
        ];
        for (line, id, code, part) in table {
            let shown = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
            let Some((found, found_code, message)) = refusal(&line) else { panic!("{shown} was taken") };
            assert_eq!((found.as_deref(), found_code), (id, code), "{shown}: {message}");
            assert!(message.contains(part), "{shown}: {message}");
        }
    }

    #[test]
    fn what_can_be_read_is_taken() {
        for line in [
            call(r#"{"a":"\ud83d\ude00","b":1e30,"c":123456789012345678901234567890}"#),
            // A number that programs round is a matter of its own.
            call(r#"{"a":1e999}"#),
            call(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 19))),
            format!("\u{feff}{}\r", call("{}")),
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
        ] {
            let shown = &line[..line.len().min(100)];
            assert!(matches!(read(line.as_bytes()), Incoming::Message(_)), "{shown}");
        }
    }

    #[test]
    fn nobody_is_told_anything_who_waits_for_nothing() {
        for line in [
            "",
            "   \r",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"\ud800"}}"#,
            r#"{"id":7,"result":NaN}"#,
            r#"{"method":"x"}"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Incoming::Nothing), "{line}");
        }
        assert!(matches!(too_long(br#"{"id":3,"method":"ping","params":"#), Incoming::Refused(Some(_), _)));
        assert!(matches!(too_long(br#"{"id":3,"result":"#), Incoming::Nothing));
    }
}
