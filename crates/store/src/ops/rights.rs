//! Rights of others in an account's mailboxes (RFC 4314), and who shares something with whom.
//!
//! A row in the owner's account for every mailbox and grantee, and one more by grantee and owner;
//! both sides change together.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::limits::{RIGHTS_MAX, RIGHTS_OF_A_MAILBOX_MAX};
use crate::rows::{self, Profile};
use crate::seen;
use crate::tx::Tx;
use crate::*;

/// Stands for the account's whole tree.
const TREE: MailboxId = MailboxId(0);

impl Store {
    /// Changes what somebody may do in a mailbox, or with `None` in an account's whole tree.
    ///
    /// # Errors
    /// [`Error::InUse`]: the owner has every right, always. [`Error::NoSuchAccount`]: also when
    /// there is no such grantee. [`Error::TooManyRights`].
    pub async fn edit_rights(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        grantee: Grantee,
        edit: RightsEdit,
        by: Rights,
    ) -> Result<(), Error> {
        self.write(move |tx| {
            tx.state(account)?;
            if let Some(mailbox) = mailbox {
                tx.mailbox(account, mailbox)?;
            }
            match grantee {
                Grantee::Account(grantee) if grantee == account => return Err(Error::InUse),
                Grantee::Account(grantee) => drop(tx.profile(grantee)?),
                Grantee::Anyone => {}
            }
            let mailbox = mailbox.unwrap_or(TREE);
            let key = keys::right(account, mailbox, grantee);
            let old = rights_at(tx.get(&key)?)?;
            let new = edit.apply(old, by);
            if old == new {
                return Ok(());
            }
            put(tx, account, mailbox, grantee, new)?;
            let has_rights = !new.is_empty() || grantees(tx, account)?.contains(&grantee);
            share(tx, account, grantee, has_rights)?;
            tx.record_change(account, mailbox, RecordChange::Updated)?;
            // The other one's sessions learn that there is something new to see, or no more.
            if let Grantee::Account(grantee) = grantee {
                tx.record_change(grantee, TREE, RecordChange::Updated)?;
            }
            Ok(())
        })
        .await
    }

    /// All that somebody has in an account goes, and these in its whole tree come instead.
    ///
    /// # Errors
    /// As [`Store::edit_rights`].
    pub async fn replace_rights(
        &self,
        account: AccountId,
        grantee: AccountId,
        in_tree: Rights,
    ) -> Result<(), Error> {
        self.write(move |tx| {
            tx.state(account)?;
            if grantee == account {
                return Err(Error::InUse);
            }
            tx.profile(grantee)?;
            let who = Grantee::Account(grantee);
            for (mailbox, other) in all(tx, account)? {
                if other == who {
                    tx.delete(keys::right(account, mailbox, who));
                }
            }
            put(tx, account, TREE, who, in_tree)?;
            share(tx, account, who, !in_tree.is_empty())?;
            tx.record_change(account, TREE, RecordChange::Updated)?;
            tx.record_change(grantee, TREE, RecordChange::Updated)?;
            Ok(())
        })
        .await
    }

    /// What one row gives somebody, in a mailbox or with `None` in the whole tree.
    pub fn granted(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        grantee: Grantee,
    ) -> Result<Rights, Error> {
        let key = keys::right(account, mailbox.unwrap_or(TREE), grantee);
        rights_at(self.view()?.get(&key)?)
    }

    /// What somebody may do in a mailbox that is there: all that is given to him, to anyone, or in
    /// the whole tree.
    pub fn rights(&self, place: Place) -> Result<Rights, Error> {
        if place.is_own() {
            return Ok(Rights::ALL);
        }
        let view = self.view()?;
        if !is_present(&view, place.account)? {
            return Ok(Rights::NONE);
        }
        let mut rights = Rights::NONE;
        for mailbox in [TREE, place.mailbox] {
            for grantee in [Grantee::Account(place.viewer), Grantee::Anyone] {
                let key = keys::right(place.account, mailbox, grantee);
                rights = rights.and(rights_at(view.get(&key)?)?);
            }
        }
        Ok(rights.without(Rights::SEND_AS))
    }

