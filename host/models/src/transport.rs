//! HTTP to one endpoint: what is sent, how much is read, and what a failure means and says.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_kernel::Unavailability;
use countersign_tools::redact::{Salt, clean};
use countersign_tools::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use serde_json::Value;

use super::registry::ModelSpec;
use crate::http;
use crate::reply::MOST_REPLY_BYTES;

/// Most bytes that a failure says.
const MOST_REASON: usize = 300;
/// Most bytes that are read of a failure.
const MOST_ERROR: usize = 16 << 10;
/// What stands around the samples of an answer.
const OVERHEAD: usize = 64 << 10;
/// What the alternatives of one token take.
const TOKEN: usize = 1 << 10;
/// No answer is larger, whatever was asked for.
const MOST_BODY: usize = 64 << 20;
/// Shorter keys are placeholders of servers that want none, and words that an answer may well contain.
const LEAST_KEY: usize = 12;
/// What a key is replaced by.
const REPLACED: &str = "[redacted:model-key]";

/// Where a model is called.
pub(super) struct Endpoint {
    url: String,
    http: reqwest::Client,
    key: Option<Key>,
    /// Bytes that an answer may have.
    most: usize,
}

struct Key {
    header: HeaderValue,
    text: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub reason: String,
    pub class: Unavailability,
    pub retry_after: Option<u64>,
    /// The server has been sent the request and has not refused it: it may have made an answer, and bill it.
    pub perhaps_made: bool,
}

impl Failure {
    /// Nothing was made.
    pub(super) fn new(class: Unavailability, reason: impl Into<String>) -> Self {
        Failure { reason: reason.into(), class, retry_after: None, perhaps_made: false }
    }

    /// An answer that was lost on the way, came too late, or could not be read.
    pub(super) fn lost(class: Unavailability, reason: impl Into<String>) -> Self {
        Failure { perhaps_made: true, ..Failure::new(class, reason) }
    }
}

impl Endpoint {
    /// An endpoint that is not called yet.
    ///
    /// # Errors
    /// The key of the registry that is wrong, and why.
    pub(super) fn new(spec: &ModelSpec, secret: Option<&Secret>) -> Result<Self, (&'static str, String)> {
        let key = secret.map(Key::new).transpose()?;
        let refused = |error: String| ("endpoint", format!("cannot be called from here: {error}"));
        let http =
            http::client(&spec.endpoint).and_then(|builder| builder.build().map_err(|error| http::deepest(&error)));
        let http = http.map_err(refused)?;
        let tokens = usize::try_from(spec.max_output_tokens).unwrap_or(MOST_BODY);
        let details = if spec.logprobs { tokens.saturating_mul(TOKEN) } else { 0 };
        let sample = MOST_REPLY_BYTES.saturating_add(details);
        let most = sample.saturating_mul(spec.samples.into()).saturating_add(OVERHEAD).min(MOST_BODY);
        let url = format!("{}/chat/completions", spec.endpoint.trim_end_matches('/'));
        Ok(Endpoint { url, http, key, most })
    }

    /// Sends a request; the body of the answer.
    pub(super) async fn post(&self, request: &impl Serialize) -> Result<Vec<u8>, Failure> {
        let mut post = self.http.post(&self.url).json(request);
        if let Some(key) = &self.key {
            post = post.header(AUTHORIZATION, key.header.clone());
        }
        let mut response = post.send().await.map_err(|error| not_sent(&error))?;
        let status = response.status();
        if status.is_success() {
            return match read(&mut response, self.most).await {
                (body, Ended::Whole) => Ok(body),
                (_, Ended::TooLarge) => {
                    let reason = format!("sent more than {} bytes", self.most);
                    Err(Failure::lost(Unavailability::Permanent, reason))
                }
                (_, Ended::Broken(error)) => {
                    Err(Failure::lost(Unavailability::Transient, format!("broke off its answer: {error}")))
                }
            };
        }
        let retry_after = retry_after(response.headers(), now());
        // What arrived of a failure says enough.
        let (body, _) = read(&mut response, MOST_ERROR).await;
        let told = Told::of(&body);
        let mut failure = refused(status.as_u16(), &told);
        failure.retry_after = retry_after;
        Err(failure)
    }

    /// A text without the key, should a server repeat it, and without other secrets; then cut to size.
    pub(super) fn cleaned(&self, text: &str, salt: &Salt) -> String {
        let without = self.key.as_ref().map(|key| text.replace(&key.text, REPLACED));
        clean(without.as_deref().unwrap_or(text).trim(), MOST_REASON, salt).to_string()
    }

    /// An answer without the key.
    pub(super) fn without_key(&self, answer: String) -> String {
        match &self.key {
            Some(key) if key.text.len() >= LEAST_KEY && answer.contains(&key.text) => {
                answer.replace(&key.text, REPLACED)
            }
            _ => answer,
        }
    }
}

impl Key {
    fn new(secret: &Secret) -> Result<Self, (&'static str, String)> {
        let refused = |problem: &str| ("key", format!("{problem}; put the key there as the provider gives it"));
        let text = std::str::from_utf8(secret.bytes().trim_ascii()).map_err(|_| refused("is not a text"))?;
        if text.is_empty() {
            return Err(refused("is empty"));
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_| refused("contains a character that no header may have"))?;
        header.set_sensitive(true);
        Ok(Key { header, text: text.to_owned() })
    }
}

enum Ended {
    Whole,
    TooLarge,
    Broken(String),
}

