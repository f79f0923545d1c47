//! Takes out of a message, while it comes in, the fields that only we may write: results of checks
//! in our name (RFC 8601 §5) and our own word on the sender.

use crate::limits;
use crate::results::claims_to_be;

/// Our word on the sender, beside Authentication-Results.
pub const OWN_FIELD: &str = "Facteur-Sender";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A field gathers until it is known what it is.
    Gather,
    /// The rest of a field that is too long to be gathered.
    Pass,
    Drop,
    Body,
}

/// Sees each byte once; holds one field at most.
#[derive(Debug)]
pub struct Strainer {
    server: String,
    mode: Mode,
    held: Vec<u8>,
    out: Vec<u8>,
    removed: u32,
}

impl Strainer {
    /// `server`: our name.
    pub fn new(server: &str) -> Self {
        Strainer {
            server: server.to_owned(),
            mode: Mode::Gather,
            held: Vec::new(),
            out: Vec::new(),
            removed: 0,
        }
    }

    /// Fields taken out so far.
    pub fn removed(&self) -> u32 {
        self.removed
    }

    /// What of the message so far is to be kept and was not given yet.
    pub fn push<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.mode == Mode::Body {
            return bytes;
        }
        self.out.clear();
        self.held.extend_from_slice(bytes);
        while self.mode != Mode::Body && self.advance() {}
        if self.mode == Mode::Body {
            self.out.append(&mut self.held);
        }
        &self.out
    }

    /// The message ends inside its header.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.clear();
        let end = self.held.len();
        self.settle(end);
        self.out
    }

    /// Does one field, or what there is of it; false: more is needed.
    fn advance(&mut self) -> bool {
        if self.mode == Mode::Gather
            && (self.held.starts_with(b"\r\n") || self.held.starts_with(b"\n"))
        {
            self.mode = Mode::Body;
            return true;
        }
        match field_end(&self.held) {
            Some(end) => {
                self.settle(end);
                self.mode = Mode::Gather;
                true
            }
            None if self.held.len() > limits::FIELD_HELD_BYTES_MAX => {
                // The last bytes stay: the end of the field may be among them.
                let keep = self.held.len().saturating_sub(4);
                if self.mode == Mode::Gather {
                    // Of a field this long only its beginning is judged.
                    self.mode = if self.is_ours(keep) {
                        Mode::Drop
                    } else {
                        Mode::Pass
                    };
                    self.removed += u32::from(self.mode == Mode::Drop);
                }
                self.settle(keep);
                false
            }
            None => false,
        }
    }

    fn settle(&mut self, end: usize) {
        let keep = match self.mode {
            Mode::Gather => {
                let ours = self.is_ours(end);
                self.removed += u32::from(ours);
                !ours
            }
            Mode::Pass | Mode::Body => true,
            Mode::Drop => false,
        };
        let piece = self.held.drain(..end);
        if keep {
            self.out.extend(piece);
        }
    }

    fn is_ours(&self, end: usize) -> bool {
        let field = self.held.get(..end).unwrap_or_default();
        let Some(colon) = field.iter().position(|byte| *byte == b':') else {
            return false;
        };
        let (name, value) = field.split_at(colon);
        let name = name.trim_ascii_end();
        name.eq_ignore_ascii_case(OWN_FIELD.as_bytes())
            || (name.eq_ignore_ascii_case(b"Authentication-Results")
                && claims_to_be(value.get(1..).unwrap_or_default(), &self.server))
    }
}

/// Behind the line end after which no continuation comes; `None`: not known yet.
fn field_end(held: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = held.get(from..)?;
        let end = from + rest.iter().position(|byte| *byte == b'\n')? + 1;
        match held.get(end)? {
            b' ' | b'\t' => from = end,
            // A line end may be one byte or two: only the whole of it says that the body begins.
            b'\r' if held.len() == end + 1 => return None,
            _ => return Some(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strained(message: &[u8], step: usize) -> (Vec<u8>, u32) {
        let mut strainer = Strainer::new("mail.here.test");
        let mut kept = Vec::new();
        for piece in message.chunks(step) {
            kept.extend_from_slice(strainer.push(piece));
        }
        let removed = strainer.removed();
        kept.extend(strainer.finish());
        (kept, removed)
    }

    #[test]
    fn only_ours_go_however_they_come() {
        let message = b"Received: x\r\n\ty\r\nAuthentication-Results: mail.here.test;\r\n\tspf=pass\r\n\
            authentication-results : (c) \"Mail.here.test\" 1; none\r\nX: 1\r\n\
            Authentication-Results: there.test; spf=fail\r\nFacteur-Sender: signed x\r\nA: b\r\n\r\n\
            Authentication-Results: mail.here.test; in the body\r\n";
        let expected = b"Received: x\r\n\ty\r\nX: 1\r\n\
            Authentication-Results: there.test; spf=fail\r\nA: b\r\n\r\n\
            Authentication-Results: mail.here.test; in the body\r\n";
        for step in 1..=message.len() {
            let (kept, _) = strained(message, step);
            assert_eq!(
                String::from_utf8_lossy(&kept),
                String::from_utf8_lossy(expected),
                "{step}"
            );
        }
        assert_eq!(strained(message, 5).1, 3);
    }

    #[test]
    fn edges() {
        for (message, expected) in [
            ("", ""),
            ("\r\nbody", "\r\nbody"),
            ("no colon\r\nA: b", "no colon\r\nA: b"),
            ("Facteur-Sender: x", ""),
            ("Facteur-Sender: x\r\n", ""),
            ("Facteur-Sender: x\r\n\r\nb", "\r\nb"),
            ("A: b\r\n\r", "A: b\r\n\r"),
        ] {
            for step in 1..=message.len().max(1) {
                let (kept, _) = strained(message.as_bytes(), step);
                assert_eq!(
                    String::from_utf8_lossy(&kept),
                    expected,
                    "{message:?} {step}"
                );
            }
        }
    }

    #[test]
    fn long_fields_pass_or_go() {
        let long = "x".repeat(limits::FIELD_HELD_BYTES_MAX * 3);
        let message = format!("A: {long}\r\nFacteur-Sender: {long}\r\nB: c\r\n\r\nbody");
        let expected = format!("A: {long}\r\nB: c\r\n\r\nbody");
        for step in [1000, 4096, message.len()] {
            let (kept, removed) = strained(message.as_bytes(), step);
            assert_eq!(removed, 1);
            assert!(kept == expected.as_bytes(), "{step} {}", kept.len());
        }
    }
}
