//! BODY and BODYSTRUCTURE, RFC 9051 §7.5.2.

use facteur_message::{
    DecodeError, Disposition, Envelope, Param, Part, Said, StoredContent, StoredPart, StoredParts,
};

use super::{StringForm, nstring, string};
use crate::response::token::number;

/// RFC 2045 §5.2.
const DEFAULT_CHARSET: &[u8] = b"\"charset\" \"us-ascii\"";
/// An empty part without header fields, and its extension data.
const EMPTY_TEXT: &[u8] = b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0";
const NO_EXTENSION: &[u8] = b" NIL NIL NIL NIL";
/// Leaves remembered as they were printed: of a few messages that are much alike.
const LEAVES_KNOWN: usize = 16;
/// Larger ones are not: hardly two messages have the same.
const LEAF_BYTES_KNOWN_MAX: usize = 4 << 10;

/// Prints the structures of messages, from their encoded facts. Leaves of many messages say the
/// same of themselves, and differ in their sizes only: they are printed from memory.
#[derive(Debug)]
pub struct StructurePrinter {
    form: StringForm,
    known: Vec<Leaf>,
    /// The next of them to be forgotten.
    oldest: usize,
}

#[derive(Clone, Copy)]
struct Shape {
    form: StringForm,
    extended: bool,
}

impl StructurePrinter {
    pub fn new(form: StringForm) -> Self {
        StructurePrinter {
            form,
            known: Vec::new(),
            oldest: 0,
        }
    }

    pub fn form(&self) -> StringForm {
        self.form
    }

    /// Appends BODY: without extension data.
    ///
    /// # Errors
    /// [`DecodeError`] when the facts are of an unknown version or damaged; `out` is as it was.
    pub fn body(&mut self, out: &mut Vec<u8>, facts: &[u8]) -> Result<(), DecodeError> {
        self.print(out, facts, false)
    }

    /// Appends BODYSTRUCTURE: with extension data.
    ///
    /// # Errors
    /// As [`StructurePrinter::body`].
    pub fn body_structure(&mut self, out: &mut Vec<u8>, facts: &[u8]) -> Result<(), DecodeError> {
        self.print(out, facts, true)
    }

    fn print(
        &mut self,
        out: &mut Vec<u8>,
        facts: &[u8],
        extended: bool,
    ) -> Result<(), DecodeError> {
        let shape = Shape {
            form: self.form,
            extended,
        };
        let start = out.len();
        let mut parts = StoredParts::of(facts)?;
        let printed = self
            .part(out, &mut parts, shape, 0)
            .and_then(|()| parts.end());
        if printed.is_err() {
            out.truncate(start);
        }
        printed
    }

    /// As deep as the scanner's tree at most.
    fn part(
        &mut self,
        out: &mut Vec<u8>,
        parts: &mut StoredParts<'_>,
        shape: Shape,
        depth: u32,
    ) -> Result<(), DecodeError> {
        let part = parts.read(depth)?;
        match &part.content {
            StoredContent::Leaf => self.leaf(out, &part, shape),
            StoredContent::Multipart(count) => {
                out.push(b'(');
                for _ in 0..*count {
                    self.part(out, parts, shape, depth + 1)?;
                }
                if *count == 0 {
                    // The grammar knows no multipart without a part.
                    empty_text(out, shape);
                }
                multipart_end(out, &part.said.read()?, shape);
                out.push(b')');
                Ok(())
            }
            StoredContent::Message(envelope) => {
                let said = part.said.read()?;
                // message/global has the form of a message for those who know RFC 9051 only.
                let shown = said.is("message", "rfc822") || shape.form == StringForm::Utf8;
                out.push(b'(');
                describe(out, &said, shape.form);
                number(part.body_len, out);
                let inside = out.len();
                out.push(b' ');
                super::envelope(out, envelope, shape.form);
                out.push(b' ');
                self.part(out, parts, shape, depth + 1)?;
                out.push(b' ');
                number(part.body_lines, out);
                if !shown {
                    out.truncate(inside);
                }
                extension(out, &said, shape);
                out.push(b')');
                Ok(())
            }
        }
    }

    fn leaf(
        &mut self,
        out: &mut Vec<u8>,
        part: &StoredPart<'_>,
        shape: Shape,
    ) -> Result<(), DecodeError> {
        if let Some(leaf) = self.known.iter().find(|leaf| leaf.is(part.said, shape)) {
            leaf.write(out, part);
            return Ok(());
        }
        let leaf = Leaf::print(part.said, shape)?;
        leaf.write(out, part);
        if leaf.said.len().max(leaf.printed.len()) > LEAF_BYTES_KNOWN_MAX {
            return Ok(());
        }
        match self.known.get_mut(self.oldest) {
            Some(old) => *old = leaf,
            None => self.known.push(leaf),
        }
        self.oldest = (self.oldest + 1) % LEAVES_KNOWN;
        Ok(())
    }
}

/// A leaf as it is printed.
#[derive(Debug)]
struct Leaf {
    /// For whom: what it says of itself, and whether with extension data.
    said: Vec<u8>,
    extended: bool,
    /// All but its numbers.
    printed: Vec<u8>,
    /// Where they stand, if the leaf has them.
    size_at: Option<usize>,
    lines_at: Option<usize>,
}