async fn read(response: &mut reqwest::Response, most: usize) -> (Vec<u8>, Ended) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > most => return (body, Ended::TooLarge),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body, Ended::Whole),
            Err(error) => return (body, Ended::Broken(http::deepest(&error))),
        }
    }
}

/// What a server says of a failure.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// A number or a word.
    pub code: Option<String>,
    kind: Option<String>,
    message: String,
}

impl Told {
    fn of(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(mut object)) => match object.remove("error") {
                Some(error) => Told::from_value(&error),
                None => Told::from_value(&Value::Object(object)),
            },
            _ => Told { message: String::from_utf8_lossy(body).into_owned(), ..Told::default() },
        }
    }

    /// From the value of `error`: mostly an object, sometimes a text.
    pub(super) fn from_value(error: &Value) -> Self {
        let word = |key: &str| match error.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let message = match error {
            Value::String(text) => Some(text.clone()),
            _ => word("message").or_else(|| word("detail")),
        };
        Told { code: word("code"), kind: word("type"), message: message.unwrap_or_default() }
    }

    fn out_of_quota(&self) -> bool {
        [&self.code, &self.kind].into_iter().any(|word| word.as_deref() == Some("insufficient_quota"))
    }
}

/// What an HTTP status means for whoever calls.
pub(super) fn refused(status: u16, told: &Told) -> Failure {
    let class = match status {
        401 | 403 => Unavailability::AuthFailure,
        402 => Unavailability::QuotaExceeded,
        429 if told.out_of_quota() => Unavailability::QuotaExceeded,
        408 | 409 | 429 | 500..=599 => Unavailability::Transient,
        _ => Unavailability::Permanent,
    };
    let hint = match status {
        300..=399 => "; redirects are not followed, set `endpoint` to the final address",
        401 | 403 => "; check the key in `key-env` or `key-file`",
        404 => "; check `endpoint` and `name`",
        _ => "",
    };
    // Cut where the key is replaced, and not before: half of it would not be known again.
    let message = told.message.trim();
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    let reason = format!("answered {status}{hint}{message}");
    // Something between has not waited for the model any longer, which may have gone on.
    let perhaps_made = matches!(status, 499 | 504 | 524);
    Failure { perhaps_made, ..Failure::new(class, reason) }
}

fn not_sent(error: &reqwest::Error) -> Failure {
    let why = http::deepest(error);
    if http::bad_certificate(error) {
        return Failure::new(Unavailability::Permanent, format!("cannot be trusted: {why}"));
    }
    if error.is_builder() {
        return Failure::new(Unavailability::Permanent, format!("cannot be called: {why}"));
    }
    if error.is_connect() {
        return Failure::new(Unavailability::Transient, format!("cannot be reached: {why}"));
    }
    Failure::lost(Unavailability::Transient, format!("broke off the connection: {why}"))
}

/// Milliseconds that a server wants to be left alone: in milliseconds, in seconds, or until a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| millis(text, 1.0)) {
        return Some(milliseconds);
    }
    let text = text(RETRY_AFTER.as_str())?;
    if let Some(milliseconds) = millis(text, 1000.0) {
        return Some(milliseconds);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let wait = date.duration_since(now).unwrap_or_default();
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

fn millis(text: &str, unit: f64) -> Option<u64> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
    // Rounded up: asking a moment too early would be asking in vain.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
    Some((number * unit).ceil() as u64)
}

fn now() -> SystemTime {
    // A clock before 1970 is none.
    SystemTime::now().max(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_status_says_whether_to_ask_again() {
        use Unavailability::{AuthFailure, Permanent, QuotaExceeded, Transient};
        let quota = Told { code: Some("insufficient_quota".to_owned()), ..Told::default() };
        let table = [
            (400, Permanent),
            (401, AuthFailure),
            (402, QuotaExceeded),
            (403, AuthFailure),
            (404, Permanent),
            (408, Transient),
            (409, Transient),
            (422, Permanent),
            (429, Transient),
            (500, Transient),
            (503, Transient),
            (529, Transient),
            (302, Permanent),
        ];
        for (status, class) in table {
            assert_eq!(refused(status, &Told::default()).class, class, "{status}");
        }
        assert_eq!(refused(429, &quota).class, QuotaExceeded);
    }

    #[test]
    fn errors_are_read_in_every_form() {
        let table = [
            (r#"{"error":{"message":"no","code":"c","type":"t"}}"#, "no", Some("c")),
            (r#"{"error":{"message":"no","code":503}}"#, "no", Some("503")),
            (r#"{"error":"no"}"#, "no", None),
            (r#"{"message":"no"}"#, "no", None),
            (r#"{"detail":"no"}"#, "no", None),
            ("<html>no", "<html>no", None),
            ("[1]", "[1]", None),
            ("", "", None),
        ];
        for (body, message, code) in table {
            let told = Told::of(body.as_bytes());
            assert_eq!((told.message.as_str(), told.code.as_deref()), (message, code), "{body}");
        }
    }

    #[test]
    fn the_time_to_wait_in_every_form() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let table = [
            ("retry-after", "2", Some(2000)),
            ("retry-after", " 0.5 ", Some(500)),
            ("retry-after", "0", Some(0)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("retry-after", "1e300", Some(u64::MAX)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "soon", None),
            ("retry-after-ms", "20.2", Some(21)),
            ("date", "2", None),
        ];
        for (name, value, wanted) in table {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(retry_after(&headers, now), wanted, "{name}: {value}");
        }
    }
}
