//! Columns: one value of every message of a segment, in their order.

use facteur_imap::command::SortField;

/// Four bytes each.
pub const UIDS: u8 = 0;
/// Seconds since 1970 and minutes east of UTC; `i64::MIN` seconds: no date.
pub const SENT: u8 = 1;
pub const LINKS: u8 = 2;
/// Only of segments that have some: place and doubt, of those that have one.
pub const DOUBTS: u8 = 3;
const SORT_FIRST: u8 = 16;
const ENVELOPE_FIRST: u8 = 32;

/// The header is not whole in the facts: envelope texts don't count.
pub const DOUBT_ENVELOPE: u8 = 1;
/// The text was not taken in.
pub const DOUBT_TEXT: u8 = 2;

/// Criteria that are texts.
pub const SORT_FIELDS: [SortField; 6] = [
    SortField::Subject,
    SortField::From,
    SortField::To,
    SortField::Cc,
    SortField::DisplayFrom,
    SortField::DisplayTo,
];

/// `None`: not a text.
pub fn sort_column(field: SortField) -> Option<u8> {
    let at = SORT_FIELDS.iter().position(|other| *other == field)?;
    u8::try_from(at).ok().map(|at| SORT_FIRST + at)
}

/// Fields of the envelope that SEARCH looks into.
pub const ENVELOPES: usize = 6;

/// A place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope(pub u8);

impl Envelope {
    pub fn column(self) -> u8 {
        ENVELOPE_FIRST + self.0
    }
}

/// LEB128.
pub fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front; `None`: there is none.
pub fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Texts, one a message: where each ends, then all of them, a NUL after each.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    ends: &'a [u8],
    text: &'a [u8],
}

/// A text has no NUL of its own, but between the addresses of a list.
pub fn put_texts<'a>(texts: impl ExactSizeIterator<Item = &'a str>, out: &mut Vec<u8>) {
    let mut all = Vec::new();
    for text in texts {
        all.extend_from_slice(text.as_bytes());
        all.push(0);
        let end = u32::try_from(all.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&end.to_le_bytes());
    }
    out.append(&mut all);
}

impl<'a> Texts<'a> {
    pub fn new(bytes: &'a [u8], messages: usize) -> Option<Self> {
        let (ends, text) = bytes.split_at_checked(messages.checked_mul(4)?)?;
        Some(Texts { ends, text })
    }

    fn end(&self, place: usize) -> Option<usize> {
        let (ends, _) = self.ends.as_chunks::<4>();
        ends.get(place).map(|end| u32::from_le_bytes(*end) as usize)
    }

    pub fn get(&self, place: usize) -> Option<&'a [u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => self.end(before)?,
            None => 0,
        };
        self.text.get(start..self.end(place)?.checked_sub(1)?)
    }

    /// Places of the texts that contain the needle, which has no NUL and is not empty.
    pub fn containing(&self, needle: &memchr::memmem::Finder<'_>, each: &mut dyn FnMut(usize)) {
        let (ends, _) = self.ends.as_chunks::<4>();
        let mut from = 0;
        while let Some(found) = self.text.get(from..).and_then(|rest| needle.find(rest)) {
            let at = from + found;
            let place = ends.partition_point(|end| u32::from_le_bytes(*end) as usize <= at);
            each(place);
            // On to the next message.
            match self.end(place) {
                Some(end) if end > at => from = end,
                _ => return,
            }
        }
    }
}
