//! How sure a model was, measured on its answer: what the confidence policy weighs instead of the
//! model's own word (specification B3).

use countersign_kernel::contract::{Orientation, Signal};
use countersign_kernel::{Action, Reply};
use serde::Deserialize;

/// One token of an answer, and what else might have stood there.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    pub top_logprobs: Option<Vec<Alternative>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alternative {
    #[serde(default)]
    pub logprob: Option<f64>,
}

/// Mean entropy of the tokens in nats, as the signal `logprob_entropy`.
///
/// A server offers only the likeliest alternatives of a token, so their probabilities are made to sum
/// to 1. That leaves out the tail and gives somewhat less than the true entropy, the same way for every
/// answer of a model. A token with a single alternative counts as certain, as it is where a grammar
/// leaves no choice; where no token has two, nothing was measured.
pub(super) fn entropy(tokens: &[Token]) -> Option<Signal> {
    let entropies: Vec<f64> = tokens.iter().filter_map(token_entropy).collect();
    let choices = tokens.iter().any(|token| finite(token).nth(1).is_some());
    if entropies.is_empty() || !choices {
        return None;
    }
    // Fewer than 2^53 tokens: the count is exact.
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    let mean = entropies.iter().sum::<f64>() / entropies.len() as f64;
    signal("logprob_entropy", mean, Orientation::Entropy)
}

fn finite(token: &Token) -> impl Iterator<Item = f64> {
    let offered = token.top_logprobs.iter().flatten();
    offered.filter_map(|alternative| alternative.logprob).filter(|logprob| logprob.is_finite())
}

fn token_entropy(token: &Token) -> Option<f64> {
    let largest = finite(token).reduce(f64::max)?;
    // Relative to the largest, so that nothing overflows and the sum is at least 1.
    let weights: Vec<f64> = finite(token).map(|logprob| (logprob - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let shares = weights.iter().map(|weight| weight / sum).filter(|share| *share > 0.0);
    Some(shares.map(|share| -share * share.ln()).sum())
}

/// Which of several answers counts, and how far the others agree with it: the action that most of them
/// want, the first such answer, and as `self_consistency` the share of all answers that want it. An
/// answer that is not in the form agrees with none. Of a single answer there is no share.
pub(super) fn majority(replies: &[Reply]) -> (usize, Option<Signal>) {
    let action = |reply: &Reply| match reply {
        Reply::Step(step) => Some(essence(&step.action)),
        _ => None,
    };
    let actions: Vec<Option<Action>> = replies.iter().map(action).collect();
    let votes = |index: usize| match &actions[index] {
        Some(action) => actions.iter().flatten().filter(|other| *other == action).count(),
        None => 0,
    };
    let mut chosen = (0, 0);
    for index in 0..actions.len() {
        // Only more votes displace an earlier answer.
        if votes(index) > chosen.1 {
            chosen = (index, votes(index));
        }
    }
    if replies.len() < 2 || chosen.1 == 0 {
        return (chosen.0, None);
    }
    #[expect(clippy::cast_precision_loss, reason = "at most a handful of samples")]
    let share = chosen.1 as f64 / replies.len() as f64;
    (chosen.0, signal("self_consistency", share, Orientation::Confidence))
}

/// What makes two actions the same one. A call is compared by its canonical arguments; a claim of
/// success is the same claim in other words.
fn essence(action: &Action) -> Action {
    match action {
        Action::Finish { claims, .. } => {
            let mut claims = claims.clone();
            claims.sort();
            claims.dedup();
            Action::Finish { summary: "".into(), claims }
        }
        other => other.clone(),
    }
}

/// A signal that the contract allows; none where a number is not one.
fn signal(name: &str, value: f64, orientation: Orientation) -> Option<Signal> {
    let signal = Signal { name: name.into(), value, orientation };
    (value.is_finite() && signal.check().is_ok()).then_some(signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::parse_step;
    use countersign_tools::Arguments;
    use countersign_tools::redact::Salt;
    use serde_json::{Value, json};

    fn tokens(value: Value) -> Vec<Token> {
        serde_json::from_value(value).unwrap_or_default()
    }

    fn of(alternatives: &[&[f64]]) -> Option<f64> {
        let token = |logprobs: &&[f64]| {
            let alternative = |logprob: &f64| Alternative { logprob: Some(*logprob) };
            Token { top_logprobs: Some(logprobs.iter().map(alternative).collect()) }
        };
        entropy(&alternatives.iter().map(token).collect::<Vec<_>>()).map(|signal| signal.value)
    }

    #[test]
    fn entropy_is_the_mean_over_tokens_of_what_is_offered() {
        let half = 0.5_f64.ln();
        let near = |found: Option<f64>, wanted: f64| {
            assert!(found.is_some_and(|found| (found - wanted).abs() < 1e-12), "{found:?} {wanted}");
        };
        near(of(&[&[half, half]]), std::f64::consts::LN_2);
        // The offered part alone counts: a tenth each of two is a fair choice.
        near(of(&[&[0.1_f64.ln(), 0.1_f64.ln()]]), std::f64::consts::LN_2);
        near(of(&[&[half, half], &[0.0]]), std::f64::consts::LN_2 / 2.0);
        near(of(&[&[0.0, -9999.0]]), 0.0);
        // Nothing that is no number gets in, or out.
        near(of(&[&[half, f64::NAN, half], &[f64::NEG_INFINITY, f64::INFINITY]]), std::f64::consts::LN_2);
        near(of(&[&[-1e308, -1e308]]), std::f64::consts::LN_2);
        near(of(&[&[1e308, -1e308]]), 0.0);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&[f64::NAN, f64::NAN]]), None);
        // One alternative alone is no measurement.
        assert_eq!(of(&[&[0.0], &[-0.1]]), None);
        assert!(entropy(&tokens(json!([{"token": "a", "logprob": -0.1}, {"top_logprobs": null}]))).is_none());
    }

    struct Any;

    impl Arguments for Any {
        fn problem(&self, _: &str, _: &Value) -> Option<String> {
            None
        }
    }

    #[test]
    fn the_action_that_most_want_counts() {
        let reply = |action: &str| {
            let text = format!(r#"{{"step":"s","action":{action},"reasoning":"r","status":"ok","confidence":0.5}}"#);
            parse_step(text.as_bytes(), Vec::new(), &Any, &Salt([0; 32])).reply
        };
        let (a, b) = (r#"{"tool":"a","arguments":{"x":1,"y":2}}"#, r#"{"tool":"b"}"#);
        // The same arguments, written otherwise.
        let again = r#"{"arguments": {"y": 2, "x": 1}, "tool": "a"}"#;
        let (done, also) = (r#"{"finish":"done"}"#, r#"{"finish":"all is well"}"#);
        let claimed = r#"{"finish":"done","claims":["a"]}"#;
        let table: [(&[&str], usize, Option<f64>); 8] = [
            (&[a], 0, None),
            (&[a, again, b], 0, Some(2.0 / 3.0)),
            (&[b, a, again], 1, Some(2.0 / 3.0)),
            (&[b, a], 0, Some(0.5)),
            (&["nonsense", a], 1, Some(0.5)),
            (&["nonsense", "nonsense"], 0, None),
            (&[done, also], 0, Some(1.0)),
            (&[done, claimed, also], 0, Some(2.0 / 3.0)),
        ];
        for (actions, wanted, share) in table {
            let replies: Vec<Reply> = actions.iter().map(|action| reply(action)).collect();
            let (chosen, signal) = majority(&replies);
            assert_eq!((chosen, signal.map(|signal| signal.value)), (wanted, share), "{actions:?}");
        }
    }
}
