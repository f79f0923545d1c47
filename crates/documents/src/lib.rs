//! The text inside documents that are sent by mail: DOCX (ECMA-376) and ODT (OASIS OpenDocument).
//! Both are XML in a ZIP archive; their text is all that is looked at. Archives with other things in
//! them are read by [`zip`].
//!
//! Pure: bytes in, text out. Nothing here fails: what is damaged, encrypted or over a limit of
//! [`limits`] gives less text or none. Work and memory are bounded, whatever the archive says of
//! itself.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod limits;
mod xml;
pub mod zip;

use xml::Reader;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Docx,
    Odt,
}

impl Kind {
    /// By the media type, else by the name; senders are often wrong about the first.
    pub fn of(kind: &[u8], subtype: &[u8], file_name: Option<&str>) -> Option<Kind> {
        const DOCX: &[u8] = b"vnd.openxmlformats-officedocument.wordprocessingml.document";
        const ODT: &[u8] = b"vnd.oasis.opendocument.text";
        let is = |name: &[u8]| {
            kind.eq_ignore_ascii_case(b"application") && subtype.eq_ignore_ascii_case(name)
        };
        let ends = |end: &str| {
            let name = file_name.unwrap_or_default().as_bytes();
            let from = name.len().saturating_sub(end.len());
            let found = name.get(from..).unwrap_or_default();
            found.eq_ignore_ascii_case(end.as_bytes())
        };
        if is(DOCX) || ends(".docx") {
            Some(Kind::Docx)
        } else if is(ODT) || ends(".odt") {
            Some(Kind::Odt)
        } else {
            None
        }
    }

    /// The parts of the archive that have text, in the order they are read.
    fn parts(self) -> &'static [&'static [u8]] {
        match self {
            Kind::Docx => &[
                b"word/document.xml",
                b"word/footnotes.xml",
                b"word/endnotes.xml",
            ],
            Kind::Odt => &[b"content.xml"],
        }
    }
}

/// Gives the text of a document in pieces until `each` says false. A piece may end within a word.
pub fn text(kind: Kind, document: &[u8], each: &mut dyn FnMut(&str) -> bool) {
    let mut left = limits::INFLATED_BYTES_MAX;
    for part in kind.parts() {
        let Some(entry) = zip::find(document, part) else {
            continue;
        };
        let mut reader = Reader::default();
        let mut goes_on = true;
        zip::inflate(&entry, &mut left, &mut |bytes| {
            goes_on = reader.push(bytes, each);
            goes_on
        });
        if !goes_on || !reader.finish(each) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
