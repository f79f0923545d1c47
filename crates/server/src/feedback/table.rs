//! Counts of one kind, by UTC day and domain: bounded, in memory, with a mark of what the file does not
//! have yet.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use facteur_senders::limits::NAME_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Day;
use crate::limits::{FEEDBACK_BYTES_MAX, FEEDBACK_DOMAINS_MAX, FEEDBACK_ROWS_MAX};

/// What is counted: alike are counted together.
pub(super) trait Alike: Clone + Eq + Hash + Serialize + DeserializeOwned {}

impl<R: Clone + Eq + Hash + Serialize + DeserializeOwned> Alike for R {}

#[derive(Debug)]
pub(super) struct Table<R> {
    /// First byte of a key in the file.
    letter: u8,
    days: BTreeMap<Day, HashMap<String, Counted<R>>>,
    /// Of all rows, about.
    bytes: usize,
    domains: usize,
    gone: Vec<(Day, String)>,
}

/// Of one domain and day.
#[derive(Debug)]
struct Counted<R> {
    /// Shared with what is being written.
    rows: HashMap<Arc<R>, Times>,
    /// Not counted for want of room.
    missed: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Times {
    /// Names the row in the file.
    number: u32,
    now: u64,
    written: u64,
}

/// About what a row takes beside its own bytes.
const OVERHEAD: usize = 128;

/// A row of the file.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// What the file has to learn. Taking it is quick; writing it out as JSON is not, and no count waits.
#[derive(Debug)]
pub(super) struct Changes<R> {
    /// Spans that go.
    gone: Vec<Row>,
    /// Of one domain and day: how its keys begin; number, count and what is counted.
    put: Vec<(Vec<u8>, Vec<Change<R>>)>,
}

type Change<R> = (u32, u64, Arc<R>);

impl<R: Alike> Changes<R> {
    pub(super) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.put.is_empty()
    }

    /// Spans that go, rows that are put.
    pub(super) fn rows(self) -> (Vec<Row>, Vec<Row>) {
        let mut put = Vec::new();
        for (start, changes) in self.put {
            for (number, times, row) in changes {
                let key = [start.as_slice(), &number.to_be_bytes()].concat();
                let mut value = times.to_be_bytes().to_vec();
                value.extend(serde_json::to_vec(&*row).unwrap_or_default());
                put.push((key, value));
            }
        }
        (self.gone, put)
    }
}

impl<R: Alike> Table<R> {
    pub(super) fn new(letter: u8) -> Self {
        Table {
            letter,
            days: BTreeMap::new(),
            bytes: 0,
            domains: 0,
            gone: Vec::new(),
        }
    }

    /// One more; false: there is no room for it.
    pub(super) fn count(&mut self, day: Day, domain: &str, row: R) -> bool {
        if let Some(counted) = self.counted(day, domain)
            && let Some(times) = counted.rows.get_mut(&row)
        {
            times.now = times.now.saturating_add(1);
            return true;
        }
        let fits = self.insert(day, domain, row, None);
        if !fits && let Some(counted) = self.counted(day, domain) {
            counted.missed = counted.missed.saturating_add(1);
        }
        fits
    }

    fn counted(&mut self, day: Day, domain: &str) -> Option<&mut Counted<R>> {
        self.days.get_mut(&day)?.get_mut(domain)
    }

    /// `known`: as the file has it.
    fn insert(&mut self, day: Day, domain: &str, row: R, known: Option<(u32, u64)>) -> bool {
        let bytes = serde_json::to_vec(&row).map_or(0, |row| row.len()) + OVERHEAD;
        let is_new = self.counted(day, domain).is_none();
        let is_full = self.bytes.saturating_add(bytes) > FEEDBACK_BYTES_MAX
            || is_new && (self.domains >= FEEDBACK_DOMAINS_MAX || domain.len() > NAME_BYTES_MAX);
        if is_full {
            return false;
        }
        let of_day = self.days.entry(day).or_default();
        let counted = of_day.entry(domain.to_owned()).or_insert_with(|| Counted {
            rows: HashMap::new(),
            missed: 0,
            bytes: 0,
        });
        self.domains += usize::from(is_new);
        if counted.rows.len() >= FEEDBACK_ROWS_MAX {
            return false;
        }
        // Rows only go all together: their numbers have no holes.
        let next = u32::try_from(counted.rows.len()).unwrap_or(u32::MAX);
        let (number, written) = known.unwrap_or((next, 0));
        let now = written.max(1);
        let times = Times {
            number,
            now,
            written,
        };
        counted.rows.insert(Arc::new(row), times);
        counted.bytes += bytes;
        self.bytes += bytes;
        true
    }

    /// Days before this one, the oldest first.
    pub(super) fn before(&self, day: Day) -> Vec<(Day, String)> {
        let days = self.days.range(..day);
        let each = days.flat_map(|(day, domains)| domains.keys().map(|name| (*day, name.clone())));
        each.collect()
    }

    /// With what is missing there.
    pub(super) fn rows(&self, day: Day, domain: &str) -> (Vec<(R, u64)>, u64) {
        let Some(counted) = self.days.get(&day).and_then(|domains| domains.get(domain)) else {
            return (Vec::new(), 0);
        };
        let mut rows: Vec<(&Arc<R>, &Times)> = counted.rows.iter().collect();
        rows.sort_unstable_by_key(|(_, times)| times.number);
        let rows = rows
            .into_iter()
            .map(|(row, times)| (R::clone(row), times.now));
        (rows.collect(), counted.missed)
    }

