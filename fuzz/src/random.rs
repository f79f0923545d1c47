//! SplitMix64: small, fast, the same everywhere.

use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The same for the same bytes: choices that belong to an input.
    pub fn of(bytes: &[u8]) -> Self {
        Random(facteur_message::thread::key(bytes))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn byte(&mut self) -> u8 {
        self.bits().to_le_bytes()[0]
    }

    /// Below `end`; 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % end).unwrap_or_default()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// Some part of so many bytes; mostly a short one.
    pub fn range(&mut self, len: usize) -> Range<usize> {
        let start = self.below(len + 1);
        let longest = match self.below(4) {
            0 => len,
            1 => 64,
            _ => 8,
        };
        let end = start + self.below(longest.min(len - start) + 1);
        start..end
    }
}
