//! Approvers' keys: whoever decides signs the decision, and whoever owns the run looks at the signature before the run
//! hears of it. The run names the public keys, so that a decision is worth something only to the run that it is of.

use countersign_kernel::Decision;
use countersign_spec::Approver;
use countersign_store::{Entry, Offer};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// What stands before the digits of a public key.
const SCHEME: &str = "ed25519:";
/// What an approver's file begins with.
const FORM: &str = "countersign approver 1";

/// The points of Ed25519 whose order divides 8, by their first coordinate as keys write it, without its sign; zero and one also
/// as they can be written without being reduced. Multiplied by whatever is signed they say next to nothing of who signed it
/// (RFC 8032 §5.1.7 leaves them to whoever verifies).
const SMALL_ORDER: [[u8; 32]; 7] = {
    const fn ends(first: u8, between: u8, last: u8) -> [u8; 32] {
        let mut bytes = [between; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    [
        ends(0, 0, 0),
        ends(1, 0, 0),
        ends(0xec, 0xff, 0x7f),
        ends(0xed, 0xff, 0x7f),
        ends(0xee, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

/// Why a decision is not taken, or a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApproverError {
    /// Nobody has shown a key.
    #[error("decisions on this run are taken of its approvers alone ({known}): sign it, with `--key FILE`")]
    Unsigned {
        /// Their names.
        known: String,
    },
    /// Somebody has shown another key than that of any approver by that name.
    #[error("`{by}` has signed with a key that is no approver's of this run by that name; it knows {known}")]
    Unknown {
        /// Who decides, as they say.
        by: String,
        /// Names of the approvers.
        known: String,
    },
    /// It was signed as something else.
    #[error("the signature is not of this decision on this run")]
    Forged,
    /// A public key that can be none.
    #[error(
        "expected `ed25519:` and 64 hexadecimal digits, as `countersign approvals key` prints them, found `{found}`"
    )]
    Key {
        /// As written.
        found: String,
    },
    /// A public key with which everybody's signature is one.
    #[error(
        "`{found}` is a key that anybody can sign for; `countersign approvals key NAME FILE` makes one of your own"
    )]
    Anybody {
        /// As written.
        found: String,
    },
    /// A file that holds no approver's key.
    #[error("it holds no approver's key; `countersign approvals key NAME FILE` makes one")]
    File,
    /// The machine gives no random bytes.
    #[error("the machine gives no random bytes for a key")]
    Random,
}

/// Somebody who can sign.
pub struct Signer {
    name: String,
    pair: Ed25519KeyPair,
    secret: Vec<u8>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn new(name: &str) -> Result<Self, ApproverError> {
        let secret = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| ApproverError::Random)?;
        Signer::of(name, secret.as_ref().to_vec())
    }

    fn of(name: &str, secret: Vec<u8>) -> Result<Self, ApproverError> {
        let pair = Ed25519KeyPair::from_pkcs8(&secret).map_err(|_| ApproverError::File)?;
        Ok(Signer { name: name.to_owned(), pair, secret })
    }

    /// What an approver's file holds. Whoever has it is that approver.
    pub fn to_text(&self) -> String {
        format!("{FORM}\n{}\n{}\n", self.name, hex(&self.secret))
    }

    /// Reads an approver's file.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, ApproverError> {
        let mut lines = text.lines().map(str::trim);
        match (lines.next(), lines.next(), lines.next().and_then(bytes)) {
            (Some(FORM), Some(name), Some(secret)) if !name.is_empty() => Signer::of(name, secret),
            _ => Err(ApproverError::File),
        }
    }

    /// By which decisions name them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    pub fn key(&self) -> String {
        format!("{SCHEME}{}", hex(self.pair.public_key().as_ref()))
    }

    /// Signs an entry for the inbox of a run.
    pub fn sign(&self, run: &str, entry: Entry) -> Entry {
        let Offer::Decide(decision) = &entry.wants else { return entry };
        let signature = hex(self.pair.sign(&said(run, &entry, decision)).as_ref());
        Entry { wants: Offer::Signed { decision: decision.clone(), key: self.key(), signature }, ..entry }
    }
}

/// Whether a public key can be one.
///
/// # Errors
/// What was expected.
pub fn check_key(key: &str) -> Result<(), ApproverError> {
    let found = || key.to_owned();
    let bytes = key.strip_prefix(SCHEME).and_then(bytes).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let mut point = bytes.ok_or_else(|| ApproverError::Key { found: found() })?;
    // The sign of the other coordinate.
    point[31] &= 0x7f;
    if SMALL_ORDER.contains(&point) {
        return Err(ApproverError::Anybody { found: found() });
    }
    // As one number, written in the one way that there is: below 2^255 - 19.
    let too_large = point[0] >= 0xed && point[1..31].iter().all(|byte| *byte == 0xff) && point[31] == 0x7f;
    if too_large { Err(ApproverError::Key { found: found() }) } else { Ok(()) }
}

