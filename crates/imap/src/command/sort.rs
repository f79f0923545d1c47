//! SORT and THREAD with their UID forms: RFC 5256 §5, RFC 5957, RFC 6203, RFC 5267 §5.

use super::search::{charset, check_relevancy, keys, refused_charset, returning};
use super::{Command, Numbering, Request, Search, SortField, SortKey, Thread, ThreadAlgorithm};
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;

pub(super) fn sort(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    let mut update_items = Vec::new();
    let return_ = match cursor.skip_word(" RETURN ") {
        true => Some(returning(cursor, &mut update_items)?),
        false => None,
    };
    cursor.space()?;
    let sort = cursor.list(limits::SORT_KEYS_MAX, criterion)?;
    if sort.is_empty() {
        return Err(Fault::Arguments);
    }
    cursor.space()?;
    if let Err(fault) = charset(cursor) {
        return refused_charset(cursor, return_, fault);
    }
    cursor.space()?;
    let keys = keys(cursor)?;
    check_relevancy(return_, &sort, &keys)?;
    Ok(Command::Run(Request::Search(Search {
        update_items,
        numbering,
        return_,
        sort,
        sources: None,
        keys,
    })))
}

fn criterion(cursor: &mut Cursor<'_>) -> Parse<SortKey> {
    let reverse = cursor.skip_word("REVERSE ");
    let field = match cursor.word()?.as_str() {
        "ARRIVAL" => SortField::Arrival,
        "CC" => SortField::Cc,
        "DATE" => SortField::Date,
        "FROM" => SortField::From,
        "SIZE" => SortField::Size,
        "SUBJECT" => SortField::Subject,
        "TO" => SortField::To,
        "DISPLAYFROM" => SortField::DisplayFrom,
        "DISPLAYTO" => SortField::DisplayTo,
        "RELEVANCY" => SortField::Relevancy,
        _ => return Err(Fault::Arguments),
    };
    Ok(SortKey { field, reverse })
}

pub(super) fn thread(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    cursor.space()?;
    let algorithm = match cursor.word()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        "REFS" => ThreadAlgorithm::Refs,
        _ => return Err(Fault::Arguments),
    };
    cursor.space()?;
    charset(cursor)?;
    cursor.space()?;
    Ok(Command::Run(Request::Thread(Thread {
        numbering,
        algorithm,
        keys: keys(cursor)?,
    })))
}

/// RFC 5267 §5: quoted tags.
pub(super) fn cancel_update(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    let mut tags = Vec::new();
    while cursor.end().is_err() {
        cursor.space()?;
        let tag = cursor.string()?;
        if tags.len() == limits::CANCELLED_TAGS_MAX {
            return Err(Fault::TooMuch);
        }
        tags.push(String::from_utf8(tag.into_owned()).map_err(|_| Fault::Arguments)?);
    }
    if tags.is_empty() {
        return Err(Fault::Arguments);
    }
    Ok(Command::Run(Request::CancelUpdate(tags)))
}
