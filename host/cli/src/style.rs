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

/// Columns aligned by their widest cell; the columns named in `right` to the right. What cannot be seen in a cell is
/// written out.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let seen = |row: &Vec<String>| row.iter().map(|cell| shown::visible(cell).into_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(seen).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(width).max().unwrap_or(0))
        .collect();
    let cell = |(column, text): (usize, &String)| {
        let space = " ".repeat(widths[column] - width(text));
        if right.contains(&column) { format!("{space}{text}") } else { format!("{text}{space}") }
    };
    rows.iter()
        .map(|row| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned())
        .collect()
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
