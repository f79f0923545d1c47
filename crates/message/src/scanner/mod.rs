//! The one-pass, push-based scanner: RFC 5322 §2, RFC 2045, RFC 2046 §5.
//!
//! Line by line, whatever the chunks: a line is held back only as long as it may still be a
//! header field or a boundary. Kept at any moment: one header field, the start of one line, the
//! open parts with their boundaries, the facts found so far.
//!
//! Damaged mail is read as Dovecot reads it, since that is what clients were tested against: a
//! boundary line is a prefix match, the longest one wins, and a boundary also ends a header.

mod fields;
mod preview;

use crate::facts::{Degraded, Encoding, Envelope, Facts, HeaderFacts, Nested, Part, PartBody};
use crate::limits::{
    BOUNDARY_BYTES_MAX, DEPTH_MAX, HEADER_BLOCK_BYTES_MAX, HEADER_FIELD_BYTES_MAX,
    HEADER_FIELDS_MAX, PARTS_MAX,
};
use fields::{Budget, Field, ThreadKeys};
use preview::Preview;

/// Bytes of a line that decide whether it is a boundary: `--`, boundary, `--`, CRLF.
const LINE_HEAD_BYTES_MAX: usize = BOUNDARY_BYTES_MAX + 6;

/// Takes a message's bytes in any chunks. Keeps no body text.
pub struct Scanner {
    at: Mark,
    last_was_cr: bool,
    /// In front of the line end that came last: what belongs to the boundary line after it is not
    /// the body's (RFC 2046 §5.1.1).
    before_newline: Mark,
    mode: Mode,
    /// The line being read, when it must be seen whole; its bytes are not in `at` yet.
    line: Vec<u8>,
    /// Innermost part last.
    open: Vec<Open>,
    /// How many of `open` wait for a boundary.
    boundaries: usize,
    parts: u32,
    has_8bit: bool,
    has_nul: bool,
    header: HeaderState,
    root_header: HeaderFacts,
    thread_keys: ThreadKeys,
    preview: Preview,
    budget: Budget,
}

/// A place in the message.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    offset: u64,
    /// Line ends before it.
    lines: u64,
    /// Bare LFs before it.
    bare_lf: u64,
}

impl Mark {
    /// The later one of two places.
    fn or_later(self, other: Mark) -> Mark {
        if other.offset > self.offset {
            other
        } else {
            self
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// In a header; `line` has the line so far.
    Header,
    /// The rest of a header line that is longer than anything we keep.
    HeaderRest,
    /// At the start of a body line.
    LineStart,
    /// In a body line that may be a boundary; `line` has it so far.
    Candidate,
    /// In a body line that is none.
    LineRest,
    /// Behind a boundary that a new part follows.
    BoundaryRest,
    /// Behind a boundary that was the last of its multipart.
    LastBoundaryRest,
}

/// A part that has not ended.
#[derive(Default)]
struct Open {
    part: Part,
    /// Set while the part is a multipart that waits for its boundary.
    boundary: Option<Vec<u8>>,
    children: Vec<Part>,
    /// Set for the root of a message.
    envelope: Option<Box<Envelope>>,
    nested: Option<Box<Nested>>,
    is_multipart: bool,
    is_mime: bool,
    has_content_type: bool,
    /// Content-Type is multipart/digest: parts are messages unless they say otherwise.
    is_digest: bool,
    header_start: Mark,
    body_start: Mark,
}

/// The header block being read.
#[derive(Default)]
struct HeaderState {
    fields: u32,
    field: Option<Field>,
    /// Value of `field`, unfolded.
    value: Vec<u8>,
    /// The line before may be continued.
    has_field: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    pub fn new() -> Self {
        let mut scanner = Scanner {
            at: Mark::default(),
            last_was_cr: false,
            before_newline: Mark::default(),
            mode: Mode::Header,
            line: Vec::new(),
            open: Vec::new(),
            boundaries: 0,
            parts: 0,
            has_8bit: false,
            has_nul: false,
            header: HeaderState::default(),
            root_header: HeaderFacts::default(),
            thread_keys: ThreadKeys::default(),
            preview: Preview::default(),
            budget: Budget::default(),
        };
        scanner.begin_part(Mark::default(), Some(Box::default()));
        scanner
    }

    /// The next bytes, any number of them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.has_8bit = self.has_8bit || !bytes.is_ascii();
        self.has_nul = self.has_nul || memchr::memchr(0, bytes).is_some();
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.boundaries == 0 && matches!(self.mode, Mode::LineStart | Mode::LineRest) {
                return self.opaque(rest);
            }
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.piece(piece);
            rest = after;
        }
    }

