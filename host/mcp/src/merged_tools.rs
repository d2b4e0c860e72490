//! The tools of all servers of a file, as they join a registry.

use std::collections::{BTreeMap, BTreeSet};

use countersign_tools::registry::ToolSpec;
use rmcp::model::Tool;

use super::annotations::{Overrides, derived};
use super::names::{full_name, nearest, split};
use super::offer::Offer;
use super::pins::{Pin, Review};
use super::{McpError, ServersSpec};

/// A tool that does not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// `SERVER__TOOL`.
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
}

/// Puts servers' tools together with what was accepted and with what a file says of them.
///
/// # Errors
/// What a file says of a tool that no server has, or that cannot be said; a name that is too long.
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
        for tool in &offer.tools {
            let own = format!("{}__{}", offer.server, tool.name);
            let mut left_out = |reason: String, acceptable| {
                joined.left_out.push(LeftOut { tool: own.clone(), reason, acceptable });
            };
            let name = match full_name(&offer.server, &tool.name)? {
                Ok(name) => name,
                Err(reason) => {
                    left_out(reason, false);
                    continue;
                }
            };
            offered.insert(name.clone());
            if offer.tools.iter().filter(|other| other.name == tool.name).count() > 1 {
                left_out("its server lists it twice".to_owned(), false);
                continue;
            }
            let spec = derived(&name, server, tool, overrides.get(&name))?;
            match (seen.get(&*tool.name), spec) {
                (_, Err(reason)) => left_out(reason, false),
                (Some(Pin::Same | Pin::First), Ok(spec)) => {
                    joined.definitions.insert(name.clone(), tool.clone());
                    joined.tools.insert(name, spec);
                }
                (Some(Pin::Changed), Ok(_)) => left_out("is not what was accepted".to_owned(), true),
                (Some(Pin::New) | None, Ok(_)) => left_out("is new and was not accepted".to_owned(), true),
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
        let pins = [("same", Pin::Same), ("changed", Pin::Changed), ("new", Pin::New), ("twice", Pin::Same)];
        let joined = join(&servers(), &offers, &[review(&pins)], &Overrides::new()).unwrap();
        assert_eq!(joined.tools.keys().collect::<Vec<_>>(), ["files__same"]);
        assert!(joined.tools["files__same"].definition.is_some());
        let left: Vec<(&str, bool)> = joined.left_out.iter().map(|out| (out.tool.as_str(), out.acceptable)).collect();
        let expected = [
            ("files__changed", true),
            ("files__new", true),
            ("files__twice", false),
            ("files__twice", false),
            ("files__dot.ted", false),
        ];
        assert_eq!(left, expected);
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
