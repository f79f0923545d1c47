//! Looking for a string in a message as people read it: transfer encoding, charset and encoded
//! words undone, without regard to case (RFC 9051 §6.4.4).
//!
//! Needles come folded. Bodies go past in pieces; only the end of a piece is kept.

use facteur_message::charset::TextDecoder;
use facteur_message::collation::{casemap, push_casemap};
use facteur_message::decode::PartDecoder;
use facteur_message::{Address, Degraded, Facts, Part, PartBody, Span};
use facteur_store::Error;

use super::content::{self, Logical};
use super::header;
use super::matching::Field;

/// What is compared, RFC 5255 §4.3.
pub(super) fn fold(text: &str) -> String {
    casemap(text)
}

/// Takes the texts of a message, each in pieces. False: it has enough.
pub(super) trait Sink {
    /// A header field comes, with its name in front.
    fn begin_field(&mut self, _name: &[u8], _of: FieldOf) {}
    fn begin_part(&mut self, _part: &Part) {}
    fn push(&mut self, text: &str) -> bool;
    /// What follows is another text.
    fn end(&mut self);
}

/// Whose header a field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldOf {
    Message,
    /// A message inside.
    Nested,
    /// A part: a MIME header.
    Part,
}

/// Finds a needle that may lie across two pieces.
struct Finder<'a> {
    needle: &'a str,
    window: String,
    found: bool,
}

impl<'a> Finder<'a> {
    fn new(needle: &'a str) -> Self {
        Finder {
            needle,
            window: String::new(),
            found: false,
        }
    }
}

impl Sink for Finder<'_> {
    fn push(&mut self, text: &str) -> bool {
        push_casemap(text, &mut self.window);
        self.found |= self.window.contains(self.needle);
        let mut keep_from = self
            .window
            .len()
            .saturating_sub(self.needle.len().saturating_sub(1));
        while !self.window.is_char_boundary(keep_from) {
            keep_from -= 1;
        }
        self.window.drain(..keep_from);
        !self.found
    }

    fn end(&mut self) {
        self.window.clear();
    }
}

fn contains(text: &str, needle: &str) -> bool {
    fold(text).contains(needle)
}

/// From the facts; from the header when the facts are not whole.
pub(super) fn envelope_contains(
    message: &Logical<'_>,
    field: Field,
    needle: &str,
) -> Result<bool, Error> {
    let facts = message.facts()?;
    let name = match field {
        Field::From => "from",
        Field::To => "to",
        Field::Cc => "cc",
        Field::Bcc => "bcc",
        Field::Subject => "subject",
        Field::MessageId => "message-id",
    };
    if facts.degraded != Degraded::default() {
        return header_contains(message, name, needle);
    }
    let envelope = &facts.envelope;
    let addresses = match field {
        Field::From => &envelope.from,
        Field::To => &envelope.to,
        Field::Cc => &envelope.cc,
        Field::Bcc => &envelope.bcc,
        Field::Subject => return Ok(value_contains(envelope.subject.as_deref(), needle)),
        Field::MessageId => return Ok(value_contains(envelope.message_id.as_deref(), needle)),
    };
    Ok(addresses
        .iter()
        .any(|address| contains(&shown(address), needle)))
}

fn value_contains(value: Option<&[u8]>, needle: &str) -> bool {
    value.is_some_and(|value| contains(&header::text(value), needle))
}

/// An address as a header field shows it.
fn shown(address: &Address) -> String {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(header::text).unwrap_or_default();
    match address {
        Address::Mailbox {
            name,
            local,
            domain,
            ..
        } => format!("{} <{}@{}>", text(name), text(local), text(domain)),
        Address::GroupStart(name) => header::text(name),
        Address::GroupEnd => String::new(),
    }
}

/// An empty needle: the field is there.
pub(super) fn header_contains(
    message: &Logical<'_>,
    name: &str,
    needle: &str,
) -> Result<bool, Error> {
    let block = message.read_header(message.header()?)?;
    let found = header::fields(&block).any(|field| {
        field.name.eq_ignore_ascii_case(name.as_bytes())
            && (needle.is_empty() || contains(&header::text(field.value), needle))
    });
    Ok(found)
}

/// Header, MIME headers of the parts, or body.
pub(super) fn text_contains(message: &Logical<'_>, needle: &str) -> Result<bool, Error> {
    let mut finder = Finder::new(needle);
    texts(message, &mut finder)?;
    Ok(finder.found)
}

/// All text of the body, messages inside with their headers; what is no text is not looked into.
pub(super) fn body_contains(message: &Logical<'_>, needle: &str) -> Result<bool, Error> {
    if needle.is_empty() {
        return Ok(true);
    }
    let mut finder = Finder::new(needle);
    body_texts(message, false, &mut finder)?;
    Ok(finder.found)
}

