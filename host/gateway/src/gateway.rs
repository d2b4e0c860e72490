//! The gateway of one client: its servers, its run, and what becomes of each call.
//!
//! A call is ruled on and observed under the lock of the run; while it is made, nothing is locked, so that others are ruled
//! on and made beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::LiveHost;
use countersign::kernel::{Approval, Response, Stage};
use countersign::mcp::unkept;
use countersign::session::{CallDecision, Permit, Proposal, Refusal, Session, SessionError};
use countersign::store::SharedStore;
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio::sync::{Mutex, Notify, OnceCell};

use crate::approval::{self, Asked, Questions, Way};
use crate::error::GatewayError;
use crate::messages;
use crate::principal::{Met, PrincipalRun};
use crate::relay::{Shared, locked};
use crate::rulings::Ruling;
use crate::served::{Report, Served};
use crate::under_way::{OneUnderWay, UnderWay};
use crate::upstream::Upstream;

/// How long the gateway waits at its end for calls that are under way to be recorded.
const LEAVING: Duration = Duration::from_secs(2);

/// The gateway of one client.
pub struct Gateway {
    live: Arc<LiveHost>,
    pub(crate) served: Arc<Served>,
    store: SharedStore,
    pub(crate) shared: Arc<Shared>,
    pub(crate) upstream: OnceCell<Upstream>,
    /// There may be servers to watch.
    started: Notify,
    /// Calls of one run are ruled on and observed one after the other.
    pub(crate) run: Mutex<Option<PrincipalRun>>,
    /// Calls that are made at the moment.
    under_way: UnderWay,
    report: std::sync::Mutex<Report>,
    /// What the agent is told where nothing is forwarded, as of the last call.
    stopped: std::sync::Mutex<Option<String>>,
    questions: Questions,
}

/// What becomes of a call.
enum Ruled {
    Answer(CallToolResponse),
    Parked(Box<Approval>),
    /// It is to be made, and counts as under way from now on.
    Permitted(Permit, OneUnderWay),
}

impl Gateway {
    pub fn new(live: Arc<LiveHost>, served: Arc<Served>, store: SharedStore) -> Arc<Self> {
        Arc::new(Gateway {
            live,
            served,
            shared: Arc::default(),
            upstream: OnceCell::new(),
            started: Notify::new(),
            run: Mutex::new(None),
            under_way: UnderWay::default(),
            store,
            report: std::sync::Mutex::default(),
            stopped: std::sync::Mutex::default(),
            questions: Questions::default(),
        })
    }

    /// The servers behind, started with what the client can do.
    pub(crate) async fn upstream(&self, context: &RequestContext<RoleServer>) -> Result<&Upstream, ErrorData> {
        self.shared.set_client(&context.peer);
        let start = || async {
            let capabilities = context.client_capabilities().unwrap_or_default();
            Upstream::start(&self.served, &self.shared, capabilities).await
        };
        let upstream = self.upstream.get_or_try_init(start).await.map_err(internal);
        self.started.notify_one();
        upstream
    }

    /// The process ends. What is under way is recorded first, as far as it comes to an end by that.
    pub async fn leave(&self) -> Result<Report, GatewayError> {
        if let Some(upstream) = self.upstream.get() {
            upstream.close().await;
        }
        let _ = tokio::time::timeout(LEAVING, self.under_way.none()).await;
        let run = match self.run.lock().await.as_mut() {
            Some(principal) => principal.leave()?,
            None => None,
        };
        let mut report = locked(&self.report).clone();
        report.run = run;
        Ok(report)
    }

    fn count(&self, act: impl FnOnce(&mut Report)) {
        act(&mut locked(&self.report));
    }

