//! How things look: few colours, each with a meaning; none without a terminal or under `NO_COLOR`.

use anstyle::{AnsiColor, Style};
use countersign::kernel::contract::Verdict;
use countersign::mcp::ToolsReport;
use countersign::shown;

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What a person should look at.
pub const MIND: Style = AnsiColor::Yellow.on_default();
/// What went wrong or was stopped.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What matters less.
pub const QUIET: Style = Style::new().dimmed();
/// What stands out.
pub const STRONG: Style = Style::new().bold();

/// Colour of a verdict.
pub fn verdict(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Proceed => GOOD,
        Verdict::Log => QUIET,
        Verdict::Notify | Verdict::Replan | Verdict::Escalate | Verdict::Ask => MIND,
        Verdict::Deny | Verdict::Terminate => BAD,
    }
}

/// A text in a style.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// One line of at most so many characters. Line ends are spaces; what else cannot be seen, or could move the cursor,
/// change colours or turn the direction of writing, is written out.
pub fn line(text: &str, most: usize) -> String {
    let spaced = text.trim().replace(['\n', '\t'], " ");
    let shown = shown::visible(&spaced);
    if shown.chars().count() < most {
        return shown.into_owned();
    }
    shown.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// What a person should know of the tools of MCP servers, on standard error: it is not the run's.
pub fn tools(report: &ToolsReport) {
    let note = |text: String| anstream::eprintln!("{} {text}", styled(MIND, "tools"));
    let list = |names: &[String]| line(&names.join(", "), 400);
    for (server, count) in &report.first {
        note(format!("{server}: seen for the first time, its {count} tools are pinned in {}", report.pins.display()));
    }
    if !report.accepted.is_empty() {
        note(format!("accepted as they are now: {}", list(&report.accepted)));
    }
    if !report.vanished.is_empty() {
        note(format!("no longer there: {}", list(&report.vanished)));
    }
    for out in &report.left_out {
        note(format!("{} is not used: it {}", line(&out.tool, 100), line(&out.reason, 200)));
    }
    let waiting: Vec<&str> = report.left_out.iter().filter(|out| out.acceptable).map(|out| out.tool.as_str()).collect();
    if !waiting.is_empty() {
        note(format!("look at what their servers say of them, then accept them: --accept-tools={}", waiting.join(",")));
    }
}

/// Micro-dollars as dollars.
pub fn dollars(micro: u64) -> String {
    format!("${}.{:04}", micro / 1_000_000, micro % 1_000_000 / 100)
}

/// So many of something.
pub fn counted(value: u64, one: &str) -> String {
    format!("{} {one}{}", number(value), if value == 1 { "" } else { "s" })
}

/// A number with a comma between thousands.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The same for a cell of a list: whole where nobody looks at it on a terminal, and whoever reads it is a program or
/// pages through it.
pub fn cell(text: &str, most: usize) -> String {
    line(text, if width().is_some() { most } else { usize::MAX })
}

/// Columns aligned by their widest cell; the columns named in `right` to the right. What cannot be seen in a cell is
/// written out. On a terminal a row fits its width: cells go on in lines below, those of the last column first, and
/// nothing of them is lost.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    // Some callers set rows in a little.
    table_within(rows, right, width().map(|width| width.saturating_sub(2)))
}

/// Columns that the last one has at least, where the width allows it at all.
const LAST: usize = 28;
/// Columns that any other keeps.
const KEPT: usize = 8;

