//! The little language of a rule's `if`, as document 001, part 13.1 writes it.
//!
//! ```text
//! any   = all { "or" all }
//! all   = not { "and" not }
//! not   = "not" not | "(" any ")" | test
//! test  = "prompt.length" compare number | "prompt.tools_named" compare number
//!       | "prompt.contains_code_block" | "prompt.language" "in" list
//!       | "prompt.has_keyword" "(" list ")"
//! list  = "[" word { "," word } "]"
//! ```

use crate::features::Features;

/// A parsed condition.
#[derive(Debug, PartialEq)]
pub enum Condition {
    Or(Vec<Condition>),
    And(Vec<Condition>),
    Not(Box<Condition>),
    Number(Quantity, Compare, u64),
    ContainsCodeBlock,
    LanguageIn(Vec<String>),
    HasKeyword(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    Length,
    ToolsNamed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Compare {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Condition {
    /// Parses a condition; the error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let condition = parser.any()?;
        match parser.peek() {
            None => Ok(condition),
            Some(token) => Err(format!("expected `and`, `or` or the end, found `{token}`")),
        }
    }

    pub fn holds(&self, features: &Features) -> bool {
        match self {
            Condition::Or(parts) => parts.iter().any(|part| part.holds(features)),
            Condition::And(parts) => parts.iter().all(|part| part.holds(features)),
            Condition::Not(part) => !part.holds(features),
            Condition::Number(quantity, compare, number) => {
                let value = match quantity {
                    Quantity::Length => features.length,
                    Quantity::ToolsNamed => features.tools_named,
                };
                match compare {
                    Compare::Less => value < *number,
                    Compare::LessOrEqual => value <= *number,
                    Compare::Equal => value == *number,
                    Compare::NotEqual => value != *number,
                    Compare::GreaterOrEqual => value >= *number,
                    Compare::Greater => value > *number,
                }
            }
            Condition::ContainsCodeBlock => features.contains_code_block,
            Condition::LanguageIn(languages) => features.languages.iter().any(|language| languages.contains(language)),
            Condition::HasKeyword(keywords) => features.has_keyword(keywords),
        }
    }
}

/// Parentheses and `not` may nest this deep.
const DEEPEST: u32 = 32;

struct Parser {
    tokens: Vec<String>,
    at: usize,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take_if(&mut self, wanted: &str) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.take_if(wanted) { Ok(()) } else { Err(self.expected(&format!("`{wanted}`"))) }
    }

    fn expected(&self, what: &str) -> String {
        match self.peek() {
            Some(found) => format!("expected {what}, found `{found}`"),
            None => format!("expected {what}, found the end"),
        }
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.take_if("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Condition::Or))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.not()?];
        while self.take_if("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Condition::And))
    }

    fn not(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("expected at most {DEEPEST} levels of nesting"));
        }
        let condition = if self.take_if("not") {
            Condition::Not(Box::new(self.not()?))
        } else if self.take_if("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn test(&mut self) -> Result<Condition, String> {
        const TESTS: &str = "`prompt.length`, `prompt.tools_named`, `prompt.contains_code_block`, \
                             `prompt.language` or `prompt.has_keyword`";
        let quantity = match self.peek() {
            Some("prompt.length") => Quantity::Length,
            Some("prompt.tools_named") => Quantity::ToolsNamed,
            Some("prompt.contains_code_block") => {
                self.at += 1;
                return Ok(Condition::ContainsCodeBlock);
            }
            Some("prompt.language") => {
                self.at += 1;
                self.expect("in")?;
                return Ok(Condition::LanguageIn(self.list()?));
            }
            Some("prompt.has_keyword") => {
                self.at += 1;
                self.expect("(")?;
                let keywords = self.list()?;
                self.expect(")")?;
                return Ok(Condition::HasKeyword(keywords));
            }
            _ => return Err(self.expected(TESTS)),
        };
        self.at += 1;
        let compare = match self.peek() {
            Some("<") => Compare::Less,
            Some("<=") => Compare::LessOrEqual,
            Some("==") => Compare::Equal,
            Some("!=") => Compare::NotEqual,
            Some(">=") => Compare::GreaterOrEqual,
            Some(">") => Compare::Greater,
            _ => return Err(self.expected("a comparison")),
        };
        self.at += 1;
        let number = self.peek().and_then(|token| token.parse().ok()).ok_or_else(|| self.expected("a whole number"))?;
        self.at += 1;
        Ok(Condition::Number(quantity, compare, number))
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        self.expect("[")?;
        let mut words = Vec::new();
        loop {
            match self.take() {
                Some(word) if !is_punctuation(&word) => words.push(word.trim_matches('"').to_owned()),
                _ => {
                    self.at -= 1;
                    return Err(self.expected("a word"));
                }
            }
            if self.take_if("]") {
                return Ok(words);
            }
            self.expect(",")?;
        }
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

fn is_punctuation(token: &str) -> bool {
    matches!(token, "(" | ")" | "[" | "]" | "," | "<" | "<=" | "==" | "!=" | ">=" | ">")
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | '[' | ']' | ',' => 1,
            '<' | '>' | '=' | '!' => {
                if rest[1..].starts_with('=') {
                    2
                } else if first == '<' || first == '>' {
                    1
                } else {
                    return Err(format!("expected `{first}=`, found `{first}`"));
                }
            }
            '"' => match rest[1..].find('"') {
                Some(end) => end + 2,
                None => return Err("expected a closing quotation mark".to_owned()),
            },
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => return Err(format!("unexpected character `{c}`")),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.' || c == '-' || c == '+' || c == '#'
}
