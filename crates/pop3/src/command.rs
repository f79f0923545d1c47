//! The commands of POP3: one table, one parser for each shape of argument.
//!
//! RFC 2449 §3: `command = keyword *(SP param) CRLF`. Keywords are case-insensitive. A space more
//! than the grammar has is a syntax error, except that PASS takes the rest of the line, spaces
//! included (RFC 1939 §7).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::limits;

/// A command as parsed, arguments included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Auth(Option<AuthArguments>),
    Capa,
    Dele(u32),
    List(Option<u32>),
    Noop,
    Pass(Secret),
    Quit,
    Retr(u32),
    Rset,
    Stat,
    Stls,
    Top { number: u32, lines: u32 },
    Uidl(Option<u32>),
    User(String),
    Utf8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthArguments {
    /// Upper case.
    pub mechanism: String,
    /// Decoded.
    pub initial: Option<Secret>,
}

/// Bytes that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The states of RFC 1939 §3 in which a command is legal. UPDATE takes no commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Authorization,
    Transaction,
    Any,
}

/// One command.
pub struct Row {
    pub name: &'static str,
    pub phase: Phase,
    parse: fn(&[u8]) -> Result<Command, ParseError>,
}

/// Why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    Unknown,
    /// The keyword is known, the arguments are wrong.
    Arguments,
    /// A NUL, a bare CR or a bare LF in the line.
    ForbiddenByte,
    /// RFC 5034 §4: an initial response that is not base64.
    Base64,
    /// RFC 6856 §2.2: a name that is not UTF-8.
    Utf8,
}

/// RFC 1939 §5 to §7, RFC 2449 §5, RFC 2595 §4, RFC 5034 §4, RFC 6856 §2.1.
pub const COMMANDS: &[Row] = &[
    row("AUTH", Phase::Authorization, auth),
    row("CAPA", Phase::Any, |a| none(a, Command::Capa)),
    row("DELE", Phase::Transaction, |a| {
        Ok(Command::Dele(one_number(a)?))
    }),
    row("LIST", Phase::Transaction, |a| {
        Ok(Command::List(optional_number(a)?))
    }),
    row("NOOP", Phase::Transaction, |a| none(a, Command::Noop)),
    row("PASS", Phase::Authorization, pass),
    row("QUIT", Phase::Any, |a| none(a, Command::Quit)),
    row("RETR", Phase::Transaction, |a| {
        Ok(Command::Retr(one_number(a)?))
    }),
    row("RSET", Phase::Transaction, |a| none(a, Command::Rset)),
    row("STAT", Phase::Transaction, |a| none(a, Command::Stat)),
    row("STLS", Phase::Authorization, |a| none(a, Command::Stls)),
    row("TOP", Phase::Transaction, top),
    row("UIDL", Phase::Transaction, |a| {
        Ok(Command::Uidl(optional_number(a)?))
    }),
    row("USER", Phase::Authorization, user),
    row("UTF8", Phase::Authorization, |a| none(a, Command::Utf8)),
];

const fn row(
    name: &'static str,
    phase: Phase,
    parse: fn(&[u8]) -> Result<Command, ParseError>,
) -> Row {
    Row { name, phase, parse }
}

/// Parses a line, given with its CRLF.
///
/// # Errors
/// [`ParseError`], and nothing else is to be made of the line.
pub fn parse(line: &[u8]) -> Result<(&'static Row, Command), ParseError> {
    // RFC 1939 §3: CRLF ends a command; an LF alone does not.
    let line = line
        .strip_suffix(b"\r\n")
        .ok_or(ParseError::ForbiddenByte)?;
    if line.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
        return Err(ParseError::ForbiddenByte);
    }
    let keyword_len = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(keyword_len);
    let row = COMMANDS
        .iter()
        .find(|row| row.name.as_bytes().eq_ignore_ascii_case(keyword))
        .ok_or(ParseError::Unknown)?;
    Ok((row, (row.parse)(rest)?))
}

/// `rest` begins with the space after the keyword, or is empty. A space at the end is passed over,
/// as several clients send one.
fn none(rest: &[u8], command: Command) -> Result<Command, ParseError> {
    if rest.iter().all(|b| *b == b' ') {
        Ok(command)
    } else {
        Err(ParseError::Arguments)
    }
}

