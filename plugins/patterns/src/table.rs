//! An open-addressing table from hashes to small numbers, at most half full.

/// 2 to the 64th by the golden ratio: the top bits of a product with it are well mixed.
const MIXING: u64 = 0x9E37_79B9_7F4A_7C15;

pub(crate) struct Table {
    /// The key 0 marks an empty place.
    places: Vec<(u64, u16)>,
    shift: u32,
    count: usize,
}

impl Table {
    pub fn with_places(bits: u32) -> Self {
        Table { places: vec![(0, 0); 1 << bits], shift: 64 - bits, count: 0 }
    }

    /// Where a key stands or would.
    fn place(&self, key: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = (key.wrapping_mul(MIXING) >> self.shift) as usize & mask;
        loop {
            let found = self.places[place].0;
            if found == key || found == 0 {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    #[inline]
    pub fn get(&self, key: u64) -> Option<u16> {
        let mask = self.places.len() - 1;
        let mut place = (key.wrapping_mul(MIXING) >> self.shift) as usize;
        loop {
            let (found, value) = *self.places.get(place)?;
            if found == key {
                return Some(value);
            }
            if found == 0 {
                return None;
            }
            place = (place + 1) & mask;
        }
    }

    /// What the key stands for already, else the given value from now on.
    pub fn get_or_insert(&mut self, key: u64, value: u16) -> u16 {
        let place = self.place(key);
        if self.places[place].0 != 0 {
            return self.places[place].1;
        }
        self.places[place] = (key, value);
        self.count += 1;
        if self.count * 2 > self.places.len() {
            let mut larger = Table::with_places(65 - self.shift);
            for (key, value) in self.places.iter().filter(|(key, _)| *key != 0) {
                larger.get_or_insert(*key, *value);
            }
            *self = larger;
        }
        value
    }
}
