//! Keys and tokens whose issuers gave them a form: a prefix, an alphabet, a length.

use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind, pem};

/// A prefix, what follows it, and how many bytes of that at least and at most.
pub(crate) type Form = (&'static str, u16, usize, usize);

const MANY: usize = 1024;

/// How sure a key of a known form is: nothing else looks like it.
pub(crate) const SURE: f64 = 0.95;

/// The forms that begin with three bytes, longer prefixes first. `text::CLASS` names the first bytes.
#[inline]
fn forms(first: [u8; 3]) -> &'static [Form] {
    use crate::text::set::{DOTTED, HEX, SECRET, TOKEN, UPPER, WORD};
    match &first {
        b"AKI" => &[("AKIA", UPPER, 16, 16)],
        b"ASI" => &[("ASIA", UPPER, 16, 16)],
        b"AIz" => &[("AIza", TOKEN, 35, 35)],
        b"ATA" => &[("ATATT3x", TOKEN, 60, 255)],
        b"AGE" => &[("AGE-SECRET-KEY-1", UPPER, 58, 58)],
        b"GOC" => &[("GOCSPX-", TOKEN, 24, 40)],
        // The body of a private key without its first line, in base64.
        b"MII" => &[("MII", SECRET, 40, MANY * 8)],
        b"MC4" => &[("MC4", SECRET, 40, MANY * 8)],
        b"MIG" => &[("MIG", SECRET, 40, MANY * 8)],
        b"PMA" => &[("PMAK-", TOKEN, 59, 59)],
        b"SG." => &[("SG.", DOTTED, 60, 80)],
        b"dap" => &[("dapi", HEX, 32, 32)],
        b"dp." => &[("dp.pt.", WORD, 40, 48), ("dp.st.", DOTTED, 40, 80)],
        b"dop" => &[("dop_v1_", HEX, 64, 64)],
        b"dck" => &[("dckr_pat_", TOKEN, 24, 40)],
        b"eyJ" => &[("eyJ", DOTTED, 30, MANY * 8)],
        b"fig" => &[("figd_", TOKEN, 36, 60)],
        b"git" => &[("github_pat_", TOKEN, 60, 255)],
        b"ghp" => &[("ghp_", WORD, 36, 255)],
        b"gho" => &[("gho_", WORD, 36, 255)],
        b"ghu" => &[("ghu_", WORD, 36, 255)],
        b"ghs" => &[("ghs_", DOTTED, 36, MANY)],
        b"ghr" => &[("ghr_", WORD, 36, 255)],
        b"glp" => &[("glpat-", DOTTED, 20, 255), ("glptt-", TOKEN, 40, 40)],
        b"gld" => &[("gldt-", TOKEN, 20, 255)],
        b"glr" => &[("glrt-", DOTTED, 20, 255)],
        b"gls" => &[("glsa_", TOKEN, 32, 64), ("glsoat-", TOKEN, 20, 255)],
        b"gsk" => &[("gsk_", WORD, 40, 80)],
        b"hf_" => &[("hf_", WORD, 30, 60)],
        b"hvs" => &[("hvs.", TOKEN, 24, 255)],
        b"lin" => &[("lin_api_", WORD, 40, 48)],
        b"ntn" => &[("ntn_", WORD, 40, 60)],
        b"npm" => &[("npm_", WORD, 36, 36)],
        b"pyp" => &[("pypi-", TOKEN, 50, MANY)],
        b"r8_" => &[("r8_", WORD, 36, 40)],
        b"rub" => &[("rubygems_", HEX, 48, 48)],
        b"rk_" => &[("rk_live_", WORD, 16, 255), ("rk_test_", WORD, 16, 255)],
        b"sk_" => &[("sk_live_", WORD, 16, 255), ("sk_test_", WORD, 16, 255)],
        b"sk-" => &[("sk-", TOKEN, 20, 255)],
        b"sbp" => &[("sbp_", HEX, 40, 40)],
        b"shp" => &[("shpat_", HEX, 32, 32), ("shpss_", HEX, 32, 32), ("shpca_", HEX, 32, 32), ("shppa_", HEX, 32, 32)],
        b"snt" => &[("sntrys_", TOKEN, 60, 255)],
        b"sq0" => &[("sq0atp-", TOKEN, 22, 22), ("sq0csp-", TOKEN, 43, 43)],
        b"whs" => &[("whsec_", WORD, 24, 80)],
        b"xox" => &[
            ("xoxb-", TOKEN, 20, 255),
            ("xoxp-", TOKEN, 20, 255),
            ("xoxa-", TOKEN, 20, 255),
            ("xoxr-", TOKEN, 20, 255),
            ("xoxs-", TOKEN, 20, 255),
        ],
        b"xap" => &[("xapp-", TOKEN, 20, 255)],
        b"ya2" => &[("ya29.", DOTTED, 30, MANY)],
        _ => &[],
    }
}

