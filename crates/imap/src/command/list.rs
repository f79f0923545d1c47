//! LIST, LSUB, NAMESPACE: RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154 §2, RFC 3501 §6.3.9.

use std::borrow::Cow;

use super::mailbox::{joined, reference};
use super::mailboxes::status_items;
use super::metadata::entries;
use super::{Command, List, ListReturn, ListSelect, Lsub, Numbering, Request};
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;
use crate::pattern::Pattern;

pub(super) fn list(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let mut extended = false;
    let mut select = ListSelect::default();
    if cursor.peek() == Some(b'(') {
        extended = true;
        select = selection(cursor)?;
        cursor.space()?;
    }
    let reference = reference(cursor)?;
    cursor.space()?;
    let mut written: Vec<Cow<'_, [u8]>> = Vec::new();
    if cursor.peek() == Some(b'(') {
        extended = true;
        written = cursor.list(limits::LIST_PATTERNS_MAX, Cursor::list_mailbox)?;
        if written.is_empty() {
            return Err(Fault::Arguments);
        }
    } else {
        written.push(cursor.list_mailbox()?);
    }
    let mut return_ = ListReturn::default();
    if cursor.end().is_err() {
        extended = true;
        if !cursor.skip_word(" RETURN ") {
            return Err(Fault::Arguments);
        }
        return_ = returning(cursor)?;
    }
    // RFC 9051 §6.3.9: an empty name asks for the separator; not in the extended form.
    let root = !extended && written.iter().all(|pattern| pattern.is_empty());
    let utf8 = cursor.utf8;
    let patterns = written
        .into_iter()
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| Pattern::new(joined(&reference, pattern, utf8)?))
        .collect::<Parse<Vec<_>>>()?;
    Ok(Command::Run(Request::List(List {
        select,
        patterns,
        root,
        return_,
        extended,
    })))
}

fn selection(cursor: &mut Cursor<'_>) -> Parse<ListSelect> {
    let mut select = ListSelect::default();
    cursor.list(OPTIONS_MAX, |cursor| {
        match cursor.word()?.as_str() {
            "SUBSCRIBED" => select.subscribed = true,
            "REMOTE" => select.remote = true,
            "RECURSIVEMATCH" => select.recursive_match = true,
            "SPECIAL-USE" => select.special_use = true,
            _ => return Err(Fault::Arguments),
        }
        Ok(())
    })?;
    // RFC 5258 §3: RECURSIVEMATCH needs an option that selects by itself.
    if select.recursive_match && !select.subscribed && !select.special_use {
        return Err(Fault::Arguments);
    }
    Ok(select)
}

fn returning(cursor: &mut Cursor<'_>) -> Parse<ListReturn> {
    let mut return_ = ListReturn::default();
    cursor.list(OPTIONS_MAX, |cursor| {
        match cursor.word()?.as_str() {
            "SUBSCRIBED" => return_.subscribed = true,
            "CHILDREN" => return_.children = true,
            "SPECIAL-USE" => return_.special_use = true,
            "MYRIGHTS" => return_.my_rights = true,
            "STATUS" => {
                cursor.space()?;
                return_.status = Some(status_items(cursor)?);
            }
            "METADATA" => {
                cursor.space()?;
                return_.metadata = Some(entries(cursor)?);
            }
            _ => return Err(Fault::Arguments),
        }
        Ok(())
    })?;
    Ok(return_)
}

/// Options of one list; each is written once by a client in its senses.
const OPTIONS_MAX: usize = 16;

pub(super) fn lsub(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let reference = reference(cursor)?;
    cursor.space()?;
    let pattern = cursor.list_mailbox()?;
    let root = pattern.is_empty();
    let pattern = Pattern::new(joined(&reference, pattern, cursor.utf8)?)?;
    Ok(Command::Run(Request::Lsub(Lsub { pattern, root })))
}

pub(super) fn namespace(_: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    Ok(Command::Run(Request::Namespace))
}
