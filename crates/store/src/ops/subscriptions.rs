//! Subscriptions (RFC 9051 §6.3.7): a mailbox has its own; a name keeps its when the mailbox is
//! deleted, and gives it to the next mailbox of that name.

use std::ops::ControlFlow;

use crate::keys::{self, Family, Name};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::ops::names;
use crate::rows;
use crate::tx::Tx;
use crate::*;

impl Store {
    /// Names that are subscribed to and have no mailbox, ascending.
    pub fn subscriptions_without_mailbox(&self, account: AccountId) -> Result<Vec<String>, Error> {
        let view = self.view()?;
        super::read::check_account(&view, account)?;
        let (first, end) = keys::whole_family(account, Family::Subscription);
        let mut found = Vec::new();
        view.scan(&first, &end, |key, _| {
            found.extend(subscribed_name(key));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Whether a name that none of the account's own mailboxes has is subscribed to.
    pub fn is_subscribed_name(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let key = keys::subscription(account, &names::normalise(name));
        Ok(self.view()?.get(&key)?.is_some())
    }

    /// Subscribes to a name that none of the account's own mailboxes has.
    ///
    /// # Errors
    /// [`Error::TooManyMailboxes`]: of such names.
    pub async fn subscribe_name(&self, account: AccountId, name: &str) -> Result<(), Error> {
        let name = names::normalise(name);
        self.write(move |tx| {
            tx.state(account)?;
            if tx.mailbox_id(account, &name)?.is_some() {
                return Err(Error::Exists);
            }
            keep(tx, account, &name)?;
            match tx.get(&keys::subscription(account, &name))? {
                Some(_) => Ok(()),
                None => Err(Error::TooManyMailboxes),
            }
        })
        .await
    }

    /// Takes the subscription from a name that has no mailbox; false: it had none.
    pub async fn unsubscribe_name(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let name = names::normalise(name);
        self.write(move |tx| {
            tx.state(account)?;
            take(tx, account, &name)
        })
        .await
    }
}

/// The mailbox of that name was deleted. An account that has too many such names already keeps
/// those.
pub fn keep(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<(), Error> {
    let span = keys::whole_family(account, Family::Subscription);
    if tx.scan(&span, SUBSCRIPTIONS_MAX)?.len() < SUBSCRIPTIONS_MAX {
        let key = keys::subscription(account, name);
        tx.put(key, rows::encode_subscription());
    }
    Ok(())
}

/// There is a mailbox of that name again, or it is not wanted any more.
pub fn take(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<bool, Error> {
    let key = keys::subscription(account, name);
    let had = tx.get(&key)?.is_some();
    if had {
        tx.delete(key);
    }
    Ok(had)
}

fn subscribed_name(key: &[u8]) -> Option<String> {
    match keys::parse(key)? {
        Name::Account(_, Family::Subscription, rest) => String::from_utf8(rest.to_vec()).ok(),
        _ => None,
    }
}
