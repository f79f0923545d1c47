//! The tokens of RFC 9051 §9, read off a whole command.
//!
//! A command is one line with its literals inside: `{5}` CRLF and the five bytes. The session
//! guarantees that a literal's bytes are there; the cursor checks nonetheless. Every list is
//! bounded by `limits`.

use std::borrow::Cow;

use crate::limits;
use crate::set::{SequenceSet, SetNumber};

/// Why a command is refused before it runs; each has its one reply in `session/reply.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Tag,
    Command,
    Arguments,
    MailboxName,
    MailboxNameTooLong,
    /// Well encoded, but no mailbox may be called so.
    MailboxNameCannot,
    Flag,
    Date,
    Charset,
    TooMuch,
    SpecialUse,
    /// An event of NOTIFY that is not known.
    Event,
}

pub(crate) type Parse<T> = Result<T, Fault>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// IMAP4rev2 or UTF8=ACCEPT was enabled: mailbox names are UTF-8.
    pub(crate) utf8: bool,
}

/// RFC 9051 §9 `ATOM-CHAR`.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// RFC 9051 §9 `ASTRING-CHAR`.
pub(crate) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// RFC 9051 §9 `list-char`.
fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

/// RFC 9051 §9 `tag`.
pub(crate) fn is_tag_char(byte: u8) -> bool {
    is_astring_char(byte) && byte != b'+'
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], utf8: bool) -> Self {
        Cursor { rest: bytes, utf8 }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes `byte` if it is next.
    pub(crate) fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Parse<()> {
        if self.skip(byte) {
            Ok(())
        } else {
            Err(Fault::Arguments)
        }
    }

    pub(crate) fn space(&mut self) -> Parse<()> {
        self.expect(b' ')
    }

    /// Nothing is left, spaces apart that some clients leave behind.
    pub(crate) fn end(&self) -> Parse<()> {
        if self.rest.iter().all(|byte| *byte == b' ') {
            Ok(())
        } else {
            Err(Fault::Arguments)
        }
    }

    /// The longest run of such bytes, perhaps empty.
    pub(crate) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self
            .rest
            .iter()
            .position(|byte| !accept(*byte))
            .unwrap_or(self.rest.len());
        self.take(length).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes `word` if it is next, whatever its case.
    pub(crate) fn skip_word(&mut self, word: &str) -> bool {
        match self.rest.split_at_checked(word.len()) {
            Some((taken, rest)) if taken.eq_ignore_ascii_case(word.as_bytes()) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A keyword of the grammar in upper case: letters, digits, `.`, `-`, `_`, `/`, `=`, `\`, `$`,
    /// `+`.
    pub(crate) fn word(&mut self) -> Parse<String> {
        let word = self.take_while(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'=' | b'\\' | b'$' | b'+')
        });
        if word.is_empty() || word.len() > limits::KEYWORD_BYTES_MAX {
            return Err(Fault::Arguments);
        }
        Ok(String::from_utf8_lossy(word).to_ascii_uppercase())
    }

    pub(crate) fn atom(&mut self) -> Parse<&'a str> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() {
            return Err(Fault::Arguments);
        }
        std::str::from_utf8(atom).map_err(|_| Fault::Arguments)
    }

    pub(crate) fn astring(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            Some(byte) if is_astring_char(byte) => {
                Ok(Cow::Borrowed(self.take_while(is_astring_char)))
            }
            _ => Err(Fault::Arguments),
        }
    }

    /// `list-mailbox`: wildcards may stand outside of quotes.
    pub(crate) fn list_mailbox(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            Some(byte) if is_list_char(byte) => Ok(Cow::Borrowed(self.take_while(is_list_char))),
            _ => Err(Fault::Arguments),
        }
    }

    pub(crate) fn string(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Fault::Arguments),
        }
    }

    /// `None`: NIL.
    pub(crate) fn nstring(&mut self) -> Parse<Option<Cow<'a, [u8]>>> {
        if self.skip_word("NIL") {
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// `nstring / literal8`, RFC 9051 §9.
    pub(crate) fn nstring8(&mut self) -> Parse<Option<Cow<'a, [u8]>>> {
        if self.skip(b'~') {
            return self.any_literal().map(|bytes| Some(Cow::Borrowed(bytes)));
        }
        self.nstring()
    }

    /// 8-bit bytes are let through: names and passwords in UTF-8 come so from many clients, and
    /// RFC 9051 allows them.
    fn quoted(&mut self) -> Parse<Cow<'a, [u8]>> {
        self.expect(b'"')?;
        let plain = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.skip(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.rest.split_first() {
                Some((b'"', rest)) => {
                    self.rest = rest;
                    return Ok(Cow::Owned(text));
                }
                Some((b'\\', rest)) => match rest.split_first() {
                    Some((escaped @ (b'"' | b'\\'), rest)) => {
                        text.push(*escaped);
                        self.rest = rest;
                    }
                    _ => return Err(Fault::Arguments),
                },
                Some((b'\r' | b'\n' | 0, _)) | None => return Err(Fault::Arguments),
                Some((byte, rest)) => {
                    text.push(*byte);
                    self.rest = rest;
                }
            }
        }
    }

    /// As below, without NUL.
    fn literal(&mut self) -> Parse<&'a [u8]> {
        let literal = self.any_literal()?;
        if literal.contains(&0) {
            return Err(Fault::Arguments);
        }
        Ok(literal)
    }

    /// `{n}` or `{n+}`, the line's end, n bytes.
    fn any_literal(&mut self) -> Parse<&'a [u8]> {
        self.expect(b'{')?;
        let length = self.number64()?;
        self.skip(b'+');
        self.expect(b'}')?;
        self.skip(b'\r');
        self.expect(b'\n')?;
        let length = usize::try_from(length).map_err(|_| Fault::Arguments)?;
        self.take(length).ok_or(Fault::Arguments)
    }

    /// Decimal, at most 2^63-1 (RFC 9051 §9 `number64`).
    pub(crate) fn number64(&mut self) -> Parse<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return Err(Fault::Arguments);
        }
        digits
            .iter()
            .try_fold(0u64, |number, digit| {
                number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
            })
            .filter(|number| *number <= i64::MAX.unsigned_abs())
            .ok_or(Fault::Arguments)
    }

    pub(crate) fn number(&mut self) -> Parse<u32> {
        u32::try_from(self.number64()?).map_err(|_| Fault::Arguments)
    }

    pub(crate) fn number_nonzero(&mut self) -> Parse<u32> {
        self.number().and_then(|number| {
            if number == 0 {
                Err(Fault::Arguments)
            } else {
                Ok(number)
            }
        })
    }

    /// RFC 7162 §7 `mod-sequence-value`, or `mod-sequence-valzer`.
    pub(crate) fn modseq(&mut self) -> Parse<u64> {
        self.number64()
    }

    pub(crate) fn sequence_set(&mut self) -> Parse<SequenceSet> {
        if self.skip(b'$') {
            return Ok(SequenceSet::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            if ranges.len() == limits::SET_RANGES_MAX {
                return Err(Fault::TooMuch);
            }
            let first = self.set_number()?;
            let last = if self.skip(b':') {
                self.set_number()?
            } else {
                first
            };
            ranges.push((first, last));
            if !self.skip(b',') {
                return Ok(SequenceSet::Ranges(ranges));
            }
        }
    }

    fn set_number(&mut self) -> Parse<SetNumber> {
        if self.skip(b'*') {
            return Ok(SetNumber::Last);
        }
        self.number_nonzero().map(SetNumber::Number)
    }

    /// `(` items separated by single spaces `)`, perhaps none, at most `max`.
    pub(crate) fn list<T>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<Vec<T>> {
        self.expect(b'(')?;
        let mut items = Vec::new();
        if self.skip(b')') {
            return Ok(items);
        }
        loop {
            if items.len() == max {
                return Err(Fault::TooMuch);
            }
            items.push(item(self)?);
            if self.skip(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }

    /// An astring that has to be UTF-8.
    pub(crate) fn astring_utf8(&mut self) -> Parse<String> {
        let bytes = self.astring()?;
        std::str::from_utf8(&bytes)
            .map(str::to_owned)
            .map_err(|_| Fault::Arguments)
    }
}
