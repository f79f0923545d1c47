//! What FETCH items mean as bytes of one stored message (RFC 9051 §6.4.5).
//!
//! A message is its copy's prefix and then the body; a range of it is at most two pieces. Small
//! content is read here, large content is left to be streamed. Blocking: runs off the runtime's
//! threads.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use facteur_imap::command::{FetchAttribute, Partial, Section, SectionText};
use facteur_imap::structure::{self, StructurePrinter};
use facteur_message::decode::PartDecoder;
use facteur_message::{DecodeError, Encoding, Envelope, Facts, Part, Scanner, Span};
use facteur_store::{AccountId, Bodies, Error, Message};

use super::limits::{HEADER_BYTES_MAX, INLINE_BYTES_MAX};
use super::link::Source;
use super::{header, object_id};
use crate::limits::STREAM_BYTES;

/// One item, ready to be announced. Ranges are of the bytes that were gathered for it and for the
/// items before it.
#[derive(Debug)]
pub(super) enum Item {
    /// Taken from the index's row.
    Row,
    /// Printed already: ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW.
    Structure(Range<usize>),
    Content(Content),
    Binary {
        content: Content,
        nul: bool,
    },
    Size(u64),
    /// Seconds since 1970.
    SaveDate(i64),
    ObjectId(String),
}

#[derive(Debug)]
pub(super) enum Content {
    /// There is no such part.
    Nil,
    Held(Range<usize>),
    Streamed(Box<Streamed>),
}

/// Content that is too large to be held.
#[derive(Debug)]
pub(super) struct Streamed {
    /// What comes before.
    pub(super) held: Range<usize>,
    pub(super) source: Source,
    pub(super) range: Range<u64>,
}

/// Why an item can't be given.
#[derive(Debug)]
pub(super) enum Problem {
    Store(Error),
    /// RFC 9051 §6.4.5: BINARY of an encoding that nobody knows.
    UnknownEncoding,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem::Store(error)
    }
}

/// A message to be looked into. `B`: how its facts and its prefix are held.
pub(super) struct Logical<'a, B = Arc<[u8]>> {
    bodies: &'a Bodies<'a>,
    /// `None`: the reader may not know its thread.
    threads_of: Option<AccountId>,
    message: Message<B>,
    facts: OnceCell<Facts>,
    piece: RefCell<Piece>,
}

/// What was read last of a body: the parts of a message lie side by side, and are packed as one.
#[derive(Default)]
struct Piece {
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn has(&self, at: u64) -> bool {
        at.checked_sub(self.start)
            .is_some_and(|at| at < self.bytes.len() as u64)
    }

    /// The bytes from one place up to another, as far as they are held.
    fn within(&self, at: u64, end: u64) -> &[u8] {
        let place = |at: u64| {
            let at = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
            at.min(self.bytes.len())
        };
        self.bytes.get(place(at)..place(end)).unwrap_or_default()
    }
}

impl<'a, B: AsRef<[u8]>> Logical<'a, B> {
    pub(super) fn new(
        bodies: &'a Bodies<'a>,
        threads_of: Option<AccountId>,
        message: Message<B>,
    ) -> Self {
        Logical {
            bodies,
            threads_of,
            message,
            facts: OnceCell::new(),
            piece: RefCell::default(),
        }
    }

    pub(super) fn message(&self) -> &Message<B> {
        &self.message
    }

    pub(super) fn email_id(&self) -> String {
        object_id::email_id(&self.message, self.threads_of.is_some())
    }

    pub(super) fn thread_id(&self) -> Option<String> {
        let account = self.threads_of?;
        Some(object_id::thread_id(account, &self.message))
    }

    /// Decoded when first asked for.
    pub(super) fn facts(&self) -> Result<&Facts, Error> {
        match self.facts.get() {
            Some(facts) => Ok(facts),
            None => {
                let facts = facts(self.bodies, &self.message)?;
                Ok(self.facts.get_or_init(|| facts))
            }
        }
    }

