//! Undoing a part's transfer encoding (RFC 2045 §6.7, §6.8), in a stream.

use crate::facts::Encoding;
use crate::limits::QP_SPACES_MAX;

/// Bytes of a part's body in, content out, in any chunks. Lenient: what is no valid encoding is
/// skipped (base64) or passed on as it is (quoted-printable).
#[derive(Debug)]
pub struct PartDecoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Identity,
    Base64 { bits: u32, digits: u8 },
    QuotedPrintable(QuotedPrintable),
}

impl PartDecoder {
    /// An unknown encoding passes through.
    pub fn new(encoding: Encoding) -> Self {
        let state = match encoding {
            Encoding::Identity | Encoding::Unknown => State::Identity,
            Encoding::Base64 => State::Base64 { bits: 0, digits: 0 },
            Encoding::QuotedPrintable => State::QuotedPrintable(QuotedPrintable::default()),
        };
        PartDecoder { state }
    }

    /// Appends what `bytes` give to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => out.extend_from_slice(bytes),
            State::Base64 { bits, digits } => {
                for byte in bytes {
                    push_base64(bits, digits, *byte, out);
                }
            }
            State::QuotedPrintable(state) => {
                for byte in bytes {
                    state.push(*byte, out);
                }
            }
        }
    }

    /// There is no more: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => {}
            State::Base64 { bits, digits } => end_quantum(bits, digits, out),
            State::QuotedPrintable(state) => state.finish(out),
        }
    }
}

/// The value of a digit of the standard alphabet or its URL form.
pub(crate) fn base64_digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

fn push_base64(bits: &mut u32, digits: &mut u8, byte: u8, out: &mut Vec<u8>) {
    if byte == b'=' {
        return end_quantum(bits, digits, out);
    }
    let Some(value) = base64_digit(byte) else {
        return;
    };
    *bits = (*bits << 6) | value;
    *digits += 1;
    if *digits == 4 {
        let [_, a, b, c] = bits.to_be_bytes();
        out.extend_from_slice(&[a, b, c]);
        (*bits, *digits) = (0, 0);
    }
}

fn end_quantum(bits: &mut u32, digits: &mut u8, out: &mut Vec<u8>) {
    let [_, a, b, _] = (*bits << (6 * (4 - u32::from((*digits).min(4))))).to_be_bytes();
    match *digits {
        2 => out.push(a),
        3 => out.extend_from_slice(&[a, b]),
        _ => {}
    }
    (*bits, *digits) = (0, 0);
}

#[derive(Debug, Default)]
struct QuotedPrintable {
    /// White space that is dropped when the line ends after it (RFC 2045 §6.7 rule 3).
    spaces: Vec<u8>,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    /// After `=`.
    Start,
    /// After `=` and white space: a soft break with padding, or no escape at all.
    Padding,
    /// After `=\r`.
    Cr,
    /// After `=` and one digit.
    Digit(u8),
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char)
        .to_digit(16)
        .and_then(|v| u8::try_from(v).ok())
}

impl QuotedPrintable {
    fn push(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.escape, byte) {
            (Escape::None, b'=') => {
                self.flush(out);
                self.escape = Escape::Start;
            }
            (Escape::None, b' ' | b'\t') => {
                self.spaces.push(byte);
                if self.spaces.len() >= QP_SPACES_MAX {
                    self.flush(out);
                }
            }
            (Escape::None, b'\r' | b'\n') => {
                self.spaces.clear();
                out.push(byte);
            }
            (Escape::None, _) => {
                self.flush(out);
                out.push(byte);
            }
            (Escape::Start | Escape::Padding | Escape::Cr, b'\n') => self.escape = Escape::None,
            (Escape::Start | Escape::Padding, b'\r') => self.escape = Escape::Cr,
            (Escape::Start | Escape::Padding, b' ' | b'\t') => self.escape = Escape::Padding,
            (Escape::Start, _) if hex(byte).is_some() => self.escape = Escape::Digit(byte),
            (Escape::Digit(first), _) if hex(byte).is_some() => {
                let high = hex(first).unwrap_or_default();
                out.push((high << 4) | hex(byte).unwrap_or_default());
                self.escape = Escape::None;
            }
            (state, _) => {
                self.give_up(state, out);
                self.push(byte, out);
            }
        }
    }

    /// No escape after all: as it was written.
    fn give_up(&mut self, state: Escape, out: &mut Vec<u8>) {
        self.escape = Escape::None;
        match state {
            Escape::Digit(first) => out.extend_from_slice(&[b'=', first]),
            Escape::Start => out.push(b'='),
            Escape::Padding => out.extend_from_slice(b"= "),
            Escape::Cr | Escape::None => {}
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.spaces);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.spaces.clear();
        if let Escape::Digit(_) = self.escape {
            self.give_up(self.escape, out);
        }
    }
}
