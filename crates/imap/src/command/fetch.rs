//! FETCH and UID FETCH: RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 3516, RFC 7162 §3.1.4, §3.2.6,
//! RFC 8474 §5.3, RFC 8514 §4.3, RFC 8970, RFC 9394 §3.3.

use super::search::partial_range;
use super::{Command, Numbering, PartialRange, Request};
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;
use crate::set::SequenceSet;

#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    pub numbering: Numbering,
    pub set: SequenceSet,
    /// Distinct, in the order written; UID first when [`Numbering::Uid`], MODSEQ last when
    /// `changed_since` or the client asked for it.
    pub items: Vec<FetchAttribute>,
    pub changed_since: Option<u64>,
    /// RFC 9394 §3.3: of the messages of the set only these; UID FETCH only.
    pub partial: Option<PartialRange>,
    /// RFC 7162 §3.2.6; only with `changed_since` and QRESYNC.
    pub vanished: bool,
}

impl Fetch {
    /// Some item sets \Seen (unless the mailbox is read-only).
    pub fn sets_seen(&self) -> bool {
        self.items.iter().any(FetchAttribute::sets_seen)
    }
}

/// One data item of FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchAttribute {
    Uid,
    Flags,
    InternalDate,
    Rfc822Size,
    Envelope,
    /// BODY without a section: no extension data.
    Body,
    BodyStructure,
    ModSeq,
    /// RFC 8514 §4.3.
    SaveDate,
    /// RFC 8474 §5.
    EmailId,
    ThreadId,
    /// RFC 3501: as BODY[], answered under its own name.
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    Section {
        section: Section,
        partial: Option<Partial>,
        peek: bool,
    },
    /// Decoded content of a part (RFC 3516, RFC 9051 §6.4.5).
    Binary {
        part: Vec<u32>,
        partial: Option<Partial>,
        peek: bool,
    },
    BinarySize {
        part: Vec<u32>,
    },
    /// RFC 8970. What is kept with the message is never late, so LAZY asks for nothing else.
    Preview,
}

impl FetchAttribute {
    pub fn sets_seen(&self) -> bool {
        match self {
            FetchAttribute::Rfc822 | FetchAttribute::Rfc822Text => true,
            FetchAttribute::Section { peek, .. } | FetchAttribute::Binary { peek, .. } => !peek,
            _ => false,
        }
    }
}

/// `<offset.count>`; `count` is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    pub offset: u64,
    pub count: u64,
}

impl Partial {
    /// The bytes meant of content with `size` bytes; empty when it starts beyond the end.
    pub fn range(self, size: u64) -> std::ops::Range<u64> {
        let start = self.offset.min(size);
        start..start.saturating_add(self.count).min(size)
    }
}

/// What stands between the brackets of BODY[…].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Empty: the message itself. Numbers start at 1.
    pub part: Vec<u32>,
    pub text: SectionText,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// Nothing more: the whole message, or the content of the part.
    All,
    Header,
    /// Names as written.
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    /// Never without a part.
    Mime,
}

