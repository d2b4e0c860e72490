//! Texts on their way to a model: what would make it do something else.

use crate::findings::Findings;
use crate::phrases::Tag;
use crate::rules::Rule;

/// Bytes from a verb that sends to where it sends.
const TO_TARGET: usize = 80;
/// Bytes from the target of an order to the address that it names.
const TO_ADDRESS: usize = 60;
/// Bytes between an override and an order to send or run something: near enough to be one attack.
const NEAR: usize = 300;

/// Bytes on each side of such words that belong to the same sentence at most.
const SENTENCE: usize = 300;
/// Bytes behind the tag of a role in which the model is spoken to.
const SPOKEN_TO: usize = 200;

/// What the scan of a text tells of phrases, in the order of their ends.
#[derive(Default)]
pub struct Told {
    overrides: Vec<(usize, usize)>,
    conceals: Vec<(usize, usize)>,
    directives: Vec<(usize, usize)>,
    /// What is reached for that no documentation of a program sends anywhere: keys, and addresses to send to.
    stores: Vec<(usize, usize)>,
    claims: Vec<(usize, usize)>,
    /// The last verb that sends.
    send: Option<(usize, usize)>,
}

impl Told {
    pub fn hear(&mut self, tag: Tag, text: &[u8], start: usize, end: usize, findings: &mut Findings) {
        match tag {
            Tag::Override => self.overrides.push((start, end)),
            Tag::Conceal => self.conceals.push((start, end)),
            Tag::Claim => self.claims.push((start, end)),
            Tag::NewInstructions if text[end..].iter().find(|byte| **byte != b' ') == Some(&b':') => {
                self.overrides.push((start, end));
            }
            Tag::Hint => findings.add(Rule::Hint, start, end, 0.5),
            Tag::Marker | Tag::Role if speaks(text, start, end) => self.claims.push((start, end)),
            Tag::Marker => {
                if let Some((start, end)) = marker(text, start, end)
                    && !is_a_value(text, start, end)
                {
                    findings.add(Rule::TemplateMarker, start, end, 0.8);
                }
            }
            Tag::Send => self.send = Some((start, end)),
            Tag::Target => {
                if let Some((from, sent)) = self.send.take_if(|(_, sent)| *sent <= start)
                    && start - sent <= TO_TARGET
                {
                    self.directives.push((from, end));
                    if sends_away(text, from, end) {
                        self.stores.push((from, end));
                    }
                }
            }
            Tag::Run => self.directives.push((start, end)),
            _ => {}
        }
    }

    /// The path of a file that holds keys, where a word of it stands in one.
    pub fn store(&mut self, path: Option<(usize, usize)>) {
        self.stores.extend(path);
    }

    /// An override with an order near it is worse than one alone, and one that is to be kept from people or reaches for
    /// keys is no piece of documentation; an order alone is nothing. What is told of is the sentence: the words alone
    /// would leave what they order in the text.
    pub fn tell(self, text: &[u8], findings: &mut Findings) {
        let worst = |rule: Rule| {
            findings.severity(Rule::Override).map(|alone| findings.severity(rule).map_or(alone, |one| one.max(alone)))
        };
        let (alone, ordered, taken_over) =
            (findings.severity(Rule::Override), worst(Rule::Directive), worst(Rule::Takeover));
        let orders = near(&self.overrides, &self.directives);
        let (kept, keys) = (near(&self.overrides, &self.conceals), near(&self.overrides, &self.stores));
        let mut sentences = Sentences { text, last: (0, 0) };
        for (at, span) in self.overrides.iter().enumerate() {
            let severity = match orders[at] {
                true if (kept[at] || keys[at]) && findings.severity(Rule::Takeover).is_some() => {
                    sentences.add(Rule::Takeover, *span, 0.9, taken_over, findings);
                    continue;
                }
                true => ordered,
                false => alone,
            };
            sentences.add(Rule::Override, *span, 0.9, severity, findings);
        }
        for span in &self.conceals {
            sentences.add(Rule::Override, *span, 0.9, alone, findings);
        }
        for span in &self.claims {
            sentences.add(Rule::Impersonation, *span, 0.8, findings.severity(Rule::Impersonation), findings);
        }
        let wanted = [&self.overrides, &self.conceals, &self.claims].map(|words| near(&self.directives, words));
        for (at, span) in self.directives.iter().enumerate() {
            if wanted.iter().any(|wanted| wanted[at]) {
                sentences.add(Rule::Directive, *span, 0.7, findings.severity(Rule::Directive), findings);
            }
        }
    }
}

