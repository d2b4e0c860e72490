//! Makes a permitted call, and hands in what came of it.

use std::sync::Arc;
use std::time::Duration;

use countersign::kernel::Outcome;
use countersign::mcp::{Answer, Connection, Said, reads_json};
use countersign::models::words;
use countersign::registry::ToolResult;
use countersign::session::{Observed, Permit, ReadBack, Redaction, Seen, Session, SessionError};
use rmcp::model::*;
use rmcp::service::{RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer};

use crate::gateway::{Gateway, error, internal};
use crate::messages;
use crate::relay::Relay;
use crate::under_way::OneUnderWay;
use crate::upstream::Upstream;

impl Gateway {
    /// Makes a permitted call, with the arguments that were judged. Nothing is locked meanwhile.
    pub(crate) async fn forward(
        &self,
        upstream: &Upstream,
        permit: Permit,
        under_way: OneUnderWay,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let full = permit.tool().to_owned();
        let joined = upstream.joined();
        let owner = joined.owner(&full).and_then(|(server, own)| Some((upstream.connection(server)?, own)));
        let Some((connection, own)) = owner else {
            // It has ended since the call was ruled on.
            let gone = ToolResult::new(Outcome::Infrastructure, "the server has ended");
            let observed = self.observe(permit, &full, gone).await;
            drop(under_way);
            return Ok(error(match observed {
                Ok(Observed::Done(seen)) => seen.text(),
                Ok(Observed::ReadBack(_)) => "the server has ended".to_owned(),
                Err(problem) => messages::unrecorded(&problem),
            }));
        };
        let mut params = CallToolRequestParams::new(own.to_owned());
        params.arguments = serde_json::from_str(permit.arguments()).ok();
        params.meta.clone_from(&request.meta);
        if let Some(token) = context.meta.get_progress_token() {
            params.meta.get_or_insert_default().set_progress_token(token);
        }
        let time_out = permit.time_out().max(Duration::from_millis(1));
        let answer = tokio::select! {
            biased;
            // Given up by the client: the server is told, and nobody knows what became of the call.
            () = context.ct.cancelled() => {
                let unknown = "given up by the client: nobody knows what became of it";
                let observed = self.observe(permit, &full, ToolResult::new(Outcome::TimedOut, unknown)).await;
                if let Err(error) = observed {
                    tracing::warn!(%error, tool = full, "a call that was given up could not be recorded");
                }
                return Err(internal("cancelled"));
            }
            answer = connection.call(params, time_out) => answer,
        };
        // What it says of its tools by then, and that it has ended, is known before anybody goes on.
        upstream.heed().await;
        let said = answer.said();
        let result = answer.result(joined.tools.get(&full).is_some_and(reads_json)).with_all(said.text());
        let seen = match self.observe(permit, &full, result).await {
            Ok(Observed::Done(seen)) => Ok(seen),
            Ok(Observed::ReadBack(reading)) => self.read_back(upstream, reading, &full, time_out).await,
            Err(error) => Err(error),
        };
        drop(under_way);
        let seen = match seen {
            Ok(seen) => seen,
            // Whatever stands in the way, the call is made.
            Err(SessionError::Unrecorded { source, .. }) => return Ok(error(messages::unrecorded(&source))),
            Err(problem) => return Ok(error(messages::unrecorded(&problem))),
        };
        // The call is made, but nobody has let its result pass.
        if let Some(instead) = seen.standing.instead() {
            return Ok(error(instead));
        }
        passed_on(answer, said, &seen, joined.definitions.get(&full))
    }

    /// Hands in what came of a call.
    async fn observe(&self, permit: Permit, tool: &str, result: ToolResult) -> Result<Observed, SessionError> {
        self.with_run(tool, |run| run.observe(permit, result)).await
    }

    /// Has what a call did looked at by another tool, and hands in what that says.
    async fn read_back(
        &self,
        upstream: &Upstream,
        reading: ReadBack,
        tool: &str,
        time_out: Duration,
    ) -> Result<Seen, SessionError> {
        let joined = upstream.joined();
        let owner = joined.owner(reading.tool()).and_then(|(server, own)| Some((upstream.connection(server)?, own)));
        let read = match owner {
            Some((connection, own)) => read(&connection, own, &reading, time_out).await,
            None => ToolResult::new(Outcome::Infrastructure, "the server of the tool that reads has ended"),
        };
        self.with_run(tool, |run| run.read_back(reading, &read)).await
    }

    /// Does something with the run that a call was permitted by.
    async fn with_run<T>(
        &self,
        tool: &str,
        act: impl FnOnce(&mut Session) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        let mut principal = self.run.lock().await;
        let Some(run) = principal.as_mut().and_then(|principal| principal.heard()) else {
            return Err(SessionError::Foreign);
        };
        let done = act(run);
        self.stands(run, tool);
        done
    }
}

async fn read(connection: &Arc<Connection<Relay>>, own: &str, reading: &ReadBack, time_out: Duration) -> ToolResult {
    let mut params = CallToolRequestParams::new(own.to_owned());
    params.arguments = serde_json::from_str(reading.arguments()).ok();
    connection.call(params, time_out).await.result(false)
}

/// A result as the agent may see it. What it must hear goes with it, where it cannot miss it.
fn passed_on(answer: Answer, said: Said, seen: &Seen, tool: Option<&Tool>) -> Result<CallToolResult, ErrorData> {
    let answer = match seen.result.redaction() {
        Some(redaction) => answer.seen(said, redaction),
        None => answer,
    };
    let answer = answer.fitting(tool);
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
    let orders = seen.result.redaction().is_some_and(Redaction::withholds_orders);
    result.content.extend(orders.then(|| ContentBlock::text(words::ORDERS_WITHHELD)));
    result.content.extend(told.map(ContentBlock::text));
    Ok(result)
}