fn one_number(rest: &[u8]) -> Result<u32, ParseError> {
    optional_number(rest)?.ok_or(ParseError::Arguments)
}

fn optional_number(rest: &[u8]) -> Result<Option<u32>, ParseError> {
    let rest = rest.trim_ascii_end();
    if rest.is_empty() {
        return Ok(None);
    }
    let digits = rest.strip_prefix(b" ").ok_or(ParseError::Arguments)?;
    number(digits).map(Some)
}

fn number(digits: &[u8]) -> Result<u32, ParseError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::Arguments);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(ParseError::Arguments)
}

fn top(rest: &[u8]) -> Result<Command, ParseError> {
    let rest = rest.trim_ascii_end();
    let rest = rest.strip_prefix(b" ").ok_or(ParseError::Arguments)?;
    let space = memchr::memchr(b' ', rest).ok_or(ParseError::Arguments)?;
    let (first, second) = rest.split_at(space);
    let second = second.strip_prefix(b" ").ok_or(ParseError::Arguments)?;
    Ok(Command::Top {
        number: number(first)?,
        lines: number(second)?,
    })
}

fn user(rest: &[u8]) -> Result<Command, ParseError> {
    let name = rest.strip_prefix(b" ").ok_or(ParseError::Arguments)?;
    if name.is_empty() || name.len() > limits::USER_BYTES_MAX {
        return Err(ParseError::Arguments);
    }
    let name = std::str::from_utf8(name).map_err(|_| ParseError::Utf8)?;
    Ok(Command::User(name.to_owned()))
}

/// RFC 1939 §7: the argument is the whole rest of the line, since a password may hold spaces.
fn pass(rest: &[u8]) -> Result<Command, ParseError> {
    let password = rest.strip_prefix(b" ").ok_or(ParseError::Arguments)?;
    std::str::from_utf8(password).map_err(|_| ParseError::Utf8)?;
    Ok(Command::Pass(Secret(password.to_vec())))
}

/// AUTH alone asks for the list of mechanisms; no RFC has it, but Outlook and others send it.
fn auth(rest: &[u8]) -> Result<Command, ParseError> {
    let rest = rest.trim_ascii_end();
    if rest.is_empty() {
        return Ok(Command::Auth(None));
    }
    let rest = rest.strip_prefix(b" ").ok_or(ParseError::Arguments)?;
    let mut words = rest.split(|b| *b == b' ');
    let mechanism = words.next().unwrap_or_default();
    let initial = words.next();
    // RFC 4422 §3.1: 1 to 20 characters.
    let legal = (1..=20).contains(&mechanism.len())
        && mechanism
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !legal || words.next().is_some() {
        return Err(ParseError::Arguments);
    }
    let initial = match initial {
        None => None,
        // RFC 5034 §4: "=" is a response that is present and empty.
        Some(b"=") => Some(Secret(Vec::new())),
        Some(text) => Some(decode_base64(text)?),
    };
    let mechanism = String::from_utf8_lossy(mechanism).to_ascii_uppercase();
    Ok(Command::Auth(Some(AuthArguments { mechanism, initial })))
}

