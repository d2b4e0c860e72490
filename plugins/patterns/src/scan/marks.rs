//! Marks: most are nothing, which what stands on both sides tells.

use super::Scan;
use super::keep::effort;
use crate::terms::Cue;
use crate::text::{byte, is, set, skip};
use crate::{address, assignment, ip, phone};

impl Scan<'_> {
    #[inline]
    pub(super) fn colon(&mut self, bytes: &[u8], at: usize) -> usize {
        let before = byte(bytes, at.wrapping_sub(1));
        if !is(before, set::WORD | set::NAME_END) {
            return at + 1;
        }
        let behind = byte(bytes, at + 1);
        if behind == b'/' {
            return if is(before, set::WORD) { self.url(at) } else { at + 1 };
        }
        if is(before, set::HEX) && (behind == b':' || is(behind, set::HEX)) {
            self.effort += effort::ASSIGNMENT;
            match ip::v6(bytes, at, self.floor) {
                ip::Found::Hit(hit) => return self.take(hit),
                // Numbers with colons between them, and no name among them.
                ip::Found::NoneBefore(end) if end > at + 1 => return end,
                ip::Found::NoneBefore(_) => {}
            }
        }
        if may_name(bytes, at) { self.equals(at) } else { at + 1 }
    }

    #[inline(never)]
    pub(super) fn url(&mut self, at: usize) -> usize {
        self.or_next(at, address::url_credentials(self.bytes, at), effort::ADDRESS)
    }

    #[inline(never)]
    pub(super) fn equals(&mut self, at: usize) -> usize {
        self.or_next(at, assignment::find(self.bytes, at, self.floor), effort::ASSIGNMENT)
    }

    #[inline(never)]
    pub(super) fn at(&mut self, at: usize) -> usize {
        self.or_next(at, address::email(self.bytes, at, self.floor), effort::ADDRESS)
    }

    #[inline(never)]
    pub(super) fn sign(&mut self, at: usize) -> usize {
        let announced = self.cues.holds(Cue::Phone, at);
        self.or_next(at, phone::behind_sign(self.bytes, at, self.floor, announced), effort::SIGN)
    }

    /// In JSON a line's end is `\n`: space, and no letter of the next word.
    pub(super) fn escape(&mut self, at: usize) -> usize {
        let mut behind = at + 1;
        while byte(self.bytes, behind) == b'\\' {
            behind += 1;
        }
        match byte(self.bytes, behind) {
            b'n' | b'r' | b't' => self.floor = behind + 1,
            b'u' if skip(self.bytes, behind + 1, 4, set::HEX) == behind + 5 => self.floor = behind + 5,
            _ => return behind,
        }
        self.floor
    }
}

/// Whether what stands before the `:` or `=` at `at` may be the name of a secret.
#[inline]
pub(super) fn may_name(bytes: &[u8], at: usize) -> bool {
    match byte(bytes, at.wrapping_sub(1)) {
        b'"' | b'\'' | b' ' => is(byte(bytes, at.wrapping_sub(2)), set::NAME_END),
        before => is(before, set::NAME_END),
    }
}

/// Whether the `@` at `at` may be that of a mail address. No domain is shorter than `x.yz`.
#[inline]
pub(super) fn may_be_mail(bytes: &[u8], at: usize) -> bool {
    is(byte(bytes, at + 4), set::HOST)
        && is(byte(bytes, at + 1), set::WORD)
        && is(byte(bytes, at.wrapping_sub(1)), set::LOCAL)
}

/// Whether the `+` or `(` at `at` may be that of a telephone number: seven more bytes of one at least.
#[inline]
pub(super) fn may_be_phone(bytes: &[u8], sign: u8, at: usize) -> bool {
    let behind = byte(bytes, at + 1);
    (is(behind, set::DIGIT) || (sign == b'+' && behind == b'('))
        && is(byte(bytes, at + 7), set::PHONE)
        && is(byte(bytes, at + 3), set::PHONE)
}
