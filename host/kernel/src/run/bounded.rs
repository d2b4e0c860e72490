//! Texts and rings that stay within a bound.

use std::collections::VecDeque;

/// At most so many bytes of a text, whole characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Keeps a ring at its length: the oldest is forgotten.
pub(super) fn push_bounded<T>(ring: &mut VecDeque<T>, most: usize, value: T) {
    if most == 0 {
        return;
    }
    while ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(value);
}
