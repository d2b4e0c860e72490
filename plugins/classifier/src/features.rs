//! What the rules can ask of a task's text.

use crate::words::{Phrases, Word, contains_phrase, words, words_of};

/// Features of a prompt.
pub struct Features {
    /// In characters.
    pub length: u64,
    /// How many of the tools on offer the prompt names.
    pub tools_named: u64,
    pub contains_code_block: bool,
    /// Languages of its code blocks: `rust`, `ts`, `py`, or as written.
    pub languages: Vec<String>,
    /// How unclear the goal is, 0..=1.
    pub ambiguity: f64,
    /// For whole-word searches.
    words: Vec<Word>,
}

impl Features {
    /// `goal` is often the very same text.
    pub fn of(prompt: &str, goal: &str, tools: &[String]) -> Self {
        let words = words(prompt);
        let languages = code_blocks(prompt);
        Features {
            length: prompt.bytes().filter(|byte| *byte as i8 >= -0x40).count() as u64,
            tools_named: Phrases::of(tools).named_in(&words),
            contains_code_block: !languages.is_empty(),
            ambiguity: if goal == prompt { ambiguity(&words) } else { ambiguity(&self::words(goal)) },
            languages,
            words,
        }
    }

    /// Whether one of the keywords stands in the prompt as a whole word, in any case.
    pub fn has_keyword(&self, keywords: &[String]) -> bool {
        keywords.iter().any(|keyword| contains_phrase(&self.words, &words(keyword)))
    }
}

/// The languages of a text's code blocks, as their first lines name them.
fn code_blocks(text: &str) -> Vec<String> {
    let mut languages = Vec::new();
    let (mut inside, mut at) = (false, 0);
    while let Some(found) = text.as_bytes()[at..].iter().position(|byte| *byte == b'`') {
        let start = at + found;
        // A fence is the first thing in its line.
        let before = text[..start].rsplit('\n').next().unwrap_or_default();
        let line = text[start..].split('\n').next().unwrap_or_default();
        if let Some(info) = line.strip_prefix("```")
            && before.trim_start().is_empty()
        {
            if !inside {
                languages.push(language(info));
            }
            inside = !inside;
        }
        at = start + line.len();
    }
    languages
}

/// The language that a code block's first line names, as a rule must write it to find it.
pub fn language(info: &str) -> String {
    let language = info.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    short_name(&language.to_ascii_lowercase()).to_owned()
}

/// Whether any text has the keyword.
pub fn is_findable(keyword: &str) -> bool {
    words_of(keyword).next().is_some()
}

/// How unclear a goal is: the share of its words that point at nothing, and more for a goal of almost
/// no words.
fn ambiguity(words: &[Word]) -> f64 {
    const POINTING: [&str; 12] = [
        "it",
        "that",
        "this",
        "thing",
        "things",
        "stuff",
        "something",
        "somehow",
        "whatever",
        "anything",
        "them",
        "these",
    ];
    if words.is_empty() {
        return 1.0;
    }
    let mut pointers = POINTING.map(|word| words_of(word).next());
    pointers.sort_unstable();
    let pointing = words.iter().filter(|word| pointers.binary_search(&Some(**word)).is_ok()).count();
    let share = pointing as f64 / words.len() as f64;
    let brevity = match words.len() {
        1 => 0.6,
        2 => 0.4,
        _ => 0.0,
    };
    (share + brevity).min(1.0)
}

fn short_name(language: &str) -> &str {
    match language {
        "rs" => "rust",
        "typescript" | "tsx" => "ts",
        "python" | "python3" => "py",
        "javascript" | "jsx" => "js",
        other => other,
    }
}
