//! Texts on their way to a model: what would make it do something else.

use countersign_patterns::hidden_at;

use crate::eights;
use crate::findings::Findings;
use crate::phrases::Tag;
use crate::rules::Rule;

/// Bytes from a verb that sends to where it sends.
const TO_TARGET: usize = 80;
/// Bytes between an override and an order to send or run something: near enough to be one attack.
const NEAR: usize = 300;

/// What the scan of a text tells of phrases, in the order of their ends.
#[derive(Default)]
pub struct Told {
    overrides: Vec<(usize, usize)>,
    directives: Vec<(usize, usize)>,
    /// The last verb that sends.
    send: Option<(usize, usize)>,
}

impl Told {
    pub fn hear(&mut self, tag: Tag, text: &[u8], start: usize, end: usize, findings: &mut Findings) {
        match tag {
            Tag::Override => self.overrides.push((start, end)),
            Tag::NewInstructions if text[end..].iter().find(|byte| **byte != b' ') == Some(&b':') => {
                self.overrides.push((start, end));
            }
            Tag::Hint => findings.add(Rule::Hint, start, end, 0.5),
            Tag::Marker => {
                if let Some((start, end)) = marker(text, start, end) {
                    findings.add(Rule::TemplateMarker, start, end, 0.8);
                }
            }
            Tag::Send => self.send = Some((start, end)),
            Tag::Target => {
                if let Some((from, sent)) = self.send.take_if(|(_, sent)| *sent <= start)
                    && start - sent <= TO_TARGET
                {
                    self.directives.push((from, end));
                }
            }
            Tag::Run => self.directives.push((start, end)),
            _ => {}
        }
    }

    /// An override with an order near it is worse than one alone; an order alone is nothing.
    pub fn tell(self, findings: &mut Findings) {
        let together = findings.worst(Rule::Override, Rule::Directive);
        let alone = findings.severity(Rule::Override);
        let ordered = near(&self.overrides, &self.directives);
        for ((start, end), near) in self.overrides.iter().zip(ordered) {
            findings.add_as(Rule::Override, *start, *end, 0.9, if near { together } else { alone });
        }
        let wanted = near(&self.directives, &self.overrides);
        for ((start, end), near) in self.directives.iter().zip(wanted) {
            if near {
                findings.add(Rule::Directive, *start, *end, 0.7);
            }
        }
    }
}

/// Of each span whether one of the others is near it. Both are in the order of their ends.
fn near(spans: &[(usize, usize)], others: &[(usize, usize)]) -> Vec<bool> {
    let mut next = 0;
    let reaches = |(start, end): (usize, usize), (from, to): (usize, usize)| start <= to + NEAR && from <= end + NEAR;
    let is_near = |span: &(usize, usize)| {
        // Those that end too far before this one do so before the later ones too.
        while others.get(next).is_some_and(|(_, to)| to + NEAR < span.0) {
            next += 1;
        }
        others[next..].iter().take(2).any(|other| reaches(*span, *other))
    };
    spans.iter().map(is_near).collect()
}

/// The mark of a conversation's template around a word: `<|im_start|>`, `[INST]`, `<<SYS>>`,
/// `<start_of_turn>`.
fn marker(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    const BRACKETS: [(&[u8], &[u8]); 6] =
        [(b"<|", b"|>"), (b"[INST", b"]"), (b"[/INST", b"]"), (b"<<SYS", b">>"), (b"<</SYS", b">>"), (b"<", b"_turn>")];
    // Mostly it is a word like others.
    if !matches!(text[..start].last(), Some(b'|' | b'[' | b'/' | b'<')) {
        return None;
    }
    BRACKETS.iter().find_map(|(open, close)| {
        // The word itself is part of some of them.
        let word = open.iter().position(u8::is_ascii_alphabetic).unwrap_or(open.len());
        let tail = close.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1);
        let (from, to) = (start.checked_sub(word)?, end + close.len() - tail);
        let whole = text.get(from..to)?;
        (whole.starts_with(open) && whole.ends_with(close)).then_some((from, to))
    })
}

/// Characters that cannot be seen, where they are not what some script or emoji is written with.
pub fn hidden(text: &str, findings: &mut Findings) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = eights::find_high(bytes, at) {
        at = start;
        // Scripts other than Latin stand in rows.
        while let Some(&lead @ 0x80..) = bytes.get(at)
            && hidden_at(bytes, at).is_none()
        {
            at += 1 + usize::from(lead >= 0xC0) + usize::from(lead >= 0xE0) + usize::from(lead >= 0xF0);
        }
        let start = at;
        // Flags of regions are spelled in tags.
        let flag = bytes[..start].ends_with("\u{1F3F4}".as_bytes());
        let mut score: f64 = 0.0;
        while let Some(length) = hidden_at(bytes, at) {
            score = score.max(suspicion(bytes, at, length, flag));
            at += length;
        }
        findings.add(Rule::HiddenCharacters, start, at, score);
    }
}

/// How likely a hidden character hides something, 0..=1.
fn suspicion(bytes: &[u8], at: usize, length: usize, flag: bool) -> f64 {
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let between_letters = at > 0 && letter(at - 1) && letter(at + length);
    match &bytes[at..at + length] {
        // Tags spell a whole text that nobody sees.
        [0xF3, 0xA0, 0x80 | 0x81, _] if !flag => 0.9,
        // Embedding and override of the direction, then isolates.
        [0xE2, 0x80, 0xAA..=0xAE] => 0.7,
        [0xE2, 0x81, 0xA6..=0xA9] => 0.5,
        // Zero-width space, word joiner, byte-order mark; joiners only inside a word that needs none.
        [0xE2, 0x80, 0x8B] | [0xE2, 0x81, 0xA0..=0xA4] => 0.6,
        [0xEF, 0xBB, 0xBF] if at > 0 => 0.6,
        [0xE2, 0x80, 0x8C | 0x8D] | [0xC2, 0xAD] if between_letters => 0.5,
        _ => 0.1,
    }
}
