//! What other servers say: RFC 5321 §4.2 replies of one or many lines, with the enhanced code of
//! RFC 2034 when there is one.
//!
//! The text is kept for the log, the queue and DSNs; it is cut to a bound and made printable ASCII,
//! since it comes from a stranger.

use std::fmt;

use crate::limits;

/// RFC 3463 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    pub class: u8,
    pub subject: u16,
    pub detail: u16,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReply {
    pub code: u16,
    pub enhanced: Option<Enhanced>,
    /// The lines without codes, printable ASCII, at most [`limits::REPLY_TEXT_BYTES_MAX`] in all.
    pub lines: Vec<String>,
}

impl PeerReply {
    /// RFC 5321 §4.2.1: the first digit.
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    pub fn is_ok(&self) -> bool {
        self.class() == 2
    }

    /// The status for a DSN: the peer's own, or the class with zeros (RFC 3464 §2.3.4).
    pub fn status(&self) -> String {
        match self.enhanced {
            Some(enhanced) => enhanced.to_string(),
            None => format!("{}.0.0", if self.class() == 3 { 4 } else { self.class() }),
        }
    }
}

/// One line, as in `550 5.1.1 no such user`.
impl fmt::Display for PeerReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in &self.lines {
            if !line.is_empty() {
                write!(f, " {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The peer does not speak SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    NotAReply,
    LineTooLong,
    TooManyLines,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReplyError::NotAReply => "the server sent a line that is no SMTP reply",
            ReplyError::LineTooLong => "the server sent a reply line that is too long",
            ReplyError::TooManyLines => "the server sent a reply with too many lines",
        })
    }
}

/// Puts the lines of a reply together.
#[derive(Debug, Default)]
pub struct ReplyParser {
    lines: Vec<String>,
    enhanced: Option<Enhanced>,
    count: usize,
    text_bytes: usize,
}

