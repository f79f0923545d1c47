//! Rows in memory, bounded, with a list of those that the file does not have yet.

use std::collections::{HashMap, HashSet};

use facteur_store::Timestamp;

/// A host, or hashes of what is remembered.
pub(super) type Key = [u8; 16];

/// What the times and the word mean is the affair of who keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) word: u32,
}

const ROW_BYTES: usize = 20;

impl Row {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ROW_BYTES);
        bytes.extend_from_slice(&self.first.0.to_be_bytes());
        bytes.extend_from_slice(&self.last.0.to_be_bytes());
        bytes.extend_from_slice(&self.word.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Row> {
        let (first, rest) = bytes.split_first_chunk::<8>()?;
        let (last, word) = rest.split_first_chunk::<8>()?;
        Some(Row {
            first: Timestamp(i64::from_be_bytes(*first)),
            last: Timestamp(i64::from_be_bytes(*last)),
            word: u32::from_be_bytes(word.try_into().ok()?),
        })
    }
}

/// What differs between tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// First byte of a key in the file.
    pub(super) letter: u8,
    pub(super) rows_max: usize,
    /// When a row says nothing any more.
    pub(super) is_over: fn(&Row, Timestamp) -> bool,
}

#[derive(Debug)]
pub(super) struct Table {
    kind: Kind,
    rows: HashMap<Key, Row>,
    changed: HashSet<Key>,
}

impl Table {
    pub(super) fn new(kind: Kind) -> Self {
        Table {
            kind,
            rows: HashMap::new(),
            changed: HashSet::new(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// From the file.
    pub(super) fn restore(&mut self, key: Key, row: Row) {
        if self.rows.len() < self.kind.rows_max {
            self.rows.insert(key, row);
        }
    }

    pub(super) fn get(&self, key: &Key, now: Timestamp) -> Option<Row> {
        let row = self.rows.get(key).copied();
        row.filter(|row| !(self.kind.is_over)(row, now))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.iter()
    }

    pub(super) fn put(&mut self, key: Key, row: Row, now: Timestamp) {
        if self.rows.len() >= self.kind.rows_max && !self.rows.contains_key(&key) {
            self.make_room(now);
        }
        self.rows.insert(key, row);
        self.changed.insert(key);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Row> {
        let row = self.rows.remove(key);
        if row.is_some() {
            self.changed.insert(*key);
        }
        row
    }

    /// What is over goes, then the half that was touched longest ago.
    fn make_room(&mut self, now: Timestamp) {
        self.retain(|_, row, kind| !(kind.is_over)(row, now));
        if self.rows.len() < self.kind.rows_max {
            return;
        }
        let mut times: Vec<Timestamp> = self.rows.values().map(|row| row.last).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.retain(|_, row, _| row.last > median);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Key, &Row, Kind) -> bool) {
        let (kind, changed) = (self.kind, &mut self.changed);
        self.rows.retain(|key, row| {
            let stays = keep(key, row, kind);
            if !stays {
                changed.insert(*key);
            }
            stays
        });
    }

    /// What the file has to learn: `None` is gone.
    pub(super) fn take_changes(&mut self) -> Vec<(Key, Option<Row>)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed
            .map(|key| (key, self.rows.get(&key).copied()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Key {
        [number; 16]
    }

    fn row(last: i64) -> Row {
        Row {
            last: Timestamp(last),
            ..Row::default()
        }
    }

    #[test]
    fn rows_read_back() {
        let row = Row {
            first: Timestamp(-5),
            last: Timestamp(i64::MAX),
            word: 7,
        };
        assert_eq!(Row::decode(&row.encode()), Some(row));
        assert_eq!(row.encode().len(), ROW_BYTES);
        assert_eq!(Row::decode(&row.encode()[1..]), None);
    }

    #[test]
    fn a_full_table_lets_go_of_what_is_over_then_of_the_older_half() {
        let mut table = Table::new(Kind {
            letter: 1,
            rows_max: 4,
            is_over: |row, now| row.last < now,
        });
        for number in 1..=4 {
            table.put(key(number), row(i64::from(number) * 10), Timestamp(0));
        }
        assert_eq!(table.get(&key(1), Timestamp(11)), None);
        table.put(key(5), row(50), Timestamp(25));
        let have = |table: &Table| {
            let mut have: Vec<u8> = table.iter().map(|(key, _)| key[0]).collect();
            have.sort_unstable();
            have
        };
        assert_eq!(have(&table), [3, 4, 5]);
        table.put(key(6), row(60), Timestamp(25));
        table.put(key(7), row(70), Timestamp(25));
        assert_eq!(have(&table), [6, 7]);
        let mut changes = table.take_changes();
        changes.sort_unstable_by_key(|(key, _)| *key);
        let gone: Vec<bool> = changes.iter().map(|(_, row)| row.is_none()).collect();
        assert_eq!(gone, [true, true, true, true, true, false, false]);
        assert!(table.take_changes().is_empty());
    }
}
