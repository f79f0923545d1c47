//! A file of ordered byte keys beside the index, for what others derive from the store's content:
//! search. It is no part of the truth: damaged or missing, it begins empty, and after a crash it is
//! as it was some commits ago.

use std::ops::ControlFlow;

use crate::index::{self, Flush, Index, View};
use crate::keys::Span;
use crate::*;

/// An open file of derived rows; one at a time for each name. No key begins with a letter: those
/// are the index's own (`keys.rs`).
#[derive(Debug)]
pub struct Derived {
    index: Index,
}

/// A picture that does not change.
#[derive(Debug)]
pub struct DerivedView {
    view: View,
}

impl Store {
    /// Opens it; blocking. What can't be read is begun anew.
    pub fn derived(&self, file: &str) -> Result<Derived, Error> {
        let disk = &*self.engine.shared.disk;
        let open = index::guarded(|| Index::beside(disk, file));
        let index = match open {
            Err(Error::Damaged { what, .. }) => {
                tracing::warn!(file, what, "a derived file is damaged and begins anew");
                disk.remove(file).map_err(Error::Disk)?;
                Index::beside(disk, file)?
            }
            index => index?,
        };
        Ok(Derived { index })
    }

    /// Removes a derived file that nobody has open, if it is there; blocking.
    pub fn remove_derived(&self, file: &str) -> Result<(), Error> {
        let disk = &*self.engine.shared.disk;
        let files = disk.list("").map_err(Error::Disk)?;
        match files.iter().any(|there| there == file) {
            true => disk.remove(file).map_err(Error::Disk),
            false => Ok(()),
        }
    }
}

impl Derived {
    pub fn view(&self) -> Result<DerivedView, Error> {
        let view = self.index.view()?;
        Ok(DerivedView { view })
    }

    /// Removes spans, then puts rows; all or nothing.
    pub fn apply(&self, remove: &[Span], put: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Error> {
        let view = self.index.view()?;
        let mut removed = Vec::new();
        for (first, end) in remove {
            view.scan(first, end, |key, _| {
                removed.push(key.to_vec());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let mut batch = self.index.begin()?;
        batch.apply(removed.iter().map(|key| (key.as_slice(), None)))?;
        let put = put.iter();
        batch.apply(put.map(|(key, value)| (key.as_slice(), Some(value.as_slice()))))?;
        batch.commit(Flush::No)
    }

    /// Makes all until now durable.
    pub fn flush(&self) -> Result<(), Error> {
        self.index.flush()
    }
}

impl DerivedView {
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.view.get(key)
    }

    /// Rows with `first <= key < end`, ascending, until `each` breaks.
    pub fn scan(
        &self,
        first: &[u8],
        end: &[u8],
        each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        self.view.scan(first, end, each)
    }
}
