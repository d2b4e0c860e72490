//! What the agent talks to: tool calls are ruled on, everything else passes through.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::kernel::Approval;
use countersign::mcp::{Answer, Said, reads_json, split};
use countersign::session::{CallDecision, Observed, Permit, Proposal, Seen, Session, SessionError};
use countersign::store::SharedStore;
use countersign::{LiveHost, injected_tools};
use rmcp::model::*;
use rmcp::service::{RequestContext, ServiceError, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::approval::{self, Asked, Questions, Way};
use crate::error::GatewayError;
use crate::malformed;
use crate::messages;
use crate::principal::{Met, PrincipalRun};
use crate::served::{Report, Served};
use crate::upstream::{Shared, Upstream};

/// How often it is looked whether a server has ended.
const LOOK: Duration = Duration::from_millis(250);

/// The gateway of one client.
pub struct Gateway {
    live: Arc<LiveHost>,
    served: Arc<Served>,
    store: SharedStore,
    shared: Arc<Shared>,
    upstream: OnceCell<Upstream>,
    /// Calls of one run are taken one after the other: each is judged knowing what came of the last.
    run: Mutex<Option<PrincipalRun>>,
    report: std::sync::Mutex<Report>,
    /// What the agent is told where nothing is forwarded, as of the last call.
    stopped: std::sync::Mutex<Option<String>>,
    questions: Questions,
}

/// What becomes of a call.
enum Ruled {
    Answer(CallToolResponse),
    Parked(Box<Approval>),
}

impl Gateway {
    pub fn new(live: Arc<LiveHost>, served: Arc<Served>, store: SharedStore) -> Arc<Self> {
        Arc::new(Gateway {
            live,
            served,
            shared: Arc::default(),
            upstream: OnceCell::new(),
            run: Mutex::new(None),
            store,
            report: std::sync::Mutex::default(),
            stopped: std::sync::Mutex::default(),
            questions: Questions::default(),
        })
    }

    /// The servers behind, started with what the client can do.
    async fn upstream(&self, context: &RequestContext<RoleServer>) -> Result<&Upstream, ErrorData> {
        self.shared.set_client(&context.peer);
        let start = || async {
            let deployment = &self.served.deployment;
            let pins = countersign::mcp::pins_beside(deployment.file());
            let capabilities = context.client_capabilities().unwrap_or_default();
            Upstream::start(deployment, pins, &self.shared, capabilities).await
        };
        self.upstream.get_or_try_init(start).await.map_err(internal)
    }

    /// The process ends.
    pub async fn leave(&self) -> Result<Report, GatewayError> {
        if let Some(upstream) = self.upstream.get() {
            upstream.close().await;
        }
        let run = match self.run.lock().await.as_mut() {
            Some(principal) => principal.leave()?,
            None => None,
        };
        let mut report = self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        report.run = run;
        Ok(report)
    }

    fn count(&self, act: impl FnOnce(&mut Report)) {
        act(&mut self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// Rules on a call, and makes it where it may be made.
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
        let run = match principal.run() {
            Ok(Met::Run(run)) => run,
            Ok(Met::Over(stop)) => {
                self.count(|report| report.held += 1);
                return Ok(Ruled::Answer(error(messages::stopped(&stop)).into()));
            }
            // An operator's word, for the agent to hear.
            Err(GatewayError::Session(SessionError::NotDispatched(refused))) => {
                self.count(|report| report.held += 1);
                return Ok(Ruled::Answer(error(messages::not_dispatched(&refused)).into()));
            }
            Err(barred @ GatewayError::Barred { .. }) => {
                self.count(|report| report.held += 1);
                return Ok(Ruled::Answer(error(messages::not_dispatched(&barred)).into()));
            }
            Err(error) => return Err(internal(format!("Not forwarded: {error}"))),
        };
        let name = &*request.name;
        upstream.heed_ended(&self.shared).await;
        run.withhold(name, self.shared.withheld(name));
        let arguments = Value::Object(request.arguments.clone().unwrap_or_default());
        let proposal = Proposal::new(name, arguments);
        let held = |text: String| {
            self.count(|report| report.held += 1);
            Ok(Ruled::Answer(error(text).into()))
        };
        let decision = run.propose(proposal).map_err(|error| internal(format!("Not forwarded: {error}")))?;
        let ruled = match decision {
            CallDecision::Permitted(permit) => {
                let answer = self.forward(upstream, run, permit, request, context).await;
                answer.map(|answer| Ruled::Answer(answer.into()))
            }
            CallDecision::Parked(approval) => Ok(Ruled::Parked(approval)),
            CallDecision::Refused(refusal) => {
                let out = upstream.joined().left_out.iter().find(|out| *out.tool == *name);
                held(out.map_or_else(|| messages::refused(&refusal), messages::left_out))
            }
            CallDecision::Noted(text) => {
                let noted = CallToolResult::success(vec![ContentBlock::text(messages::noted(&text))]);
                Ok(Ruled::Answer(noted.into()))
            }
            CallDecision::Stopped(stop) => held(messages::stopped(&stop)),
        };
        self.told(run, name);
        *self.stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Self::stops(run);
        ruled
    }

    fn store_file(&self) -> &Path {
        &self.served.deployment.store().file
    }

    fn principal(&self, upstream: &Upstream) -> PrincipalRun {
        let (live, served, tools) = (&self.live, &self.served, upstream.joined());
        PrincipalRun::new(Arc::clone(live), Arc::clone(served), Arc::clone(tools), Arc::clone(&self.store))
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
    fn may_read(&self, upstream: &Upstream) -> Result<(), ErrorData> {
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
            // A call is under way, and not waited for.
            Err(_) => self.stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
        };
        stopped.map_or(Ok(()), |text| Err(ErrorData::invalid_request(text, None)))
    }

    /// Monitor mode says at once what it would have stopped.
    fn told(&self, run: &mut Session, tool: &str) {
        for (verdict, by, reason) in run.take_would_have() {
            let line = format!("{tool}: would have stopped here, {by} says {verdict}: {reason}");
            tracing::warn!("{line}");
            self.count(|report| report.would_have.push(line));
        }
    }

    fn by(&self, context: &RequestContext<RoleServer>) -> String {
        let client = context.client_info().map_or_else(|| "client".to_owned(), |info| info.name);
        format!("{} at {client}", self.served.name)
    }

    /// Makes a permitted call, with the arguments that were judged.
    async fn forward(
        &self,
        upstream: &Upstream,
        run: &mut Session,
        permit: Permit,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let full = permit.tool().to_owned();
        let Some((connection, own)) =
            split(&full).and_then(|(server, own)| Some((upstream.connection(server)?, own.to_owned())))
        else {
            return Err(internal("the tool has no server"));
        };
        let mut params = CallToolRequestParams::new(own);
        params.arguments = serde_json::from_str(permit.arguments()).ok();
        params.meta.clone_from(&request.meta);
        self.shared.set_progress(context.meta.get_progress_token());
        let time_out = permit.time_out().max(Duration::from_millis(1));
        let answer = tokio::select! {
            biased;
            // Given up by the client: the server is told, and nobody knows what became of the call.
            () = context.ct.cancelled() => {
                self.shared.set_progress(None);
                return Err(internal("cancelled"));
            }
            answer = connection.call(params, time_out) => answer,
        };
        self.shared.set_progress(None);
        upstream.heed_ended(&self.shared).await;
        let spec = upstream.joined().tools.get(&full);
        let said = answer.said();
        let result = answer.result(spec.is_some_and(reads_json)).with_all(said.text());
        let seen = match run.observe(permit, result) {
            Ok(Observed::Done(seen)) => Ok(seen),
            Ok(Observed::ReadBack(reading)) => {
                let read = split(reading.tool()).and_then(|(server, own)| Some((upstream.connection(server)?, own)));
                let Some((connection, own)) = read else { return Err(internal("the reading tool has no server")) };
                let mut params = CallToolRequestParams::new(own.to_owned());
                params.arguments = serde_json::from_str(reading.arguments()).ok();
                let read = connection.call(params, time_out).await;
                run.read_back(reading, &read.result(false))
            }
            Err(error) => Err(error),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(SessionError::Unrecorded { source, .. }) => return Ok(error(messages::unrecorded(&source))),
            Err(error) => return Err(internal(error)),
        };
        // The call is made, but nobody has let its result pass.
        if let Some(instead) = seen.standing.instead() {
            return Ok(error(instead));
        }
        passed_on(answer, said, &seen)
    }
}

/// A result as the agent may see it. What it must hear goes with it, where it cannot miss it.
fn passed_on(answer: Answer, said: Said, seen: &Seen) -> Result<CallToolResult, ErrorData> {
    let answer = match seen.result.redaction() {
        Some(redaction) => answer.seen(said, redaction),
        None => answer,
    };
    let told = seen.standing.told();
    let mut result = match answer.raw {
        Ok(result) => result,
        Err(ServiceError::McpError(mut error)) => {
            if let Some(told) = told {
                error.message = format!("{}\n{told}", error.message).into();
            }
            return Err(error);
        }
        Err(_) => error(answer.result(false).text),
    };
    result.content.extend(told.map(ContentBlock::text));
    Ok(result)
}

fn error(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

fn internal(error: impl std::fmt::Display) -> ErrorData {
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

/// Notices servers that end while nobody calls them.
pub async fn watch_servers(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(upstream) = gateway.upstream.get() {
            upstream.heed_ended(&gateway.shared).await;
        }
    }
}

/// As the servers' own lists, with the server's name in front.
fn prefixed(server: &str, name: &str) -> String {
    format!("{server}__{name}")
}

impl ServerHandler for Gateway {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build();
        let mut instructions = vec![messages::INSTRUCTIONS.to_owned()];
        for (server, connection) in self.upstream.get().into_iter().flat_map(Upstream::alive) {
            let Some(info) = connection.info() else { continue };
            let own = &info.capabilities;
            capabilities.resources = capabilities.resources.or_else(|| own.resources.clone());
            capabilities.prompts = capabilities.prompts.or_else(|| own.prompts.clone());
            capabilities.logging = capabilities.logging.or_else(|| own.logging.clone());
            capabilities.completions = capabilities.completions.or_else(|| own.completions.clone());
            if let Some(text) = &info.instructions {
                instructions.push(format!("{server}: {text}"));
            }
        }
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new("countersign", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(instructions.join("\n\n"));
        info
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        self.upstream(&context).await?;
        self.negotiate_initialize(&request)
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        self.upstream(&context).await?;
        Ok(DiscoverResult::from_server_info(self.supported_protocol_versions().into_owned(), self.get_info()))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let upstream = self.upstream(&context).await?;
        upstream.heed_ended(&self.shared).await;
        let mut tools: Vec<Tool> = Vec::new();
        for (name, definition) in &upstream.joined().definitions {
            let allowed = self.served.deployment.boundary().tools.as_ref().is_none_or(|tools| tools.contains(name));
            if allowed && self.shared.withheld(name).is_none() {
                let mut tool = definition.clone();
                tool.name = Cow::Owned(name.clone());
                tools.push(tool);
            }
        }
        tools.extend(injected_tools().into_iter().filter_map(|(name, description, schema)| match schema {
            Value::Object(schema) => Some(Tool::new(name, description, schema)),
            _ => None,
        }));
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let upstream = self.upstream(&context).await?;
        self.count(|report| report.calls += 1);
        let approval = match self.rule(upstream, &request, &context).await? {
            Ruled::Answer(answer) => return Ok(answer),
            Ruled::Parked(approval) => approval,
        };
        let way = if self.served.agent.ask_client { approval::way(&context) } else { Way::None };
        let run = self.run.lock().await.as_ref().and_then(PrincipalRun::id).unwrap_or_default().to_owned();
        let all_of_it = format!("countersign runs show {run} --store {} --json", self.store_file().display());
        let manifest =
            self.run.lock().await.as_mut().and_then(PrincipalRun::current).map(|run| run.run().manifest().clone());
        let asked = manifest.as_ref().map(|manifest| Asked { approval: &approval, manifest, all_of_it: &all_of_it });
        let decision = match (way, asked) {
            // The answer is one only to the question that this very call was answered with.
            (Way::Input, Some(asked)) => match self.questions.answer(&request, &approval) {
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
                let _ = run.decide(&entry, &self.by(&context), decision);
            }
            if let Ruled::Answer(answer) = self.rule(upstream, &request, &context).await? {
                return Ok(answer);
            }
        }
        self.count(|report| report.held += 1);
        Ok(error(messages::parked(&approval)).into())
    }

    /// What the protocol's own types did not take: a method that nobody knows here, or a known one with parameters that
    /// are not those of the protocol.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(malformed::refused(&request.method, &request.params.unwrap_or_default()))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut all = Vec::new();
        for (_, connection) in self.upstream(&context).await?.alive() {
            if connection.info().is_some_and(|info| info.capabilities.resources.is_some()) {
                all.extend(connection.peer().list_all_resources().await.map_err(passed)?);
            }
        }
        Ok(ListResourcesResult::with_all_items(all))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut all = Vec::new();
        for (_, connection) in self.upstream(&context).await?.alive() {
            if connection.info().is_some_and(|info| info.capabilities.resources.is_some()) {
                all.extend(connection.peer().list_all_resource_templates().await.map_err(passed)?);
            }
        }
        Ok(ListResourceTemplatesResult::with_all_items(all))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let upstream = self.upstream(&context).await?;
        self.may_read(upstream)?;
        let mut last = ErrorData::resource_not_found(format!("no server has `{}`", request.uri), None);
        for (_, connection) in upstream.alive() {
            if connection.info().is_none_or(|info| info.capabilities.resources.is_none()) {
                continue;
            }
            match connection.peer().read_resource_once(request.clone()).await {
                Ok(read) => return Ok(read),
                Err(error) => last = passed(error),
            }
        }
        Err(last)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut all = Vec::new();
        for (server, connection) in self.upstream(&context).await?.alive() {
            if connection.info().is_some_and(|info| info.capabilities.prompts.is_some()) {
                for mut prompt in connection.peer().list_all_prompts().await.map_err(passed)? {
                    prompt.name = prefixed(server, &prompt.name);
                    all.push(prompt);
                }
            }
        }
        Ok(ListPromptsResult::with_all_items(all))
    }

    async fn get_prompt(
        &self,
        mut request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let upstream = self.upstream(&context).await?;
        self.may_read(upstream)?;
        let unknown = || ErrorData::invalid_params(format!("no server has a prompt `{}`", request.name), None);
        let (server, own) = split(&request.name).ok_or_else(unknown)?;
        let connection = upstream.connection(server).ok_or_else(unknown)?;
        request.name = own.to_owned();
        connection.peer().get_prompt_once(request).await.map_err(passed)
    }

    async fn complete(
        &self,
        mut request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let upstream = self.upstream(&context).await?;
        if let Reference::Prompt(prompt) = &mut request.r#ref {
            let Some((server, own)) = split(&prompt.name) else { return Ok(CompleteResult::default()) };
            let Some(connection) = upstream.connection(server) else { return Ok(CompleteResult::default()) };
            prompt.name = own.to_owned();
            return connection.peer().complete(request).await.map_err(passed);
        }
        for (_, connection) in upstream.alive() {
            if connection.info().is_some_and(|info| info.capabilities.completions.is_some())
                && let Ok(result) = connection.peer().complete(request.clone()).await
            {
                return Ok(result);
            }
        }
        Ok(CompleteResult::default())
    }

    #[expect(deprecated, reason = "clients of older revisions set the level of servers' logs")]
    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        for (_, connection) in self.upstream(&context).await?.alive() {
            if connection.info().is_some_and(|info| info.capabilities.logging.is_some()) {
                connection.peer().set_level(request.clone()).await.map_err(passed)?;
            }
        }
        Ok(())
    }

    #[expect(deprecated, reason = "clients of older revisions subscribe like this")]
    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let mut last = Err(ErrorData::resource_not_found(format!("no server has `{}`", request.uri), None));
        for (_, connection) in self.upstream(&context).await?.alive() {
            if connection.info().is_some_and(|info| info.capabilities.resources.is_some()) {
                last = connection.peer().subscribe(request.clone()).await.map(drop).map_err(passed);
                if last.is_ok() {
                    break;
                }
            }
        }
        last
    }

    #[expect(deprecated, reason = "clients of older revisions unsubscribe like this")]
    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        for (_, connection) in self.upstream(&context).await?.alive() {
            let _ = connection.peer().unsubscribe(request.clone()).await;
        }
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.shared.listen(context.sink().clone());
        context.cancelled().await;
        self.shared.unlisten(context.sink());
        Ok(())
    }
}

/// A server's error, as it said it.
fn passed(error: ServiceError) -> ErrorData {
    match error {
        ServiceError::McpError(error) => error,
        other => internal(other),
    }
}
