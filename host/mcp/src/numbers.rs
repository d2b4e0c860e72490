//! Numbers that a program would round: an integer of more than 64 bits, a decimal of more digits than a double has.
//!
//! They are found in the text of a message, before it is read, and stand from then on as marked texts of the very digits,
//! so that whoever meets one can pass it on digit by digit or refuse it, and nobody takes another number for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde_json::Value;
use tokio::io::{AsyncRead, ReadBuf};

use super::lost::LostAnswers;

/// Before the digits of a number that would be rounded. Of the range that Unicode gives nobody.
const MARK: char = '\u{F8FF}';
/// Bytes of a line that are looked at: as much as the protocol's library takes.
const MOST_LINE: usize = 16 << 20;
/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// Most digits of a decimal that are compared with what a double makes of it.
const MOST_DIGITS: usize = 400;

/// Whose messages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A server's: its results and errors. Its definitions of tools stay as they are, for schemas name limits.
    Server,
    /// A client's: its calls of tools.
    Client,
}

impl From {
    fn concerns(self, line: &[u8]) -> bool {
        let has = |word: &str| line.windows(word.len()).any(|part| part == word.as_bytes());
        match self {
            From::Server => (has("\"result\"") || has("\"error\"")) && !has("\"inputSchema\""),
            From::Client => has("\"tools/call\""),
        }
    }
}

/// Messages, one a line, in which numbers that would be rounded are marked.
#[derive(Debug)]
pub struct ExactNumbers<R> {
    inner: R,
    from: From,
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// What can be read, and how much of it was.
    ready: Vec<u8>,
    read: usize,
    /// The line is too long to be looked at.
    passing: bool,
    /// What stands in the place of a server's answers that nobody can read.
    lost: Option<LostAnswers>,
}

impl<R> ExactNumbers<R> {
    /// Of the messages that `inner` gives.
    pub fn new(inner: R, from: From) -> Self {
        ExactNumbers { inner, from, line: Vec::new(), ready: Vec::new(), read: 0, passing: false, lost: None }
    }

    /// The same, where an answer that nobody can read is another that says so.
    pub(super) fn answering(self, lost: LostAnswers) -> Self {
        ExactNumbers { lost: Some(lost), ..self }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end + 1);
            self.line.extend_from_slice(line);
            self.end_line();
            self.passing = false;
            bytes = rest;
        }
        self.line.extend_from_slice(bytes);
        if self.passing || self.line.len() > MOST_LINE {
            self.passing = true;
            self.ready.append(&mut self.line);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = marked(&line).filter(|_| !self.passing && self.from.concerns(&line)).unwrap_or(line);
        match self.lost.as_mut().filter(|_| !self.passing).and_then(|lost| lost.instead_of(&line)) {
            Some(instead) => self.ready.extend(instead),
            None => self.ready.extend(line),
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for ExactNumbers<R> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        while this.read == this.ready.len() {
            (this.read, this.ready) = (0, Vec::new());
            let mut chunk = vec![0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                // The end: whatever there is of a last line is all of it.
                this.end_line();
                if this.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                break;
            }
            this.take(buffer.filled());
        }
        let part = &this.ready[this.read..];
        let count = part.len().min(out.remaining());
        out.put_slice(&part[..count]);
        this.read += count;
        Poll::Ready(Ok(()))
    }
}

/// A client's message with its numbers that would be rounded marked; none where it has none, or they concern nobody.
pub fn marked_call(line: &[u8]) -> Option<Vec<u8>> {
    marked(line).filter(|_| From::Client.concerns(line))
}

