//! Which folders hold everything, by whatever way a command writes their names.

/// Folders with everything, or with everything of everybody, in them.
const EVERYTHING: [&str; 7] = ["/", "~", "$HOME", "${HOME}", "/home", "/root", "/Users"];
/// Folders without which a machine does not start or run.
const SYSTEM: [&str; 9] = ["/etc", "/usr", "/var", "/boot", "/bin", "/sbin", "/lib", "/lib64", "/System"];
/// Folders in which each folder is somebody's home.
const HOMES: [&str; 2] = ["/home/", "/Users/"];
/// Ways up that leave any folder that one works in.
const UP: usize = 4;
/// Bytes of a path that are read.
const LONGEST: usize = 256;

/// Whether a word names a folder with everything in it, or of somebody, or all that is in it.
pub fn is_everything(word: &[u8]) -> bool {
    let Some(path) = path(word) else { return false };
    let home = HOMES.iter().any(|homes| path.strip_prefix(homes).is_some_and(|name| !name.contains('/')));
    let up = path.split('/').all(|part| part == "..") && path.split('/').count() >= UP;
    EVERYTHING.contains(&path.as_str()) || home || up || path == "~/.." || path == "$HOME/.."
}

/// Whether a word names the root of all folders.
pub fn is_root(word: &[u8]) -> bool {
    path(word).as_deref() == Some("/")
}

pub fn is_of_the_system(word: &[u8]) -> bool {
    path(word).is_some_and(|path| SYSTEM.contains(&path.as_str()))
}

/// A path with all that says nothing taken out of it; none for a word that names none, or all of where one is.
fn path(word: &[u8]) -> Option<String> {
    let word = std::str::from_utf8(word.get(..word.len().min(LONGEST))?).ok()?;
    // What a variable without a value stands for: `${DIR:-/}`.
    let word = match word.strip_prefix("${").and_then(|rest| rest.split_once(":-")) {
        Some((_, value)) => value.strip_suffix('}').unwrap_or(value),
        None => word,
    };
    // Of `/{bin,usr}` the first says enough.
    let word = match word.split_once('{') {
        Some((before, rest)) if !before.ends_with('$') => {
            let first = rest.split([',', '}']).next().unwrap_or_default();
            format!("{before}{first}")
        }
        _ => word.to_owned(),
    };
    let (absolute, mut parts) = (word.starts_with('/'), Vec::new());
    let begins = word.starts_with(['/', '~', '$', '.']);
    for part in word.split('/') {
        match part {
            "" | "." => {}
            ".." if absolute => _ = parts.pop(),
            // All that is in a folder is as good as the folder.
            "*" | ".*" | "**" if begins => {}
            part => parts.push(part),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => Some(format!("/{}", parts.join("/"))),
        (false, true) => None,
        (false, false) => Some(parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_everything() {
        let everything = "/ // /. /./ /../ /* /.* ~ ~/ ~/* $HOME ${HOME}/* /home /home/me /home/me/ /home/me/* /Users/ada /root \
                          ../../../../.. ../../../../../* ${DIR:-/} ${X:-$HOME} /tmp/.. /usr/.. ~/..";
        for word in everything.split(' ') {
            assert!(is_everything(word.as_bytes()), "{word}");
        }
        for word in
            "* . ./ .. ../.. ../../x ./build /tmp /home/me/x ~/x $HOME/build ${DIR} ${DIR:-./build} x{1,2}".split(' ')
        {
            assert!(!is_everything(word.as_bytes()) && !is_of_the_system(word.as_bytes()), "{word}");
        }
        for word in "/etc /usr/* //etc/ /{bin,usr,etc} /etc/. /tmp/../usr".split(' ') {
            assert!(is_of_the_system(word.as_bytes()), "{word}");
        }
        assert!(!is_everything(b"") && !is_everything(b"\xff"));
    }
}
