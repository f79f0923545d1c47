//! The body on the wire: taken apart after DATA and BDAT, put together for another server.
//!
//! RFC 5321 §2.3.8: CR and LF go together. §4.1.1.4: only CRLF "." CRLF ends DATA. Servers that
//! took less for an end let one message be smuggled inside another (CVE-2023-51764 and its kin), so
//! here a bare CR or bare LF never ends or begins a line, and a message that holds one is refused
//! after its real end, whole. §4.5.2: the dot that was put before a line's dot is taken away.
//! RFC 6152 §3: neither 7-bit nor 8-bit text holds NUL.

use crate::reply::{self, Reply};

/// Why a body that was read to its end is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    BareCrOrLf,
    Nul,
}

impl BodyFault {
    pub fn reply(self) -> Reply {
        match self {
            BodyFault::BareCrOrLf => reply::BARE_CR_OR_LF,
            BodyFault::Nul => reply::NUL_BYTE,
        }
    }
}

/// What the front of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// After `skip` bytes that are not of the message, `len` that are.
    Body { skip: usize, len: usize },
    /// Come again with more input behind what is there (at most two bytes are held back).
    More,
    /// The end; it took this many bytes.
    End { len: usize },
}

/// Finds the end of DATA and takes the stuffed dots away.
#[derive(Debug)]
pub struct DataDecoder {
    line_start: bool,
    fault: Option<BodyFault>,
}

impl Default for DataDecoder {
    fn default() -> Self {
        // The CRLF of the DATA command counts: "." CRLF at once is an empty message.
        DataDecoder {
            line_start: true,
            fault: None,
        }
    }
}

impl DataDecoder {
    /// The first fault so far.
    pub fn fault(&self) -> Option<BodyFault> {
        self.fault
    }

    /// Looks at input not used up yet. The caller passes over `skip + len` bytes.
    pub fn next(&mut self, input: &[u8]) -> Piece {
        let mut skip = 0;
        if self.line_start {
            match input {
                [] | [b'.'] | [b'.', b'\r'] => return Piece::More,
                [b'.', b'\r', b'\n', ..] => return Piece::End { len: 3 },
                [b'.', ..] => skip = 1,
                _ => {}
            }
        }
        let (end, line_start) = self.scan(input, skip);
        if end == skip {
            return Piece::More;
        }
        self.line_start = line_start;
        Piece::Body {
            skip,
            len: end - skip,
        }
    }

    /// From `at`, how far the message goes without a decision: up to a line that begins with a dot
    /// (or may), or to a CR whose next byte has not come. True: it ends at the end of a line.
    fn scan(&mut self, input: &[u8], mut at: usize) -> (usize, bool) {
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr3(b'\r', b'\n', 0, rest) else {
                return (input.len(), false);
            };
            let place = at + found;
            at = match (input.get(place), input.get(place + 1)) {
                (Some(b'\r'), None) => return (place, false),
                (Some(b'\r'), Some(b'\n')) => match input.get(place + 2) {
                    None | Some(b'.') => return (place + 2, true),
                    Some(_) => place + 2,
                },
                (Some(0), _) => {
                    self.fault.get_or_insert(BodyFault::Nul);
                    place + 1
                }
                _ => {
                    self.fault.get_or_insert(BodyFault::BareCrOrLf);
                    place + 1
                }
            };
        }
    }
}

/// Checks the text of BDAT chunks. RFC 3030 §3 lets only BODY=BINARYMIME have bytes that are not
/// lines; chunks of any other body follow RFC 5321 §2.3.8 as DATA does, and since they may leave by
/// DATA to the next server, a bare CR or LF in them would smuggle there.
#[derive(Debug, Default)]
pub struct TextCheck {
    after_cr: bool,
    fault: Option<BodyFault>,
}

impl TextCheck {
    pub fn push(&mut self, bytes: &[u8]) {
        // Where an LF has to stand, after a CR.
        let mut expected = self.after_cr.then_some(0);
        for at in memchr::memchr3_iter(b'\r', b'\n', 0, bytes) {
            let byte = bytes.get(at).copied();
            let after_cr = expected == Some(at);
            if expected.is_some_and(|expected| expected < at) {
                self.found(BodyFault::BareCrOrLf);
            }
            match byte {
                Some(b'\n') if after_cr => {}
                Some(b'\n') => self.found(BodyFault::BareCrOrLf),
                _ if after_cr => self.found(BodyFault::BareCrOrLf),
                Some(0) => self.found(BodyFault::Nul),
                _ => {}
            }
            expected = (byte == Some(b'\r')).then_some(at + 1);
        }
        if expected.is_some_and(|expected| expected < bytes.len()) {
            self.found(BodyFault::BareCrOrLf);
        }
        self.after_cr = expected == Some(bytes.len());
    }

