//! Calls that reach for credentials, or out of their folder.

use crate::findings::Findings;
use crate::rules::Rule;

/// Files beside private keys that anybody may read.
const PUBLIC: [&[u8]; 5] = [b"known_hosts", b"config", b"authorized_keys", b"environment", b"rc"];
/// Ways up that are deep.
const DEEP: usize = 3;

/// The path of a file that holds credentials, around a word of it.
pub fn store(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let (word, rest) = (text.get(start..end)?, text.get(end..)?);
    let behind = |prefix: &[u8]| text[..start].ends_with(prefix).then(|| start - prefix.len());
    let goes_on = rest.first().is_some_and(u8::is_ascii_alphanumeric);
    match word {
        // Private keys, not the public ones beside them.
        b"ssh" if rest.starts_with(b"/") => {
            let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'*');
            let name = rest.iter().skip(1).take_while(|byte| of_name(byte)).count();
            let (name, end) = (&rest[1..1 + name], end + 1 + name);
            let public =
                name.is_empty() || name.ends_with(b".pub") || PUBLIC.iter().any(|public| name.starts_with(public));
            let beside = || {
                behind(b".").filter(|start| matches!(text[..*start].last(), None | Some(b' ' | b'"' | b'\'' | b'=')))
            };
            (!public).then_some((behind(b"/.").or_else(beside)?, end))
        }
        b"hosts" if rest.starts_with(b".y") => Some((behind(b"gh/")?, end)),
        b"gnupg" if rest.starts_with(b"/private-keys") => Some((behind(b"/.")?, end)),
        b"shadow" | b"gshadow" if !goes_on => Some((behind(b"/etc/")?, end)),
        b"credentials" if !goes_on => {
            let start = behind(b".aws/")
                .or_else(|| behind(b".git-"))
                .or_else(|| behind(b"application_default_"))
                .or_else(|| behind(b".cargo/"))
                .or_else(|| behind(b".gem/"))
                .or_else(|| behind(b".terraform.d/"))
                .or_else(|| behind(b"/gcloud/"))?;
            Some((start, end))
        }
        b"netrc" | b"pgpass" if !goes_on => Some((behind(b".").or_else(|| behind(b"_"))?, end)),
        b"environ" if !goes_on => {
            let folder = text[..behind(b"/")?].iter().rposition(|byte| *byte == b'/').filter(|at| start - at < 24)?;
            text[..=folder].ends_with(b"/proc/").then_some((folder - 5, end))
        }
        b"kube" if rest.starts_with(b"/config") => Some((behind(b".")?, end + 7)),
        b"docker" if rest.starts_with(b"/config.json") => Some((behind(b".")?, end + 12)),
        _ => None,
    }
}

/// `../../..` and deeper, from the two dots at `start` on; and where to go on.
pub fn traversal(text: &[u8], start: usize, findings: &mut Findings) -> usize {
    let (mut end, mut levels) = (start, 0);
    while text[end..].starts_with(b"../") {
        levels += 1;
        end += 3;
    }
    while text.get(end) == Some(&b'.') {
        end += 1;
    }
    levels += usize::from(text[..end].ends_with(b"/.."));
    if levels >= DEEP {
        findings.add(Rule::PathTraversal, start, end, 0.6);
    }
    end
}
