//! Tables that tests write into documents, between two marks: `<!-- NAME: begin -->` and
//! `<!-- NAME: end -->`.

use crate::root;

/// The variable under which a test writes a table anew instead of complaining.
const BLESS: &str = "COUNTERSIGN_BLESS";

/// Holds a document's table against what it should be.
///
/// # Errors
/// When the document cannot be read or written.
///
/// # Panics
/// When the table is old, or the document has no place for it.
pub fn keep(document: &str, name: &str, table: &str) -> std::io::Result<()> {
    keep_as(document, name, table, |wanted, found| wanted == found)
}

/// The same of a table with measurements: numbers may be a tenth apart. How many digits a time has is the
/// machine's to say, and every digit costs fuel.
///
/// # Errors
/// As [`keep`].
///
/// # Panics
/// As [`keep`].
pub fn keep_measured(document: &str, name: &str, table: &str) -> std::io::Result<()> {
    keep_as(document, name, table, alike)
}

fn keep_as(document: &str, name: &str, table: &str, same: impl Fn(&str, &str) -> bool) -> std::io::Result<()> {
    let path = root().join(document);
    let text = std::fs::read_to_string(&path)?;
    let Some(wanted) = replaced(&text, name, table) else {
        panic!("{document}: no place for the table `{name}`");
    };
    if same(&wanted, &text) {
        return Ok(());
    }
    if std::env::var_os(BLESS).is_some() {
        return std::fs::write(&path, wanted);
    }
    let differs = wanted.lines().zip(text.lines()).find(|(wanted, found)| wanted != found);
    let (wanted, found) = differs.unwrap_or_default();
    panic!("the table `{name}` in {document} is old; {BLESS}=1 writes it anew\n  is     {found}\n  wanted {wanted}");
}

/// Whether two texts are the same but for numbers that are a tenth apart at most.
fn alike(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split([' ', '\n']).map(str::to_owned).collect::<Vec<_>>();
    let number = |word: &str| word.replace(',', "").parse::<f64>().ok();
    let (one, other) = (words(one), words(other));
    one.len() == other.len()
        && one.iter().zip(&other).all(|(one, other)| match (number(one), number(other)) {
            (Some(a), Some(b)) => (a - b).abs() <= a.max(b) / 10.0,
            _ => one == other,
        })
}

fn replaced(text: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let from = text.find(&begin)? + begin.len();
    let to = from + text[from..].find(&end)?;
    Some(format!("{}{table}{}", &text[..from], &text[to..]))
}
