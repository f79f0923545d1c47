//! UIDBATCHES: RFC 10022 §4.

use super::{Batches, Command, Numbering, Request};
use crate::cursor::{Cursor, Parse};

pub(super) fn batches(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let messages = cursor.number_nonzero()?;
    let range = match cursor.skip(b' ') {
        true => {
            let first = cursor.number_nonzero()?;
            cursor.expect(b':')?;
            Some((first, cursor.number_nonzero()?))
        }
        false => None,
    };
    Ok(Command::Run(Request::Batches(Batches { messages, range })))
}
