//! The commands of SMTP and LMTP: one table, and the grammar of each.
//!
//! RFC 5321 §4.1.1, RFC 2033 §4.1 (LHLO), RFC 3030 §2 (BDAT), RFC 3207 (STARTTLS), RFC 4954 (AUTH).
//! A line ends with CRLF; NUL, bare CR and bare LF are refused everywhere (RFC 5321 §2.3.8).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::address::{self, Address, AddressError, Recipient};
use crate::limits;
use crate::parameters::{self, MailParameters, ParameterError, RcptParameters};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Auth {
        /// Upper case.
        mechanism: String,
        initial: Option<Secret>,
    },
    Bdat {
        size: u64,
        last: bool,
    },
    Data,
    Ehlo(String),
    Expn,
    Helo(String),
    Help,
    Lhlo(String),
    Mail {
        /// `None`: the null reverse-path.
        reverse_path: Option<Address>,
        parameters: MailParameters,
    },
    Noop,
    Quit,
    Rcpt {
        recipient: Recipient,
        parameters: RcptParameters,
    },
    Rset,
    StartTls,
    Vrfy,
}

/// Bytes that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What must have happened before a command is legal; each step includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// At any time.
    Start,
    /// After EHLO, HELO or LHLO.
    Greeted,
    /// After MAIL.
    Mail,
    /// After a recipient was taken.
    Rcpt,
}

/// Which of the two protocols has the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Both,
    Smtp,
    Lmtp,
}

/// One command.
pub struct Row {
    pub name: &'static str,
    pub phase: Phase,
    pub dialect: Dialect,
    parse: fn(&str) -> Result<Command, ParseError>,
}

/// Why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    Unknown,
    /// A known command with wrong arguments.
    Syntax,
    /// NUL, bare CR or bare LF.
    ForbiddenByte,
    /// Not UTF-8.
    Utf8,
    Address,
    PathTooLong,
    ParameterUnknown,
    ParameterValue,
    Base64,
    /// The size of a chunk can't be read: what follows can't be told from commands.
    ChunkSize,
}

/// Everything the server understands.
pub const COMMANDS: &[Row] = &[
    row("AUTH", Phase::Greeted, Dialect::Smtp, auth),
    row("BDAT", Phase::Start, Dialect::Both, bdat),
    row("DATA", Phase::Rcpt, Dialect::Both, |a| {
        none(a, Command::Data)
    }),
    row("EHLO", Phase::Start, Dialect::Smtp, |a| {
        Ok(Command::Ehlo(hello(a)?))
    }),
    row("EXPN", Phase::Start, Dialect::Both, |_| Ok(Command::Expn)),
    row("HELO", Phase::Start, Dialect::Smtp, |a| {
        Ok(Command::Helo(hello(a)?))
    }),
    row("HELP", Phase::Start, Dialect::Both, |_| Ok(Command::Help)),
    row("LHLO", Phase::Start, Dialect::Lmtp, |a| {
        Ok(Command::Lhlo(hello(a)?))
    }),
    row("MAIL", Phase::Greeted, Dialect::Both, mail),
    row("NOOP", Phase::Start, Dialect::Both, |_| Ok(Command::Noop)),
    row("QUIT", Phase::Start, Dialect::Both, |a| {
        none(a, Command::Quit)
    }),
    row("RCPT", Phase::Mail, Dialect::Both, rcpt),
    row("RSET", Phase::Start, Dialect::Both, |a| {
        none(a, Command::Rset)
    }),
    row("STARTTLS", Phase::Greeted, Dialect::Both, |a| {
        none(a, Command::StartTls)
    }),
    row("VRFY", Phase::Start, Dialect::Both, vrfy),
];

const fn row(
    name: &'static str,
    phase: Phase,
    dialect: Dialect,
    parse: fn(&str) -> Result<Command, ParseError>,
) -> Row {
    Row {
        name,
        phase,
        dialect,
        parse,
    }
}

/// Parses a line, given with its CRLF. The row is there as soon as the keyword is known.
pub fn parse(line: &[u8]) -> (Option<&'static Row>, Result<Command, ParseError>) {
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return (None, Err(ParseError::ForbiddenByte));
    };
    if line.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
        return (None, Err(ParseError::ForbiddenByte));
    }
    let keyword_len = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(keyword_len);
    let row = COMMANDS
        .iter()
        .find(|row| row.name.as_bytes().eq_ignore_ascii_case(keyword));
    let Some(row) = row else {
        return (None, Err(ParseError::Unknown));
    };
    let command = match std::str::from_utf8(rest) {
        Ok(rest) => (row.parse)(rest),
        Err(_) => Err(ParseError::Utf8),
    };
    (Some(row), command)
}

/// RFC 5321 §4.1.1: trailing white space is passed over.
fn none(rest: &str, command: Command) -> Result<Command, ParseError> {
    if rest.trim_matches([' ', '\t']).is_empty() {
        Ok(command)
    } else {
        Err(ParseError::Syntax)
    }
}

