//! STORE and UID STORE: RFC 9051 §6.4.6, RFC 7162 §3.1.3.

use super::{Command, FlagEdit, Numbering, Request, Store};
use crate::cursor::{Cursor, Fault, Parse};
use crate::flag;

pub(super) fn store(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    cursor.space()?;
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.skip_word("(UNCHANGEDSINCE ") {
        unchanged_since = Some(cursor.modseq()?);
        cursor.expect(b')')?;
        cursor.space()?;
    }
    let edit = if cursor.skip(b'+') {
        FlagEdit::Add
    } else if cursor.skip(b'-') {
        FlagEdit::Remove
    } else {
        FlagEdit::Replace
    };
    let silent = match cursor.word()?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Fault::Arguments),
    };
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') {
        flag::flag_list(cursor)?
    } else {
        flag::flags_bare(cursor)?
    };
    Ok(Command::Run(Request::Store(Store {
        numbering,
        set,
        edit,
        silent,
        flags,
        unchanged_since,
    })))
}
