//! How many messages go to one destination at once: what it says decides.
//!
//! Slow start as in TCP: one connection until something has arrived, then one more for each
//! success; a setback (421, 4yz to everything, a connection refused among others) halves it, and
//! from then on it grows by one for each full round.

use super::limits::TRANSFERS_PER_DESTINATION_MAX;

/// What an attempt told about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Nobody there was spoken to, and nothing was learned.
    None,
    /// It works with us.
    Reached,
    /// "Not so much" (RFC 5321 §3.8: 421).
    Setback,
    /// No host of it answers.
    Unreachable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    limit: usize,
    slow_start: bool,
    /// Successes since the limit changed, after slow start.
    round: usize,
    proven: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            limit: 1,
            slow_start: true,
            round: 0,
            proven: false,
        }
    }
}

impl Pace {
    /// Transfers at once.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// It has answered, and was not lost since.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    pub fn told(&mut self, contact: Contact) {
        match contact {
            Contact::None => {}
            Contact::Reached => self.reached(),
            Contact::Setback => {
                self.limit = (self.limit / 2).max(1);
                self.slow_start = false;
                self.round = 0;
            }
            Contact::Unreachable => *self = Pace::default(),
        }
    }

    fn reached(&mut self) {
        self.proven = true;
        self.round += 1;
        if self.slow_start || self.round >= self.limit {
            self.limit = (self.limit + 1).min(TRANSFERS_PER_DESTINATION_MAX);
            self.round = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_halves_and_starts_again() {
        use Contact::{None, Reached, Setback, Unreachable};
        let max = TRANSFERS_PER_DESTINATION_MAX;
        type Case = (&'static [(Contact, usize)], usize, bool);
        let cases: &[Case] = &[
            (&[], 1, false),
            (&[(None, 5)], 1, false),
            (&[(Reached, 1)], 2, true),
            (&[(Reached, 3)], 4, true),
            (&[(Reached, 1000)], max, true),
            (&[(Reached, 1000), (Setback, 1)], max / 2, true),
            // A full round for one more.
            (&[(Reached, 7), (Setback, 1), (Reached, 3)], 4, true),
            (&[(Reached, 7), (Setback, 1), (Reached, 4)], 5, true),
            (&[(Reached, 9), (Setback, 99)], 1, true),
            (&[(Setback, 1), (Reached, 1)], 2, true),
            (&[(Reached, 1000), (Unreachable, 1)], 1, false),
            (&[(Reached, 9), (Unreachable, 1), (Reached, 2)], 3, true),
        ];
        for (told, limit, proven) in cases {
            let mut pace = Pace::default();
            for (contact, times) in *told {
                (0..*times).for_each(|_| pace.told(*contact));
            }
            assert_eq!(
                (pace.limit(), pace.is_proven()),
                (*limit, *proven),
                "{told:?}"
            );
        }
    }
}
