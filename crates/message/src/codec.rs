//! Facts as bytes: a version, the head (all but the structure) as one byte string, the structure.
//! Both are varints (LEB128) and length-prefixed byte strings. Read by this version and the ones
//! after it; what cannot be read is rebuilt from the message.
//!
//! The order is for those who read one thing of many messages: the structure is found without a
//! look at the head, and the envelope is near the head's beginning. What a part says of itself is
//! one byte string, so that those who have seen the same before need not read it.
//!
//! Part offsets are written relative to the end of what was written before, so that most take
//! one or two bytes.

use crate::facts::{
    Address, DecodeError, Degraded, Disposition, Envelope, Facts, HeaderFacts, Nested, Param, Part,
    PartBody, Sent,
};
use crate::limits::{DEPTH_MAX, PARTS_MAX};

const VERSION: u8 = 3;

impl Facts {
    /// Versioned, compact. Inverse of [`Facts::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut head = Writer::default();
        head.facts(self);
        let mut out = Writer(vec![VERSION]);
        out.bytes(&head.0);
        out.part(&self.root, 0);
        out.0
    }

    /// Allocates in proportion to the input, and never more parts or levels than the scanner
    /// makes.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are of an unknown version or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Facts, DecodeError> {
        Ok(Facts {
            root: Reader::after_head(bytes)?.root()?,
            ..Facts::decode_head(bytes)?
        })
    }

    /// The same without the structure: `root` is an empty part.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are of an unknown version or damaged.
    pub fn decode_head(bytes: &[u8]) -> Result<Facts, DecodeError> {
        let mut input = Reader::of_head(bytes)?;
        let facts = input.facts()?;
        input.end()?;
        Ok(facts)
    }
}

impl<'a> Envelope<&'a [u8]> {
    /// The envelope alone, of stored facts and borrowed from them, for those of many messages.
    /// `None`: its message has no Date or no Message-ID of its own, see [`Facts::complete`].
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are of an unknown version or damaged.
    pub fn stored(facts: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let mut input = Reader::of_head(facts)?;
        input.begin()?;
        let header = input.header()?;
        if !header.has_date || !header.has_message_id {
            return Ok(None);
        }
        input.envelope().map(Some)
    }
}

/// The structure alone, of stored facts and borrowed from them: part after part, each before those
/// inside it.
pub struct StoredParts<'a>(Reader<'a>);

/// A part of [`StoredParts`].
pub struct StoredPart<'a> {
    /// Bytes and line ends of the body.
    pub body_len: u64,
    pub body_lines: u64,
    pub said: Said<'a>,
    pub content: StoredContent<'a>,
}

/// What a part says of itself: all fields of a [`Part`] but what its body is. Equal bytes say the
/// same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Said<'a>(&'a [u8]);

/// [`PartBody`], where what is inside comes next.
pub enum StoredContent<'a> {
    Leaf,
    /// So many parts, each with what is inside it.
    Multipart(u64),
    /// The envelope of the message inside; its root comes next.
    Message(Envelope<&'a [u8]>),
}

impl<'a> StoredParts<'a> {
    /// # Errors
    /// [`DecodeError`] when the bytes are of an unknown version.
    pub fn of(facts: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::after_head(facts).map(StoredParts)
    }

    /// `depth`: how many parts it is inside of.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are damaged, or say more parts or levels than the scanner
    /// makes.
    pub fn read(&mut self, depth: u32) -> Result<StoredPart<'a>, DecodeError> {
        let input = &mut self.0;
        let start = input.part_start(depth)?;
        Ok(StoredPart {
            body_len: start.body_len,
            body_lines: start.body_lines,
            said: start.said,
            content: match start.bits & SHAPE_BITS {
                LEAF => StoredContent::Leaf,
                MULTIPART => StoredContent::Multipart(input.number()?),
                MESSAGE => StoredContent::Message(input.envelope()?),
                _ => return Err(DecodeError),
            },
        })
    }

    /// # Errors
    /// [`DecodeError`] when something is left.
    pub fn end(self) -> Result<(), DecodeError> {
        self.0.end()
    }
}

impl<'a> Said<'a> {
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// As a part without a body.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are damaged.
    pub fn read<B: From<&'a [u8]> + Default>(self) -> Result<Part<B>, DecodeError> {
        let mut input = Reader {
            rest: self.0,
            parts: 0,
        };
        let part = input.said()?;
        input.end()?;
        Ok(part)
    }
}

