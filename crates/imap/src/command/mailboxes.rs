//! SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS, quota: RFC 9051 §6.3,
//! RFC 6154, RFC 7162 §3.2.5, RFC 9208.

use super::mailbox::{mailbox, new_mailbox};
use super::{
    Command, Create, Numbering, Qresync, Rename, Request, Select, SpecialUse, Status, StatusItem,
};
use crate::cursor::{Cursor, Fault, Parse};
use crate::set::{SequenceSet, SetNumber};

pub(super) fn select(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    opening(cursor, false)
}

pub(super) fn examine(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    opening(cursor, true)
}

fn opening(cursor: &mut Cursor<'_>, read_only: bool) -> Parse<Command> {
    cursor.space()?;
    let mut select = Select {
        mailbox: mailbox(cursor)?,
        read_only,
        condstore: false,
        qresync: None,
    };
    if cursor.end().is_err() {
        cursor.space()?;
        cursor.list(2, |cursor| {
            if cursor.skip_word("CONDSTORE") {
                select.condstore = true;
            } else if cursor.skip_word("QRESYNC") && select.qresync.is_none() {
                cursor.space()?;
                select.qresync = Some(qresync(cursor)?);
            } else {
                return Err(Fault::Arguments);
            }
            Ok(())
        })?;
    }
    Ok(Command::Run(Request::Select(select)))
}

/// RFC 7162 §7 `select-param` of QRESYNC.
fn qresync(cursor: &mut Cursor<'_>) -> Parse<Qresync> {
    cursor.expect(b'(')?;
    let uid_validity = cursor.number_nonzero()?;
    cursor.space()?;
    let modseq = cursor.modseq()?;
    let mut known_uids = None;
    let mut sequence_match = None;
    if cursor.skip(b' ') {
        if cursor.peek() != Some(b'(') {
            known_uids = Some(known(cursor)?);
        }
        if known_uids.is_none() || cursor.skip(b' ') {
            cursor.expect(b'(')?;
            let sequences = known(cursor)?;
            cursor.space()?;
            let uids = known(cursor)?;
            cursor.expect(b')')?;
            sequence_match = Some((sequences, uids));
        }
    }
    cursor.expect(b')')?;
    Ok(Qresync {
        uid_validity,
        modseq,
        known_uids,
        sequence_match,
    })
}

/// `known-uids`: no `*`, no `$`.
fn known(cursor: &mut Cursor<'_>) -> Parse<SequenceSet> {
    let set = cursor.sequence_set()?;
    let plain = |number: &SetNumber| matches!(number, SetNumber::Number(_));
    match &set {
        SequenceSet::Ranges(ranges) if ranges.iter().all(|(a, b)| plain(a) && plain(b)) => Ok(set),
        _ => Err(Fault::Arguments),
    }
}

pub(super) fn create(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let mailbox = new_mailbox(cursor)?;
    let mut special_use = Vec::new();
    if cursor.end().is_err() {
        cursor.space()?;
        cursor.expect(b'(')?;
        if !cursor.skip_word("USE ") {
            return Err(Fault::Arguments);
        }
        special_use = cursor.list(SPECIAL_USES.len(), |cursor| {
            let name = cursor.word()?;
            SPECIAL_USES
                .iter()
                .find(|(_, spelt)| name.eq_ignore_ascii_case(spelt))
                .map(|(special_use, _)| *special_use)
                .ok_or(Fault::SpecialUse)
        })?;
        cursor.expect(b')')?;
    }
    Ok(Command::Run(Request::Create(Create {
        mailbox,
        special_use,
    })))
}

/// RFC 6154 §2, RFC 8457.
pub(crate) const SPECIAL_USES: [(SpecialUse, &str); 8] = [
    (SpecialUse::All, "\\All"),
    (SpecialUse::Archive, "\\Archive"),
    (SpecialUse::Drafts, "\\Drafts"),
    (SpecialUse::Flagged, "\\Flagged"),
    (SpecialUse::Junk, "\\Junk"),
    (SpecialUse::Sent, "\\Sent"),
    (SpecialUse::Trash, "\\Trash"),
    (SpecialUse::Important, "\\Important"),
];

pub(super) fn delete(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::Delete(mailbox(cursor)?)))
}

pub(super) fn rename(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let from = mailbox(cursor)?;
    cursor.space()?;
    let to = new_mailbox(cursor)?;
    Ok(Command::Run(Request::Rename(Rename { from, to })))
}

pub(super) fn subscribe(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::Subscribe(mailbox(cursor)?)))
}

pub(super) fn unsubscribe(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::Unsubscribe(mailbox(cursor)?)))
}

pub(super) fn status(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    let items = status_items(cursor)?;
    Ok(Command::Run(Request::Status(Status { mailbox, items })))
}

/// Distinct, in the order written.
pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Parse<Vec<StatusItem>> {
    let mut items = Vec::new();
    cursor.list(STATUS_ITEMS.len() * 2, |cursor| {
        let name = cursor.word()?;
        let (item, _) = STATUS_ITEMS
            .iter()
            .find(|(_, spelt)| name == *spelt)
            .ok_or(Fault::Arguments)?;
        if !items.contains(item) {
            items.push(*item);
        }
        Ok(())
    })?;
    if items.is_empty() {
        return Err(Fault::Arguments);
    }
    Ok(items)
}

pub(crate) const STATUS_ITEMS: [(StatusItem, &str); 11] = [
    (StatusItem::Messages, "MESSAGES"),
    (StatusItem::Recent, "RECENT"),
    (StatusItem::UidNext, "UIDNEXT"),
    (StatusItem::UidValidity, "UIDVALIDITY"),
    (StatusItem::Unseen, "UNSEEN"),
    (StatusItem::Deleted, "DELETED"),
    (StatusItem::Size, "SIZE"),
    (StatusItem::HighestModSeq, "HIGHESTMODSEQ"),
    (StatusItem::DeletedStorage, "DELETED-STORAGE"),
    (StatusItem::AppendLimit, "APPENDLIMIT"),
    (StatusItem::MailboxId, "MAILBOXID"),
];

pub(super) fn get_quota(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::GetQuota(cursor.astring_utf8()?)))
}

pub(super) fn get_quota_root(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::GetQuotaRoot(mailbox(cursor)?)))
}
