//! What is sent: as much of a chat-completions request as a run uses.

use serde::Serialize;
use serde_json::Value;

/// A request for one step or one patch; what is `None` is not sent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Request {
    pub model: String,
    pub messages: [Message; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// What compatible servers know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// What the published API wants in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// Samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Message {
    pub role: Role,
    pub content: String,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    #[default]
    System,
    User,
}

/// The form that a server is to hold the answer to.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponseFormat {
    JsonSchema { json_schema: NamedSchema },
    JsonObject,
}

#[derive(Debug, Serialize)]
pub(super) struct NamedSchema {
    pub name: &'static str,
    pub schema: Value,
    pub strict: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_says_what_it_means_and_no_more() -> Result<(), serde_json::Error> {
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        let request = Request {
            model: "m".to_owned(),
            messages: [message(Role::System, "be brief"), message(Role::User, "hello")],
            max_tokens: Some(7),
            response_format: Some(ResponseFormat::JsonObject),
            ..Request::default()
        };
        let sent = json!({
            "model": "m",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}],
            "max_tokens": 7,
            "response_format": {"type": "json_object"},
        });
        assert_eq!(serde_json::to_value(&request)?, sent);
        let schema = NamedSchema { name: "step", schema: json!({"type": "object"}), strict: false };
        let format = ResponseFormat::JsonSchema { json_schema: schema };
        let sent = json!({
            "type": "json_schema",
            "json_schema": {"name": "step", "schema": {"type": "object"}, "strict": false},
        });
        assert_eq!(serde_json::to_value(&format)?, sent);
        Ok(())
    }
}
