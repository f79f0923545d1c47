//! COPY, MOVE, EXPUNGE and their UID forms: RFC 9051 §6.4.3, §6.4.7, §6.4.8, RFC 4315.

use super::mailbox::mailbox;
use super::{Command, Copy, Numbering, Request};
use crate::cursor::{Cursor, Parse};

pub(super) fn copy(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    Ok(Command::Run(Request::Copy(arguments(cursor, numbering)?)))
}

pub(super) fn move_(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    Ok(Command::Run(Request::Move(arguments(cursor, numbering)?)))
}

fn arguments(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Copy> {
    cursor.space()?;
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mailbox = mailbox(cursor)?;
    Ok(Copy {
        numbering,
        set,
        mailbox,
    })
}

pub(super) fn expunge(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    let uids = match numbering {
        Numbering::Sequence => None,
        Numbering::Uid => {
            cursor.space()?;
            Some(cursor.sequence_set()?)
        }
    };
    Ok(Command::Run(Request::Expunge { uids }))
}