pub(super) fn fetch(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parse<Command> {
    cursor.space()?;
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mut items = attributes(cursor)?;
    let (mut changed_since, mut vanished, mut partial) = (None, false, None);
    if cursor.end().is_err() {
        cursor.space()?;
        cursor.list(3, |cursor| {
            if cursor.skip_word("CHANGEDSINCE ") {
                changed_since = Some(cursor.modseq()?);
            } else if cursor.skip_word("VANISHED") {
                vanished = true;
            } else if cursor.skip_word("PARTIAL ") && partial.is_none() {
                partial = Some(partial_range(cursor)?);
            } else {
                return Err(Fault::Arguments);
            }
            Ok(())
        })?;
        // RFC 7162 §3.2.6: VANISHED goes with UID FETCH and CHANGEDSINCE only; RFC 9394 §3.3: PARTIAL
        // with UID FETCH.
        let sequence = numbering == Numbering::Sequence;
        if vanished && (changed_since.is_none() || sequence) || partial.is_some() && sequence {
            return Err(Fault::Arguments);
        }
    }
    // RFC 9051 §6.4.9: UID FETCH always answers with the uid.
    if numbering == Numbering::Uid {
        items.retain(|item| *item != FetchAttribute::Uid);
        items.insert(0, FetchAttribute::Uid);
    }
    // RFC 7162 §3.1.4.1: CHANGEDSINCE implies MODSEQ.
    if changed_since.is_some() || items.contains(&FetchAttribute::ModSeq) {
        items.retain(|item| *item != FetchAttribute::ModSeq);
        items.push(FetchAttribute::ModSeq);
    }
    Ok(Command::Run(Request::Fetch(Fetch {
        numbering,
        set,
        items,
        changed_since,
        partial,
        vanished,
    })))
}

fn attributes(cursor: &mut Cursor<'_>) -> Parse<Vec<FetchAttribute>> {
    use FetchAttribute::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    if cursor.peek() == Some(b'(') {
        let mut items = Vec::new();
        cursor.list(limits::FETCH_ITEMS_MAX, |cursor| {
            let item = attribute(cursor)?;
            if !items.contains(&item) {
                items.push(item);
            }
            Ok(())
        })?;
        return if items.is_empty() {
            Err(Fault::Arguments)
        } else {
            Ok(items)
        };
    }
    if cursor.skip_word("ALL") {
        Ok(vec![Flags, InternalDate, Rfc822Size, Envelope])
    } else if cursor.skip_word("FAST") {
        Ok(vec![Flags, InternalDate, Rfc822Size])
    } else if cursor.skip_word("FULL") {
        Ok(vec![Flags, InternalDate, Rfc822Size, Envelope, Body])
    } else {
        Ok(vec![attribute(cursor)?])
    }
}

/// Items up to a closing parenthesis, as NOTIFY and UPDATE write them (RFC 5465 §8). Nothing that a
/// client did not ask for sets \Seen: they are as with PEEK.
pub(super) fn items_until_closed(cursor: &mut Cursor<'_>) -> Parse<Vec<FetchAttribute>> {
    let mut items = Vec::new();
    loop {
        if items.len() == limits::FETCH_ITEMS_MAX {
            return Err(Fault::TooMuch);
        }
        let item = attribute(cursor)?;
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.skip(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

fn attribute(cursor: &mut Cursor<'_>) -> Parse<FetchAttribute> {
    let name = cursor.word()?;
    let bracket = cursor.peek() == Some(b'[');
    Ok(match (name.as_str(), bracket) {
        ("UID", false) => FetchAttribute::Uid,
        ("FLAGS", false) => FetchAttribute::Flags,
        ("INTERNALDATE", false) => FetchAttribute::InternalDate,
        ("RFC822.SIZE", false) => FetchAttribute::Rfc822Size,
        ("ENVELOPE", false) => FetchAttribute::Envelope,
        ("BODY", false) => FetchAttribute::Body,
        ("BODYSTRUCTURE", false) => FetchAttribute::BodyStructure,
        ("MODSEQ", false) => FetchAttribute::ModSeq,
        ("PREVIEW", false) => preview(cursor)?,
        ("SAVEDATE", false) => FetchAttribute::SaveDate,
        ("EMAILID", false) => FetchAttribute::EmailId,
        ("THREADID", false) => FetchAttribute::ThreadId,
        ("RFC822", false) => FetchAttribute::Rfc822,
        ("RFC822.HEADER", false) => FetchAttribute::Rfc822Header,
        ("RFC822.TEXT", false) => FetchAttribute::Rfc822Text,
        ("BODY" | "BODY.PEEK", true) => FetchAttribute::Section {
            section: whole_section(cursor)?,
            partial: partial(cursor)?,
            peek: name == "BODY.PEEK",
        },
        ("BINARY" | "BINARY.PEEK", true) => FetchAttribute::Binary {
            part: section_binary(cursor)?,
            partial: partial(cursor)?,
            peek: name == "BINARY.PEEK",
        },
        ("BINARY.SIZE", true) => FetchAttribute::BinarySize {
            part: section_binary(cursor)?,
        },
        _ => return Err(Fault::Arguments),
    })
}

/// RFC 8970 §6: LAZY is the one modifier.
fn preview(cursor: &mut Cursor<'_>) -> Parse<FetchAttribute> {
    if cursor.skip_word(" (") && !cursor.skip_word("LAZY)") {
        return Err(Fault::Arguments);
    }
    Ok(FetchAttribute::Preview)
}

/// RFC 9051 §9 `section`.
pub(crate) fn whole_section(cursor: &mut Cursor<'_>) -> Parse<Section> {
    cursor.expect(b'[')?;
    let part = part(cursor)?;
    let has_text = if part.is_empty() {
        cursor.peek() != Some(b']')
    } else {
        cursor.skip(b'.')
    };
    let text = if has_text {
        section_text(cursor, !part.is_empty())?
    } else {
        SectionText::All
    };
    cursor.expect(b']')?;
    Ok(Section { part, text })
}

fn section_text(cursor: &mut Cursor<'_>, in_part: bool) -> Parse<SectionText> {
    match cursor.word()?.as_str() {
        "HEADER" => Ok(SectionText::Header),
        "HEADER.FIELDS" => header_names(cursor).map(SectionText::HeaderFields),
        "HEADER.FIELDS.NOT" => header_names(cursor).map(SectionText::HeaderFieldsNot),
        "TEXT" => Ok(SectionText::Text),
        "MIME" if in_part => Ok(SectionText::Mime),
        _ => Err(Fault::Arguments),
    }
}

fn header_names(cursor: &mut Cursor<'_>) -> Parse<Vec<String>> {
    cursor.space()?;
    let names = cursor.list(limits::HEADER_NAMES_MAX, |cursor| {
        let name = cursor.astring_utf8()?;
        // RFC 5322 §2.2 ftext; anything else could never match.
        if !name.is_empty()
            && name
                .bytes()
                .all(|byte| matches!(byte, 0x21..=0x7e) && byte != b':')
        {
            Ok(name)
        } else {
            Err(Fault::Arguments)
        }
    })?;
    if names.is_empty() {
        Err(Fault::Arguments)
    } else {
        Ok(names)
    }
}

fn section_binary(cursor: &mut Cursor<'_>) -> Parse<Vec<u32>> {
    cursor.expect(b'[')?;
    let part = part(cursor)?;
    cursor.expect(b']')?;
    Ok(part)
}

/// Numbers with dots between; a dot that no number follows is left for what comes next.
fn part(cursor: &mut Cursor<'_>) -> Parse<Vec<u32>> {
    let mut part = Vec::new();
    if !cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        return Ok(part);
    }
    loop {
        if part.len() == limits::PART_DEPTH_MAX {
            return Err(Fault::TooMuch);
        }
        part.push(cursor.number_nonzero()?);
        let mut ahead = *cursor;
        if !ahead.skip(b'.') || !ahead.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Ok(part);
        }
        *cursor = ahead;
    }
}

fn partial(cursor: &mut Cursor<'_>) -> Parse<Option<Partial>> {
    if !cursor.skip(b'<') {
        return Ok(None);
    }
    let offset = cursor.number64()?;
    cursor.expect(b'.')?;
    let count = cursor.number64()?;
    cursor.expect(b'>')?;
    if count == 0 {
        return Err(Fault::Arguments);
    }
    Ok(Some(Partial { offset, count }))
}
