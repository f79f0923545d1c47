//! COPY and MOVE: a new message on the same body, in the same account.

use crate::keys::{self, Family};
use crate::ops::append::{count, insert, resolve_flags};
use crate::rows::Record;
use crate::tx::Tx;
use crate::*;

impl Store {
    /// Uids that don't exist are passed over.
    pub async fn copy(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<Copied, Error> {
        self.write(move |tx| {
            let used = tx.state(account)?.used_bytes;
            let source = tx.mailbox(account, from)?;
            let uid_validity = tx.mailbox(account, to)?.uid_validity;
            let rows = tx.rows_in(account, from, &uids)?;
            let size = rows
                .iter()
                .fold(0u64, |sum, row| sum.saturating_add(row.size));
            let quota = tx.profile(account)?.quota_bytes;
            if size > 0 && quota.is_some_and(|quota| used.saturating_add(size) > quota) {
                return Err(Error::OverQuota);
            }
            let mut pairs = Vec::with_capacity(rows.len());
            for row in &rows {
                let record = tx.record(account, from, row.uid)?;
                tx.keep_blob(record.blob)?;
                let copied = copy_row(tx, account, &source, row, record, to)?;
                pairs.push((row.uid, copied.uid));
            }
            Ok(Copied {
                uid_validity,
                uids: pairs,
                modseq: tx.state(account)?.highest_modseq,
            })
        })
        .await
    }

    /// As copy and expunge in one; leaves no tombstone to restore, but a change-log entry and a vanished uid.
    pub async fn move_messages(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<Copied, Error> {
        self.write(move |tx| {
            tx.state(account)?;
            tx.mailbox(account, from)?;
            move_rows(tx, account, from, &uids, to)
        })
        .await
    }
}

/// Puts a copy of a message under the next uid of another mailbox; its keywords by name, its
/// internal date kept (RFC 9051 §6.4.7), its save date now (RFC 8514).
pub fn copy_row(
    tx: &mut Tx<'_>,
    account: AccountId,
    source: &Mailbox,
    row: &Row,
    record: Record,
    to: MailboxId,
) -> Result<Appended, Error> {
    let names = flag_names(source, row.flags);
    let flags = resolve_flags(tx, account, to, &names)?;
    let record = Record {
        save_date: tx.now().seconds(),
        ..record
    };
    insert(tx, account, to, &record, flags, row.size, row.internal_date)
}

pub fn flag_names(mailbox: &Mailbox, flags: Flags) -> FlagNames {
    let named = mailbox.keywords.iter().enumerate();
    let own = named.filter(|(bit, _)| (flags.keywords >> bit) & 1 == 1);
    FlagNames {
        system: flags.system,
        keywords: own.map(|(_, name)| name.clone()).collect(),
    }
}

pub fn move_rows(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: MailboxId,
    uids: &UidSet,
    to: MailboxId,
) -> Result<Copied, Error> {
    let source = tx.mailbox(account, from)?;
    let uid_validity = tx.mailbox(account, to)?.uid_validity;
    let rows = tx.rows_in(account, from, uids)?;
    let mut pairs = Vec::with_capacity(rows.len());
    for row in &rows {
        let record = tx.record(account, from, row.uid)?;
        let moved = copy_row(tx, account, &source, row, record, to)?;
        pairs.push((row.uid, moved.uid));
    }
    for row in &rows {
        tx.delete(keys::message(account, Family::Record, from, row.uid));
    }
    take_out(tx, account, from, &rows)?;
    Ok(Copied {
        uid_validity,
        uids: pairs,
        modseq: tx.state(account)?.highest_modseq,
    })
}

/// Removes rows from a mailbox and from all counts, and notes them as expunged. What becomes of
/// their records is the caller's business.
pub fn take_out(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    rows: &[Row],
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let modseq = tx.modseq(account)?;
    let mut source = tx.mailbox(account, mailbox)?;
    let mut state = tx.state(account)?;
    for row in rows {
        tx.delete(keys::message(account, Family::Row, mailbox, row.uid));
        count(&mut source, row, -1);
        state.messages = state.messages.saturating_sub(1);
        state.used_bytes = state.used_bytes.saturating_sub(row.size);
        tx.change(account, mailbox).expunged.push(row.uid);
    }
    source.highest_modseq = modseq;
    tx.put_mailbox(account, &source);
    tx.put_state(account, &state);
    Ok(())
}
