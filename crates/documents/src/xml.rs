//! The text of XML in UTF-8 that is perhaps not well-formed: tags are left out, and some of them
//! end a word.

use crate::limits::{ENTITY_BYTES_MAX, NAME_BYTES_MAX, PIECE_BYTES};

/// Elements, without their prefix, that end a word: of DOCX, then of ODT.
const BREAKS: [&[u8]; 12] = [
    b"p",
    b"tab",
    b"br",
    b"cr",
    b"tc",
    b"h",
    b"s",
    b"line-break",
    b"table-cell",
    b"note",
    b"footnoteReference",
    b"endnoteReference",
];
/// Elements whose text nobody reads: fields of DOCX, and what was deleted.
const HIDDEN: [&[u8]; 3] = [b"instrText", b"delText", b"tracked-changes"];

#[derive(Debug, Default)]
pub struct Reader {
    text: Vec<u8>,
    /// In a tag: its name so far.
    tag: Option<Tag>,
    entity: Option<Vec<u8>>,
    hidden: Option<&'static [u8]>,
}

#[derive(Debug, Default)]
struct Tag {
    name: Vec<u8>,
    named: bool,
    /// In a quoted value, which ends with this.
    quote: Option<u8>,
}

impl Reader {
    /// A piece of the file; false: enough.
    pub fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(&str) -> bool) -> bool {
        for byte in bytes {
            self.push_byte(*byte);
            // Never within a character.
            let whole = self.text.len() >= PIECE_BYTES && byte.is_ascii();
            if (whole || self.text.len() >= 2 * PIECE_BYTES) && !self.give(each) {
                return false;
            }
        }
        true
    }

    /// The end of a file is the end of a word.
    pub fn finish(&mut self, each: &mut dyn FnMut(&str) -> bool) -> bool {
        self.text.push(b' ');
        self.give(each)
    }

    fn give(&mut self, each: &mut dyn FnMut(&str) -> bool) -> bool {
        let goes_on = each(&String::from_utf8_lossy(&self.text));
        self.text.clear();
        goes_on
    }

    fn push_byte(&mut self, byte: u8) {
        if let Some(tag) = &mut self.tag {
            if tag.push(byte) {
                self.end_tag();
            }
            return;
        }
        match byte {
            b'<' => {
                self.end_entity();
                self.tag = Some(Tag::default());
            }
            _ if self.hidden.is_some() => {}
            b'&' => {
                self.end_entity();
                self.entity = Some(Vec::new());
            }
            b';' if self.entity.is_some() => self.end_entity(),
            _ => match &mut self.entity {
                Some(name) if name.len() < ENTITY_BYTES_MAX => name.push(byte),
                Some(_) => self.end_entity(),
                None => self.text.push(byte),
            },
        }
    }

    fn end_tag(&mut self) {
        let tag = self.tag.take().unwrap_or_default();
        let name = tag.name.as_slice();
        let (closes, name) = match name.strip_prefix(b"/") {
            Some(name) => (true, name),
            None => (false, name.strip_suffix(b"/").unwrap_or(name)),
        };
        let prefix = name.iter().position(|byte| *byte == b':');
        let local = prefix.and_then(|at| name.get(at + 1..)).unwrap_or(name);
        match self.hidden {
            Some(hidden) if closes && hidden == local => self.hidden = None,
            Some(_) => {}
            None if !closes && !tag.name.ends_with(b"/") => {
                self.hidden = HIDDEN.into_iter().find(|hidden| *hidden == local);
            }
            None => {}
        }
        if BREAKS.contains(&local) {
            self.text.push(b' ');
        }
    }

    /// One that is not known is a space.
    fn end_entity(&mut self) {
        let Some(name) = self.entity.take() else {
            return;
        };
        let name = String::from_utf8_lossy(&name);
        let number = name.strip_prefix('#');
        let number = number.and_then(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        let char = match &*name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number.and_then(char::from_u32),
        };
        let mut buffer = [0; 4];
        let char = char.unwrap_or(' ').encode_utf8(&mut buffer);
        self.text.extend_from_slice(char.as_bytes());
    }
}

impl Tag {
    /// True: this byte ended it.
    fn push(&mut self, byte: u8) -> bool {
        match self.quote {
            Some(quote) if byte == quote => self.quote = None,
            Some(_) => {}
            None if byte == b'>' => return true,
            None if self.named && matches!(byte, b'"' | b'\'') => self.quote = Some(byte),
            None if byte.is_ascii_whitespace() => self.named = true,
            // `<a b/>` is empty too.
            None if self.named && byte == b'/' => self.name.push(byte),
            None if !self.named && self.name.len() < NAME_BYTES_MAX => self.name.push(byte),
            None => {}
        }
        false
    }
}
