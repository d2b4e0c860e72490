//! A sink that is a signed POST.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::spec::checked_time_out;
use super::{ID_HEADER, SIGNATURE_HEADER, SinkError, WebhookSpec, sign};
use crate::address;
use crate::secret::{self, Secret, SecretError};

/// Most retries a webhook may be given: a run waits for them.
const MOST_RETRIES: u32 = 10;
/// The first pause between two attempts; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub struct WebhookSink {
    url: String,
    secret: Secret,
    retries: u32,
    agent: ureq::Agent,
}

impl WebhookSink {
    pub fn new(
        sink: usize,
        spec: &WebhookSpec,
        base_dir: &Path,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SinkError> {
        let time_out = checked_time_out(sink, spec.time_out)?;
        if spec.retries > MOST_RETRIES {
            let value = u64::from(spec.retries);
            return Err(SinkError::Number { sink, key: "retries", value, wanted: "0 to 10" });
        }
        let read = secret::read(spec.secret_env.as_deref(), spec.secret_file.as_deref(), base_dir, environment);
        let secret = match read {
            Ok(Some(secret)) => secret,
            Ok(None) => return Err(SinkError::Secret { sink, problem: "there is no secret to sign with" }),
            Err(SecretError::Two) => return Err(SinkError::Secret { sink, problem: "there are two secrets" }),
            Err(SecretError::Variable { variable, problem }) => {
                return Err(SinkError::SecretEnv { sink, variable, problem });
            }
            Err(SecretError::File { path, problem }) => return Err(SinkError::SecretFile { sink, path, problem }),
        };
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Somebody else's word must not decide where an item goes.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(time_out))
            // Shorter than the whole, so that a failed connection can be told from a slow answer.
            .timeout_resolve(Some(time_out / 2))
            .timeout_connect(Some(time_out / 2))
            // A kept connection may be dead by the time of the next item, which nobody could tell from
            // an item that was taken.
            .max_idle_connections(0)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        if address::is_local(&spec.url) {
            config = config.proxy(None);
        }
        let agent = config.build().new_agent();
        Ok(WebhookSink { url: spec.url.clone(), secret, retries: spec.retries, agent })
    }

    pub fn send(&self, id: &str, body: &[u8]) -> Result<(), String> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (why, again) = match self.post(id, body) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            if !again || attempt > self.retries {
                return Err(if attempt == 1 { why } else { format!("{why} (attempt {attempt})") });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One attempt. Why it failed, and whether it is worth another.
    fn post(&self, id: &str, body: &[u8]) -> Result<(), (String, bool)> {
        // The time of sending, not of the item: receivers judge by it whether a request is a replay.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let signature = sign(self.secret.bytes(), u64::try_from(now).unwrap_or(u64::MAX), body);
        let request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header(ID_HEADER, id)
            .header(SIGNATURE_HEADER, &signature);
        match request.send(body) {
            Ok(answer) => match answer.status().as_u16() {
                200..=299 => Ok(()),
                status @ 300..=399 => Err((
                    format!("answered {status}: redirects are not followed; set `url` to the final address"),
                    false,
                )),
                status => Err((format!("answered {status}"), status == 429 || status >= 500)),
            },
            Err(error) => Err((told(&error), never_connected(&error))),
        }
    }
}

/// The address as it may be shown, of one that can be sent to.
pub fn checked_origin(sink: usize, url: &str) -> Result<String, SinkError> {
    address::checked(url).map_err(|problem| SinkError::Url { sink, problem })
}

/// What a failure may say: never the address, which may hold a secret.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "the request cannot be built from `url` and the item's id".into()
        }
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            "could not connect within half of `time-out`".into()
        }
        ureq::Error::Timeout(_) => "did not answer within `time-out`".into(),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
            "the proxy of the environment refused".into()
        }
        ureq::Error::HostNotFound => "the host of `url` cannot be found".into(),
        other => other.to_string(),
    }
}

/// Whether the receiver certainly has nothing of the item.
fn never_connected(error: &ureq::Error) -> bool {
    use std::io::ErrorKind;
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => true,
        ureq::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrNotAvailable
        ),
        _ => false,
    }
}