impl Leaf {
    fn print(said: Said<'_>, shape: Shape) -> Result<Self, DecodeError> {
        let part = said.read()?;
        let mut leaf = Leaf {
            said: said.bytes().to_vec(),
            extended: shape.extended,
            printed: vec![b'('],
            size_at: None,
            lines_at: None,
        };
        let out = &mut leaf.printed;
        if part.is("multipart", "*") {
            // Without a boundary, or nested too deeply to be read.
            empty_text(out, shape);
            multipart_end(out, &part, shape);
        } else {
            describe(out, &part, shape.form);
            leaf.size_at = Some(out.len());
            let is_message = part.is("message", "rfc822");
            if is_message {
                // Nested too deeply to be read.
                out.push(b' ');
                super::envelope(out, &Envelope::<&[u8]>::default(), shape.form);
                out.push(b' ');
                empty_text(out, shape);
            }
            if is_message || part.is("text", "*") {
                out.push(b' ');
                leaf.lines_at = Some(out.len());
            }
            extension(out, &part, shape);
        }
        out.push(b')');
        Ok(leaf)
    }

    fn is(&self, said: Said<'_>, shape: Shape) -> bool {
        self.extended == shape.extended && self.said == said.bytes()
    }

    fn write(&self, out: &mut Vec<u8>, part: &StoredPart<'_>) {
        let mut from = 0;
        let numbers = [
            (self.size_at, part.body_len),
            (self.lines_at, part.body_lines),
        ];
        for (place, value) in numbers {
            let Some(place) = place else { continue };
            out.extend_from_slice(self.printed.get(from..place).unwrap_or_default());
            number(value, out);
            from = place;
        }
        out.extend_from_slice(self.printed.get(from..).unwrap_or_default());
    }
}

fn empty_text(out: &mut Vec<u8>, shape: Shape) {
    out.extend_from_slice(EMPTY_TEXT);
    if shape.extended {
        out.extend_from_slice(NO_EXTENSION);
    }
    out.push(b')');
}

/// What follows the parts of body-type-mpart.
fn multipart_end(out: &mut Vec<u8>, part: &Part<&[u8]>, shape: Shape) {
    out.push(b' ');
    string(out, part.subtype, shape.form);
    if shape.extended {
        out.push(b' ');
        params(out, &part.params, shape.form);
        disposition_and_more(out, part, shape.form);
    }
}

/// media-basic, media-message or media-text, and body-fields up to the size.
fn describe(out: &mut Vec<u8>, part: &Part<&[u8]>, form: StringForm) {
    if part.is("message", "rfc822") {
        out.extend_from_slice(b"\"message\" \"rfc822\"");
    } else {
        let (kind, subtype) = part.media_type();
        string(out, kind, form);
        out.push(b' ');
        string(out, subtype, form);
    }
    out.push(b' ');
    if part.is("text", "*") {
        text_params(out, &part.params, form);
    } else {
        params(out, &part.params, form);
    }
    for value in [part.id, part.description] {
        out.push(b' ');
        nstring(out, value, form);
    }
    out.push(b' ');
    string(out, part.encoding_name.unwrap_or(b"7bit"), form);
    out.push(b' ');
}

/// body-ext-1part
fn extension(out: &mut Vec<u8>, part: &Part<&[u8]>, shape: Shape) {
    if shape.extended {
        out.push(b' ');
        nstring(out, part.md5, shape.form);
        disposition_and_more(out, part, shape.form);
    }
}

/// A text always shows a charset.
fn text_params(out: &mut Vec<u8>, list: &[Param<&[u8]>], form: StringForm) {
    let has_charset = list
        .iter()
        .any(|param| param.name.eq_ignore_ascii_case(b"charset"));
    if has_charset {
        return params(out, list, form);
    }
    out.push(b'(');
    for param in list {
        pair(out, param, form);
        out.push(b' ');
    }
    out.extend_from_slice(DEFAULT_CHARSET);
    out.push(b')');
}

fn params(out: &mut Vec<u8>, list: &[Param<&[u8]>], form: StringForm) {
    let Some((first, rest)) = list.split_first() else {
        return out.extend_from_slice(b"NIL");
    };
    out.push(b'(');
    pair(out, first, form);
    for param in rest {
        out.push(b' ');
        pair(out, param, form);
    }
    out.push(b')');
}

fn pair(out: &mut Vec<u8>, param: &Param<&[u8]>, form: StringForm) {
    string(out, param.name, form);
    out.push(b' ');
    string(out, param.value, form);
}

/// Disposition, language, location.
fn disposition_and_more(out: &mut Vec<u8>, part: &Part<&[u8]>, form: StringForm) {
    out.push(b' ');
    match &part.disposition {
        None => out.extend_from_slice(b"NIL"),
        Some(Disposition { kind, params: list }) => {
            out.push(b'(');
            string(out, kind, form);
            out.push(b' ');
            params(out, list, form);
            out.push(b')');
        }
    }
    out.push(b' ');
    if part.language.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        for (index, tag) in part.language.iter().enumerate() {
            out.push(if index == 0 { b'(' } else { b' ' });
            string(out, tag, form);
        }
        out.push(b')');
    }
    out.push(b' ');
    nstring(out, part.location, form);
}
