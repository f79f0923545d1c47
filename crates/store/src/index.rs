//! The index: redb over the disk seam, one table of ordered byte keys, derived from the journal.
//!
//! Rows of messages share values, see [`pages`].
//!
//! The file tells inside its own transaction up to which journal position it has applied. What
//! came after is in memory ([`memtable`]) and goes into the file together, now and then
//! ([`Layered`]).

mod layered;
mod memtable;
mod overlay;
mod pages;
mod view;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use crate::codec::Writer;
use crate::journal::Position;
use crate::limits::{DERIVED_CACHE_BYTES, INDEX_CACHE_BYTES, SWEEP_STEP_PAGES};
use crate::sweep::{Sweep, Sweeps};
use crate::{Disk, Error, File, keys};

pub use layered::{Layered, Merger};
pub use overlay::Overlay;
pub use view::View;

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
        Ok(View::new(table))
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
            if let Some(sweep) = Sweep::from_redo(key, value)? {
                lay(&mut table, &Sweeps::from_iter([Arc::new(sweep)]))?;
                continue;
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

    /// Writes sweeps into the rows that they count for.
    pub fn lay(&mut self, sweeps: &Sweeps) -> Result<(), Error> {
        let mut table = self.transaction.open_table(TABLE).map_err(failed)?;
        lay(&mut table, sweeps)
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

type Table<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

fn lay(table: &mut Table<'_>, sweeps: &Sweeps) -> Result<(), Error> {
    for ((account, mailbox), uids) in sweeps.ranges() {
        for (first, end) in pages::spans(account, mailbox, &uids) {
            let mut from = first;
            while let Some(last) = lay_step(table, (&from, &end), sweeps)? {
                from = last;
                from.push(0);
            }
        }
    }
    Ok(())
}

/// Does some pages of a span; gives the last one, or nothing at the end.
fn lay_step(
    table: &mut Table<'_>,
    (first, end): (&[u8], &[u8]),
    sweeps: &Sweeps,
) -> Result<Option<Vec<u8>>, Error> {
    let mut last = None;
    let mut swept = Vec::new();
    let found = table.range(first..end).map_err(failed)?;
    for found in found.take(SWEEP_STEP_PAGES) {
        let (key, page) = found.map_err(failed)?;
        if let Some(page) = pages::swept(key.value(), page.value(), sweeps)? {
            swept.push((key.value().to_vec(), page));
        }
        last = Some(key.value().to_vec());
    }
    for (key, page) in swept {
        table
            .insert(key.as_slice(), page.as_slice())
            .map_err(failed)?;
    }
    Ok(last)
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

    fn write(self, table: &mut Table<'_>) -> Result<(), Error> {
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
