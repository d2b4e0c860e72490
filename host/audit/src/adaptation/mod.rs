//! The adaptation log: what was recommended, what was decided, and what came of it (specification
//! B10). It is what thresholds are recalibrated from; nothing reads it during a run.
//!
//! A trace alone gives it: [`derive()`] gives the same lines from any trace, whoever wrote it, so that nothing is
//! written twice. A backtest leaves one, `adaptation.jsonl`, for all runs of its folder. No words of people, models,
//! tools or policies are in it, other than names.
//!
//! # Format
//!
//! One JSON object a line, a [`Triple`], in the order in which all was known of them. What a run that
//! waits has not settled stands at the end, as it is.
//!
//! | key | what it says |
//! |---|---|
//! | `run`, `frame`, `at` | which run, which frame of its trace, when (UTC milliseconds) |
//! | `slot`, `class` | which slot was heard; class of the task, where somebody classified it |
//! | `about` | [tool, nature and confidence](About) of what the slot was asked about |
//! | `recommendation` | [verdict, score and who gave it](Recommendation), of the slot's policies together |
//! | `policies` | [each of them](PolicyAnswer): entry, `name@version`, digests of component and configuration, verdict, its answer without its words |
//! | `decision` | [what was done](Did), which person decided, who wanted a person asked |
//! | `outcome` | [what came of it](Came): of the call by its number, or of the run by its code, with what it used after the recommendation |
//!
//! Lines are written for
//!
//! | slot | when | outcome |
//! |---|---|---|
//! | `classifier` | always | the run's |
//! | `confidence` | always | of the call that the answer proposes, or of the claim that it makes; else the run's |
//! | `risk` | always | the call's |
//! | `remediation` | always | that of the next call of the same tool; else the run's |
//! | `doom-loop` | when it says more than `proceed` | the run's |
//! | `threshold` | when it says more than `proceed` | the call's where it was asked about one; else the run's |
//! | `estimator` | when it estimates something | the run's: what it used is what the estimate was of |
//!
//! A call that a person is asked about is one line, however often it is proposed, asked for and judged
//! again until it runs. Of more than 4,096 lines that wait for their outcome the oldest are written with
//! the outcome `open`.
//!
//! ```text
//! {"run":"3f2a…","frame":2,"at":1767225600000,"slot":"risk","class":"general",
//!  "about":{"tool":"refund","category":"payment","reversibility":"irreversible","blast-radius":1,…},
//!  "recommendation":{"verdict":"notify","score":0.04,"by":["risk"]},
//!  "policies":[{"entry":"risk","policy":"risk@0.1.0","component":"sha256:…","configuration":"sha256:…",
//!               "mode":"enforce","verdict":"notify","answer":{"risk":{"verdict":"notify","score":0.04}}}],
//!  "decision":{"did":"approved","by":"lead","asked-by":["ceiling"]},
//!  "outcome":{"came":"verified","call":0}}
//! ```

mod file;
mod fold;
mod open;
mod recommended;
mod slots;
mod triple;
mod used;

pub use file::{AdaptationError, WriteError, derive, derive_from};
pub(crate) use file::{AdaptationFile, FILE};
pub use fold::Triples;
pub use triple::{About, Came, Decision, Did, Outcome, PolicyAnswer, Recommendation, Triple, Used};