/// The line with its numbers that would be rounded marked; none where it has none.
fn marked(line: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut copied, mut at, mut in_text) = (Vec::new(), 0, 0, false);
    while at < line.len() {
        match line[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'-' | b'0'..=b'9' if !in_text => {
                let of_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = line[at..].iter().take_while(|byte| of_number(byte)).count();
                let token = std::str::from_utf8(&line[at..at + length]).unwrap_or_default();
                if is_rounded(token) {
                    out.extend_from_slice(&line[copied..at]);
                    out.extend(format!("\"{MARK}{token}\"").bytes());
                    copied = at + length;
                }
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&line[copied..]);
    Some(out)
}

/// Whether a number of JSON is not kept by whoever reads it into 64 bits. A double that was written with more digits
/// than it needs is kept.
fn is_rounded(token: &str) -> bool {
    if token.len() < 16 && !token.contains(['e', 'E']) {
        return false;
    }
    if !token.contains(['.', 'e', 'E']) {
        return is_number(token) && token.parse::<i64>().is_err() && token.parse::<u64>().is_err();
    }
    let Some(value) = token.parse::<f64>().ok().filter(|_| is_number(token)) else { return false };
    if !value.is_finite() {
        return true;
    }
    let (digits, power) = decimal(token);
    if digits.is_empty() {
        return false;
    }
    if digits.len() > MOST_DIGITS {
        return true;
    }
    // As many digits of the double as were written: other ones are another number.
    decimal(&format!("{value:.*e}", digits.len() - 1)) != (digits, power)
}

/// The digits of a number without zeros around them, and the power of ten of the first.
fn decimal(token: &str) -> (String, i64) {
    let (mantissa, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let mantissa = mantissa.trim_start_matches('-');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let exponent: i64 = exponent.parse().unwrap_or(i64::from(i32::MAX));
    let power = whole.len() as i64 - 1 - leading as i64 + exponent;
    (all.trim_matches('0').to_owned(), power)
}

/// Whether it is a number of JSON.
fn is_number(token: &str) -> bool {
    let (mantissa, exponent) = match token.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (token, None),
    };
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// The digits of the first marked number in a value.
pub fn unkept(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => text.strip_prefix(MARK).filter(|token| is_number(token)),
        Value::Array(list) => list.iter().find_map(unkept),
        Value::Object(object) => object.values().find_map(unkept),
        _ => None,
    }
}

/// A value as canonical JSON, each marked number in its own digits.
pub(super) fn digit_by_digit(value: &Value) -> String {
    let text = countersign_tools::canonical(value);
    let begins = format!("\"{MARK}");
    let mut parts = text.split(&begins);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('"') {
            Some((token, rest)) if is_number(token) => {
                out.push_str(token);
                out.push_str(rest);
            }
            _ => {
                out.push('"');
                out.push(MARK);
                out.push_str(part);
            }
        }
    }
    out
}

/// The value without its marked numbers; none where it is one.
pub(super) fn without_unkept(value: Value) -> Option<Value> {
    Some(match value {
        Value::Array(list) => list.into_iter().filter_map(without_unkept).collect(),
        Value::Object(object) => {
            let kept = object.into_iter().filter_map(|(key, value)| Some((key, without_unkept(value)?)));
            Value::Object(kept.collect())
        }
        value if unkept(&value).is_some() => return None,
        value => value,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::json;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[test]
    fn what_a_reader_keeps_stays_a_number() {
        for kept in [
            "0",
            "-1",
            "18446744073709551615",
            "-9223372036854775808",
            "725653563933458433",
            "0.1",
            "1e30",
            "-2.5E-3",
            "0.30000000000000004",
            "0.10000000000000000555",
            "1.50000000000000000000",
            "1.7976931348623157e308",
            "0.0",
            "0.00000000000000000000000",
            "51.507351",
            "100000000000000000000.0",
        ] {
            assert!(!is_rounded(kept), "{kept}");
        }
        for rounded in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1e400",
            "12345678901234567.89",
            "0.1234567890123456789",
            "100000000000000000000",
            "-4e999",
        ] {
            assert!(is_rounded(rounded), "{rounded}");
        }
    }

    async fn through(from: From, text: &str) -> String {
        let mut out = String::new();
        // Whatever the pieces in which it comes.
        let (first, last) = text.as_bytes().split_at(text.len() / 2);
        ExactNumbers::new(first.chain(last), from).read_to_string(&mut out).await.unwrap();
        out
    }

    #[tokio::test]
    async fn only_numbers_that_would_be_rounded_are_marked() {
        let long = "123456789012345678901234567890";
        let line = format!(
            "{{\"id\":7,\"result\":{{\"text\":\"{long} \\\" {long}\",\"n\":[-{long},5]}}}}\nno message {long}\n"
        );
        let out = through(From::Server, &line).await;
        let expected = line.replace(&format!("[-{long}"), &format!("[\"{MARK}-{long}\""));
        assert_eq!(out, expected);
        let value: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        assert_eq!(unkept(&value), Some(&*format!("-{long}")));
        assert_eq!(digit_by_digit(&value["result"]["n"]), format!("[-{long},5]"));
        assert_eq!(without_unkept(value["result"]["n"].clone()), Some(json!([5])));
        // Schemas name limits, and what is no call is nobody's concern.
        for (from, line) in [
            (From::Server, format!("{{\"result\":{{\"tools\":[{{\"inputSchema\":{{\"maximum\":{long}}}}}]}}}}")),
            (From::Client, format!("{{\"method\":\"ping\",\"params\":{{\"n\":{long}}}}}")),
        ] {
            assert_eq!(through(from, &line).await, line);
        }
    }

    #[test]
    fn a_text_that_only_looks_marked_stays_a_text() {
        let value = json!({"a": format!("{MARK}no number"), "b": format!("x{MARK}12345678901234567890123")});
        assert_eq!(unkept(&value), None);
        assert_eq!(digit_by_digit(&value), countersign_tools::canonical(&value));
    }
}
