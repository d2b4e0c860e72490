//! What a command that serves tells whoever operates it: lines on standard error, each with its time, as text or as JSON.

use std::fmt::{self, Write};

use countersign::{utc_now, utc_text};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `TIME LEVEL what key=value …`
    Text,
    /// One JSON object a line, with `at`, `level` and `what` beside the rest.
    Json,
}

/// Lines from now on. Standard output may be a protocol's.
pub fn start(format: Format) {
    let _ = tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .event_format(Lines(format))
        .try_init();
}

struct Lines(Format);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        // What libraries say of their own work, such as all that a server tells of itself, is nobody's business here.
        if *metadata.level() > Level::WARN && !metadata.target().starts_with("countersign") {
            return Ok(());
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = metadata.level().to_string();
        let line = match self.0 {
            Format::Text => text(&now(), &level, fields.0),
            Format::Json => json(&now(), &level, fields.0),
        };
        writeln!(writer, "{line}")
    }
}

/// This moment as RFC 3339 has it.
fn now() -> String {
    utc_text(utc_now()).replacen(' ', "T", 1).replace(" UTC", "Z")
}

/// In the order in which whoever tells them names them.
#[derive(Default)]
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name().to_owned(), value.into()));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

/// What happened, and the rest; what is empty says nothing.
fn parted(fields: Vec<(String, Value)>) -> (String, Vec<(String, Value)>) {
    let empty = |value: &Value| matches!(value, Value::String(text) if text.is_empty());
    let (what, rest): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name == "message");
    let what = what.iter().filter_map(|(_, value)| value.as_str()).collect();
    (what, rest.into_iter().filter(|(_, value)| !empty(value)).collect())
}

fn json(at: &str, level: &str, fields: Vec<(String, Value)>) -> String {
    let (what, rest) = parted(fields);
    let mut line = Map::new();
    line.extend([("at", at), ("level", level), ("what", &what)].map(|(name, text)| (name.to_owned(), text.into())));
    line.extend(rest);
    countersign::shown::visible_json(&Value::Object(line).to_string()).into_owned()
}

fn text(at: &str, level: &str, fields: Vec<(String, Value)>) -> String {
    let (what, rest) = parted(fields);
    let mut line = format!("{at} {level:<5} {}", countersign::shown::visible(&what));
    for (name, value) in rest {
        let plain = |text: &str| !text.contains([' ', '"', '=', '\n']);
        let text = match &value {
            Value::String(text) if plain(text) => countersign::shown::visible(text).into_owned(),
            other => countersign::shown::visible_json(&other.to_string()).into_owned(),
        };
        let _ = write!(line, " {name}={text}");
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_it_says() {
        let fields = [
            ("message", json!("refused")),
            ("tool", json!("a__b")),
            ("reason", json!("two\nlines \u{202e}x")),
            ("frame", json!(3)),
            ("next", json!("")),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let text = text("2026-01-01T00:00:00Z", "INFO", fields.clone());
        let expected = "2026-01-01T00:00:00Z INFO  refused tool=a__b reason=\"two\\nlines \\u202ex\" frame=3";
        assert_eq!(text, expected);
        let line = super::json("2026-01-01T00:00:00Z", "INFO", fields);
        let read: Value = serde_json::from_str(&line).unwrap_or_default();
        assert_eq!((read["what"].as_str(), read["frame"].as_u64(), read.get("next")), (Some("refused"), Some(3), None));
        assert!(!line.contains(['\n', '\u{202e}']), "{line}");
    }
}
