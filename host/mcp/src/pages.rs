//! Lists that come page by page.

use std::collections::BTreeSet;

/// Most pages on which a list may come.
const MOST_PAGES: usize = 1024;

/// A list that comes page by page. It ends where the server says so, at a cursor that was there before, which would go on
/// for ever, and where there is too much of it.
#[derive(Debug)]
pub struct Pages<T> {
    items: Vec<T>,
    seen: BTreeSet<String>,
    most: usize,
    cut: Option<String>,
}

impl<T> Pages<T> {
    /// A list of which at most `most` items, and what else is on the last page, are taken.
    pub fn new(most: usize) -> Self {
        Pages { items: Vec::new(), seen: BTreeSet::new(), most, cut: None }
    }

    /// Takes a page in. Gives the cursor to ask for the next one with; none at the end of the list.
    pub fn take(&mut self, items: Vec<T>, next: Option<String>) -> Option<String> {
        self.items.extend(items);
        let next = next?;
        if self.seen.contains(&next) {
            self.cut = Some(format!("it gives the cursor `{next}` for the next page again and again"));
            return None;
        }
        if self.items.len() > self.most || self.seen.len() >= MOST_PAGES {
            self.cut = Some(format!("it lists more than {}, or pages without an end", self.most));
            return None;
        }
        self.seen.insert(next.clone());
        Some(next)
    }

    /// All that came, and why no more was asked for, where the server said that there is more.
    pub fn all(self) -> (Vec<T>, Option<String>) {
        (self.items, self.cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_it_would_go_on_for_ever() {
        let mut pages = Pages::new(10);
        assert_eq!(pages.take(vec![1], Some("a".to_owned())).as_deref(), Some("a"));
        assert_eq!(pages.take(vec![2], Some("b".to_owned())).as_deref(), Some("b"));
        assert_eq!(pages.take(vec![3], Some("a".to_owned())), None);
        let (items, cut) = pages.all();
        assert_eq!(items, [1, 2, 3]);
        assert!(cut.is_some_and(|why| why.contains("the cursor `a`")));
        let mut pages = Pages::new(1);
        assert_eq!(pages.take(vec![1, 2], Some("a".to_owned())), None);
        assert!(pages.all().1.is_some_and(|why| why.contains("more than 1")));
        let mut pages = Pages::new(1);
        assert_eq!(pages.take(vec![1, 2], None), None);
        assert_eq!(pages.all(), (vec![1, 2], None));
    }
}
