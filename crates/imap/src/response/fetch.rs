//! FETCH responses, RFC 9051 §7.5.2: printed where the messages are read, and said by the session in one go.

use std::ops::Range;

use super::output::Queue;
use super::token::{self, flags, number, number32, word};
use crate::command::{Section, SectionText};
use crate::flag::FlagList;

/// One item of a FETCH answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FetchItem<'a> {
    Uid(u32),
    Flags(FlagList<'a>),
    /// Seconds since 1970.
    InternalDate(i64),
    Rfc822Size(u64),
    ModSeq(u64),
    /// Seconds since 1970.
    SaveDate(i64),
    EmailId(&'a str),
    ThreadId(&'a str),
    /// RFC 8474 §5.2: NIL.
    NoThreadId,
    /// Rendered by [`crate::structure`].
    Envelope(&'a [u8]),
    Body(&'a [u8]),
    BodyStructure(&'a [u8]),
    Rfc822(Data<'a>),
    Rfc822Header(Data<'a>),
    Rfc822Text(Data<'a>),
    Section {
        section: &'a Section,
        /// Of the partial that was asked for.
        offset: Option<u64>,
        data: Data<'a>,
    },
    Binary {
        part: &'a [u32],
        offset: Option<u64>,
        data: Data<'a>,
        /// May hold NUL: printed as literal8.
        nul: bool,
    },
    BinarySize {
        part: &'a [u32],
        size: u64,
    },
    /// Rendered by [`crate::structure`].
    Preview(&'a [u8]),
}

/// Content of a message in an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Data<'a> {
    /// There is no such part.
    Nil,
    /// One after the other, a single string for the client. No piece: the empty string.
    Pieces(&'a [Piece<'a>]),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    Bytes(&'a [u8]),
    Stored(Stored),
}

/// Bytes that the driver streams itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What the driver gave to know the body again.
    pub handle: u64,
    /// Bytes of it. The length is announced to the client: exactly so many must follow.
    pub range: Range<u64>,
}

/// Responses to be said: from [`crate::Session::fetched`], for [`crate::Session::say_fetched`].
#[derive(Debug)]
pub struct Fetched {
    queue: Queue,
    uid_only: bool,
}

impl Fetched {
    /// `bytes`: what is expected.
    pub(crate) fn new(uid_only: bool, bytes: usize) -> Self {
        Fetched {
            queue: Queue::with_capacity(bytes),
            uid_only,
        }
    }

    pub(crate) fn into_queue(self) -> Queue {
        self.queue
    }

    /// Begins the response about one message; `items` come.
    pub fn message(&mut self, sequence: u32, uid: u32, items: usize) -> FetchedMessage<'_> {
        open(sequence, uid, self.uid_only, self.queue.bytes());
        FetchedMessage {
            queue: &mut self.queue,
            // It is in front already; only the grammar needs an item.
            skips_uid: self.uid_only && items > 1,
            separator: false,
        }
    }

    /// Bytes printed, streamed ones apart.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// A response under way.
#[must_use = "it has to be ended"]
pub struct FetchedMessage<'a> {
    queue: &'a mut Queue,
    skips_uid: bool,
    separator: bool,
}

impl FetchedMessage<'_> {
    /// The next item, in the order asked.
    pub fn item(&mut self, item: &FetchItem<'_>) {
        if !(self.skips_uid && matches!(item, FetchItem::Uid(_))) {
            print(item, &mut self.separator, self.queue);
        }
    }

    pub fn end(self) {
        self.queue.bytes().extend_from_slice(b")\r\n");
    }
}

/// UIDFETCH under UIDONLY, RFC 9586 §3.
pub(super) fn open(sequence: u32, uid: u32, uid_only: bool, out: &mut Vec<u8>) {
    let (number, name): (u32, &[u8]) = match uid_only {
        true => (uid, b" UIDFETCH ("),
        false => (sequence, b" FETCH ("),
    };
    out.extend_from_slice(b"* ");
    number32(number, out);
    out.extend_from_slice(name);
}

fn print(item: &FetchItem<'_>, separator: &mut bool, queue: &mut Queue) {
    let out = queue.bytes();
    match item {
        FetchItem::Uid(uid) => {
            word("UID ", separator, out);
            number32(*uid, out);
        }
        FetchItem::Flags(list) => fetch_flags(list, separator, out),
        FetchItem::InternalDate(seconds) => {
            word("INTERNALDATE ", separator, out);
            crate::date::write_date_time(*seconds, out);
        }
        FetchItem::Rfc822Size(size) => {
            word("RFC822.SIZE ", separator, out);
            number(*size, out);
        }
        FetchItem::SaveDate(seconds) => {
            word("SAVEDATE ", separator, out);
            crate::date::write_date_time(*seconds, out);
        }
        FetchItem::EmailId(id) => object_id("EMAILID (", id, separator, out),
        FetchItem::ThreadId(id) => object_id("THREADID (", id, separator, out),
        FetchItem::NoThreadId => word("THREADID NIL", separator, out),
        FetchItem::ModSeq(modseq) => {
            word("MODSEQ (", separator, out);
            number(*modseq, out);
            out.push(b')');
        }
        FetchItem::Envelope(rendered) => rendered_item("ENVELOPE ", rendered, separator, out),
        FetchItem::Body(rendered) => rendered_item("BODY ", rendered, separator, out),
        FetchItem::BodyStructure(rendered) => {
            rendered_item("BODYSTRUCTURE ", rendered, separator, out);
        }
        FetchItem::Preview(rendered) => rendered_item("PREVIEW ", rendered, separator, out),
        FetchItem::Rfc822(content) => named_data("RFC822 ", content, separator, queue),
        FetchItem::Rfc822Header(content) => {
            named_data("RFC822.HEADER ", content, separator, queue);
        }
        FetchItem::Rfc822Text(content) => named_data("RFC822.TEXT ", content, separator, queue),
        FetchItem::Section {
            section: wanted,
            offset,
            data: content,
        } => {
            word("BODY[", separator, out);
            section(wanted, out);
            bracket_end(*offset, out);
            out.push(b' ');
            data(content, false, queue);
        }
        FetchItem::Binary {
            part,
            offset,
            data: content,
            nul,
        } => {
            word("BINARY[", separator, out);
            token::part(part, out);
            bracket_end(*offset, out);
            out.push(b' ');
            data(content, *nul, queue);
        }
        FetchItem::BinarySize { part, size } => {
            word("BINARY.SIZE[", separator, out);
            token::part(part, out);
            out.extend_from_slice(b"] ");
            number(*size, out);
        }
    }
}

/// RFC 8474 §5.3.
fn object_id(name: &str, id: &str, separator: &mut bool, out: &mut Vec<u8>) {
    word(name, separator, out);
    out.extend_from_slice(id.as_bytes());
    out.push(b')');
}

fn fetch_flags(list: &FlagList<'_>, separator: &mut bool, out: &mut Vec<u8>) {
    word("FLAGS ", separator, out);
    flags(list, out);
}

fn rendered_item(name: &str, rendered: &[u8], separator: &mut bool, out: &mut Vec<u8>) {
    word(name, separator, out);
    out.extend_from_slice(rendered);
}

fn named_data(name: &str, content: &Data<'_>, separator: &mut bool, queue: &mut Queue) {
    word(name, separator, queue.bytes());
    data(content, false, queue);
}

fn bracket_end(offset: Option<u64>, out: &mut Vec<u8>) {
    out.push(b']');
    if let Some(offset) = offset {
        out.push(b'<');
        number(offset, out);
        out.push(b'>');
    }
}

fn section(section: &Section, out: &mut Vec<u8>) {
    token::part(&section.part, out);
    if !section.part.is_empty() && section.text != SectionText::All {
        out.push(b'.');
    }
    match &section.text {
        SectionText::All => {}
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::HeaderFields(names) => header_names("HEADER.FIELDS (", names, out),
        SectionText::HeaderFieldsNot(names) => header_names("HEADER.FIELDS.NOT (", names, out),
    }
}

fn header_names(name: &str, names: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    let mut separator = false;
    for name in names {
        word("", &mut separator, out);
        token::astring(name.as_bytes(), out);
    }
    out.push(b')');
}

/// NIL, or a literal whose bytes the driver may have to stream.
fn data(data: &Data<'_>, literal8: bool, queue: &mut Queue) {
    let pieces = match data {
        Data::Nil => return queue.bytes().extend_from_slice(b"NIL"),
        Data::Pieces(pieces) => *pieces,
    };
    let length = pieces.iter().map(Piece::len).sum();
    token::literal_header(length, literal8, queue.bytes());
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => queue.bytes().extend_from_slice(bytes),
            Piece::Stored(stored) => queue.push_stored(stored.clone()),
        }
    }
}

impl Piece<'_> {
    /// Bytes.
    pub fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Stored(stored) => stored.range.end.saturating_sub(stored.range.start),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