    /// There is no more.
    pub fn finish(mut self) -> Facts {
        match self.mode {
            Mode::Header if !self.line.is_empty() => self.header_line(),
            Mode::Candidate => self.candidate_line(),
            _ => {}
        }
        let end = self.at;
        self.close_to(0, end);
        self.preview.end();
        let mut root = self.open.pop().unwrap_or_default();
        root.end_body(end);
        self.into_facts(root)
    }

    /// A piece of a line: at most one LF, at its end.
    fn piece(&mut self, piece: &[u8]) {
        let ends = piece.ends_with(b"\n");
        match self.mode {
            Mode::Header => {
                let room = HEADER_FIELD_BYTES_MAX.saturating_sub(self.line.len());
                let (head, rest) = piece.split_at_checked(room).unwrap_or((piece, &[]));
                self.line.extend_from_slice(head);
                if head.ends_with(b"\n") {
                    self.header_line();
                } else if self.line.len() >= HEADER_FIELD_BYTES_MAX {
                    self.header_line();
                    if self.mode == Mode::Header {
                        self.mode = Mode::HeaderRest;
                    }
                    if !rest.is_empty() {
                        self.piece(rest);
                    }
                }
            }
            Mode::HeaderRest => {
                self.budget.degraded.insert(Degraded::HEADER_FIELD);
                self.advance(piece);
                if ends {
                    self.mode = Mode::Header;
                }
            }
            Mode::LineStart if piece.first() != Some(&b'-') => self.body_piece(piece),
            Mode::LineStart | Mode::Candidate => {
                self.mode = Mode::Candidate;
                let room = LINE_HEAD_BYTES_MAX.saturating_sub(self.line.len());
                let (head, rest) = piece.split_at_checked(room).unwrap_or((piece, &[]));
                self.line.extend_from_slice(head);
                let is_other = self.line.get(1).is_some_and(|byte| *byte != b'-');
                if ends || is_other || self.line.len() >= LINE_HEAD_BYTES_MAX {
                    self.candidate_line();
                    if !rest.is_empty() {
                        self.piece(rest);
                    }
                }
            }
            Mode::LineRest => self.body_piece(piece),
            Mode::BoundaryRest | Mode::LastBoundaryRest => self.boundary_piece(piece),
        }
    }

    fn boundary_piece(&mut self, piece: &[u8]) {
        self.advance(piece);
        if !piece.ends_with(b"\n") {
            return;
        }
        if self.mode == Mode::LastBoundaryRest {
            self.mode = Mode::LineStart;
        } else {
            let at = self.at;
            self.begin_part(at, None);
            if let Some(open) = self.open.last_mut() {
                open.is_mime = true;
            }
        }
    }

    /// Body text, at most one line of it.
    fn body_piece(&mut self, piece: &[u8]) {
        self.look_at(piece);
        self.advance(piece);
        self.mode = if piece.ends_with(b"\n") {
            Mode::LineStart
        } else {
            Mode::LineRest
        };
    }

    /// Body text in which no boundary can be.
    fn opaque(&mut self, bytes: &[u8]) {
        self.look_at(bytes);
        for newline in memchr::memchr_iter(b'\n', bytes) {
            let cr = match newline.checked_sub(1) {
                Some(index) => bytes.get(index) == Some(&b'\r'),
                None => self.last_was_cr,
            };
            self.at.lines += 1;
            self.at.bare_lf += u64::from(!cr);
        }
        self.at.offset = self.at.offset.saturating_add(bytes.len() as u64);
        self.last_was_cr = bytes.ends_with(b"\r");
    }

