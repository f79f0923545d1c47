//! SEARCH and UID SEARCH: RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 7162
//! §3.1.5, RFC 8514.

use super::{Command, Numbering, Request, Search, SearchKey, SearchReturn};
use crate::cursor::{Cursor, Fault, Parse};
use crate::flag::SystemFlags;
use crate::{date, flag, limits};

pub(super) fn search(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    let return_ = if cursor.skip_word(" RETURN ") {
        Some(returning(cursor)?)
    } else {
        None
    };
    cursor.space()?;
    if cursor.skip_word("CHARSET ") {
        let charset = cursor.astring()?;
        if !CHARSETS
            .iter()
            .any(|name| charset.eq_ignore_ascii_case(name.as_bytes()))
        {
            return Err(Fault::Charset);
        }
        cursor.space()?;
    }
    let mut budget = limits::SEARCH_KEYS_MAX;
    let mut keys = vec![key(cursor, &mut budget, 0)?];
    while cursor.end().is_err() {
        cursor.space()?;
        keys.push(key(cursor, &mut budget, 0)?);
    }
    Ok(Command::Run(Request::Search(Search {
        numbering,
        return_,
        keys,
    })))
}

/// US-ASCII is part of UTF-8.
pub(crate) const CHARSETS: [&str; 2] = ["UTF-8", "US-ASCII"];

fn returning(cursor: &mut Cursor<'_>) -> Parse<SearchReturn> {
    let mut return_ = SearchReturn::default();
    cursor.list(16, |cursor| {
        match cursor.word()?.as_str() {
            "MIN" => return_.min = true,
            "MAX" => return_.max = true,
            "ALL" => return_.all = true,
            "COUNT" => return_.count = true,
            "SAVE" => return_.save = true,
            _ => return Err(Fault::Arguments),
        }
        Ok(())
    })?;
    // RFC 4731 §3.1: an empty list is ALL.
    if return_ == SearchReturn::default() {
        return_.all = true;
    }
    Ok(return_)
}

/// One `search-key`; `budget` counts keys, `depth` the nesting.
fn key(cursor: &mut Cursor<'_>, budget: &mut usize, depth: usize) -> Parse<SearchKey> {
    *budget = budget.checked_sub(1).ok_or(Fault::TooMuch)?;
    if depth > limits::SEARCH_DEPTH_MAX {
        return Err(Fault::TooMuch);
    }
    match cursor.peek() {
        Some(b'(') => {
            let keys = cursor.list(limits::SEARCH_KEYS_MAX, |cursor| {
                key(cursor, budget, depth + 1)
            })?;
            if keys.is_empty() {
                Err(Fault::Arguments)
            } else {
                Ok(SearchKey::And(keys))
            }
        }
        Some(b'0'..=b'9' | b'*' | b'$') => cursor.sequence_set().map(SearchKey::Sequence),
        _ => {
            let name = cursor.word()?;
            match name.as_str() {
                "NOT" => {
                    cursor.space()?;
                    let inner = key(cursor, budget, depth + 1)?;
                    Ok(SearchKey::Not(Box::new(inner)))
                }
                "OR" => {
                    cursor.space()?;
                    let left = key(cursor, budget, depth + 1)?;
                    cursor.space()?;
                    let right = key(cursor, budget, depth + 1)?;
                    Ok(SearchKey::Or(Box::new(left), Box::new(right)))
                }
                name => match plain(name) {
                    Some(key) => Ok(key),
                    None => with_argument(name, cursor),
                },
            }
        }
    }
}