    fn found(&mut self, fault: BodyFault) {
        self.fault.get_or_insert(fault);
    }

    pub fn fault(&self) -> Option<BodyFault> {
        self.fault
    }

    /// The fault of the whole, once its last byte was pushed.
    pub fn finish(&self) -> Option<BodyFault> {
        match self.fault {
            None if self.after_cr => Some(BodyFault::BareCrOrLf),
            fault => fault,
        }
    }
}

/// Puts the dots before dots for DATA, in a stream; nothing else is changed.
#[derive(Debug)]
pub struct DataEncoder {
    line_start: bool,
    ends_line: bool,
    check: TextCheck,
}

impl Default for DataEncoder {
    fn default() -> Self {
        DataEncoder {
            line_start: true,
            ends_line: true,
            check: TextCheck::default(),
        }
    }
}

impl DataEncoder {
    /// Appends the wire form of `chunk` to `out`.
    ///
    /// # Errors
    /// A bare CR, bare LF or NUL: such a message can't go by DATA (it would smuggle); close the
    /// connection without ending DATA.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), BodyFault> {
        self.check.push(chunk);
        if let Some(fault) = self.check.fault() {
            return Err(fault);
        }
        out.reserve(chunk.len());
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map(|at| at + 1);
            let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line_start && line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            self.line_start = end.is_some();
            rest = after;
        }
        self.ends_line = self.line_start;
        Ok(())
    }

    /// The last line's end if it is missing, and the end of DATA.
    ///
    /// # Errors
    /// As `push`, for a CR at the very end.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), BodyFault> {
        if let Some(fault) = self.check.finish() {
            return Err(fault);
        }
        if !self.ends_line {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds pieces of `chunk` bytes; gives the message, the fault, and what follows the end.
    fn decode(wire: &[u8], chunk: usize) -> Option<(Vec<u8>, Option<BodyFault>, Vec<u8>)> {
        let mut decoder = DataDecoder::default();
        let mut message = Vec::new();
        let mut buffer = Vec::new();
        let mut pieces = wire.chunks(chunk);
        loop {
            match decoder.next(&buffer) {
                Piece::Body { skip, len } => {
                    message.extend_from_slice(&buffer[skip..skip + len]);
                    buffer.drain(..skip + len);
                }
                Piece::More => {
                    assert!(buffer.len() <= 2, "{buffer:?}");
                    buffer.extend_from_slice(pieces.next()?);
                }
                Piece::End { len } => {
                    buffer.drain(..len);
                    let rest = [buffer, pieces.collect::<Vec<_>>().concat()].concat();
                    return Some((message, decoder.fault(), rest));
                }
            }
        }
    }

    #[test]
    fn ends_and_dots() {
        let table: &[(&str, &str)] = &[
            (".\r\n", ""),
            ("a\r\n.\r\n", "a\r\n"),
            ("\r\n.\r\n", "\r\n"),
            ("..\r\n.\r\n", ".\r\n"),
            ("..a\r\n...\r\n.\r\n", ".a\r\n..\r\n"),
            (".a\r\n.\r\n", "a\r\n"),
            ("a.\r\n.\r\n", "a.\r\n"),
            ("a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"),
        ];
        for (wire, message) in table {
            for chunk in 1..=wire.len() {
                let (body, fault, rest) = decode(wire.as_bytes(), chunk).unwrap();
                assert_eq!(String::from_utf8(body).unwrap(), *message, "{wire:?}");
                assert_eq!((fault, rest.len()), (None, 0), "{wire:?}");
            }
        }
    }

    /// Every pretended end that some server has taken for one: none ends DATA here, the commands
    /// behind it stay part of the message, and the message is refused.
    #[test]
    fn smuggling() {
        let pretended = [
            "\n.\n",
            "\r.\r",
            "\r\n.\n",
            "\n.\r\n",
            "\r\n.\r",
            "\r.\r\n",
            "\r\r\n.\r\r\n",
            "\n\n.\n\n",
            "\r\n.\r\r\n",
            "\r\n\0.\r\n",
            "\r\n.\0\r\n",
            "\0.\0",
            "\r\0\n.\r\n",
            "\n.\r",
            "\r.\n",
            "\r\n.\n\r\n",
            "\r\n\r.\r\n",
            "\r\n.\r.\r\n",
        ];
        for end in pretended {
            let wire = format!("hello{end}MAIL FROM:<evil@x>\r\nmore\r\n.\r\nQUIT\r\n");
            for chunk in 1..=wire.len() {
                let (body, fault, rest) = decode(wire.as_bytes(), chunk).unwrap();
                let body = String::from_utf8(body).unwrap();
                assert!(body.contains("MAIL FROM:<evil@x>\r\nmore\r\n"), "{end:?}");
                assert!(fault.is_some(), "{end:?}");
                assert_eq!(rest, b"QUIT\r\n", "{end:?}");
            }
        }
    }

    #[test]
    fn text_of_chunks() {
        let check = |text: &[u8], chunk: usize| {
            let mut check = TextCheck::default();
            text.chunks(chunk).for_each(|c| check.push(c));
            check.finish()
        };
        for chunk in 1..5 {
            assert_eq!(check(b"a\r\nb\r\n", chunk), None);
            assert_eq!(check(b"a", chunk), None);
            assert_eq!(check(b"a\r", chunk), Some(BodyFault::BareCrOrLf));
            assert_eq!(check(b"a\n", chunk), Some(BodyFault::BareCrOrLf));
            assert_eq!(check(b"a\r\r\n", chunk), Some(BodyFault::BareCrOrLf));
            assert_eq!(check(b"a\0\r\n", chunk), Some(BodyFault::Nul));
        }
    }

    #[test]
    fn encoder_refuses_what_would_smuggle() {
        for text in ["a\nb", "a\rb", "\n.\r\n", "a\0"] {
            let mut out = Vec::new();
            let mut encoder = DataEncoder::default();
            assert!(encoder.push(text.as_bytes(), &mut out).is_err(), "{text:?}");
        }
        let mut encoder = DataEncoder::default();
        encoder.push(b"a\r", &mut Vec::new()).unwrap();
        assert!(encoder.finish(&mut Vec::new()).is_err());
    }

    /// As the rule reads: CR and LF only together, no NUL.
    fn is_text(bytes: &[u8]) -> bool {
        let alone = |at: usize| match bytes[at] {
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            b'\n' => at == 0 || bytes[at - 1] != b'\r',
            byte => byte == 0,
        };
        !(0..bytes.len()).any(alone)
    }

    proptest! {
        #[test]
        fn text_is_what_the_rule_says(
            bytes in proptest::collection::vec(proptest::sample::select(b"\r\n\0ab".to_vec()), 0..12),
            cut in 0usize..12,
        ) {
            let mut check = TextCheck::default();
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            check.push(head);
            check.push(tail);
            prop_assert_eq!(check.finish().is_none(), is_text(&bytes), "{:?}", bytes);
        }

        #[test]
        fn both_ways(text in "[.a\r]{0,60}", out_chunk in 1usize..9, in_chunk in 1usize..9) {
            let text = text.replace('\r', "\r\n");
            let mut wire = Vec::new();
            let mut encoder = DataEncoder::default();
            for piece in text.as_bytes().chunks(out_chunk) {
                encoder.push(piece, &mut wire).unwrap();
            }
            encoder.finish(&mut wire).unwrap();
            let (mut body, fault, rest) = decode(&wire, in_chunk).unwrap();
            if !text.is_empty() && !text.ends_with("\r\n") {
                body.truncate(body.len() - 2);
            }
            prop_assert_eq!(String::from_utf8(body).unwrap(), text);
            prop_assert_eq!((fault, rest.len()), (None, 0));
        }

        #[test]
        fn any_split_gives_the_same(wire in proptest::collection::vec(prop_oneof![
            Just(b'.'), Just(b'\r'), Just(b'\n'), Just(0), Just(b'a')], 0..60), chunk in 1usize..9) {
            let mut wire = wire;
            wire.extend_from_slice(b"\r\n.\r\n");
            prop_assert_eq!(decode(&wire, wire.len()), decode(&wire, chunk));
        }
    }
}
