//! The word that stands before a number or an address, within a few bytes: it often says what the thing is.

use crate::text::{byte, is, set};

/// Bytes that are looked back over marks, and then over the word: no look costs more, whatever the text.
const MARKS: usize = 6;
const LONGEST: usize = 12;

/// The end of the word before `at`, in lower case: its last twelve letters and digits. A name such as `product_id` or
/// `orderId` is told by its last part.
pub(crate) struct Before<'a> {
    bytes: &'a [u8],
    floor: usize,
    start: usize,
    word: [u8; LONGEST],
    length: usize,
}

impl<'a> Before<'a> {
    /// What stands before `at`, and not before `floor`, with only blanks, quotes and marks that assign between them.
    pub fn of(bytes: &'a [u8], at: usize, floor: usize) -> Self {
        let mut end = at;
        while end > floor && at - end < MARKS && is_between(bytes[end - 1]) {
            end -= 1;
        }
        let mut start = end;
        // A capital letter behind a small one begins another word.
        while start > floor && end - start < LONGEST && is(bytes[start - 1], set::WORD) {
            start -= 1;
            if bytes[start].is_ascii_uppercase() && byte(bytes, start.wrapping_sub(1)).is_ascii_lowercase() {
                break;
            }
        }
        let mut word = [0; LONGEST];
        for (to, from) in word.iter_mut().zip(&bytes[start..end]) {
            *to = from.to_ascii_lowercase();
        }
        Before { bytes, floor, start, word, length: end - start }
    }

    fn word(&self) -> &[u8] {
        &self.word[..self.length]
    }

    /// Whether it names a number of a thing, an amount, a place in something, a size or a moment, which is nobody's
    /// telephone or card. Of `order_number` the word before says which number that is.
    pub fn numbers_a_thing(&self) -> bool {
        match self.word() {
            b"number" | b"no" | b"nr" | b"num" | b"code" | b"key" => {
                let part = Before::of(self.bytes, self.start_of_part(), self.floor);
                part.is_a_thing() || part.has_numbers()
            }
            _ => self.is_a_thing(),
        }
    }

    /// Where the part before this one of a name ends: a mark between them is none of either.
    fn start_of_part(&self) -> usize {
        let mark = self.start > self.floor && matches!(self.bytes[self.start - 1], b'_' | b'-');
        self.start - usize::from(mark)
    }

    /// Whether a number of it is that of a thing, although the word alone says nothing.
    fn has_numbers(&self) -> bool {
        matches!(
            self.word(),
            b"account"
                | b"customer"
                | b"transaction"
                | b"case"
                | b"claim"
                | b"policy"
                | b"model"
                | b"member"
                | b"membership"
                | b"contract"
                | b"product"
                | b"article"
                | b"shipment"
                | b"parcel"
                | b"booking"
                | b"reservation"
                | b"confirmation"
                | b"receipt"
                | b"request"
                | b"sequence"
                | b"document"
                | b"purchase"
                | b"return"
                | b"vat"
                | b"tax"
        )
    }

    fn is_a_thing(&self) -> bool {
        matches!(
            self.word(),
            b"id"
                | b"ids"
                | b"uid"
                | b"gid"
                | b"pid"
                | b"uuid"
                | b"guid"
                | b"serial"
                | b"sn"
                | b"imei"
                | b"order"
                | b"invoice"
                | b"ticket"
                | b"issue"
                | b"ref"
                | b"reference"
                | b"part"
                | b"item"
                | b"sku"
                | b"isbn"
                | b"issn"
                | b"ean"
                | b"upc"
                | b"gtin"
                | b"batch"
                | b"lot"
                | b"tracking"
                | b"version"
                | b"rev"
                | b"revision"
                | b"release"
                | b"build"
                | b"commit"
                | b"sha"
                | b"hash"
                | b"digest"
                | b"checksum"
                | b"seed"
                | b"nonce"
                | b"offset"
                | b"size"
                | b"bytes"
                | b"length"
                | b"row"
                | b"timestamp"
                | b"ts"
                | b"date"
                | b"epoch"
                | b"expires"
                | b"iat"
                | b"mtime"
                | b"ctime"
                | b"atime"
                | b"cents"
                | b"amount"
                | b"total"
                | b"price"
                | b"balance"
                | b"quantity"
                | b"qty"
                | b"count"
                | b"micros"
                | b"millis"
                | b"nanos"
                | b"ms"
                | b"ns"
                | b"us"
                | b"wei"
                | b"barcode"
                | b"transaction"
                | b"shipment"
                | b"parcel"
                | b"receipt"
        )
    }

    /// Whether it opens a session on another machine.
    pub fn logs_in(&self) -> bool {
        matches!(self.word(), b"ssh" | b"scp" | b"sftp" | b"rsync" | b"mosh" | b"autossh" | b"sshfs")
    }
}

/// What may stand between a word and what it names.
fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b':' | b'=' | b'#' | b'.' | b'\\')
}

/// Bytes of a line before a place that are looked at.
const LINE: usize = 48;

/// Whether the line before `at` calls a program that logs in, options between them.
pub(crate) fn is_login(bytes: &[u8], at: usize, floor: usize) -> bool {
    let before = &bytes[floor.max(at.saturating_sub(LINE))..at];
    let line = before.iter().rposition(|byte| matches!(byte, b'\n' | b';' | b'|' | b'&')).map_or(0, |end| end + 1);
    let line = &before[line..];
    line.iter().enumerate().any(|(end, byte)| *byte == b' ' && Before::of(line, end, 0).logs_in())
}
