//! A table by identifiers that are hashes already, of strings that senders choose.
//!
//! Two multiplications each, one with a secret of the table: who makes up identifiers can't know
//! which of them meet.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::NodeId;

pub(super) type Table = HashMap<u64, NodeId, Secret>;

pub(super) fn with_capacity(entries: usize) -> Table {
    let secret = RandomState::new().hash_one(entries);
    HashMap::with_capacity_and_hasher(entries, Secret(secret))
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Secret(u64);

impl BuildHasher for Secret {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Folded(u64);

/// The fraction of the golden ratio: bits without a pattern.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for Folded {
    fn write_u64(&mut self, value: u64) {
        self.0 = folded(self.0 ^ value, self.0.rotate_left(32) ^ ODD | 1);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    /// Once more: after one multiplication neighbours are still evenly far apart, and with some
    /// secrets that far means the same place.
    fn finish(&self) -> u64 {
        folded(self.0, ODD)
    }
}

fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_do_not_meet() {
        for secret in (1..=200).map(|number: u64| Secret(number.wrapping_mul(ODD))) {
            let mut low: Vec<u64> = (0..4096_u64)
                .map(|id| secret.hash_one(id << 40) & 0xffff)
                .collect();
            low.sort_unstable();
            low.dedup();
            // Of 4,096 numbers thrown into 65,536 places some 3,970 places are hit.
            assert!(low.len() > 3_500, "{secret:?}: {}", low.len());
        }
    }
}
