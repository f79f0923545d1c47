//! The text of a transcript as a list of actions. The format is in the head of the module above.

use std::time::Duration;

/// One line, or one line of a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// From 1.
    pub line: usize,
    pub action: Action,
    /// Inside `<<END`: written without a prefix.
    pub block: bool,
}

/// `connection` is empty for the unnamed one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Connect {
        connection: String,
        port: String,
    },
    /// `{=name}` not yet put in.
    Send {
        connection: String,
        bytes: Vec<u8>,
    },
    Repeat {
        connection: String,
        times: usize,
        bytes: Vec<u8>,
    },
    Expect {
        connection: String,
        expect: Expect,
    },
    Eof {
        connection: String,
    },
    Close {
        connection: String,
    },
    StartTls {
        connection: String,
    },
    Compress {
        connection: String,
        on: bool,
    },
    Advance {
        by: Duration,
    },
    Log {
        text: String,
    },
    Do {
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expect {
    /// A line with wildcards, without its CRLF.
    Line(String),
    Bytes(Vec<u8>),
    Closed,
}

type Parsed<T> = Result<T, String>;

pub(super) fn parse(text: &str) -> Result<Vec<Item>, (usize, String)> {
    let first = text.lines().next().unwrap_or_default();
    if !cites_rfc(first) {
        return Err((
            1,
            "the first line must be a comment that cites an RFC".to_owned(),
        ));
    }
    let mut items = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((side, connection, end)) = block_start(line) {
            let mut ended = false;
            for (index, line) in lines.by_ref() {
                if line == end {
                    ended = true;
                    break;
                }
                let action = side.line(connection.clone(), line);
                items.push(Item {
                    line: index + 1,
                    action,
                    block: true,
                });
            }
            if !ended {
                return Err((number, format!("the block never ends: no line {end:?}")));
            }
            continue;
        }
        let action = parse_line(line).map_err(|what| (number, what))?;
        items.push(Item {
            line: number,
            action,
            block: false,
        });
    }
    Ok(items)
}

fn cites_rfc(line: &str) -> bool {
    let cited = line.split("RFC ").nth(1).unwrap_or_default();
    line.starts_with('#') && cited.starts_with(|c: char| c.is_ascii_digit())
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn line(self, connection: String, text: &str) -> Action {
        match self {
            Side::Client => {
                let bytes = [text.as_bytes(), b"\r\n"].concat();
                Action::Send { connection, bytes }
            }
            Side::Server if text == "<closed>" => Action::Expect {
                connection,
                expect: Expect::Closed,
            },
            Side::Server => {
                let expect = Expect::Line(text.to_owned());
                Action::Expect { connection, expect }
            }
        }
    }
}

/// `C`, `S[NAME]`: the side, the connection, and what follows.
fn side(line: &str) -> Option<(Side, String, &str)> {
    let (side, rest) = match (line.strip_prefix('C'), line.strip_prefix('S')) {
        (Some(rest), _) => (Side::Client, rest),
        (_, Some(rest)) => (Side::Server, rest),
        _ => return None,
    };
    let (connection, rest) = name(rest)?;
    Some((side, connection, rest))
}

/// `[NAME]`, or nothing.
fn name(text: &str) -> Option<(String, &str)> {
    match text.strip_prefix('[') {
        Some(named) => named
            .split_once(']')
            .map(|(name, rest)| (name.to_owned(), rest)),
        None => Some((String::new(), text)),
    }
}

fn block_start(line: &str) -> Option<(Side, String, &str)> {
    let (side, connection, rest) = side(line)?;
    let end = rest.strip_prefix(" <<")?;
    (!end.is_empty()).then_some((side, connection, end))
}

fn parse_line(line: &str) -> Parsed<Action> {
    if let Some((side, connection, rest)) = side(line) {
        if rest == ":" {
            return Ok(side.line(connection, ""));
        }
        if let Some(text) = rest.strip_prefix(": ") {
            return Ok(side.line(connection, text));
        }
        if let Some(quoted) = rest.strip_prefix(" raw: ") {
            let bytes = unquote(quoted)?;
            return Ok(match side {
                Side::Client => Action::Send { connection, bytes },
                Side::Server => Action::Expect {
                    connection,
                    expect: Expect::Bytes(bytes),
                },
            });
        }
        if let (Side::Client, Some(rest)) = (side, rest.strip_prefix(" repeat: ")) {
            let (times, quoted) = rest.split_once(' ').ok_or("repeat: N \"bytes\"")?;
            let times = times.parse().map_err(|_| "repeat: N is not a number")?;
            return Ok(Action::Repeat {
                connection,
                times,
                bytes: unquote(quoted)?,
            });
        }
    }
    parse_directive(line)
}

