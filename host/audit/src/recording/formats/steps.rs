//! Steps with thought, action and observation, as agents that reason and act in texts are recorded.

use countersign_kernel::Usage;
use serde_json::{Map, Value};

use super::{Fault, Format, Reader, any, kind, labels, needed, never, object, text};
use crate::recording::run::{Call, Event, Header, Returned};
use crate::recording::sink::Sink;
use crate::recording::sketch::Sketch;

pub const FORMAT: Format = Format {
    name: "steps of thought and action",
    looks: "an object with `steps`, whose elements have `action` and `observation` or `result`",
    is_element: never,
    is_run: |run| any(run, &["steps"], is_step),
    lists: &["steps"],
    reader: || Box::new(Steps::default()),
};

fn is_step(step: &Sketch) -> bool {
    step.has(&["action"]) && (step.has(&["observation"]) || step.has(&["result"]))
}

#[derive(Debug, Default)]
struct Steps {
    number: u64,
}

impl Reader for Steps {
    fn wants(&self, key: &str) -> bool {
        labels::wants(key)
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        labels::take(key, &value, header);
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let step = object(element)?;
        let action = match step.get("action") {
            // A turn in which nothing was done.
            None | Some(Value::Null) => String::new(),
            _ => needed(&step, "action")?,
        };
        let result = ["observation", "result"].iter().find_map(|key| step.get(*key));
        if let Some(other) = result.filter(|result| !matches!(result, Value::String(_) | Value::Null)) {
            return Err(Fault::Element(format!("key `observation`: expected a text, found {}", kind(other))));
        }
        self.number += 1;
        let (tool, input) = named(&action);
        if matches!(tool.as_str(), "Finish" | "finish") {
            sink.event(Event::Finished { at: 0, summary: input, usage: Usage::default() })?;
            return Ok(());
        }
        let id = self.number.to_string();
        let arguments: Map<String, Value> = [("input".to_owned(), Value::String(input))].into_iter().collect();
        let thought = text(&step, "thought");
        sink.event(Event::Called(Call { id: id.clone(), tool, arguments, thought, ..Call::default() }))?;
        if let Some(Value::String(text)) = result {
            sink.event(Event::Returned(Returned::of(0, id, text.clone(), false)))?;
        }
        Ok(())
    }
}

/// Tool and input of an action: `Tool[input]`, `tool(input)`, an object that names its tool, or a text that is neither.
fn named(action: &str) -> (String, String) {
    let action = action.trim();
    let word = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        (!text.is_empty() && text.len() <= 64 && text.chars().all(plain)).then(|| text.to_owned())
    };
    for (open, close) in [('[', ']'), ('(', ')')] {
        if let Some((tool, rest)) = action.split_once(open)
            && let Some(tool) = word(tool)
        {
            return (tool, rest.strip_suffix(close).unwrap_or(rest).to_owned());
        }
    }
    // An object as Python or JSON writes it.
    for key in ["'name': '", "\"name\": \""] {
        let quote = &key[..1];
        if action.starts_with('{')
            && let Some((_, rest)) = action.rsplit_once(key).filter(|_| key.len() < action.len())
            && let Some((tool, _)) = rest.split_once(quote)
            && let Some(tool) = word(tool)
        {
            return (tool, action.to_owned());
        }
    }
    (word(action).unwrap_or_else(|| "act".to_owned()), action.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_by_the_tool_that_they_name() {
        let table = [
            ("Search[New York]", "Search", "New York"),
            ("Lookup[a [b] c]", "Lookup", "a [b] c"),
            (
                "search_class(\"Parent\"), search_class(\"Child\")",
                "search_class",
                "\"Parent\"), search_class(\"Child\"",
            ),
            ("{'name': 'read_range', 'args': {'startline': 3}}", "read_range", "{'name'"),
            ("{'arguments': '{\"command\": \"ls\"}', 'name': 'execute_bash'}", "execute_bash", "{'arguments'"),
            ("Analyze", "Analyze", "Analyze"),
            ("look at the sky and wait", "act", "look at the sky"),
            ("", "act", ""),
            ("[", "act", "["),
        ];
        for (action, tool, input) in table {
            let (found, rest) = named(action);
            assert_eq!(found, tool, "{action}");
            assert!(rest.starts_with(input), "{action}: {rest}");
        }
    }
}
