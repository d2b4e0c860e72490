//! The identity of a question: what a frame keeps of it, since the fold makes the question itself again.

use std::sync::Arc;

use crate::{Key, Question};

/// The bytes of a value by which it is told apart from every other of its type. What has no fixed length says how long
/// it is, so that two neighbours cannot run into each other.
pub(crate) trait Encode {
    /// Appends the bytes, numbers in little-endian order.
    fn encode(&self, out: &mut Vec<u8>);
}

impl Question {
    /// Equal keys, equal questions. Whoever folds a frame compares it: where the fold would have asked anything
    /// else, the frame does not follow. What the question was made of stands in the chain of frames, under a hash
    /// that nobody can forge; here a fast one (XXH3, 64 bits) is enough.
    pub fn key(&self) -> Key {
        let mut out = Vec::with_capacity(1 << 10);
        self.encode(&mut out);
        Key::of(&out)
    }
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        })+
    };
}

numbers!(u8, u32, u64);

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Encode for f64 {
    fn encode(&self, out: &mut Vec<u8>) {
        self.to_bits().encode(out);
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.len() as u64).encode(out);
        out.extend_from_slice(self.as_bytes());
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}

impl Encode for Arc<str> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.len() as u64).encode(out);
        self.iter().for_each(|value| value.encode(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Direction;
    use crate::guard::Transit;
    use crate::threshold::{ActionReturn, Ledger};

    fn transit(tool: Option<&str>, text: &str, bytes: u64) -> Question {
        Question::Guard(Transit { direction: Direction::Input, tool: tool.map(Arc::from), text: text.into(), bytes })
    }

    fn ledger(returns: &[u64], next: Option<f64>) -> Question {
        let none = ActionReturn {
            at: 0,
            advanced: false,
            changed: false,
            novel: false,
            confirmed: false,
            failed: false,
            neutral: false,
            repeated: false,
        };
        let next = next.map(|risk| crate::threshold::NextAction {
            tool: "a".into(),
            reversibility: crate::Reversibility::Unknown,
            mutating: false,
            idempotent: false,
            risk: Some(risk),
        });
        Question::Threshold(Ledger {
            at: 0,
            since: 0,
            actions: 0,
            returns: returns.iter().map(|at| ActionReturn { at: *at, ..none }).collect(),
            criteria_met: 0,
            criteria: 0,
            gap: None,
            costs: Vec::new(),
            next,
        })
    }

    #[test]
    fn whatever_differs_gives_another_key() {
        let all = [
            transit(None, "ab", 2),
            transit(None, "ab", 3),
            transit(None, "abc", 2),
            transit(Some(""), "ab", 2),
            transit(Some("a"), "b", 2),
            ledger(&[], None),
            ledger(&[0], None),
            ledger(&[1], None),
            ledger(&[0, 0], None),
            ledger(&[], Some(0.0)),
            ledger(&[], Some(-0.0)),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.key(), one.clone().key());
            for other in &all[index + 1..] {
                assert_ne!(one.key(), other.key(), "{one:?} {other:?}");
            }
        }
    }

    /// A trace of today is read by every later release: the key of a question never changes.
    #[test]
    fn a_key_is_the_same_on_every_machine_and_in_every_release() {
        assert_eq!(transit(Some("read"), "hello", 5).key().to_string(), "fd48058ae6aafda0");
        assert_eq!(ledger(&[7], Some(0.25)).key().to_string(), "3764ab2ce2246604");
    }
}
