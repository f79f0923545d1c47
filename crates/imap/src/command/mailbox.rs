//! Mailbox names as arguments, RFC 9051 §5.1.

use std::borrow::Cow;

use super::MailboxName;
use crate::cursor::{Cursor, Fault, Parse};
use crate::{limits, utf7};

impl MailboxName {
    /// From what a client sent: UTF-8 under IMAP4rev2 or UTF8=ACCEPT, else modified UTF-7.
    pub(crate) fn decode(name: &[u8], utf8: bool) -> Parse<Self> {
        let name = decode_name(name, utf8)?;
        if name.is_empty() {
            return Err(Fault::Arguments);
        }
        Ok(MailboxName(capital_inbox(name)))
    }

    /// A name that a mailbox may get: RFC 9051 §5.1 (no control characters, no line separators),
    /// no wildcard, no empty level; a trailing separator only says that others are to come below
    /// (RFC 9051 §6.3.4) and is dropped.
    pub(crate) fn creatable(self) -> Parse<Self> {
        let name = self.0.strip_suffix('/').unwrap_or(&self.0);
        let legal = |char: char| {
            !char.is_control() && !matches!(char, '*' | '%' | '\u{2028}' | '\u{2029}' | '\u{fffd}')
        };
        if !name.chars().all(legal)
            || name
                .split('/')
                .any(|level| level.is_empty() || level == "." || level == "..")
            || name.split('/').count() > limits::MAILBOX_LEVELS_MAX
        {
            return Err(Fault::MailboxNameCannot);
        }
        Ok(MailboxName(name.to_owned()))
    }
}

fn decode_name(name: &[u8], utf8: bool) -> Parse<String> {
    // Modified UTF-7 is never much shorter than UTF-8: 8 bytes stand for at least 6.
    if name.len() > limits::MAILBOX_NAME_BYTES_MAX * 3 {
        return Err(Fault::MailboxNameTooLong);
    }
    let name = if utf8 {
        std::str::from_utf8(name)
            .map(str::to_owned)
            .map_err(|_| Fault::MailboxName)?
    } else {
        utf7::decode(name).map_err(|_| Fault::MailboxName)?
    };
    if name.len() > limits::MAILBOX_NAME_BYTES_MAX {
        return Err(Fault::MailboxNameTooLong);
    }
    Ok(name)
}

/// INBOX is the same in any case, as a whole name and as the first level of one (RFC 9051 §5.1).
pub(crate) fn capital_inbox(mut name: String) -> String {
    let level_end = name.find('/').unwrap_or(name.len());
    if let Some(first) = name.get_mut(..level_end)
        && first.eq_ignore_ascii_case("INBOX")
    {
        first.make_ascii_uppercase();
    }
    name
}

/// `mailbox`.
pub(crate) fn mailbox(cursor: &mut Cursor<'_>) -> Parse<MailboxName> {
    let name = cursor.astring()?;
    MailboxName::decode(&name, cursor.utf8)
}

/// Name of a mailbox to be.
pub(crate) fn new_mailbox(cursor: &mut Cursor<'_>) -> Parse<MailboxName> {
    mailbox(cursor)?.creatable()
}

/// Reference and pattern of LIST in one, UTF-8.
pub(crate) fn joined(reference: &str, pattern: Cow<'_, [u8]>, utf8: bool) -> Parse<String> {
    let pattern = decode_name(&pattern, utf8)?;
    Ok(capital_inbox(format!("{reference}{pattern}")))
}

/// The reference of LIST; it may be empty.
pub(crate) fn reference(cursor: &mut Cursor<'_>) -> Parse<String> {
    let name = cursor.astring()?;
    decode_name(&name, cursor.utf8)
}
