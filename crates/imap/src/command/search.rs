//! SEARCH, UID SEARCH and ESEARCH: RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 5182,
//! RFC 5267, RFC 5466, RFC 6203, RFC 7162 §3.1.5, RFC 7377, RFC 8474 §6, RFC 8514, RFC 9394, RFC 9738 §3.2.

use super::mailbox::mailbox;
use super::{
    Command, MailboxName, Numbering, PartialRange, Request, Search, SearchKey, SearchReturn,
    SortField, SortKey, Source,
};
use super::{FetchAttribute, fetch};
use crate::cursor::{Cursor, Fault, Parse};
use crate::flag::SystemFlags;
use crate::set::{SequenceSet, SetNumber};
use crate::{date, flag, limits};

pub(super) fn search(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    program(cursor, numbering, None)
}

/// RFC 7377 §4.
pub(super) fn esearch(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    let sources = match cursor.skip_word(" IN ") {
        true => cursor.list(limits::SEARCH_SOURCES_MAX, source)?,
        false => vec![Source::Selected],
    };
    if sources.is_empty() {
        return Err(Fault::Arguments);
    }
    program(cursor, Numbering::Uid, Some(sources))
}

fn program(
    cursor: &mut Cursor<'_>,
    numbering: Numbering,
    sources: Option<Vec<Source>>,
) -> Parse<Command> {
    let mut update_items = Vec::new();
    let return_ = match cursor.skip_word(" RETURN ") {
        true => Some(returning(cursor, &mut update_items)?),
        false => None,
    };
    cursor.space()?;
    if cursor.skip_word("CHARSET ") {
        if let Err(fault) = charset(cursor) {
            return refused_charset(cursor, return_, fault);
        }
        cursor.space()?;
    }
    let only_selected = sources
        .as_ref()
        .is_none_or(|sources| *sources == [Source::Selected]);
    // RFC 7377 §2.2: the saved result is of the selected mailbox.
    if !only_selected && return_.is_some_and(|return_| return_.save) {
        return Err(Fault::Arguments);
    }
    let keys = keys(cursor)?;
    check_relevancy(return_, &[], &keys)?;
    Ok(Command::Run(Request::Search(Search {
        update_items,
        numbering,
        return_,
        sort: Vec::new(),
        sources,
        keys,
    })))
}

/// RFC 6203 §4, §6: relevancy is of FUZZY keys. Stored criteria may have some.
pub(super) fn check_relevancy(
    return_: Option<SearchReturn>,
    sort: &[SortKey],
    keys: &[SearchKey],
) -> Parse<()> {
    let asked = return_.is_some_and(|return_| return_.relevancy)
        || sort.iter().any(|key| key.field == SortField::Relevancy);
    let given = |key: &SearchKey| key.uses_fuzzy() || key.names_filter();
    match !asked || keys.iter().any(given) {
        true => Ok(()),
        false => Err(Fault::Arguments),
    }
}

/// RFC 5465 §8 `filter-mailboxes`, RFC 7377 §4.
fn source(cursor: &mut Cursor<'_>) -> Parse<Source> {
    let name = cursor.word()?;
    let mut mailboxes = || -> Parse<Vec<MailboxName>> {
        cursor.space()?;
        if cursor.peek() != Some(b'(') {
            return Ok(vec![mailbox(cursor)?]);
        }
        let names = cursor.list(limits::SEARCH_SOURCES_MAX, mailbox)?;
        if names.is_empty() {
            return Err(Fault::Arguments);
        }
        Ok(names)
    };
    Ok(match name.as_str() {
        "SELECTED" => Source::Selected,
        "INBOXES" => Source::Inboxes,
        "PERSONAL" => Source::Personal,
        "SUBSCRIBED" => Source::Subscribed,
        "SUBTREE" => Source::Subtree(mailboxes()?),
        "SUBTREE-ONE" => Source::SubtreeOne(mailboxes()?),
        "MAILBOXES" => Source::Mailboxes(mailboxes()?),
        _ => return Err(Fault::Arguments),
    })
}

/// US-ASCII is part of UTF-8.
pub(crate) const CHARSETS: [&str; 2] = ["UTF-8", "US-ASCII"];

pub(super) fn charset(cursor: &mut Cursor<'_>) -> Parse<()> {
    let charset = cursor.astring()?;
    let known = |name: &&str| charset.eq_ignore_ascii_case(name.as_bytes());
    match CHARSETS.iter().any(known) {
        true => Ok(()),
        false => Err(Fault::Charset),
    }
}

