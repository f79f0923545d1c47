//! Taking the INBOX at login: the lock and the picture of the messages.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use facteur_pop3::{Entry, Maildrop, Outcome};
use facteur_store::{AccountId, MailboxId, Store};

use super::Driver;
use crate::drive::{Stream, blocking};

/// The accounts whose maildrop a session holds.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    held: Arc<Mutex<HashSet<AccountId>>>,
}

/// A maildrop taken; given back when dropped.
#[derive(Debug)]
pub struct Held {
    locks: Locks,
    account: AccountId,
}

impl Locks {
    /// `None`: another session has it.
    fn take(&self, account: AccountId) -> Option<Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(account).then(|| Held {
            locks: self.clone(),
            account,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self
            .locks
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.account);
    }
}

impl<S: Stream> Driver<S> {
    pub(super) async fn open(&mut self) -> Outcome {
        let ctx = self.wire.context();
        let Some(account) = self.identity.as_ref().map(|identity| identity.account) else {
            return Outcome::Failed;
        };
        let Some(held) = ctx.pop3.take(account) else {
            return Outcome::InUse;
        };
        let store = ctx.store.clone();
        match blocking(move || picture(&store, account)).await {
            Ok((inbox, maildrop)) => {
                self.held = Some(held);
                self.inbox = Some(inbox);
                Outcome::Opened(maildrop)
            }
            Err(error) => {
                tracing::error!(session = %self.wire.peer().session, %error, "the inbox can't be read");
                Outcome::Failed
            }
        }
    }
}

fn picture(
    store: &Store,
    account: AccountId,
) -> Result<(MailboxId, Maildrop), facteur_store::Error> {
    let inbox = store
        .mailbox_by_name(account, "INBOX")?
        .ok_or(facteur_store::Error::NoSuchMailbox)?;
    let index = store.index(account, inbox.id)?;
    let entries = index
        .rows()
        .map(|row| Entry {
            size: row.size,
            uid: row.uid.0,
        })
        .collect();
    Ok((
        inbox.id,
        Maildrop::new(index.mailbox().uid_validity, entries),
    ))
}
