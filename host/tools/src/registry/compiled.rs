//! The registry of one run: its tools with their schemas compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_kernel::Touched;
use countersign_schema::Schema;
use countersign_spec::Tool;
use serde_json::Value;

use super::spec::{ToolSpec, VerifySpec};
use crate::{Arguments, SettingsError};

/// Tools by name.
#[derive(Debug, Default)]
pub struct Registry {
    tools: BTreeMap<String, Registered>,
    /// Tools that may not be called at the moment, and why.
    withheld: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Registered {
    spec: ToolSpec,
    arguments: Option<Schema>,
    result: Option<Schema>,
}

impl Registry {
    /// Compiles the schemas of tools that were checked ([`ToolSpec::check`]).
    pub fn new(tools: &BTreeMap<String, ToolSpec>) -> Self {
        let compiled = |schema: &Value| Schema::new(schema).ok();
        let registered = |spec: &ToolSpec| Registered {
            arguments: spec.arguments.as_ref().and_then(compiled),
            result: match &spec.verify {
                Some(VerifySpec::ResultSchema(schema)) => compiled(schema),
                _ => None,
            },
            spec: spec.clone(),
        };
        let tools = tools.iter().map(|(name, spec)| (name.clone(), registered(spec))).collect();
        Registry { tools, withheld: BTreeMap::new() }
    }

    /// Reads tools from TOML: a table for each, by name. `file` is for errors.
    ///
    /// # Errors
    /// What is wrong, with line or key.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let invalid = |problem: String| SettingsError::Invalid { file: file.to_owned(), problem };
        let tools: BTreeMap<String, ToolSpec> = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        for (name, tool) in &tools {
            tool.check(name).map_err(invalid)?;
        }
        Ok(Registry::new(&tools))
    }

    /// A tool as its file declares it.
    pub fn spec(&self, tool: &str) -> Option<&ToolSpec> {
        self.tools.get(tool).map(|registered| &registered.spec)
    }

    /// Lets nobody call a tool, for this reason; none lets it be called again. Recorded with each call
    /// that is proposed meanwhile.
    pub fn withhold(&mut self, tool: &str, reason: Option<String>) {
        match reason {
            Some(reason) => self.withheld.insert(tool.to_owned(), reason),
            None => self.withheld.remove(tool),
        };
    }

    /// The tools as a run is pinned to them, by name.
    pub fn registered(&self) -> Vec<Tool> {
        self.tools.iter().map(|(name, registered)| registered.spec.registered(name)).collect()
    }

    /// Why a result does not match the schema that its tool declares; none when it does.
    pub fn result_problem(&self, tool: &str, text: &str) -> Option<String> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return Some(format!("expected a JSON result: {error}")),
        };
        self.tools.get(tool)?.result.as_ref()?.problem(&value).map(|problem| problem.message)
    }
}

impl Arguments for Registry {
    fn problem(&self, tool: &str, arguments: &Value) -> Option<String> {
        let registered = self.tools.get(tool)?;
        if let Some(reason) = self.withheld.get(tool) {
            return Some(reason.clone());
        }
        if let Some(problem) = registered.arguments.as_ref().and_then(|schema| schema.problem(arguments)) {
            return Some(problem.to_string());
        }
        // What counts must be countable: unknown is not nothing.
        let touches = &registered.spec.touches;
        let uncounted = |pointer: &Option<String>, things: bool| {
            let pointer = pointer.as_deref()?;
            let value = arguments.pointer(pointer);
            let wanted = if things { "a whole number, a list or a name" } else { "a whole number of micro-dollars" };
            let known = value.is_some_and(|value| counted(value, things).is_some());
            (!known).then(|| format!("`{pointer}`: expected {wanted}"))
        };
        uncounted(&touches.money, false)
            .or_else(|| uncounted(&touches.records, true))
            .or_else(|| uncounted(&touches.recipients, true))
    }

    fn missing(&self, tool: &str, arguments: &Value) -> Vec<Arc<str>> {
        let schema = self.tools.get(tool).and_then(|registered| registered.spec.arguments.as_ref());
        let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| arguments.get(name).is_none()).map(Arc::from).collect()
    }

    fn touches(&self, tool: &str, arguments: &Value) -> Touched {
        let Some(registered) = self.tools.get(tool) else { return Touched::default() };
        let touches = &registered.spec.touches;
        let count = |pointer: &Option<String>, things: bool| counted(arguments.pointer(pointer.as_deref()?)?, things);
        Touched {
            records: count(&touches.records, true),
            money: count(&touches.money, false),
            recipients: count(&touches.recipients, true),
        }
    }

    fn identity(&self, tool: &str, arguments: &Value) -> Option<Value> {
        let pointers = self.tools.get(tool)?.spec.identity.as_ref()?;
        Some(pointers.iter().map(|pointer| arguments.pointer(pointer).cloned().unwrap_or(Value::Null)).collect())
    }
}

/// How much a value counts: a whole number, or, where things are counted, a list or a name. None for
/// what cannot be counted.
fn counted(value: &Value, things: bool) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            // Whole numbers in another spelling; from here on they would be rounded.
            const EXACT: f64 = 9_007_199_254_740_992.0;
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within 53 bits")]
            Some(float as u64)
        }),
        Value::Array(list) if things => Some(list.len() as u64),
        Value::String(_) if things => Some(1),
        _ => None,
    }
}
