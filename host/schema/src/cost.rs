//! What checking a value takes, counted before it is checked.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::index::{Id, Index};

/// Steps that one check may take: a look of one subschema at one value. Some 5,000,000 take a library a second.
pub const MOST_STEPS: u64 = 5_000_000;

/// Pairs of a subschema and a value that are counted before the host gives up on it.
const MOST_COUNTED: u64 = 1_000_000;

/// Whether checking a value takes at most [`MOST_STEPS`]. Most schemas lead nowhere back, and a product says it.
pub fn is_bounded(index: &Index, value: &Value) -> bool {
    let values = size(value);
    if index.flat.is_some_and(|flat| flat.saturating_mul(values) <= MOST_STEPS) {
        return true;
    }
    let mut counting = Counting { index, known: BTreeMap::new(), left: MOST_COUNTED };
    counting.steps(0, value).is_some_and(|steps| steps <= MOST_STEPS)
}

/// Values in a value; a long text is as many as it has kilobytes, for patterns look at each letter.
fn size(value: &Value) -> u64 {
    match value {
        Value::Object(map) => 1 + map.values().map(size).sum::<u64>(),
        Value::Array(list) => 1 + list.iter().map(size).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / 1024,
        _ => 1,
    }
}

static NAME: Value = Value::Null;

struct Counting<'v> {
    index: &'v Index,
    /// What is counted is counted once: by subschema and place of the value.
    known: BTreeMap<(Id, *const Value), u64>,
    /// Counting itself has an end.
    left: u64,
}

impl<'v> Counting<'v> {
    /// Steps of a subschema at a value, with all that follows. None when counting takes too long.
    fn steps(&mut self, id: Id, value: &'v Value) -> Option<u64> {
        let place = (id, std::ptr::from_ref(value));
        if let Some(known) = self.known.get(&place) {
            return Some(*known);
        }
        self.left = self.left.checked_sub(1)?;
        let index = self.index;
        let node = &index.nodes[id];
        let mut steps = node.own.saturating_add(if value.is_string() { size(value) } else { 0 });
        // A schema nests at most so deep, and nothing looks at the same value in a circle: this ends.
        for below in &node.same {
            steps = steps.saturating_add(self.steps(*below, value)?);
        }
        match value {
            Value::Object(map) => {
                for (name, member) in map {
                    let named = node.named.get(name).into_iter();
                    for below in named.chain(&node.members) {
                        steps = steps.saturating_add(self.steps(*below, member)?);
                    }
                    for below in &node.names {
                        // A name has no parts either.
                        steps = steps.saturating_add(self.steps(*below, &NAME)?);
                    }
                }
            }
            Value::Array(list) => {
                for (position, item) in list.iter().enumerate() {
                    let at = node.positions.get(position).into_iter();
                    for below in at.chain(&node.items) {
                        steps = steps.saturating_add(self.steps(*below, item)?);
                    }
                }
            }
            _ => {}
        }
        self.known.insert(place, steps);
        Some(steps)
    }
}