/// Everything that TEXT looks at. False: the sink had enough.
pub(super) fn texts(message: &Logical<'_>, sink: &mut dyn Sink) -> Result<bool, Error> {
    let block = message.read_header(message.header()?)?;
    Ok(block_texts(&block, FieldOf::Message, sink) && body_texts(message, true, sink)?)
}

fn block_texts(block: &[u8], of: FieldOf, sink: &mut dyn Sink) -> bool {
    header::fields(block).all(|field| {
        sink.begin_field(field.name, of);
        let name = String::from_utf8_lossy(field.name);
        let goes_on = sink.push(&format!("{name}: {}", header::text(field.value)));
        sink.end();
        goes_on
    })
}

/// `mime`: with the MIME headers of the parts, and the names of attachments as people read them.
fn body_texts(message: &Logical<'_>, mime: bool, sink: &mut dyn Sink) -> Result<bool, Error> {
    for part in message.facts()?.root.walk() {
        if mime && !mime_texts(message, part, sink)? {
            return Ok(false);
        }
        let goes_on = match &part.content {
            PartBody::Multipart(_) => true,
            PartBody::Message(nested) => {
                let block = inner_block(message, nested.root.header)?;
                block_texts(&block, FieldOf::Nested, sink)
            }
            PartBody::Leaf => !is_text(part) || part_text(message, part, sink)?,
        };
        if !goes_on {
            return Ok(false);
        }
    }
    Ok(true)
}

fn mime_texts(message: &Logical<'_>, part: &Part, sink: &mut dyn Sink) -> Result<bool, Error> {
    if let Some(name) = part.file_name() {
        sink.begin_field(b"", FieldOf::Part);
        let goes_on = sink.push(&name);
        sink.end();
        if !goes_on {
            return Ok(false);
        }
    }
    let PartBody::Multipart(parts) = &part.content else {
        return Ok(true);
    };
    for part in parts {
        let block = inner_block(message, part.header)?;
        if !block_texts(&block, FieldOf::Part, sink) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A header block inside the body.
fn inner_block(message: &Logical<'_>, span: Span) -> Result<Vec<u8>, Error> {
    let mut block = Vec::new();
    let most = span.start.saturating_add(super::limits::HEADER_BYTES_MAX);
    message.read_body(span.start..span.end.min(most), &mut |bytes| {
        block.extend_from_slice(bytes);
        true
    })?;
    Ok(block)
}

/// A multipart or message that is too deep to be taken apart is read as text.
fn is_text(part: &Part) -> bool {
    part.is("text", "*") || part.is("multipart", "*") || part.is("message", "*")
}

fn part_text(message: &Logical<'_>, part: &Part, sink: &mut dyn Sink) -> Result<bool, Error> {
    let mut decoder = PartDecoder::new(content::encoding(part));
    let mut charset = TextDecoder::new(part.charset());
    let mut goes_on = true;
    let (mut decoded, mut text) = (Vec::new(), String::new());
    sink.begin_part(part);
    message.read_body(part.body.start..part.body.end, &mut |bytes| {
        decoder.push(bytes, &mut decoded);
        charset.push(&decoded, &mut text);
        goes_on = sink.push(&text);
        decoded.clear();
        text.clear();
        goes_on
    })?;
    if goes_on {
        decoder.finish(&mut decoded);
        charset.push(&decoded, &mut text);
        charset.finish(&mut text);
        goes_on = sink.push(&text);
    }
    sink.end();
    Ok(goes_on)
}

/// The images of an envelope field, as the catalogue keeps them: addresses with a NUL between.
/// `None`: the facts don't have it whole.
pub(super) fn envelope_image(facts: &Facts, field: Field) -> Option<String> {
    if facts.degraded != Degraded::default() {
        return None;
    }
    let value = |value: &Option<Vec<u8>>| value.as_deref().map(header::text).unwrap_or_default();
    let list = |addresses: &[Address]| {
        let shown: Vec<String> = addresses.iter().map(shown).collect();
        shown.join("\0")
    };
    let envelope = &facts.envelope;
    let text = match field {
        Field::From => list(&envelope.from),
        Field::To => list(&envelope.to),
        Field::Cc => list(&envelope.cc),
        Field::Bcc => list(&envelope.bcc),
        Field::Subject => value(&envelope.subject),
        Field::MessageId => value(&envelope.message_id),
    };
    Some(fold(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_across_pieces_in_any_case() {
        for split in 0.."Le Caf\u{e9} noir".len() {
            let text = "Le Caf\u{e9} noir";
            if !text.is_char_boundary(split) {
                continue;
            }
            let (left, right) = text.split_at(split);
            let mut finder = Finder::new("CAFE\u{301} N");
            assert!(!(finder.push(left) && finder.push(right)), "{split}");
        }
    }

    #[test]
    fn only_the_end_is_kept() {
        let mut finder = Finder::new("abcd");
        assert!(finder.push(&"\u{e9}".repeat(1000)));
        assert!(finder.window.len() <= 6);
    }
}