/// RFC 5034 §4: strict base64, padding at the end only.
pub(crate) fn decode_base64(text: &[u8]) -> Result<Secret, ParseError> {
    match BASE64.decode(text) {
        Ok(bytes) => Ok(Secret(bytes)),
        Err(_) => Err(ParseError::Base64),
    }
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(line: &str) -> Command {
        match parse(format!("{line}\r\n").as_bytes()) {
            Ok((_, command)) => command,
            Err(error) => panic!("{line:?}: {error:?}"),
        }
    }

    fn err(line: &str) -> ParseError {
        match parse(line.as_bytes()) {
            Ok((row, command)) => panic!("{line:?} is {}: {command:?}", row.name),
            Err(error) => error,
        }
    }

    #[test]
    fn takes_what_the_rfcs_show() {
        let auth = |mechanism: &str, initial: Option<&[u8]>| {
            Command::Auth(Some(AuthArguments {
                mechanism: mechanism.into(),
                initial: initial.map(|i| Secret(i.to_vec())),
            }))
        };
        let table: &[(&str, Command)] = &[
            ("STAT", Command::Stat),
            ("stat ", Command::Stat),
            ("LIST", Command::List(None)),
            ("LIST 2", Command::List(Some(2))),
            ("RETR 1", Command::Retr(1)),
            ("dElE 4294967295", Command::Dele(u32::MAX)),
            ("NOOP", Command::Noop),
            ("RSET", Command::Rset),
            ("QUIT", Command::Quit),
            (
                "TOP 1 10",
                Command::Top {
                    number: 1,
                    lines: 10,
                },
            ),
            (
                "TOP 1 0",
                Command::Top {
                    number: 1,
                    lines: 0,
                },
            ),
            ("UIDL", Command::Uidl(None)),
            ("UIDL 2", Command::Uidl(Some(2))),
            ("USER mrose", Command::User("mrose".into())),
            (
                "USER zoé@example.test",
                Command::User("zoé@example.test".into()),
            ),
            ("PASS secret", Command::Pass(Secret(b"secret".to_vec()))),
            (
                "PASS  two words ",
                Command::Pass(Secret(b" two words ".to_vec())),
            ),
            ("PASS ", Command::Pass(Secret(Vec::new()))),
            ("CAPA", Command::Capa),
            ("STLS", Command::Stls),
            ("UTF8", Command::Utf8),
            ("AUTH", Command::Auth(None)),
            ("AUTH PLAIN", auth("PLAIN", None)),
            (
                "auth plain dGVzdAB0ZXN0AHRlc3Q=",
                auth("PLAIN", Some(b"test\0test\0test")),
            ),
            ("AUTH EXTERNAL =", auth("EXTERNAL", Some(b""))),
        ];
        for (line, command) in table {
            assert_eq!(&ok(line), command, "{line}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let table = [
            ("\r\n", ParseError::Unknown),
            (" STAT\r\n", ParseError::Unknown),
            (
                "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n",
                ParseError::Unknown,
            ),
            ("XYZZY\r\n", ParseError::Unknown),
            ("STATX\r\n", ParseError::Unknown),
            ("STAT 1\r\n", ParseError::Arguments),
            ("STAT\n", ParseError::ForbiddenByte),
            ("STAT", ParseError::ForbiddenByte),
            ("ST\0AT\r\n", ParseError::ForbiddenByte),
            ("USER a\rb\r\n", ParseError::ForbiddenByte),
            ("RETR\r\n", ParseError::Arguments),
            ("RETR \r\n", ParseError::Arguments),
            ("RETR  1\r\n", ParseError::Arguments),
            ("RETR -1\r\n", ParseError::Arguments),
            ("RETR +1\r\n", ParseError::Arguments),
            ("RETR 1 2\r\n", ParseError::Arguments),
            ("RETR 4294967296\r\n", ParseError::Arguments),
            ("LIST x\r\n", ParseError::Arguments),
            ("TOP 1\r\n", ParseError::Arguments),
            ("TOP 1 -1\r\n", ParseError::Arguments),
            ("TOP 1 2 3\r\n", ParseError::Arguments),
            ("USER\r\n", ParseError::Arguments),
            ("PASS\r\n", ParseError::Arguments),
            ("AUTH =\r\n", ParseError::Arguments),
            ("AUTH PLAIN x y\r\n", ParseError::Arguments),
            ("AUTH PLAIN =AAA\r\n", ParseError::Base64),
            ("AUTH PLAIN AAA=BBB\r\n", ParseError::Base64),
            ("AUTH ABCDEFGHIJKLMNOPQRSTU\r\n", ParseError::Arguments),
        ];
        for (line, error) in table {
            assert_eq!(err(line), error, "{line:?}");
        }
        assert_eq!(parse(b"USER \xff\r\n").err(), Some(ParseError::Utf8));
        assert_eq!(parse(b"PASS \xff\r\n").err(), Some(ParseError::Utf8));
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", ok("PASS opensesame")).contains("open"));
    }
}
