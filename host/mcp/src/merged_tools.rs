//! The tools of all servers of a file, as they join a registry.

use std::collections::{BTreeMap, BTreeSet};

use countersign_tools::registry::ToolSpec;
use rmcp::model::Tool;

use super::annotations::{Overrides, derived};
use super::names::{full_names, joined as under, nearest, split};
use super::offer::Offer;
use super::pins::{Pin, Review};
use super::{McpError, ServersSpec};

/// A tool that does not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its full name, as clients would know it; `SERVER__TOOL` in the server's own words where it has none.
    pub tool: String,
    /// Why, as the end of a sentence about it.
    pub reason: String,
    /// Accepting it lets it join.
    pub acceptable: bool,
}

/// Tools that join, and those that do not.
#[derive(Debug, Default)]
pub struct Joined {
    /// By full name.
    pub tools: BTreeMap<String, ToolSpec>,
    /// As their servers describe them, by full name.
    pub definitions: BTreeMap<String, Tool>,
    /// The others.
    pub left_out: Vec<LeftOut>,
    /// The servers' own names by full name, also of tools that do not join.
    pub own_names: BTreeMap<String, String>,
}

impl Joined {
    /// The server that has a tool, and the server's own name for it.
    pub fn owner<'a>(&'a self, full: &'a str) -> Option<(&'a str, &'a str)> {
        let (server, _) = split(full)?;
        Some((server, self.own_names.get(full)?))
    }

    /// Tools that clients know by other names than their servers: full name and the server's own.
    pub fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.own_names.iter().map(|(full, own)| (full.as_str(), own.as_str()));
        names.filter(|(full, own)| split(full).is_none_or(|(_, short)| short != *own))
    }

    /// Takes in the tools of other servers.
    pub fn extend(&mut self, other: Joined) {
        self.tools.extend(other.tools);
        self.definitions.extend(other.definitions);
        self.left_out.extend(other.left_out);
        self.own_names.extend(other.own_names);
    }
}