    fn look_at(&mut self, bytes: &[u8]) {
        if let Some(open) = self.open.last_mut() {
            open.part.has_8bit = open.part.has_8bit || !bytes.is_ascii();
            open.part.has_nul = open.part.has_nul || memchr::memchr(0, bytes).is_some();
        }
        self.preview.push(bytes);
    }

    /// Counts bytes with at most one LF, at their end.
    fn advance(&mut self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if bytes.ends_with(b"\n") {
            let cr = match bytes.len().checked_sub(2) {
                Some(index) => bytes.get(index) == Some(&b'\r'),
                None => self.last_was_cr,
            };
            self.before_newline = Mark {
                offset: (self.at.offset + length).saturating_sub(1 + u64::from(cr)),
                ..self.at
            };
            self.at.lines += 1;
            self.at.bare_lf += u64::from(!cr);
        }
        self.at.offset = self.at.offset.saturating_add(length);
        self.last_was_cr = bytes.ends_with(b"\r");
    }

    /// The innermost open multipart whose boundary `line` has. Prefix match, longest wins.
    fn boundary_of(&mut self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line
            .strip_suffix(b"\r")
            .unwrap_or(line)
            .strip_prefix(b"--")?;
        let without_dashes = line.strip_suffix(b"--").unwrap_or(line);
        let mut best: Option<(usize, &[u8])> = None;
        for (index, open) in self.open.iter().enumerate().rev() {
            let Some(boundary) = &open.boundary else {
                continue;
            };
            let longer = best.is_none_or(|(_, found)| found.len() < boundary.len());
            if !open.is_multipart || !longer || !line.starts_with(boundary) {
                continue;
            }
            best = Some((index, boundary));
            // Exactly it: "foo--" is the end of "foo" rather than a boundary "foo--".
            if boundary == line || boundary == without_dashes {
                break;
            }
        }
        let (index, boundary) = best?;
        if self.parts >= PARTS_MAX {
            self.budget.degraded.insert(Degraded::PARTS);
            return None;
        }
        let is_last = line
            .get(boundary.len()..)
            .is_some_and(|rest| rest.starts_with(b"--"));
        Some((index, is_last))
    }