/// A domain or an address literal by the RFC. Names that are only nearly so (underscores, no dots)
/// come from many real machines; RFC 5321 §4.1.4 says not to refuse mail for a wrong name, so
/// whatever is harmless in a Received field is taken.
fn hello(rest: &str) -> Result<String, ParseError> {
    let name = rest.trim_matches(' ');
    let harmless =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if name.is_empty() || name.len() > limits::HELLO_BYTES_MAX || !name.bytes().all(harmless) {
        return Err(ParseError::Syntax);
    }
    Ok(name.to_owned())
}

fn mail(rest: &str) -> Result<Command, ParseError> {
    let path = after_keyword(rest, " FROM:")?;
    let (reverse_path, rest) = address::reverse_path(path)?;
    Ok(Command::Mail {
        reverse_path,
        parameters: parameters::mail(separated(rest)?)?,
    })
}

fn rcpt(rest: &str) -> Result<Command, ParseError> {
    let path = after_keyword(rest, " TO:")?;
    let (recipient, rest) = address::forward_path(path)?;
    Ok(Command::Rcpt {
        recipient,
        parameters: parameters::rcpt(separated(rest)?)?,
    })
}

/// RFC 5321 §3.3: no space is permitted after the colon; old devices send one, and it is harmless.
fn after_keyword<'a>(rest: &'a str, keyword: &str) -> Result<&'a str, ParseError> {
    let (head, path) = rest
        .split_at_checked(keyword.len())
        .ok_or(ParseError::Syntax)?;
    if head.eq_ignore_ascii_case(keyword) {
        Ok(path.strip_prefix(' ').unwrap_or(path))
    } else {
        Err(ParseError::Syntax)
    }
}

/// Parameters are set off by a space.
fn separated(rest: &str) -> Result<&str, ParseError> {
    if rest.is_empty() || rest.starts_with(' ') {
        Ok(rest)
    } else {
        Err(ParseError::Syntax)
    }
}

fn vrfy(rest: &str) -> Result<Command, ParseError> {
    if rest.trim_matches(' ').is_empty() {
        Err(ParseError::Syntax)
    } else {
        Ok(Command::Vrfy)
    }
}

/// RFC 3030 §2: `BDAT SP chunk-size [SP "LAST"]`.
fn bdat(rest: &str) -> Result<Command, ParseError> {
    let mut words = rest.trim_end_matches(' ').split(' ').skip(1);
    let digits = words.next().unwrap_or_default();
    let legal = (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let size = digits.parse().ok().filter(|_| legal);
    let size = size.ok_or(ParseError::ChunkSize)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(ParseError::ChunkSize),
    };
    if words.next().is_some() {
        return Err(ParseError::ChunkSize);
    }
    Ok(Command::Bdat { size, last })
}

fn auth(rest: &str) -> Result<Command, ParseError> {
    let mut words = rest.trim_end_matches(' ').split(' ').skip(1);
    let mechanism = words.next().unwrap_or_default();
    // RFC 4422 §3.1: 1 to 20 characters.
    let legal = (1..=20).contains(&mechanism.len())
        && mechanism
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let initial = words.next();
    if !legal || words.next().is_some() {
        return Err(ParseError::Syntax);
    }
    let initial = match initial {
        None => None,
        // RFC 4954 §4: "=" is a response that is present and empty.
        Some("=") => Some(Secret(Vec::new())),
        Some(text) => Some(decode_base64(text.as_bytes())?),
    };
    Ok(Command::Auth {
        mechanism: mechanism.to_ascii_uppercase(),
        initial,
    })
}

pub(crate) fn decode_base64(text: &[u8]) -> Result<Secret, ParseError> {
    match BASE64.decode(text) {
        Ok(bytes) => Ok(Secret(bytes)),
        Err(_) => Err(ParseError::Base64),
    }
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

impl From<AddressError> for ParseError {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Syntax => ParseError::Address,
            AddressError::TooLong => ParseError::PathTooLong,
        }
    }
}

