//! Registers: small values that several processes change by comparing and setting.

use crate::error::StorageError;

/// Most bytes of a register.
pub const LARGEST_REGISTER: usize = 1 << 20;
/// Most bytes of a register's name.
const LONGEST_NAME: usize = 512;

/// The name of a register: parts with `/` between them, such as `buckets/tenant/acme`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegisterName(String);

/// A name that no register can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no name of a register: expected parts of letters, digits and `-._~%` with `/` between them, at most \
     {LONGEST_NAME} bytes"
)]
pub struct RegisterNameError {
    /// As given.
    pub name: String,
}

impl RegisterName {
    /// A name as it is written.
    ///
    /// # Errors
    /// When it could not be one.
    pub fn new(name: &str) -> Result<Self, RegisterNameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
        if name.len() <= LONGEST_NAME && name.split('/').all(part) {
            return Ok(RegisterName(name.to_owned()));
        }
        Err(RegisterNameError { name: name.to_owned() })
    }

    /// A name from parts that may hold anything, such as a tenant's name: what a name cannot hold is
    /// escaped, so that two lists of parts never give one name.
    ///
    /// # Errors
    /// When it would be too long, or a part is empty.
    pub fn of(parts: &[&str]) -> Result<Self, RegisterNameError> {
        let mut name = String::new();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                name.push('/');
            }
            let dots = matches!(*part, "." | "..");
            for byte in part.bytes() {
                match byte {
                    b'-' | b'_' | b'~' => name.push(char::from(byte)),
                    b'.' if !dots => name.push('.'),
                    _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
                    _ => name.push_str(&format!("%{byte:02X}")),
                }
            }
        }
        RegisterName::new(&name)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts as they were given to [`RegisterName::of`].
    pub fn parts(&self) -> Vec<String> {
        self.0.split('/').map(unescaped).collect()
    }
}

fn unescaped(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl std::fmt::Display for RegisterName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a register holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Its bytes.
    pub value: Vec<u8>,
    /// Grows with every change, and is never used twice for one name.
    pub version: u64,
}

/// A register that was not set.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Somebody else was faster. Read it again.
    #[error("`{name}` has been changed by another process")]
    Conflict {
        /// The register.
        name: RegisterName,
        /// Its version now; none when it is not there.
        found: Option<u64>,
    },
    /// The value is too large.
    #[error("`{name}` would have {bytes} bytes, a register has at most {LARGEST_REGISTER}")]
    TooLarge {
        /// The register.
        name: RegisterName,
        /// Its size.
        bytes: usize,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn parts_of_any_kind_make_names_that_differ() {
        let table: [(&[&str], &str); 6] = [
            (&["buckets", "app"], "buckets/app"),
            (&["buckets", "tenant", "Müller & Co"], "buckets/tenant/M%C3%BCller%20%26%20Co"),
            (&["a/b"], "a%2Fb"),
            (&["a", "b"], "a/b"),
            (&["a%2Fb"], "a%252Fb"),
            (&[".."], "%2E%2E"),
        ];
        for (parts, name) in table {
            let made = RegisterName::of(parts).unwrap();
            assert_eq!(made.as_str(), name);
            assert_eq!(made.parts(), parts);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "/", "a/", "/a", "a//b", "..", "a/../b", "a b", "ä", &"x".repeat(513)] {
            assert!(RegisterName::new(name).is_err(), "{name}");
        }
        assert!(RegisterName::of(&["a", ""]).is_err());
    }
}
