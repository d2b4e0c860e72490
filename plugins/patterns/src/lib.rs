//! Finds personal data, secrets and phrases in a text, in one forward pass over its bytes.
//!
//! ```
//! use countersign_patterns::{Kind, Scanner};
//!
//! let mut builder = Scanner::builder();
//! builder.phrase("project falcon", 7).unwrap();
//! let scanner = builder.build();
//! let mut phrases = Vec::new();
//! let hits = scanner.scan("Project  Falcon: mail to ada@example.org", |tag, start, end| {
//!     phrases.push((tag, start, end));
//! });
//! assert_eq!(phrases, [(7, 0, 15)]);
//! assert_eq!((hits[0].kind, hits[0].start, hits[0].end), (Kind::EmailAddress, 25, 40));
//! ```
//!
//! The work is linear in the text, whatever its bytes: what a trigger looks at, before it and after
//! it, is bounded or read once. Every end of a hit lies on the border of a character.

mod address;
mod assignment;
mod before;
mod card;
mod cues;
mod date;
mod diff;
pub mod eights;
mod iban;
mod ip;
mod kind;
mod number;
mod pem;
mod phone;
mod phrases;
mod scan;
mod table;
mod terms;
mod text;
mod token;
mod unseen;
mod word;

pub use kind::Kind;
pub use phrases::PhraseError;
pub use unseen::{unseen, without_unseen};
pub use word::hidden_at;

/// One thing found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// First byte after it, greater than `start`.
    pub end: usize,
    /// How sure that is, 0..=1. Below 0.5: more likely something else.
    pub score: f64,
}

impl Hit {
    /// Whether it is a key in the form that its issuer gave it, prefix, alphabet and length: one word without blanks.
    #[must_use]
    pub fn is_issued_key(&self) -> bool {
        self.kind == Kind::ApiKey && self.score >= token::SURE
    }
}

/// Patterns, built-in terms and the phrases of whoever made it.
pub struct Scanner {
    phrases: phrases::Phrases,
}

/// Adds phrases to a scanner.
pub struct Builder {
    phrases: phrases::Builder,
}

impl Scanner {
    /// One with the built-in patterns and terms, to which phrases may be added.
    #[must_use]
    pub fn builder() -> Builder {
        let mut phrases = phrases::Builder::default();
        for (index, (pattern, _)) in terms::TERMS.iter().enumerate() {
            phrases.built_in(pattern, index as u16);
        }
        Builder { phrases }
    }

    /// What stands in a text, in order of `start`. Only those of terms overlap one
    /// another. Every phrase found is told to `phrase` by its tag, first and last byte, in order
    /// of its end.
    pub fn scan(&self, text: &str, mut phrase: impl FnMut(u16, usize, usize)) -> Vec<Hit> {
        scan::Scan::new(text, &self.phrases, &mut phrase).run()
    }
}

impl Builder {
    /// Adds one phrase: whole words in this order, whatever the case of ASCII letters and the space
    /// between them.
    ///
    /// # Errors
    /// When it has no word, too many, or is there already.
    pub fn phrase(&mut self, phrase: &str, tag: u16) -> Result<(), PhraseError> {
        self.phrases.phrase(phrase, tag)
    }

    /// Adds many phrases at once: words with their alternatives, such as `ignore|forget all| rules`.
    /// An empty alternative makes a word optional. What is there already stays.
    pub fn pattern(&mut self, pattern: &str, tag: u16) {
        self.phrases.pattern(pattern, tag);
    }

    /// The scanner.
    #[must_use]
    pub fn build(self) -> Scanner {
        Scanner { phrases: self.phrases.build() }
    }
}
