//! What counts across runs, processes and machines: small values in registers of the store that the runs are in.
//!
//! A value that is not there yet is as new. One that is there and cannot be understood is never replaced: whoever
//! needs it is refused, for nobody knows what it says.

use countersign_store::{RegisterError, RegisterName, RegisterNameError, RunStore, StorageError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// A value that cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// It cannot be set.
    #[error(transparent)]
    Register(RegisterError),
    /// It can have no place, since what it is kept by is empty or too long.
    #[error(transparent)]
    Name(#[from] RegisterNameError),
    /// It is not what any release writes.
    #[error("register `{name}` of the store is not valid: {source}; repair it, or remove it to begin anew")]
    Malformed {
        /// The register.
        name: RegisterName,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Another release wrote it.
    #[error("register `{name}` has version `{version}`, this release knows {VERSION}; use the release that wrote it")]
    Version {
        /// The register.
        name: RegisterName,
        /// Its version.
        version: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<T> {
    version: u32,
    value: T,
}

/// A value, as new where there is none, and the version of its register.
pub(super) fn read<T: Default + DeserializeOwned>(
    store: &dyn RunStore,
    name: &RegisterName,
) -> Result<(T, Option<u64>), StateError> {
    match store.register(name)? {
        Some(register) => Ok((understand(name, &register.value)?, Some(register.version))),
        None => Ok((T::default(), None)),
    }
}

/// Every value below a name.
pub(super) fn below<T: DeserializeOwned>(
    store: &dyn RunStore,
    name: &RegisterName,
) -> Result<Vec<(String, T)>, StateError> {
    let registers = store.registers(name)?;
    let one = |(name, register): &(RegisterName, countersign_store::Register)| {
        let last = name.parts().pop().unwrap_or_default();
        Ok((last, understand(name, &register.value)?))
    };
    registers.iter().map(one).collect()
}

/// Changes a value, however many others do so at the same time. `change` is called again when another was faster.
pub(super) fn change<T, R>(
    store: &dyn RunStore,
    name: &RegisterName,
    mut change: impl FnMut(&mut T) -> R,
) -> Result<R, StateError>
where
    T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
{
    loop {
        let (before, version) = read::<T>(store, name)?;
        let mut after = before.clone();
        let result = change(&mut after);
        if after == before {
            return Ok(result);
        }
        let stored = Stored { version: VERSION, value: after };
        let bytes =
            serde_json::to_vec(&stored).map_err(|source| StateError::Malformed { name: name.clone(), source })?;
        match store.compare_and_set(name, version, &bytes) {
            Ok(_) => return Ok(result),
            Err(RegisterError::Conflict { .. }) => {}
            Err(RegisterError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(StateError::Register(error)),
        }
    }
}

fn understand<T: DeserializeOwned>(name: &RegisterName, bytes: &[u8]) -> Result<T, StateError> {
    /// Read first, so that another version is told from damage.
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let malformed = |source| StateError::Malformed { name: name.clone(), source };
    let Head { version } = serde_json::from_slice(bytes).map_err(malformed)?;
    if version != VERSION {
        return Err(StateError::Version { name: name.clone(), version });
    }
    let stored: Stored<T> = serde_json::from_slice(bytes).map_err(malformed)?;
    Ok(stored.value)
}
