//! Text in any charset to UTF-8, in a stream. Labels of the WHATWG encoding standard, and UTF-7
//! (RFC 2152). Never fails: what cannot be read becomes U+FFFD.

use encoding_rs::{Decoder, Encoding, REPLACEMENT, UTF_8};

use crate::decode::{PartDecoder, base64_digit};
use crate::facts::Part;

/// Content bytes in, text out, in any chunks.
pub struct TextDecoder {
    state: State,
}

enum State {
    Known(Box<Decoder>),
    Utf7(Utf7),
}

impl TextDecoder {
    /// `charset` as written in the parameter. us-ascii and unknown ones are read as UTF-8: that is
    /// what they turn out to be.
    pub fn new(charset: &[u8]) -> Self {
        let label = charset.trim_ascii().to_ascii_lowercase();
        if matches!(label.as_slice(), b"utf-7" | b"unicode-1-1-utf-7") {
            return TextDecoder {
                state: State::Utf7(Utf7::default()),
            };
        }
        let ascii = matches!(label.as_slice(), b"us-ascii" | b"ascii" | b"");
        let encoding = match Encoding::for_label(&label) {
            // The label "replacement" is for charsets that browsers refuse.
            Some(encoding) if !ascii && encoding != REPLACEMENT => encoding,
            _ => UTF_8,
        };
        let decoder = if label.starts_with(b"utf") {
            encoding.new_decoder()
        } else {
            encoding.new_decoder_without_bom_handling()
        };
        TextDecoder {
            state: State::Known(Box::new(decoder)),
        }
    }

    /// Whether the charset is one that can be read (RFC 9051 BADCHARSET, SEARCH CHARSET).
    pub fn is_known(charset: &[u8]) -> bool {
        let label = charset.trim_ascii().to_ascii_lowercase();
        matches!(label.as_slice(), b"utf-7" | b"unicode-1-1-utf-7")
            || Encoding::for_label(&label).is_some()
    }

    /// Appends what `bytes` give to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.decode(bytes, out, false);
    }

    /// There is no more: appends what was held back.
    pub fn finish(&mut self, out: &mut String) {
        self.decode(&[], out, true);
    }

    fn decode(&mut self, bytes: &[u8], out: &mut String, last: bool) {
        match &mut self.state {
            State::Utf7(utf7) => utf7.push(bytes, out),
            State::Known(decoder) => {
                let room = decoder
                    .max_utf8_buffer_length(bytes.len())
                    .unwrap_or(bytes.len());
                out.reserve(room.saturating_add(16));
                // With that much room one call takes all.
                let _ = decoder.decode_to_string(bytes, out, last);
            }
        }
    }
}

/// A whole value at once.
pub fn to_text(charset: &[u8], bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut decoder = TextDecoder::new(charset);
    decoder.push(bytes, &mut out);
    decoder.finish(&mut out);
    out
}

#[derive(Default)]
struct Utf7 {
    shifted: bool,
    /// The shift began with this byte.
    fresh: bool,
    bits: u32,
    count: u32,
    high: Option<u16>,
}

impl Utf7 {
    fn push(&mut self, bytes: &[u8], out: &mut String) {
        for byte in bytes {
            if self.shifted {
                self.push_shifted(*byte, out);
            } else if *byte == b'+' {
                *self = Utf7 {
                    shifted: true,
                    fresh: true,
                    ..Utf7::default()
                };
            } else {
                out.push(if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    '\u{fffd}'
                });
            }
        }
    }

    fn push_shifted(&mut self, byte: u8, out: &mut String) {
        let digit = match byte {
            b'-' | b'_' => None,
            _ => base64_digit(byte),
        };
        let Some(digit) = digit else {
            if byte == b'-' && self.fresh {
                out.push('+');
            } else if byte != b'-' {
                out.push(if byte.is_ascii() {
                    char::from(byte)
                } else {
                    '\u{fffd}'
                });
            }
            *self = Utf7::default();
            return;
        };
        self.fresh = false;
        self.bits = (self.bits << 6) | digit;
        self.count += 6;
        if self.count >= 16 {
            self.count -= 16;
            let unit = (self.bits >> self.count) & 0xffff;
            self.bits &= (1 << self.count) - 1;
            self.push_unit(u16::try_from(unit).unwrap_or_default(), out);
        }
    }

    fn push_unit(&mut self, unit: u16, out: &mut String) {
        let units = match self.high.take() {
            Some(high) => vec![high, unit],
            None if (0xd800..0xdc00).contains(&unit) => {
                self.high = Some(unit);
                return;
            }
            None => vec![unit],
        };
        out.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')));
    }
}

/// Text of a part as people read it: transfer encoding and charset undone, in a stream. What
/// SEARCH BODY and TEXT look at (RFC 9051 §6.4.4).
pub struct PartText {
    transfer: PartDecoder,
    text: TextDecoder,
    content: Vec<u8>,
}

impl PartText {
    pub fn new(part: &Part) -> Self {
        PartText {
            transfer: PartDecoder::new(part.encoding()),
            text: TextDecoder::new(part.charset()),
            content: Vec::new(),
        }
    }

    /// Appends what `bytes` of the part's body give to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.content.clear();
        self.transfer.push(bytes, &mut self.content);
        self.text.push(&self.content, out);
    }

    /// There is no more: appends what was held back.
    pub fn finish(&mut self, out: &mut String) {
        self.content.clear();
        self.transfer.finish(&mut self.content);
        self.text.push(&self.content, out);
        self.text.finish(out);
    }
}
