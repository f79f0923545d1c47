//! The client's side: takes mail from another server, as a move from there needs it.
//!
//! One command at a time: `request`, then `step` until [`Step::Answer`], writing what `take_output`
//! gives and feeding what comes. Message bytes of RETR come as [`Step::Body`] pieces, unstuffed;
//! nothing of a message is held. RFC 1939, RFC 2449 §5, RFC 2595 §4, RFC 5034.

use std::fmt;

use crate::command::{Secret, encode_base64};
use crate::limits;

/// What to ask the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Capa,
    Stls,
    /// AUTH PLAIN (RFC 4616), over TLS only.
    AuthPlain {
        user: String,
        password: Secret,
    },
    /// USER and PASS, over TLS only.
    Login {
        user: String,
        password: Secret,
    },
    Stat,
    /// Sizes of all messages.
    List,
    /// Unique ids of all messages.
    Uidl,
    Retr(u32),
    Dele(u32),
    Rset,
    Quit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the output, then read.
    Read,
    /// Write the output, do the handshake, then `tls_started`.
    StartTls,
    /// Bytes of the message asked for.
    Body(Vec<u8>),
    /// The greeting, or the end of what was asked for; ask again.
    Answer(Answer),
    /// The server can't be understood: close.
    Failed(ClientError),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok(String),
    /// RFC 2449 §8: the code without its brackets when there is one, and the text.
    Refused {
        code: Option<String>,
        text: String,
    },
    Capabilities(Vec<String>),
    /// Number and size in octets.
    Sizes(Vec<(u32, u64)>),
    /// Number and unique id.
    UniqueIds(Vec<(u32, String)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    NotPop3,
    LineTooLong,
    TooManyLines,
    /// Plaintext bytes came after the answer to STLS.
    TlsInjection,
    /// A password was to go over plaintext.
    NoTls,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClientError::NotPop3 => "the server does not speak POP3",
            ClientError::LineTooLong => "the server sent a line that is too long",
            ClientError::TooManyLines => "the server sent too many lines",
            ClientError::TlsInjection => "plaintext came in place of the TLS handshake",
            ClientError::NoTls => "a password goes over TLS only",
        })
    }
}

#[derive(Debug)]
enum State {
    Idle,
    /// A line that says +OK or -ERR.
    Status(Wait),
    /// The lines after +OK, up to ".".
    Lines(Answer),
    Message {
        line_start: bool,
        text: String,
    },
    Handshake,
    Failed(ClientError),
}