/// The refusal of a search with SAVE is the handler's, which knows what is saved.
pub(super) fn refused_charset(
    cursor: &mut Cursor<'_>,
    return_: Option<SearchReturn>,
    fault: Fault,
) -> Parse<Command> {
    if fault == Fault::Charset && return_.is_some_and(|return_| return_.save) {
        cursor.take_while(|_| true);
        return Ok(Command::Run(Request::SaveInCharset));
    }
    Err(fault)
}

/// One or more, to the end of the command.
pub(super) fn keys(cursor: &mut Cursor<'_>) -> Parse<Vec<SearchKey>> {
    let mut budget = limits::SEARCH_KEYS_MAX;
    let mut keys = vec![key(cursor, &mut budget, 0)?];
    while cursor.end().is_err() {
        cursor.space()?;
        keys.push(key(cursor, &mut budget, 0)?);
    }
    Ok(keys)
}

/// `items`: what UPDATE asks for of new messages (RFC 5465 §7).
pub(super) fn returning(
    cursor: &mut Cursor<'_>,
    items: &mut Vec<FetchAttribute>,
) -> Parse<SearchReturn> {
    let mut return_ = SearchReturn::default();
    cursor.list(16, |cursor| {
        match cursor.word()?.as_str() {
            "MIN" => return_.min = true,
            "MAX" => return_.max = true,
            "ALL" => return_.all = true,
            "COUNT" => return_.count = true,
            "SAVE" => return_.save = true,
            "RELEVANCY" => return_.relevancy = true,
            "CONTEXT" => return_.context = true,
            "UPDATE" => {
                return_.update = true;
                if cursor.skip_word(" (") {
                    *items = fetch::items_until_closed(cursor)?;
                }
            }
            "PARTIAL" if return_.partial.is_none() => {
                cursor.space()?;
                return_.partial = Some(partial_range(cursor)?);
            }
            _ => return Err(Fault::Arguments),
        }
        Ok(())
    })?;
    // RFC 9394 §3.1.
    if return_.partial.is_some() && return_.all {
        return Err(Fault::Arguments);
    }
    // RFC 4731 §3.1: an empty list is ALL.
    if return_ == SearchReturn::default() {
        return_.all = true;
    }
    Ok(return_)
}

/// RFC 9394 §4 `partial-range`.
pub(super) fn partial_range(cursor: &mut Cursor<'_>) -> Parse<PartialRange> {
    let from_end = cursor.skip(b'-');
    let first = cursor.number_nonzero()?;
    cursor.expect(b':')?;
    if cursor.skip(b'-') != from_end {
        return Err(Fault::Arguments);
    }
    Ok(PartialRange {
        first,
        last: cursor.number_nonzero()?,
        from_end,
    })
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
                "FUZZY" => {
                    cursor.space()?;
                    let inner = key(cursor, budget, depth + 1)?;
                    Ok(SearchKey::Fuzzy(Box::new(inner)))
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
        "SAVEDATESUPPORTED" => SearchKey::All,
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
            | "UIDAFTER"
            | "UIDBEFORE"
            | "MODSEQ"
            | "EMAILID"
            | "THREADID"
            | "FILTER"
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
        "UIDAFTER" => Ok(uids(
            cursor.number_nonzero()?.checked_add(1),
            Some(u32::MAX),
        )),
        "UIDBEFORE" => Ok(uids(Some(1), cursor.number_nonzero()?.checked_sub(1))),
        "EMAILID" => object_id(cursor).map(SearchKey::EmailId),
        "THREADID" => object_id(cursor).map(SearchKey::ThreadId),
        "FILTER" => filter_name(cursor).map(SearchKey::Filter),
        _ => modseq(cursor),
    }
}

/// RFC 9738 §3.2. None when one end is none.
fn uids(first: Option<u32>, last: Option<u32>) -> SearchKey {
    match (first, last) {
        (Some(first), Some(last @ 1..)) => {
            let range = (SetNumber::Number(first), SetNumber::Number(last));
            SearchKey::Uid(SequenceSet::Ranges(vec![range]))
        }
        _ => SearchKey::Not(Box::new(SearchKey::All)),
    }
}

/// RFC 5466 §4. Names are part of an entry's, which do not differ by case.
fn filter_name(cursor: &mut Cursor<'_>) -> Parse<String> {
    let name = cursor.atom()?;
    match name.contains('/') || name.len() > limits::KEYWORD_BYTES_MAX {
        true => Err(Fault::Arguments),
        false => Ok(name.to_ascii_lowercase()),
    }
}

/// RFC 8474 §7 `objectid`.
fn object_id(cursor: &mut Cursor<'_>) -> Parse<String> {
    let id = cursor.atom()?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match id.len() <= 255 && id.bytes().all(legal) {
        true => Ok(id.to_owned()),
        false => Err(Fault::Arguments),
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