    pub(super) fn remove(&mut self, day: Day, domain: &str) {
        let Some(of_day) = self.days.get_mut(&day) else {
            return;
        };
        if let Some(counted) = of_day.remove(domain) {
            self.bytes = self.bytes.saturating_sub(counted.bytes);
            self.domains = self.domains.saturating_sub(1);
            self.gone.push((day, domain.to_owned()));
        }
        if of_day.is_empty() {
            self.days.remove(&day);
        }
    }

    /// First byte of the keys.
    pub(super) fn letter(&self) -> u8 {
        self.letter
    }

    /// From the file. What can't be read is left out.
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) {
        let read = || {
            let (day, rest) = key.get(1..)?.split_first_chunk::<4>()?;
            let (domain, number) = rest.split_last_chunk::<4>()?;
            let domain = std::str::from_utf8(domain.strip_suffix(b"\0")?).ok()?;
            let (times, row) = value.split_first_chunk::<8>()?;
            let row: R = serde_json::from_slice(row).ok()?;
            let known = (u32::from_be_bytes(*number), u64::from_be_bytes(*times));
            Some((Day::from_be_bytes(*day), domain, row, known))
        };
        if let Some((day, domain, row, known)) = read() {
            self.insert(day, domain, row, Some(known));
        }
    }

    /// What changed since the last time.
    pub(super) fn take_changes(&mut self) -> Changes<R> {
        let letter = self.letter;
        let gone = std::mem::take(&mut self.gone);
        let gone = gone.into_iter().map(|(day, domain)| {
            let first = start(letter, day, &domain);
            let mut end = first.clone();
            end.pop();
            end.push(1);
            (first, end)
        });
        let gone: Vec<Row> = gone.collect();
        let mut put = Vec::new();
        for (day, domains) in &mut self.days {
            for (domain, counted) in domains {
                let mut changes = Vec::new();
                for (row, times) in &mut counted.rows {
                    if times.now != times.written {
                        times.written = times.now;
                        changes.push((times.number, times.now, Arc::clone(row)));
                    }
                }
                if !changes.is_empty() {
                    put.push((start(letter, *day, domain), changes));
                }
            }
        }
        Changes { gone, put }
    }
}

/// How the keys of a domain and day begin.
fn start(letter: u8, day: Day, domain: &str) -> Vec<u8> {
    let mut key = vec![letter];
    key.extend_from_slice(&day.to_be_bytes());
    key.extend_from_slice(domain.as_bytes());
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<String> {
        Table::new(1)
    }

    fn rows(table: &Table<String>, day: Day, domain: &str) -> Vec<(String, u64)> {
        table.rows(day, domain).0
    }

    fn row(text: &str, times: u64) -> (String, u64) {
        (text.to_owned(), times)
    }

    #[test]
    fn alike_are_counted_together_and_read_back() {
        let mut table = table();
        for (day, domain, text) in [
            (9, "a.test", "x"),
            (9, "a.test", "y"),
            (9, "a.test", "x"),
            (9, "a.test.b", "x"),
            (10, "a.test", "x"),
        ] {
            assert!(table.count(day, domain, text.to_owned()));
        }
        assert_eq!(rows(&table, 9, "a.test"), [row("x", 2), row("y", 1)]);
        assert_eq!(table.before(10).len(), 2);
        let changes = table.take_changes();
        // Counting goes on while they are written.
        table.count(9, "a.test", "y".to_owned());
        let (gone, mut file) = changes.rows();
        assert_eq!((gone.len(), file.len()), (0, 4));
        // Only what changed since.
        let (_, changed) = table.take_changes().rows();
        assert_eq!(changed.len(), 1);
        for (key, value) in changed {
            file.retain(|(have, _)| *have != key);
            file.push((key, value));
        }
        let mut again = super::Table::<String>::new(1);
        for (key, value) in &file {
            again.restore(key, value);
        }
        assert_eq!(rows(&again, 9, "a.test"), [row("x", 2), row("y", 2)]);
        assert_eq!(rows(&again, 10, "a.test"), [row("x", 1)]);
        assert!(again.take_changes().is_empty());
        // It goes on where it was.
        again.count(9, "a.test", "z".to_owned());
        let (_, added) = again.take_changes().rows();
        assert!(file.iter().all(|(key, _)| *key != added[0].0));
        again.remove(9, "a.test");
        let (gone, _) = again.take_changes().rows();
        let [(first, end)] = gone.as_slice() else {
            panic!("{gone:?}");
        };
        let within = |key: &Vec<u8>| first <= key && key < end;
        assert_eq!(file.iter().filter(|(key, _)| within(key)).count(), 2);
        assert_eq!(rows(&again, 9, "a.test"), []);
        assert_eq!(rows(&again, 9, "a.test.b"), [row("x", 1)]);
    }

    #[test]
    fn it_stays_bounded() {
        let mut table = table();
        for number in 0..FEEDBACK_DOMAINS_MAX + 10 {
            let fits = table.count(1, &format!("{number}.test"), "x".to_owned());
            assert_eq!(fits, number < FEEDBACK_DOMAINS_MAX);
        }
        for number in 0..FEEDBACK_ROWS_MAX + 10 {
            table.count(1, "0.test", number.to_string());
        }
        let (rows, missed) = table.rows(1, "0.test");
        // "x" is one of them.
        assert_eq!((rows.len(), missed), (FEEDBACK_ROWS_MAX, 11));
        assert!(table.count(1, "0.test", "5".to_owned()));
        let long = "y".repeat(FEEDBACK_BYTES_MAX);
        assert!(!table.count(1, "1.test", long));
        for (day, domain) in table.before(2) {
            table.remove(day, &domain);
        }
        assert_eq!((table.bytes, table.domains), (0, 0));
    }
}
