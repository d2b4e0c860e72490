//! A schema as a graph: its subschemas, which of them look at the same value, and which at a part of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::SchemaError;

/// Values in one schema, objects, lists and texts counted alike. The largest schema of some 2,000 public MCP tools has a
/// few thousand.
pub const MOST_NODES: usize = 50_000;
/// How deep a schema may nest.
pub const DEEPEST: usize = 64;

/// References in one schema. A library follows them one inside the other.
pub const MOST_REFERENCES: usize = 2_000;
/// Subschemas that may lie one inside the other, references followed, without going into the value.
pub const LONGEST_CHAIN: usize = 64;

/// Keywords whose subschema looks at the same value.
const SAME: [&str; 4] = ["not", "if", "then", "else"];
/// The same, each with a list of them.
const SAME_LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// The same, each with a map of them.
const SAME_MAP: [&str; 2] = ["dependentSchemas", "dependencies"];
/// References: the schema they name looks at the same value.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Keywords whose subschema looks at every member of an object.
const MEMBERS: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];
/// Keywords whose subschema looks at every item of a list.
const ITEMS: [&str; 4] = ["items", "additionalItems", "contains", "unevaluatedItems"];
/// Keywords whose value holds schemas that are only referred to.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Position of a subschema.
pub type Id = usize;

/// One subschema.
#[derive(Debug, Default)]
pub struct Node {
    /// Looking at the value takes so many steps, without its subschemas.
    pub own: u64,
    /// Subschemas that look at the same value.
    pub same: Vec<Id>,
    /// Of members, by their name.
    pub named: BTreeMap<String, Id>,
    /// Of every member.
    pub members: Vec<Id>,
    /// Of the names of members.
    pub names: Vec<Id>,
    /// Of items, by their position.
    pub positions: Vec<Id>,
    /// Of every item.
    pub items: Vec<Id>,
}

/// All of them; the first is the whole.
#[derive(Debug)]
pub struct Index {
    pub nodes: Vec<Node>,
    /// The most steps that one look at any value takes with everything that follows from it at the same value; none
    /// where parts of a value lead back, so that it hangs on the value.
    pub flat: Option<u64>,
}

/// What is collected on the way.
#[derive(Default)]
struct Building {
    nodes: Vec<Node>,
    /// By JSON pointer, and by `#anchor`.
    places: BTreeMap<String, Id>,
    /// Who refers to what.
    references: Vec<(Id, String)>,
    values: usize,
}

impl Index {
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        let mut building = Building::default();
        building.count(schema, 0)?;
        building.add(schema, String::new());
        // A reference may lead to any place of the document, a keyword of nobody's included.
        let mut at = 0;
        while let Some((from, reference)) = building.references.get(at).cloned() {
            at += 1;
            if at > MOST_REFERENCES {
                let found = "it has more references than that".to_owned();
                return Err(SchemaError::TooLarge { found, most: MOST_REFERENCES });
            }
            let to = building.find(schema, &reference).ok_or_else(|| SchemaError::Reference(shortened(&reference)))?;
            building.nodes[from].same.push(to);
        }
        let nodes = building.nodes;
        let order = order(&nodes).map_err(|id| SchemaError::Endless(pointer_of(&building.places, id)))?;
        let mut lengths = vec![1; nodes.len()];
        for id in &order {
            lengths[*id] = 1 + nodes[*id].same.iter().map(|below| lengths[*below]).max().unwrap_or_default();
            if lengths[*id] > LONGEST_CHAIN {
                let found = format!("at `{}` it leads on and on", pointer_of(&building.places, *id));
                return Err(SchemaError::TooLarge { found, most: LONGEST_CHAIN });
            }
        }
        let flat = flat(&nodes, &order);
        Ok(Index { nodes, flat })
    }
}

impl Building {
    fn count(&mut self, value: &Value, depth: usize) -> Result<(), SchemaError> {
        self.values += 1;
        if depth > DEEPEST {
            return Err(SchemaError::TooLarge { found: format!("it nests {depth} deep"), most: DEEPEST });
        }
        if self.values > MOST_NODES {
            return Err(SchemaError::TooLarge { found: "it has more values than that".to_owned(), most: MOST_NODES });
        }
        match value {
            Value::Object(map) => map.values().try_for_each(|value| self.count(value, depth + 1)),
            Value::Array(list) => list.iter().try_for_each(|value| self.count(value, depth + 1)),
            _ => Ok(()),
        }
    }

    /// Adds a subschema with all below it.
    fn add(&mut self, schema: &Value, pointer: String) -> Id {
        if let Some(known) = self.places.get(&pointer) {
            return *known;
        }
        let id = self.nodes.len();
        self.nodes.push(Node { own: 1, ..Node::default() });
        self.places.insert(pointer.clone(), id);
        let Value::Object(map) = schema else { return id };
        let mut node = Node { own: 1 + map.len() as u64 + constants(map), ..Node::default() };
        for (key, value) in map {
            let below = format!("{pointer}/{}", escaped(key));
            self.keyword(&mut node, id, key, value, &below);
        }
        for anchor in ["$anchor", "$dynamicAnchor"] {
            if let Some(Value::String(name)) = map.get(anchor) {
                self.places.insert(format!("#{name}"), id);
            }
        }
        for key in ["$id", "id"] {
            if let Some(Value::String(name)) = map.get(key) {
                self.places.insert(format!("#={name}"), id);
            }
        }
        self.nodes[id] = node;
        id
    }

