//! The twin of a scenario: the same file with one rule switched off, in which the harm happens
//! that the rule prevents.

use countersign::settings::merge;
use serde::Deserialize;
use toml::{Table, Value};

use crate::expect::Expectations;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TwinSpec {
    /// The rule that is switched off, for people.
    pub without: String,
    /// Keys that are set otherwise.
    #[serde(default)]
    pub change: Table,
    /// Keys that are left out, such as `tools.search.limits`.
    #[serde(default)]
    pub remove: Vec<String>,
    /// What happens then: the harm.
    pub expect: Expectations,
}

impl TwinSpec {
    /// The scenario's table with the twin's changes and expectations.
    pub fn table(&self, base: &Table) -> Result<Table, String> {
        let mut table = base.clone();
        for path in &self.remove {
            remove(&mut table, path)
                .ok_or_else(|| format!("key `twin.remove`: there is no key `{path}` to leave out"))?;
        }
        if self.remove.is_empty() && self.change.is_empty() {
            return Err("key `twin`: expected `change` or `remove`: a twin differs by its rule".to_owned());
        }
        merge(&mut table, self.change.clone());
        // Its own expectations come with it, already read.
        for key in ["twin", "expect", "shows"] {
            table.remove(key);
        }
        Ok(table)
    }
}

fn remove(table: &mut Table, path: &str) -> Option<Value> {
    match path.split_once('.') {
        None => table.remove(path),
        Some((first, rest)) => remove(table.get_mut(first)?.as_table_mut()?, rest),
    }
}
