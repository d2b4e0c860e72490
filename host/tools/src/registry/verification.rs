//! What a verifier looks for in a result.

use countersign_kernel::{Outcome, Verification};
use countersign_spec::Verifier;
use serde_json::{Map, Value};

use super::{Registry, ToolResult, VerifySpec, fill};
use crate::redact::{Salt, clean};

/// A call and its whole result.
#[derive(Debug)]
pub struct Called {
    /// The tool.
    pub tool: String,
    /// Canonical arguments, as the tool received them.
    pub arguments: String,
    /// What it said.
    pub text: String,
    /// How it went.
    pub outcome: Outcome,
}

/// What a verifier found, or needs to find something.
#[derive(Debug)]
pub enum Finding {
    /// The observation is what the tool promises.
    Holds,
    /// It is not.
    Problem {
        /// What was found instead.
        detail: String,
        /// The result no longer has its form.
        drifted: bool,
    },
    /// Another tool must read first what the call should have done.
    Read(Reading),
    /// A command must look.
    Check(Vec<String>),
}

/// A reading that shows whether a call has done what it should.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The tool that reads.
    pub tool: String,
    /// Canonical arguments of the reading.
    pub arguments: String,
    /// What it must show.
    pub shows: String,
}

impl Finding {
    fn problem(detail: String) -> Self {
        Finding::Problem { detail, drifted: false }
    }

    /// As it is recorded. What only needs something found nothing.
    pub fn verification(&self, verifier: &Verifier, salt: &Salt) -> Verification {
        let (holds, detail, drifted) = match self {
            Finding::Holds => (true, "", false),
            Finding::Problem { detail, drifted } => (false, detail.as_str(), *drifted),
            Finding::Read(_) | Finding::Check(_) => (false, "nobody has looked", false),
        };
        Verification { verifier: verifier.clone(), holds, drifted, detail: clean(detail, 512, salt).to_string() }
    }
}

impl Reading {
    /// What the reading's result means. What a reading that fails says is no reading.
    pub fn judge(&self, seen: Option<&ToolResult>) -> Finding {
        let tool = &self.tool;
        match seen.filter(|seen| matches!(seen.outcome, Outcome::Returned { ok: true, .. })) {
            None => Finding::problem(format!("`{tool}` could not read it back")),
            Some(seen) if seen.text.contains(&self.shows) => Finding::Holds,
            Some(_) => Finding::problem(format!("`{tool}` does not show `{}`", self.shows)),
        }
    }
}

impl Registry {
    /// Looks at a result, as far as that can be done without calling anything.
    pub fn look(&self, verifier: &Verifier, called: &Called) -> Finding {
        let Outcome::Returned { exit_code, .. } = called.outcome else {
            return Finding::problem("there is no result to look at".to_owned());
        };
        match (verifier, self.spec(&called.tool).and_then(|spec| spec.verify.as_ref())) {
            (Verifier::ExitCode(wanted), _) => match exit_code {
                Some(found) if found == *wanted => Finding::Holds,
                Some(found) => Finding::problem(format!("expected exit code {wanted}, found {found}")),
                None => Finding::problem(format!("expected exit code {wanted}, it was ended by a signal")),
            },
            (Verifier::ResultSchema, _) => match self.result_problem(&called.tool, &called.text) {
                None => Finding::Holds,
                Some(detail) => Finding::Problem { detail, drifted: true },
            },
            (Verifier::ReadBack(_), Some(VerifySpec::ReadBack(read))) => {
                let values: Value = serde_json::from_str(&called.arguments).unwrap_or_default();
                let own = |name: &String| values.get(name).map(|value| (name.clone(), value.clone()));
                let arguments: Map<String, Value> = read.arguments.iter().filter_map(own).collect();
                Finding::Read(Reading {
                    tool: read.tool.clone(),
                    arguments: crate::canonical(&Value::Object(arguments)),
                    shows: fill(&read.shows, &values),
                })
            }
            (Verifier::Checker(_), Some(VerifySpec::Checker(words))) => Finding::Check(words.clone()),
            _ => Finding::problem("its verifier is not there".to_owned()),
        }
    }
}
