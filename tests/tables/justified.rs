//! Why a field stays that nobody fills, or that no default policy reads.

/// The slot (or `run`), the field, and why it stays.
pub const JUSTIFIED: [(&str, &str, &str); 0] = [];
