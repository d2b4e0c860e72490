//! Lines of a server that nobody can read: half of a surrogate pair, bytes that are no UTF-8, a `NaN`. Where such a line is
//! the answer to a request, whoever waits for it is told at once, and why; else it would wait until its time is over.

use rmcp::RoleClient;
use rmcp::model::ErrorCode;
use rmcp::service::RxJsonRpcMessage;
use serde_json::{Value, json};

use super::process::plain;
use super::skim::skim;

/// Most bytes of what the parser says about it.
const MOST_CAUSE: usize = 256;

/// What stands in the place of answers of one server.
#[derive(Debug)]
pub(super) struct LostAnswers {
    server: String,
    /// That it writes other things than messages was said once.
    was_said: bool,
}

impl LostAnswers {
    pub fn of(server: &str) -> Self {
        LostAnswers { server: server.to_owned(), was_said: false }
    }

    /// The line that is to be read instead of this one; none where it can be read, or nobody waits for it.
    pub fn instead_of(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let text = line.trim_ascii();
        if text.is_empty() {
            return None;
        }
        let skimmed = skim(text);
        let cause = match serde_json::from_slice::<Value>(text) {
            // In two steps: the protocol's own types say of what is no JSON only that it is none of theirs.
            Ok(value) if skimmed.is_answer => serde_json::from_value::<RxJsonRpcMessage<RoleClient>>(value).err()?,
            Ok(_) => return None,
            Err(cause) => cause,
        };
        let cause = plain(&cause.to_string());
        let cause = &cause[..cause.floor_char_boundary(MOST_CAUSE)];
        let Some(id) = skimmed.id.filter(|_| skimmed.is_answer) else {
            if !std::mem::replace(&mut self.was_said, true) {
                tracing::warn!(server = self.server, cause, "a line of its output is no message, and is left out");
            }
            return None;
        };
        tracing::warn!(server = self.server, request = %id, cause, "an answer cannot be read");
        let message = format!("the server's answer cannot be read: {cause}; what the call has done is not known");
        // No code that says that nothing was done.
        let error = json!({"code": ErrorCode::INTERNAL_ERROR.0, "message": message});
        let mut instead = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string().into_bytes();
        instead.push(b'\n');
        Some(instead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_nobody_can_read_is_another_that_says_why() {
        let answer = |text: &[u8]| {
            let ends: [&[u8]; 3] =
                [br#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":""#, text, b"\"}]}}\n"];
            ends.concat()
        };
        let table: [(Vec<u8>, Option<&str>); 10] = [
            (answer(br"caf\udce9"), Some("surrogate")),
            (answer(b"caf\xe9"), Some("line 1")),
            (
                br#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"structuredContent":{"x":NaN}}}"#.into(),
                Some("line 1"),
            ),
            (
                br#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"structuredContent":{"x":-Infinity}}}"#.into(),
                Some("line 1"),
            ),
            (br#"{"jsonrpc":"2.0","id":7,"result":{"content":[}"#.into(), Some("line 1")),
            (br#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"\ud800"}}"#.into(), Some("line 1")),
            (answer("café".as_bytes()), None),
            (b"Debug: listing\n".into(), None),
            (br#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":NaN}}"#.into(), None),
            (b"\n".into(), None),
        ];
        for (line, expected) in table {
            let instead =
                LostAnswers::of("s").instead_of(&line).and_then(|line| serde_json::from_slice::<Value>(&line).ok());
            let shown = String::from_utf8_lossy(&line).into_owned();
            match (instead, expected) {
                (Some(instead), Some(cause)) => {
                    assert_eq!(instead["id"], 7, "{shown}");
                    let message = instead["error"]["message"].as_str().unwrap_or_default();
                    assert!(message.contains(cause) && message.contains("not known"), "{shown}: {message}");
                }
                (instead, expected) => assert_eq!((instead, expected), (None, None), "{shown}"),
            }
        }
    }
}