/// Puts servers' tools together with what was accepted and with what a file says of them.
///
/// # Errors
/// What a file says of a tool that no server has, or that cannot be said.
pub fn join(
    servers: &ServersSpec,
    offers: &[Offer],
    reviews: &[Review],
    overrides: &Overrides,
) -> Result<Joined, McpError> {
    let mut joined = Joined::default();
    let mut offered = BTreeSet::new();
    for offer in offers {
        let Some(server) = servers.get(&offer.server) else { continue };
        let review = reviews.iter().find(|review| review.server == offer.server);
        let seen: BTreeMap<&str, Pin> = review
            .map(|review| review.seen.iter().map(|seen| (seen.tool.as_str(), seen.pin)).collect())
            .unwrap_or_default();
        let names = full_names(&offer.server, offer.tools.iter().map(|tool| &*tool.name));
        for tool in &offer.tools {
            let own = under(&offer.server, &tool.name);
            let mut left_out = |tool: &str, reason: String, acceptable| {
                joined.left_out.push(LeftOut { tool: tool.to_owned(), reason, acceptable });
            };
            let Some(name) = names.get(&*tool.name) else {
                left_out(&own, "its server gives it no name".to_owned(), false);
                continue;
            };
            joined.own_names.insert(name.clone(), tool.name.to_string());
            offered.extend([name.clone(), own.clone()]);
            if offer.tools.iter().filter(|other| other.name == tool.name).count() > 1 {
                left_out(name, "its server lists it twice".to_owned(), false);
                continue;
            }
            let over = match (overrides.get(name), overrides.get(&own)) {
                (Some(_), Some(_)) if *name != own => {
                    return Err(McpError::Key(format!(
                        "keys `tools.{name}` and `tools.{own}` are the same tool; say it once"
                    )));
                }
                (over, own) => over.or(own),
            };
            let spec = derived(name, server, tool, over)?;
            match (seen.get(&*tool.name), spec) {
                (_, Err(reason)) => left_out(name, reason, false),
                (Some(Pin::Same | Pin::First), Ok(spec)) => {
                    joined.definitions.insert(name.clone(), tool.clone());
                    joined.tools.insert(name.clone(), spec);
                }
                (Some(Pin::Changed), Ok(_)) => left_out(name, "is not what was accepted".to_owned(), true),
                (Some(Pin::New) | None, Ok(_)) => left_out(name, "is new and was not accepted".to_owned(), true),
            }
        }
    }
    let reachable = |name: &&String| split(name).is_some_and(|(server, _)| offers.iter().any(|o| o.server == server));
    if let Some(name) = overrides.keys().filter(reachable).find(|name| !offered.contains(*name)) {
        let known = offered.iter().map(String::as_str);
        let hint = nearest(name, known).map(|known| format!("; the nearest is `{known}`")).unwrap_or_default();
        return Err(McpError::Key(format!("key `tools.{name}`: no MCP server has this tool{hint}")));
    }
    Ok(joined)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::json;

    use super::super::pins::Seen;
    use super::*;

    fn offer(names: &[&str]) -> Offer {
        let tool =
            |name: &&str| serde_json::from_value(json!({"name": name, "inputSchema": {"type": "object"}})).unwrap();
        let tools = names.iter().map(tool).collect();
        Offer { server: "files".to_owned(), title: String::new(), version: String::new(), tools }
    }

    fn review(seen: &[(&str, Pin)]) -> Review {
        let seen = seen.iter().map(|(tool, pin)| Seen { tool: (*tool).to_owned(), pin: *pin }).collect();
        Review { server: "files".to_owned(), first: false, seen, vanished: Vec::new() }
    }

    fn servers() -> ServersSpec {
        toml::from_str("[files]\ncommand = ['x']").unwrap()
    }

    #[test]
    fn only_what_was_accepted_joins() {
        let offers = [offer(&["same", "changed", "new", "twice", "twice", "dot.ted"])];
        let pins = [
            ("same", Pin::Same),
            ("changed", Pin::Changed),
            ("new", Pin::New),
            ("twice", Pin::Same),
            ("dot.ted", Pin::Same),
        ];
        let joined = join(&servers(), &offers, &[review(&pins)], &Overrides::new()).unwrap();
        assert_eq!(joined.tools.keys().collect::<Vec<_>>(), ["files__dot_ted", "files__same"]);
        assert_eq!(joined.owner("files__dot_ted"), Some(("files", "dot.ted")));
        assert_eq!(joined.renamed().collect::<Vec<_>>(), [("files__dot_ted", "dot.ted")]);
        assert!(joined.tools["files__same"].definition.is_some());
        let left: Vec<(&str, bool)> = joined.left_out.iter().map(|out| (out.tool.as_str(), out.acceptable)).collect();
        let expected =
            [("files__changed", true), ("files__new", true), ("files__twice", false), ("files__twice", false)];
        assert_eq!(left, expected);
    }

    #[test]
    fn a_file_may_name_a_tool_as_its_server_does_or_as_clients_do() {
        let offers = [offer(&["calendar.read"])];
        let joined = |names: &[&str]| {
            let over = names.iter().map(|name| ((*name).to_owned(), toml::toml! { blast-radius = 3 }));
            join(&servers(), &offers, &[review(&[("calendar.read", Pin::Same)])], &over.collect())
        };
        for name in ["files__calendar.read", "files__calendar_read"] {
            let blast_radius = joined(&[name]).unwrap().tools["files__calendar_read"].blast_radius;
            assert_eq!(blast_radius, Some(3), "{name}");
        }
        let error = joined(&["files__calendar.read", "files__calendar_read"]).unwrap_err().to_string();
        assert!(error.contains("are the same tool"), "{error}");
    }

    #[test]
    fn what_a_file_says_of_a_tool_that_is_not_there_is_an_error() {
        let over = Overrides::from([("files__wirte".to_owned(), toml::Table::new())]);
        let pins = review(&[("write", Pin::Same), ("read", Pin::Same)]);
        let error = join(&servers(), &[offer(&["write", "read"])], &[pins], &over).unwrap_err().to_string();
        assert!(error.contains("`tools.files__wirte`") && error.contains("nearest is `files__write`"), "{error}");
        // One that waits to be accepted is there.
        let over = Overrides::from([("files__write".to_owned(), toml::Table::new())]);
        let pins = review(&[("write", Pin::Changed)]);
        assert!(join(&servers(), &[offer(&["write"])], &[pins], &over).is_ok());
    }
}
