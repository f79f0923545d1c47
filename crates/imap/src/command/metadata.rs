//! GETMETADATA and SETMETADATA, RFC 5464 §4, and the entries of LIST RETURN (METADATA …), RFC 9590.

use super::mailbox::mailbox;
use super::{Command, MailboxName, Numbering, Request};
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;

/// RFC 5464 §4.2. Entry names are well-formed and in lower case.
#[derive(Clone, Debug, PartialEq)]
pub struct GetMetadata {
    /// `None`: the server.
    pub mailbox: Option<MailboxName>,
    pub entries: Vec<String>,
    pub depth: Depth,
    /// Bytes of a value; larger ones are left out.
    pub max_size: Option<u64>,
}

/// RFC 5464 §4.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Zero,
    One,
    Infinity,
}

/// RFC 5464 §4.3.
#[derive(Clone, Debug, PartialEq)]
pub struct SetMetadata {
    pub mailbox: Option<MailboxName>,
    /// `None` takes the entry away.
    pub entries: Vec<(String, Option<Vec<u8>>)>,
}

pub(super) fn get_metadata(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let mut request = GetMetadata {
        mailbox: None,
        entries: Vec::new(),
        depth: Depth::Zero,
        max_size: None,
    };
    let leading = cursor.peek() == Some(b'(');
    if leading {
        options(cursor, &mut request)?;
        cursor.space()?;
    }
    request.mailbox = mailbox_or_server(cursor)?;
    cursor.space()?;
    // The grammar has the options first, the RFC's examples behind the mailbox; clients do either.
    if !leading && is_options(cursor) {
        options(cursor, &mut request)?;
        cursor.space()?;
    }
    request.entries = if cursor.peek() == Some(b'(') {
        entries(cursor)?
    } else {
        let mut bare = vec![entry(cursor)?];
        while cursor.end().is_err() {
            if bare.len() == limits::METADATA_ENTRIES_MAX {
                return Err(Fault::TooMuch);
            }
            cursor.space()?;
            bare.push(entry(cursor)?);
        }
        bare
    };
    Ok(Command::Run(Request::GetMetadata(request)))
}

fn is_options(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.rest(), [b'(', first, ..] if first.is_ascii_alphabetic())
}

fn options(cursor: &mut Cursor<'_>, request: &mut GetMetadata) -> Parse<()> {
    cursor.list(2, |cursor| {
        if cursor.skip_word("MAXSIZE ") {
            request.max_size = Some(cursor.number64()?);
        } else if cursor.skip_word("DEPTH ") {
            request.depth = match cursor.word()?.as_str() {
                "0" => Depth::Zero,
                "1" => Depth::One,
                "INFINITY" => Depth::Infinity,
                _ => return Err(Fault::Arguments),
            };
        } else {
            return Err(Fault::Arguments);
        }
        Ok(())
    })?;
    Ok(())
}

/// The empty name is the server.
fn mailbox_or_server(cursor: &mut Cursor<'_>) -> Parse<Option<MailboxName>> {
    if cursor.skip_word("\"\"") {
        return Ok(None);
    }
    mailbox(cursor).map(Some)
}

/// `(` names `)`, at least one.
pub(super) fn entries(cursor: &mut Cursor<'_>) -> Parse<Vec<String>> {
    let entries = cursor.list(limits::METADATA_ENTRIES_MAX, entry)?;
    if entries.is_empty() {
        return Err(Fault::Arguments);
    }
    Ok(entries)
}

/// RFC 5464 §3.2: a path without wildcards; names do not differ by case.
fn entry(cursor: &mut Cursor<'_>) -> Parse<String> {
    let name = cursor.astring_utf8()?.to_ascii_lowercase();
    let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'%');
    let mut levels = name.split('/');
    let good = levels.next() == Some("")
        && matches!(levels.next(), Some("private" | "shared"))
        && levels.all(|level| !level.is_empty())
        && name.len() <= limits::METADATA_NAME_BYTES_MAX
        && name.bytes().all(legal);
    if good {
        Ok(name)
    } else {
        Err(Fault::Arguments)
    }
}

pub(super) fn set_metadata(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let mailbox = mailbox_or_server(cursor)?;
    cursor.space()?;
    let entries = cursor.list(limits::METADATA_ENTRIES_MAX, |cursor| {
        let entry = entry(cursor)?;
        cursor.space()?;
        Ok((entry, cursor.nstring8()?.map(|value| value.into_owned())))
    })?;
    if entries.is_empty() {
        return Err(Fault::Arguments);
    }
    Ok(Command::Run(Request::SetMetadata(SetMetadata {
        mailbox,
        entries,
    })))
}
