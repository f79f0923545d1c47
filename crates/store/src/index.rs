//! The index: redb over the disk seam, one table of ordered byte keys, derived from the journal.
//!
//! Rows of messages share values, see [`pages`].
//!
//! It tells inside its own transaction up to which journal position it has applied. Commits
//! follow the journal's flush and are not flushed themselves; now and then one is.

mod pages;

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend,
    TableDefinition,
};

use crate::codec::{Reader, Writer};
use crate::journal::Position;
use crate::keys::Span;
use crate::limits::{DERIVED_CACHE_BYTES, INDEX_CACHE_BYTES};
use crate::tx::KeyValue;
use crate::{Disk, Error, File, keys};

pub const INDEX_FILE: &str = "index.redb";
const TEMPORARY_FILE: &str = "index.tmp";
const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");

#[derive(Debug)]
struct Backend(Arc<dyn File>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// redb's errors as ours.
pub fn failed(error: impl Into<redb::Error>) -> Error {
    let damaged = |what: String| Error::Damaged {
        place: INDEX_FILE.to_owned(),
        what,
    };
    match error.into() {
        // Not a failure of the disk: the file has other bytes, or fewer, than it should.
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            damaged(error.to_string())
        }
        redb::Error::Io(error) => Error::Disk(error),
        redb::Error::Corrupted(what) => damaged(what),
        error @ redb::Error::UpgradeRequired(_) => damaged(error.to_string()),
        other => Error::Disk(io::Error::other(other.to_string())),
    }
}

/// Runs something on an index that may be damaged: redb panics on some of what it does not expect.
pub fn guarded<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Error::Damaged {
            place: INDEX_FILE.to_owned(),
            what: "the database stumbled over it".to_owned(),
        })
    })
}

/// What a transaction does to one key: the new value, or none when it is deleted.
pub type Edit = Option<Vec<u8>>;

/// The index database.
#[derive(Debug)]
pub struct Index {
    database: Database,
}

/// A picture of the index that does not change.
#[derive(Debug)]
pub struct View {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

/// An open write transaction; dropped, it leaves nothing.
pub struct Batch {
    transaction: redb::WriteTransaction,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Batch")
    }
}

/// Whether a commit of the index waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    No,
    Yes,
}

impl Index {
    /// `None` when there is no index file.
    pub fn open(disk: &dyn Disk) -> Result<Option<Index>, Error> {
        if !disk
            .list("")
            .map_err(Error::Disk)?
            .iter()
            .any(|name| name == INDEX_FILE)
        {
            return Ok(None);
        }
        let file = disk.open(INDEX_FILE, false).map_err(Error::Disk)?;
        Ok(Some(Index::on(file, INDEX_CACHE_BYTES)?))
    }

    /// A new index that has applied everything before `position`: made under a temporary name,
    /// filled by `fill`, and put in the old one's place when it is whole.
    pub fn create(
        disk: &dyn Disk,
        fill: impl FnOnce(&Index) -> Result<Position, Error>,
    ) -> Result<Index, Error> {
        let index = Index::temporary(disk, TEMPORARY_FILE)?;
        let position = fill(&index)?;
        let mut batch = index.begin()?;
        batch.set_position(position)?;
        batch.commit(Flush::Yes)?;
        drop(index);
        let install = || -> io::Result<_> {
            disk.open(TEMPORARY_FILE, false)?.sync_data()?;
            disk.rename(TEMPORARY_FILE, INDEX_FILE)?;
            disk.sync_directory("")?;
            disk.open(INDEX_FILE, false)
        };
        Index::on(install().map_err(Error::Disk)?, INDEX_CACHE_BYTES)
    }

    /// An empty index in a file of its own, that nobody will find again.
    pub fn temporary(disk: &dyn Disk, path: &str) -> Result<Index, Error> {
        let file = disk.open(path, true).map_err(Error::Disk)?;
        file.set_len(0).map_err(Error::Disk)?;
        let index = Index::on(file, INDEX_CACHE_BYTES)?;
        let mut batch = index.begin()?;
        batch.set_position(Position::default())?;
        batch.commit(Flush::No)?;
        Ok(index)
    }

    /// A table in a file of its own, made when it is missing.
    pub fn beside(disk: &dyn Disk, path: &str) -> Result<Index, Error> {
        let file = disk.open(path, true).map_err(Error::Disk)?;
        let index = Index::on(file, DERIVED_CACHE_BYTES)?;
        // The table is there from the first view on.
        let mut batch = index.begin()?;
        batch.apply([])?;
        batch.commit(Flush::No)?;
        Ok(index)
    }

    fn on(file: Arc<dyn File>, cache_bytes: usize) -> Result<Index, Error> {
        let database = redb::Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(Backend(file))
            .map_err(failed)?;
        Ok(Index { database })
    }

    pub fn view(&self) -> Result<View, Error> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(TABLE).map_err(failed)?;
        Ok(View { table })
    }

    pub fn begin(&self) -> Result<Batch, Error> {
        let transaction = self.database.begin_write().map_err(failed)?;
        Ok(Batch { transaction })
    }

    /// Checks the checksum of every page and what the database says of its space; false: it had to
    /// be mended. Slow; no view may be alive.
    pub fn check(&mut self) -> Result<bool, Error> {
        self.database.check_integrity().map_err(failed)
    }

    /// Makes all commits until now durable.
    pub fn flush(&self) -> Result<(), Error> {
        self.begin()?.commit(Flush::Yes)
    }
}

