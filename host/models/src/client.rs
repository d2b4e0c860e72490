//! One call of a model: request, time-out, cancellation, and what became of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use countersign_kernel::contract::{Digest, Tier, sha256};
use countersign_kernel::{ModelRequest, Purpose, Reply, Unavailability, Usage};
use countersign_spec::Model;
use countersign_tools::SettingsError;
use countersign_tools::redact::Salt;
use countersign_tools::secret::{self, SecretError};

use super::answer::Answer;
use super::registry::{ModelSpec, OutputLimitKey, Registry, StructuredOutput};
use super::request::{Message, NamedSchema, Request, ResponseFormat, Role};
use super::schema::step_schema;
use super::tools::Tools;
use super::transport::{Endpoint, Failure};
use crate::prompt::messages;
use crate::reply::Parsed;

/// Alternatives of a token that are asked for: most of what a token might have been is among five.
const ALTERNATIVES: u8 = 5;
/// How often somebody looks whether a call is to be given up.
const LOOK: Duration = Duration::from_millis(50);

/// The models of a registry, ready to be called. A call blocks: not from within an async task.
pub struct Client {
    served: BTreeMap<(Tier, String), Served>,
    /// Of this client alone, and at work only while a call is under way.
    runtime: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.served.values().map(|served| &served.told)).finish()
    }
}

struct Served {
    spec: ModelSpec,
    model: Model,
    endpoint: Endpoint,
    /// Which model, in messages.
    told: String,
}

impl Client {
    /// Reads the secrets and prepares the endpoints. Nothing is called.
    ///
    /// # Errors
    /// A secret that is not there, or an endpoint that cannot be called from here, by file and key.
    pub fn new(registry: &Registry) -> Result<Self, SettingsError> {
        Self::with_environment(registry, &|name| std::env::var_os(name))
    }

    fn with_environment(
        registry: &Registry,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        let mut served = BTreeMap::new();
        for (place, tier, spec) in registry.places() {
            let refused = |(key, problem): (&str, String)| {
                // The key's own place, where that is what is wrong.
                let key = match key {
                    "key" if spec.key_file.is_some() => "key-file",
                    "key" => "key-env",
                    key => key,
                };
                SettingsError::invalid(registry.file(), &format!("{place}.{key}"), problem)
            };
            let file = spec.key_file.as_deref();
            let secret = secret::read(spec.key_env.as_deref(), file, registry.folder(), environment);
            let secret = secret.map_err(|error| {
                refused(match error {
                    SecretError::Two => ("key-env", "stands beside `key-file`; expected at most one".to_owned()),
                    SecretError::Variable { variable, problem } => {
                        let problem = format!(
                            "names `{variable}`, which is {problem}; set it in the environment of this command"
                        );
                        ("key-env", problem)
                    }
                    SecretError::File { path, problem } => {
                        ("key-file", format!("names `{}`: {problem}; put the key there", path.display()))
                    }
                })
            })?;
            let endpoint = Endpoint::new(spec, secret.as_ref()).map_err(refused)?;
            let told = format!("{tier} model `{}`", spec.name);
            let key = (tier, spec.name.clone());
            served.insert(key, Served { spec: spec.clone(), model: spec.pinned(tier), endpoint, told });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|source| SettingsError::Io { path: registry.file().into(), source })?;
        Ok(Client { served, runtime: Some(runtime) })
    }

