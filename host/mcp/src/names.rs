//! Names of tools: `SERVER__TOOL`, so that two servers may have tools of one name, in characters and a length that
//! models and clients take.

use std::collections::{BTreeMap, BTreeSet};

use countersign_kernel::contract::sha256;

/// Most characters of a tool's name: what models and clients accept.
pub const MOST_NAME: usize = 64;

/// Between the names of server and tool. A server's name has no underscore, so the first is the one.
const BETWEEN: &str = "__";

/// Hexadecimal digits of a digest that tell names apart which would otherwise be one; the longer where the shorter are
/// taken.
const DIGITS: [usize; 2] = [8, 16];

/// The names under which a run knows a server's tools, by the server's own names for them. Whatever clients take stays
/// as it is. In another name each character that they do not take becomes `_`; where that gives a name that another
/// tool has, one that is too long or one that says nothing, the end is a digest of the server's own name. So a name
/// depends on what the server offers, and not on the order of it. A tool without a name has none.
pub fn full_names<'a>(server: &str, tools: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
    let own: BTreeSet<&str> = tools.into_iter().filter(|own| !own.is_empty()).collect();
    let (plain, odd): (Vec<&str>, Vec<&str>) = own.into_iter().partition(|own| fits(server, own));
    let mut full: BTreeMap<String, String> = plain.iter().map(|own| ((*own).to_owned(), joined(server, own))).collect();
    let mut taken: BTreeMap<String, usize> = full.values().map(|name| (name.clone(), 1)).collect();
    let bases: Vec<(&str, String)> = odd.into_iter().map(|own| (own, plainly(own))).collect();
    for (_, base) in &bases {
        *taken.entry(joined(server, base)).or_default() += 1;
    }
    for (own, base) in bases {
        let whole = joined(server, &base);
        let says_something = base.contains(|c: char| c.is_ascii_alphanumeric());
        let name = if whole.len() <= MOST_NAME && says_something && taken.get(&whole) == Some(&1) {
            Some(whole)
        } else {
            DIGITS.iter().map(|digits| told_apart(server, own, &base, *digits)).find(|name| !taken.contains_key(name))
        };
        if let Some(name) = name {
            taken.insert(name.clone(), 1);
            full.insert(own.to_owned(), name);
        }
    }
    full
}

/// Server and tool of a full name as clients know it; none where it is not one. The tool's part need not be the server's
/// own name for it.
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once(BETWEEN)
}

/// The server's name in front of another.
pub(super) fn joined(server: &str, tool: &str) -> String {
    format!("{server}{BETWEEN}{tool}")
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn fits(server: &str, own: &str) -> bool {
    own.chars().all(is_plain) && server.len() + BETWEEN.len() + own.len() <= MOST_NAME
}

fn plainly(own: &str) -> String {
    own.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

fn told_apart(server: &str, own: &str, base: &str, digits: usize) -> String {
    let digest = sha256(own.as_bytes()).to_string();
    let hex = digest.split_once(':').map_or(&*digest, |(_, hex)| hex);
    let room = MOST_NAME.saturating_sub(server.len() + BETWEEN.len() + 1 + digits);
    let base = if base.contains(|c: char| c.is_ascii_alphanumeric()) { base } else { "tool" };
    joined(server, &format!("{}_{}", &base[..room.min(base.len())], &hex[..digits.min(hex.len())]))
}

/// The known name that is most like this one: for whoever mistyped it.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|other| strsim::levenshtein(name, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(tools: &[&str]) -> Vec<String> {
        let names = full_names("s", tools.iter().copied());
        tools.iter().map(|own| names.get(*own).cloned().unwrap_or_default()).collect()
    }

    #[test]
    fn names_that_clients_take_stay_and_others_become_such() {
        let found = full(&["read_file", "calendar.read", "mail/scan now", "read__file", ""]);
        assert_eq!(found, ["s__read_file", "s__calendar_read", "s__mail_scan_now", "s__read__file", ""]);
        assert_eq!(split("s__read__file"), Some(("s", "read__file")));
        assert_eq!(split("search"), None);
    }

    #[test]
    fn two_names_never_become_one_whatever_their_order() {
        let found = full(&["a.b", "a/b", "a b", "c_d", "c.d"]);
        assert_eq!(found[3], "s__c_d", "whoever has a plain name keeps it");
        let different: BTreeSet<&String> = found.iter().collect();
        assert_eq!(different.len(), found.len(), "{found:?}");
        assert!(found[..3].iter().all(|name| name.starts_with("s__a_b_") && name.len() == 15), "{found:?}");
        let mut turned = full(&["c.d", "c_d", "a b", "a/b", "a.b"]);
        turned.reverse();
        assert_eq!(turned, found);
    }

    #[test]
    fn whatever_its_length_a_name_fits() {
        let (long, longer) = ("t".repeat(62), format!("{}.x", "t".repeat(90)));
        let found = full(&[&long, &longer, "日历", "..."]);
        assert!(found.iter().all(|name| name.len() <= MOST_NAME && name.chars().all(is_plain)), "{found:?}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 4, "{found:?}");
        assert!(found[2].starts_with("s__tool_") && found[3].starts_with("s__tool_"), "{found:?}");
        let server = "a-server-of-thirty-two-characters"[..32].to_owned();
        let names = full_names(&server, [&*long, "x.y"]);
        assert_eq!(names[&long].len(), MOST_NAME);
        assert_eq!(names["x.y"], format!("{server}__x_y"));
    }

    #[test]
    fn a_mistyped_name_has_a_nearest_one() {
        let known = ["files__read_file", "files__write_file", "time__now"];
        assert_eq!(nearest("files__wirte_file", known.into_iter()), Some("files__write_file"));
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