/// Keys without an argument.
fn plain(name: &str) -> Option<SearchKey> {
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Flag(SystemFlags::ANSWERED),
        "DELETED" => SearchKey::Flag(SystemFlags::DELETED),
        "DRAFT" => SearchKey::Flag(SystemFlags::DRAFT),
        "FLAGGED" => SearchKey::Flag(SystemFlags::FLAGGED),
        "SEEN" => SearchKey::Flag(SystemFlags::SEEN),
        "UNANSWERED" => SearchKey::Unflag(SystemFlags::ANSWERED),
        "UNDELETED" => SearchKey::Unflag(SystemFlags::DELETED),
        "UNDRAFT" => SearchKey::Unflag(SystemFlags::DRAFT),
        "UNFLAGGED" => SearchKey::Unflag(SystemFlags::FLAGGED),
        "UNSEEN" => SearchKey::Unflag(SystemFlags::SEEN),
        "RECENT" => SearchKey::Recent,
        "NEW" => SearchKey::New,
        "OLD" => SearchKey::Old,
        _ => return None,
    })
}

fn with_argument(name: &str, cursor: &mut Cursor<'_>) -> Parse<SearchKey> {
    let date_key = |key: fn(date::Date) -> SearchKey, cursor: &mut Cursor<'_>| {
        cursor.space()?;
        date::search_date(cursor).map(key)
    };
    let text_key = |key: fn(String) -> SearchKey, cursor: &mut Cursor<'_>| {
        cursor.space()?;
        cursor.astring_utf8().map(key)
    };
    match name {
        "BEFORE" => date_key(SearchKey::Before, cursor),
        "ON" => date_key(SearchKey::On, cursor),
        "SINCE" => date_key(SearchKey::Since, cursor),
        "SENTBEFORE" => date_key(SearchKey::SentBefore, cursor),
        "SENTON" => date_key(SearchKey::SentOn, cursor),
        "SENTSINCE" => date_key(SearchKey::SentSince, cursor),
        "SAVEDBEFORE" => date_key(SearchKey::SavedBefore, cursor),
        "SAVEDON" => date_key(SearchKey::SavedOn, cursor),
        "SAVEDSINCE" => date_key(SearchKey::SavedSince, cursor),
        "BCC" => text_key(SearchKey::Bcc, cursor),
        "BODY" => text_key(SearchKey::Body, cursor),
        "CC" => text_key(SearchKey::Cc, cursor),
        "FROM" => text_key(SearchKey::From, cursor),
        "SUBJECT" => text_key(SearchKey::Subject, cursor),
        "TEXT" => text_key(SearchKey::Text, cursor),
        "TO" => text_key(SearchKey::To, cursor),
        _ => other_argument(name, cursor),
    }
}

fn other_argument(name: &str, cursor: &mut Cursor<'_>) -> Parse<SearchKey> {
    if !matches!(
        name,
        "HEADER"
            | "KEYWORD"
            | "UNKEYWORD"
            | "LARGER"
            | "SMALLER"
            | "OLDER"
            | "YOUNGER"
            | "UID"
            | "MODSEQ"
    ) {
        return Err(Fault::Arguments);
    }
    cursor.space()?;
    match name {
        "HEADER" => {
            let field = cursor.astring_utf8()?;
            cursor.space()?;
            Ok(SearchKey::Header(field, cursor.astring_utf8()?))
        }
        "KEYWORD" => flag::keyword(cursor).map(SearchKey::Keyword),
        "UNKEYWORD" => flag::keyword(cursor).map(SearchKey::Unkeyword),
        "LARGER" => cursor.number64().map(SearchKey::Larger),
        "SMALLER" => cursor.number64().map(SearchKey::Smaller),
        "OLDER" => cursor.number_nonzero().map(SearchKey::Older),
        "YOUNGER" => cursor.number_nonzero().map(SearchKey::Younger),
        "UID" => cursor.sequence_set().map(SearchKey::Uid),
        _ => modseq(cursor),
    }
}

/// RFC 7162 §3.1.5: entry name and type may stand in front; flags have one modseq here, so they
/// make no difference.
fn modseq(cursor: &mut Cursor<'_>) -> Parse<SearchKey> {
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.space()?;
        if !matches!(cursor.word()?.as_str(), "PRIV" | "SHARED" | "ALL") {
            return Err(Fault::Arguments);
        }
        cursor.space()?;
    }
    cursor.modseq().map(SearchKey::ModSeq)
}