impl ReplyParser {
    /// Takes one reply from the front of `input`: gives it, if it is whole, and how many bytes were
    /// used (also of a reply that is not whole yet: don't give those again).
    ///
    /// # Errors
    /// When the peer can't be understood; give up the connection.
    pub fn next(&mut self, input: &[u8]) -> Result<(Option<PeerReply>, usize), ReplyError> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if rest.len() > limits::REPLY_LINE_BYTES_MAX {
                    return Err(ReplyError::LineTooLong);
                }
                return Ok((None, used));
            };
            if end >= limits::REPLY_LINE_BYTES_MAX {
                return Err(ReplyError::LineTooLong);
            }
            used += end + 1;
            if let Some(reply) = self.line(rest.get(..end).unwrap_or_default())? {
                return Ok((Some(reply), used));
            }
        }
    }

    /// `line` without its LF.
    fn line(&mut self, line: &[u8]) -> Result<Option<PeerReply>, ReplyError> {
        // RFC 5321 §4.2 wants CRLF; a bare LF at the end harms nobody here.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::NotAReply)?;
        let code = match digits {
            [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
            }
            _ => return Err(ReplyError::NotAReply),
        };
        let (last, text) = match rest.split_first() {
            None => (true, rest),
            Some((b' ', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return Err(ReplyError::NotAReply),
        };
        self.count += 1;
        if self.count > limits::REPLY_LINES_MAX {
            return Err(ReplyError::TooManyLines);
        }
        self.text(code, text);
        if !last {
            return Ok(None);
        }
        // RFC 5321 §4.2.1: the code of every line is the same; the last one counts.
        let parser = std::mem::take(self);
        Ok(Some(PeerReply {
            code,
            enhanced: parser.enhanced,
            lines: parser.lines,
        }))
    }

    fn text(&mut self, code: u16, text: &[u8]) {
        let text: String = text
            .iter()
            .take(limits::REPLY_TEXT_BYTES_MAX.saturating_sub(self.text_bytes))
            .map(|b| match b {
                b' '..=b'~' => char::from(*b),
                b'\t' => ' ',
                _ => '?',
            })
            .collect();
        let (enhanced, text) = split_enhanced(code, &text);
        self.enhanced = self.enhanced.or(enhanced);
        self.text_bytes += text.len();
        self.lines.push(text.to_owned());
    }
}

/// RFC 2034 §4: the enhanced code at the front, whose class is the first digit of the code.
fn split_enhanced(code: u16, text: &str) -> (Option<Enhanced>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut numbers = word.split('.').map(|n| match n.len() {
        1..=3 if n.bytes().all(|b| b.is_ascii_digit()) => n.parse::<u16>().ok(),
        _ => None,
    });
    let enhanced = match [
        numbers.next().flatten(),
        numbers.next().flatten(),
        numbers.next().flatten(),
    ] {
        [Some(class), Some(subject), Some(detail)]
            if class == code / 100 && numbers.next().is_none() =>
        {
            u8::try_from(class).ok().map(|class| Enhanced {
                class,
                subject,
                detail,
            })
        }
        _ => None,
    };
    match enhanced {
        Some(_) => (enhanced, rest),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> PeerReply {
        match ReplyParser::default().next(text.as_bytes()) {
            Ok((Some(reply), used)) => {
                assert_eq!(used, text.len());
                reply
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn replies() {
        let table = [
            ("250 OK\r\n", "250 OK", "2.0.0"),
            ("250\r\n", "250", "2.0.0"),
            ("250 \r\n", "250", "2.0.0"),
            ("354 go\n", "354 go", "4.0.0"),
            (
                "550 5.1.1 no such user\r\n",
                "550 5.1.1 no such user",
                "5.1.1",
            ),
            (
                "550-5.7.26 refused\r\n550-5.7.26 see\r\n550 5.7.26 https://x\r\n",
                "550 5.7.26 refused see https://x",
                "5.7.26",
            ),
            (
                "550 4.1.1 other class\r\n",
                "550 4.1.1 other class",
                "5.0.0",
            ),
            ("550 5.1 short\r\n", "550 5.1 short", "5.0.0"),
            ("421 caf\u{e9}\t\u{7}\r\n", "421 caf?? ?", "4.0.0"),
        ];
        for (wire, shown, status) in table {
            let reply = parse(wire);
            assert_eq!(reply.to_string(), shown, "{wire:?}");
            assert_eq!(reply.status(), status, "{wire:?}");
        }
    }

    #[test]
    fn what_is_no_reply() {
        for wire in [
            "\r\n",
            "25\r\n",
            "25x OK\r\n",
            "250+OK\r\n",
            "150 OK\r\n",
            "650 OK\r\n",
            "SSH-2.0-x\r\n",
            "+OK POP3\r\n",
            "* OK IMAP\r\n",
        ] {
            let error = ReplyParser::default().next(wire.as_bytes());
            assert_eq!(error, Err(ReplyError::NotAReply), "{wire:?}");
        }
        let long = "250 ".to_owned() + &"x".repeat(limits::REPLY_LINE_BYTES_MAX);
        let error = ReplyParser::default().next(long.as_bytes());
        assert_eq!(error, Err(ReplyError::LineTooLong));
        let many = "250-x\r\n".repeat(limits::REPLY_LINES_MAX + 1);
        let error = ReplyParser::default().next(many.as_bytes());
        assert_eq!(error, Err(ReplyError::TooManyLines));
    }

    #[test]
    fn text_is_bounded() {
        let line = format!("550-{}\r\n", "x".repeat(1000));
        let reply = parse(&format!("{}550 end\r\n", line.repeat(50)));
        assert!(reply.to_string().len() < limits::REPLY_TEXT_BYTES_MAX + 200);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(bytes in "((250|550)[ -][a-z.5 ]{0,9}\r?\n){1,5}", chunk in 1usize..9) {
            let mut whole = ReplyParser::default();
            let expected = whole.next(bytes.as_bytes());
            let mut split = ReplyParser::default();
            let mut buffer = Vec::new();
            let mut got = Ok((None, 0));
            for piece in bytes.as_bytes().chunks(chunk) {
                buffer.extend_from_slice(piece);
                got = split.next(&buffer);
                match &got {
                    Ok((None, used)) => { buffer.drain(..used); }
                    _ => break,
                }
            }
            prop_assert_eq!(expected.map(|e| e.0), got.map(|g| g.0));
        }
    }
}