/// How a part begins: a body of one of three shapes, and what is in it.
const SHAPE_BITS: u64 = 3;
const LEAF: u64 = 0;
const MULTIPART: u64 = 1;
const MESSAGE: u64 = 2;
const HAS_NUL: u64 = 4;
const HAS_8BIT: u64 = 8;

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0
                .push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }

    fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn fixed(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// 0: none; else length plus one, bytes.
    fn optional(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.number(0),
            Some(value) => {
                self.number(value.len() as u64 + 1);
                self.0.extend_from_slice(value);
            }
        }
    }

    /// All but the structure.
    fn facts(&mut self, facts: &Facts) {
        self.number(facts.size);
        self.number(u64::from(facts.degraded.0));
        self.number(
            u64::from(facts.has_attachment)
                | (u64::from(facts.subject_is_reply) << 1)
                | (u64::from(facts.has_8bit) << 2)
                | (u64::from(facts.has_nul) << 3),
        );
        self.header(&facts.header);
        self.envelope(&facts.envelope);
        self.bytes(facts.preview.as_bytes());
        self.fixed(facts.subject_key);
        self.number(facts.thread_keys.len() as u64);
        for key in &facts.thread_keys {
            self.fixed(*key);
        }
    }

    fn header(&mut self, header: &HeaderFacts) {
        let flags = [
            header.has_date,
            header.has_message_id,
            header.has_mime_version,
            header.auto_submitted,
            header.is_bulk,
            header.has_8bit,
            header.has_garbage,
            header.sent.is_some(),
            header.tls_optional,
        ];
        let bits = flags
            .iter()
            .rev()
            .fold(0, |bits, flag| (bits << 1) | u64::from(*flag));
        self.number(bits);
        self.number(u64::from(header.fields));
        self.number(u64::from(header.from_count));
        self.number(u64::from(header.sender_count));
        self.number(u64::from(header.received_count));
        self.number(header.delivered_to.len() as u64);
        for address in &header.delivered_to {
            self.bytes(address);
        }
        if let Some(sent) = header.sent {
            self.signed(sent.unix);
            self.signed(i64::from(sent.offset_minutes));
        }
    }

    fn envelope(&mut self, envelope: &Envelope) {
        self.optional(envelope.date.as_deref());
        self.optional(envelope.subject.as_deref());
        self.optional(envelope.in_reply_to.as_deref());
        self.optional(envelope.message_id.as_deref());
        for list in [
            &envelope.from,
            &envelope.sender,
            &envelope.reply_to,
            &envelope.to,
            &envelope.cc,
            &envelope.bcc,
        ] {
            self.number(list.len() as u64);
            list.iter().for_each(|address| self.address(address));
        }
    }

    fn address(&mut self, address: &Address) {
        match address {
            Address::GroupEnd => self.number(0),
            Address::GroupStart(name) => {
                self.number(1);
                self.bytes(name);
            }
            Address::Mailbox {
                name,
                route,
                local,
                domain,
                broken,
            } => {
                self.number(2 | u64::from(*broken));
                for value in [name, route, local, domain] {
                    self.optional(value.as_deref());
                }
            }
        }
    }

    fn params(&mut self, params: &[Param]) {
        self.number(params.len() as u64);
        for param in params {
            self.bytes(&param.name);
            self.bytes(&param.value);
        }
    }

    /// Returns where the part ends.
    fn part(&mut self, part: &Part, base: u64) -> u64 {
        let shape = match &part.content {
            PartBody::Leaf => LEAF,
            PartBody::Multipart(_) => MULTIPART,
            PartBody::Message(_) => MESSAGE,
        };
        let bit = |set: bool, bit: u64| if set { bit } else { 0 };
        self.number(shape | bit(part.has_nul, HAS_NUL) | bit(part.has_8bit, HAS_8BIT));
        self.number(part.header.start.wrapping_sub(base));
        self.number(part.header.end.wrapping_sub(part.header.start));
        self.number(part.body.start.wrapping_sub(part.header.end));
        self.number(part.body.end.wrapping_sub(part.body.start));
        self.number(part.body_lines);
        self.number(part.body_bare_lf);
        let mut said = Writer::default();
        said.said(part);
        self.bytes(&said.0);
        match &part.content {
            PartBody::Leaf => {}
            PartBody::Multipart(parts) => {
                self.number(parts.len() as u64);
                let mut base = part.body.start;
                for child in parts {
                    base = self.part(child, base);
                }
            }
            PartBody::Message(nested) => {
                self.envelope(&nested.envelope);
                self.part(&nested.root, part.body.start);
            }
        }
        part.body.end
    }

    fn said(&mut self, part: &Part) {
        self.bytes(&part.kind);
        self.bytes(&part.subtype);
        self.params(&part.params);
        self.optional(part.id.as_deref());
        self.optional(part.description.as_deref());
        self.optional(part.encoding_name.as_deref());
        let has_more = part.disposition.is_some()
            || !part.language.is_empty()
            || part.location.is_some()
            || part.md5.is_some();
        if has_more {
            self.part_extension(part);
        }
    }

    fn part_extension(&mut self, part: &Part) {
        self.optional(part.md5.as_deref());
        self.optional(part.location.as_deref());
        self.number(part.language.len() as u64);
        part.language.iter().for_each(|tag| self.bytes(tag));
        self.optional(
            part.disposition
                .as_ref()
                .map(|disposition| disposition.kind.as_slice()),
        );
        if let Some(disposition) = &part.disposition {
            self.params(&disposition.params);
        }
    }
}