    /// All that an account's owner gave to others, by mailbox.
    pub fn grants(&self, account: AccountId) -> Result<Vec<Grant>, Error> {
        let view = self.view()?;
        super::read::check_account(&view, account)?;
        let (first, end) = keys::whole_family(account, Family::Right);
        let mut found = Vec::new();
        view.scan(&first, &end, |key, value| {
            if let Some((mailbox, grantee)) = right_key(key) {
                found.push(Grant {
                    mailbox: (mailbox != TREE).then_some(mailbox),
                    grantee,
                    rights: rows::decode_rights(value)?,
                });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Accounts that share something with somebody, or with anyone; ascending.
    pub fn shares(&self, viewer: AccountId) -> Result<Vec<AccountId>, Error> {
        shares(
            &self.view()?,
            viewer,
            &[Grantee::Account(viewer), Grantee::Anyone],
        )
    }

    /// Those of [`Store::shares`] that name somebody, and not only anyone.
    pub fn shares_by_name(&self, viewer: AccountId) -> Result<Vec<AccountId>, Error> {
        shares(&self.view()?, viewer, &[Grantee::Account(viewer)])
    }
}

fn shares(view: &View, viewer: AccountId, grantees: &[Grantee]) -> Result<Vec<AccountId>, Error> {
    let mut owners = Vec::new();
    for grantee in grantees {
        let (first, end) = keys::shares_with(*grantee);
        view.scan(&first, &end, |key, value| {
            if let Some(Name::Share(_, owner)) = keys::parse(key)
                && rows::decode_share(value)?
                && owner != viewer
            {
                owners.push(owner);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    owners.sort_unstable();
    owners.dedup();
    let mut present = Vec::with_capacity(owners.len());
    for owner in owners {
        if is_present(view, owner)? {
            present.push(owner);
        }
    }
    Ok(present)
}

/// There and not removed.
fn is_present(view: &View, account: AccountId) -> Result<bool, Error> {
    let profile = view.get(&keys::profile(account))?;
    let profile = profile.map(|value| Profile::decode(&value)).transpose()?;
    Ok(profile.is_some_and(|profile| profile.removed.is_none()))
}

fn rights_at(value: Option<Vec<u8>>) -> Result<Rights, Error> {
    match value {
        Some(value) => rows::decode_rights(&value),
        None => Ok(Rights::NONE),
    }
}

fn right_key(key: &[u8]) -> Option<(MailboxId, Grantee)> {
    match keys::parse(key)? {
        Name::Account(_, Family::Right, rest) => keys::mailbox_and_grantee(rest),
        _ => None,
    }
}

fn put(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    grantee: Grantee,
    rights: Rights,
) -> Result<(), Error> {
    let key = keys::right(account, mailbox, grantee);
    if rights.is_empty() {
        tx.delete(key);
        return Ok(());
    }
    if tx.get(&key)?.is_none() {
        check_room(tx, account, mailbox, 1)?;
    }
    tx.put(key, rows::encode_rights(rights));
    Ok(())
}

/// For so many new rows of one mailbox; looked at once for all of them.
fn check_room(
    tx: &Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    more: usize,
) -> Result<(), Error> {
    let count =
        |span, max: usize| -> Result<bool, Error> { Ok(tx.scan(&span, max)?.len() + more <= max) };
    let of_mailbox = keys::whole_mailbox(account, Family::Right, mailbox);
    let of_account = keys::whole_family(account, Family::Right);
    // A whole tree is a group's members: the administrator bounds them.
    let fits = mailbox == TREE || count(of_mailbox, RIGHTS_OF_A_MAILBOX_MAX)?;
    match fits && count(of_account, RIGHTS_MAX)? {
        true => Ok(()),
        false => Err(Error::TooManyRights),
    }
}

fn all(tx: &Tx<'_>, account: AccountId) -> Result<Vec<(MailboxId, Grantee)>, Error> {
    let span = keys::whole_family(account, Family::Right);
    let rows = tx.scan(&span, usize::MAX)?;
    Ok(rows.iter().filter_map(|(key, _)| right_key(key)).collect())
}

/// Everybody who has rights in something of an account.
fn grantees(tx: &Tx<'_>, account: AccountId) -> Result<BTreeSet<Grantee>, Error> {
    let rows = all(tx, account)?.into_iter();
    Ok(rows.map(|(_, grantee)| grantee).collect())
}

/// Makes the other side true.
fn share(
    tx: &mut Tx<'_>,
    account: AccountId,
    grantee: Grantee,
    has_rights: bool,
) -> Result<(), Error> {
    let key = keys::share(grantee, account);
    if has_rights || tx.get(&key)?.is_some() {
        tx.put(key, rows::encode_share(has_rights));
    }
    Ok(())
}

/// A new mailbox begins with the rights in the one above it (RFC 4314 §4).
pub fn inherit(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    id: MailboxId,
) -> Result<(), Error> {
    let Some((parent, _)) = name.rsplit_once(super::names::SEPARATOR) else {
        return Ok(());
    };
    let Some(parent) = tx.mailbox_id(account, parent)? else {
        return Ok(());
    };
    let span = keys::whole_mailbox(account, Family::Right, parent);
    let given = tx.scan(&span, usize::MAX)?;
    if given.is_empty() {
        return Ok(());
    }
    check_room(tx, account, id, given.len())?;
    // Who is named in them shares something already.
    for (key, value) in given {
        if let Some((_, grantee)) = right_key(&key) {
            tx.put(keys::right(account, id, grantee), value);
        }
    }
    Ok(())
}

/// The mailbox was deleted.
pub fn drop_rights(tx: &mut Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<(), Error> {
    let span = keys::whole_mailbox(account, Family::Right, mailbox);
    let mut dropped = Vec::new();
    for (key, _) in tx.scan(&span, usize::MAX)? {
        dropped.extend(right_key(&key).map(|(_, grantee)| grantee));
        tx.delete(key);
    }
    if dropped.is_empty() {
        return Ok(());
    }
    let left = grantees(tx, account)?;
    for grantee in dropped {
        share(tx, account, grantee, left.contains(&grantee))?;
    }
    Ok(())
}

/// The account is gone: what it gave, and what others gave it.
pub fn drop_shares(tx: &mut Tx<'_>, gone: AccountId) -> Result<(), Error> {
    for (key, value) in tx.scan(&keys::all_shares(), usize::MAX)? {
        let Some(Name::Share(grantee, owner)) = keys::parse(&key) else {
            continue;
        };
        if owner == gone {
            tx.delete(key);
            // Their sessions learn that it is no more.
            if let (Grantee::Account(grantee), true) = (grantee, rows::decode_share(&value)?) {
                tx.record_change(grantee, TREE, RecordChange::Updated)?;
            }
        } else if grantee == Grantee::Account(gone) {
            tx.delete(key);
            for (mailbox, other) in all(tx, owner)? {
                if other == grantee {
                    tx.delete(keys::right(owner, mailbox, grantee));
                }
            }
            seen::drop_member(tx, owner, gone)?;
        }
    }
    Ok(())
}
