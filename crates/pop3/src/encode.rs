//! A stored message as RETR and TOP send it, in a stream: any chunks in, wire bytes out.
//!
//! RFC 1939 §3: a line that begins with "." gets one more. The octets of the message are otherwise
//! sent as stored, so that what comes out is what came in. A bare LF (only mail that was not
//! received by SMTP has one) counts as the end of a line for byte-stuffing: clients that split at
//! LF would otherwise take ".\n" in such a message for its end and read the rest of it as responses.

/// Encodes one message: push its bytes in order, then finish.
#[derive(Debug)]
pub struct MessageEncoder {
    top: Option<Top>,
    line_start: bool,
    last_two: [u8; 2],
}

impl MessageEncoder {
    /// `lines`: of the body, for TOP; `None` sends the whole message.
    pub fn new(lines: Option<u32>) -> Self {
        MessageEncoder {
            top: lines.map(Top::new),
            line_start: true,
            last_two: *b"\r\n",
        }
    }

    /// Appends the wire form of `chunk` to `out`. False: no more bytes are needed (TOP).
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        let (wanted, more) = match &mut self.top {
            None => (chunk.len(), true),
            Some(top) => top.limit(chunk),
        };
        let chunk = chunk.get(..wanted).unwrap_or(chunk);
        self.stuff(chunk, out);
        more
    }

    /// Ends the last line if need be. The "." line is the session's.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.last_two != *b"\r\n" {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn stuff(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        out.reserve(chunk.len());
        for line in chunk.split_inclusive(|b| *b == b'\n') {
            if self.line_start && line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            self.line_start = line.last() == Some(&b'\n');
        }
        for byte in chunk.iter().skip(chunk.len().saturating_sub(2)) {
            self.last_two = [self.last_two[1], *byte];
        }
    }
}

/// RFC 1939 §7: the header, the empty line, then that many lines of the body.
#[derive(Debug)]
struct Top {
    lines_left: u64,
    in_header: bool,
    /// Octets of the current line so far; only "none", "CR alone" and "something" matter.
    line: LineSoFar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineSoFar {
    Empty,
    OnlyCr,
    Text,
}

impl Top {
    fn new(lines: u32) -> Self {
        Top {
            lines_left: u64::from(lines),
            in_header: true,
            line: LineSoFar::Empty,
        }
    }

    /// How many bytes of `chunk` to send, and whether more are wanted.
    fn limit(&mut self, chunk: &[u8]) -> (usize, bool) {
        if !self.in_header && self.lines_left == 0 {
            return (0, false);
        }
        for (index, byte) in chunk.iter().enumerate() {
            if *byte != b'\n' {
                self.line = match (self.line, *byte) {
                    (LineSoFar::Empty, b'\r') => LineSoFar::OnlyCr,
                    _ => LineSoFar::Text,
                };
                continue;
            }
            if !self.in_header {
                self.lines_left -= 1;
            } else if self.line != LineSoFar::Text {
                self.in_header = false;
            }
            self.line = LineSoFar::Empty;
            if !self.in_header && self.lines_left == 0 {
                return (index + 1, false);
            }
        }
        (chunk.len(), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(message: &[u8], lines: Option<u32>, chunk: usize) -> Vec<u8> {
        let mut encoder = MessageEncoder::new(lines);
        let mut out = Vec::new();
        for piece in message.chunks(chunk.max(1)) {
            if !encoder.push(piece, &mut out) {
                break;
            }
        }
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn stuffs_and_ends_lines() {
        let table: &[(&str, &str)] = &[
            ("", ""),
            ("a\r\n", "a\r\n"),
            ("a", "a\r\n"),
            ("a\r", "a\r\r\n"),
            ("a\n", "a\n\r\n"),
            (".\r\n", "..\r\n"),
            ("..a\r\n.\r\n", "...a\r\n..\r\n"),
            ("a.\r\n.b", "a.\r\n..b\r\n"),
            ("a\n.\nb\r\n", "a\n..\nb\r\n"),
        ];
        for (message, wire) in table {
            for chunk in 1..=message.len().max(1) {
                let out = encode(message.as_bytes(), None, chunk);
                assert_eq!(String::from_utf8_lossy(&out), *wire, "{message:?} {chunk}");
            }
        }
    }

    #[test]
    fn top_counts_body_lines() {
        let message = "A: b\r\nC: d\r\n\r\n1\r\n\r\n3\r\n";
        let table: &[(u32, &str)] = &[
            (0, "A: b\r\nC: d\r\n\r\n"),
            (1, "A: b\r\nC: d\r\n\r\n1\r\n"),
            (2, "A: b\r\nC: d\r\n\r\n1\r\n\r\n"),
            (3, message),
            (u32::MAX, message),
        ];
        for (lines, wire) in table {
            for chunk in 1..=message.len() {
                let out = encode(message.as_bytes(), Some(*lines), chunk);
                assert_eq!(String::from_utf8_lossy(&out), *wire, "{lines} {chunk}");
            }
        }
        // A message without a body, one without a header, one with bare LF.
        assert_eq!(encode(b"A: b\r\n", Some(0), 3), b"A: b\r\n");
        assert_eq!(encode(b"\r\n1\r\n2\r\n", Some(1), 3), b"\r\n1\r\n");
        assert_eq!(encode(b"A: b\n\n1\n2\n", Some(1), 3), b"A: b\n\n1\n\r\n");
    }

    proptest! {
        #[test]
        fn a_client_gets_the_message_back(message in "[.a\r\n]{0,60}", chunk in 1usize..9) {
            // CRLF lines only, as a client of RFC 1939 reads them.
            let message = message.replace(['\r', '\n'], "\r\n");
            let wire = encode(message.as_bytes(), None, chunk);
            let wire = String::from_utf8(wire).unwrap();
            prop_assert!(wire.is_empty() || wire.ends_with("\r\n"));
            let mut read = String::new();
            for line in wire.split_inclusive("\r\n") {
                prop_assert_ne!(line, ".\r\n");
                read.push_str(line.strip_prefix('.').unwrap_or(line));
            }
            if !message.is_empty() && !message.ends_with("\r\n") {
                read.truncate(read.len() - 2);
            }
            prop_assert_eq!(read, message);
        }
    }
}