    /// `line` is whole, or long enough to tell.
    fn candidate_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match self.boundary_of(&line) {
            Some((index, is_last)) => self.boundary_line(&line, index, is_last),
            None => self.body_piece(&line),
        }
        self.reuse(line);
    }

    fn reuse(&mut self, mut line: Vec<u8>) {
        line.clear();
        self.line = line;
    }

    fn boundary_line(&mut self, line: &[u8], index: usize, is_last: bool) {
        let end = self.before_newline;
        self.close_to(index, end);
        self.mode = if is_last {
            Mode::LastBoundaryRest
        } else {
            Mode::BoundaryRest
        };
        if is_last && let Some(open) = self.open.get_mut(index) {
            open.boundary = None;
            self.boundaries -= 1;
        }
        self.boundary_piece(line);
    }

    fn header_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let boundary = match self.boundaries {
            0 => None,
            _ => self.boundary_of(&line),
        };
        if let Some((index, is_last)) = boundary {
            self.boundary_line(&line, index, is_last);
            return self.reuse(line);
        }
        self.advance(&line);
        let ended = line.ends_with(b"\n");
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match text.first() {
            None if ended => {
                let at = self.at;
                self.end_header(at);
            }
            Some(b' ' | b'\t') if self.header.has_field => self.continue_field(text),
            _ => self.begin_field(text),
        }
        self.reuse(line);
    }

    fn begin_field(&mut self, text: &[u8]) {
        self.end_field();
        self.header.has_field = true;
        self.header.fields = self.header.fields.saturating_add(1);
        let is_root = self.open.len() == 1;
        if is_root {
            self.root_header.fields = self.header.fields;
            self.root_header.has_8bit |= !text.is_ascii();
        }
        let Some(colon) = memchr::memchr(b':', text) else {
            self.root_header.has_garbage |= is_root && !text.is_empty();
            return;
        };
        if self.header.fields > HEADER_FIELDS_MAX {
            return self.budget.degraded.insert(Degraded::HEADER_FIELDS);
        }
        if self.header_bytes() > HEADER_BLOCK_BYTES_MAX {
            return self.budget.degraded.insert(Degraded::HEADER_BLOCK);
        }
        let (name, value) = text.split_at_checked(colon).unwrap_or((text, &[]));
        let value = value.get(1..).unwrap_or_default();
        self.header.field = fields::by_name(name.trim_ascii_end());
        if self.header.field.is_some() {
            self.keep_value(value.trim_ascii_start());
        }
    }

    fn header_bytes(&self) -> u64 {
        let start = self.open.last().map_or(0, |open| open.part.header.start);
        self.at.offset.saturating_sub(start)
    }

    fn continue_field(&mut self, text: &[u8]) {
        if self.open.len() == 1 {
            self.root_header.has_8bit |= !text.is_ascii();
        }
        if self.header.field.is_none() {
            return;
        }
        if self.header_bytes() > HEADER_BLOCK_BYTES_MAX {
            return self.budget.degraded.insert(Degraded::HEADER_BLOCK);
        }
        // RFC 5322 §2.2.3: unfolding takes away the line end only. A tab counts as a space.
        match text.split_first() {
            Some((b'\t', rest)) => {
                self.keep_value(b" ");
                self.keep_value(rest);
            }
            _ => self.keep_value(text),
        }
    }

    fn keep_value(&mut self, text: &[u8]) {
        let room = HEADER_FIELD_BYTES_MAX.saturating_sub(self.header.value.len());
        let kept = text.get(..room).unwrap_or(text);
        if kept.len() < text.len() {
            self.budget.degraded.insert(Degraded::HEADER_FIELD);
        }
        self.header.value.extend_from_slice(kept);
    }

    fn end_field(&mut self) {
        let Some(field) = self.header.field.take() else {
            return;
        };
        let mut value = std::mem::take(&mut self.header.value);
        let is_root = self.open.len() == 1;
        if let Some(open) = self.open.last_mut() {
            match field {
                Field::ContentType => open.take_content_type(&value, &mut self.budget),
                Field::MimeVersion => open.is_mime = true,
                _ => {}
            }
            fields::content(&mut open.part, field, &value, &mut self.budget);
            if let Some(envelope) = &mut open.envelope {
                fields::envelope(envelope, field, &value, &mut self.budget);
            }
        }
        if is_root {
            fields::header(&mut self.root_header, field, &value, &mut self.budget);
            self.thread_keys.add(field, &value);
        }
        value.clear();
        self.header.value = value;
    }

    fn begin_part(&mut self, at: Mark, envelope: Option<Box<Envelope>>) {
        self.header = HeaderState::default();
        self.parts = self.parts.saturating_add(1);
        self.mode = Mode::Header;
        let mut open = Open {
            envelope,
            header_start: at,
            ..Open::default()
        };
        open.part.header.start = at.offset;
        self.open.push(open);
    }

    /// The innermost part's header ends at `at`: decides what its body is.
    fn end_header(&mut self, at: Mark) {
        self.end_field();
        self.mode = Mode::LineStart;
        let depth = self.open.len();
        let in_digest = depth
            .checked_sub(2)
            .and_then(|index| self.open.get(index))
            .is_some_and(|parent| parent.is_multipart && parent.is_digest);
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let at = at.or_later(open.header_start);
        open.part.header.end = at.offset;
        open.part.body.start = at.offset;
        open.body_start = at;
        if !open.is_mime {
            open.forget_content();
        }
        if in_digest && !open.has_content_type {
            // RFC 2046 §5.1.5.
            open.part.kind = b"message".to_vec();
            open.part.subtype = b"rfc822".to_vec();
        }
        // An encoded message/global (RFC 6532 §3.5) cannot be looked into.
        let is_message = open.part.is("message", "rfc822")
            || (open.part.is("message", "global") && open.part.encoding() == Encoding::Identity);
        if !is_message && open.boundary.is_none() {
            return self.preview.begin(&open.part);
        }
        if depth >= DEPTH_MAX as usize || self.parts >= PARTS_MAX {
            let limit = if self.parts >= PARTS_MAX {
                Degraded::PARTS
            } else {
                Degraded::DEPTH
            };
            self.budget.degraded.insert(limit);
            open.boundary = None;
            return;
        }
        if is_message {
            open.nested = Some(Box::default());
            return self.begin_part(at, Some(Box::default()));
        }
        open.is_multipart = true;
        self.boundaries += 1;
    }

    /// Ends all parts above `index` in front of `end`, or where their last header ends.
    fn close_to(&mut self, index: usize, mut end: Mark) {
        let last = index.saturating_add(1);
        while self.open.len() > last || self.is_in_header() {
            if self.is_in_header() {
                self.end_header(end);
            } else if let Some(open) = self.open.pop() {
                end = end.or_later(open.body_start);
                self.close(open, end);
            }
        }
    }

    fn is_in_header(&self) -> bool {
        matches!(self.mode, Mode::Header | Mode::HeaderRest)
    }

    fn close(&mut self, mut open: Open, end: Mark) {
        self.preview.end();
        if open.boundary.is_some() && open.is_multipart {
            self.boundaries -= 1;
        }
        open.end_body(end);
        let envelope = open.envelope.take();
        let part = open.into_part();
        if let Some(parent) = self.open.last_mut() {
            parent.part.has_8bit |= part.has_8bit;
            parent.part.has_nul |= part.has_nul;
            match &mut parent.nested {
                Some(nested) => {
                    nested.envelope = envelope.map(|envelope| *envelope).unwrap_or_default();
                    nested.root = part;
                }
                None => parent.children.push(part),
            }
        }
    }

    fn into_facts(self, mut root: Open) -> Facts {
        let envelope = root
            .envelope
            .take()
            .map(|envelope| *envelope)
            .unwrap_or_default();
        let root = root.into_part();
        let has_attachment = root.walk().any(Part::is_attachment);
        let (subject_key, subject_is_reply) = fields::subject(envelope.subject.as_deref());
        Facts {
            size: self.at.offset,
            has_attachment,
            has_8bit: self.has_8bit,
            has_nul: self.has_nul,
            preview: self.preview.finish(),
            thread_keys: self.thread_keys.finish(),
            subject_key,
            subject_is_reply,
            header: self.root_header,
            degraded: self.budget.degraded,
            envelope,
            root,
        }
    }
}

