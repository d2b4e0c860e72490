//! How a webhook proves that it comes from this host.

use countersign_contract::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Header with the time of sending and the signature: `t=MILLISECONDS,v1=HEX`.
pub const SIGNATURE_HEADER: &str = "countersign-signature";
/// Header with the item's id. The same id may arrive twice: receivers take the first.
pub const ID_HEADER: &str = "countersign-id";

/// The value of [`SIGNATURE_HEADER`] for a body sent at `at` (UTC milliseconds):
/// `t=AT,v1=` and the HMAC-SHA256 of `AT.BODY` in lower-case hexadecimal.
pub fn sign(secret: &[u8], at: u64, body: &[u8]) -> String {
    let at = at.to_string();
    let digits = match mac(secret, &at, body) {
        Some(mac) => hex(&mac.finalize().into_bytes()),
        None => String::new(),
    };
    format!("t={at},v1={digits}")
}

/// For receivers: whether a request was signed with the shared secret.
///
/// `header` is the value of [`SIGNATURE_HEADER`], `body` the bytes as they arrived, before any
/// parsing. Any of several `v1` may match, so that a secret can be replaced step by step. The
/// comparison takes the same time wherever a difference lies. Three duties stay with the
/// receiver: refuse what is older than a few minutes by [`signed_at`], drop an id it has already
/// seen ([`ID_HEADER`]), and answer 2xx only once the item is safe.
pub fn verify_signature(secret: &[u8], header: &str, body: &[u8]) -> bool {
    let Some((at, signatures)) = parts(header) else { return false };
    let Some(mac) = mac(secret, at, body) else { return false };
    // No early end: how long it takes tells nothing.
    signatures.into_iter().fold(false, |any, signature| {
        unhex(signature).is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok()) | any
    })
}

/// For receivers: when a request was sent, UTC milliseconds. True only if [`verify_signature`] is.
pub fn signed_at(header: &str) -> Option<u64> {
    parts(header).and_then(|(at, _)| at.parse().ok())
}

fn mac(secret: &[u8], at: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // With an empty key anybody could sign.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok().filter(|_| !secret.is_empty())?;
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn parts(header: &str) -> Option<(&str, Vec<&str>)> {
    let mut at = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", _) if at.is_some() => return None,
            ("t", value) => at = Some(value),
            ("v1", value) => signatures.push(value),
            // A later release may add its own.
            _ => {}
        }
    }
    let at = at.filter(|at| !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((at, signatures))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
