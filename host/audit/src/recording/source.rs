//! The bytes of a recording: plain or gzip, line by line or as one value, never more in memory than one element.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

/// Most bytes of one element of a recording: a line, or an element of its list.
pub const ELEMENT: u64 = 64 << 20;
/// Bytes by which the form of a recording is known.
const HEAD: u64 = 256 << 10;

/// What an element that is too long is told as.
pub const TOO_LONG: &str = "longer than 64 MiB";

/// A recording's bytes.
pub struct Source {
    /// How it begins; all of it where it is not longer.
    pub head: Vec<u8>,
    rest: Box<dyn BufRead>,
}

impl Source {
    /// Opens a file, plain or gzip, whatever its name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        // A pipe that nobody writes to would be waited for without end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no file; expected a recording"));
        }
        let mut plain = BufReader::with_capacity(1 << 16, File::open(path)?);
        let zipped = plain.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let mut rest: Box<dyn BufRead> = if zipped {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        let mut head = Vec::new();
        rest.by_ref().take(HEAD).read_to_end(&mut head)?;
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        Ok(Source { head, rest })
    }

    /// All of it, from its beginning.
    pub fn reader(self) -> impl BufRead {
        Cursor::new(self.head).chain(self.rest)
    }
}

/// Counts the bytes since somebody has last looked, and gives no more of them than an element may have.
#[derive(Debug)]
pub struct Metered<R> {
    inner: R,
    since: Rc<Cell<u64>>,
}

impl<R: Read> Metered<R> {
    /// With a buffer before it: whoever reads from it does so byte by byte.
    pub fn buffered(inner: R, since: &Rc<Cell<u64>>) -> BufReader<Self> {
        since.set(0);
        BufReader::with_capacity(1 << 13, Metered { inner, since: Rc::clone(since) })
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > ELEMENT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TOO_LONG));
        }
        let read = self.inner.read(buffer)?;
        self.since.set(self.since.get() + read as u64);
        Ok(read)
    }
}

/// One line of a reader as a reader of its own: it ends where the line does.
pub struct Line<'a, R> {
    inner: &'a mut R,
    over: bool,
    /// Nothing but space has been read.
    pub blank: bool,
    /// What is read from cannot be read on: no other line can be read either.
    pub failed: bool,
}

impl<'a, R: BufRead> Line<'a, R> {
    pub fn of(inner: &'a mut R) -> Self {
        Line { inner, over: false, blank: true, failed: false }
    }

    /// Goes to where the next line begins.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn skip(&mut self) -> io::Result<()> {
        let mut rest = [0; 1 << 13];
        while self.read(&mut rest)? > 0 {}
        Ok(())
    }
}

impl<R: BufRead> Read for Line<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.over || buffer.is_empty() {
            return Ok(0);
        }
        let available = loop {
            match self.inner.fill_buf() {
                Ok(available) => break available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    (self.failed, self.over) = (true, true);
                    return Err(error);
                }
            }
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let amount = end.unwrap_or(available.len()).min(buffer.len());
        buffer[..amount].copy_from_slice(&available[..amount]);
        self.blank &= buffer[..amount].iter().all(u8::is_ascii_whitespace);
        // The end of the line goes with what is before it, so that nothing is left of the line.
        let ended = end == Some(amount);
        self.over = ended || amount == 0;
        self.inner.consume(amount + usize::from(ended));
        Ok(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_it_ends_and_the_next_one_begins_there() -> io::Result<()> {
        let mut text = Cursor::new(b"first\n\nthird".as_slice());
        for (expected, left) in [("first", true), ("", true), ("third", false)] {
            let mut line = Line::of(&mut text);
            let mut read = String::new();
            line.read_to_string(&mut read)?;
            assert_eq!((read.as_str(), line.blank), (expected, expected.is_empty()));
            assert_eq!(!text.fill_buf()?.is_empty(), left);
        }
        let mut text = Cursor::new(b"first\nsecond".as_slice());
        Line::of(&mut text).skip()?;
        let mut read = String::new();
        Line::of(&mut text).read_to_string(&mut read)?;
        assert_eq!(read, "second");
        Ok(())
    }
}
