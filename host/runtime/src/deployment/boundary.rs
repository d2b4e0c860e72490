use std::sync::Arc;

use countersign_spec::Boundary;
use serde::Deserialize;

use crate::settings::sealed;

/// The envelope of runs whose loop an agent owns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BoundarySection {
    /// Tools that may be called. By default all that there are.
    pub tools: Option<Vec<String>>,
    /// Scopes that are granted.
    pub permissions: Vec<String>,
    /// Tools that need no approval by their kind. Ceilings and policies ask all the same.
    pub preauthorised: Vec<String>,
    /// Tools that always need one.
    pub asks: Vec<String>,
    /// Records or people that one call may touch before a person is asked; unlimited by default.
    pub blast_radius_limit: Option<u64>,
    /// Where the agent works: `production`, a repository; policies see it.
    pub working_context: String,
}

impl BoundarySection {
    /// The tools that it names, each with the key that names it.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let tools = self.tools.iter().flatten().map(|name| ("tools", name));
        let preauthorised = self.preauthorised.iter().map(|name| ("preauthorised", name));
        tools.chain(preauthorised).chain(self.asks.iter().map(|name| ("asks", name)))
    }

    /// This envelope in the place of a default one, sealed.
    pub(super) fn over(&self, boundary: Boundary) -> Boundary {
        let names = |list: &[String]| list.iter().map(|name| Arc::from(name.as_str())).collect::<Vec<Arc<str>>>();
        sealed(Boundary {
            name: "deployment".into(),
            tools: self.tools.as_deref().map_or_else(|| boundary.tools.clone(), names),
            permissions: names(&self.permissions),
            preauthorised: names(&self.preauthorised),
            asks: names(&self.asks),
            blast_radius_limit: self.blast_radius_limit,
            working_context: self.working_context.as_str().into(),
            ..boundary
        })
    }
}
