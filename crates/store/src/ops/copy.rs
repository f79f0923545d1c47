//! COPY and MOVE: a new message on the same body, in the same account or in another.

use facteur_message::Facts;

use crate::keys::{self, Family};
use crate::ops::append::{NewRow, count, insert, resolve_flags, thread_of};
use crate::ops::expunge::bury;
use crate::rows::Record;
use crate::seen::{self, Eyes};
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
        let (from, to) = (Place::own(account, from), Place::own(account, to));
        self.copy_in(from, uids, to, FlagScope::ALL).await
    }

    /// As the viewer of both places, who may set the flags of `scope` at the second.
    pub async fn copy_in(
        &self,
        from: Place,
        uids: UidSet,
        to: Place,
        scope: FlagScope,
    ) -> Result<Copied, Error> {
        self.write(move |tx| {
            check_places(tx, from, to)?;
            let rows = tx.rows_in(from.account, from.mailbox, &uids)?;
            check_quota(tx, to.account, &rows)?;
            copy_rows(tx, from, &rows, to, scope)
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
        let (from, to) = (Place::own(account, from), Place::own(account, to));
        self.move_in(from, uids, to, FlagScope::ALL).await
    }

    /// The same, as the viewer of both places. Out of somebody's account it is a copy, and an expunge
    /// that can be taken back there.
    pub async fn move_in(
        &self,
        from: Place,
        uids: UidSet,
        to: Place,
        scope: FlagScope,
    ) -> Result<Copied, Error> {
        self.write(move |tx| {
            check_places(tx, from, to)?;
            if from.account == to.account {
                return move_rows(tx, from, &uids, to, scope);
            }
            let rows = tx.rows_in(from.account, from.mailbox, &uids)?;
            check_quota(tx, to.account, &rows)?;
            let copied = copy_rows(tx, from, &rows, to, scope)?;
            bury(tx, from.account, from.mailbox, &rows)?;
            Ok(copied)
        })
        .await
    }
}

fn check_places(tx: &Tx<'_>, from: Place, to: Place) -> Result<(), Error> {
    tx.state(from.account)?;
    tx.state(to.account)?;
    tx.mailbox(from.account, from.mailbox)?;
    tx.mailbox(to.account, to.mailbox)?;
    Ok(())
}

fn check_quota(tx: &Tx<'_>, account: AccountId, rows: &[Row]) -> Result<(), Error> {
    let used = tx.state(account)?.used_bytes;
    let size = rows
        .iter()
        .fold(0u64, |sum, row| sum.saturating_add(row.size));
    let quota = tx.profile(account)?.quota_bytes;
    if size > 0 && quota.is_some_and(|quota| used.saturating_add(size) > quota) {
        return Err(Error::OverQuota);
    }
    Ok(())
}

/// Copies that have their bodies in common with what they are copies of.
fn copy_rows(
    tx: &mut Tx<'_>,
    from: Place,
    rows: &[Row],
    to: Place,
    scope: FlagScope,
) -> Result<Copied, Error> {
    let source = tx.mailbox(from.account, from.mailbox)?;
    let uid_validity = tx.mailbox(to.account, to.mailbox)?.uid_validity;
    let (mut seen, mut eyes) = (Eyes::new(from), Eyes::new(to));
    let mut pairs = Vec::with_capacity(rows.len());
    for row in rows {
        let mut record = tx.record(from.account, from.mailbox, row.uid)?;
        tx.keep_blob(record.blob)?;
        if from.account != to.account {
            record.thread = thread_there(tx, to.account, &record)?;
        }
        let shown = seen.show(tx, *row)?;
        let origin = Origin {
            mailbox: &source,
            row: shown,
            owner: SystemFlags::default(),
        };
        let copied = copy_row(tx, &mut eyes, &origin, record, scope)?;
        pairs.push((row.uid, copied.uid));
    }
    eyes.write(tx)?;
    Ok(Copied {
        uid_validity,
        uids: pairs,
        modseq: tx.state(to.account)?.highest_modseq,
    })
}

/// The thread of a message that comes from another account.
fn thread_there(tx: &mut Tx<'_>, account: AccountId, record: &Record) -> Result<ThreadId, Error> {
    let keys = match Facts::decode_head(&record.facts) {
        Ok(mut facts) => {
            facts.complete(&record.prefix);
            facts.thread_keys
        }
        // Facts that can't be read link nothing.
        Err(_) => Vec::new(),
    };
    thread_of(tx, account, &keys)
}

/// What is copied.
pub struct Origin<'a> {
    pub mailbox: &'a Mailbox,
    /// As the viewer sees it.
    pub row: Row,
    /// The owner's \Seen, to be kept when the viewer is somebody else.
    pub owner: SystemFlags,
}

/// Puts a copy of a message under the next uid of another mailbox; its keywords by name, its
/// internal date kept (RFC 9051 §6.4.7), its save date now (RFC 8514).
pub fn copy_row(
    tx: &mut Tx<'_>,
    eyes: &mut Eyes,
    origin: &Origin<'_>,
    record: Record,
    scope: FlagScope,
) -> Result<Appended, Error> {
    let to = eyes.place();
    let names = scope.limit(flag_names(origin.mailbox, origin.row.flags));
    let flags = resolve_flags(tx, to.account, to.mailbox, &names)?;
    let record = Record {
        save_date: tx.now().seconds(),
        ..record
    };
    let row = NewRow {
        flags,
        owner: origin.owner,
        size: origin.row.size,
        internal_date: origin.row.internal_date,
    };
    insert(tx, eyes, &record, row)
}

pub fn flag_names(mailbox: &Mailbox, flags: Flags) -> FlagNames {
    let named = mailbox.keywords.iter().enumerate();
    let own = named.filter(|(bit, _)| (flags.keywords >> bit) & 1 == 1);
    FlagNames {
        system: flags.system,
        keywords: own.map(|(_, name)| name.clone()).collect(),
    }
}

/// Within one account: the record moves along, and what its members have seen stays seen.
pub fn move_rows(
    tx: &mut Tx<'_>,
    from: Place,
    uids: &UidSet,
    to: Place,
    scope: FlagScope,
) -> Result<Copied, Error> {
    let account = from.account;
    let source = tx.mailbox(account, from.mailbox)?;
    let uid_validity = tx.mailbox(account, to.mailbox)?.uid_validity;
    let rows = tx.rows_in(account, from.mailbox, uids)?;
    let (mut seen, mut eyes) = (Eyes::new(from), Eyes::new(to));
    let mut pairs = Vec::with_capacity(rows.len());
    for row in &rows {
        let record = tx.record(account, from.mailbox, row.uid)?;
        let shown = seen.show(tx, *row)?;
        let origin = Origin {
            mailbox: &source,
            row: shown,
            owner: row.flags.system,
        };
        let moved = copy_row(tx, &mut eyes, &origin, record, scope)?;
        pairs.push((row.uid, moved.uid));
    }
    eyes.write(tx)?;
    seen::carry(tx, account, from.mailbox, to.mailbox, &pairs, to.viewer)?;
    for row in &rows {
        tx.delete(keys::message(
            account,
            Family::Record,
            from.mailbox,
            row.uid,
        ));
    }
    take_out(tx, account, from.mailbox, &rows)?;
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
