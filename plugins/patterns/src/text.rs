//! Bytes and words: what a byte may begin, what it may be part of, where a word ends, and its hash.

/// What a byte does where nothing is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Nothing; a phrase goes on behind it.
    Blank,
    /// Nothing; a phrase ends before it.
    Break,
    /// Begins a word.
    Word,
    /// Begins a word and perhaps a key of a known form.
    Key,
    /// `0` to `9`.
    Digit,
    /// `@`
    At,
    /// `:`
    Colon,
    /// `=`
    Equals,
    /// `-`
    Dash,
    /// `+` or `(`, as before a telephone number.
    Sign,
    /// `\`
    Escape,
    /// Not ASCII.
    High,
}

/// Sets of bytes, as bits.
pub(crate) mod set {
    /// Letters and digits.
    pub const WORD: u16 = 1;
    pub const DIGIT: u16 = 1 << 1;
    pub const HEX: u16 = 1 << 2;
    /// Of the name before the `@` of a mail address.
    pub const LOCAL: u16 = 1 << 3;
    /// Of a host's name: letters, digits, `-`, `.`.
    pub const HOST: u16 = 1 << 4;
    /// Of a name and password in an address of the web; no template's brackets.
    pub const USER: u16 = 1 << 5;
    /// Of a password without quotes.
    pub const PASSWORD: u16 = 1 << 6;
    /// Of a secret key's value.
    pub const SECRET: u16 = 1 << 7;
    /// Letters, digits, `-`, `_`.
    pub const TOKEN: u16 = 1 << 8;
    /// And `.`.
    pub const DOTTED: u16 = 1 << 9;
    /// Digits and what stands between those of a telephone number.
    pub const PHONE: u16 = 1 << 10;
    /// A name to which something is assigned may end so, or a quote or space stands behind it.
    pub const NAME_END: u16 = 1 << 11;
    /// Between groups of digits.
    pub const GAP: u16 = 1 << 12;
    /// Capital letters and digits.
    pub const UPPER: u16 = 1 << 13;
    /// First bytes of characters that are not ASCII and may be no letters.
    pub const ODD: u16 = 1 << 14;
    /// What a cookie's value may have beside those of a key.
    pub const COOKIE: u16 = 1 << 15;
}

const CLASS: [Class; 256] = classes();
const SETS: [u16; 256] = sets();
/// Letters and digits once more, by themselves: nothing is asked as often.
const WORD: [bool; 256] = words();

#[inline]
pub(crate) fn class(byte: u8) -> Class {
    CLASS[byte as usize]
}

/// Whether a byte is in one of the sets.
#[inline]
pub(crate) fn is(byte: u8, sets: u16) -> bool {
    SETS[byte as usize] & sets != 0
}

/// The byte at a place; 0 outside.
#[inline]
pub(crate) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Where the bytes from `at` on stop being in one of the sets, at most `most` of them.
#[inline]
pub(crate) fn skip(bytes: &[u8], at: usize, most: usize, sets: u16) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let rest = &rest[..rest.len().min(most)];
    at + rest.iter().position(|byte| !is(*byte, sets)).unwrap_or(rest.len())
}

/// Where the ASCII letters and digits from `at` on end.
#[inline]
pub(crate) fn word_end(bytes: &[u8], at: usize) -> usize {
    let word = |byte: u8| WORD[byte as usize];
    let mut end = at;
    // By fours: what a loop costs beside its work is halved.
    while let Some(&[a, b, c, d]) = bytes.get(end..).and_then(|rest| rest.first_chunk()) {
        if !word(a) {
            return end;
        }
        if !word(b) {
            return end + 1;
        }
        if !word(c) {
            return end + 2;
        }
        if !word(d) {
            return end + 3;
        }
        end += 4;
    }
    while word(byte(bytes, end)) {
        end += 1;
    }
    end
}

const fn words() -> [bool; 256] {
    let mut words = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        words[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    words
}

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Blank; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => Class::Digit,
            // First letters of the forms in `token`.
            b'A' | b'G' | b'M' | b'P' | b'S' => Class::Key,
            b'd'..=b'h' | b'l' | b'n' | b'p' | b'r'..=b's' | b'w'..=b'y' => Class::Key,
            b'a'..=b'z' | b'A'..=b'Z' => Class::Word,
            b'@' => Class::At,
            b':' => Class::Colon,
            b'=' => Class::Equals,
            b'-' => Class::Dash,
            b'+' | b'(' => Class::Sign,
            b'\\' => Class::Escape,
            b'.' | b'!' | b'?' | b';' | b'/' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'|' | b'&' | b'%' | b'$' => {
                Class::Break
            }
            0x80.. => Class::High,
            _ => Class::Blank,
        };
        byte += 1;
    }
    classes
}

const fn sets() -> [u16; 256] {
    let mut sets = [0; 256];
    let mut place = 0;
    while place < 256 {
        let byte = place as u8;
        let word = byte.is_ascii_alphanumeric();
        let digit = byte.is_ascii_digit();
        let quote = matches!(byte, b'"' | b'\'' | b'`' | b'\\');
        let bracket = matches!(byte, b'<' | b'>' | b'{' | b'}');
        let in_sets = [
            (set::WORD, word),
            (set::DIGIT, digit),
            (set::HEX, byte.is_ascii_hexdigit()),
            (set::LOCAL, word || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')),
            (set::HOST, word || matches!(byte, b'-' | b'.')),
            (set::USER, byte > b' ' && !quote && !bracket && !matches!(byte, b'@' | b'/' | b'?' | b'#')),
            (set::PASSWORD, byte > b' ' && !quote && !matches!(byte, b',' | b';' | b'&' | b')' | b'}' | b'<' | b'|')),
            (set::SECRET, word || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'+' | b'~')),
            (set::TOKEN, word || matches!(byte, b'-' | b'_')),
            (set::DOTTED, word || matches!(byte, b'-' | b'_' | b'.')),
            (set::PHONE, digit || matches!(byte, b' ' | b'-' | b'.' | b'(' | b')')),
            (set::NAME_END, quote || byte == b' ' || matches!(byte | 0x20, b'd' | b'e' | b't' | b'y' | b'n')),
            (set::GAP, matches!(byte, b' ' | b'-' | b'.')),
            (set::UPPER, digit || byte.is_ascii_uppercase()),
            (set::COOKIE, matches!(byte, b'%' | b'=' | b'*' | b'!' | b'|' | b':')),
            (set::ODD, matches!(byte, 0xC2 | 0xE2 | 0xE3 | 0xEF | 0xF3)),
        ];
        let mut index = 0;
        while index < in_sets.len() {
            if in_sets[index].1 {
                sets[place] |= in_sets[index].0;
            }
            index += 1;
        }
        place += 1;
    }
    sets
}
