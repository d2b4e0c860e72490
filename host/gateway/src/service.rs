//! What the agent talks to, request by request: tool calls are ruled on, everything else passes through.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use countersign::injected_tools;
use countersign::mcp::{Connection, Pages, split};
use countersign::shown::without_unseen;
use rmcp::model::*;
use rmcp::service::{RequestContext, ServiceError, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;

use crate::gateway::{Gateway, internal};
use crate::malformed;
use crate::messages;
use crate::relay::Relay;
use crate::upstream::Upstream;

/// Most entries of a list of resources or prompts that are taken from one server.
const MOST_LISTED: usize = 10_000;

/// How long one server may take for such a list.
const LISTING: Duration = Duration::from_secs(20);

/// What a server has of a list that comes page by page.
macro_rules! listed {
    ($server:expr, $connection:expr, $list:ident, $items:ident) => {
        taken($server, async {
            let (mut pages, mut cursor) = (Pages::new(MOST_LISTED), None);
            loop {
                let page = PaginatedRequestParams::default().with_cursor(cursor);
                let page = $connection.peer().$list(Some(page)).await?;
                cursor = pages.take(page.$items, page.next_cursor);
                if cursor.is_none() {
                    return Ok(pages);
                }
            }
        })
        .await
    };
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
                let text = without_unseen(text).unwrap_or_else(|| text.clone());
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
        upstream.heed().await;
        let mut tools: Vec<Tool> = Vec::new();
        for (name, definition) in &upstream.joined().definitions {
            let allowed = self.served.deployment.boundary().tools.as_ref().is_none_or(|tools| tools.contains(name));
            if allowed {
                let mut tool = shown_definition(definition);
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
        self.call(upstream, &request, &context).await
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
        for (server, connection) in with_resources(self.upstream(&context).await?) {
            all.extend(listed!(server, connection, list_resources, resources));
        }
        Ok(ListResourcesResult::with_all_items(all))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut all = Vec::new();
        for (server, connection) in with_resources(self.upstream(&context).await?) {
            all.extend(listed!(server, connection, list_resource_templates, resource_templates));
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
            if connection.info().is_none_or(|info| info.capabilities.prompts.is_none()) {
                continue;
            }
            for mut prompt in listed!(server, connection, list_prompts, prompts) {
                prompt.name = prefixed(server, &prompt.name);
                all.push(prompt);
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

/// A definition as a model is told it: without the characters that people do not see. What is pinned is the server's own.
fn shown_definition(definition: &Tool) -> Tool {
    fn clean(value: &mut Value) -> bool {
        match value {
            Value::String(text) => match without_unseen(text) {
                Some(without) => {
                    *text = without;
                    true
                }
                None => false,
            },
            Value::Array(list) => list.iter_mut().fold(false, |any, value| clean(value) | any),
            Value::Object(map) => map.iter_mut().fold(false, |any, (_, value)| clean(value) | any),
            _ => false,
        }
    }
    let mut value = serde_json::to_value(definition).unwrap_or_default();
    let changed = clean(&mut value);
    changed.then(|| serde_json::from_value(value).ok()).flatten().unwrap_or_else(|| definition.clone())
}

/// A server's error, as it said it.
fn passed(error: ServiceError) -> ErrorData {
    match error {
        ServiceError::McpError(error) => error,
        other => internal(other),
    }
}

/// The servers that are there and have resources.
fn with_resources(upstream: &Upstream) -> impl Iterator<Item = (&str, Arc<Connection<Relay>>)> {
    upstream
        .alive()
        .filter(|(_, connection)| connection.info().is_some_and(|info| info.capabilities.resources.is_some()))
}

/// A server's list, as far as it comes: one that does not list takes nothing from the others.
async fn taken<T>(server: &str, listing: impl Future<Output = Result<Pages<T>, ServiceError>>) -> Vec<T> {
    match tokio::time::timeout(LISTING, listing).await {
        Ok(Ok(pages)) => {
            let (items, cut) = pages.all();
            if let Some(why) = cut {
                tracing::warn!(server, "a list of it is taken as far as it came: {why}");
            }
            items
        }
        Ok(Err(error)) => {
            tracing::warn!(server, %error, "it does not list");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(server, "it does not list within {} s", LISTING.as_secs());
            Vec::new()
        }
    }
}
