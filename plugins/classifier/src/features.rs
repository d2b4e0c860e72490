//! What the rules can ask of a task's text.

/// Features of a prompt.
pub struct Features {
    /// In characters.
    pub length: u64,
    /// How many of the tools on offer the prompt names.
    pub tools_named: u64,
    pub contains_code_block: bool,
    /// Languages of its code blocks: `rust`, `ts`, `py`, or as written.
    pub languages: Vec<String>,
    /// Lower case, for whole-word searches.
    words: Vec<String>,
}

impl Features {
    pub fn of(prompt: &str, tools: &[String]) -> Self {
        let words = words(prompt);
        let named = |tool: &String| contains_phrase(&words, &self::words(tool));
        let mut languages = Vec::new();
        let mut inside = false;
        let mut blocks = 0;
        for line in prompt.lines() {
            let Some(info) = line.trim_start().strip_prefix("```") else { continue };
            if !inside {
                blocks += 1;
                languages.push(language(info));
            }
            inside = !inside;
        }
        Features {
            length: prompt.chars().count() as u64,
            tools_named: tools.iter().filter(|tool| named(tool)).count() as u64,
            contains_code_block: blocks > 0,
            languages,
            words,
        }
    }

    /// Whether one of the keywords stands in the prompt as a whole word, in any case.
    pub fn has_keyword(&self, keywords: &[String]) -> bool {
        keywords.iter().any(|keyword| contains_phrase(&self.words, &words(keyword)))
    }
}

/// The language that a code block's first line names, as a rule must write it to find it.
pub fn language(info: &str) -> String {
    let language = info.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    short_name(&language.to_ascii_lowercase()).to_owned()
}

/// Whether any text has the keyword.
pub fn is_findable(keyword: &str) -> bool {
    keyword.contains(is_word)
}

/// How unclear a goal is, 0..=1: the share of its words that point at nothing, and more for a goal
/// of almost no words.
pub fn ambiguity(goal: &str) -> f64 {
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
    let words = words(goal);
    if words.is_empty() {
        return 1.0;
    }
    let pointing = words.iter().filter(|word| POINTING.contains(&word.as_str())).count();
    let share = pointing as f64 / words.len() as f64;
    let brevity = match words.len() {
        1 => 0.6,
        2 => 0.4,
        _ => 0.0,
    };
    (share + brevity).min(1.0)
}

/// Runs of letters, digits and `_`. Only ASCII letters are folded: the tables for the others would be
/// an eighth of the component.
fn words(text: &str) -> Vec<String> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn contains_phrase(words: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && words.windows(phrase.len()).any(|window| window == phrase)
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
