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

#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
    /// Where some servers put the thoughts: never the answer, but paid for.
    #[serde(default)]
    reasoning_content: Value,
    #[serde(default)]
    reasoning: Value,
    /// Calls by the interface's own means, which the loop does not offer.
    #[serde(default)]
    tool_calls: Value,
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
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    text: String,
}

impl Part {
    /// Whether it belongs to the answer, and is not what the model only thought.
    fn is_said(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| matches!(kind, "text" | "output_text"))
    }
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
    /// Bytes of everything that arrived, thoughts among it.
    bytes: u64,
}

impl Answer {
    /// Reads a body.
    pub(super) fn read(body: &[u8], endpoint: &Endpoint, salt: &Salt) -> Result<Self, Failure> {
        let lost = |reason: String| Failure::lost(Unavailability::Transient, reason);
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
        let count = |keys: [&str; 2]| keys.iter().find_map(|key| completion.usage.get(key)?.as_u64());
        Ok(Answer {
            input_tokens: count(["prompt_tokens", "input_tokens"]),
            output_tokens: count(["completion_tokens", "output_tokens"]),
            samples: completion.choices.into_iter().map(|choice| sample(choice, endpoint, salt)).collect(),
        })
    }

    /// What it cost. Where the server does not say it, or says 0 of something that was there, four bytes are a token,
    /// and every sample counts.
    pub(super) fn usage(&self, model: &Model, sent: u64) -> Usage {
        let received: u64 = self.samples.iter().map(|sample| sample.bytes).sum();
        let counted = |tokens: Option<u64>, bytes: u64| tokens.filter(|tokens| *tokens > 0 || bytes == 0);
        let (sent_tokens, made_tokens) = (counted(self.input_tokens, sent), counted(self.output_tokens, received));
        let input_tokens = sent_tokens.unwrap_or_else(|| sent.div_ceil(4));
        let output_tokens = made_tokens.unwrap_or_else(|| received.div_ceil(4));
        let estimated = sent_tokens.is_none() || made_tokens.is_none();
        Usage { input_tokens, output_tokens, cost: model.cost(input_tokens, output_tokens), estimated }
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
    let Message { content, refusal, reasoning_content, reasoning, tool_calls } = choice.message.unwrap_or_default();
    let refusal = refusal.filter(|refusal| !refusal.trim().is_empty());
    let called = tool_calls.as_array().is_some_and(|calls| !calls.is_empty());
    let empty = match &content {
        Some(Content::Text(text)) => text.trim().is_empty(),
        Some(Content::Parts(parts)) => parts.iter().all(|part| !part.is_said() || part.text.trim().is_empty()),
        None => true,
    };
    let unusable = match (choice.finish_reason.as_deref(), &refusal) {
        (Some("length"), _) => Some("the answer was cut off: it has reached the most tokens it may have".to_owned()),
        (Some("content_filter"), _) => Some("the server's content filter held the answer back".to_owned()),
        (_, Some(refusal)) => Some(format!("the model refused: {}", endpoint.cleaned(refusal, salt))),
        _ if empty && called => Some(
            "a tool was called by the interface's own means; expected the call as text, in the form asked for"
                .to_owned(),
        ),
        _ if empty => Some("the answer has no text".to_owned()),
        _ => None,
    };
    // Some servers say the same under both names.
    let thought =
        [&reasoning_content, &reasoning].iter().filter_map(|text| text.as_str()).map(str::len).max().unwrap_or(0);
    let bytes = match &content {
        Some(Content::Text(text)) => text.len(),
        Some(Content::Parts(parts)) => parts.iter().map(|part| part.text.len()).sum(),
        None => 0,
    };
    let text = match content {
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => parts.into_iter().filter(Part::is_said).map(|part| part.text).collect(),
        None => String::new(),
    };
    let tokens: Option<Vec<Token>> =
        choice.logprobs.get("content").and_then(|tokens| Deserialize::deserialize(tokens).ok());
    let signal = signals::entropy(tokens.as_deref().unwrap_or_default());
    Sample { text: endpoint.without_key(text), unusable, signal, bytes: (bytes + thought) as u64 }
}
