//! Rows that the index's file does not have yet, in memory, each with the groups that wrote it: a
//! view sees what was published when it was opened, whatever is written meanwhile.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::Edit;
use crate::limits::{MEMTABLE_STEP_ROWS, ROW_OVERHEAD_BYTES, SWEEP_ROW_BYTES};
use crate::sweep::{Sweep, Sweeps};
use crate::tx::Edits;

/// Groups count up from the opening of the store; 0 is what the file has.
pub type GroupNumber = u64;

#[derive(Debug, Default)]
pub struct Memtable {
    rows: RwLock<BTreeMap<Vec<u8>, Versions>>,
    sweeps: RwLock<Vec<(GroupNumber, Arc<Sweep>)>>,
    bytes: AtomicUsize,
}

/// What became of one key. Old versions stay as long as the memtable does.
#[derive(Debug)]
struct Versions {
    group: GroupNumber,
    newest: Edit,
    /// Ascending.
    older: Vec<(GroupNumber, Edit)>,
}

impl Versions {
    fn new(group: GroupNumber, edit: Edit) -> Self {
        Versions {
            group,
            newest: edit,
            older: Vec::new(),
        }
    }

    fn at(&self, group: GroupNumber) -> Option<&Edit> {
        if self.group <= group {
            return Some(&self.newest);
        }
        let end = self.older.partition_point(|(number, _)| *number <= group);
        let (_, edit) = self.older.get(end.checked_sub(1)?)?;
        Some(edit)
    }
}

impl Memtable {
    /// Memory that the rows take, about.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Takes the edits of a group that is not published yet. Readers get their turn in between.
    pub fn stage(&self, group: GroupNumber, edits: Edits) {
        let Edits {
            rows: edits,
            sweeps,
        } = edits;
        let rows: usize = edits.iter().map(row_bytes).sum();
        let bytes = rows + sweeps.iter().map(sweep_bytes).sum::<usize>();
        self.keep(group, &sweeps);
        if self.is_empty() {
            // Built in one go, and not where a reader could wait for it: nobody else writes.
            let rows = edits.into_iter();
            let rows = rows.map(|(key, edit)| (key, Versions::new(group, edit)));
            let rows = rows.collect();
            *self.rows.write().unwrap_or_else(PoisonError::into_inner) = rows;
        } else {
            self.add(group, edits);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn keep(&self, group: GroupNumber, new: &Sweeps) {
        if !new.is_empty() {
            let mut sweeps = self.sweeps.write().unwrap_or_else(PoisonError::into_inner);
            sweeps.extend(new.iter().map(|sweep| (group, sweep.clone())));
        }
    }

    /// Those of the group and of those before.
    pub fn sweeps(&self, group: GroupNumber) -> Vec<Arc<Sweep>> {
        let sweeps = self.sweeps.read().unwrap_or_else(PoisonError::into_inner);
        let published = sweeps.iter().take_while(|(number, _)| *number <= group);
        published.map(|(_, sweep)| sweep.clone()).collect()
    }

    fn add(&self, group: GroupNumber, edits: BTreeMap<Vec<u8>, Edit>) {
        let mut edits = edits.into_iter().peekable();
        while edits.peek().is_some() {
            let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
            for (key, edit) in edits.by_ref().take(MEMTABLE_STEP_ROWS) {
                put(&mut rows, group, key, edit);
            }
        }
    }

    pub fn get(&self, key: &[u8], group: GroupNumber) -> Option<Edit> {
        self.read().get(key)?.at(group).cloned()
    }

    /// The newest version of each row, ascending, when nothing is staged any more.
    pub fn each_newest<T>(
        &self,
        run: impl for<'a> FnOnce(&mut dyn Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> T,
    ) -> T {
        let rows = self.read();
        let mut newest = rows
            .iter()
            .map(|(key, versions)| (key.as_slice(), versions.newest.as_deref()));
        run(&mut newest)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Versions>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row_bytes((key, edit): (&Vec<u8>, &Edit)) -> usize {
    ROW_OVERHEAD_BYTES + key.len() + edit.as_ref().map_or(0, Vec::len)
}

fn sweep_bytes(sweep: &Arc<Sweep>) -> usize {
    let rows = usize::try_from(sweep.uids.span()).unwrap_or(usize::MAX);
    rows.saturating_mul(SWEEP_ROW_BYTES)
        .saturating_add(ROW_OVERHEAD_BYTES)
}

fn put(rows: &mut BTreeMap<Vec<u8>, Versions>, group: GroupNumber, key: Vec<u8>, edit: Edit) {
    match rows.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(Versions::new(group, edit));
        }
        Entry::Occupied(mut entry) => {
            let versions = entry.get_mut();
            let before = std::mem::replace(&mut versions.newest, edit);
            versions.older.push((versions.group, before));
            versions.group = group;
        }
    }
}

/// Memtables as a view sees them.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// The newest first.
    tables: Vec<Arc<Memtable>>,
    group: GroupNumber,
    pub sweeps: Sweeps,
}

impl Recent {
    pub fn new(tables: impl IntoIterator<Item = Arc<Memtable>>, group: GroupNumber) -> Self {
        let tables = tables.into_iter().filter(|table| !table.is_empty());
        let tables: Vec<Arc<Memtable>> = tables.collect();
        let sweeps = tables.iter().rev();
        Recent {
            sweeps: sweeps.flat_map(|table| table.sweeps(group)).collect(),
            tables,
            group,
        }
    }

