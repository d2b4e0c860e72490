//! How the servers' tools stand, for people, and what they accept of them.

use countersign::Deployment;
use countersign::mcp::{Accept, Connection, Pins, Quiet, pins_beside, settle};
use serde::Serialize;

use crate::error::GatewayError;
use crate::waiting::Waiting;

/// How a tool stands, or a server that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ToolLine {
    /// `SERVER__TOOL`; the name of a server alone where it cannot be used.
    pub name: String,
    /// What is known of it, or why it is left out.
    pub what: String,
    /// It may be called, as far as its definition goes.
    pub eligible: bool,
    /// The server's own name for it, where clients know it by another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_name: Option<String>,
}

/// Starts the servers, says how their tools stand, and accepts those that are named. Gives the lines, and what was
/// accepted by full name. A server that cannot be used is a line of its own.
///
/// # Errors
/// No server that can be used, pins that cannot be read or written, what the file says of a tool that no server has, and a
/// name to accept that none has.
pub async fn tools(deployment: &Deployment, accept: &Accept) -> Result<(Vec<ToolLine>, Vec<String>), GatewayError> {
    let mut starting = Vec::new();
    for (name, spec) in deployment.servers() {
        let (server, spec, folder) = (name.clone(), spec.clone(), deployment.folder().to_owned());
        let started = tokio::spawn(async move {
            let connection = Connection::start(&server, &spec, &folder, Quiet::default()).await?;
            let offer = connection.offer().await;
            connection.close().await;
            offer
        });
        starting.push((name, started));
    }
    let pins = pins_beside(deployment.file());
    let waiting = Waiting::load(&pins);
    let (mut offers, mut lines) = (Vec::new(), Vec::new());
    for (name, started) in starting {
        match started.await.map_err(|error| GatewayError::Task(error.to_string()))? {
            Ok(mut offer) => {
                waiting.complete(&mut offer);
                offers.push(offer);
            }
            Err(error) => {
                lines.push(ToolLine { name: name.clone(), what: error.to_string(), eligible: false, own_name: None });
            }
        }
    }
    if offers.is_empty() {
        let problems: Vec<String> = lines.into_iter().map(|line| line.what).collect();
        return Err(GatewayError::NoServer { problems: problems.join("\n") });
    }
    let mut pins = Pins::load(&pins)?;
    let (joined, report) = settle(deployment.servers(), &offers, deployment.tools(), &mut pins, accept)?;
    pins.save()?;
    let renamed: std::collections::BTreeMap<&str, &str> = joined.renamed().collect();
    let line = |name: &String, what: String, eligible| {
        let own_name = renamed.get(&**name).map(|own| (*own).to_owned());
        let what = match &own_name {
            Some(own) => format!("{what}; its server calls it `{own}`"),
            None => what,
        };
        ToolLine { name: name.clone(), what, eligible, own_name }
    };
    lines.extend(joined.tools.iter().map(|(name, spec)| {
        let tool = spec.registered(name);
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let name_of = |value: serde_json::Result<serde_json::Value>| value.map(word).unwrap_or_default();
        let side_effect = name_of(serde_json::to_value(tool.side_effect));
        let reversibility = name_of(serde_json::to_value(tool.reversibility));
        let idempotent = if tool.idempotent { ", idempotent" } else { "" };
        let what = if tool.mutating() { format!("{side_effect}, {reversibility}{idempotent}") } else { side_effect };
        line(name, what, true)
    }));
    lines.extend(joined.left_out.iter().map(|out| line(&out.tool, out.reason.clone(), false)));
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((lines, report.accepted))
}