fn table_within(rows: &[Vec<String>], right: &[usize], most: Option<usize>) -> Vec<String> {
    let seen = |row: &Vec<String>| row.iter().map(|cell| shown::visible(cell).into_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(seen).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |text: &String| text.chars().count();
    let mut widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0))
        .collect();
    let last = columns.saturating_sub(1);
    if let Some(most) = most {
        let before = |widths: &[usize]| widths[..last.min(widths.len())].iter().map(|width| width + 2).sum::<usize>();
        let wanted = widths.get(last).copied().unwrap_or(0).min(LAST);
        while before(&widths) + wanted > most {
            // The first column names the row: it is made narrower when nothing else can be.
            let others = (1..last).filter(|column| !right.contains(column) && widths[*column] > KEPT);
            let widest = others.max_by_key(|column| widths[*column]);
            let Some(widest) = widest.or((last > 0 && widths[0] > KEPT).then_some(0)) else { break };
            widths[widest] -= 1;
        }
        let room = most.saturating_sub(before(&widths)).max(KEPT);
        if let Some(width) = widths.get_mut(last) {
            *width = room.min(*width);
        }
    }
    let whole = |row: &Vec<String>| {
        let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(text, width)| wrapped(text, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        let line = |at: usize| {
            let one = |(column, lines): (usize, &Vec<String>)| {
                let text = lines.get(at).map_or("", String::as_str);
                let space = " ".repeat(widths[column].saturating_sub(text.chars().count()));
                if right.contains(&column) { format!("{space}{text}") } else { format!("{text}{space}") }
            };
            cells.iter().enumerate().map(one).collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(whole).collect()
}

/// Text in lines of at most so many characters, broken at blanks, and within a word that is longer than a line.
pub fn wrapped(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ') {
        let long = word.chars().count();
        if length > 0 && length + 1 + long > most {
            lines.push(String::new());
            length = 0;
        }
        let Some(line) = lines.last_mut() else { continue };
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        for (at, character) in word.chars().enumerate() {
            if at > 0 && length == most {
                lines.push(String::new());
                length = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
            length += 1;
        }
    }
    lines
}

/// A label and what it says, set in; on a terminal the text goes on below itself.
pub fn told(label: &str, wide: usize, text: &str) {
    let text = shown::visible(text.trim()).into_owned();
    let lines = match width() {
        Some(width) => wrapped(&text, width.saturating_sub(wide + 4).max(20)),
        None => vec![text],
    };
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        crate::say!("  {} {line}", styled(QUIET, format!("{label:<wide$}")));
    }
}

/// Prints a line: `say!("…", …)`. Where nobody can take it the command goes on without a word.
#[macro_export]
macro_rules! say {
    () => { $crate::style::print(format_args!("")) };
    ($($text:tt)*) => { $crate::style::print(format_args!($($text)*)) };
}

/// Nobody reads what is printed any more.
static DEAF: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
/// Something that was to be printed is lost, and not because its reader had enough.
static LOST: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether something that was to be printed could not be written, as on a full disk.
pub fn output_is_lost() -> bool {
    LOST.load(std::sync::atomic::Ordering::Relaxed)
}

/// See [`say!`]. A run is not given up because nobody looks any more.
pub fn print(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    use std::sync::atomic::Ordering;
    if DEAF.load(Ordering::Relaxed) {
        return;
    }
    let mut out = anstream::stdout().lock();
    let Err(error) = writeln!(out, "{text}") else { return };
    DEAF.store(true, Ordering::Relaxed);
    if error.kind() != std::io::ErrorKind::BrokenPipe {
        LOST.store(true, Ordering::Relaxed);
        anstream::eprintln!("{BAD}error:{BAD:#} cannot write the output: {error}");
    }
}

/// Columns of the terminal that standard output is; none where it is none.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Says what takes its time, on a terminal only; gone when it is dropped.
pub struct Busy(indicatif::ProgressBar);

impl Busy {
    /// With this text, and the seconds that have passed.
    pub fn with(text: &str) -> Self {
        let bar = indicatif::ProgressBar::new_spinner().with_message(text.to_owned());
        if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Busy(bar)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(last: &str) -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["entry", "policy", "steps", "why"]),
            row(["risk", "countersign-risk@0.1.0", "12", last]),
            row(["a-longer-name-of-an-entry", "x@1", "9,999", "short"]),
        ]
    }

    #[test]
    fn a_table_fits_whatever_the_width_and_nothing_of_it_is_lost() {
        let long = "it says that this is not worth it because nothing that was tried so far has led anywhere";
        for most in [200, 120, 80, 60, 40] {
            let table = table_within(&rows(long), &[2], Some(most));
            let widest = table.iter().flat_map(|row| row.lines()).map(|line| line.chars().count()).max();
            assert!(widest.is_some_and(|widest| widest <= most), "{most}: {table:#?}");
            let letters = |text: &str| {
                let mut letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
                letters.sort_unstable();
                letters
            };
            assert_eq!(letters(&table[1]), letters(&rows(long)[1].concat()), "{most}: {table:#?}");
        }
        assert_eq!(table_within(&rows(long), &[2], None)[1].lines().count(), 1);
    }

    #[test]
    fn text_breaks_at_blanks_and_within_what_is_too_long() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