/// The decision of an entry as a run may hear it: with the key, where whoever decided has shown one of the run's
/// approvers. None for an entry that decides nothing.
///
/// # Errors
/// A decision that lets something happen on a run that has approvers, of nobody among them.
pub fn heard(run: &str, entry: &Entry, approvers: &[Approver]) -> Result<Option<Decision>, ApproverError> {
    let known = || approvers.iter().map(|approver| &*approver.name).collect::<Vec<_>>().join(", ");
    match &entry.wants {
        Offer::Cancel => Ok(None),
        Offer::Decide(decision) => {
            // Nobody but an approver's own signature says so, whatever is written here.
            let decision = decision.clone().into_plain();
            match decision.loosens() && !approvers.is_empty() {
                true => Err(ApproverError::Unsigned { known: known() }),
                false => Ok(Some(decision)),
            }
        }
        Offer::Signed { decision, .. } if approvers.is_empty() => Ok(Some(decision.clone().into_plain())),
        Offer::Signed { decision, key, signature } => {
            let is = |approver: &&Approver| *approver.name == *entry.by && *approver.key == **key;
            if !approvers.iter().any(|approver| is(&approver)) {
                return Err(ApproverError::Unknown { by: entry.by.clone(), known: known() });
            }
            // The run may have been begun before such keys were refused.
            check_key(key)?;
            let public = key.strip_prefix(SCHEME).and_then(bytes).ok_or(ApproverError::Forged)?;
            let signature = bytes(signature).ok_or(ApproverError::Forged)?;
            UnparsedPublicKey::new(&ED25519, public)
                .verify(&said(run, entry, decision), &signature)
                .map_err(|_| ApproverError::Forged)?;
            let decision = Box::new(decision.clone().into_plain());
            Ok(Some(Decision::Signed { key: key.as_str().into(), decision }))
        }
    }
}

/// What is signed: run and entry, so that a signature is worth nothing to another run or another moment.
fn said(run: &str, entry: &Entry, decision: &Decision) -> Vec<u8> {
    let mut out = b"countersign decision 1\0".to_vec();
    let decision = serde_json::to_string(decision).unwrap_or_default();
    for part in [run, &entry.id, &entry.by, &entry.at.to_string(), &decision] {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn entry(by: &str, decision: Decision) -> Entry {
        Entry { version: 1, id: "approve-1".to_owned(), by: by.to_owned(), at: 7, wants: Offer::Decide(decision) }
    }

    fn approved() -> Decision {
        Decision::Approved { fingerprint: "f".into() }
    }

    #[test]
    fn a_signature_is_of_one_decision_by_one_approver_on_one_run() {
        let (olga, mallory) = (Signer::new("olga").unwrap(), Signer::new("olga").unwrap());
        let olga = Signer::parse(&olga.to_text()).unwrap();
        let approvers = [Approver { name: "olga".into(), key: olga.key().as_str().into() }];
        let signed = olga.sign("run", entry("olga", approved()));
        let heard_by = |run: &str, entry: &Entry| heard(run, entry, &approvers);
        let taken = heard_by("run", &signed).unwrap().unwrap();
        assert_eq!((taken.key(), taken.plain()), (Some(olga.key().as_str()), &approved()));
        // Another run, another moment, another name, another decision, another key, no key.
        let forged = |change: fn(&mut Entry)| {
            let mut entry = signed.clone();
            change(&mut entry);
            entry
        };
        assert_eq!(heard_by("other", &signed), Err(ApproverError::Forged));
        assert_eq!(heard_by("run", &forged(|entry| entry.at = 8)), Err(ApproverError::Forged));
        assert_eq!(heard_by("run", &forged(|entry| entry.id = "approve-2".to_owned())), Err(ApproverError::Forged));
        let other = forged(|entry| {
            if let Offer::Signed { decision, .. } = &mut entry.wants {
                *decision = Decision::Approved { fingerprint: "g".into() };
            }
        });
        assert_eq!(heard_by("run", &other), Err(ApproverError::Forged));
        for entry in [forged(|entry| entry.by = "ada".to_owned()), mallory.sign("run", entry("olga", approved()))] {
            assert!(matches!(heard_by("run", &entry), Err(ApproverError::Unknown { .. })));
        }
        assert!(matches!(heard_by("run", &entry("olga", approved())), Err(ApproverError::Unsigned { .. })));
        let claimed = Decision::Signed { key: olga.key().as_str().into(), decision: Box::new(approved()) };
        assert!(matches!(heard_by("run", &entry("olga", claimed.clone())), Err(ApproverError::Unsigned { .. })));
        // Whoever holds a run back needs no key; where there are no approvers nobody has shown one.
        let rejected = Decision::Rejected { fingerprint: None, instead: None };
        assert_eq!(heard_by("run", &entry("x", rejected.clone())).unwrap(), Some(rejected));
        assert_eq!(heard("run", &entry("x", claimed), &[]).unwrap(), Some(approved()));
        assert_eq!(heard("run", &signed, &[]).unwrap(), Some(approved()));
    }

    #[test]
    fn what_is_no_key_is_said() {
        for key in ["", "ed25519:", "ed25519:00", &format!("ed25519:{}", "g".repeat(64)), &"0".repeat(64)] {
            assert!(check_key(key).is_err(), "{key}");
        }
        check_key(&Signer::new("a").unwrap().key()).unwrap();
        // Keys that anybody can sign for: a signature of zeros is one of them over some decisions.
        let small = SMALL_ORDER.iter().flat_map(|point| {
            let mut signed = *point;
            signed[31] |= 0x80;
            [*point, signed]
        });
        for point in small {
            let key = format!("{SCHEME}{}", hex(&point));
            assert!(matches!(check_key(&key), Err(ApproverError::Anybody { .. })), "{key}");
            let approvers = [Approver { name: "olga".into(), key: key.as_str().into() }];
            let mut signature = [0; 64];
            signature[0] = 1;
            let wants = Offer::Signed { decision: approved(), key, signature: hex(&signature) };
            let forged = Entry { wants, ..entry("olga", approved()) };
            assert!(matches!(heard("run", &forged, &approvers), Err(ApproverError::Anybody { .. })));
        }
        let larger = format!("{SCHEME}ef{}7f", "ff".repeat(30));
        assert!(matches!(check_key(&larger), Err(ApproverError::Key { .. })), "{larger}");
        for text in ["", "countersign approver 1\nolga\nzz", "countersign approver 1\n\n00", "x\nolga\n00"] {
            assert!(Signer::parse(text).is_err(), "{text}");
        }
    }
}
