//! Greylisting: mail of a doubtful sender is told to come again. A mail server does, after some
//! minutes; a program that sends junk and runs does not. Who came again is remembered for long.
//!
//! Who is doubtful is decided in `smtp/doubt.rs`.

use std::time::Duration;

use super::Strangers;
use super::table::{Key, Kind, Row};
use crate::limits;

pub(super) const KIND: Kind = Kind {
    letter: 3,
    rows_max: limits::GREY_MAX,
    is_over: |row, now| {
        let remembered = match row.word {
            PASSED => limits::GREY_REMEMBERED,
            _ => GREY_UNTIL,
        };
        now > row.last.after(remembered)
    },
};

const PASSED: u32 = 1;
/// Not sooner.
const GREY_AFTER: Duration = Duration::from_secs(3 * 60);
/// Not later; then it begins anew. RFC 5321 §4.5.4.1: senders try for days.
const GREY_UNTIL: Duration = Duration::from_secs(2 * 24 * 3600);

impl Strangers {
    /// May mail from this network (`junk::network_of`) and of this domain pass?
    pub fn passes_grey(&self, network: &str, domain: &str) -> bool {
        let (key, now) = (key(network, domain), self.now());
        let passes = self.with(|keep| {
            let row = match keep.grey.get(&key, now) {
                Some(row) if row.word == PASSED || row.first.after(GREY_AFTER) <= now => Row {
                    last: now,
                    word: PASSED,
                    ..row
                },
                // The time runs from the first attempt.
                Some(_) => return false,
                None => Row {
                    first: now,
                    last: now,
                    word: 0,
                },
            };
            keep.grey.put(key, row, now);
            row.word == PASSED
        });
        self.news.notify_one();
        passes
    }
}

fn key(network: &str, domain: &str) -> Key {
    let hash = |text: &str| twox_hash::XxHash3_64::oneshot(text.as_bytes());
    let (network, domain) = (hash(network), hash(&domain.to_lowercase()));
    (u128::from(network) << 64 | u128::from(domain)).to_be_bytes()
}