    /// What a client gets for a call of a tool.
    pub(crate) async fn call(
        &self,
        upstream: &Upstream,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.count(|report| report.calls += 1);
        if let Some(number) = request.arguments.as_ref().and_then(|object| object.values().find_map(unkept)) {
            self.count(|report| report.held += 1);
            return Ok(error(messages::unkept(number)).into());
        }
        tokio::select! {
            () = upstream.heed_for(&request.name) => {}
            () = context.ct.cancelled() => return Err(internal("cancelled")),
        }
        let approval = match self.rule(upstream, request, context).await? {
            Ruled::Answer(answer) => return Ok(answer),
            Ruled::Permitted(permit, under_way) => {
                return self.forward(upstream, permit, under_way, request, context).await.map(CallToolResponse::from);
            }
            Ruled::Parked(approval) => approval,
        };
        // Where approvers have keys, whoever sits at the client has shown none.
        let anybody = self.served.deployment.approvers().is_empty();
        let way = if self.served.agent.ask_client && anybody { approval::way(context) } else { Way::None };
        let manifest = match (way, self.run.lock().await.as_mut()) {
            (Way::None, _) | (_, None) => None,
            (_, Some(principal)) => principal.current().map(|run| Arc::clone(run.run().manifest())),
        };
        let all_of_it = manifest.as_ref().map_or_else(String::new, |manifest| {
            format!("countersign runs show {} --store {} --json", manifest.run, self.store_file().display())
        });
        let asked = manifest.as_ref().map(|manifest| Asked { approval: &approval, manifest, all_of_it: &all_of_it });
        let decision = match (way, asked) {
            // The answer is one only to the question that this very call was answered with.
            (Way::Input, Some(asked)) => match self.questions.answer(request, &approval) {
                Some(decision) => decision,
                None => return self.questions.ask(asked).map(CallToolResponse::from).map_err(internal),
            },
            (Way::Request, Some(asked)) => {
                // Nobody else is held up meanwhile.
                let time_out = Duration::from_millis(self.served.agent.ask_time_out);
                approval::ask(&context.peer, asked, time_out).await
            }
            (Way::None, _) | (_, None) => None,
        };
        if let Some(decision) = decision.filter(|_| !context.ct.is_cancelled()) {
            if let Some(principal) = self.run.lock().await.as_mut()
                && let Some(run) = principal.current()
            {
                let entry = format!("client-{}", run.run().frames());
                // Somebody else may have been faster: then that counts.
                let _ = run.decide(&entry, &self.by(context), decision);
            }
            match self.rule(upstream, request, context).await? {
                Ruled::Answer(answer) => return Ok(answer),
                Ruled::Permitted(permit, under_way) => {
                    return self
                        .forward(upstream, permit, under_way, request, context)
                        .await
                        .map(CallToolResponse::from);
                }
                Ruled::Parked(_) => {}
            }
        }
        self.count(|report| report.held += 1);
        Ok(error(messages::parked(&approval)).into())
    }