/// What +OK means.
#[derive(Debug)]
enum Wait {
    Done,
    Lines(Answer),
    Message,
    StartTls,
    /// The answer to USER: send this.
    Password(Secret),
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Client {
    state: State,
    tls: bool,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Client {
    /// A connection that was just made; the greeting comes first. `tls`: it began with a handshake.
    pub fn new(tls: bool) -> Self {
        Client {
            state: State::Status(Wait::Done),
            tls,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Asks, after an [`Step::Answer`].
    pub fn request(&mut self, request: Request) {
        let (line, wait) = match request {
            Request::Capa => (
                "CAPA".to_owned(),
                Wait::Lines(Answer::Capabilities(Vec::new())),
            ),
            Request::Stls => ("STLS".to_owned(), Wait::StartTls),
            Request::AuthPlain { .. } | Request::Login { .. } if !self.tls => {
                self.state = State::Failed(ClientError::NoTls);
                return;
            }
            Request::AuthPlain { user, password } => {
                let message = [&[0], user.as_bytes(), &[0], &password.0].concat();
                (
                    format!("AUTH PLAIN {}", encode_base64(&message)),
                    Wait::Done,
                )
            }
            Request::Login { user, password } => (
                format!("USER {}", one_line(&user)),
                Wait::Password(password),
            ),
            Request::Stat => ("STAT".to_owned(), Wait::Done),
            Request::List => ("LIST".to_owned(), Wait::Lines(Answer::Sizes(Vec::new()))),
            Request::Uidl => (
                "UIDL".to_owned(),
                Wait::Lines(Answer::UniqueIds(Vec::new())),
            ),
            Request::Retr(number) => (format!("RETR {number}"), Wait::Message),
            Request::Dele(number) => (format!("DELE {number}"), Wait::Done),
            Request::Rset => ("RSET".to_owned(), Wait::Done),
            Request::Quit => ("QUIT".to_owned(), Wait::Done),
        };
        self.line(line.as_bytes());
        self.state = State::Status(wait);
    }

    /// The handshake that [`Step::StartTls`] asked for is done; `request` again.
    pub fn tls_started(&mut self) {
        if !self.input.is_empty() {
            self.state = State::Failed(ClientError::TlsInjection);
            return;
        }
        self.tls = true;
        self.state = State::Idle;
    }

    pub fn step(&mut self) -> Step {
        loop {
            if let State::Failed(error) = self.state {
                return Step::Failed(error);
            }
            if matches!(self.state, State::Message { .. }) {
                return self.message();
            }
            if matches!(self.state, State::Idle | State::Handshake) {
                return Step::Read;
            }
            let Some(line) = self.next_line() else {
                return match self.state {
                    State::Failed(error) => Step::Failed(error),
                    _ => Step::Read,
                };
            };
            match std::mem::replace(&mut self.state, State::Idle) {
                State::Status(wait) => {
                    if let Some(step) = self.status(wait, &line) {
                        return step;
                    }
                }
                State::Lines(answer) if line == "." => return Step::Answer(answer),
                State::Lines(mut answer) => {
                    let text = line.strip_prefix('.').unwrap_or(&line);
                    self.state = match answer.add(text) {
                        Ok(()) => State::Lines(answer),
                        Err(error) => State::Failed(error),
                    };
                }
                state => self.state = state,
            }
        }
    }

    /// A whole line without its end, as ASCII.
    fn next_line(&mut self) -> Option<String> {
        let end = memchr::memchr(b'\n', &self.input);
        // The same limit whether or not the line's end has come.
        if end.unwrap_or(self.input.len()) > limits::LINE_BYTES_MAX {
            self.state = State::Failed(ClientError::LineTooLong);
            return None;
        }
        let end = end?;
        let line: Vec<u8> = self.input.drain(..=end).collect();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line).into_owned())
    }

    fn status(&mut self, wait: Wait, line: &str) -> Option<Step> {
        if let Some(text) = line.strip_prefix("-ERR") {
            return Some(Step::Answer(refused(text.trim())));
        }
        // RFC 5034 §4: the server asks on where it has no reason to.
        if line.starts_with("+ ") || line == "+" {
            self.line(b"*");
            self.state = State::Status(Wait::Done);
            return None;
        }
        let Some(text) = line.strip_prefix("+OK") else {
            self.state = State::Failed(ClientError::NotPop3);
            return None;
        };
        let text = text.trim().to_owned();
        match wait {
            Wait::Done => return Some(Step::Answer(Answer::Ok(text))),
            Wait::Lines(answer) => self.state = State::Lines(answer),
            Wait::Message => {
                self.state = State::Message {
                    line_start: true,
                    text,
                };
            }
            Wait::StartTls if self.input.is_empty() => {
                self.state = State::Handshake;
                return Some(Step::StartTls);
            }
            Wait::StartTls => self.state = State::Failed(ClientError::TlsInjection),
            Wait::Password(password) => {
                let password = one_line(&String::from_utf8_lossy(&password.0));
                self.line(format!("PASS {password}").as_bytes());
                self.state = State::Status(Wait::Done);
            }
        }
        None
    }

    /// RFC 1939 §3: up to CRLF "." CRLF, one dot off a line that begins with one.
    fn message(&mut self) -> Step {
        let State::Message { line_start, text } = &mut self.state else {
            return Step::Read;
        };
        let mut skip = 0;
        if *line_start {
            match self.input.as_slice() {
                [] | [b'.'] | [b'.', b'\r'] => return Step::Read,
                [b'.', b'\r', b'\n', ..] => {
                    let text = std::mem::take(text);
                    self.input.drain(..3);
                    self.state = State::Idle;
                    return Step::Answer(Answer::Ok(text));
                }
                [b'.', ..] => skip = 1,
                _ => {}
            }
        }
        let rest = self.input.get(skip..).unwrap_or_default();
        let end = match memchr::memmem::find(rest, b"\r\n.") {
            Some(at) => skip + at + 2,
            // Half an end of line waits for its other half.
            None if rest.ends_with(b"\r") => self.input.len() - 1,
            None => self.input.len(),
        };
        if end == skip {
            return Step::Read;
        }
        let piece: Vec<u8> = self.input.drain(..end).skip(skip).collect();
        *line_start = piece.ends_with(b"\r\n");
        Step::Body(piece)
    }

    fn line(&mut self, line: &[u8]) {
        self.output.extend_from_slice(line);
        self.output.extend_from_slice(b"\r\n");
    }
}

impl Answer {
    fn add(&mut self, line: &str) -> Result<(), ClientError> {
        let (number, value) = line.split_once(' ').unwrap_or((line, ""));
        let number = number.parse::<u32>().map_err(|_| ClientError::NotPop3);
        let count = match self {
            Answer::Capabilities(list) => {
                list.push(line.to_owned());
                list.len()
            }
            Answer::Sizes(list) => {
                let size = value.split(' ').next().unwrap_or_default();
                let size = size.parse().map_err(|_| ClientError::NotPop3)?;
                list.push((number?, size));
                list.len()
            }
            Answer::UniqueIds(list) => {
                list.push((number?, value.trim().to_owned()));
                list.len()
            }
            Answer::Ok(_) | Answer::Refused { .. } => 0,
        };
        if count > limits::MESSAGES_MAX {
            return Err(ClientError::TooManyLines);
        }
        Ok(())
    }
}

fn refused(text: &str) -> Answer {
    let coded = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map(|(code, text)| (code.to_ascii_uppercase(), text.trim()));
    match coded {
        Some((code, text)) => Answer::Refused {
            code: Some(code),
            text: text.to_owned(),
        },
        None => Answer::Refused {
            code: None,
            text: text.to_owned(),
        },
    }
}

/// Nothing that we are told to send may begin a command of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\r' | '\n' | '\0'))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MessageEncoder;

    /// Feeds what the server says in pieces; gives the body and the last step.
    fn run(client: &mut Client, server: &[u8], chunk: usize) -> (Vec<u8>, Step) {
        let mut body = Vec::new();
        let mut pieces = server.chunks(chunk.max(1));
        loop {
            match client.step() {
                Step::Body(piece) => body.extend(piece),
                Step::Read => match pieces.next() {
                    Some(piece) => client.feed(piece),
                    None => return (body, Step::Read),
                },
                step => return (body, step),
            }
        }
    }

    fn ask(client: &mut Client, request: Request, said: &str, server: &str) -> Step {
        client.request(request);
        assert_eq!(client.take_output(), said.as_bytes());
        run(client, server.as_bytes(), 3).1
    }

    fn ready(tls: bool) -> Client {
        let mut client = Client::new(tls);
        let (_, step) = run(&mut client, b"+OK hello\r\n", 2);
        assert_eq!(step, Step::Answer(Answer::Ok("hello".into())));
        client
    }

    #[test]
    fn a_long_line_is_refused_however_it_comes() {
        // Bytes before LF.
        for (bytes, refused) in [
            (limits::LINE_BYTES_MAX, false),
            (limits::LINE_BYTES_MAX + 1, true),
        ] {
            let line = format!("{:x<width$}\r\n", "+OK ", width = bytes - 1).into_bytes();
            for chunk in [1, 7, line.len()] {
                let (_, step) = run(&mut Client::new(true), &line, chunk);
                let failed = step == Step::Failed(ClientError::LineTooLong);
                assert_eq!(failed, refused, "{bytes} {chunk}");
            }
        }
    }

    #[test]
    fn a_whole_dialogue() {
        let mut c = ready(false);
        let answer = ask(
            &mut c,
            Request::Capa,
            "CAPA\r\n",
            "+OK\r\nSTLS\r\nUIDL\r\n.\r\n",
        );
        let capabilities = vec!["STLS".into(), "UIDL".into()];
        assert_eq!(answer, Step::Answer(Answer::Capabilities(capabilities)));
        assert_eq!(
            ask(&mut c, Request::Stls, "STLS\r\n", "+OK go\r\n"),
            Step::StartTls
        );
        c.tls_started();
        assert!(c.is_tls());
        c.request(Request::Login {
            user: "me\r\nDELE 1".into(),
            password: Secret(b"pass word".to_vec()),
        });
        assert_eq!(c.take_output(), b"USER meDELE 1\r\n");
        assert_eq!(run(&mut c, b"+OK\r\n", 9).1, Step::Read);
        assert_eq!(c.take_output(), b"PASS pass word\r\n");
        let refused = run(&mut c, b"-ERR [IN-USE] busy\r\n", 9).1;
        assert_eq!(
            refused,
            Step::Answer(Answer::Refused {
                code: Some("IN-USE".into()),
                text: "busy".into()
            })
        );
        let login = Request::AuthPlain {
            user: "me".into(),
            password: Secret(b"x".to_vec()),
        };
        let answer = ask(&mut c, login, "AUTH PLAIN AG1lAHg=\r\n", "+OK\r\n");
        assert_eq!(answer, Step::Answer(Answer::Ok(String::new())));
        assert_eq!(
            ask(
                &mut c,
                Request::List,
                "LIST\r\n",
                "+OK\r\n1 120 x\r\n3 9\r\n.\r\n"
            ),
            Step::Answer(Answer::Sizes(vec![(1, 120), (3, 9)]))
        );
        assert_eq!(
            ask(&mut c, Request::Uidl, "UIDL\r\n", "+OK\r\n1 .a\r\n.\r\n"),
            Step::Answer(Answer::UniqueIds(vec![(1, ".a".into())]))
        );
        c.request(Request::Retr(1));
        assert_eq!(c.take_output(), b"RETR 1\r\n");
        let (body, step) = run(&mut c, b"+OK 9 octets\r\na\r\n..b\r\n.\r\n", 1);
        assert_eq!(body, b"a\r\n.b\r\n");
        assert_eq!(step, Step::Answer(Answer::Ok("9 octets".into())));
        assert_eq!(
            ask(&mut c, Request::Dele(1), "DELE 1\r\n", "+OK\r\n"),
            Step::Answer(Answer::Ok(String::new()))
        );
        assert_eq!(
            ask(&mut c, Request::Quit, "QUIT\r\n", "+OK bye\r\n"),
            Step::Answer(Answer::Ok("bye".into()))
        );
    }

    #[test]
    fn what_can_not_be_trusted() {
        let failed = |error| Step::Failed(error);
        let mut c = Client::new(false);
        assert_eq!(
            run(&mut c, b"220 mx\r\n", 9).1,
            failed(ClientError::NotPop3)
        );
        let mut c = Client::new(false);
        let long = vec![b'x'; limits::LINE_BYTES_MAX + 2];
        assert_eq!(run(&mut c, &long, 999).1, failed(ClientError::LineTooLong));
        let mut c = ready(false);
        c.request(Request::Stls);
        c.feed(b"+OK\r\n+OK evil\r\n");
        assert_eq!(c.step(), failed(ClientError::TlsInjection));
        let mut c = ready(false);
        c.request(Request::Login {
            user: "a".into(),
            password: Secret(Vec::new()),
        });
        assert_eq!(c.step(), failed(ClientError::NoTls));
        assert!(c.take_output().is_empty());
        let mut c = ready(true);
        assert_eq!(
            ask(&mut c, Request::List, "LIST\r\n", "+OK\r\nx 1\r\n"),
            failed(ClientError::NotPop3)
        );
    }

    proptest! {
        #[test]
        fn what_a_server_sends_comes_back(text in "[.a\r]{0,60}", out_chunk in 1usize..9, in_chunk in 1usize..9) {
            let text = text.replace('\r', "\r\n");
            let mut wire = b"+OK\r\n".to_vec();
            let mut encoder = MessageEncoder::new(None);
            for piece in text.as_bytes().chunks(out_chunk) {
                encoder.push(piece, &mut wire);
            }
            encoder.finish(&mut wire);
            wire.extend_from_slice(b".\r\n");
            let mut client = ready(true);
            client.request(Request::Retr(1));
            let (mut body, step) = run(&mut client, &wire, in_chunk);
            prop_assert_eq!(step, Step::Answer(Answer::Ok(String::new())));
            if !text.is_empty() && !text.ends_with("\r\n") {
                body.truncate(body.len() - 2);
            }
            prop_assert_eq!(String::from_utf8(body).unwrap(), text);
        }
    }
}