    /// Calls a model of a tier by its id. `max_output_tokens` is what was reserved, for all samples together. A
    /// call that is given up gives no answer at once: dropping it closes its connection. What comes back is the
    /// answer, what it used, and the digest of the request's body; none where there was nobody to send it to.
    pub fn call(
        &self,
        (tier, model): (Tier, &str),
        request: &ModelRequest,
        tools: &Tools<'_>,
        max_output_tokens: u64,
        salt: &Salt,
        cancel: Option<&AtomicBool>,
    ) -> (Parsed, Usage, Option<Digest>) {
        let (Some(served), Some(runtime)) = (self.served.get(&(tier, model.to_owned())), &self.runtime) else {
            let failure = Failure::new(Unavailability::Permanent, format!("there is no {tier} model `{model}`"));
            return (unavailable(failure), Usage::default(), None);
        };
        let patch = matches!(request.purpose, Purpose::Patch(_));
        let (system, user) = messages(request, tools.shown);
        let sent = (system.len() as u64).saturating_add(user.len() as u64);
        let body = served.request(system, user, max_output_tokens, patch);
        let request = serde_json::to_vec(&body).ok().map(|bytes| sha256(&bytes));
        let answer = runtime
            .block_on(served.within_time(&body, cancel))
            .and_then(|body| Answer::read(&body, &served.endpoint, salt));
        match answer {
            Ok(answer) => {
                let usage = answer.usage(&served.model, sent);
                let parsed = if patch {
                    Parsed { reply: answer.patch(salt), arguments: None }
                } else {
                    answer.step(tools, salt)
                };
                (parsed, usage, request)
            }
            Err(failure) => {
                let reason = served.endpoint.cleaned(&format!("{} {}", served.told, failure.reason), salt);
                // Nobody knows what of it was made: what was set aside for the answer stays spent.
                let usage = if failure.perhaps_made {
                    estimated(&served.model, sent.div_ceil(4), max_output_tokens)
                } else {
                    Usage::default()
                };
                (unavailable(Failure { reason, ..failure }), usage, request)
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A name that is still being looked up must hold nobody up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Served {
    /// What is sent. Help for a weaker model is free text, and of one answer.
    fn request(&self, system: String, user: String, reserved: u64, patch: bool) -> Request {
        let spec = &self.spec;
        let samples = if patch { 1 } else { spec.samples };
        let most = (reserved / u64::from(samples)).min(spec.max_output_tokens);
        let most = Some(u32::try_from(most).unwrap_or(u32::MAX));
        let mut request = Request {
            model: spec.name.clone(),
            messages: [Message { role: Role::System, content: system }, Message { role: Role::User, content: user }],
            temperature: spec.temperature,
            ..Request::default()
        };
        match spec.output_limit_key {
            OutputLimitKey::MaxTokens => request.max_tokens = most,
            OutputLimitKey::MaxCompletionTokens => request.max_completion_tokens = most,
        }
        if patch {
            return request;
        }
        request.n = (samples > 1).then_some(samples);
        request.logprobs = spec.logprobs.then_some(true);
        request.top_logprobs = spec.logprobs.then_some(ALTERNATIVES);
        request.response_format = match spec.structured_output {
            // Arguments are any object, which the strict form does not allow.
            StructuredOutput::JsonSchema => Some(ResponseFormat::JsonSchema {
                json_schema: NamedSchema { name: "step", schema: step_schema(), strict: false },
            }),
            StructuredOutput::JsonObject => Some(ResponseFormat::JsonObject),
            StructuredOutput::None => None,
        };
        request
    }

    /// Calls, until there is an answer, the time is over, or somebody gives it up.
    async fn within_time(&self, body: &Request, cancel: Option<&AtomicBool>) -> Result<Vec<u8>, Failure> {
        let time_out = Duration::from_millis(self.spec.time_out);
        let mut answer = pin!(tokio::time::timeout(time_out, self.endpoint.post(body)));
        let mut given_up = pin!(given_up(cancel));
        std::future::poll_fn(|context| {
            if given_up.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Failure::lost(Unavailability::Transient, "was not waited for: cancelled")));
            }
            answer.as_mut().poll(context).map(|answer| {
                answer.unwrap_or_else(|_| {
                    let reason = format!("did not answer within {} ms", self.spec.time_out);
                    Err(Failure::lost(Unavailability::Transient, reason))
                })
            })
        })
        .await
    }
}

/// Comes back when the flag is set.
async fn given_up(cancel: Option<&AtomicBool>) {
    let Some(cancel) = cancel else { return std::future::pending().await };
    while !cancel.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
}

/// What nobody has counted.
fn estimated(model: &Model, input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, cost: model.cost(input_tokens, output_tokens), estimated: true }
}

fn unavailable(failure: Failure) -> Parsed {
    let Failure { reason, class, retry_after, .. } = failure;
    Parsed { reply: Reply::Unavailable { reason, class, retry_after }, arguments: None }
}
