//! How the servers' tools stand, for people, and what they accept of them.

use std::collections::BTreeMap;

use countersign::Deployment;
use countersign::kernel::Touched;
use countersign::kernel::contract::Compliance;
use countersign::kernel::host_asks::{Envelope, HostAsks, approval_rule, host_asks};
use countersign::mcp::{
    Accept, Connection, Joined, Known, Offer, Origin, Pins, Quiet, known, pins_beside, settle, split,
};
use countersign::spec::Tool;
use serde::Serialize;

use crate::error::GatewayError;
use crate::served::Served;
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
    /// Each value that decides what becomes of a call, and where it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Known>,
    /// Whether a person is asked by the host's own rules, and by which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
}

/// What the host's own rules say of a tool's calls, whatever policies say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Asks {
    /// Whether a person is asked about each call.
    pub person: bool,
    /// In words.
    pub why: String,
    /// The key that decides it; none where nothing but a default does.
    pub key: Option<String>,
}

/// What all servers offer, each started for that alone, and what is wrong with those that cannot be used.
pub(crate) async fn offers(deployment: &Deployment) -> Result<(Vec<Offer>, Vec<ToolLine>), GatewayError> {
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
    let waiting = Waiting::load(&pins_beside(deployment.file()));
    let (mut offers, mut broken) = (Vec::new(), Vec::new());
    for (name, started) in starting {
        match started.await.map_err(|error| GatewayError::Task(error.to_string()))? {
            Ok(mut offer) => {
                waiting.complete(&mut offer);
                offers.push(offer);
            }
            Err(error) => broken.push(ToolLine {
                name: name.clone(),
                what: error.to_string(),
                eligible: false,
                own_name: None,
                values: Vec::new(),
                asks: None,
            }),
        }
    }
    if offers.is_empty() {
        let problems: Vec<String> = broken.into_iter().map(|line| line.what).collect();
        return Err(GatewayError::NoServer { problems: problems.join("\n") });
    }
    Ok((offers, broken))
}

/// Starts the servers, says how their tools stand, and accepts those that are named. Gives the lines, and what was
/// accepted by full name. A server that cannot be used is a line of its own.
///
/// # Errors
/// No server that can be used, pins that cannot be read or written, what the file says of a tool that no server has, and a
/// name to accept that none has.
pub async fn tools(served: &Served, accept: &Accept) -> Result<(Vec<ToolLine>, Vec<String>), GatewayError> {
    let deployment = &served.deployment;
    let (offers, mut lines) = offers(deployment).await?;
    let mut pins = Pins::load(&pins_beside(deployment.file()))?;
    let (joined, report) = settle(deployment.servers(), &offers, deployment.tools(), &mut pins, accept)?;
    pins.save()?;
    let (boundary, agent) = (deployment.envelope(joined.tools.keys().map(String::as_str)), &served.agent);
    let envelope = Envelope { boundary: &boundary, rules: deployment.rules(), compliance: agent.compliance };
    let renamed: BTreeMap<&str, &str> = joined.renamed().collect();
    let line = |name: &String, what: String, eligible| {
        let own_name = renamed.get(&**name).map(|own| (*own).to_owned());
        let what = match &own_name {
            Some(own) => format!("{what}; its server calls it `{own}`"),
            None => what,
        };
        ToolLine { name: name.clone(), what, eligible, own_name, values: Vec::new(), asks: None }
    };
    lines.extend(joined.tools.iter().map(|(name, spec)| {
        let tool = spec.registered(name);
        let what = in_short(&tool);
        let values = values(deployment, &joined, name);
        let asks = Some(asks(envelope, &served.name, &tool, &values));
        ToolLine { values, asks, ..line(name, what, true) }
    }));
    lines.extend(joined.left_out.iter().map(|out| line(&out.tool, out.reason.clone(), false)));
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((lines, report.accepted))
}

fn in_short(tool: &Tool) -> String {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let name_of = |value: serde_json::Result<serde_json::Value>| value.map(word).unwrap_or_default();
    let side_effect = name_of(serde_json::to_value(tool.side_effect));
    let reversibility = name_of(serde_json::to_value(tool.reversibility));
    let idempotent = if tool.idempotent { ", idempotent" } else { "" };
    if tool.mutating() { format!("{side_effect}, {reversibility}{idempotent}") } else { side_effect }
}

/// The name under which the file says something of a tool, where it does: clients' own, or the server's.
pub(crate) fn stated_as(deployment: &Deployment, joined: &Joined, name: &str) -> Option<String> {
    let server = split(name).map(|(server, _)| server).unwrap_or_default();
    let own = joined.own_names.get(name).map(|own| format!("{server}__{own}"));
    let tools = deployment.tools();
    [Some(name.to_owned()), own].into_iter().flatten().find(|name| tools.contains_key(name))
}

/// What is known of a tool, and from where.
pub(crate) fn values(deployment: &Deployment, joined: &Joined, name: &str) -> Vec<Known> {
    let server = split(name).and_then(|(server, _)| deployment.servers().get(server));
    let (Some(server), Some(tool)) = (server, joined.definitions.get(name)) else { return Vec::new() };
    let key = stated_as(deployment, joined, name);
    let over = key.as_ref().and_then(|key| Some((key.as_str(), deployment.tools().get(key)?)));
    known(server, tool, over)
}

/// What the host's own rules say of a tool's calls, and the key that decides it.
pub(crate) fn asks(envelope: Envelope<'_>, agent: &str, tool: &Tool, values: &[Known]) -> Asks {
    let name = &tool.name;
    let of = |key: &str| values.iter().find(|known| known.key == key).map(|known| &known.origin);
    let stated = |origin: Option<&Origin>| match origin {
        Some(Origin::Stated { key } | Origin::Follows { key }) => Some(key.clone()),
        _ => None,
    };
    let asks = host_asks(envelope, tool, Touched::default());
    let rule = word(&approval_rule(envelope.rules, tool));
    let category = word(&tool.category);
    let by_tool = |what: &str| format!("{what} by {}", of("approval").map(ToString::to_string).unwrap_or_default());
    let by_category = format!("approvals of the category `{category}` are `{rule}`");
    let (why, key) = match asks {
        Some(HostAsks::Compliance) if tool.compliance != Compliance::None => {
            ("it is tagged for compliance".to_owned(), Some(format!("tools.{name}.compliance")))
        }
        Some(HostAsks::Compliance) => {
            ("its agent's work is tagged for compliance".to_owned(), Some(format!("agents.{agent}.compliance")))
        }
        Some(asks @ (HostAsks::Money | HostAsks::People)) => {
            let key = stated(of("side-effect")).or_else(|| stated(of("category")));
            (asks.reason(name), Some(key.unwrap_or_else(|| format!("tools.{name}.category"))))
        }
        Some(HostAsks::Boundary) => ("the boundary wants it".to_owned(), Some("boundary.asks".to_owned())),
        Some(HostAsks::Kind(_)) | None if envelope.boundary.preauthorised.contains(name) => {
            ("it is approved beforehand".to_owned(), Some("boundary.preauthorised".to_owned()))
        }
        Some(HostAsks::Kind(_)) | None if tool.approval.is_some() => {
            (by_tool(&format!("approval is `{rule}`,")), stated(of("approval")))
        }
        Some(HostAsks::Kind(_)) | None => (by_category, None),
    };
    Asks { person: asks.is_some(), why, key }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