/// The forms that begin as the word at `at` does.
#[inline]
pub(crate) fn forms_at(bytes: &[u8], at: usize) -> Option<&'static [Form]> {
    let forms = forms(*bytes.get(at..)?.first_chunk()?);
    (!forms.is_empty()).then_some(forms)
}

/// The key of one of these forms that begins at `at`.
#[inline(never)]
pub(crate) fn find(bytes: &[u8], at: usize, floor: usize, forms: &[Form]) -> Option<Hit> {
    // Inside a longer name it is none; so each name is read for keys but once.
    if at > floor && is(bytes[at - 1], set::DOTTED) {
        return None;
    }
    let rest = bytes.get(at..)?;
    if rest[0] == b'M' {
        return pem::body(bytes, at);
    }
    // Most are too short, which is told fastest.
    let long = |(prefix, alphabet, least, _): &&Form| is(byte(bytes, at + prefix.len() + least - 1), *alphabet);
    let (prefix, alphabet, least, most) =
        *forms.iter().filter(long).find(|(prefix, ..)| rest.starts_with(prefix.as_bytes()))?;
    let from = at + prefix.len();
    let mut end = skip(bytes, from, most + 1, alphabet);
    while end > from && matches!(byte(bytes, end - 1), b'.' | b'-') {
        end -= 1;
    }
    let body = bytes.get(from..end)?;
    let fits = body.len() >= least
        && body.len() <= most
        && !is(byte(bytes, end), set::WORD)
        && match prefix {
            "eyJ" => is_jwt(body),
            "sk-" => is_random(body) && (is_mixed(body) || body.len() >= 32),
            // What the issuer's own documentation shows.
            "AKIA" | "ASIA" => body.iter().any(u8::is_ascii_digit) && !body.ends_with(b"EXAMPLE"),
            "hf_" => is_mixed(body),
            _ => body.iter().any(u8::is_ascii_digit),
        };
    fits.then_some(Hit { kind: Kind::ApiKey, start: at, end, score: SURE })
}

/// Three parts of some length; one more or two of an encrypted one.
fn is_jwt(body: &[u8]) -> bool {
    let mut parts = 0;
    let long = body.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        part.len() >= 8
    });
    long && (3..=5).contains(&parts)
}

fn is_random(body: &[u8]) -> bool {
    body.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2
}

fn is_mixed(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Class, class};

    #[test]
    fn the_classes_name_the_first_bytes_of_the_forms() {
        for first in 0..=255 {
            let second_and_third = (b' '..=b'~').flat_map(|second| (b' '..=b'~').map(move |third| [second, third]));
            let all = second_and_third.flat_map(|[second, third]| {
                forms([first, second, third]).iter().map(move |form| (form, [first, second, third]))
            });
            let mut any = false;
            for ((prefix, ..), beginning) in all {
                any = true;
                assert!(prefix.as_bytes().starts_with(&beginning), "{prefix}");
            }
            assert_eq!(class(first) == Class::Key, any, "{}", char::from(first));
        }
    }
}
