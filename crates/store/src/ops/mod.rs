//! The store's operations, each one transaction.

pub mod accounts;
pub mod append;
pub mod changes;
pub mod copy;
pub mod directory;
pub mod erase;
pub mod expunge;
pub mod flags;
pub mod forwards;
pub mod mailboxes;
pub mod metadata;
pub mod names;
pub mod programs;
pub mod queue;
pub mod read;
pub mod reported;
pub mod rights;
pub mod scripts;
pub mod sent;
pub mod signing;
pub mod sts;
pub mod subscriptions;

use std::sync::PoisonError;

use crate::Store;
use crate::index::View;
use crate::*;

impl Store {
    /// A picture of the index, when the store is open.
    pub(crate) fn view(&self) -> Result<View, Error> {
        self.engine.shared.check_open()?;
        Ok(self.engine.shared.index.view())
    }

    /// A picture that is not ahead of what [`Store::index`] shows from then on: whoever hears of a
    /// change must find it there, for he will not hear of it again.
    pub(crate) fn settled_view(&self) -> Result<View, Error> {
        let gate = self.engine.shared.cache.gate.read();
        let _gate = gate.unwrap_or_else(PoisonError::into_inner);
        self.view()
    }
}
