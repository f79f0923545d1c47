//! APPEND and REPLACE: RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4, RFC 4469, RFC 6855 §4, RFC 8508.
//!
//! A message never gets into the command's buffer: a line is parsed when the literal that may be
//! the message, or a part of it, is announced. What a line says is a list of [`Item`]s that the
//! session takes one after the other.

use super::mailbox::mailbox;
use super::{Command, MailboxName, Numbering, Replaced};
use crate::cursor::{Cursor, Fault, Parse};
use crate::date::{self, DateTime};
use crate::flag::{self, FlagNames};
use crate::limits;
use crate::set::SetNumber;

/// Where the messages go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) mailbox: MailboxName,
    pub(crate) replaced: Option<Replaced>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MessageOptions {
    pub(crate) flags: FlagNames,
    pub(crate) date: Option<DateTime>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// A message begins.
    Message {
        options: MessageOptions,
        catenated: bool,
    },
    /// A part of it that is stored already, RFC 4469.
    Url(String),
    /// The literal that the line announces: the message or a part of it.
    Literal { utf8: bool },
    /// The command is whole.
    End,
}

/// How far a command has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Options,
    Part,
    PartEnd,
    MessageEnd,
}

/// `cursor` is after the command's name and ends where a literal begins, if `literal`. `None`: that
/// literal belongs to the command itself (the mailbox's name, a URL).
pub(crate) fn head(
    cursor: &mut Cursor<'_>,
    replaces: Option<Numbering>,
    literal: bool,
) -> Parse<Option<(Target, Vec<Item>)>> {
    cursor.space()?;
    let mut replaced = None;
    if let Some(numbering) = replaces {
        let number = match cursor.skip(b'*') {
            true => SetNumber::Last,
            false => SetNumber::Number(cursor.number_nonzero()?),
        };
        replaced = Some(Replaced { numbering, number });
        cursor.space()?;
    }
    if cursor.rest().is_empty() && literal {
        return Ok(None);
    }
    let mailbox = mailbox(cursor)?;
    let items = items(cursor, At::Options, literal)?;
    if replaced.is_some() && items.as_ref().is_some_and(|items| messages(items) > 1) {
        return Err(Fault::Arguments);
    }
    Ok(items.map(|items| (Target { mailbox, replaced }, items)))
}

/// How many messages begin.
pub(crate) fn messages(items: &[Item]) -> usize {
    let begins = |item: &&Item| matches!(item, Item::Message { .. });
    items.iter().filter(begins).count()
}

/// What a line says, up to its end or its literal.
pub(crate) fn items(
    cursor: &mut Cursor<'_>,
    mut at: At,
    literal: bool,
) -> Parse<Option<Vec<Item>>> {
    let mut items = Vec::new();
    loop {
        if items.len() > limits::CATENATE_PARTS_MAX {
            return Err(Fault::TooMuch);
        }
        at = match at {
            At::Options => {
                let options = message_options(cursor)?;
                let catenated = cursor.skip_word("CATENATE (");
                items.push(Item::Message { options, catenated });
                if catenated {
                    At::Part
                } else {
                    let utf8 = cursor.skip_word("UTF8 (");
                    return at_literal(cursor, literal, utf8, items);
                }
            }
            At::Part if cursor.skip_word("URL ") => {
                if cursor.rest().is_empty() && literal {
                    return Ok(None);
                }
                let url = cursor.astring_utf8()?;
                if url.len() > limits::URL_BYTES_MAX {
                    return Err(Fault::TooMuch);
                }
                items.push(Item::Url(url));
                At::PartEnd
            }
            At::Part => {
                let utf8 = !cursor.skip_word("TEXT ");
                if utf8 && !cursor.skip_word("UTF8 (") {
                    return Err(Fault::Arguments);
                }
                return at_literal(cursor, literal, utf8, items);
            }
            At::PartEnd if cursor.skip(b')') => At::MessageEnd,
            At::PartEnd => {
                cursor.space()?;
                At::Part
            }
            At::MessageEnd if cursor.rest().is_empty() && !literal => {
                items.push(Item::End);
                return Ok(Some(items));
            }
            At::MessageEnd => At::Options,
        }
    }
}

fn at_literal(
    cursor: &Cursor<'_>,
    literal: bool,
    utf8: bool,
    mut items: Vec<Item>,
) -> Parse<Option<Vec<Item>>> {
    if !literal || !cursor.rest().is_empty() {
        return Err(Fault::Arguments);
    }
    items.push(Item::Literal { utf8 });
    Ok(Some(items))
}

/// `SP [flag-list SP] [date-time SP]`, also between the messages of RFC 3502.
fn message_options(cursor: &mut Cursor<'_>) -> Parse<MessageOptions> {
    cursor.space()?;
    // imapclient writes two spaces before each message but the first.
    cursor.skip(b' ');
    let mut options = MessageOptions::default();
    if cursor.peek() == Some(b'(') {
        options.flags = flag::flag_list(cursor)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        options.date = Some(date::date_time(cursor)?);
        cursor.space()?;
    }
    Ok(options)
}

/// The whole line came and no message was announced: it is made of what is stored.
pub(super) fn append(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    whole(cursor, None)
}

pub(super) fn replace(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    whole(cursor, Some(numbering))
}

fn whole(cursor: &mut Cursor<'_>, replaces: Option<Numbering>) -> Parse<Command> {
    let (target, items) = head(cursor, replaces, false)?.ok_or(Fault::Arguments)?;
    Ok(Command::Append { target, items })
}
