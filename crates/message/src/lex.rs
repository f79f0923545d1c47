//! Tokens of RFC 5322 §3.2 and RFC 2045 §5.1 over an unfolded field value, as lenient as the
//! servers that people are used to. Linear: every byte is looked at a constant number of times.

/// The value cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// `Ok(true)`: something follows. `Ok(false)`: the value ends here.
pub(crate) type More = Result<bool, Broken>;

pub(crate) struct Lexer<'a> {
    rest: &'a [u8],
    /// Text of the comment read last, quoted pairs undone.
    pub(crate) comment: Vec<u8>,
}

/// RFC 5322 §3.2.3 atext, and every byte above 127 (RFC 6532 §3.2).
pub(crate) fn is_atext(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// RFC 2045 §5.1 token characters.
fn is_token(byte: u8) -> bool {
    byte == b'.' || (is_atext(byte) && !b"/=?".contains(&byte))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Lexer {
            rest: value,
            comment: Vec::new(),
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn bump(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Takes `byte` when it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.bump();
        }
        found
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn rewind(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    fn more(&self) -> More {
        Ok(!self.rest.is_empty())
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self
            .rest
            .iter()
            .position(|byte| !wanted(*byte))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((&[], &[]));
        self.rest = rest;
        taken
    }

    fn skip_comment(&mut self) -> Result<(), Broken> {
        self.comment.clear();
        let mut level = 0_usize;
        while let Some(byte) = self.bump() {
            match byte {
                b'(' => {
                    level += 1;
                    if level == 1 {
                        continue;
                    }
                }
                b')' => {
                    level -= 1;
                    if level == 0 {
                        return Ok(());
                    }
                }
                b'\\' => {
                    let quoted = self.bump().ok_or(Broken)?;
                    self.comment.push(quoted);
                    continue;
                }
                _ => {}
            }
            self.comment.push(byte);
        }
        Err(Broken)
    }

    /// White space and comments.
    pub(crate) fn skip_cfws(&mut self) -> More {
        loop {
            self.take_while(is_space);
            if self.peek() != Some(b'(') {
                return self.more();
            }
            self.skip_comment()?;
        }
    }

    pub(crate) fn atom(&mut self, out: &mut Vec<u8>) -> More {
        let atom = self.take_while(is_atext);
        if atom.is_empty() {
            return Err(Broken);
        }
        out.extend_from_slice(atom);
        self.skip_cfws()
    }

    /// RFC 5322 §3.2.3, with white space around the dots as RFC 822 allowed.
    pub(crate) fn dot_atom(&mut self, out: &mut Vec<u8>) -> More {
        if !self.peek().is_some_and(is_atext) {
            return Err(Broken);
        }
        loop {
            out.extend_from_slice(self.take_while(is_atext));
            if !self.skip_cfws()? {
                return Ok(false);
            }
            if !self.eat(b'.') {
                return Ok(true);
            }
            out.push(b'.');
            if !self.skip_cfws()? {
                return Ok(false);
            }
        }
    }

    /// A local part with dots anywhere, as some providers gave them out.
    pub(crate) fn dotted(&mut self, out: &mut Vec<u8>) -> More {
        loop {
            let dots = self.take_while(|byte| byte == b'.');
            out.extend_from_slice(dots);
            match self.peek() {
                None if !dots.is_empty() => return Ok(false),
                Some(b'@') if !dots.is_empty() => return Ok(true),
                _ => {}
            }
            if !self.atom(out)? {
                return Ok(false);
            }
            if self.peek() != Some(b'.') {
                return Ok(true);
            }
        }
    }

    /// RFC 2045 §5.1 token; may be empty.
    pub(crate) fn token(&mut self, out: &mut Vec<u8>) -> More {
        out.extend_from_slice(self.take_while(is_token));
        self.skip_cfws()
    }

    /// At a `"`.
    pub(crate) fn quoted_string(&mut self, out: &mut Vec<u8>) -> More {
        self.bump();
        loop {
            out.extend_from_slice(self.take_while(|byte| byte != b'"' && byte != b'\\'));
            match self.bump() {
                Some(b'"') => return self.skip_cfws(),
                Some(_) => out.push(self.bump().ok_or(Broken)?),
                None => return Err(Broken),
            }
        }
    }

    /// RFC 5322 §3.2.5 phrase and §4.1 obs-phrase; one space between words.
    pub(crate) fn phrase(&mut self, out: &mut Vec<u8>) -> More {
        match self.peek() {
            None => return Ok(false),
            Some(b'.') => return Err(Broken),
            Some(_) => {}
        }
        loop {
            let more = if self.peek() == Some(b'"') {
                self.quoted_string(out)?
            } else {
                out.extend_from_slice(self.take_while(|byte| byte == b'.' || is_atext(byte)));
                self.skip_cfws()?
            };
            if !more {
                return Ok(false);
            }
            let next = self.peek().unwrap_or_default();
            if !(is_atext(next) || next == b'"' || next == b'.') {
                return Ok(true);
            }
            out.push(b' ');
        }
    }

    /// At an `@`: the domain or domain literal after it.
    pub(crate) fn domain(&mut self, out: &mut Vec<u8>) -> More {
        self.bump();
        if !self.skip_cfws()? {
            return Err(Broken);
        }
        if self.peek() == Some(b'[') {
            return self.domain_literal(out);
        }
        self.dot_atom(out)
    }

    fn domain_literal(&mut self, out: &mut Vec<u8>) -> More {
        loop {
            out.extend_from_slice(self.take_while(|byte| byte != b']' && byte != b'\\'));
            match self.bump() {
                Some(b']') => {
                    out.push(b']');
                    return self.skip_cfws();
                }
                Some(byte) => {
                    out.push(byte);
                    out.push(self.bump().ok_or(Broken)?);
                }
                None => return Err(Broken),
            }
        }
    }
}
