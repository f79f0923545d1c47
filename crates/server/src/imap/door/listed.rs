//! What of others is listed for a user.
//!
//! All of a group that one may see; of another person what is given to the user by name. What a
//! person gives to anyone is listed for who is subscribed to it or asks for that person's mailboxes:
//! else each user could fill everybody's list.

use facteur_store::{AccountId, AccountKind, Error, Grantee, Rights, Store};

use super::handle::Handle;
use super::source::Source;
use super::{Door, OTHERS, SEPARATOR};
use crate::groups::prefix;
use crate::imap::limits::LISTED_OF_ANOTHER_MAX;

/// Names that a command asks for, or what they begin with.
#[derive(Clone, Copy, Debug)]
pub(in crate::imap) struct Asked<'a>(pub(in crate::imap) &'a [&'a str]);

impl Asked<'_> {
    /// Whether a name is in the tree that `prefix` (with its separator) is in front of.
    fn names(&self, prefix: &str) -> bool {
        let tree = prefix.strip_suffix(SEPARATOR).unwrap_or(prefix);
        let mut names = self.0.iter();
        names.any(|name| *name == tree || name.starts_with(prefix))
    }
}

impl Door {
    /// All that is listed: one's own, then what others share.
    pub(in crate::imap) fn mailboxes(
        &self,
        store: &Store,
        asked: Asked<'_>,
    ) -> Result<Vec<Handle>, Error> {
        let own = store.mailboxes(self.account)?.into_iter();
        let mut found: Vec<Handle> = own.map(|record| self.own(record)).collect();
        for owner in self.owners(store, asked)? {
            found.extend(self.shared_by(store, owner, asked)?);
        }
        Ok(found)
    }

    /// News of the user's own account.
    pub(in crate::imap) fn own_source(&self, store: &Store) -> Source {
        Source::new(store, self.account, self.account)
    }

    /// News of all accounts of which something may be listed.
    pub(in crate::imap) fn other_sources(
        &self,
        store: &Store,
        asked: Asked<'_>,
    ) -> Result<Vec<Source>, Error> {
        let owners = self.owners(store, asked)?.into_iter();
        Ok(owners
            .map(|owner| Source::new(store, owner, self.account))
            .collect())
    }

    /// Others of whom something may be listed.
    fn owners(&self, store: &Store, asked: Asked<'_>) -> Result<Vec<AccountId>, Error> {
        let by_name = store.shares_by_name(self.account)?;
        let kept = self.kept_names(store)?;
        let mut owners = Vec::new();
        for owner in store.shares(self.account)? {
            if by_name.binary_search(&owner).is_ok() {
                owners.push(owner);
            } else if let Some(account) = store.account(owner)? {
                let prefix = prefix(&account);
                if account.kind == AccountKind::Group
                    || asked.names(&prefix)
                    || kept.iter().any(|name| name.starts_with(&prefix))
                {
                    owners.push(owner);
                }
            }
        }
        Ok(owners)
    }

    /// Mailboxes of another account that are listed for this user.
    pub(super) fn shared_by(
        &self,
        store: &Store,
        owner: AccountId,
        asked: Asked<'_>,
    ) -> Result<Vec<Handle>, Error> {
        let mut found = Vec::new();
        let Some(account) = store.account(owner)? else {
            return Ok(found);
        };
        let prefix = prefix(&account);
        let bounded = account.kind == AccountKind::Person && !asked.names(&prefix);
        for record in store.mailboxes(owner)? {
            let Some(handle) = self.others(store, owner, &prefix, record)? else {
                continue;
            };
            let room = !bounded || handle.record.subscribed || found.len() < LISTED_OF_ANOTHER_MAX;
            if room && self.is_listed(store, &handle, asked)? {
                found.push(handle);
            }
        }
        Ok(found)
    }

    /// Whether a mailbox is listed for this user in answer to a command.
    pub(in crate::imap) fn is_listed(
        &self,
        store: &Store,
        handle: &Handle,
        asked: Asked<'_>,
    ) -> Result<bool, Error> {
        if handle.is_own() {
            return Ok(true);
        }
        if !handle.may(Rights::LOOKUP) {
            return Ok(false);
        }
        let name = handle.name();
        let own_name = name.splitn(3, SEPARATOR).nth(2).unwrap_or_default();
        let prefix = name.strip_suffix(own_name).unwrap_or(name);
        if !name.starts_with(OTHERS) || handle.record.subscribed || asked.names(prefix) {
            return Ok(true);
        }
        let (owner, who) = (handle.place.account, Grantee::Account(self.account));
        let rights = store.granted(owner, Some(handle.place.mailbox), who)?;
        Ok(rights.contains(Rights::LOOKUP))
    }
}
