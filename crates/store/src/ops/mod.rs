//! The store's operations, each one transaction.

pub mod accounts;
pub mod append;
pub mod changes;
pub mod copy;
pub mod directory;
pub mod erase;
pub mod expunge;
pub mod flags;
pub mod mailboxes;
pub mod metadata;
pub mod names;
pub mod queue;
pub mod read;
pub mod rights;
pub mod subscriptions;

use crate::Store;
use crate::index::View;
use crate::*;

impl Store {
    /// A picture of the index, when the store is open.
    pub(crate) fn view(&self) -> Result<View, Error> {
        self.engine.shared.check_open()?;
        self.engine.shared.index.view()
    }
}
