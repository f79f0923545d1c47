//! STATUS (RFC 9051 §6.3.11, RFC 8438, RFC 7889, RFC 8474 §4.3); LIST's RETURN (STATUS …) uses it too.

use facteur_imap::command::{Status, StatusItem};
use facteur_imap::response::{StatusData, StatusValue};
use facteur_imap::{Untagged, text};
use facteur_store::{Error, Mailbox, SystemFlags, Uid};

use super::error::Failure;
use super::link::Link;
use super::{Handled, User, done, object_id};
use crate::drive::Stream;

pub(super) fn status<S: Stream>(link: &mut Link<S>, user: &mut User, request: Status) -> Handled {
    let mailbox = link
        .store()
        .mailbox_by_name(user.account, request.mailbox.as_str())?
        .ok_or(Error::NoSuchMailbox)?;
    respond(link, user, &mailbox, &request.items)?;
    done(text::STATUS_DONE)
}

pub(super) fn respond<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    mailbox: &Mailbox,
    items: &[StatusItem],
) -> Result<(), Failure> {
    let id = object_id::mailbox_id(user.account, mailbox.id);
    let values = items
        .iter()
        .map(|item| value(link, user, mailbox, &id, *item))
        .collect::<Result<Vec<_>, _>>()?;
    link.session.respond(&Untagged::Status(&StatusData {
        mailbox: &mailbox.name,
        values: &values,
    }));
    Ok(())
}

fn value<'a, S: Stream>(
    link: &Link<S>,
    user: &User,
    mailbox: &Mailbox,
    id: &'a str,
    item: StatusItem,
) -> Result<StatusValue<'a>, Failure> {
    Ok(match item {
        StatusItem::Messages => StatusValue::Messages(mailbox.messages),
        StatusItem::Recent => StatusValue::Recent(0),
        StatusItem::UidNext => StatusValue::UidNext(mailbox.uid_next.0),
        StatusItem::UidValidity => StatusValue::UidValidity(mailbox.uid_validity),
        StatusItem::Unseen => StatusValue::Unseen(mailbox.unseen),
        StatusItem::Deleted => StatusValue::Deleted(mailbox.deleted),
        StatusItem::Size => StatusValue::Size(mailbox.size),
        StatusItem::HighestModSeq => StatusValue::HighestModSeq(mailbox.highest_modseq.0.max(1)),
        StatusItem::DeletedStorage => {
            StatusValue::DeletedStorage(deleted_bytes(link, user, mailbox)?.div_ceil(1024))
        }
        StatusItem::AppendLimit => {
            StatusValue::AppendLimit(Some(link.ctx().config.message_bytes_max))
        }
        StatusItem::MailboxId => StatusValue::MailboxId(id),
    })
}

/// RFC 9208 §4.1.4: what an EXPUNGE would free.
fn deleted_bytes<S: Stream>(
    link: &Link<S>,
    user: &User,
    mailbox: &Mailbox,
) -> Result<u64, Failure> {
    if mailbox.deleted == 0 {
        return Ok(0);
    }
    let index = link.store().index(user.account, mailbox.id)?;
    let rows = index.range(Uid(1), Uid(u32::MAX));
    Ok(rows
        .filter(|row| row.flags.system.contains(SystemFlags::DELETED))
        .map(|row| row.size)
        .sum())
}
