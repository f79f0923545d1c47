//! Retention: what was deleted long enough ago goes for good, oldest first, in bounded steps.
//!
//! The change log is the calendar: an entry names every message that its transaction expunged and
//! every mailbox that it destroyed. When an entry is past retention, what it deleted is removed,
//! then the entry itself.

use crate::keys::{self, Family, Name};
use crate::limits::CARE_ROWS_MAX;
use crate::ops::erase;
use crate::rows::{self, Grave, Record};
use crate::tx::{Tx, uid_of};
use crate::*;

/// Accounts looked at in one step.
const ACCOUNTS_MAX: usize = 1000;

impl Store {
    /// Goes on from `cursor`; true when it removed something or has not seen all accounts. At the
    /// end of a round the cursor is back at the start.
    pub(crate) async fn retention_step(&self, cursor: &mut Vec<u8>) -> Result<bool, Error> {
        if let Some(account) = self.first_erasing()? {
            return self.write(move |tx| erase::remove_rows(tx, account)).await;
        }
        let cutoff = self
            .clock()
            .now()
            .before(self.engine.shared.options.retention);
        for _ in 0..ACCOUNTS_MAX {
            let (start, end) = keys::all_accounts();
            let next = self.view()?.first((&*cursor).max(&start), &end)?;
            let Some(Name::Account(account, family, _)) =
                next.as_ref().and_then(|(key, _)| keys::parse(key))
            else {
                cursor.clear();
                return Ok(false);
            };
            if family == Family::Profile && self.account_step(account, cutoff).await? {
                return Ok(true);
            }
            *cursor = keys::whole_account(account).1;
        }
        Ok(true)
    }

    fn first_erasing(&self) -> Result<Option<AccountId>, Error> {
        let (first, end) = keys::all_erasing();
        let found = self.view()?.first(&first, &end)?;
        Ok(found.and_then(|(key, _)| match keys::parse(&key) {
            Some(Name::Erasing(account)) => Some(account),
            _ => None,
        }))
    }

    /// True when there was something to remove.
    async fn account_step(&self, account: AccountId, cutoff: Timestamp) -> Result<bool, Error> {
        let view = self.view()?;
        let profile = view.get(&keys::profile(account))?;
        let profile = rows::Profile::decode(&profile.ok_or(Error::NoSuchAccount)?)?;
        if profile.removed.is_some_and(|removed| removed <= cutoff) {
            self.write(move |tx| erase::hide(tx, account)).await?;
            return Ok(true);
        }
        let (first, end) = keys::whole_family(account, Family::Log);
        let oldest = view.first(&first, &end)?;
        let expired = match oldest {
            Some((_, value)) => rows::decode_change(&value, ModSeq(0))?.at <= cutoff,
            None => false,
        };
        if expired {
            self.write(move |tx| expire(tx, account, cutoff)).await?;
        }
        Ok(self.forget_step(account).await? || expired)
    }
}

/// Removes entries that are past retention, and what they deleted, up to a bound.
fn expire(tx: &mut Tx<'_>, account: AccountId, cutoff: Timestamp) -> Result<(), Error> {
    let mut left = CARE_ROWS_MAX;
    let mut floor = None;
    for (key, value) in tx.scan(&keys::whole_family(account, Family::Log), CARE_ROWS_MAX)? {
        let Some(Name::Account(_, _, rest)) = keys::parse(&key) else {
            continue;
        };
        let modseq = keys::modseq(rest).unwrap_or_default();
        let change = rows::decode_change(&value, modseq)?;
        if change.at > cutoff || left == 0 {
            break;
        }
        for mailbox in &change.mailboxes {
            drop_graves(tx, account, mailbox, modseq, &mut left)?;
            if mailbox.record == Some(RecordChange::Destroyed) {
                drop_buried(tx, account, mailbox.mailbox, modseq, &mut left)?;
            }
        }
        if left == 0 {
            // There may be more in this entry: it stays for the next step.
            break;
        }
        left -= 1;
        tx.delete(key);
        floor = Some(modseq);
    }
    if let Some(floor) = floor {
        let mut state = tx.state(account)?;
        state.log_floor = floor;
        tx.put_state(account, &state);
    }
    Ok(())
}

fn drop_graves(
    tx: &mut Tx<'_>,
    account: AccountId,
    change: &MailboxChange,
    modseq: ModSeq,
    left: &mut usize,
) -> Result<(), Error> {
    let mailbox = change.mailbox;
    for (first, last) in change.expunged.ranges() {
        let first = keys::message(account, Family::Tombstone, mailbox, Uid(*first));
        let last = keys::message(account, Family::Tombstone, mailbox, Uid(*last));
        for (key, value) in tx.scan(&(first, keys::after(&last)), usize::MAX)? {
            if *left == 0 {
                return Ok(());
            }
            let uid = uid_of(&key)?;
            // A message that came back and went again belongs to the later entry.
            if Grave::decode(&value, uid)?.modseq == modseq {
                tx.delete(key);
                drop_record(tx, account, mailbox, uid)?;
                *left -= 1;
            }
        }
    }
    Ok(())
}

fn drop_buried(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    modseq: ModSeq,
    left: &mut usize,
) -> Result<(), Error> {
    let Some(mut buried) = ops::mailboxes::buried(tx, account, mailbox)? else {
        return Ok(());
    };
    if buried.modseq != modseq {
        return Ok(());
    }
    let span = keys::whole_mailbox(account, Family::Row, mailbox);
    for (key, value) in tx.scan(&span, *left)? {
        let uid = uid_of(&key)?;
        let row = rows::decode_row(&value, uid)?;
        ops::append::count(&mut buried.mailbox, &row, -1);
        tx.delete(key);
        drop_record(tx, account, mailbox, uid)?;
        *left -= 1;
    }
    let key = keys::deleted_mailbox(account, mailbox);
    if *left == 0 {
        tx.put(key, buried.encode());
    } else {
        tx.delete(key);
        ops::metadata::drop_metadata(tx, account, mailbox)?;
        seen::drop_seen(tx, account, mailbox)?;
    }
    Ok(())
}

fn drop_record(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<(), Error> {
    let key = keys::message(account, Family::Record, mailbox, uid);
    let value = tx.get(&key)?.ok_or(Error::NoSuchMessage)?;
    tx.drop_blob(Record::decode(&value)?.blob)?;
    tx.delete(key);
    Ok(())
}
