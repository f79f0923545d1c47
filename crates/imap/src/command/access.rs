//! CAPABILITY, ID, STARTTLS, AUTHENTICATE, LOGIN, ENABLE, LANGUAGE: RFC 9051 §6.1, §6.2, §6.3.1,
//! RFC 2971, RFC 5255.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Command, Login, Numbering, Request};
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;

pub(super) fn login(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let user = cursor.astring()?.into_owned();
    cursor.space()?;
    let password = cursor.astring()?.into_owned();
    Ok(Command::Run(Request::Login(Login { user, password })))
}

/// RFC 4959: the initial response, `=` for an empty one.
pub(super) fn authenticate(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let mechanism = cursor.word()?;
    let initial = if cursor.skip(b' ') {
        let encoded = cursor.take_while(|byte| byte != b' ');
        match encoded {
            b"=" => Some(Vec::new()),
            b"" => None,
            _ => Some(STANDARD.decode(encoded).map_err(|_| Fault::Arguments)?),
        }
    } else {
        None
    };
    Ok(Command::Authenticate(super::Auth { mechanism, initial }))
}

/// Names that are not known are no error, RFC 5161 §3.1.
pub(super) fn enable(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    let mut names = Vec::new();
    while cursor.skip(b' ') && cursor.end().is_err() {
        if names.len() == limits::ENABLE_NAMES_MAX {
            return Err(Fault::TooMuch);
        }
        names.push(cursor.atom()?.to_ascii_uppercase());
    }
    if names.is_empty() {
        return Err(Fault::Arguments);
    }
    Ok(Command::Enable(names))
}

/// RFC 4978 §3.
pub(super) fn compress(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Compress(cursor.word()?))
}

/// RFC 5255 §3.2.
pub(super) fn language(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    let mut ranges = Vec::new();
    while cursor.skip(b' ') && cursor.end().is_err() {
        if ranges.len() == limits::LANGUAGE_RANGES_MAX {
            return Err(Fault::TooMuch);
        }
        ranges.push(cursor.astring_utf8()?);
    }
    Ok(Command::Language(ranges))
}

pub(super) fn id(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    if cursor.skip_word("NIL") {
        return Ok(Command::Run(Request::Id(None)));
    }
    let fields = cursor.list(limits::ID_FIELDS_MAX, |cursor| {
        let name = text(&cursor.string()?)?;
        cursor.space()?;
        let value = cursor.nstring()?;
        Ok((name, value.as_deref().map(text).transpose()?))
    })?;
    Ok(Command::Run(Request::Id(Some(fields))))
}

/// For the log: what is not UTF-8 or printable is replaced.
fn text(bytes: &[u8]) -> Parse<String> {
    if bytes.len() > limits::ID_VALUE_BYTES_MAX {
        return Err(Fault::TooMuch);
    }
    Ok(String::from_utf8_lossy(bytes)
        .chars()
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect())
}
