//! What generated questions are made of: chance, texts, views. What a slot may be asked stands in
//! [`crate::slots`].

mod random;
mod texts;
mod view;

pub use random::Random;
pub use texts::{KIB, name, of_size, text, uncut};
pub use view::{CostLeft, GeneratedView};
