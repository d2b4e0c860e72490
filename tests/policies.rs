//! What policies say, by themselves and in a host that expects the worst of them: one program, since each holds the
//! whole engine.

mod conformance;
mod detection;
mod hostile;
mod laws;
