//! Asks the person at the client, where the client can: in the middle of a request as of old, or by a
//! request for input that the client repeats its call with, as of revision 2026-07-28.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign::kernel::{Approval, Decision};
use countersign::spec::Manifest;
use countersign::{reach, shown};
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, InputRequiredResult, ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};

/// Under which a person's answer comes back.
const KEY: &str = "countersign-approval";

/// How the person at the client can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Not at all.
    None,
    /// By a request of our own, while the call waits.
    Request,
    /// By a result that asks for input; the client repeats the call with it.
    Input,
}

/// How the client of a request can be asked.
pub fn way(context: &RequestContext<RoleServer>) -> Way {
    let can = context.client_capabilities().is_some_and(|capabilities| match capabilities.elicitation {
        // Neither named is a form, as older revisions have it.
        Some(elicitation) => elicitation.form.is_some() || elicitation.url.is_none(),
        None => false,
    });
    let version = context.protocol_version();
    match (can, version) {
        (false, _) => Way::None,
        (true, Some(version)) if version >= ProtocolVersion::V_2026_07_28 => Way::Input,
        (true, _) => Way::Request,
    }
}

/// What a person decides about: the call, why it is asked about, what it touches and whether it can be undone, and how
/// to see what does not fit.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub approval: &'a Approval,
    pub manifest: &'a Manifest,
    /// The command that shows all of it.
    pub all_of_it: &'a str,
}

fn form(asked: Asked<'_>) -> ElicitRequestParams {
    let Asked { approval, manifest, all_of_it } = asked;
    let call = shown::call(&approval.tool, &approval.arguments, all_of_it);
    let reason = shown::visible(&approval.reason);
    let (blast, way_back) = (reach::blast_radius(manifest, approval), reach::way_back(manifest, approval));
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: format!("Approve this call, once? {call}\n{reason}\nBlast radius: {blast}\nWay back: {way_back}"),
        // To accept the form is the answer: there is nothing to fill in.
        requested_schema: ElicitationSchema::new(BTreeMap::new()),
    }
}

/// Asks while the call waits. None where nobody answers in time or can be asked.
pub async fn ask(peer: &Peer<RoleServer>, asked: Asked<'_>, time_out: Duration) -> Option<Decision> {
    let answer = peer.create_elicitation_with_timeout(form(asked), Some(time_out)).await.ok()?;
    decision(&answer, asked.approval)
}

/// Questions that clients were given to answer with a repeat of their call.
///
/// The state that goes with one is a number used once and known to nobody else: what an agent can
/// read, an approval's token, is no answer.
#[derive(Debug, Default)]
pub struct Questions {
    /// By state, the fingerprint that is asked about.
    open: Mutex<BTreeMap<String, Arc<str>>>,
}

/// Most questions that are open at once; the rest wait for `countersign runs approve`.
const QUESTIONS: usize = 64;

impl Questions {
    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Arc<str>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a client gets that repeats its call with the person's answer.
    pub fn ask(&self, asked: Asked<'_>) -> std::io::Result<InputRequiredResult> {
        // Twice as long as an id of a run: nobody is to guess it.
        let state = format!("{}{}", countersign::random_id()?, countersign::random_id()?);
        let mut open = self.open();
        if open.len() >= QUESTIONS {
            open.clear();
        }
        open.insert(state.clone(), Arc::clone(&asked.approval.fingerprint));
        let request = InputRequest::Elicitation(ElicitRequest::new(form(asked)));
        Ok(InputRequiredResult::new(Some(BTreeMap::from([(KEY.to_owned(), request)])), Some(state)))
    }

    /// The person's answer that a repeated call brings, once. None where it brings none to a question
    /// about this very call; an inner none where the person decided nothing.
    pub fn answer(&self, request: &CallToolRequestParams, approval: &Approval) -> Option<Option<Decision>> {
        let fingerprint = self.open().remove(request.request_state.as_deref()?)?;
        let answer = request.input_responses.as_ref()?.get(KEY)?;
        let answer: ElicitResult = serde_json::from_value(answer.clone()).ok()?;
        (fingerprint == approval.fingerprint).then(|| decision(&answer, approval))
    }
}

fn decision(answer: &ElicitResult, approval: &Approval) -> Option<Decision> {
    let fingerprint = approval.fingerprint.clone();
    match answer.action {
        ElicitationAction::Accept => Some(Decision::Approved { fingerprint }),
        ElicitationAction::Decline => Some(Decision::Rejected { fingerprint: Some(fingerprint), instead: None }),
        // Put aside, not decided.
        _ => None,
    }
}
