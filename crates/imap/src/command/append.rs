//! APPEND, RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4.
//!
//! The message never gets into the command's buffer, so the head is parsed when the literal that
//! may be the message is announced.

use super::mailbox::mailbox;
use super::{Command, MailboxName, Numbering};
use crate::cursor::{Cursor, Fault, Parse};
use crate::date::{self, DateTime};
use crate::flag::{self, FlagNames};

/// What stands between APPEND and a literal.
#[derive(Debug, PartialEq)]
pub(crate) enum Head {
    /// The literal is the mailbox name.
    Mailbox,
    /// The literal is the message.
    Message {
        mailbox: MailboxName,
        options: MessageOptions,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MessageOptions {
    pub(crate) flags: FlagNames,
    pub(crate) date: Option<DateTime>,
}

/// `cursor` is after the command's name and ends where the literal begins.
pub(crate) fn head(cursor: &mut Cursor<'_>) -> Parse<Head> {
    cursor.space()?;
    if cursor.rest().is_empty() {
        return Ok(Head::Mailbox);
    }
    let mailbox = mailbox(cursor)?;
    let options = message_options(cursor)?;
    Ok(Head::Message { mailbox, options })
}

/// `SP [flag-list SP] [date-time SP]`, also between the messages of RFC 3502.
pub(crate) fn message_options(cursor: &mut Cursor<'_>) -> Parse<MessageOptions> {
    cursor.space()?;
    let mut options = MessageOptions::default();
    if cursor.peek() == Some(b'(') {
        options.flags = flag::flag_list(cursor)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        options.date = Some(date::date_time(cursor)?);
        cursor.space()?;
    }
    if cursor.rest().is_empty() {
        Ok(options)
    } else {
        Err(Fault::Arguments)
    }
}

/// The whole line came and no message was announced.
pub(super) fn append(_: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    Err(Fault::Arguments)
}