fn parse_directive(line: &str) -> Parsed<Action> {
    let (word, rest) = line.split_once([' ', '[']).unwrap_or((line, ""));
    let named = || {
        let (connection, rest) = name(line.get(word.len()..).unwrap_or_default())?;
        rest.is_empty().then_some(connection)
    };
    let named = || named().ok_or_else(|| format!("{word} or {word}[NAME]"));
    match word {
        "connect" => {
            let (connection, port) = rest.split_once(' ').unwrap_or(("", rest));
            if port.is_empty() || port.contains(' ') {
                return Err("connect PORT, or connect NAME PORT".to_owned());
            }
            Ok(Action::Connect {
                connection: connection.to_owned(),
                port: port.to_owned(),
            })
        }
        "eof" => Ok(Action::Eof {
            connection: named()?,
        }),
        "close" => Ok(Action::Close {
            connection: named()?,
        }),
        "starttls" => Ok(Action::StartTls {
            connection: named()?,
        }),
        "compress" | "plain" => Ok(Action::Compress {
            connection: named()?,
            on: word.starts_with("compress"),
        }),
        "advance" => Ok(Action::Advance {
            by: duration(rest)?,
        }),
        "log:" => Ok(Action::Log {
            text: rest.to_owned(),
        }),
        "do" => Ok(Action::Do {
            text: rest.to_owned(),
        }),
        _ => Err(format!("not a line of a transcript: {line:?}")),
    }
}

fn duration(text: &str) -> Parsed<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_millis = match text.get(digits.len()..) {
        Some("ms") => 1,
        Some("s") => 1000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        Some("d") => 86_400_000,
        _ => return Err("advance: a number and ms, s, m, h or d".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "advance: not a number")?;
    Ok(Duration::from_millis(number.saturating_mul(unit_millis)))
}

fn unquote(text: &str) -> Parsed<Vec<u8>> {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let mut rest = inner.ok_or("bytes must be in double quotes")?.chars();
    let mut bytes = Vec::new();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some(c @ ('\\' | '"')) => c as u8,
            Some('x') => {
                let hex: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&hex, 16).map_err(|_| "\\x wants two hexadecimal digits")?
            }
            _ => return Err("unknown escape; there are \\r \\n \\t \\0 \\\\ \\\" \\xNN".to_owned()),
        });
    }
    Ok(bytes)
}

/// The inverse of `unquote`.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() && c.is_ascii() => {
                    text.push_str(&format!("\\x{:02x}", c as u32));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_is_undone() {
        let bytes: Vec<u8> = (0..=255).chain("é\"\\".bytes()).collect();
        assert_eq!(unquote(&quote(&bytes)).unwrap(), bytes);
    }

    #[test]
    fn lines() {
        let text = "# RFC 1 §2\nconnect 2 imap\nC[2]: a\nS[2]: b\nS: <closed>\nC repeat: 3 \"x\"\n\
                    advance 30m\nclose[2]\nC <<.\nfirst\n\n.\nlog: said {*}\n";
        let actions: Vec<Action> = parse(text).unwrap().into_iter().map(|i| i.action).collect();
        let two = || "2".to_owned();
        let none = String::new;
        assert_eq!(
            actions,
            [
                Action::Connect {
                    connection: two(),
                    port: "imap".to_owned()
                },
                Action::Send {
                    connection: two(),
                    bytes: b"a\r\n".to_vec()
                },
                Action::Expect {
                    connection: two(),
                    expect: Expect::Line("b".to_owned())
                },
                Action::Expect {
                    connection: none(),
                    expect: Expect::Closed
                },
                Action::Repeat {
                    connection: none(),
                    times: 3,
                    bytes: b"x".to_vec()
                },
                Action::Advance {
                    by: Duration::from_secs(1800)
                },
                Action::Close { connection: two() },
                Action::Send {
                    connection: none(),
                    bytes: b"first\r\n".to_vec()
                },
                Action::Send {
                    connection: none(),
                    bytes: b"\r\n".to_vec()
                },
                Action::Log {
                    text: "said {*}".to_owned()
                },
            ]
        );
    }

    #[test]
    fn refused() {
        for text in [
            "C: no citation\n",
            "# a comment, no citation\n",
            "# RFC 1\nhello\n",
            "# RFC 1\nC <<END\nno end\n",
            "# RFC 1\nC raw: \"\\q\"\n",
            "# RFC 1\nadvance 3\n",
            "# RFC 1\nconnect\n",
            "# RFC 1\nclose 2\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