impl Batch {
    pub fn apply<'a>(
        &mut self,
        edits: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), Error> {
        let mut table = self.transaction.open_table(TABLE).map_err(failed)?;
        let mut page: Option<PageEdits<'a>> = None;
        for (key, value) in edits {
            let place = pages::place(key);
            if let Some(open) = page.take_if(|open| !open.takes(place)) {
                open.write(&mut table)?;
            }
            match (place, value) {
                (Some((key, slot)), value) => page
                    .get_or_insert_with(|| PageEdits::new(key))
                    .edits
                    .push((slot, value)),
                (None, Some(value)) => drop(table.insert(key, value).map_err(failed)?),
                (None, None) => drop(table.remove(key).map_err(failed)?),
            }
        }
        match page {
            Some(open) => open.write(&mut table),
            None => Ok(()),
        }
    }

    pub fn set_position(&mut self, position: Position) -> Result<(), Error> {
        let mut value = Writer::version(1);
        value.u64(position.0);
        self.apply([(keys::POSITION, Some(&value.0[..]))])
    }

    pub fn commit(mut self, flush: Flush) -> Result<(), Error> {
        let durability = match flush {
            Flush::No => Durability::None,
            Flush::Yes => Durability::Immediate,
        };
        self.transaction
            .set_durability(durability)
            .map_err(|error| Error::Disk(io::Error::other(error.to_string())))?;
        self.transaction.set_quick_repair(flush == Flush::Yes);
        self.transaction.commit().map_err(failed)
    }
}

/// Edits of neighbouring rows, gathered to write their page once.
struct PageEdits<'a> {
    key: pages::Key,
    edits: Vec<(u8, Option<&'a [u8]>)>,
}

impl PageEdits<'_> {
    fn new(key: pages::Key) -> Self {
        PageEdits {
            key,
            edits: Vec::new(),
        }
    }

    /// Slots ascend within a page.
    fn takes(&self, place: Option<(pages::Key, u8)>) -> bool {
        let last = self.edits.last().map(|(slot, _)| *slot);
        place.is_some_and(|(key, slot)| key == self.key && last.is_none_or(|last| last < slot))
    }

    fn write(self, table: &mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<(), Error> {
        let key = self.key.as_slice();
        let new = match table.get(key).map_err(failed)? {
            Some(old) => pages::edited(old.value(), &self.edits)?,
            None => pages::edited(&[], &self.edits)?,
        };
        match new.is_empty() {
            true => drop(table.remove(key).map_err(failed)?),
            false => drop(table.insert(key, new.as_slice()).map_err(failed)?),
        }
        Ok(())
    }
}

impl View {
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if let Some((page, slot)) = pages::place(key) {
            let Some(page) = self.table.get(page.as_slice()).map_err(failed)? else {
                return Ok(None);
            };
            let row = pages::find(page.value(), slot)?;
            return Ok(row.map(<[u8]>::to_vec));
        }
        let value = self.table.get(key).map_err(failed)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Rows with `first <= key < end`, ascending, until `each` breaks.
    pub fn scan(
        &self,
        first: &[u8],
        end: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        if first >= end {
            return Ok(());
        }
        let (from, to) = (pages::bound(first, false), pages::bound(end, true));
        let found = self.table.range(from.as_slice()..to.as_slice());
        for found in found.map_err(failed)? {
            let (key, value) = found.map_err(failed)?;
            let Some(rows) = pages::rows(key.value(), value.value()) else {
                if each(key.value(), value.value())?.is_break() {
                    return Ok(());
                }
                continue;
            };
            for row in rows {
                let (key, value) = row?;
                let within = first <= key.as_slice() && key.as_slice() < end;
                if within && each(&key, value)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The rows of a span as an iterator, for walking over two at once.
    pub fn span(
        &self,
        (first, end): Span,
    ) -> Result<impl Iterator<Item = Result<KeyValue, Error>> + use<>, Error> {
        let (from, to) = (pages::bound(&first, false), pages::bound(&end, true));
        let found = self.table.range(from.as_slice()..to.as_slice());
        let expanded = found.map_err(failed)?.flat_map(|found| {
            let found = found.map_err(failed);
            match found.and_then(|(key, value)| expand(key.value(), value.value())) {
                Ok(rows) => rows.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        Ok(expanded.filter(move |row| match row {
            Ok((key, _)) => first <= *key && *key < end,
            Err(_) => true,
        }))
    }

    /// The next row at or after `first`, below `end`.
    pub fn first(&self, first: &[u8], end: &[u8]) -> Result<Option<KeyValue>, Error> {
        let mut found = None;
        self.scan(first, end, |key, value| {
            found = Some((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// All rows.
    pub fn rows(&self) -> Result<impl Iterator<Item = Result<KeyValue, Error>> + use<>, Error> {
        self.span((Vec::new(), vec![0xff]))
    }

    /// Up to where the journal is applied.
    pub fn position(&self) -> Result<Position, Error> {
        match self.get(keys::POSITION)? {
            None => Ok(Position::default()),
            Some(value) => {
                let mut reader = Reader::version(&value, "applied position", 1)?;
                Ok(Position(reader.u64()?))
            }
        }
    }
}

/// What one value of the table stands for.
fn expand(key: &[u8], value: &[u8]) -> Result<Vec<KeyValue>, Error> {
    match pages::rows(key, value) {
        None => Ok(vec![(key.to_vec(), value.to_vec())]),
        Some(rows) => rows
            .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
            .collect(),
    }
}