/// Lengths in bytes, as they are stored.
struct PartStart<'a> {
    bits: u64,
    /// From the end of what was before.
    before: u64,
    header_len: u64,
    between: u64,
    body_len: u64,
    body_lines: u64,
    body_bare_lf: u64,
    said: Said<'a>,
}

struct Reader<'a> {
    rest: &'a [u8],
    parts: u32,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Ok(Reader { rest, parts: 0 }),
            _ => Err(DecodeError),
        }
    }

    fn of_head(facts: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(facts)?;
        input.rest = input.bytes()?;
        Ok(input)
    }

    fn after_head(facts: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(facts)?;
        input.bytes::<&[u8]>()?;
        Ok(input)
    }

    fn end(&self) -> Result<(), DecodeError> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(DecodeError),
        }
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Most are of one byte.
    #[inline]
    fn number(&mut self) -> Result<u64, DecodeError> {
        match self.byte()? {
            byte if byte < 0x80 => Ok(u64::from(byte)),
            first => self.long_number(first),
        }
    }

    fn long_number(&mut self, first: u8) -> Result<u64, DecodeError> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError)
    }

    fn small(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| DecodeError)
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    fn fixed(&mut self) -> Result<u64, DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(DecodeError)?;
        self.rest = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    fn take<B: From<&'a [u8]>>(&mut self, length: u64) -> Result<B, DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError)?;
        self.rest = rest;
        Ok(taken.into())
    }

    fn bytes<B: From<&'a [u8]>>(&mut self) -> Result<B, DecodeError> {
        let length = self.number()?;
        self.take(length)
    }

    fn optional<B: From<&'a [u8]>>(&mut self) -> Result<Option<B>, DecodeError> {
        match self.number()? {
            0 => Ok(None),
            length => self.take(length - 1).map(Some),
        }
    }

    /// Every entry takes at least a byte, so the count is bounded by what is left.
    fn list<T>(
        &mut self,
        entry: impl Fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.number()?;
        if count > self.rest.len() as u64 {
            return Err(DecodeError);
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(entry(self)?);
        }
        Ok(entries)
    }

    /// What comes before the header: size, limits that were met, flags.
    fn begin(&mut self) -> Result<(u64, Degraded, u64), DecodeError> {
        let size = self.number()?;
        let degraded = Degraded(u16::try_from(self.number()?).map_err(|_| DecodeError)?);
        Ok((size, degraded, self.number()?))
    }

    /// All but the structure.
    fn facts(&mut self) -> Result<Facts, DecodeError> {
        let (size, degraded, flags) = self.begin()?;
        Ok(Facts {
            size,
            header: self.header()?,
            envelope: self.envelope()?,
            preview: String::from_utf8(self.bytes()?).map_err(|_| DecodeError)?,
            subject_key: self.fixed()?,
            thread_keys: self.list(Reader::fixed)?,
            root: Part::default(),
            subject_is_reply: flags & 2 != 0,
            has_attachment: flags & 1 != 0,
            has_8bit: flags & 4 != 0,
            has_nul: flags & 8 != 0,
            degraded,
        })
    }

    fn header(&mut self) -> Result<HeaderFacts, DecodeError> {
        let bits = self.number()?;
        let flag = |index: u32| bits & (1 << index) != 0;
        Ok(HeaderFacts {
            fields: self.small()?,
            from_count: self.small()?,
            sender_count: self.small()?,
            has_date: flag(0),
            has_message_id: flag(1),
            has_mime_version: flag(2),
            received_count: self.small()?,
            delivered_to: self.list(Reader::bytes)?,
            auto_submitted: flag(3),
            is_bulk: flag(4),
            has_8bit: flag(5),
            has_garbage: flag(6),
            tls_optional: flag(8),
            sent: if flag(7) { Some(self.sent()?) } else { None },
        })
    }

    fn sent(&mut self) -> Result<Sent, DecodeError> {
        Ok(Sent {
            unix: self.signed()?,
            offset_minutes: i16::try_from(self.signed()?).map_err(|_| DecodeError)?,
        })
    }

    fn envelope<B: From<&'a [u8]>>(&mut self) -> Result<Envelope<B>, DecodeError> {
        Ok(Envelope {
            date: self.optional()?,
            subject: self.optional()?,
            in_reply_to: self.optional()?,
            message_id: self.optional()?,
            from: self.list(Reader::address)?,
            sender: self.list(Reader::address)?,
            reply_to: self.list(Reader::address)?,
            to: self.list(Reader::address)?,
            cc: self.list(Reader::address)?,
            bcc: self.list(Reader::address)?,
        })
    }

    fn address<B: From<&'a [u8]>>(&mut self) -> Result<Address<B>, DecodeError> {
        Ok(match self.number()? {
            0 => Address::GroupEnd,
            1 => Address::GroupStart(self.bytes()?),
            bits @ (2 | 3) => Address::Mailbox {
                name: self.optional()?,
                route: self.optional()?,
                local: self.optional()?,
                domain: self.optional()?,
                broken: bits == 3,
            },
            _ => return Err(DecodeError),
        })
    }

    fn params<B: From<&'a [u8]>>(&mut self) -> Result<Vec<Param<B>>, DecodeError> {
        self.list(|input| {
            Ok(Param {
                name: input.bytes()?,
                value: input.bytes()?,
            })
        })
    }

    fn root<B: From<&'a [u8]> + Default>(mut self) -> Result<Part<B>, DecodeError> {
        let root = self.part(0, 0)?;
        self.end()?;
        Ok(root)
    }

    /// A part up to its content.
    fn part_start(&mut self, depth: u32) -> Result<PartStart<'a>, DecodeError> {
        self.parts += 1;
        if depth >= DEPTH_MAX || self.parts > PARTS_MAX {
            return Err(DecodeError);
        }
        Ok(PartStart {
            bits: self.number()?,
            before: self.number()?,
            header_len: self.number()?,
            between: self.number()?,
            body_len: self.number()?,
            body_lines: self.number()?,
            body_bare_lf: self.number()?,
            said: Said(self.bytes()?),
        })
    }

    fn part<B: From<&'a [u8]> + Default>(
        &mut self,
        base: u64,
        depth: u32,
    ) -> Result<Part<B>, DecodeError> {
        let start = self.part_start(depth)?;
        let mut part: Part<B> = start.said.read()?;
        part.header.start = base.wrapping_add(start.before);
        part.header.end = part.header.start.wrapping_add(start.header_len);
        part.body.start = part.header.end.wrapping_add(start.between);
        part.body.end = part.body.start.wrapping_add(start.body_len);
        part.body_lines = start.body_lines;
        part.body_bare_lf = start.body_bare_lf;
        part.has_nul = start.bits & HAS_NUL != 0;
        part.has_8bit = start.bits & HAS_8BIT != 0;
        part.content = self.content(start.bits & SHAPE_BITS, part.body.start, depth)?;
        Ok(part)
    }

    fn said<B: From<&'a [u8]> + Default>(&mut self) -> Result<Part<B>, DecodeError> {
        let mut part = Part {
            kind: self.bytes()?,
            subtype: self.bytes()?,
            params: self.params()?,
            id: self.optional()?,
            description: self.optional()?,
            encoding_name: self.optional()?,
            ..Part::default()
        };
        if !self.rest.is_empty() {
            self.part_extension(&mut part)?;
        }
        Ok(part)
    }

    fn part_extension<B: From<&'a [u8]>>(&mut self, part: &mut Part<B>) -> Result<(), DecodeError> {
        part.md5 = self.optional()?;
        part.location = self.optional()?;
        part.language = self.list(Reader::bytes)?;
        if let Some(kind) = self.optional()? {
            part.disposition = Some(Disposition {
                kind,
                params: self.params()?,
            });
        }
        Ok(())
    }

    fn content<B: From<&'a [u8]> + Default>(
        &mut self,
        shape: u64,
        start: u64,
        depth: u32,
    ) -> Result<PartBody<B>, DecodeError> {
        Ok(match shape {
            LEAF => PartBody::Leaf,
            MULTIPART => {
                let count = self.number()?;
                let mut parts: Vec<Part<B>> = Vec::new();
                let mut base = start;
                for _ in 0..count {
                    let child = self.part(base, depth + 1)?;
                    base = child.body.end;
                    parts.push(child);
                }
                PartBody::Multipart(parts)
            }
            MESSAGE => PartBody::Message(Box::new(Nested {
                envelope: self.envelope()?,
                root: self.part(start, depth + 1)?,
            })),
            _ => return Err(DecodeError),
        })
    }
}