impl From<ParameterError> for ParseError {
    fn from(error: ParameterError) -> Self {
        match error {
            ParameterError::Unknown => ParseError::ParameterUnknown,
            ParameterError::Value => ParseError::ParameterValue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Body, Ret};

    fn ok(line: &str) -> Command {
        match parse(format!("{line}\r\n").as_bytes()).1 {
            Ok(command) => command,
            Err(error) => panic!("{line:?}: {error:?}"),
        }
    }

    fn sender(line: &str) -> String {
        match ok(line) {
            Command::Mail { reverse_path, .. } => {
                reverse_path.map_or_else(String::new, |a| a.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    fn recipient(line: &str) -> String {
        match ok(line) {
            Command::Rcpt { recipient, .. } => recipient.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn takes_what_the_rfcs_show() {
        let table: &[(&str, Command)] = &[
            ("EHLO bar.com", Command::Ehlo("bar.com".into())),
            ("EHLO [IPv6:::1]", Command::Ehlo("[IPv6:::1]".into())),
            ("helo my_pc ", Command::Helo("my_pc".into())),
            ("LHLO foo.edu", Command::Lhlo("foo.edu".into())),
            ("DATA", Command::Data),
            ("data  ", Command::Data),
            ("RSET", Command::Rset),
            ("QUIT", Command::Quit),
            ("NOOP anything at all", Command::Noop),
            ("HELP MAIL", Command::Help),
            ("VRFY Crispin", Command::Vrfy),
            ("EXPN Example-People", Command::Expn),
            ("STARTTLS", Command::StartTls),
            (
                "BDAT 86 LAST",
                Command::Bdat {
                    size: 86,
                    last: true,
                },
            ),
            (
                "BDAT 0",
                Command::Bdat {
                    size: 0,
                    last: false,
                },
            ),
            (
                "bdat 100000 last",
                Command::Bdat {
                    size: 100_000,
                    last: true,
                },
            ),
            (
                "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
                Command::Auth {
                    mechanism: "PLAIN".into(),
                    initial: Some(Secret(b"test\0test\x001234".to_vec())),
                },
            ),
            (
                "AUTH external =",
                Command::Auth {
                    mechanism: "EXTERNAL".into(),
                    initial: Some(Secret(Vec::new())),
                },
            ),
            (
                "AUTH CRAM-MD5",
                Command::Auth {
                    mechanism: "CRAM-MD5".into(),
                    initial: None,
                },
            ),
        ];
        for (line, command) in table {
            assert_eq!(&ok(line), command, "{line}");
        }
        assert_eq!(sender("MAIL FROM:<Smith@bar.com>"), "Smith@bar.com");
        assert_eq!(sender("MAIL FROM:<>"), "");
        assert_eq!(sender("mail from: <a@x> size=3"), "a@x");
        assert_eq!(
            sender("MAIL FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com"),
            "e=mc2@example.com"
        );
        let route = "RCPT TO:<@hosta.int,@jkl.org:userc@d.bar.org>";
        assert_eq!(recipient(route), "userc@d.bar.org");
        assert_eq!(recipient("RCPT TO:<Postmaster>"), "postmaster");
        assert_eq!(recipient("rcpt to:<a@x>"), "a@x");
        match ok("MAIL FROM:<a@x> RET=HDRS BODY=BINARYMIME") {
            Command::Mail { parameters, .. } => {
                assert_eq!(parameters.ret, Some(Ret::Headers));
                assert_eq!(parameters.body, Body::BinaryMime);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refuses_the_rest() {
        let table = [
            ("\r\n", ParseError::Unknown),
            ("FOO\r\n", ParseError::Unknown),
            (" DATA\r\n", ParseError::Unknown),
            ("MAILFROM:<a@x>\r\n", ParseError::Unknown),
            ("DATA\n", ParseError::ForbiddenByte),
            ("NOOP a\rb\r\n", ParseError::ForbiddenByte),
            ("NOOP a\nb\r\n", ParseError::ForbiddenByte),
            ("NOOP \0\r\n", ParseError::ForbiddenByte),
            ("DATA now\r\n", ParseError::Syntax),
            ("EHLO\r\n", ParseError::Syntax),
            ("EHLO a b\r\n", ParseError::Syntax),
            ("EHLO a;b\r\n", ParseError::Syntax),
            ("EHLO (comment)\r\n", ParseError::Syntax),
            ("MAIL\r\n", ParseError::Syntax),
            ("MAIL <a@x>\r\n", ParseError::Syntax),
            ("MAIL TO:<a@x>\r\n", ParseError::Syntax),
            ("MAIL FROM:a@x\r\n", ParseError::Address),
            ("MAIL FROM:<a@x>SIZE=1\r\n", ParseError::Syntax),
            ("MAIL FROM:<a@x> FOO\r\n", ParseError::ParameterUnknown),
            ("MAIL FROM:<a@x> SIZE=x\r\n", ParseError::ParameterValue),
            ("RCPT TO:<>\r\n", ParseError::Address),
            ("RCPT TO:<a>\r\n", ParseError::Address),
            ("RCPT FROM:<a@x>\r\n", ParseError::Syntax),
            ("VRFY\r\n", ParseError::Syntax),
            ("BDAT\r\n", ParseError::ChunkSize),
            ("BDAT x\r\n", ParseError::ChunkSize),
            ("BDAT -1\r\n", ParseError::ChunkSize),
            ("BDAT +1\r\n", ParseError::ChunkSize),
            ("BDAT 1 FIRST\r\n", ParseError::ChunkSize),
            ("BDAT 1 LAST LAST\r\n", ParseError::ChunkSize),
            ("BDAT 99999999999999999999\r\n", ParseError::ChunkSize),
            ("AUTH\r\n", ParseError::Syntax),
            ("AUTH PLAIN a b\r\n", ParseError::Syntax),
            ("AUTH PLAIN =AAA\r\n", ParseError::Base64),
        ];
        for (line, error) in table {
            assert_eq!(parse(line.as_bytes()).1, Err(error), "{line:?}");
        }
        assert_eq!(parse(b"RCPT TO:<\xff@x>\r\n").1, Err(ParseError::Utf8));
        let long = format!("RCPT TO:<{}@x>\r\n", "a".repeat(65));
        assert_eq!(parse(long.as_bytes()).1, Err(ParseError::PathTooLong));
    }
}
