//! A sink that is a signed POST.

use std::ffi::OsString;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use countersign_models::{address, http};
use countersign_tools::secret::{self, Secret, SecretError};

use super::spec::checked_time_out;
use super::{ID_HEADER, SIGNATURE_HEADER, SinkError, WebhookSpec, sign};
use crate::clock::utc_now;

/// Most retries a webhook may be given: a run waits for them.
const MOST_RETRIES: u32 = 10;
/// The first pause between two attempts; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a connection may take where a webhook is only tried out.
const TRYING: Duration = Duration::from_secs(2);

pub struct WebhookSink {
    url: String,
    secret: Secret,
    retries: u32,
    client: reqwest::Client,
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
        let client = http::client(&spec.url).and_then(|builder| {
            // Connecting has half of it, so that a failed connection can be told from a slow answer.
            let builder = builder.timeout(time_out).connect_timeout(time_out / 2);
            builder.build().map_err(|error| http::deepest(&error))
        });
        let client = client.map_err(|problem| SinkError::Client { sink, problem })?;
        Ok(WebhookSink { url: spec.url.clone(), secret, retries: spec.retries, client })
    }

    /// Whether somebody takes connections there. Nothing is sent. Behind a proxy nobody can tell.
    pub fn try_out(&self) -> Result<(), String> {
        let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        if proxies.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            return Ok(());
        }
        let url = reqwest::Url::parse(&self.url).map_err(|_| "its address cannot be read".to_owned())?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Ok(()) };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (host, port).to_socket_addrs().map_err(|error| format!("its name is not known: {error}"))?;
        let mut why = "its name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, TRYING) {
                Ok(_) => return Ok(()),
                Err(error) => why = format!("could not connect: {error}"),
            }
        }
        Err(why)
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
        let signature = sign(self.secret.bytes(), utc_now(), body);
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header(ID_HEADER, id)
            .header(SIGNATURE_HEADER, &signature)
            .body(body.to_vec());
        if tokio::runtime::Handle::try_current().is_ok() {
            // Only where no thread could be had for it: waiting here would hold up everything else.
            return Err(("there is no thread to send it from".to_owned(), true));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| (format!("nothing can be sent from here: {error}"), false))?;
        // Within the runtime: its time-out begins when it is made.
        let answer = runtime.block_on(async { request.send().await });
        // A name that is still being looked up is waited for by nobody.
        runtime.shutdown_background();
        match answer {
            Ok(answer) => match answer.status().as_u16() {
                200..=299 => Ok(()),
                status @ 300..=399 => Err((
                    format!("answered {status}: redirects are not followed; set `url` to the final address"),
                    false,
                )),
                status => Err((format!("answered {status}"), status == 429 || status >= 500)),
            },
            // Where it could not connect the receiver certainly has nothing of the item.
            Err(error) => Err((told(&error), error.is_connect() && !http::bad_certificate(&error))),
        }
    }
}

/// The address as it may be shown, of one that can be sent to.
pub fn checked_origin(sink: usize, url: &str) -> Result<String, SinkError> {
    address::checked(url).map_err(|problem| SinkError::Url { sink, problem })
}

/// What a failure may say: never the address, which may hold a secret.
fn told(error: &reqwest::Error) -> String {
    if error.is_builder() {
        return "the request cannot be built from `url` and the item's id".to_owned();
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => "could not connect within half of `time-out`".to_owned(),
        (false, true) => "did not answer within `time-out`".to_owned(),
        (true, false) => format!("could not connect: {}", http::deepest(error)),
        (false, false) => http::deepest(error),
    }
}
