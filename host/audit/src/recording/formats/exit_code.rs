//! Exit codes that coding agents put into the text of a result.

/// How the line that holds it begins.
const LINES: [&str; 3] = ["process exited with code ", "exit code: ", "exit code "];
/// Lines at the beginning of a result in which it stands.
const FIRST: usize = 8;

/// The exit code that a result's text begins with.
pub fn of(text: &str) -> Option<i32> {
    text.lines().take(FIRST).take_while(|line| *line != "Output:").find_map(|line| {
        let line = line.trim().to_ascii_lowercase();
        let rest = LINES.iter().find_map(|begins| line.strip_prefix(begins))?;
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn exit_codes_stand_at_the_beginning() {
        let table = [
            ("Exit code 3\nno such file", Some(3)),
            ("Exit code: 0\nWall time: 0.1 seconds\nOutput:\nhi", Some(0)),
            ("Chunk ID: 6d\nWall time: 0.0 seconds\nProcess exited with code 127\nOutput:\n", Some(127)),
            ("Wall time: 0.0 seconds\nOutput:\nexit code 4", None),
            ("all is well", None),
            ("", None),
            ("exit code: none", None),
        ];
        for (text, expected) in table {
            assert_eq!(super::of(text), expected, "{text}");
        }
    }
}
