//! How much mail is taken from whom in a while: one table of what is counted and how much of it is
//! taken, and windows in bounded memory. Pure but for the lock; the time is given.
//!
//! Who meets a limit is told to come back: mail is late, never lost. Nothing is counted for
//! processes of this machine, nor for a proxy on it: behind one address there is everybody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::limits::RATE_ENTRIES_MAX;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Messages of strangers, by peer address (IPv6: its /64).
    Address,
    /// By the /24 around it (IPv6: the /48).
    Network,
    /// By reverse-path.
    Sender,
    /// Recipients that are an account's, by account.
    Recipient,
    /// Recipients that there are not, by peer address.
    Unknown,
    /// Recipients that somebody who logged in writes to, by account, in an hour and in a day.
    Submitted,
    SubmittedADay,
    /// Recipients of an account's mail that came back.
    Bounced,
    /// How often the owner of an account is told.
    Alarm,
    /// Tokens that are none, by peer address.
    BadToken,
}

struct Row {
    kind: Kind,
    max: u32,
    window: Duration,
    /// As in the log.
    name: &'static str,
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

const fn row(kind: Kind, max: u32, window: Duration, name: &'static str) -> Row {
    Row {
        kind,
        max,
        window,
        name,
    }
}

const ROWS: [Row; 10] = [
    row(Kind::Address, 2_000, HOUR, "messages from one address"),
    row(Kind::Network, 10_000, HOUR, "messages from one network"),
    row(Kind::Sender, 1_000, HOUR, "messages of one sender"),
    row(Kind::Recipient, 3_000, HOUR, "messages to one account"),
    row(
        Kind::Unknown,
        200,
        HOUR,
        "unknown recipients from one address",
    ),
    row(
        Kind::Submitted,
        1_000,
        HOUR,
        "recipients of one account in an hour",
    ),
    row(
        Kind::SubmittedADay,
        5_000,
        DAY,
        "recipients of one account in a day",
    ),
    row(
        Kind::Bounced,
        50,
        HOUR,
        "mail of one account that came back",
    ),
    row(Kind::Alarm, 1, DAY, "alarms"),
    row(Kind::BadToken, 100, HOUR, "bad tokens from one address"),
];

/// How much more or less than usual is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A tenth.
    Tight,
    Usual,
    /// Four times.
    Loose,
}

impl Scale {
    fn of(self, max: u32) -> u32 {
        match self {
            Scale::Tight => max / 10,
            Scale::Usual => max,
            Scale::Loose => max.saturating_mul(4),
        }
    }
}

/// The limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub name: &'static str,
}

#[derive(Debug, Default)]
pub struct Rates {
    windows: Mutex<HashMap<(Kind, u64), Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Duration,
    count: u32,
    length: Duration,
}

impl Window {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= self.length
    }
}

impl Rates {
    /// Counts one, unless that is too many.
    pub fn take(&self, kind: Kind, key: &str, now: Duration) -> Result<(), Over> {
        self.take_scaled(kind, key, now, Scale::Usual)
    }

    /// The same, where more or less than usual is taken.
    pub fn take_scaled(
        &self,
        kind: Kind,
        key: &str,
        now: Duration,
        scale: Scale,
    ) -> Result<(), Over> {
        self.with(kind, key, now, |window, row| {
            if window.count >= scale.of(row.max) {
                return Err(Over { name: row.name });
            }
            window.count += 1;
            Ok(())
        })
    }

    /// Whether one more would be too many; counts nothing.
    pub fn check(&self, kind: Kind, key: &str, now: Duration) -> Result<(), Over> {
        self.with(kind, key, now, |window, row| {
            let over = Over { name: row.name };
            if window.count >= row.max {
                Err(over)
            } else {
                Ok(())
            }
        })
    }

    /// Begins anew.
    pub fn forget(&self, kind: Kind, key: &str) {
        let key = twox_hash::XxHash3_64::oneshot(key.as_bytes());
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.remove(&(kind, key));
    }

    fn with(
        &self,
        kind: Kind,
        key: &str,
        now: Duration,
        work: impl FnOnce(&mut Window, &Row) -> Result<(), Over>,
    ) -> Result<(), Over> {
        let Some(row) = ROWS.iter().find(|row| row.kind == kind) else {
            return Ok(());
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= RATE_ENTRIES_MAX {
            windows.retain(|_, window| !window.is_over(now));
        }
        if windows.len() >= RATE_ENTRIES_MAX {
            // A flood from that many places is not stopped by counting.
            windows.clear();
        }
        let fresh = Window {
            since: now,
            count: 0,
            length: row.window,
        };
        let key = twox_hash::XxHash3_64::oneshot(key.as_bytes());
        let window = windows.entry((kind, key)).or_insert(fresh);
        if window.is_over(now) {
            *window = fresh;
        }
        work(window, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_limit() {
        let kinds = [
            Kind::Address,
            Kind::Network,
            Kind::Sender,
            Kind::Recipient,
            Kind::Unknown,
            Kind::Submitted,
            Kind::SubmittedADay,
            Kind::Bounced,
            Kind::Alarm,
            Kind::BadToken,
        ];
        for kind in kinds {
            let row = ROWS.iter().find(|row| row.kind == kind).unwrap();
            let (rates, start) = (Rates::default(), Duration::from_secs(5));
            for _ in 0..row.max {
                rates.take(kind, "a", start).unwrap();
            }
            let over = Over { name: row.name };
            assert_eq!(rates.take(kind, "a", start), Err(over));
            assert_eq!(rates.check(kind, "a", start), Err(over));
            assert_eq!(rates.take(kind, "b", start), Ok(()), "others go on");
            let later = start + row.window;
            assert_eq!(rates.check(kind, "a", later), Ok(()));
            assert_eq!(rates.take(kind, "a", later), Ok(()));
        }
    }

    #[test]
    fn more_and_less_than_usual() {
        for (scale, max) in [
            (Scale::Tight, 100),
            (Scale::Usual, 1_000),
            (Scale::Loose, 4_000),
        ] {
            let rates = Rates::default();
            let take = || rates.take_scaled(Kind::Sender, "a", Duration::ZERO, scale);
            let taken = (0..5_000).filter(|_| take().is_ok()).count();
            assert_eq!(taken, max, "{scale:?}");
            rates.forget(Kind::Sender, "a");
            assert_eq!(take(), Ok(()));
        }
    }

    #[test]
    fn memory_is_bounded() {
        let rates = Rates::default();
        for number in 0..RATE_ENTRIES_MAX + 10 {
            let _ = rates.take(Kind::Sender, &number.to_string(), Duration::ZERO);
        }
        assert!(rates.windows.lock().unwrap().len() <= RATE_ENTRIES_MAX);
    }
}