    /// The facts, their structure perhaps left out.
    pub(super) fn head(&self) -> Result<Cow<'_, Facts>, Error> {
        match (
            self.facts.get(),
            Facts::decode_head(self.message.facts.as_ref()),
        ) {
            (None, Ok(mut head)) => {
                head.complete(self.message.prefix.as_ref());
                Ok(Cow::Owned(head))
            }
            _ => Ok(Cow::Borrowed(self.facts()?)),
        }
    }

    fn prefix_len(&self) -> u64 {
        self.message.prefix.as_ref().len() as u64
    }

    pub(super) fn size(&self) -> u64 {
        self.prefix_len() + self.message.body_size
    }

    /// What the item is a range of goes to the end of `out`.
    pub(super) fn item(
        &self,
        attribute: &FetchAttribute,
        printer: &mut StructurePrinter,
        out: &mut Vec<u8>,
    ) -> Result<Item, Problem> {
        let (start, form) = (out.len(), printer.form());
        let facts = self.message.facts.as_ref();
        match attribute {
            FetchAttribute::Uid
            | FetchAttribute::Flags
            | FetchAttribute::InternalDate
            | FetchAttribute::Rfc822Size
            | FetchAttribute::ModSeq => return Ok(Item::Row),
            FetchAttribute::SaveDate => return Ok(Item::SaveDate(self.message.save_date)),
            FetchAttribute::EmailId => return Ok(Item::ObjectId(self.email_id())),
            FetchAttribute::ThreadId => {
                let nil = Item::Content(Content::Nil);
                return Ok(self.thread_id().map_or(nil, Item::ObjectId));
            }
            FetchAttribute::Envelope => match Envelope::stored(facts) {
                Ok(Some(envelope)) => structure::envelope(out, &envelope, form),
                _ => structure::envelope(out, &self.head()?.envelope, form),
            },
            FetchAttribute::Body => {
                self.structure(|facts| printer.body(out, facts))?;
            }
            FetchAttribute::BodyStructure => {
                self.structure(|facts| printer.body_structure(out, facts))?;
            }
            FetchAttribute::Preview => structure::preview(out, &self.head()?.preview, form),
            FetchAttribute::Rfc822 => {
                return Ok(Item::Content(self.content(0..self.size(), None, out)?));
            }
            FetchAttribute::Rfc822Header => {
                return Ok(Item::Content(self.content(self.header()?, None, out)?));
            }
            FetchAttribute::Rfc822Text => {
                return Ok(Item::Content(self.content(self.text()?, None, out)?));
            }
            FetchAttribute::Section {
                section, partial, ..
            } => return Ok(Item::Content(self.section(section, *partial, out)?)),
            FetchAttribute::Binary { part, partial, .. } => {
                let content = self.binary(part, *partial, out)?;
                let nul = has_nul(&content, out);
                return Ok(Item::Binary { content, nul });
            }
            FetchAttribute::BinarySize { part } => return self.binary_size(part),
        }
        Ok(Item::Structure(start..out.len()))
    }

    /// `print`: from encoded facts. Read anew from the body when those that are stored can't be.
    fn structure(
        &self,
        mut print: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), Error> {
        if print(self.message.facts.as_ref()).is_ok() {
            return Ok(());
        }
        print(&self.facts()?.encode()).map_err(|error| Error::Damaged {
            place: "a message's structure".to_owned(),
            what: error.to_string(),
        })
    }

    /// The header with its blank line; the prefix is its beginning.
    pub(super) fn header(&self) -> Result<Range<u64>, Error> {
        Ok(0..self.prefix_len() + self.facts()?.header_end())
    }

    fn text(&self) -> Result<Range<u64>, Error> {
        Ok(self.header()?.end.min(self.size())..self.size())
    }

    fn span(&self, span: Span) -> Range<u64> {
        let start = self.prefix_len() + span.start;
        start..start.max(self.prefix_len() + span.end)
    }

    fn section(
        &self,
        section: &Section,
        partial: Option<Partial>,
        out: &mut Vec<u8>,
    ) -> Result<Content, Error> {
        if section.part.is_empty() && section.text == SectionText::All {
            return self.content(0..self.size(), partial, out);
        }
        let Some(part) = self.facts()?.section(&section.part) else {
            return Ok(Content::Nil);
        };
        // The header and text meant: of the whole, or of a message inside (RFC 9051 §6.4.5.1).
        let inner = if section.part.is_empty() {
            Some((self.header()?, self.text()?))
        } else {
            part.nested()
                .map(|nested| (self.span(nested.root.header), self.span(nested.root.body)))
        };
        match (&section.text, inner) {
            (SectionText::All, _) => self.content(self.span(part.body), partial, out),
            (SectionText::Mime, _) => self.content(self.span(part.header), partial, out),
            (SectionText::Header, Some((header, _))) => self.content(header, partial, out),
            (SectionText::Text, Some((_, text))) => self.content(text, partial, out),
            (SectionText::HeaderFields(names), Some((header, _))) => {
                let picked = header::pick(&self.read_header(header)?, names, false);
                Ok(held(cut(&picked, partial), out))
            }
            (SectionText::HeaderFieldsNot(names), Some((header, _))) => {
                let picked = header::pick(&self.read_header(header)?, names, true);
                Ok(held(cut(&picked, partial), out))
            }
            (_, None) => Ok(Content::Nil),
        }
    }

    /// A header block, as far as anybody looks at it.
    pub(super) fn read_header(&self, header: Range<u64>) -> Result<Vec<u8>, Error> {
        let end = header
            .end
            .min(header.start.saturating_add(HEADER_BYTES_MAX));
        let mut block = Vec::new();
        self.read(header.start..end, &mut block)?;
        Ok(block)
    }

    fn content(
        &self,
        range: Range<u64>,
        partial: Option<Partial>,
        out: &mut Vec<u8>,
    ) -> Result<Content, Error> {
        let range = clip(range, partial);
        let start = out.len();
        if range.end - range.start <= INLINE_BYTES_MAX {
            self.read(range, out)?;
            return Ok(Content::Held(start..out.len()));
        }
        let (prefix, range) = self.split(range);
        out.extend_from_slice(prefix);
        Ok(Content::Streamed(Box::new(Streamed {
            held: start..out.len(),
            source: Source::Body(self.message.blob),
            range,
        })))
    }

    /// Bytes of the prefix, and the range of the body.
    fn split(&self, range: Range<u64>) -> (&[u8], Range<u64>) {
        let len = self.prefix_len();
        let at = |at: u64| usize::try_from(at.min(len)).unwrap_or(usize::MAX);
        let prefix = self
            .message
            .prefix
            .as_ref()
            .get(at(range.start)..at(range.end))
            .unwrap_or_default();
        let body = range.start.saturating_sub(len)..range.end.saturating_sub(len);
        (prefix, body)
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), Error> {
        let (prefix, body) = self.split(range.start..range.end.min(self.size()));
        out.extend_from_slice(prefix);
        self.bodies.read(self.message.blob, body, out)
    }

    /// Body bytes in pieces, until `each` says that it has enough.
    pub(super) fn read_body(
        &self,
        range: Range<u64>,
        each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Error> {
        let mut piece = self.piece.take();
        let end = range.end.min(self.message.body_size);
        let mut at = range.start;
        while at < end {
            if !piece.has(at) {
                piece.start = at - at % STREAM_BYTES;
                piece.bytes.clear();
                let whole = piece.start..piece.start.saturating_add(STREAM_BYTES);
                self.bodies
                    .read(self.message.blob, whole, &mut piece.bytes)?;
            }
            let held = piece.within(at, end);
            at += held.len() as u64;
            if held.is_empty() || !each(held) {
                break;
            }
        }
        self.piece.replace(piece);
        Ok(())
    }

    fn binary(
        &self,
        path: &[u32],
        partial: Option<Partial>,
        out: &mut Vec<u8>,
    ) -> Result<Content, Problem> {
        let Some((range, encoding)) = self.encoded(path)? else {
            return Ok(Content::Nil);
        };
        if encoding == Encoding::Identity {
            return Ok(self.content(range, partial, out)?);
        }
        let decoded = self.decode(range.clone(), encoding)?;
        if let Some(bytes) = decoded.bytes {
            return Ok(held(cut(&bytes, partial), out));
        }
        let source = Source::Decoded {
            blob: self.message.blob,
            span: Span {
                start: range.start.saturating_sub(self.prefix_len()),
                end: range.end.saturating_sub(self.prefix_len()),
            },
            encoding,
        };
        Ok(Content::Streamed(Box::new(Streamed {
            held: out.len()..out.len(),
            source,
            range: clip(0..decoded.size, partial),
        })))
    }

    fn binary_size(&self, path: &[u32]) -> Result<Item, Problem> {
        Ok(match self.encoded(path)? {
            None => Item::Size(0),
            Some((range, Encoding::Identity)) => Item::Size(range.end - range.start),
            Some((range, encoding)) => Item::Size(self.decode(range, encoding)?.size),
        })
    }

    /// The content of a part and what must be undone. Multiparts and messages are as they are.
    fn encoded(&self, path: &[u32]) -> Result<Option<(Range<u64>, Encoding)>, Problem> {
        if path.is_empty() {
            return Ok(Some((0..self.size(), Encoding::Identity)));
        }
        let Some(part) = self.facts()?.section(path) else {
            return Ok(None);
        };
        match encoding(part) {
            Encoding::Unknown => Err(Problem::UnknownEncoding),
            encoding => Ok(Some((self.span(part.body), encoding))),
        }
    }

    fn decode(&self, range: Range<u64>, encoding: Encoding) -> Result<Decoded, Error> {
        let (_, body) = self.split(range);
        let mut decoder = PartDecoder::new(encoding);
        let mut decoded = Decoded {
            size: 0,
            bytes: Some(Vec::new()),
        };
        let mut piece = Vec::new();
        self.read_body(body, &mut |bytes| {
            decoder.push(bytes, &mut piece);
            decoded.take(&mut piece);
            true
        })?;
        decoder.finish(&mut piece);
        decoded.take(&mut piece);
        Ok(decoded)
    }
}

