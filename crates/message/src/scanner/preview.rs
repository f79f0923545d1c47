//! The start of the message's text, RFC 8970.

use crate::charset::TextDecoder;
use crate::decode::PartDecoder;
use crate::facts::Part;
use crate::html::Strip;
use crate::limits::{PREVIEW_CHARS_MAX, PREVIEW_RAW_BYTES_MAX};

/// Collects the start of the first plain text part, and of the first HTML part in case there is
/// no plain one.
#[derive(Default)]
pub(super) struct Preview {
    plain: String,
    html: String,
    current: Option<Source>,
}

struct Source {
    is_html: bool,
    transfer: PartDecoder,
    text: TextDecoder,
    strip: Strip,
    collapsed: Collapsed,
    raw_bytes: usize,
}

impl Preview {
    pub(super) fn begin(&mut self, part: &Part) {
        let is_html = part.is("text", "html");
        let wanted = if is_html {
            self.html.is_empty()
        } else {
            self.plain.is_empty() && part.is("text", "*") && !part.is("text", "calendar")
        };
        if !wanted || part.is_attachment() {
            return;
        }
        self.current = Some(Source {
            is_html,
            transfer: PartDecoder::new(part.encoding()),
            text: TextDecoder::new(part.charset()),
            strip: Strip::default(),
            collapsed: Collapsed::default(),
            raw_bytes: 0,
        });
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        // In small pieces: most of a big one is not needed.
        for piece in bytes.chunks(PIECE_BYTES) {
            match &mut self.current {
                Some(source) => source.push(piece),
                None => return,
            }
            if self.current.as_ref().is_some_and(Source::has_enough) {
                self.end();
            }
        }
    }

    pub(super) fn end(&mut self) {
        let Some(mut source) = self.current.take() else {
            return;
        };
        let mut content = Vec::new();
        source.transfer.finish(&mut content);
        source.take(&content, true);
        let text = source.collapsed.text;
        if source.is_html {
            self.html = text;
        } else {
            self.plain = text;
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.end();
        if self.plain.is_empty() {
            self.html
        } else {
            self.plain
        }
    }
}

const PIECE_BYTES: usize = 512;

impl Source {
    fn push(&mut self, piece: &[u8]) {
        let room = PREVIEW_RAW_BYTES_MAX.saturating_sub(self.raw_bytes);
        let piece = piece.get(..room).unwrap_or(piece);
        self.raw_bytes = self.raw_bytes.saturating_add(piece.len());
        let mut content = Vec::new();
        self.transfer.push(piece, &mut content);
        self.take(&content, false);
    }

    fn has_enough(&self) -> bool {
        self.collapsed.is_full() || self.raw_bytes >= PREVIEW_RAW_BYTES_MAX
    }

    fn take(&mut self, content: &[u8], last: bool) {
        let mut text = String::new();
        self.text.push(content, &mut text);
        if last {
            self.text.finish(&mut text);
        }
        for character in text.chars() {
            if self.is_html {
                self.strip
                    .push(character, &mut |character| self.collapsed.push(character));
            } else {
                self.collapsed.push(character);
            }
        }
    }
}

/// Text with runs of white space and control characters made one space, cut at the limit.
#[derive(Default)]
struct Collapsed {
    text: String,
    chars: usize,
    space: bool,
}

impl Collapsed {
    fn is_full(&self) -> bool {
        self.chars >= PREVIEW_CHARS_MAX
    }

    fn push(&mut self, character: char) {
        if character.is_whitespace() || character.is_control() || character == '\u{feff}' {
            self.space = true;
            return;
        }
        if self.space && self.chars > 0 {
            self.push_char(' ');
        }
        self.space = false;
        self.push_char(character);
    }

    fn push_char(&mut self, character: char) {
        if !self.is_full() {
            self.text.push(character);
            self.chars += 1;
        }
    }
}
