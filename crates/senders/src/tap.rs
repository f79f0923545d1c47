//! A message as it passes: its header is kept, its body is hashed and forgotten.

use std::ops::Range;

use crate::canonical::{BodyDigest, BodyHash, Form};
use crate::limits;

/// A field of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// In lower case.
    pub name: String,
    range: Range<usize>,
}

impl Field {
    /// One that is not in the header.
    pub(crate) fn outside() -> Self {
        Field {
            name: String::new(),
            range: 0..0,
        }
    }
}

/// What is known of a message once it has passed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    header: Vec<u8>,
    fields: Vec<Field>,
    /// The header is over a limit: nothing that is said of this message can be believed.
    pub too_big: bool,
    simple: Option<BodyDigest>,
    relaxed: Option<BodyDigest>,
}

impl Seen {
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Name, colon, value and the line end.
    pub fn raw(&self, field: &Field) -> &[u8] {
        self.header.get(field.range.clone()).unwrap_or_default()
    }

    /// Behind the colon, with its folds.
    pub fn value(&self, field: &Field) -> &[u8] {
        let raw = self.raw(field);
        let colon = raw.iter().position(|byte| *byte == b':');
        let start = colon.map_or(raw.len(), |colon| colon + 1);
        raw.get(start..).unwrap_or_default()
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Field> + 'a {
        self.fields.iter().filter(move |field| field.name == name)
    }

    /// `None`: nobody asked for this form.
    pub fn body(&self, form: Form) -> Option<BodyDigest> {
        match form {
            Form::Simple => self.simple,
            Form::Relaxed => self.relaxed,
        }
    }

    /// A field in front, as if it had been there: of what is added before signing. Ends in CRLF.
    pub fn put_in_front(&mut self, fields: &str) {
        let mut header = fields.as_bytes().to_vec();
        header.extend_from_slice(&self.header);
        self.header = header;
        self.split();
    }

    fn split(&mut self) {
        let mut fields: Vec<Field> = Vec::new();
        let mut start = 0;
        for line in self.header.split_inclusive(|byte| *byte == b'\n') {
            let end = start + line.len();
            if line == b"\r\n" || line == b"\n" {
                break;
            }
            let full = fields.len() == limits::FIELDS_MAX;
            match (line.first(), fields.last_mut()) {
                (Some(b' ' | b'\t'), Some(field)) => field.range.end = end,
                _ if full => {
                    self.too_big = true;
                    break;
                }
                _ => {
                    let colon = line.iter().position(|byte| *byte == b':');
                    let name = colon.and_then(|colon| line.get(..colon));
                    let name = name.unwrap_or_default().trim_ascii_end();
                    fields.push(Field {
                        name: String::from_utf8_lossy(name).to_ascii_lowercase(),
                        range: start..end,
                    });
                }
            }
            start = end;
        }
        self.fields = fields;
    }
}

enum Bodies {
    /// Whatever the signatures in the header want.
    AsSigned,
    /// RFC 6376 §3.4.4, for a signature of ours.
    Relaxed,
}

/// Takes a message piece by piece.
pub struct Tap {
    wanted: Bodies,
    in_body: bool,
    seen: Seen,
    simple: Option<BodyHash>,
    relaxed: Option<BodyHash>,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}

impl Tap {
    pub fn for_checking() -> Self {
        Tap::new(Bodies::AsSigned)
    }

    pub fn for_signing() -> Self {
        Tap::new(Bodies::Relaxed)
    }

    fn new(wanted: Bodies) -> Self {
        Tap {
            wanted,
            in_body: false,
            seen: Seen::default(),
            simple: None,
            relaxed: None,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.in_body {
            return self.body(bytes);
        }
        let header = &mut self.seen.header;
        let before = header.len();
        let room = limits::HEADER_BYTES_MAX.saturating_sub(before);
        header.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        match blank_line(header, before) {
            Some(end) => {
                header.truncate(end);
                self.header_end();
                let rest = bytes.get(end.saturating_sub(before)..);
                self.body(rest.unwrap_or_default());
            }
            None if bytes.len() > room => {
                self.seen.too_big = true;
                self.seen.header = Vec::new();
                self.in_body = true;
            }
            None => {}
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        for hash in [&mut self.simple, &mut self.relaxed].into_iter().flatten() {
            hash.push(bytes);
        }
    }

    fn header_end(&mut self) {
        self.in_body = true;
        self.seen.split();
        let (mut simple, mut relaxed) = (false, false);
        match self.wanted {
            Bodies::Relaxed => relaxed = true,
            Bodies::AsSigned => {
                for field in self.seen.fields() {
                    if matches!(
                        field.name.as_str(),
                        "dkim-signature" | "arc-message-signature"
                    ) {
                        let value = String::from_utf8_lossy(self.seen.value(field));
                        match crate::dkim::body_form(&value) {
                            Form::Simple => simple = true,
                            Form::Relaxed => relaxed = true,
                        }
                    }
                }
            }
        }
        self.simple = simple.then(|| BodyHash::new(Form::Simple));
        self.relaxed = relaxed.then(|| BodyHash::new(Form::Relaxed));
    }

    pub fn finish(mut self) -> Seen {
        if !self.in_body {
            self.header_end();
        }
        self.seen.simple = self.simple.map(BodyHash::finish);
        self.seen.relaxed = self.relaxed.map(BodyHash::finish);
        self.seen
    }
}

/// Where the body begins: behind the first empty line. `from`: before it nothing was found.
fn blank_line(header: &[u8], from: usize) -> Option<usize> {
    if header.starts_with(b"\r\n") {
        return Some(2);
    }
    let start = from.saturating_sub(3);
    let found = header
        .get(start..)?
        .windows(4)
        .position(|window| window == b"\r\n\r\n");
    found.map(|at| start + at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_pieces_give_the_same() {
        let message =
            b"A: 1\r\nDKIM-Signature: c=simple/relaxed\r\nB: 2\r\n 3\r\n\r\nbody \r\n\r\n";
        let whole = |step: usize| {
            let mut tap = Tap::for_checking();
            for piece in message.chunks(step) {
                tap.push(piece);
            }
            tap.finish()
        };
        let seen = whole(message.len());
        assert_eq!(seen.fields().len(), 3);
        assert_eq!(seen.value(&seen.fields()[2]), b" 2\r\n 3\r\n");
        assert!(seen.body(Form::Simple).is_none());
        let mut expected = BodyHash::new(Form::Relaxed);
        expected.push(b"body\r\n");
        assert_eq!(seen.body(Form::Relaxed), Some(expected.finish()));
        for step in 1..message.len() {
            let other = whole(step);
            assert_eq!(other.fields(), seen.fields());
            assert_eq!(other.body(Form::Relaxed), seen.body(Form::Relaxed));
        }
    }

    #[test]
    fn a_header_without_end_is_bounded() {
        let mut tap = Tap::for_checking();
        for _ in 0..limits::HEADER_BYTES_MAX / 100 + 2 {
            tap.push(&[b'a'; 100]);
        }
        let seen = tap.finish();
        assert!(seen.too_big && seen.fields().is_empty());
        let empty = Tap::for_signing().finish();
        assert!(empty.fields().is_empty() && empty.body(Form::Relaxed).is_some());
    }

    #[test]
    fn what_is_put_in_front_comes_first() {
        let mut tap = Tap::for_signing();
        tap.push(b"A: 1\r\n\r\nx");
        let mut seen = tap.finish();
        seen.put_in_front("Date: 2\r\n");
        let names: Vec<&str> = seen
            .fields()
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        assert_eq!(names, ["date", "a"]);
    }
}