    /// Rules on a call.
    async fn rule(
        &self,
        upstream: &Upstream,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Ruled, ErrorData> {
        let mut principal = self.run.lock().await;
        // Given up while it waited for its turn: nothing is proposed.
        if context.ct.is_cancelled() {
            return Err(internal("cancelled"));
        }
        let principal = principal.get_or_insert_with(|| self.principal(upstream));
        let name = &*request.name;
        let held = |text: String| {
            self.count(|report| report.held += 1);
            Ok(Ruled::Answer(error(text).into()))
        };
        // What no frame tells of: no run has ruled on it.
        let agent = &*self.served.name;
        let unruled = |slot: &str, reason: &str| {
            let ruling = "not-forwarded";
            Ruling { ruling, agent, tool: name, slot, reason, run: "", frame: None, next: "" }.log();
        };
        if !self.knows(principal, upstream, name)? {
            unruled("registry", "it has come since the run began, and other calls are under way");
            return held(messages::came_later(name));
        }
        let was_there = principal.tools().tools.contains_key(name);
        let run = match principal.run() {
            Ok(Met::Run(run)) => run,
            Ok(Met::Over(stop)) => {
                unruled(stop.code.name(), &stop.reason);
                return held(messages::stopped(&stop));
            }
            // An operator's word, for the agent to hear.
            Err(GatewayError::Session(SessionError::NotDispatched(refused))) => {
                unruled("operator", &refused.to_string());
                return held(messages::not_dispatched(&refused));
            }
            Err(barred @ GatewayError::Barred { .. }) => {
                unruled("run", &barred.to_string());
                return held(messages::not_dispatched(&barred));
            }
            Err(error) => return Err(internal(format!("Not forwarded: {error}"))),
        };
        let withheld = upstream.withheld(name, was_there);
        run.withhold(name, withheld.clone());
        let arguments = Value::Object(request.arguments.clone().unwrap_or_default());
        let proposal = Proposal::new(name, arguments);
        let decision = run.propose(proposal).map_err(|error| internal(format!("Not forwarded: {error}")))?;
        let ruled = match decision {
            CallDecision::Permitted(permit) => Ok(Ruled::Permitted(permit, self.under_way.one_more())),
            CallDecision::Parked(approval) => Ok(Ruled::Parked(approval)),
            CallDecision::Refused(refusal) => {
                let joined = upstream.joined();
                let out = joined.left_out.iter().find(|out| *out.tool == *name);
                // Nothing is wrong with the arguments.
                let refusal = match withheld {
                    Some(reason) => Refusal { stage: Some(Stage::Registry), response: Response::Defer, reason },
                    None => refusal,
                };
                held(out.map_or_else(|| messages::refused(&refusal), messages::left_out))
            }
            CallDecision::Noted(text) => {
                let noted = CallToolResult::success(vec![ContentBlock::text(messages::noted(&text))]);
                Ok(Ruled::Answer(noted.into()))
            }
            CallDecision::Stopped(stop) => {
                unruled(stop.code.name(), &stop.reason);
                held(messages::stopped(&stop))
            }
        };
        self.stands(run, name);
        ruled
    }

    /// Whether the run knows a tool as it is now. One that has come, or was accepted as another one, since the run began is
    /// known to the next run alone: that begins with this call, where no other is under way.
    fn knows(&self, principal: &mut PrincipalRun, upstream: &Upstream, name: &str) -> Result<bool, ErrorData> {
        let joined = upstream.joined();
        let Some(now) = joined.tools.get(name) else { return Ok(true) };
        if principal.tools().tools.get(name).is_some_and(|spec| spec.definition == now.definition) {
            return Ok(true);
        }
        if self.under_way.any() {
            return Ok(false);
        }
        principal.take_tools(joined).map_err(internal)?;
        Ok(true)
    }

    /// What is to be told of the run after a call of a tool: what monitor mode would have stopped, and whether nothing is
    /// forwarded any more.
    pub(crate) fn stands(&self, run: &mut Session, tool: &str) {
        for (verdict, by, reason) in run.take_would_have() {
            let line = format!("{tool}: would have stopped here, {by} says {verdict}: {reason}");
            self.count(|report| report.would_have.push(line));
        }
        *locked(&self.stopped) = Self::stops(run);
    }

    fn store_file(&self) -> &Path {
        &self.served.deployment.store().file
    }

    fn principal(&self, upstream: &Upstream) -> PrincipalRun {
        let (live, served, under_way) = (Arc::clone(&self.live), Arc::clone(&self.served), self.under_way.clone());
        PrincipalRun::new(live, served, upstream.joined(), Arc::clone(&self.store), under_way)
    }

    /// What the agent is told where nothing is forwarded; none where calls are.
    fn stops(run: &Session) -> Option<String> {
        let standing = run.standing();
        if let Some(stop) = &standing.stop {
            return Some(messages::stopped(stop));
        }
        standing.hold.as_ref().map(messages::held)
    }

    /// Where no call is forwarded, nothing is read either.
    pub(crate) fn may_read(&self, upstream: &Upstream) -> Result<(), ErrorData> {
        let stopped = match self.run.try_lock() {
            Ok(mut principal) => match principal.get_or_insert_with(|| self.principal(upstream)).last_run() {
                Ok(Some(Met::Run(run))) => Self::stops(run),
                Ok(Some(Met::Over(stop))) => Some(messages::stopped(&stop)),
                Ok(None) => None,
                Err(
                    refused @ (GatewayError::Session(SessionError::NotDispatched(_)) | GatewayError::Barred { .. }),
                ) => Some(messages::not_dispatched(&refused)),
                Err(error) => return Err(internal(error)),
            },
            // A call is ruled on, and not waited for.
            Err(_) => locked(&self.stopped).clone(),
        };
        stopped.map_or(Ok(()), |text| Err(ErrorData::invalid_request(text, None)))
    }

    fn by(&self, context: &RequestContext<RoleServer>) -> String {
        let client = context.client_info().map_or_else(|| "client".to_owned(), |info| info.name);
        format!("{} at {client}", self.served.name)
    }
}

/// An answer that tells an agent why there is no other.
pub(crate) fn error(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

pub(crate) fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// Ends the run when no call has come for as long as the file says.
pub async fn end_when_idle(gateway: Arc<Gateway>) {
    loop {
        let wait = gateway.run.lock().await.as_ref().and_then(PrincipalRun::idle_in);
        tokio::time::sleep(wait.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(50))).await;
        if let Some(principal) = gateway.run.lock().await.as_mut()
            && let Err(error) = principal.end_if_idle()
        {
            tracing::warn!(%error, "the idle run could not be ended");
        }
    }
}

/// Notices what becomes of servers while nobody calls them.
pub async fn watch_servers(gateway: Arc<Gateway>) {
    loop {
        match gateway.upstream.get() {
            Some(upstream) => {
                upstream.wait().await;
                upstream.heed().await;
            }
            None => gateway.started.notified().await,
        }
    }
}
