//! Making, renaming, deleting and bringing back mailboxes.

use std::ops::ControlFlow;

use crate::keys::{self, Family, Name};
use crate::ops::accounts::add_mailbox;
use crate::ops::copy::move_rows;
use crate::ops::names::{self, INBOX, SEPARATOR};
use crate::ops::subscriptions;
use crate::rows::{self, Buried};
use crate::tx::{Tx, uid_of};
use crate::*;

impl Store {
    /// Makes missing parents too.
    pub async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, Error> {
        let name = names::normalise(name);
        self.write(move |tx| {
            tx.state(account)?;
            names::check(&name)?;
            if tx.mailbox_id(account, &name)?.is_some() {
                return Err(Error::Exists);
            }
            create_in(tx, account, &name, special_use)
        })
        .await
    }

    /// Children move along; renaming INBOX moves its messages and leaves it empty (RFC 9051 §6.3.6).
    pub async fn rename_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        name: &str,
    ) -> Result<(), Error> {
        let name = names::normalise(name);
        self.write(move |tx| {
            tx.state(account)?;
            let old = tx.mailbox(account, mailbox)?.name;
            names::check(&name)?;
            let children = format!("{old}{SEPARATOR}");
            if old != INBOX && name.starts_with(&children) {
                return Err(Error::BadName);
            }
            if tx.mailbox_id(account, &name)?.is_some() {
                return Err(Error::Exists);
            }
            add_missing_parents(tx, account, &name)?;
            if old == INBOX {
                let new = add_mailbox(tx, account, &name, None)?;
                let all = UidSet::from_ranges([(1, u32::MAX)]);
                let (from, to) = (Place::own(account, mailbox), Place::own(account, new));
                return move_rows(tx, from, &all, to, FlagScope::ALL).map(drop);
            }
            rename_tree(tx, account, mailbox, &children, &name)
        })
        .await
    }

    pub async fn edit_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        edit: MailboxEdit,
    ) -> Result<(), Error> {
        self.write(move |tx| {
            tx.state(account)?;
            let before = tx.mailbox(account, mailbox)?;
            let special_use = edit.special_use.unwrap_or(before.special_use);
            if let Some(special_use) = special_use
                && before.special_use != Some(special_use)
            {
                take_special_use(tx, account, special_use)?;
            }
            let after = Mailbox {
                subscribed: edit.subscribed.unwrap_or(before.subscribed),
                special_use,
                ..before.clone()
            };
            if after != before {
                tx.record_change(account, mailbox, RecordChange::Updated)?;
                tx.put_mailbox(account, &after);
            }
            Ok(())
        })
        .await
    }

    /// Its messages become tombstones. INBOX: [`Error::InUse`]. Children stay (their parent shows as \NonExistent).
    pub async fn delete_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<(), Error> {
        self.write(move |tx| {
            let mut state = tx.state(account)?;
            let gone = tx.mailbox(account, mailbox)?;
            if gone.name == INBOX {
                return Err(Error::InUse);
            }
            state.mailboxes = state.mailboxes.saturating_sub(1);
            state.messages = state.messages.saturating_sub(u64::from(gone.messages));
            state.used_bytes = state.used_bytes.saturating_sub(gone.size);
            tx.put_state(account, &state);
            let modseq = tx.record_change(account, mailbox, RecordChange::Destroyed)?;
            let span = keys::whole_mailbox(account, Family::Row, mailbox);
            let mut expunged = UidSet::default();
            for (key, _) in tx.scan(&span, usize::MAX)? {
                expunged.push(uid_of(&key)?);
            }
            tx.change(account, mailbox).expunged = expunged;
            tx.delete(keys::name(account, &gone.name));
            tx.delete(keys::mailbox(account, mailbox));
            // RFC 4314 §4: with it go the rights in it.
            super::rights::drop_rights(tx, account, mailbox)?;
            if gone.subscribed {
                subscriptions::keep(tx, account, &gone.name)?;
            }
            // Its rows and records stay where they are: nothing else finds them.
            let buried = Buried {
                mailbox: gone,
                modseq,
                at: tx.now(),
            };
            tx.put(keys::deleted_mailbox(account, mailbox), buried.encode());
            Ok(())
        })
        .await
    }

    pub fn deleted_mailboxes(&self, account: AccountId) -> Result<Vec<DeletedMailbox>, Error> {
        let view = self.view()?;
        super::read::check_account(&view, account)?;
        let (first, end) = keys::whole_family(account, Family::DeletedMailbox);
        let mut found = Vec::new();
        view.scan(&first, &end, |key, value| {
            if let Some(Name::Account(_, _, rest)) = keys::parse(key)
                && let Some(id) = keys::mailbox_id(rest)
            {
                let buried = Buried::decode(value, id)?;
                found.push(DeletedMailbox {
                    id,
                    name: buried.mailbox.name,
                    messages: buried.mailbox.messages,
                    at: buried.at,
                });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Brings it back with its messages, same uids and uidvalidity; the name is taken: a number is added.
    pub async fn restore_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<String, Error> {
        self.write(move |tx| {
            let mut state = tx.state(account)?;
            let buried = buried(tx, account, mailbox)?.ok_or(Error::NoSuchMailbox)?;
            let mut back = buried.mailbox;
            back.name = free_name(tx, account, &back.name)?;
            state.mailboxes += 1;
            state.messages += u64::from(back.messages);
            state.used_bytes += back.size;
            tx.put_state(account, &state);
            add_missing_parents(tx, account, &back.name)?;
            let modseq = tx.record_change(account, mailbox, RecordChange::Created)?;
            let all = UidSet::from_ranges([(1, u32::MAX)]);
            for mut row in tx.rows_in(account, mailbox, &all)? {
                row.modseq = modseq;
                tx.put_row(account, mailbox, &row);
                tx.change(account, mailbox).added.push(row.uid);
            }
            back.highest_modseq = modseq;
            if let Some(special_use) = back.special_use
                && all_mailboxes(tx, account)?
                    .iter()
                    .any(|other| other.special_use == Some(special_use))
            {
                back.special_use = None;
            }
            tx.delete(keys::deleted_mailbox(account, mailbox));
            let name = keys::name(account, &back.name);
            tx.put(name, rows::encode_mailbox_id(mailbox));
            back.subscribed |= subscriptions::take(tx, account, &back.name)?;
            tx.put_mailbox(account, &back);
            Ok(back.name)
        })
        .await
    }
}

pub fn buried(
    tx: &Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<Option<Buried>, Error> {
    let value = tx.get(&keys::deleted_mailbox(account, mailbox))?;
    value
        .map(|value| Buried::decode(&value, mailbox))
        .transpose()
}

fn all_mailboxes(tx: &Tx<'_>, account: AccountId) -> Result<Vec<Mailbox>, Error> {
    let span = keys::whole_family(account, Family::Mailbox);
    let mut mailboxes = Vec::new();
    for (key, value) in tx.scan(&span, usize::MAX)? {
        if let Some(Name::Account(_, _, rest)) = keys::parse(&key)
            && let Some(id) = keys::mailbox_id(rest)
        {
            mailboxes.push(rows::decode_mailbox(&value, id)?);
        }
    }
    Ok(mailboxes)
}

/// A good name that no mailbox has.
pub fn create_in(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
) -> Result<MailboxId, Error> {
    add_missing_parents(tx, account, name)?;
    if let Some(special_use) = special_use {
        take_special_use(tx, account, special_use)?;
    }
    add_mailbox(tx, account, name, special_use)
}

fn add_missing_parents(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<(), Error> {
    for parent in names::parents(name) {
        if tx.mailbox_id(account, parent)?.is_none() {
            add_mailbox(tx, account, parent, None)?;
        }
    }
    Ok(())
}

/// A special use belongs to one mailbox: the others lose it.
fn take_special_use(
    tx: &mut Tx<'_>,
    account: AccountId,
    special_use: SpecialUse,
) -> Result<(), Error> {
    for mut mailbox in all_mailboxes(tx, account)? {
        if mailbox.special_use == Some(special_use) {
            mailbox.special_use = None;
            tx.record_change(account, mailbox.id, RecordChange::Updated)?;
            tx.put_mailbox(account, &mailbox);
        }
    }
    Ok(())
}

fn rename_tree(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    children: &str,
    name: &str,
) -> Result<(), Error> {
    let mut tree = Vec::new();
    for child in all_mailboxes(tx, account)? {
        if child.id == mailbox {
            tree.push((child, name.to_owned()));
        } else if let Some(rest) = child.name.strip_prefix(children) {
            let new = format!("{name}{SEPARATOR}{rest}");
            names::check(&new)?;
            tree.push((child, new));
        }
    }
    for (_, new) in &tree {
        if tx.mailbox_id(account, new)?.is_some() {
            return Err(Error::Exists);
        }
    }
    for (mut child, new) in tree {
        tx.delete(keys::name(account, &child.name));
        tx.put(keys::name(account, &new), rows::encode_mailbox_id(child.id));
        child.subscribed |= subscriptions::take(tx, account, &new)?;
        child.name = new;
        tx.record_change(account, child.id, RecordChange::Updated)?;
        tx.put_mailbox(account, &child);
    }
    Ok(())
}

fn free_name(tx: &Tx<'_>, account: AccountId, name: &str) -> Result<String, Error> {
    let mut candidate = name.to_owned();
    let mut number = 2u32;
    while tx.mailbox_id(account, &candidate)?.is_some() {
        candidate = format!("{name} {number}");
        number = number.checked_add(1).ok_or(Error::Exists)?;
    }
    Ok(candidate)
}
