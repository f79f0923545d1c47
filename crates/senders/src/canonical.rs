//! Canonical forms of header fields and bodies, RFC 6376 §3.4.

use aws_lc_rs::digest::{Context, SHA256};

/// How much may change on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Simple,
    Relaxed,
}

/// SHA-256 of a body in its canonical form, and how many bytes that has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    pub sha256: [u8; 32],
    pub size: u64,
}

/// Hashes a body as it comes.
#[derive(Clone)]
pub struct BodyHash {
    form: Form,
    context: Context,
    /// Canonical bytes on their way to the digest.
    buffer: Vec<u8>,
    size: u64,
    /// Line ends that count only when something follows.
    lines: u64,
    cr: bool,
    space: bool,
}

const BUFFER_BYTES: usize = 4096;

impl BodyHash {
    pub fn new(form: Form) -> Self {
        BodyHash {
            form,
            context: Context::new(&SHA256),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            size: 0,
            lines: 0,
            cr: false,
            space: false,
        }
    }

    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, after)) = bytes.split_first() {
            if self.cr {
                self.cr = false;
                if byte == b'\n' {
                    self.lines += 1;
                    self.space = false;
                    bytes = after;
                    continue;
                }
                self.text(b"\r");
            }
            match byte {
                b'\r' => self.cr = true,
                b' ' | b'\t' if self.form == Form::Relaxed => self.space = true,
                _ => {
                    let (run, rest) = bytes.split_at(self.unchanged(bytes));
                    self.text(run);
                    bytes = rest;
                    continue;
                }
            }
            bytes = after;
        }
    }

    /// How many bytes stand in the canonical form as they are: the first does.
    fn unchanged(&self, bytes: &[u8]) -> usize {
        if self.form == Form::Simple {
            return memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
        }
        let changes = |at: &usize| {
            let alone = bytes.get(*at) == Some(&b' ');
            let next = bytes.get(at + 1);
            !alone || next.is_none_or(|next| matches!(next, b'\r' | b' ' | b'\t'))
        };
        let mut special = memchr::memchr3_iter(b'\r', b' ', b'\t', bytes);
        special.find(changes).unwrap_or(bytes.len())
    }

    fn text(&mut self, bytes: &[u8]) {
        for _ in 0..std::mem::take(&mut self.lines) {
            self.put(b"\r\n");
        }
        if std::mem::take(&mut self.space) {
            self.put(b" ");
        }
        self.put(bytes);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.context.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > BUFFER_BYTES {
            self.context.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    pub fn finish(mut self) -> BodyDigest {
        if self.cr {
            self.text(b"\r");
        }
        // RFC 6376 §3.4.3: an empty body is one line end; §3.4.4: here it is nothing.
        if self.form == Form::Simple || self.size > 0 {
            self.put(b"\r\n");
        }
        self.context.update(&self.buffer);
        let digest = self.context.finish();
        let mut sha256 = [0; 32];
        for (to, from) in sha256.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        BodyDigest {
            sha256,
            size: self.size,
        }
    }
}

/// One header field, with its line end, in its canonical form; relaxed: without the line end.
pub fn field(form: Form, raw: &[u8], to: &mut Vec<u8>) {
    match form {
        Form::Simple => to.extend_from_slice(raw),
        Form::Relaxed => {
            relaxed_field(raw, to);
            to.extend_from_slice(b"\r\n");
        }
    }
}

/// RFC 6376 §3.7: the signature's own field goes last, without its value of `b` and its line end.
pub fn own_field(form: Form, raw: &[u8], to: &mut Vec<u8>) {
    let raw = raw.strip_suffix(b"\r\n").unwrap_or(raw);
    let stripped = without_b(raw);
    match form {
        Form::Simple => to.extend_from_slice(&stripped),
        Form::Relaxed => relaxed_field(&stripped, to),
    }
}

fn relaxed_field(raw: &[u8], to: &mut Vec<u8>) {
    let colon = raw.iter().position(|byte| *byte == b':');
    let (name, value) = raw.split_at(colon.unwrap_or(raw.len()));
    let name = name.trim_ascii_end();
    to.extend(name.iter().map(u8::to_ascii_lowercase));
    to.push(b':');
    let start = to.len();
    let mut space = false;
    for byte in value.iter().skip(1) {
        match byte {
            b' ' | b'\t' => space = true,
            b'\r' | b'\n' => {}
            byte => {
                if space && to.len() > start {
                    to.push(b' ');
                }
                space = false;
                to.push(*byte);
            }
        }
    }
}

/// Takes the value of the tag `b` away, with all that is in it.
fn without_b(raw: &[u8]) -> Vec<u8> {
    let colon = raw.iter().position(|byte| *byte == b':').unwrap_or(0);
    let (head, value) = raw.split_at(colon);
    let mut kept = head.to_vec();
    for (number, piece) in value.split(|byte| *byte == b';').enumerate() {
        if number > 0 {
            kept.push(b';');
        }
        let name_end = piece.iter().position(|byte| *byte == b'=');
        let name = name_end
            .and_then(|end| piece.get(..end))
            .unwrap_or_default();
        let name = name.strip_prefix(b":").unwrap_or(name).trim_ascii();
        match name_end.and_then(|end| piece.get(..=end)) {
            Some(before) if name == b"b" => kept.extend_from_slice(before),
            _ => kept.extend_from_slice(piece),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(form: Form, body: &[u8], step: usize) -> BodyDigest {
        let mut hash = BodyHash::new(form);
        for piece in body.chunks(step) {
            hash.push(piece);
        }
        hash.finish()
    }

    fn plain(bytes: &[u8]) -> BodyDigest {
        let digest = aws_lc_rs::digest::digest(&SHA256, bytes);
        BodyDigest {
            sha256: digest.as_ref().try_into().unwrap(),
            size: bytes.len() as u64,
        }
    }

    /// RFC 6376 §3.4.5 and around it.
    #[test]
    fn bodies() {
        for (body, simple, relaxed) in [
            (
                " C \r\nD \t E\r\n\r\n\r\n",
                " C \r\nD \t E\r\n",
                " C\r\nD E\r\n",
            ),
            ("", "\r\n", ""),
            ("\r\n\r\n", "\r\n", ""),
            (" \r\n\t\r\n", " \r\n\t\r\n", ""),
            ("a", "a\r\n", "a\r\n"),
            ("a \r", "a \r\r\n", "a \r\r\n"),
            (
                "a b c  d e \r\nf \tg h\ti \n",
                "a b c  d e \r\nf \tg h\ti \n\r\n",
                "a b c d e\r\nf g h i \n\r\n",
            ),
            ("a\rb\n\r\n", "a\rb\n\r\n", "a\rb\n\r\n"),
            ("\r\n\r\na  b", "\r\n\r\na  b\r\n", "\r\n\r\na b\r\n"),
        ] {
            for step in 1..body.len().max(1) + 1 {
                let bytes = body.as_bytes();
                assert_eq!(
                    canonical(Form::Simple, bytes, step),
                    plain(simple.as_bytes()),
                    "{body:?}"
                );
                assert_eq!(
                    canonical(Form::Relaxed, bytes, step),
                    plain(relaxed.as_bytes()),
                    "{body:?}"
                );
            }
        }
    }

    #[test]
    fn fields() {
        let mut to = Vec::new();
        field(Form::Relaxed, b"A: X\r\n", &mut to);
        field(Form::Relaxed, b"B : Y\t\r\n\tZ  \r\n", &mut to);
        assert_eq!(to, b"a:X\r\nb:Y Z\r\n");
        let mut own = Vec::new();
        own_field(Form::Simple, b"D: v=1; b=a\r\n b; bh=b=\r\n", &mut own);
        assert_eq!(own, b"D: v=1; b=; bh=b=");
        let mut first = Vec::new();
        own_field(Form::Relaxed, b"D:b = x\r\n", &mut first);
        assert_eq!(first, b"d:b =");
    }
}
