//! Commands out of bytes: atoms, numbers, quoted strings and literals (RFC 5804 §4).

use super::limits;

/// A word of a command.
#[derive(Clone, PartialEq, Eq)]
pub enum Word {
    /// Upper case.
    Atom(String),
    Number(u64),
    Text(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    LineTooLong,
    ForbiddenByte,
    Syntax,
    /// A literal that may not be so long.
    LiteralTooLong,
    TooManyWords,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Read {
    /// More bytes are needed.
    More,
    Command(Vec<Word>),
    /// The whole command is consumed.
    Bad(Fault),
    /// So much would have to be dropped that the connection is better closed.
    Hopeless,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Line,
    /// The rest of a line that was too long is dropped.
    DropLine,
    Literal {
        left: usize,
    },
    DropLiteral {
        left: u64,
    },
}

#[derive(Default)]
pub struct Reader {
    input: Vec<u8>,
    consumed: usize,
    state: State,
    words: Vec<Word>,
    literal: Vec<u8>,
    /// What is wrong with the command so far.
    fault: Option<Fault>,
    dropped: u64,
}

impl Reader {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub fn buffered(&self) -> &[u8] {
        self.input.get(self.consumed..).unwrap_or_default()
    }

    /// Forgets all that came.
    pub fn clear(&mut self) {
        *self = Reader::default();
    }

    /// The next command; `literal_max`: bytes that a literal may have.
    pub fn read(&mut self, literal_max: usize) -> Read {
        let read = loop {
            let step = match self.state {
                State::Line => self.line(literal_max),
                State::DropLine => self.drop_line(),
                State::Literal { left } => self.take_literal(left),
                State::DropLiteral { left } => self.drop_literal(left),
            };
            if let Some(read) = step {
                break read;
            }
        };
        if read == Read::More {
            self.input.drain(..self.consumed);
            self.consumed = 0;
            if self.input.is_empty() {
                self.input = Vec::new();
            }
        }
        read
    }

    fn line(&mut self, literal_max: usize) -> Option<Read> {
        let buffered = self.buffered();
        let end = memchr::memchr(b'\n', buffered).map(|at| at + 1);
        if end.unwrap_or(buffered.len()) > limits::LINE_BYTES_MAX {
            self.fault.get_or_insert(Fault::LineTooLong);
            self.state = State::DropLine;
            return None;
        }
        let Some(end) = end else {
            return Some(Read::More);
        };
        let line = buffered.get(..end).unwrap_or_default().to_vec();
        self.consumed += end;
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Some(self.done(Some(Fault::ForbiddenByte)));
        };
        match self.words_of(line) {
            Ok(None) => Some(self.done(None)),
            Err(fault) => Some(self.done(Some(fault))),
            Ok(Some(size)) => {
                match usize::try_from(size)
                    .ok()
                    .filter(|size| *size <= literal_max)
                {
                    Some(left) => self.state = State::Literal { left },
                    None => {
                        self.fault.get_or_insert(Fault::LiteralTooLong);
                        self.state = State::DropLiteral { left: size };
                    }
                }
                None
            }
        }
    }

    fn drop_line(&mut self) -> Option<Read> {
        match memchr::memchr(b'\n', self.buffered()) {
            Some(at) => {
                self.consumed += at + 1;
                Some(self.done(None))
            }
            None => {
                self.consumed = self.input.len();
                Some(Read::More)
            }
        }
    }

    fn take_literal(&mut self, left: usize) -> Option<Read> {
        let buffered = self.buffered();
        let taken = buffered.get(..left).unwrap_or(buffered).to_vec();
        self.consumed += taken.len();
        self.literal.extend_from_slice(&taken);
        let left = left - taken.len();
        self.state = State::Literal { left };
        if left > 0 {
            return Some(Read::More);
        }
        let literal = std::mem::take(&mut self.literal);
        self.word(Word::Text(literal));
        self.state = State::Line;
        None
    }

    fn drop_literal(&mut self, left: u64) -> Option<Read> {
        let here = u64::try_from(self.buffered().len())
            .unwrap_or(u64::MAX)
            .min(left);
        if self.dropped.saturating_add(left) > limits::DROPPED_BYTES_MAX {
            return Some(Read::Hopeless);
        }
        self.consumed += usize::try_from(here).unwrap_or(0);
        self.dropped += here;
        let left = left - here;
        if left > 0 {
            self.state = State::DropLiteral { left };
            return Some(Read::More);
        }
        self.state = State::Line;
        None
    }

    fn word(&mut self, word: Word) {
        if self.words.len() >= limits::WORDS_MAX {
            self.fault.get_or_insert(Fault::TooManyWords);
        } else {
            self.words.push(word);
        }
    }

    fn done(&mut self, fault: Option<Fault>) -> Read {
        self.state = State::Line;
        let words = std::mem::take(&mut self.words);
        match self.fault.take().or(fault) {
            Some(fault) => Read::Bad(fault),
            None => Read::Command(words),
        }
    }

    /// Words of a line; the size when it ends in a literal.
    fn words_of(&mut self, line: &[u8]) -> Result<Option<u64>, Fault> {
        if line.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(Fault::ForbiddenByte);
        }
        let mut rest = line;
        loop {
            rest = rest.trim_ascii_start();
            let Some(first) = rest.first() else {
                return Ok(None);
            };
            match first {
                b'"' => {
                    let (text, after) = quoted(rest).ok_or(Fault::Syntax)?;
                    self.word(Word::Text(text));
                    rest = after;
                }
                b'{' => return literal_size(rest).map(Some).ok_or(Fault::Syntax),
                _ => {
                    let end = rest.iter().position(|byte| *byte == b' ');
                    let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                    self.word(plain(word).ok_or(Fault::Syntax)?);
                    rest = after;
                }
            }
            if rest.first().is_some_and(|byte| *byte != b' ') {
                return Err(Fault::Syntax);
            }
        }
    }
}

/// A quoted string at the front, and what follows it.
fn quoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut rest = bytes.get(1..)?.iter();
    loop {
        match rest.next()? {
            b'"' => return Some((text, rest.as_slice())),
            b'\\' => text.push(*rest.next()?),
            byte => text.push(*byte),
        }
    }
}

/// `{n+}`, and `{n}` as some clients write it: nobody waits for leave to send a literal.
fn literal_size(bytes: &[u8]) -> Option<u64> {
    let inside = bytes.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let digits = inside.strip_suffix(b"+").unwrap_or(inside);
    number(digits)
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

fn plain(word: &[u8]) -> Option<Word> {
    if word.first().is_some_and(u8::is_ascii_digit) {
        return number(word).map(Word::Number);
    }
    let atom = |byte: &u8| byte.is_ascii_graphic() && !b"\"{}()\\".contains(byte);
    let text = std::str::from_utf8(word).ok()?;
    word.iter()
        .all(atom)
        .then(|| Word::Atom(text.to_ascii_uppercase()))
}
