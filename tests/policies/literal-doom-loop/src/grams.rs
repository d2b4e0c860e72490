//! How much two actions have in common: the Jaccard index of their 4-grams.
//!
//! The document says Jaccard, n-grams and cosine in one line (part 6.2); its own sketch keeps sets
//! (part 6.3), and sets have the Jaccard index. Grams are of bytes, which are characters in nearly
//! every action.

/// Bytes of an action that are looked at: all that the contract lets in.
const LOOKED_AT: usize = 8192;

/// The 4-grams of a text, each once, ascending. A shorter text is one gram.
pub struct Grams(Vec<u32>);

impl Grams {
    pub fn of(text: &str) -> Self {
        let bytes = &text.as_bytes()[..text.len().min(LOOKED_AT)];
        let mut grams: Vec<u32> = match bytes {
            [] => Vec::new(),
            short if short.len() < 4 => vec![short.iter().fold(0, |gram, byte| (gram << 8) | u32::from(*byte))],
            long => long.windows(4).map(|gram| u32::from_be_bytes([gram[0], gram[1], gram[2], gram[3]])).collect(),
        };
        grams.sort_unstable();
        grams.dedup();
        Grams(grams)
    }

    /// What both have of what either has, 0..=1; 0 for two empty texts.
    pub fn jaccard(&self, other: &Grams) -> f64 {
        let (mut one, mut two, mut both) = (0, 0, 0_u32);
        while let (Some(a), Some(b)) = (self.0.get(one), other.0.get(two)) {
            both += u32::from(a == b);
            one += usize::from(a <= b);
            two += usize::from(b <= a);
        }
        let either = self.0.len() + other.0.len() - both as usize;
        if either == 0 { 0.0 } else { f64::from(both) / either as f64 }
    }
}