    pub fn get(&self, key: &[u8]) -> Option<Edit> {
        let mut tables = self.tables.iter();
        tables.find_map(|table| table.get(key, self.group))
    }

    /// The edits of `first <= key < end`, ascending.
    pub fn range(&self, first: &[u8], end: &[u8]) -> RecentRows {
        let cursor = |table: &Arc<Memtable>| Cursor {
            table: table.clone(),
            group: self.group,
            from: Bound::Included(first.to_vec()),
            end: end.to_vec(),
            read: Vec::new().into_iter(),
            rows_max: 1,
        };
        let cursors = self.tables.iter().map(cursor);
        RecentRows(cursors.map(Iterator::peekable).collect())
    }
}

/// The edits of several memtables side by side; for a key in several the newest counts.
#[derive(Debug)]
pub struct RecentRows(Vec<Peekable<Cursor>>);

impl Iterator for RecentRows {
    type Item = (Vec<u8>, Edit);

    fn next(&mut self) -> Option<Self::Item> {
        let keys = self.0.iter_mut().filter_map(|cursor| cursor.peek());
        let least = keys.map(|(key, _)| key).min()?.clone();
        let mut found = None;
        for cursor in &mut self.0 {
            let row = cursor.next_if(|(key, _)| *key == least);
            found = found.or(row);
        }
        found
    }
}

/// Reads a memtable in short pieces, so that nobody waits for whoever walks over it.
#[derive(Debug)]
struct Cursor {
    table: Arc<Memtable>,
    group: GroupNumber,
    from: Bound<Vec<u8>>,
    end: Vec<u8>,
    read: std::vec::IntoIter<(Vec<u8>, Edit)>,
    /// Grows from one: who looks for a first row does not copy many.
    rows_max: usize,
}

impl Iterator for Cursor {
    type Item = (Vec<u8>, Edit);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.read.next() {
                return Some(row);
            }
            self.read = self.refill()?.into_iter();
        }
    }
}

impl Cursor {
    /// The next rows; `None` at the end.
    /// Those that are passed over count too: the lock is held for a bounded number.
    fn refill(&mut self) -> Option<Vec<(Vec<u8>, Edit)>> {
        let from = match &self.from {
            Bound::Included(key) => Bound::Included(key.as_slice()),
            Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
            Bound::Unbounded => return None,
        };
        let rows = self.table.read();
        let range = rows.range::<[u8], _>((from, Bound::Excluded(self.end.as_slice())));
        let (mut read, mut walked, mut last) = (Vec::new(), 0, None);
        for (key, versions) in range.take(self.rows_max) {
            let edit = versions.at(self.group);
            read.extend(edit.map(|edit| (key.clone(), edit.clone())));
            (walked, last) = (walked + 1, Some(key));
        }
        let from = match last {
            Some(key) if walked == self.rows_max => Bound::Excluded(key.clone()),
            _ => Bound::Unbounded,
        };
        drop(rows);
        self.from = from;
        self.rows_max = (self.rows_max * 4).min(MEMTABLE_STEP_ROWS);
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits<const N: usize>(rows: [(&str, Option<&str>); N]) -> Edits {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let rows = rows.into_iter();
        rows.map(|(key, value)| (bytes(key), value.map(bytes)))
            .collect()
    }

    fn seen(recent: &Recent, first: &str, end: &str) -> Vec<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let rows = recent.range(first.as_bytes(), end.as_bytes());
        rows.map(|(key, edit)| (text(key), edit.map(text)))
            .collect()
    }

    #[test]
    fn a_view_sees_its_group_and_those_before() {
        let table = Arc::new(Memtable::default());
        table.stage(1, edits([("a", Some("1")), ("b", Some("1"))]));
        table.stage(2, edits([("a", Some("2")), ("c", Some("2"))]));
        table.stage(3, edits([("a", None), ("b", Some("3"))]));
        let at = |group| Recent::new([table.clone()], group);
        assert_eq!(at(0).get(b"a"), None);
        assert_eq!(at(1).get(b"a"), Some(Some(b"1".to_vec())));
        assert_eq!(at(2).get(b"a"), Some(Some(b"2".to_vec())));
        assert_eq!(at(3).get(b"a"), Some(None));
        assert_eq!(at(1).get(b"c"), None);
        let two = [("a", "2"), ("b", "1"), ("c", "2")];
        let two = two.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
        assert_eq!(seen(&at(2), "a", "d"), two);
        assert_eq!(seen(&at(2), "b", "c"), two[1..2]);
        assert_eq!(seen(&at(0), "a", "d"), []);
    }

    #[test]
    fn the_newest_memtable_wins() {
        let (old, new) = (Arc::new(Memtable::default()), Arc::new(Memtable::default()));
        let many = |value: &str, step: usize| -> Edits {
            let numbers = (0..5000).step_by(step);
            numbers
                .map(|n| (format!("{n:05}").into_bytes(), Some(value.into())))
                .collect()
        };
        old.stage(1, many("old", 2));
        new.stage(2, many("new", 3));
        let recent = Recent::new([new, old], 2);
        let rows = seen(&recent, "00000", "05000");
        let expected = (0..5000).filter(|n| n % 2 == 0 || n % 3 == 0).map(|n| {
            let value = if n % 3 == 0 { "new" } else { "old" };
            (format!("{n:05}"), Some(value.to_owned()))
        });
        assert!(rows.into_iter().eq(expected));
    }
}
