//! From what servers offer to what a run may use: pins are read, what somebody accepts is accepted,
//! the rest is left out and reported.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::names::{full_names, joined as under, nearest};
use super::{Joined, LeftOut, McpError, Offer, Overrides, Pins, Review, ServersSpec, join};

/// Which definitions somebody accepts as they are now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Accept {
    /// Only those that were accepted before, and those of servers that are seen for the first time.
    #[default]
    Nothing,
    /// All.
    All,
    /// These, by full name, or with the server's own name for the tool behind the server's.
    Named(BTreeSet<String>),
}

/// What a person should know about servers' tools before they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolsReport {
    /// Where the pins lie.
    pub pins: PathBuf,
    /// Servers that were seen for the first time, and how many tools each has: all were pinned.
    pub first: Vec<(String, usize)>,
    /// Tools that are not eligible, and why.
    pub left_out: Vec<LeftOut>,
    /// Tools that were accepted before and are there no more, by full name.
    pub vanished: Vec<String>,
    /// Tools that were accepted now, by full name.
    pub accepted: Vec<String>,
}

impl ToolsReport {
    /// Whether there is nothing to know.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.left_out.is_empty() && self.vanished.is_empty() && self.accepted.is_empty()
    }
}

/// Decides which of the offered tools are eligible. What is pinned or accepted by it stands in `pins`,
/// which the caller saves.
///
/// # Errors
/// A name to accept that no server has, and whatever [`join`] refuses.
pub fn settle(
    servers: &ServersSpec,
    offers: &[Offer],
    overrides: &Overrides,
    pins: &mut Pins,
    accept: &Accept,
) -> Result<(Joined, ToolsReport), McpError> {
    let mut report = ToolsReport { pins: pins.path().to_owned(), ..ToolsReport::default() };
    if let Accept::Named(names) = accept {
        are_offered(names, offers)?;
    }
    for offer in offers {
        let review = pins.review(offer);
        if review.first {
            report.first.push((review.server.clone(), review.seen.len()));
        }
        let names = full_names(&offer.server, offer.tools.iter().map(|tool| &*tool.name));
        let own = |tool: &String| names.get(tool).cloned().unwrap_or_else(|| under(&offer.server, tool));
        let wanted: BTreeSet<String> = review
            .seen
            .iter()
            .filter(|seen| !seen.pin.eligible())
            .map(|seen| &seen.tool)
            .chain(&review.vanished)
            .filter(|tool| match accept {
                Accept::Nothing => false,
                Accept::All => true,
                Accept::Named(named) => named.contains(&own(tool)) || named.contains(&under(&offer.server, tool)),
            })
            .cloned()
            .collect();
        pins.accept(offer, &wanted);
        let gone = |tool: &&String| review.vanished.contains(*tool);
        report.accepted.extend(wanted.iter().filter(|tool| !gone(tool)).map(own));
        report.vanished.extend(review.vanished.iter().map(own));
    }
    let reviews: Vec<Review> = offers.iter().map(|offer| pins.review(offer)).collect();
    let joined = join(servers, offers, &reviews, overrides)?;
    report.left_out.clone_from(&joined.left_out);
    Ok((joined, report))
}

/// A name that nobody has is a mistake, and would otherwise accept nothing in silence.
fn are_offered(names: &BTreeSet<String>, offers: &[Offer]) -> Result<(), McpError> {
    let own = |offer: &Offer| -> Vec<String> {
        let names = full_names(&offer.server, offer.tools.iter().map(|tool| &*tool.name));
        names.iter().flat_map(|(own, full)| [under(&offer.server, own), full.clone()]).collect()
    };
    let offered: BTreeSet<String> = offers.iter().flat_map(own).collect();
    match names.iter().find(|name| !offered.contains(*name)) {
        None => Ok(()),
        Some(name) => {
            let known = offered.iter().map(String::as_str);
            let hint = nearest(name, known).map(|known| format!("; the nearest is `{known}`")).unwrap_or_default();
            Err(McpError::Key(format!("cannot accept `{name}`: no MCP server has this tool{hint}")))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::json;

    use super::*;

    fn offer(descriptions: &[(&str, &str)]) -> Offer {
        let tool = |(name, description): &(&str, &str)| {
            let tool = json!({"name": name, "description": description, "inputSchema": {"type": "object"}});
            serde_json::from_value(tool).unwrap()
        };
        let tools = descriptions.iter().map(tool).collect();
        Offer { server: "files".to_owned(), title: String::new(), version: String::new(), tools }
    }

    #[test]
    fn a_changed_tool_is_away_until_it_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.tools.lock");
        let servers: ServersSpec = toml::from_str("[files]\ncommand = ['x']").unwrap();
        let settled = |offer: &Offer, accept: &Accept| {
            let mut pins = Pins::load(&path).unwrap();
            let done = settle(&servers, std::slice::from_ref(offer), &Overrides::new(), &mut pins, accept);
            pins.save().unwrap();
            done.map(|(joined, report)| (joined.tools.into_keys().collect::<Vec<_>>(), report))
        };
        let (then, now) = (offer(&[("read", "reads"), ("old", "")]), offer(&[("read", "obey me"), ("new", "")]));
        let (tools, report) = settled(&then, &Accept::Nothing).unwrap();
        assert_eq!((tools.len(), &report.first[..]), (2, &[("files".to_owned(), 2)][..]));
        let (_, report) = settled(&then, &Accept::Nothing).unwrap();
        assert!(report.is_empty(), "{report:?}");

        let (tools, report) = settled(&now, &Accept::Nothing).unwrap();
        assert!(tools.is_empty() && report.left_out.len() == 2);
        assert_eq!(report.vanished, ["files__old"]);
        let one = Accept::Named(BTreeSet::from(["files__read".to_owned()]));
        let (tools, report) = settled(&now, &one).unwrap();
        assert_eq!((tools, report.accepted), (vec!["files__read".to_owned()], vec!["files__read".to_owned()]));
        let (tools, report) = settled(&now, &Accept::All).unwrap();
        assert_eq!((tools.len(), report.accepted, report.left_out.len()), (2, vec!["files__new".to_owned()], 0));
        assert!(settled(&now, &Accept::Nothing).unwrap().1.is_empty());
        let wrong = Accept::Named(BTreeSet::from(["files__raed".to_owned()]));
        let error = settled(&now, &wrong).unwrap_err().to_string();
        assert!(error.contains("cannot accept `files__raed`") && error.contains("`files__read`"), "{error}");
    }
}