/// Tells of the sentences that words stand in, each once for a rule.
struct Sentences<'a> {
    text: &'a [u8],
    last: (usize, usize),
}

impl Sentences<'_> {
    fn add(
        &mut self,
        rule: Rule,
        (start, end): (usize, usize),
        score: f64,
        severity: Option<countersign_sdk::guard::Severity>,
        findings: &mut Findings,
    ) {
        // A line of a log is nothing to withhold: what is not withheld is told as it stands.
        let withheld = severity >= Some(countersign_sdk::guard::Severity::Medium);
        let (from, to) = if withheld { sentence(self.text, start, end) } else { (start, end) };
        // Several such words of one sentence are told once.
        if (from, to) == self.last && withheld {
            findings.again(rule, from, severity);
            return;
        }
        self.last = (from, to);
        findings.add_as(rule, from, to, score, severity);
    }
}

/// The sentence around some words: to a mark that ends one, the end of a line, or a quote or tag of the form it stands in.
fn sentence(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let stops = |at: usize| match text[at] {
        b'\n' | b'\r' | b'"' | b'<' | b'>' => true,
        b'.' | b'!' | b'?' => {
            text.get(at + 1).is_none_or(|next| matches!(next, b' ' | b'\n' | b'\r' | b'"' | b'\\' | b'<'))
        }
        b'\\' => matches!(text.get(at + 1), Some(b'n' | b'r')),
        _ => false,
    };
    let mut from = start;
    while from > 0 && start - from < SENTENCE && !stops(from - 1) {
        // Of an escaped end of a line the letter belongs to the end.
        if from > 1 && text[from - 1] == b'n' && text[from - 2] == b'\\' {
            break;
        }
        from -= 1;
    }
    let mut to = end;
    while to < text.len() && to - end < SENTENCE && !stops(to) {
        to += 1;
    }
    while from < start && (matches!(text[from], b' ' | b'\t') || text[from] & 0xC0 == 0x80) {
        from += 1;
    }
    while to > end && text.get(to).is_some_and(|byte| byte & 0xC0 == 0x80) {
        to -= 1;
    }
    (from, to)
}

/// Whether an order to send something names an address of the web: what fetches from one has another verb.
fn sends_away(text: &[u8], start: usize, end: usize) -> bool {
    let fetches = [&b"curl"[..], b"wget"]
        .iter()
        .any(|verb| text[start..].len() > 4 && text[start..start + 4].eq_ignore_ascii_case(verb));
    let behind = &text[start..text.len().min(end + TO_ADDRESS)];
    !fetches && behind.windows(7).any(|part| part == b"http://" || part == b"https:/")
}

/// Whether a word is the name of a tag such as `<system>`, and a model is spoken to behind it.
fn speaks(text: &[u8], start: usize, end: usize) -> bool {
    if start == 0 || text[start - 1] != b'<' || text.get(end) != Some(&b'>') {
        return false;
    }
    let behind = &text[end + 1..text.len().min(end + 1 + SPOKEN_TO)];
    let behind = &behind[..behind.windows(2).position(|two| two == b"</").unwrap_or(behind.len())];
    let words = behind.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let mut you = false;
    let mut order = false;
    for word in words {
        you |= word.eq_ignore_ascii_case(b"you") || word.eq_ignore_ascii_case(b"your");
        order |=
            [&b"must"[..], b"call", b"send", b"ignore", b"run", b"execute", b"transfer", b"delete", b"now", b"first"]
                .iter()
                .any(|one| word.eq_ignore_ascii_case(one));
    }
    you && order
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

/// Whether a mark is all of a value, as in the settings of a tokenizer: `"pad_token": "<|endoftext|>"`. Nothing is said
/// behind it.
fn is_a_value(text: &[u8], start: usize, end: usize) -> bool {
    let before = text[..start].last();
    let quoted = matches!(
        (before, &text[end..]),
        (Some(b'"'), [b'"', ..] | [b'\\', b'"', ..]) | (Some(b'\''), [b'\'', ..]) | (Some(b'`'), [b'`', ..])
    );
    let line = text[..start].trim_ascii_end();
    let assigned = [&b"token:"[..], b"token ="].iter().any(|name| line.ends_with(name));
    quoted || (assigned && matches!(&text[end..], [] | [b'\n' | b'\r' | b',', ..] | [b'\\', b'n', ..]))
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
    countersign_patterns::unseen(text, |start, end, score| findings.add(Rule::HiddenCharacters, start, end, score));
}
