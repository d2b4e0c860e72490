//! Commands that a call gives as a list of words, as `{"command":["rm","-rf","/"]}` and `{"program":"rm","args":[…]}` do:
//! each is put together as a shell would read it.

use countersign_patterns::eights;

/// Lists of a call, and bytes of all of them, that are read.
const MOST_LISTS: usize = 8;
const MOST_BYTES: usize = 2048;
/// Names of what is run, and of what it is given.
const COMMANDS: [&str; 9] = ["command", "commands", "cmd", "cmds", "argv", "run", "exec", "entrypoint", "script"];
const ARGUMENTS: [&str; 6] = ["args", "arguments", "params", "parameters", "options", "arg"];
const PROGRAMS: [&str; 8] = ["program", "command", "cmd", "executable", "exec", "binary", "file", "bin"];

/// A list, and the text of a call that gives its words to a shell.
pub struct List {
    pub start: usize,
    pub end: usize,
    pub line: String,
}

/// The lists of a call's text that are commands.
pub fn lists(text: &str) -> Vec<List> {
    let mut lists = Vec::new();
    let (mut at, mut left) = (0, MOST_BYTES);
    while lists.len() < MOST_LISTS
        && let Some(open) = eights::find_pair(text.as_bytes(), at, *b"[\"", *b"[\"")
    {
        at = open + 2;
        let key = key_before(&text[..open]);
        let arguments = ARGUMENTS.contains(&key);
        if !arguments && !COMMANDS.contains(&key) {
            continue;
        }
        let Some((words, end)) = words(text, open + 1, left) else { continue };
        left = left.saturating_sub(end - open);
        at = end;
        let mut line = String::from("\"");
        if arguments {
            line.push_str(program(text).unwrap_or_default());
        }
        // Whole commands one after the other rather than words of one.
        let whole = key.ends_with('s') && !arguments || words[0].contains(' ');
        for word in words {
            line.push_str(if line.len() == 1 {
                ""
            } else if whole {
                "; "
            } else {
                " "
            });
            if whole || is_bare(word) {
                line.push_str(word);
            } else {
                let quote = if word.contains('\'') { "\\\"" } else { "'" };
                line.extend([quote, word, quote]);
            }
        }
        line.push('"');
        lists.push(List { start: open, end, line });
    }
    lists
}

/// Whether a shell reads a word as it stands; what it would do with a wildcard or a variable is worth knowing too.
fn is_bare(word: &str) -> bool {
    !word.is_empty() && !word.contains([' ', ';', '|', '&', '(', ')', '<', '>', '`', '\\', '\'', '#'])
}

/// The key whose value begins behind the text.
fn key_before(before: &str) -> &str {
    let Some(before) = before.strip_suffix("\":") else { return "" };
    let start = before.len().saturating_sub(16);
    before.get(start..).and_then(|tail| tail.rsplit_once('"')).map_or("", |(_, key)| key)
}

/// The strings of a list from `at` on, as they stand in JSON, and where the list ends; none for one that is too long, or
/// that holds anything else.
fn words(text: &str, mut at: usize, most: usize) -> Option<(Vec<&str>, usize)> {
    let (bytes, limit) = (text.as_bytes(), text.len().min(at + most));
    let mut words = Vec::new();
    loop {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let start = at + 1;
        at = start;
        while at < limit && bytes[at] != b'"' {
            at += 1 + usize::from(bytes[at] == b'\\');
        }
        words.push(text.get(start..at)?);
        match bytes.get(at + 1)? {
            b',' if at < limit => at += 2,
            b']' => return Some((words, at + 2)),
            _ => return None,
        }
    }
}

/// The program that the arguments of a call are for.
fn program(text: &str) -> Option<&str> {
    PROGRAMS.iter().find_map(|key| {
        let behind = text.split_once(&format!("\"{key}\":\""))?.1;
        let program = behind.split_once('"')?.0;
        (!program.is_empty() && program.len() <= 64).then_some(program)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_together_as_a_shell_reads_them() {
        let table = [
            (r#"x {"command":["rm","-rf","/"]}"#, r#""rm -rf /""#),
            (r#"x {"args":["-rf","/"],"program":"rm"}"#, r#""rm -rf /""#),
            (r#"x {"args":["rm","-rf","/"]}"#, r#""rm -rf /""#),
            (r#"x {"command":["sh","-c","rm -rf /"]}"#, r#""sh -c 'rm -rf /'""#),
            (r#"x {"command":["git","commit","-m","it's; rm"]}"#, r#""git commit -m \"it's; rm\"""#),
            (r#"x {"commands":["cd /","rm -rf *"]}"#, r#""cd /; rm -rf *""#),
        ];
        for (text, line) in table {
            let lists = lists(text);
            assert_eq!(lists.iter().map(|list| list.line.as_str()).collect::<Vec<_>>(), [line], "{text}");
        }
        for text in [r#"x {"tags":["rm","-rf","/"]}"#, r#"x {"command":["rm",1]}"#, r#"x {"command":["rm"#, "[\"", ""] {
            assert_eq!(lists(text).len(), 0, "{text}");
        }
    }
}
