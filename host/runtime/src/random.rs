//! Numbers that nobody can guess.

use std::io;

/// A random number.
///
/// # Errors
/// When the machine gives no random bytes.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_be_bytes(bytes))
}

/// An id that no other run has: 16 hexadecimal digits.
///
/// # Errors
/// When the machine gives no random bytes.
pub fn random_id() -> io::Result<String> {
    Ok(format!("{:016x}", random()?))
}
