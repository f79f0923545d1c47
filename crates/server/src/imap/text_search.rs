//! Looking for a string in a message as people read it: transfer encoding, charset and encoded
//! words undone, without regard to case (RFC 9051 §6.4.4).
//!
//! Needles come folded. Bodies go past in pieces; only the end of a piece is kept.

use facteur_message::charset::TextDecoder;
use facteur_message::collation::{casemap, push_casemap};
use facteur_message::decode::PartDecoder;
use facteur_message::{Address, Degraded, Part, PartBody};
use facteur_store::Error;

use super::content::{self, Logical};
use super::header;
use super::matching::Field;

/// What is compared, RFC 5255 §4.3.
pub(super) fn fold(text: &str) -> String {
    casemap(text)
}

/// Finds a needle that may lie across two pieces.
struct Finder<'a> {
    needle: &'a str,
    window: String,
}

impl<'a> Finder<'a> {
    fn new(needle: &'a str) -> Self {
        Finder {
            needle,
            window: String::new(),
        }
    }

    /// True: it is there.
    fn push(&mut self, text: &str) -> bool {
        push_casemap(text, &mut self.window);
        if self.window.contains(self.needle) {
            return true;
        }
        let mut keep_from = self
            .window
            .len()
            .saturating_sub(self.needle.len().saturating_sub(1));
        while !self.window.is_char_boundary(keep_from) {
            keep_from -= 1;
        }
        self.window.drain(..keep_from);
        false
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

/// Header or body.
pub(super) fn text_contains(message: &Logical<'_>, needle: &str) -> Result<bool, Error> {
    let block = message.read_header(message.header()?)?;
    Ok(block_contains(&block, needle) || body_contains(message, needle)?)
}

fn block_contains(block: &[u8], needle: &str) -> bool {
    header::fields(block).any(|field| {
        let name = String::from_utf8_lossy(field.name);
        contains(&format!("{name}: {}", header::text(field.value)), needle)
    })
}

/// All text of the body, messages inside with their headers; what is no text is not looked into.
pub(super) fn body_contains(message: &Logical<'_>, needle: &str) -> Result<bool, Error> {
    if needle.is_empty() {
        return Ok(true);
    }
    for part in message.facts()?.root.walk() {
        let found = match &part.content {
            PartBody::Multipart(_) => false,
            PartBody::Message(nested) => {
                let mut block = Vec::new();
                let span = nested.root.header;
                let end = span
                    .end
                    .min(span.start.saturating_add(super::limits::HEADER_BYTES_MAX));
                message.read_body(span.start..end, &mut |bytes| {
                    block.extend_from_slice(bytes);
                    true
                })?;
                block_contains(&block, needle)
            }
            PartBody::Leaf => is_text(part) && part_contains(message, part, needle)?,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A multipart or message that is too deep to be taken apart is read as text.
fn is_text(part: &Part) -> bool {
    part.is("text", "*") || part.is("multipart", "*") || part.is("message", "*")
}

fn part_contains(message: &Logical<'_>, part: &Part, needle: &str) -> Result<bool, Error> {
    let mut decoder = PartDecoder::new(content::encoding(part));
    let mut charset = TextDecoder::new(part.charset());
    let mut finder = Finder::new(needle);
    let mut found = false;
    let (mut decoded, mut text) = (Vec::new(), String::new());
    message.read_body(part.body.start..part.body.end, &mut |bytes| {
        decoder.push(bytes, &mut decoded);
        charset.push(&decoded, &mut text);
        found = finder.push(&text);
        decoded.clear();
        text.clear();
        !found
    })?;
    if found {
        return Ok(true);
    }
    decoder.finish(&mut decoded);
    charset.push(&decoded, &mut text);
    charset.finish(&mut text);
    Ok(finder.push(&text))
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
            assert!(finder.push(left) || finder.push(right), "{split}");
        }
    }

    #[test]
    fn only_the_end_is_kept() {
        let mut finder = Finder::new("abcd");
        assert!(!finder.push(&"\u{e9}".repeat(1000)));
        assert!(finder.window.len() <= 4);
    }
}
