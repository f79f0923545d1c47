//! Standard input as lines, whatever ends them: LF, CRLF, or CR alone. Bounded: a long line comes in
//! pieces.

use std::io::{self, BufRead};

use crate::limits::PIECE_BYTES_MAX;

/// Some of a line, without its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// The line begins with it.
    pub begins: bool,
    /// The line ends with it.
    pub ends: bool,
}

#[derive(Debug)]
pub struct Pieces<R> {
    input: R,
    /// A line with a dot alone is the end.
    ends_at_dot: bool,
    at_start: bool,
    after_cr: bool,
    done: bool,
}

impl<R: BufRead> Pieces<R> {
    pub fn new(input: R, ends_at_dot: bool) -> Self {
        Pieces {
            input,
            ends_at_dot,
            at_start: true,
            after_cr: false,
            done: false,
        }
    }

    /// `None`: the message is over. A last line without an end gets one.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if self.done {
            return Ok(None);
        }
        let piece = self.read()?;
        let dot = piece.begins && piece.ends && piece.bytes == b".";
        let nothing = piece.begins && piece.bytes.is_empty() && !piece.ends;
        if nothing || (dot && self.ends_at_dot) {
            self.done = true;
            return Ok(None);
        }
        self.at_start = piece.ends;
        Ok(Some(piece))
    }

    fn read(&mut self) -> io::Result<Piece> {
        let mut piece = Piece {
            begins: self.at_start,
            ..Piece::default()
        };
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                self.done = true;
                // What is left of a line is one; nothing behind the last end is none.
                piece.ends = !piece.bytes.is_empty() || !piece.begins;
                return Ok(piece);
            }
            if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
                self.input.consume(1);
                continue;
            }
            let room = PIECE_BYTES_MAX.saturating_sub(piece.bytes.len());
            let bytes = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
            piece.bytes.extend_from_slice(line);
            self.after_cr = end.is_some_and(|end| bytes.get(end) == Some(&b'\r'));
            let used = line.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() || piece.bytes.len() >= PIECE_BYTES_MAX {
                piece.ends = end.is_some();
                return Ok(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn lines(text: &[u8], ends_at_dot: bool, buffer: usize) -> Vec<Vec<u8>> {
        let input = BufReader::with_capacity(buffer, Cursor::new(text.to_vec()));
        let mut pieces = Pieces::new(input, ends_at_dot);
        let mut lines = Vec::new();
        while let Some(piece) = pieces.next_piece().unwrap() {
            assert!(piece.begins && piece.ends, "{piece:?}");
            lines.push(piece.bytes);
        }
        assert_eq!(pieces.next_piece().unwrap(), None);
        lines
    }

    #[test]
    fn every_end_of_a_line() {
        let expected: [&[u8]; 6] = [b"a", b"", b"b", b"c", b".", b".d"];
        for buffer in 1..12 {
            let text = b"a\n\r\nb\rc\r\n.\n.d";
            assert_eq!(lines(text, false, buffer), expected);
            assert_eq!(lines(text, true, buffer), expected[..4]);
            assert_eq!(lines(b"a\n..\n", true, buffer), [&b"a"[..], b".."]);
            assert_eq!(lines(b"", true, buffer), Vec::<Vec<u8>>::new());
        }
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let long = vec![b'x'; PIECE_BYTES_MAX + 1];
        let mut pieces = Pieces::new(Cursor::new(long), true);
        let first = pieces.next_piece().unwrap().unwrap();
        assert_eq!(
            (first.bytes.len(), first.begins, first.ends),
            (PIECE_BYTES_MAX, true, false)
        );
        let second = pieces.next_piece().unwrap().unwrap();
        assert_eq!(
            (second.bytes.len(), second.begins, second.ends),
            (1, false, true)
        );
        assert_eq!(pieces.next_piece().unwrap(), None);
        // A dot that begins no line ends nothing.
        let mut long = vec![b'x'; PIECE_BYTES_MAX];
        long.extend_from_slice(b".\n");
        let mut pieces = Pieces::new(Cursor::new(long), true);
        pieces.next_piece().unwrap().unwrap();
        assert_eq!(pieces.next_piece().unwrap().unwrap().bytes, b".");
    }
}