impl Open {
    fn take_content_type(&mut self, value: &[u8], budget: &mut Budget) {
        if self.has_content_type {
            return;
        }
        self.has_content_type = true;
        self.is_mime = true;
        fields::content_type(&mut self.part, value, budget);
        if self.part.is("multipart", "*") {
            self.is_digest = self.part.is("multipart", "digest");
            let boundary = self.part.param("boundary").unwrap_or_default();
            let boundary = boundary.get(..BOUNDARY_BYTES_MAX).unwrap_or(boundary);
            self.boundary = (!boundary.is_empty()).then(|| boundary.to_vec());
        }
    }

    /// RFC 2045 §4: without MIME-Version (or at least a Content-Type) this is no MIME.
    fn forget_content(&mut self) {
        self.part = Part {
            header: self.part.header,
            body: self.part.body,
            has_8bit: self.part.has_8bit,
            has_nul: self.part.has_nul,
            ..Part::default()
        };
    }

    fn end_body(&mut self, end: Mark) {
        self.part.body.end = end.offset;
        self.part.body_lines = end.lines.saturating_sub(self.body_start.lines);
        self.part.body_bare_lf = end.bare_lf.saturating_sub(self.body_start.bare_lf);
    }

    fn into_part(self) -> Part {
        let content = match self.nested {
            Some(nested) => PartBody::Message(nested),
            None if self.is_multipart => PartBody::Multipart(self.children),
            None => PartBody::Leaf,
        };
        Part {
            content,
            ..self.part
        }
    }
}