/// Content without its transfer encoding: how long it is, and itself when it is small.
struct Decoded {
    size: u64,
    bytes: Option<Vec<u8>>,
}

impl Decoded {
    fn take(&mut self, piece: &mut Vec<u8>) {
        self.size += piece.len() as u64;
        if self.size > INLINE_BYTES_MAX {
            self.bytes = None;
        }
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(piece);
        }
        piece.clear();
    }
}

/// Only leaves are encoded (RFC 2045 §6.4).
pub(super) fn encoding(part: &Part) -> Encoding {
    match part.content {
        facteur_message::PartBody::Leaf => part.encoding(),
        facteur_message::PartBody::Multipart(_) | facteur_message::PartBody::Message(_) => {
            Encoding::Identity
        }
    }
}

/// What is streamed unseen may hold a NUL: literal8 is right for both.
fn has_nul(content: &Content, out: &[u8]) -> bool {
    match content {
        Content::Nil => false,
        Content::Held(at) => out.get(at.clone()).unwrap_or_default().contains(&0),
        Content::Streamed(_) => true,
    }
}

fn held(bytes: &[u8], out: &mut Vec<u8>) -> Content {
    let start = out.len();
    out.extend_from_slice(bytes);
    Content::Held(start..out.len())
}

fn clip(range: Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(partial) = partial else { return range };
    let wanted = partial.range(range.end - range.start);
    range.start + wanted.start..range.start + wanted.end
}

fn cut(bytes: &[u8], partial: Option<Partial>) -> &[u8] {
    let range = clip(0..bytes.len() as u64, partial);
    let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    bytes
        .get(at(range.start)..at(range.end))
        .unwrap_or_default()
}

/// The stored facts, with what submission added in front of the body.
fn facts<B: AsRef<[u8]>>(bodies: &Bodies<'_>, message: &Message<B>) -> Result<Facts, Error> {
    let mut facts = body_facts(bodies, message)?;
    facts.complete(message.prefix.as_ref());
    Ok(facts)
}

/// Read anew from the body when what is stored is of another version or damaged.
fn body_facts<B: AsRef<[u8]>>(bodies: &Bodies<'_>, message: &Message<B>) -> Result<Facts, Error> {
    if let Ok(facts) = Facts::decode(message.facts.as_ref()) {
        return Ok(facts);
    }
    let mut scanner = Scanner::new();
    let mut piece = Vec::new();
    let mut at = 0;
    while at < message.body_size {
        let end = message.body_size.min(at + STREAM_BYTES);
        piece.clear();
        bodies.read(message.blob, at..end, &mut piece)?;
        scanner.push(&piece);
        at = end;
    }
    Ok(scanner.finish())
}
