//! What other domains are told of their mail (DMARC, RFC 7489 §7.2) and of the way to them (TLS,
//! RFC 8460), when `smtp.send_reports` is on: counted as it happens, written and sent once a day.
//!
//! Memory counts (`table.rs`); a derived file beside the index keeps it over a restart (`keep.rs`). A crash
//! loses the last minutes of it, a lost file a day: statistics, no mail. That a report was sent is in the same
//! commit as its queue entry (`turn.rs`), so that none goes twice.

mod keep;
mod table;
mod turn;
mod web;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use facteur_senders::reports::aggregate;
use facteur_senders::reports::tls::{Failure, PolicyKind};
use facteur_store::{Clock, Error, Reported, Store, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::kept::Kept;
use keep::Keep;
pub use turn::{run, save, turn};

/// Since 1970, in UTC.
type Day = u32;

const DAY_SECONDS: i64 = 86_400;

fn day_of(at: Timestamp) -> Day {
    Day::try_from(at.seconds().div_euclid(DAY_SECONDS)).unwrap_or(0)
}

/// A connection to a host of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    pub policy: Policy,
    /// `None`: all is well. Its count is nothing.
    pub failure: Option<Failure>,
}

/// What the domain published, as RFC 8460 §4.4 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    pub kind: PolicyKind,
    /// The domain; for DANE the host.
    pub domain: String,
    pub lines: Vec<String>,
    /// Patterns of hosts (MTA-STS).
    pub hosts: Vec<String>,
}

#[derive(Debug)]
pub struct Feedback {
    is_on: bool,
    clock: Arc<dyn Clock>,
    kept: Kept<Keep>,
    /// Reports that could not be sent, and until when they are left alone.
    resting: Mutex<HashMap<Reported, Timestamp>>,
}

impl Feedback {
    /// Opens nothing yet.
    pub fn new(store: Store, config: &Config) -> Self {
        Feedback {
            is_on: config.send_reports,
            clock: Arc::clone(store.clock()),
            kept: Kept::new(store),
            resting: Mutex::default(),
        }
    }

    /// Else nothing is counted.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// A message in the name of a domain that asks for reports; `row` without its count.
    pub fn count_letter(&self, policy_domain: &str, row: aggregate::Row) {
        if self.is_on {
            let day = day_of(self.clock.now());
            self.with(|kept| kept.letters.count(day, policy_domain, row));
        }
    }

    /// A connection to a host of that destination, in lower case.
    pub fn count_session(&self, destination: &str, session: Session) {
        if self.is_on {
            let day = day_of(self.clock.now());
            self.with(|kept| kept.sessions.count(day, destination, session));
        }
    }

    /// Reads the file; until then the first who counts does. Blocking.
    pub fn load(&self) {
        if self.is_on {
            self.kept.load();
        }
    }

    /// Writes what changed and makes it durable. Blocking.
    pub fn save(&self) -> Result<(), Error> {
        self.kept.save()
    }

    /// Work on what is kept.
    fn with<T>(&self, work: impl FnOnce(&mut Keep) -> T) -> T {
        self.kept.with(work)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