    fn keyword(&mut self, node: &mut Node, id: Id, key: &str, value: &Value, at: &str) {
        if REFERENCES.contains(&key)
            && let Value::String(to) = value
        {
            self.references.push((id, to.clone()));
        } else if SAME.contains(&key) {
            node.same.push(self.add(value, at.to_owned()));
        } else if SAME_LIST.contains(&key) {
            node.same.extend(self.list(value, at));
        } else if SAME_MAP.contains(&key) {
            // `dependencies` may name keys instead.
            node.same.extend(self.map(value, at).into_iter().map(|(_, id)| id));
        } else if key == "properties" {
            node.named = self.map(value, at).into_iter().collect();
        } else if key == "patternProperties" {
            // Every name is tried with every pattern.
            node.members.extend(self.map(value, at).into_iter().map(|(_, id)| id));
        } else if MEMBERS.contains(&key) {
            node.members.push(self.add(value, at.to_owned()));
        } else if key == "propertyNames" {
            node.names.push(self.add(value, at.to_owned()));
        } else if key == "prefixItems" || (key == "items" && value.is_array()) {
            node.positions.extend(self.list(value, at));
        } else if ITEMS.contains(&key) {
            node.items.push(self.add(value, at.to_owned()));
        } else if DEFINITIONS.contains(&key) {
            self.map(value, at);
        }
    }

    fn list(&mut self, value: &Value, at: &str) -> Vec<Id> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().enumerate().map(|(position, value)| self.add(value, format!("{at}/{position}"))).collect()
    }

    fn map(&mut self, value: &Value, at: &str) -> Vec<(String, Id)> {
        let map = value.as_object().into_iter().flatten();
        map.map(|(key, value)| (key.clone(), self.add(value, format!("{at}/{}", escaped(key))))).collect()
    }

    /// The schema that a reference names.
    fn find(&mut self, root: &Value, reference: &str) -> Option<Id> {
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if !base.is_empty() {
            // By the name that a part of it gives itself: alone, for what such a name makes of others is rarely used.
            let id = self.places.get(&format!("#={base}")).copied();
            return id.filter(|_| fragment.is_empty());
        }
        let fragment = percent_decoded(fragment);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return self.places.get(&format!("#{fragment}")).copied();
        }
        if let Some(known) = self.places.get(&fragment) {
            return Some(*known);
        }
        let target = root.pointer(&fragment)?;
        Some(self.add(target, fragment))
    }
}

/// What `enum` and `const` compare with.
fn constants(map: &Map<String, Value>) -> u64 {
    fn size(value: &Value) -> u64 {
        match value {
            Value::Object(map) => 1 + map.values().map(size).sum::<u64>(),
            Value::Array(list) => 1 + list.iter().map(size).sum::<u64>(),
            _ => 1,
        }
    }
    ["enum", "const", "required"].iter().filter_map(|key| map.get(*key)).map(size).sum()
}

/// The subschemas, each behind those that look at the same value after it.
fn order(nodes: &[Node]) -> Result<Vec<Id>, Id> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    for start in 0..nodes.len() {
        let mut open = vec![(start, 0)];
        while let Some((id, next)) = open.pop() {
            if next == 0 {
                match marks[id] {
                    Mark::Done => continue,
                    Mark::Open => return Err(id),
                    Mark::New => marks[id] = Mark::Open,
                }
            }
            if let Some(below) = nodes[id].same.get(next) {
                open.push((id, next + 1));
                if marks[*below] == Mark::Open {
                    return Err(*below);
                }
                open.push((*below, 0));
            } else {
                marks[id] = Mark::Done;
                order.push(id);
            }
        }
    }
    Ok(order)
}

/// The most steps of a look, everything below counted once for each way that leads to it; none where it goes in a
/// circle through the parts of a value.
fn flat(nodes: &[Node], order: &[Id]) -> Option<u64> {
    let below = |node: &Node| {
        let parts = [&node.members, &node.names, &node.positions, &node.items];
        let parts: Vec<Id> = parts.into_iter().flatten().copied().chain(node.named.values().copied()).collect();
        parts
    };
    // A part's subschema must be known first: as often as there are levels, at most.
    let mut steps: Vec<Option<u64>> = vec![None; nodes.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for id in order {
            if steps[*id].is_some() {
                continue;
            }
            let node = &nodes[*id];
            let all = node.same.iter().copied().chain(below(node));
            let sum = all.map(|id| steps[id]).try_fold(node.own, |sum, steps| Some(sum.saturating_add(steps?)));
            if sum.is_some() {
                steps[*id] = sum;
                changed = true;
            }
        }
    }
    steps.first().copied().flatten()
}

fn pointer_of(places: &BTreeMap<String, Id>, id: Id) -> String {
    let mut pointers: Vec<&String> =
        places.iter().filter(|(place, own)| **own == id && !place.starts_with('#')).map(|(place, _)| place).collect();
    pointers.sort();
    pointers.first().map(|pointer| shortened(&format!("{pointer}/"))).unwrap_or_default()
}

/// A stranger's words, as many as an error has room for.
fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: u8| (byte as char).to_digit(16);
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or_default() * 16 + hex(*low).unwrap_or_default();
                bytes.push(u8::try_from(value).unwrap_or_default());
                after
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
