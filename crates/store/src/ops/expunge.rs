//! Expunging, and bringing back what was expunged.

use std::ops::ControlFlow;

use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::ops::copy::{Origin, copy_row, take_out};
use crate::ops::mailboxes::buried;
use crate::ops::names;
use crate::rows::{self, Buried, Grave, Record};
use crate::seen::{self, Eyes};
use crate::tx::{Tx, uid_of};
use crate::*;

impl Store {
    /// `uids: None`: all. Only messages with \Deleted when `only_deleted`. Gives the uids that went.
    pub async fn expunge(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<UidSet>,
        only_deleted: bool,
    ) -> Result<(UidSet, ModSeq), Error> {
        self.write(move |tx| {
            tx.state(account)?;
            tx.mailbox(account, mailbox)?;
            let uids = uids.unwrap_or_else(|| UidSet::from_ranges([(1, u32::MAX)]));
            let mut rows = tx.rows_in(account, mailbox, &uids)?;
            if only_deleted {
                rows.retain(|row| row.flags.system.contains(SystemFlags::DELETED));
            }
            let modseq = bury(tx, account, mailbox, &rows)?;
            Ok((rows.iter().map(|row| row.uid).collect(), modseq))
        })
        .await
    }

    pub fn tombstones(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Vec<Tombstone>, Error> {
        let view = self.view()?;
        super::read::check_account(&view, account)?;
        let mut found = Vec::new();
        graves(&view, account, mailbox, &mut found)?;
        buried_messages(&view, account, mailbox, &mut found)?;
        Ok(found)
    }

    /// Back into its mailbox (INBOX when that is gone) under a new uid, \Deleted removed.
    pub async fn restore(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: UidSet,
    ) -> Result<Vec<Appended>, Error> {
        self.write(move |tx| {
            tx.state(account)?;
            let live = match tx.mailbox(account, mailbox) {
                Ok(mailbox) => Some(mailbox),
                Err(Error::NoSuchMailbox) => None,
                Err(error) => return Err(error),
            };
            let buried = match live {
                Some(_) => None,
                None => buried(tx, account, mailbox)?,
            };
            let home = match &live {
                Some(mailbox) => mailbox.id,
                None => tx
                    .mailbox_id(account, names::INBOX)?
                    .ok_or(Error::NoSuchMailbox)?,
            };
            let rows = dig_up(tx, account, mailbox, &uids, buried.as_ref())?;
            let source = live.or(buried.map(|buried| buried.mailbox));
            let mut back = Vec::with_capacity(rows.len());
            let mut pairs = Vec::with_capacity(rows.len());
            for mut row in rows {
                let record = tx.record(account, mailbox, row.uid)?;
                tx.delete(keys::message(account, Family::Record, mailbox, row.uid));
                row.flags.system.0 &= !SystemFlags::DELETED.0;
                // A mailbox that is gone for good took the names of its keywords along.
                let source = source.clone().unwrap_or(tx.mailbox(account, home)?);
                let mut eyes = Eyes::new(Place::own(account, home));
                let origin = Origin {
                    mailbox: &source,
                    row,
                    owner: row.flags.system,
                };
                let copied = copy_row(tx, &mut eyes, &origin, record, FlagScope::ALL)?;
                pairs.push((row.uid, copied.uid));
                back.push(copied);
            }
            seen::carry(tx, account, mailbox, home, &pairs, account)?;
            Ok(back)
        })
        .await
    }
}

/// Takes messages out of their mailbox and keeps them for a while.
pub fn bury(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    rows: &[Row],
) -> Result<ModSeq, Error> {
    take_out(tx, account, mailbox, rows)?;
    let modseq = tx.state(account)?.highest_modseq;
    for row in rows {
        let key = keys::message(account, Family::Tombstone, mailbox, row.uid);
        let grave = Grave {
            row: *row,
            modseq,
            at: tx.now(),
        };
        tx.put(key, grave.encode());
    }
    Ok(modseq)
}

/// Takes expunged messages of the set out of their graves, or out of their deleted mailbox;
/// ascending uid.
fn dig_up(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    uids: &UidSet,
    buried: Option<&Buried>,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for (first, last) in uids.ranges() {
        let first = keys::message(account, Family::Tombstone, mailbox, Uid(*first));
        let last = keys::message(account, Family::Tombstone, mailbox, Uid(*last));
        for (key, value) in tx.scan(&(first, keys::after(&last)), usize::MAX)? {
            rows.push(Grave::decode(&value, uid_of(&key)?)?.row);
            tx.delete(key);
        }
    }
    if let Some(buried) = buried {
        let mut rest = buried.clone();
        for row in tx.rows_in(account, mailbox, uids)? {
            tx.delete(keys::message(account, Family::Row, mailbox, row.uid));
            super::append::count(&mut rest.mailbox, &row, -1);
            rows.push(row);
        }
        tx.put(keys::deleted_mailbox(account, mailbox), rest.encode());
    }
    rows.sort_by_key(|row| row.uid);
    Ok(rows)
}

fn record(view: &View, account: AccountId, mailbox: MailboxId, uid: Uid) -> Result<Record, Error> {
    let value = view.get(&keys::message(account, Family::Record, mailbox, uid))?;
    Record::decode(&value.ok_or(Error::NoSuchMessage)?)
}

/// The name of a mailbox, live or deleted.
fn name_of(view: &View, account: AccountId, mailbox: MailboxId) -> Result<String, Error> {
    if let Some(value) = view.get(&keys::mailbox(account, mailbox))? {
        return Ok(rows::decode_mailbox(&value, mailbox)?.name);
    }
    match view.get(&keys::deleted_mailbox(account, mailbox))? {
        Some(value) => Ok(Buried::decode(&value, mailbox)?.mailbox.name),
        None => Ok(String::new()),
    }
}

/// Messages that were expunged one by one.
fn graves(
    view: &View,
    account: AccountId,
    wanted: Option<MailboxId>,
    found: &mut Vec<Tombstone>,
) -> Result<(), Error> {
    let (first, end) = match wanted {
        Some(mailbox) => keys::whole_mailbox(account, Family::Tombstone, mailbox),
        None => keys::whole_family(account, Family::Tombstone),
    };
    let mut last_name = None;
    view.scan(&first, &end, |key, value| {
        let Some(Name::Account(_, _, rest)) = keys::parse(key) else {
            return Ok(ControlFlow::Break(()));
        };
        let Some((mailbox, uid)) = keys::mailbox_and_uid(rest) else {
            return Ok(ControlFlow::Continue(()));
        };
        let name = match last_name.take() {
            Some((id, name)) if id == mailbox => name,
            _ => name_of(view, account, mailbox)?,
        };
        let grave = Grave::decode(value, uid)?;
        found.push(Tombstone {
            message: record(view, account, mailbox, uid)?.message(grave.row),
            mailbox,
            mailbox_name: name.clone(),
            expunged: grave.modseq,
            at: grave.at,
        });
        last_name = Some((mailbox, name));
        Ok(ControlFlow::Continue(()))
    })
}

/// Messages that went with their mailbox.
fn buried_messages(
    view: &View,
    account: AccountId,
    wanted: Option<MailboxId>,
    found: &mut Vec<Tombstone>,
) -> Result<(), Error> {
    let (first, end) = keys::whole_family(account, Family::DeletedMailbox);
    let mut mailboxes = Vec::new();
    view.scan(&first, &end, |key, value| {
        if let Some(Name::Account(_, _, rest)) = keys::parse(key)
            && let Some(id) = keys::mailbox_id(rest)
            && wanted.is_none_or(|wanted| wanted == id)
        {
            mailboxes.push(Buried::decode(value, id)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for buried in mailboxes {
        let id = buried.mailbox.id;
        let (first, end) = keys::whole_mailbox(account, Family::Row, id);
        view.scan(&first, &end, |key, value| {
            let row = rows::decode_row(value, uid_of(key)?)?;
            found.push(Tombstone {
                message: record(view, account, id, row.uid)?.message(row),
                mailbox: id,
                mailbox_name: buried.mailbox.name.clone(),
                expunged: buried.modseq,
                at: buried.at,
            });
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}
