//! Header fields of a byte slice, RFC 5322 §2.2: iteration, unfolding, picking some of them.

use std::ops::Range;

use crate::date;
use crate::facts::Facts;
use crate::thread;

/// One field with its place in the slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Without the white space before the colon. Of a line without a colon: all of it.
    pub name: &'a [u8],
    /// Behind the colon, with folds, without the last line end.
    pub value: &'a [u8],
    /// The whole field with its line ends.
    pub raw: &'a [u8],
    /// Where `raw` is.
    pub range: Range<usize>,
    /// The line has a colon.
    pub is_field: bool,
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.is_field && self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Unfolded and trimmed, encoded words raw.
    pub fn unfolded(&self) -> Vec<u8> {
        unfold(self.value)
    }

    /// Unfolded, trimmed, encoded words decoded.
    pub fn text(&self) -> String {
        crate::encoded_word::decode(&unfold(self.value))
    }
}

/// The fields of a header block, up to its blank line or the end of the slice.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header, at: 0 }
}

/// Unfolded value of the first field of that name.
pub fn first(header: &[u8], name: &str) -> Option<Vec<u8>> {
    fields(header)
        .find(|field| field.is(name))
        .map(|field| field.unfolded())
}

/// Length of the header block with its blank line; all of it when there is none.
pub fn length(message: &[u8]) -> usize {
    let mut iter = fields(message);
    while iter.next().is_some() {}
    let rest = message.get(iter.at..).unwrap_or_default();
    iter.at
        + match rest {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => 0,
        }
}

#[derive(Clone, Debug)]
pub struct Fields<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.header.get(self.at..)?;
        if rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
            return None;
        }
        let length = field_length(rest);
        let raw = rest.get(..length).unwrap_or(rest);
        let range = self.at..self.at + raw.len();
        self.at = range.end;
        let line = without_line_end(raw);
        let colon = memchr::memchr(b':', line);
        let name_end = colon.unwrap_or(line.len());
        Some(Field {
            name: line.get(..name_end).unwrap_or(line).trim_ascii_end(),
            value: line.get(name_end + 1..).unwrap_or_default(),
            raw,
            range,
            is_field: colon.is_some(),
        })
    }
}

/// Up to the first line end that no white space follows.
fn field_length(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes)
        .map(|newline| newline + 1)
        .find(|next| !matches!(bytes.get(*next), Some(b' ' | b'\t')))
        .unwrap_or(bytes.len())
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// RFC 5322 §2.2.3: line ends of folds removed, the white space after them kept (a tab as a
/// space), the ends trimmed. The same as the scanner does.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for line in value.split_inclusive(|byte| *byte == b'\n') {
        let line = without_line_end(line);
        match line.split_first() {
            Some((b'\t', rest)) => {
                out.push(b' ');
                out.extend_from_slice(rest);
            }
            _ => out.extend_from_slice(line),
        }
    }
    out.trim_ascii().to_vec()
}

/// Which fields IMAP's HEADER.FIELDS or HEADER.FIELDS.NOT asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    Only,
    AllBut,
}

/// RFC 9051 §6.4.5.1 HEADER.FIELDS and HEADER.FIELDS.NOT: appends the fields, then the blank line.
pub fn pick<N: AsRef<[u8]>>(header: &[u8], names: &[N], pick: Pick, out: &mut Vec<u8>) {
    for field in fields(header) {
        let named = field.is_field
            && names
                .iter()
                .any(|name| field.name.eq_ignore_ascii_case(name.as_ref()));
        if named == (pick == Pick::Only) {
            out.extend_from_slice(field.raw);
        }
    }
    out.extend_from_slice(b"\r\n");
}

impl Facts {
    /// Takes Date and Message-ID from the bytes that a copy has in front of the body, where the
    /// body has none: on submission they are added there.
    pub fn complete(&mut self, prefix: &[u8]) {
        if self.header.has_date && self.header.has_message_id {
            return;
        }
        for field in fields(prefix) {
            if !self.header.has_date && field.is("date") {
                let value = field.unfolded();
                self.header.has_date = true;
                self.header.sent = date::parse(&value);
                self.envelope.date = Some(value);
            } else if !self.header.has_message_id && field.is("message-id") {
                let value = field.unfolded();
                self.header.has_message_id = true;
                if let Some(key) = thread::message_id_key(&value) {
                    self.thread_keys.insert(0, key);
                }
                self.envelope.message_id = Some(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pick, fields, first, length, pick, unfold};
    use crate::Scanner;

    const HEADER: &[u8] =
        b"From: a@x\r\nSubject : one\r\n two\r\n\tthree\r\ngarbage\r\nX:\r\n\r\nBody: no\r\n";

    #[test]
    fn iterates() {
        let found: Vec<_> = fields(HEADER).collect();
        let names: Vec<_> = found.iter().map(|field| field.name).collect();
        assert_eq!(names, [&b"From"[..], b"Subject", b"garbage", b"X"]);
        assert_eq!(found[1].unfolded(), b"one two three");
        assert_eq!(&HEADER[found[1].range.clone()], found[1].raw);
        assert!(!found[2].is_field);
        assert_eq!(first(HEADER, "x").as_deref(), Some(&b""[..]));
        assert_eq!(first(HEADER, "body"), None);
        assert_eq!(&HEADER[length(HEADER)..], b"Body: no\r\n");
        assert_eq!(length(b"\nx"), 1);
        assert_eq!(length(b"a: b\n c"), 7);
        assert_eq!(length(b""), 0);
    }

    #[test]
    fn unfolds_as_the_scanner_does() {
        for value in [
            "a\r\n b",
            "a\n\tb",
            " a\r\n\t\tb  \r\n c ",
            "\r\n a",
            "a \r\n\r\n b",
        ] {
            let mut scanner = Scanner::new();
            scanner.push(format!("Subject:{value}\r\n\r\n").as_bytes());
            let subject = scanner.finish().envelope.subject.unwrap();
            if !value.contains("\r\n\r\n") {
                assert_eq!(unfold(value.as_bytes()), subject.trim_ascii(), "{value:?}");
            }
        }
    }

    #[test]
    fn picks() {
        let mut out = Vec::new();
        pick(HEADER, &["SUBJECT", "nothing"], Pick::Only, &mut out);
        assert_eq!(out, b"Subject : one\r\n two\r\n\tthree\r\n\r\n");
        out.clear();
        pick(HEADER, &["subject"], Pick::AllBut, &mut out);
        assert_eq!(out, b"From: a@x\r\ngarbage\r\nX:\r\n\r\n");
    }

    #[test]
    fn completes_from_the_prefix() {
        let mut scanner = Scanner::new();
        scanner.push(b"From: a@x\r\nReferences: <r@x>\r\n\r\n");
        let mut facts = scanner.finish();
        facts.complete(
            b"Received: by x\r\nDate: 1 Jan 1970 00:01:00 +0000\r\nMessage-ID: <m@x>\r\n",
        );
        assert_eq!(facts.envelope.message_id.as_deref(), Some(&b"<m@x>"[..]));
        assert_eq!(facts.header.sent.map(|sent| sent.unix), Some(60));
        assert_eq!(
            facts.thread_keys,
            [crate::thread::key(b"m@x"), crate::thread::key(b"r@x")]
        );
    }
}
