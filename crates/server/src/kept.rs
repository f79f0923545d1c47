//! What memory answers and a derived file beside the index keeps over a restart: read by who asks first,
//! written now and then. A lost file begins anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

use facteur_store::{Error, Store};

/// The tables, and what their file has to learn.
pub(crate) trait Keep: Sized {
    type Changes;

    /// A file that can't be read is begun anew. Blocking.
    fn open(store: &Store) -> Self;

    /// `None`: there is nothing to write.
    fn take_changes(&mut self) -> Option<Self::Changes>;

    /// Makes them durable. Blocking.
    fn write(changes: Self::Changes) -> Result<(), Error>;
}

#[derive(Debug)]
pub(crate) struct Kept<K> {
    store: Store,
    keep: Mutex<Option<K>>,
}

impl<K: Keep> Kept<K> {
    /// Opens nothing yet.
    pub(crate) fn new(store: Store) -> Self {
        Kept {
            store,
            keep: Mutex::new(None),
        }
    }

    /// Reads the file; until then the first who asks does. Blocking.
    pub(crate) fn load(&self) {
        self.with(|_| ());
    }

    /// Writes what changed and makes it durable; nobody waits for that. Blocking.
    pub(crate) fn save(&self) -> Result<(), Error> {
        let changes = self.lock().as_mut().and_then(K::take_changes);
        changes.map_or(Ok(()), K::write)
    }

    /// Work on what is kept.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut K) -> T) -> T {
        work(self.lock().get_or_insert_with(|| K::open(&self.store)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<K>> {
        self.keep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
