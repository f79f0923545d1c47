//! The files of a day each, and what came already.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use facteur_store::{Error, Notes, Store};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::entry::{DAY_SECONDS, Entry};
use super::limits::{
    BYTES_A_DAY_MAX, BYTES_MAX, DAYS, DOMAIN_A_DAY_MAX, KNOWN_MAX, LINE_BYTES_MAX,
    SENDER_A_DAY_MAX, SENDERS_A_DAY_MAX, UNPROVEN_A_DAY_MAX,
};
use crate::days;

/// Directory beside the store.
const DIRECTORY: &str = "reports";

/// What others reported.
#[derive(Debug)]
pub struct Reports {
    store: Store,
    state: Mutex<Option<State>>,
    /// For reading one.
    pub(crate) places: Semaphore,
}

#[derive(Debug)]
struct State {
    notes: Notes,
    /// Ids of what is kept, and of which day.
    known: HashMap<u64, i64>,
    /// Counted from 1970.
    day: i64,
    /// Of that day's file.
    bytes: usize,
    /// Of that day: by domain, and by domain and sender. What is unproven has an empty sender.
    taken: HashMap<(String, String), u32>,
}

/// What all lines have, to know them again.
#[derive(Deserialize)]
struct Head {
    at: i64,
    domain: String,
    by: String,
    id: u64,
    proven: bool,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    New,
    /// It came before.
    Known,
    /// There were too many of that day.
    TooMany,
}

impl Reports {
    /// Opens nothing yet.
    pub fn new(store: Store) -> Self {
        Reports {
            store,
            state: Mutex::new(None),
            places: super::places(),
        }
    }

    /// On the disk when it returns; blocking.
    pub fn keep(&self, entries: &[Entry]) -> Result<Vec<Kept>, Error> {
        // What is reserved is for mail.
        if self.store.is_full() {
            return Err(Error::DiskFull);
        }
        let mut state = self.open()?;
        let state = state.as_mut().ok_or(Error::Closed)?;
        let (mut kept, mut lines, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut today = state.day;
        for entry in entries {
            today = entry.at.div_euclid(DAY_SECONDS);
            state.turn(today)?;
            let mut line = serde_json::to_vec(entry).unwrap_or_default();
            line.push(b'\n');
            let new = match state.known.contains_key(&entry.id) || ids.contains(&entry.id) {
                true => Kept::Known,
                false if !state.has_room(entry, line.len()) => Kept::TooMany,
                false => Kept::New,
            };
            kept.push(new);
            if new != Kept::New {
                continue;
            }
            state.count(&entry.domain, &entry.by, entry.proven);
            if line.len() < LINE_BYTES_MAX {
                state.bytes += line.len();
                lines.extend_from_slice(&line);
                ids.push(entry.id);
            }
        }
        if !ids.is_empty() {
            // After a crash the file may end within a line.
            lines.insert(0, b'\n');
            state.notes.append_durably(&days::name(today), &lines)?;
            state.known.extend(ids.into_iter().map(|id| (id, today)));
        }
        Ok(kept)
    }

    /// What came of a domain since then (seconds since 1970), the oldest first; blocking.
    pub fn each(&self, domain: &str, since: i64, each: &mut dyn FnMut(Entry)) -> Result<(), Error> {
        let notes = self.store.notes(DIRECTORY)?;
        let first = days::name(since.div_euclid(DAY_SECONDS));
        let is_its = serde_json::to_vec(domain).unwrap_or_default();
        let finder = memchr::memmem::Finder::new(&is_its);
        each_line(&notes, &first, |line| {
            if finder.find(line).is_some()
                && let Ok(entry) = serde_json::from_slice::<Entry>(line)
                && entry.domain == domain
                && entry.at >= since
            {
                each(entry);
            }
        })
    }

    fn open(&self) -> Result<MutexGuard<'_, Option<State>>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_none() {
            *state = Some(State::read(self.store.notes(DIRECTORY)?)?);
        }
        Ok(state)
    }
}

impl State {
    fn read(notes: Notes) -> Result<State, Error> {
        let (mut heads, mut known) = (Vec::new(), HashMap::new());
        let (mut day, mut bytes) = (i64::MIN, 0);
        each_line(&notes, "", |line| {
            let Ok(head) = serde_json::from_slice::<Head>(line) else {
                return;
            };
            let today = head.at.div_euclid(DAY_SECONDS);
            if known.len() < KNOWN_MAX {
                known.insert(head.id, today);
            }
            if today != day {
                heads.clear();
                (day, bytes) = (today, 0);
            }
            bytes += line.len() + 1;
            heads.push((head.domain, head.by, head.proven));
        })?;
        let mut state = State {
            notes,
            known,
            day,
            bytes,
            taken: HashMap::new(),
        };
        for (domain, by, proven) in heads {
            state.count(&domain, &by, proven);
        }
        Ok(state)
    }

    /// A new day: nothing is counted yet, and what is too old goes.
    fn turn(&mut self, today: i64) -> Result<(), Error> {
        if today == self.day {
            return Ok(());
        }
        (self.day, self.bytes) = (today, 0);
        self.taken.clear();
        self.known.retain(|_, day| *day >= today - DAYS);
        days::forget(&self.notes, today - DAYS, BYTES_MAX)
    }

    fn has_room(&self, entry: &Entry, bytes: usize) -> bool {
        let known = self.known.len() < KNOWN_MAX;
        if !known || self.bytes.saturating_add(bytes) > BYTES_A_DAY_MAX {
            return false;
        }
        let taken = |by: Option<&str>| {
            let key = key(&entry.domain, by);
            self.taken.get(&key).copied().unwrap_or(0)
        };
        if !entry.proven {
            return taken(None) < UNPROVEN_A_DAY_MAX;
        }
        let few = self.taken.len() < SENDERS_A_DAY_MAX;
        few && taken(Some("")) < DOMAIN_A_DAY_MAX && taken(Some(&entry.by)) < SENDER_A_DAY_MAX
    }

    fn count(&mut self, domain: &str, by: &str, proven: bool) {
        let keys = match proven {
            true => vec![key(domain, Some("")), key(domain, Some(by))],
            false => vec![key(domain, None)],
        };
        for key in keys {
            *self.taken.entry(key).or_default() += 1;
        }
    }
}

/// `None`: those that are not proven; empty: all that are.
fn key(domain: &str, by: Option<&str>) -> (String, String) {
    let by = by.map_or("?".to_owned(), |by| format!("={by}"));
    (domain.to_owned(), by)
}

/// All lines of the files from `first` on, the oldest first.
fn each_line(notes: &Notes, first: &str, mut each: impl FnMut(&[u8])) -> Result<(), Error> {
    for (name, _) in notes.list()? {
        if name.as_str() < first {
            continue;
        }
        let done = days::each_line(notes, &name, LINE_BYTES_MAX, &mut |line| {
            each(line);
            ControlFlow::Continue(())
        })?;
        debug_assert!(done.is_continue(), "nothing breaks it");
    }
    Ok(())
}
