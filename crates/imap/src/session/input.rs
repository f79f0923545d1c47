//! What came from the socket and is not done with: lines, literals, message bytes.
//!
//! A command is collected in place, its literals among its lines, and consumed at once. Bytes before
//! `head` are done with and go away with the next `feed`.

use std::ops::Range;

#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Where the present command begins.
    head: usize,
    /// Where its present line begins: after its last literal, perhaps beyond what has come.
    line: usize,
    /// No line ends before this.
    scanned: usize,
}

/// The end of a line that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineEnd {
    /// Before CRLF.
    pub(super) end: usize,
    /// After it.
    pub(super) next: usize,
}

/// A literal that a line announces, RFC 9051 §4.3, RFC 7888.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Where `{` or `~{` is, counted from the beginning of the line.
    pub(super) header: usize,
    pub(super) size: u64,
    pub(super) synchronizing: bool,
    pub(super) literal8: bool,
}

/// More than any literal header: `~{`, 20 digits, `+}`, with zeros in front to spare.
const HEADER_BYTES_MAX: usize = 64;

/// What is left of that for digits. With more of them it is a literal that is too big, whatever is
/// in front: in doubt, what follows is not a command.
const DIGITS_MAX: usize = HEADER_BYTES_MAX - 4;

impl Input {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.head > 0 {
            let done = self.head.min(self.bytes.len());
            self.bytes.drain(..done);
            self.head -= done;
            self.line -= done;
            self.scanned -= done;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.available() == 0
    }

    /// Bytes from the head on.
    pub(super) fn available(&self) -> usize {
        self.bytes.len().saturating_sub(self.head)
    }

    /// Gives the memory back when nothing is held.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Input::default();
        }
    }

    pub(super) fn first(&self) -> Option<u8> {
        self.bytes.get(self.head).copied()
    }

    /// From the head to `end`.
    pub(super) fn command(&self, end: usize) -> &[u8] {
        self.bytes.get(self.head..end).unwrap_or_default()
    }

    /// The present line up to `end`.
    pub(super) fn line(&self, end: usize) -> &[u8] {
        self.bytes.get(self.line..end).unwrap_or_default()
    }

    /// How much of the present line has come.
    pub(super) fn line_bytes(&self) -> usize {
        self.bytes.len().saturating_sub(self.line)
    }

    /// Where the present line begins, counted from the head.
    pub(super) fn line_start(&self) -> usize {
        self.line - self.head
    }

    /// The end of the present line. LF alone ends a line too: people type commands by hand, and no
    /// other reader of the same bytes could be misled.
    pub(super) fn line_end(&mut self) -> Option<LineEnd> {
        let rest = self.bytes.get(self.scanned..)?;
        let Some(position) = memchr::memchr(b'\n', rest) else {
            self.scanned = self.bytes.len();
            return None;
        };
        let feed = self.scanned + position;
        // Found again when asked again.
        self.scanned = feed;
        let crlf = feed > self.line && self.bytes.get(feed - 1) == Some(&b'\r');
        Some(LineEnd {
            end: if crlf { feed - 1 } else { feed },
            next: feed + 1,
        })
    }

    /// The line ended at `next` with a literal of `size` bytes: the command goes on after it.
    pub(super) fn go_on_after(&mut self, next: usize, size: usize) {
        self.line = next.saturating_add(size);
        self.scanned = self.line;
    }

    /// What is before `next` is done with.
    pub(super) fn consume_to(&mut self, next: usize) {
        self.head = next;
        self.line = next;
        self.scanned = next;
    }

    /// Takes at most `max` bytes off the head.
    pub(super) fn take(&mut self, max: u64) -> Range<usize> {
        let length = usize::try_from(max)
            .unwrap_or(usize::MAX)
            .min(self.available());
        let range = self.head..self.head + length;
        self.consume_to(range.end);
        range
    }

    /// Drops an unfinished line but for as much as may announce a literal. Gives how much went.
    pub(super) fn drop_unfinished(&mut self) -> usize {
        // CR may stand between the header and the LF to come.
        let dropped = self.available().saturating_sub(HEADER_BYTES_MAX + 1);
        self.consume_to(self.head + dropped);
        dropped
    }
}

/// The literal that `line` (without its CRLF) announces at its end.
pub(super) fn announced(line: &[u8]) -> Option<Announced> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, synchronizing) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let count = inner.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let start = inner.len() - count.count();
    let (before, digits) = inner.split_at_checked(start)?;
    if digits.len() > DIGITS_MAX {
        // No room for the brace in what `drop_unfinished` leaves, so it does not count here either.
        return Some(Announced {
            header: start,
            size: u64::MAX,
            synchronizing,
            literal8: false,
        });
    }
    let before = before.strip_suffix(b"{")?;
    if digits.is_empty() {
        return None;
    }
    let size = digits.iter().fold(0u64, |size, digit| {
        size.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    let literal8 = before.last() == Some(&b'~');
    Some(Announced {
        header: before.len() - usize::from(literal8),
        size,
        synchronizing,
        literal8,
    })
}

/// A quoted string is open at the end of `line`: what looks like a literal is in its midst, so the
/// command is broken.
pub(super) fn ends_in_quotes(line: &[u8]) -> bool {
    let mut quoted = false;
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                bytes.next();
            }
            _ => {}
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_announced() {
        let literal = |line: &str| {
            announced(line.as_bytes()).map(|literal| {
                (
                    literal.header,
                    literal.size,
                    literal.synchronizing,
                    literal.literal8,
                )
            })
        };
        assert_eq!(literal("a LOGIN {5}"), Some((8, 5, true, false)));
        assert_eq!(literal("a LOGIN {5+}"), Some((8, 5, false, false)));
        assert_eq!(literal("a APPEND x ~{5+}"), Some((11, 5, false, true)));
        assert_eq!(literal("{0}"), Some((0, 0, true, false)));
        assert_eq!(
            literal("{99999999999999999999}"),
            Some((0, u64::MAX, true, false))
        );
        assert_eq!(
            literal(&format!("{{{}5+}}", "0".repeat(DIGITS_MAX - 1))),
            Some((0, 5, false, false))
        );
        for front in ["", "{", "a~{"] {
            let line = format!("{front}{}5+}}", "0".repeat(DIGITS_MAX));
            assert_eq!(literal(&line), Some((front.len(), u64::MAX, false, false)));
        }
        for line in [
            "", "}", "{}", "{+}", "{-1}", "{5-}", "{5} ", "5}", "{5++}", "{ 5}",
        ] {
            assert_eq!(literal(line), None, "{line}");
        }
    }

    #[test]
    fn quotes() {
        assert!(ends_in_quotes(b"a LOGIN \"x "));
        assert!(ends_in_quotes(b"a LOGIN \"x\\\""));
        assert!(!ends_in_quotes(b"a LOGIN \"x\\\\\" "));
        assert!(!ends_in_quotes(b"a LOGIN \"x\" "));
    }
}
