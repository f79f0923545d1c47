//! The search catalogue: what SEARCH, SORT and THREAD would otherwise read message by message, in a
//! file of its own that is derived from the store and may be thrown away at any time.
//!
//! Of every mailbox it covers the uids up to one: in segments, each of some messages that follow
//! each other, never changed but merged. A segment has columns (dates, sort criteria, links,
//! envelope texts, one value a message) and, for every three bytes that follow each other anywhere
//! in the text of a message, the messages that have them. All texts are images of
//! i;unicode-casemap. For FUZZY it has the terms of the words, with where they stand and how often.
//!
//! Exact: a column answers only what the facts would answer too; three-byte groups only name
//! candidates, which are then read. Messages above the last covered uid, and those of which
//! something was too large to take in, are read as if there were no catalogue.

mod cleaner;
mod columns;
mod directory;
mod grams;
mod indexer;
mod lookup;
mod segment;
mod sink;
mod terms;
#[cfg(test)]
mod tests;
mod words;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use facteur_store::{AccountId, Derived, Error, MailboxId, Store};

use crate::context::Context;

pub(super) use columns::Envelope;
pub use indexer::run;
pub(super) use lookup::Reader;
pub(super) use sink::terms_of;
pub(super) use words::{Fields, MessageTerms, Seen, is_near, of_query as words_of};

/// The format is part of the name: another one begins empty.
const FILE: &str = "search-5.redb";
/// Of formats before this one.
const FORMER_FILES: [&str; 4] = [
    "search-1.redb",
    "search-2.redb",
    "search-3.redb",
    "search-4.redb",
];

/// The catalogue of all accounts.
#[derive(Debug)]
pub struct Catalog {
    store: Store,
    file: Mutex<Option<Arc<Derived>>>,
    /// Held by whoever writes.
    work: Mutex<()>,
    /// Accounts to begin anew.
    rebuild: Mutex<Vec<AccountId>>,
    rebuild_asked: tokio::sync::Notify,
    /// Commands under way that read many messages.
    readers: AtomicUsize,
}

/// A command that reads many messages: the indexer makes way for it.
#[derive(Debug)]
pub(super) struct Reads(Arc<Context>);

impl Reads {
    pub(super) fn begin(ctx: &Arc<Context>) -> Self {
        ctx.catalog.readers.fetch_add(1, Ordering::Relaxed);
        Reads(Arc::clone(ctx))
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.0.catalog.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Catalog {
    /// Opens nothing yet.
    pub fn new(store: Store) -> Self {
        Catalog {
            store,
            file: Mutex::new(None),
            work: Mutex::new(()),
            rebuild: Mutex::new(Vec::new()),
            rebuild_asked: tokio::sync::Notify::new(),
            readers: AtomicUsize::new(0),
        }
    }

    fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Throws away what is known of accounts; an indexer that runs begins anew. Blocking.
    pub fn rebuild(&self, accounts: &[AccountId]) -> Result<(), Error> {
        let spans: Vec<_> = accounts.iter().copied().map(directory::account).collect();
        let file = self.open()?;
        {
            let _work = lock(&self.work);
            file.apply(&spans, &[])?;
        }
        lock(&self.rebuild).extend_from_slice(accounts);
        self.rebuild_asked.notify_one();
        Ok(())
    }

    /// Lets go of everything of an account that is no more, at once. Blocking.
    pub fn forget(&self, account: AccountId) -> Result<(), Error> {
        let file = self.open()?;
        let _work = lock(&self.work);
        file.apply(&[directory::account(account)], &[])
    }

    /// Takes in everything that is missing and lets go of everything that is gone; blocking, as
    /// long as it takes.
    pub fn catch_up(&self) -> Result<(), Error> {
        for account in cleaner::forget_erased(self)? {
            indexer::catch_up(self, account)?;
            cleaner::clean_all(self, account)?;
        }
        Ok(())
    }

    /// Blocking.
    fn open(&self) -> Result<Arc<Derived>, Error> {
        let mut file = lock(&self.file);
        if let Some(file) = &*file {
            return Ok(Arc::clone(file));
        }
        for former in FORMER_FILES {
            self.store.remove_derived(former)?;
        }
        let opened = Arc::new(self.store.derived(FILE)?);
        *file = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// What is known of a mailbox; `None`: nothing. Blocking. Never fails: without a catalogue the
    /// messages are read.
    pub(super) fn reader(&self, account: AccountId, mailbox: MailboxId) -> Option<Reader> {
        let file = lock(&self.file);
        let file = file.clone()?;
        let read = || Reader::open(&file, account, mailbox);
        match read() {
            Ok(reader) => reader,
            Err(error) => {
                tracing::warn!(%error, "the search catalogue can't be read");
                None
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
