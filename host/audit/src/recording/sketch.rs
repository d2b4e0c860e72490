//! How a recording looks: the keys at its beginning, as far as they can be seen without reading all of it.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Most elements of a list that are looked at.
const ELEMENTS: usize = 32;
/// Most keys of an object that are looked at.
const KEYS: usize = 64;
/// Lists within lists are looked into so deep: a list of runs has objects, those a list, that objects.
const DEPTH: u8 = 4;

/// What can be seen of a value.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Sketch {
    /// An object: its keys, and what is below them.
    Object(Vec<(String, Sketch)>),
    /// A list, and its first elements.
    List(Vec<Sketch>),
    /// A text.
    Text(String),
    /// Anything else.
    #[default]
    Other,
}

impl Sketch {
    /// Of a text that may be cut off.
    pub fn of(text: &[u8]) -> Self {
        let seen = RefCell::new(Sketch::Other);
        let mut input = serde_json::Deserializer::from_slice(text);
        // What is cut off is an error, and what was seen until then is what is wanted.
        let _ = Seed { seen: &seen, depth: DEPTH }.deserialize(&mut input);
        seen.into_inner()
    }

    /// Of a value that has been read.
    pub fn of_value(value: &serde_json::Value) -> Self {
        let seen = RefCell::new(Sketch::Other);
        let _ = Seed { seen: &seen, depth: DEPTH }.deserialize(value);
        seen.into_inner()
    }

    /// What stands below a key.
    pub fn get(&self, key: &str) -> Option<&Sketch> {
        let Sketch::Object(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, below)| below)
    }

    /// Whether it has all of these keys.
    pub fn has(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.get(key).is_some())
    }

    /// A text below a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Sketch::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list below a key.
    pub fn list(&self, key: &str) -> &[Sketch] {
        match self.get(key) {
            Some(Sketch::List(elements)) => elements,
            _ => &[],
        }
    }
}

impl fmt::Display for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sketch::Object(entries) if entries.is_empty() => f.write_str("an object without keys"),
            Sketch::Object(entries) => {
                f.write_str("an object with ")?;
                for (at, (key, _)) in entries.iter().take(8).enumerate() {
                    let key: String = key.chars().take(40).collect();
                    write!(f, "{}`{}`", if at > 0 { ", " } else { "" }, key.escape_debug())?;
                }
                if entries.len() > 8 { f.write_str(", …") } else { Ok(()) }
            }
            Sketch::List(elements) => match elements.first() {
                Some(first @ (Sketch::Object(_) | Sketch::List(_))) => write!(f, "a list, first {first}"),
                Some(_) => f.write_str("a list of texts or numbers"),
                None => f.write_str("an empty list"),
            },
            Sketch::Text(_) => f.write_str("a text"),
            Sketch::Other => f.write_str("no JSON object or list"),
        }
    }
}

/// Writes what it sees as soon as it sees it: what comes later may be cut off.
struct Seed<'a> {
    seen: &'a RefCell<Sketch>,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        *self.seen.borrow_mut() = Sketch::Object(Vec::new());
        let mut keys = 0;
        while let Some(key) = entries.next_key::<String>()? {
            keys += 1;
            if keys > KEYS || self.depth == 0 {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let below = RefCell::new(Sketch::Other);
            let read = entries.next_value_seed(Seed { seen: &below, depth: self.depth - 1 });
            if let Sketch::Object(seen) = &mut *self.seen.borrow_mut() {
                seen.push((key, below.into_inner()));
            }
            read?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        *self.seen.borrow_mut() = Sketch::List(Vec::new());
        for _ in 0..if self.depth == 0 { 0 } else { ELEMENTS } {
            let below = RefCell::new(Sketch::Other);
            let read = items.next_element_seed(Seed { seen: &below, depth: self.depth - 1 });
            // At the end there is no element, and nothing was seen.
            if matches!(read, Ok(None)) {
                return Ok(());
            }
            if let Sketch::List(seen) = &mut *self.seen.borrow_mut() {
                seen.push(below.into_inner());
            }
            read?;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        *self.seen.borrow_mut() = Sketch::Text(text.chars().take(80).collect());
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_seen_as_far_as_it_goes() {
        let table = [
            ("{\"events\": [{\"k\": \"action\", \"src\": \"us", "an object with `events`"),
            (
                "[{\"id\": 1, \"action\": \"run\", \"args\": {\"co",
                "a list, first an object with `id`, `action`, `args`",
            ),
            ("{}", "an object without keys"),
            ("[]", "an empty list"),
            ("[1, 2]", "a list of texts or numbers"),
            ("nonsense", "no JSON object or list"),
            ("", "no JSON object or list"),
            ("\"text\"", "a text"),
        ];
        for (text, expected) in table {
            assert_eq!(Sketch::of(text.as_bytes()).to_string(), expected, "{text}");
        }
        let cut = Sketch::of(b"{\"events\": [{\"k\": \"action\", \"src\": \"us");
        assert!(cut.list("events").iter().all(|event| event.has(&["k"])));
        // However deep, it ends.
        let deep = "[".repeat(100_000);
        assert_eq!(Sketch::of(deep.as_bytes()).to_string().matches("list").count(), 5);
    }
}
