//! What became of a call that failed: its cause, and the words for people.

use countersign_contract::{Cause, Level, Violation};
use wasmtime::Trap;

use crate::call::{Broken, LogLine};
use crate::limits::MemoryLimit;

/// By type, never by text. What is none of these has no public type: wasmtime could not lift the
/// answer.
pub(crate) fn cause_of(error: &wasmtime::Error, violation: Option<Violation>) -> Cause {
    if let Some(violation) = violation {
        return Cause::ContractViolation(violation);
    }
    if error.downcast_ref::<Broken>().is_some() {
        let expected = "an answer that belongs to the question".to_owned();
        return Cause::ContractViolation(Violation { field: "run".to_owned(), expected, bits: None });
    }
    if error.downcast_ref::<MemoryLimit>().is_some() {
        return Cause::OutOfMemory;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Cause::OutOfFuel,
        Some(Trap::StackOverflow) => Cause::Stack,
        Some(Trap::Interrupt) => Cause::Environment,
        Some(_) => Cause::Trap,
        None => Cause::MalformedAnswer,
    }
}

/// The author's own message first.
pub(crate) fn message(log: &[LogLine], cause: &Cause) -> String {
    match log.iter().rev().find(|line| line.level == Level::Error) {
        Some(line) => format!("{} ({cause})", line.message),
        None => cause.to_string(),
    }
}
