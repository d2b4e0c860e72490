//! Names of tools: `SERVER__TOOL`, so that two servers may have tools of one name.

use super::McpError;

/// Most characters of a tool's name: what models and clients accept.
pub const MOST_NAME: usize = 64;

/// Between the names of server and tool. A server's name has no underscore, so the first is the one.
const BETWEEN: &str = "__";

/// The name under which a run knows a server's tool. An inner error is a name that no server name
/// could make right: that tool is left out.
///
/// # Errors
/// A name that fits as soon as the server's is shorter.
pub fn full_name(server: &str, tool: &str) -> Result<Result<String, String>, McpError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if tool.is_empty() || !tool.chars().all(plain) {
        return Ok(Err("its name has other characters than letters, digits, `_` and `-`".to_owned()));
    }
    let name = format!("{server}{BETWEEN}{tool}");
    if name.len() <= MOST_NAME {
        return Ok(Ok(name));
    }
    match MOST_NAME.saturating_sub(tool.len() + BETWEEN.len()) {
        0 => Ok(Err(format!("its name alone has {} of at most {MOST_NAME} characters", tool.len()))),
        room => Err(McpError::LongName { server: server.to_owned(), tool: tool.to_owned(), length: name.len(), room }),
    }
}

/// Server and tool of a full name; none where it is not one.
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once(BETWEEN)
}

/// The known name that is most like this one: for whoever mistyped it.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|other| strsim::levenshtein(name, other))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_say_how_they_would() {
        assert_eq!(full_name("files", "read_file").unwrap().unwrap(), "files__read_file");
        assert_eq!(split("files__read__file"), Some(("files", "read__file")));
        assert_eq!(split("search"), None);
        let long = "t".repeat(50);
        let error = full_name("a-server-name", &long).unwrap_err().to_string();
        assert!(error.contains("has 65 of at most 64") && error.contains("to 12 or fewer"), "{error}");
        assert!(full_name("s", &"t".repeat(62)).unwrap().unwrap_err().contains("alone"));
        assert!(full_name("s", "dots.and/slashes").unwrap().is_err());
        assert!(full_name("s", "").unwrap().is_err());
    }

    #[test]
    fn a_mistyped_name_has_a_nearest_one() {
        let known = ["files__read_file", "files__write_file", "time__now"];
        assert_eq!(nearest("files__wirte_file", known.into_iter()), Some("files__write_file"));
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
