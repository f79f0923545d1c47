//! A clock that moves only when it is told to, and randomness that repeats with its seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use facteur_store::{Clock, Timestamp};

/// 2026-01-01T00:00:00Z, where every virtual clock starts.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough to drive simulations.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Any 64 bits.
    #[expect(clippy::should_implement_trait, reason = "endless, not an iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// An index into something of `len` elements.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// True `percent` times out of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn fill(&mut self, buffer: &mut [u8]) {
        let mut words = buffer.chunks_exact_mut(8);
        for word in words.by_ref() {
            word.copy_from_slice(&self.next().to_le_bytes());
        }
        let rest = words.into_remainder();
        let last = self.next().to_le_bytes();
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// Starts at [`START`]; moves by [`VirtualClock::advance`].
#[derive(Debug)]
pub struct VirtualClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    monotonic: Duration,
    random: Random,
}

impl VirtualClock {
    pub fn new(seed: u64) -> Self {
        VirtualClock {
            state: Mutex::new(State {
                now: START,
                monotonic: Duration::ZERO,
                random: Random::new(seed),
            }),
        }
    }

    /// Moves wall clock and monotonic clock.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now = state.now.after(by);
        state.monotonic += by;
    }

    /// Sets the wall clock alone, backwards too, as an operator or NTP would.
    pub fn set(&self, now: Timestamp) {
        self.lock().now = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn random(&self, buffer: &mut [u8]) {
        self.lock().random.fill(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_told() {
        let clock = VirtualClock::new(1);
        assert_eq!(clock.now(), START);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), Timestamp(START.0 + 2000));
        clock.set(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
        assert_eq!(clock.monotonic(), Duration::from_secs(2));
    }

    #[test]
    fn same_seed_same_randomness() {
        let mut first = [0; 21];
        let mut second = [0; 21];
        VirtualClock::new(7).random(&mut first);
        VirtualClock::new(7).random(&mut second);
        assert_eq!(first, second);
        VirtualClock::new(8).random(&mut second);
        assert_ne!(first, second);
    }
}
