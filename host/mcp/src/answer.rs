//! What a call of a server's tool gives: as a run is told of it, and as the server said it.

use countersign_kernel::Outcome;
use countersign_tools::registry::ToolResult;
use rmcp::ServiceError;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ResourceContents};

use super::numbers;

/// An answer, or what came instead of one.
#[derive(Debug)]
pub struct Answer {
    /// As a run is told of it.
    pub outcome: Outcome,
    /// As it came, for whoever passes it on. A number that a reader of it would round stands in a text, digit by digit.
    pub raw: Result<CallToolResult, ServiceError>,
    /// Its structure is not, or not all, what the server gave.
    pub(super) is_changed: bool,
}

impl Answer {
    pub(super) fn new(raw: Result<CallToolResult, ServiceError>) -> Self {
        let outcome = match &raw {
            Ok(result) if result.is_error == Some(true) => Outcome::Returned { exit_code: Some(1), ok: false },
            Ok(_) => Outcome::Returned { exit_code: Some(0), ok: true },
            Err(error) => outcome(error),
        };
        let (raw, is_changed) = match raw {
            Ok(result) => exactly(result),
            Err(error) => (Err(told_exactly(error)), false),
        };
        Answer { outcome, raw, is_changed }
    }

    /// A call that was never sent, because nobody is there to receive it.
    pub(super) fn not_sent() -> Self {
        Answer { outcome: Outcome::Infrastructure, raw: Err(ServiceError::TransportClosed), is_changed: false }
    }

    /// The result of the call. Where JSON is `wanted`, structured content comes before text.
    pub fn result(&self, wanted: bool) -> ToolResult {
        let text = match &self.raw {
            Ok(result) => text(result, wanted),
            Err(ServiceError::McpError(error)) => error.message.to_string(),
            Err(ServiceError::Timeout { timeout }) => format!("no answer within {} ms", timeout.as_millis()),
            Err(_) if self.outcome == Outcome::Infrastructure => "the server has ended".to_owned(),
            Err(ServiceError::TransportClosed | ServiceError::TransportSend(_)) => {
                "the server ended during the call; what it had done by then is not known".to_owned()
            }
            Err(ServiceError::Cancelled { .. }) => {
                "the call was cancelled; what it had done by then is not known".to_owned()
            }
            Err(error) => error.to_string(),
        };
        ToolResult::new(self.outcome, text)
    }
}

/// What a failed request means for the call. Where the server may have done something, it is never
/// said that it has not.
fn outcome(error: &ServiceError) -> Outcome {
    match error {
        ServiceError::McpError(error) => match error.code {
            ErrorCode::INVALID_PARAMS
            | ErrorCode::METHOD_NOT_FOUND
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::PARSE_ERROR
            | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
            | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => Outcome::Rejected,
            // It failed on the way, nobody knows where.
            _ => Outcome::Returned { exit_code: None, ok: false },
        },
        ServiceError::TransportSend(_)
        | ServiceError::TransportClosed
        | ServiceError::Timeout { .. }
        | ServiceError::Cancelled { .. } => Outcome::TimedOut,
        // It answered something else than a result.
        _ => Outcome::Returned { exit_code: None, ok: false },
    }
}

/// A result without numbers that a reader would round, which stand in a text instead; and whether it has lost its
/// structure by that.
fn exactly(mut result: CallToolResult) -> (Result<CallToolResult, ServiceError>, bool) {
    let unkept = result.structured_content.as_ref().and_then(numbers::unkept).map(str::to_owned);
    let mut is_changed = false;
    if let (Some(number), Some(structured)) = (unkept, &result.structured_content) {
        let text = format!(
            "The structured result of this call holds numbers that programs would round, such as {number}; it is given \
             as text: {}",
            numbers::digit_by_digit(structured)
        );
        result.content.push(ContentBlock::text(text));
        result.structured_content = None;
        is_changed = true;
    }
    let rest = serde_json::to_value(&result).unwrap_or_default();
    if numbers::unkept(&rest).is_some()
        && let Some(rest) = numbers::without_unkept(rest)
        && let Ok(rest) = serde_json::from_value(rest)
    {
        result = rest;
    }
    (Ok(result), is_changed)
}

/// The same of an error's data.
fn told_exactly(error: ServiceError) -> ServiceError {
    let ServiceError::McpError(mut error) = error else { return error };
    if let Some(data) = error.data.take_if(|data| numbers::unkept(data).is_some()) {
        error.message = format!("{}\n{}", error.message, numbers::digit_by_digit(&data)).into();
    }
    ServiceError::McpError(error)
}

fn text(result: &CallToolResult, wanted: bool) -> String {
    let structured = || result.structured_content.as_ref().map(countersign_tools::canonical);
    if wanted
        && result.is_error != Some(true)
        && let Some(text) = structured()
    {
        return text;
    }
    let blocks: Vec<String> = result.content.iter().map(block).collect();
    let text = blocks.join("\n");
    if text.trim().is_empty() { structured().unwrap_or(text) } else { text }
}

