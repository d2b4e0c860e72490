//! Reading a value element by element: however long a run is, no more than one of its elements is in memory.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::formats::Reader;
use super::reading::Reading;
use super::run::Visit;
use super::sink::{Refused, Sink};

/// A value that is a run, or a list of such, or a list of the elements of one.
pub(super) struct ValueSeed<'a> {
    pub reading: &'a mut Reading,
    pub visit: &'a mut dyn Visit,
    /// What the visitor refused: the error then says nothing of the value.
    pub refused: &'a mut Option<Refused>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// An error by which the reading ends at what the visitor refused.
fn refused<E: de::Error>(place: &mut Option<Refused>, refused: Refused) -> E {
    let error = E::custom(&refused.0);
    *place = Some(refused);
    error
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reading.format.name, self.reading.format.looks)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let ValueSeed { reading, visit, refused: place } = self;
        let (mut reader, mut sink) = ((reading.format.reader)(), Sink::new(visit));
        let mut read = run(&mut entries, reading, &mut *reader, &mut sink, place);
        let done = match &mut read {
            _ if place.is_some() => Ok(()),
            Ok(None) => reading.end(reader, sink),
            Ok(Some(problem)) => {
                reading.give_up(sink, std::mem::take(problem));
                Ok(())
            }
            // The value itself is broken: whoever reads on names it.
            Err(_) => {
                sink.abandon();
                Ok(())
            }
        };
        done.map_err(|error| refused(place, error))?;
        // What is left of the object has nothing to say.
        if matches!(read, Ok(Some(_))) {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        }
        read.map(drop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let ValueSeed { reading, visit, refused: place } = self;
        if reading.lists_runs {
            while items.next_element_seed(ValueSeed { reading, visit, refused: place })?.is_some() {}
            return Ok(());
        }
        let (mut reader, mut sink) = ((reading.format.reader)(), Sink::new(visit));
        let mut number = 0;
        let read = elements(&mut items, reading, (&mut *reader, &mut sink), &mut number, place);
        match read {
            Ok(()) => reading.end(reader, sink).map_err(|error| refused(place, error)),
            Err(error) => {
                sink.abandon();
                Err(error)
            }
        }
    }
}

/// The entries of a run. What it cannot be without and does not have is its problem.
fn run<'de, A: MapAccess<'de>>(
    entries: &mut A,
    reading: &mut Reading,
    reader: &mut dyn Reader,
    sink: &mut Sink<'_>,
    place: &mut Option<Refused>,
) -> Result<Option<String>, A::Error> {
    let (mut number, mut listed) = (0, None);
    while let Some(key) = entries.next_key::<String>()? {
        reading.since.set(0);
        if reading.format.lists.contains(&key.as_str()) {
            if listed.as_ref() == Some(&key) {
                return Ok(Some(format!("the key `{key}` stands twice")));
            }
            listed.get_or_insert(key);
            let seed = ElementsSeed { reading, reader, sink, number: &mut number, place };
            entries.next_value_seed(seed)?;
        } else if reader.wants(&key) {
            let value = entries.next_value::<Value>()?;
            if let Err(problem) = reader.key(&key, value, &mut sink.header) {
                return Ok(Some(problem));
            }
        } else {
            entries.next_value::<IgnoredAny>()?;
        }
    }
    if listed.is_none() {
        let lists: Vec<String> = reading.format.lists.iter().map(|key| format!("`{key}`")).collect();
        return Ok(Some(format!("expected the key {}", lists.join(" or "))));
    }
    Ok(None)
}

struct ElementsSeed<'a, 'b> {
    reading: &'a mut Reading,
    reader: &'a mut dyn Reader,
    sink: &'a mut Sink<'b>,
    number: &'a mut u64,
    place: &'a mut Option<Refused>,
}

impl<'de> DeserializeSeed<'de> for ElementsSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of what happened in the run")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        elements(&mut items, self.reading, (self.reader, self.sink), self.number, self.place)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn elements<'de, A: SeqAccess<'de>>(
    items: &mut A,
    reading: &mut Reading,
    (reader, sink): (&mut dyn Reader, &mut Sink<'_>),
    number: &mut u64,
    place: &mut Option<Refused>,
) -> Result<(), A::Error> {
    while let Some(element) = items.next_element::<Value>()? {
        reading.since.set(0);
        reading.element(*number, Ok(element), (reader, sink)).map_err(|error| refused(place, error))?;
        *number += 1;
    }
    Ok(())
}
