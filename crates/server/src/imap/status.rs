//! STATUS (RFC 9051 §6.3.11, RFC 8438, RFC 7889, RFC 8474 §4.3); LIST's RETURN (STATUS …) uses it too.

use facteur_imap::command::{Status, StatusItem};
use facteur_imap::response::{StatusData, StatusValue};
use facteur_imap::{Untagged, text};
use facteur_store::{Mailbox, SystemFlags, Uid};

use super::door::{Handle, Reading};
use super::error::Failure;
use super::link::Link;
use super::{Handled, User, done};
use crate::drive::Stream;

pub(super) fn status<S: Stream>(link: &mut Link<S>, user: &mut User, request: Status) -> Handled {
    let mailbox = user.door.open(link.store(), request.mailbox.as_str())?;
    respond(link, &mailbox, &request.items)?;
    done(text::STATUS_DONE)
}

pub(super) fn respond<S: Stream>(
    link: &mut Link<S>,
    mailbox: &Handle,
    items: &[StatusItem],
) -> Result<(), Failure> {
    let reading = mailbox.read()?;
    let id = mailbox.object_id();
    let values = items
        .iter()
        .map(|item| value(link, reading, mailbox, &id, *item))
        .collect::<Result<Vec<_>, _>>()?;
    link.session.respond(&Untagged::Status(&StatusData {
        mailbox: mailbox.name(),
        values: &values,
    }));
    Ok(())
}

fn value<'a, S: Stream>(
    link: &Link<S>,
    reading: Reading,
    handle: &Handle,
    id: &'a str,
    item: StatusItem,
) -> Result<StatusValue<'a>, Failure> {
    let mailbox = handle.record();
    Ok(match item {
        StatusItem::Messages => StatusValue::Messages(mailbox.messages),
        StatusItem::Recent => StatusValue::Recent(0),
        StatusItem::UidNext => StatusValue::UidNext(mailbox.uid_next.0),
        StatusItem::UidValidity => StatusValue::UidValidity(mailbox.uid_validity),
        // Whoever it belongs to, what one has not seen oneself.
        StatusItem::Unseen if handle.is_own() => StatusValue::Unseen(mailbox.unseen),
        StatusItem::Unseen => StatusValue::Unseen(reading.index(link.store())?.unseen()),
        StatusItem::Deleted => StatusValue::Deleted(mailbox.deleted),
        StatusItem::Size => StatusValue::Size(mailbox.size),
        StatusItem::HighestModSeq => StatusValue::HighestModSeq(mailbox.highest_modseq.0.max(1)),
        StatusItem::DeletedStorage => {
            StatusValue::DeletedStorage(deleted_bytes(link, reading, mailbox)?.div_ceil(1024))
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
    reading: Reading,
    mailbox: &Mailbox,
) -> Result<u64, Failure> {
    if mailbox.deleted == 0 {
        return Ok(0);
    }
    let index = reading.index(link.store())?;
    let rows = index.range(Uid(1), Uid(u32::MAX));
    Ok(rows
        .filter(|row| row.flags.system.contains(SystemFlags::DELETED))
        .map(|row| row.size)
        .sum())
}
