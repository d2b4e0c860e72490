//! What a completion says. Only the few fields that count are read, and read leniently: compatible
//! servers leave out or change most of the others.

use countersign_kernel::contract::Signal;
use countersign_kernel::{Reply, Unavailability, Usage};
use countersign_spec::Model;
use countersign_tools::redact::Salt;
use serde::Deserialize;
use serde_json::Value;

use super::signals::{self, Token};
use super::tools::Tools;
use super::transport::{Endpoint, Failure, Told, refused};
use crate::reply::{Parsed, invalid, parse_patch, parse_step};

/// The body of an answer.
#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
    /// Some servers answer 200 and say here that there is no answer.
    #[serde(default)]
    error: Value,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Value,
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
}

/// One text, or several that belong together.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

/// An answer that arrived whole.
pub(super) struct Answer {
    samples: Vec<Sample>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

struct Sample {
    text: String,
    /// Why it does not count as an answer, whatever it says.
    unusable: Option<String>,
    signal: Option<Signal>,
}

impl Answer {
    /// Reads a body.
    pub(super) fn read(body: &[u8], endpoint: &Endpoint, salt: &Salt) -> Result<Self, Failure> {
        let lost = |reason: String| Failure::new(Unavailability::Transient, reason);
        let completion: Completion = serde_json::from_slice(body)
            .map_err(|error| lost(format!("sent something that is no completion: {error}")))?;
        if !completion.error.is_null() {
            let told = Told::from_value(&completion.error);
            let status = told.code.as_deref().and_then(|code| code.parse().ok()).unwrap_or(500);
            return Err(refused(status, &told));
        }
        if completion.choices.is_empty() {
            return Err(lost("sent a completion without an answer".to_owned()));
        }
        let count = |key: &str| completion.usage.get(key).and_then(Value::as_u64);
        Ok(Answer {
            input_tokens: count("prompt_tokens"),
            output_tokens: count("completion_tokens"),
            samples: completion.choices.into_iter().map(|choice| sample(choice, endpoint, salt)).collect(),
        })
    }

    /// What it cost. Where the server does not say it, four bytes are a token, and every sample counts.
    pub(super) fn usage(&self, model: &Model, sent: u64) -> Usage {
        let received: usize = self.samples.iter().map(|sample| sample.text.len()).sum();
        let input_tokens = self.input_tokens.unwrap_or_else(|| sent.div_ceil(4));
        let output_tokens = self.output_tokens.unwrap_or_else(|| (received as u64).div_ceil(4));
        Usage { input_tokens, output_tokens, cost: model.cost(input_tokens, output_tokens) }
    }

    /// One step: the one that most samples want, with what was measured beside it.
    pub(super) fn step(&self, tools: &Tools<'_>, salt: &Salt) -> Parsed {
        let parse = |sample: &Sample, signals: Vec<Signal>| match &sample.unusable {
            Some(reason) => Parsed { reply: invalid(reason.clone(), sample.text.as_bytes(), salt), arguments: None },
            None => parse_step(sample.text.as_bytes(), signals, tools.arguments, salt),
        };
        let replies: Vec<Reply> = self.samples.iter().map(|sample| parse(sample, Vec::new()).reply).collect();
        let (chosen, agreement) = signals::majority(&replies);
        match self.samples.get(chosen) {
            Some(sample) => parse(sample, sample.signal.iter().cloned().chain(agreement).collect()),
            None => Parsed { reply: invalid("there is no answer".to_owned(), b"", salt), arguments: None },
        }
    }

    /// Free text.
    pub(super) fn patch(&self, salt: &Salt) -> Reply {
        match self.samples.first() {
            Some(Sample { text, unusable: Some(reason), .. }) => invalid(reason.clone(), text.as_bytes(), salt),
            Some(sample) => parse_patch(sample.text.as_bytes(), salt),
            None => invalid("there is no answer".to_owned(), b"", salt),
        }
    }
}

fn sample(choice: Choice, endpoint: &Endpoint, salt: &Salt) -> Sample {
    let Message { content, refusal } = choice.message.unwrap_or(Message { content: None, refusal: None });
    let refusal = refusal.filter(|refusal| !refusal.trim().is_empty());
    let unusable = match (choice.finish_reason.as_deref(), &refusal, &content) {
        (Some("length"), ..) => Some("the answer was cut off: it has reached the most tokens it may have".to_owned()),
        (Some("content_filter"), ..) => Some("the server's content filter held the answer back".to_owned()),
        (_, Some(refusal), _) => Some(format!("the model refused: {}", endpoint.cleaned(refusal, salt))),
        (.., None) => Some("the answer has no text".to_owned()),
        _ => None,
    };
    let text = match content {
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => parts.into_iter().map(|part| part.text).collect(),
        None => String::new(),
    };
    let tokens: Option<Vec<Token>> =
        choice.logprobs.get("content").and_then(|tokens| Deserialize::deserialize(tokens).ok());
    let signal = signals::entropy(tokens.as_deref().unwrap_or_default());
    Sample { text: endpoint.without_key(text), unusable, signal }
}