/// A block in words: what is no text is only named, with its size.
fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("[image {}, {} bytes]", image.mime_type, decoded(&image.data)),
        ContentBlock::Audio(audio) => format!("[audio {}, {} bytes]", audio.mime_type, decoded(&audio.data)),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                let kind = mime_type.as_deref().unwrap_or("of an unknown type");
                format!("[resource {uri} {kind}, {} bytes]", decoded(blob))
            }
            _ => "[resource of an unknown kind]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => match link.size {
            Some(size) => format!("[resource {}, {size} bytes]", link.uri),
            None => format!("[resource {}]", link.uri),
        },
        _ => "[content of an unknown type]".to_owned(),
    }
}

/// Bytes that so much base64 stands for.
fn decoded(base64: &str) -> usize {
    let digits = base64.trim_end_matches('=').len();
    digits * 3 / 4
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use rmcp::ErrorData;
    use serde_json::{Value, json};

    use super::*;

    fn result(value: Value) -> Answer {
        Answer::new(Ok(serde_json::from_value(value).unwrap()))
    }

    #[test]
    fn a_result_becomes_text() {
        for (value, wanted, expected) in [
            (json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}), false, "a\nb"),
            (json!({"content": [{"type": "text", "text": "a"}], "structuredContent": {"a": 1}}), false, "a"),
            (json!({"content": [{"type": "text", "text": "a"}], "structuredContent": {"a": 1}}), true, r#"{"a":1}"#),
            (json!({"content": [], "structuredContent": {"b": 1, "a": 2}}), false, r#"{"a":2,"b":1}"#),
            (
                json!({"content": [{"type": "text", "text": "no"}], "structuredContent": {}, "isError": true}),
                true,
                "no",
            ),
            (
                json!({"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}),
                false,
                "[image image/png, 3 bytes]",
            ),
            (
                json!({"content": [{"type": "resource", "resource": {"uri": "x://1", "blob": "AA=="}}]}),
                false,
                "[resource x://1 of an unknown type, 1 bytes]",
            ),
            (json!({"content": [{"type": "resource_link", "uri": "x://1", "name": "one"}]}), false, "[resource x://1]"),
        ] {
            assert_eq!(result(value.clone()).result(wanted).text, expected, "{value}");
        }
    }

    #[test]
    fn a_number_that_would_be_rounded_is_told_digit_by_digit() {
        // As the reader of a message marks them.
        let long = "\u{F8FF}123456789012345678901234567890";
        let answer = result(json!({
            "content": [{"type": "text", "text": "ok"}],
            "structuredContent": {"a": 7, "c": [long]},
            "_meta": {"n": long, "m": 1},
        }));
        let passed = serde_json::to_value(answer.raw.unwrap()).unwrap();
        assert_eq!((&passed["structuredContent"], &passed["_meta"]), (&Value::Null, &json!({"m": 1})));
        let told = passed["content"][1]["text"].as_str().unwrap();
        assert!(told.ends_with(r#"{"a":7,"c":[123456789012345678901234567890]}"#), "{told}");
        let error = ErrorData::internal_error("no", Some(json!({"limit": long})));
        let told = Answer::new(Err(ServiceError::McpError(error))).result(false).text;
        assert_eq!(told, "no\n{\"limit\":123456789012345678901234567890}");
    }

    #[test]
    fn an_outcome_never_claims_more_than_is_known() {
        let good = result(json!({"content": []})).outcome;
        assert_eq!(good, Outcome::Returned { exit_code: Some(0), ok: true });
        // A tool that reports an error has run to its end: nothing about it is unknown.
        let bad = result(json!({"content": [], "isError": true})).outcome;
        assert_eq!(bad, Outcome::Returned { exit_code: Some(1), ok: false });
        let unknown = Outcome::Returned { exit_code: None, ok: false };
        let error = |code| ServiceError::McpError(ErrorData::new(code, "why", None));
        for (error, expected) in [
            (error(ErrorCode::INVALID_PARAMS), Outcome::Rejected),
            (error(ErrorCode::METHOD_NOT_FOUND), Outcome::Rejected),
            (error(ErrorCode::INTERNAL_ERROR), unknown),
            (error(ErrorCode(-32001)), unknown),
            (ServiceError::TransportClosed, Outcome::TimedOut),
            (ServiceError::Timeout { timeout: std::time::Duration::from_millis(5) }, Outcome::TimedOut),
            (ServiceError::UnexpectedResponse, unknown),
        ] {
            assert_eq!(Answer::new(Err(error)).outcome, expected);
        }
        assert_eq!(Answer::not_sent().outcome, Outcome::Infrastructure);
    }
}
