//! The `sendmail` command as Unix programs know it, and the way in for `facteur send`.
//!
//! It has no rights of its own and keeps nothing once it has ended: it reads the message to its end and
//! talks to the server on a Unix socket, where the kernel says whose process it is. Status 0 means that the message is on the server's disk; 75, that
//! it is not and whoever called shall try again.

mod spool;
mod talk;

use std::ffi::OsString;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use crate::output::{Failure, fail};
use crate::settings::{FILE_DEFAULT, Settings};
use crate::texts::{self, fill, t};
use facteur_programs::sendmail::header::{self, ReadError};
use facteur_programs::sendmail::{Bad, Mode, Pieces, arguments};
use spool::SpoolError;
use talk::{Body, Talk, TalkError};

pub use facteur_programs::sendmail::{Call, Envelope};

/// Where the server listens when no configuration says it.
const SOCKET_DEFAULT: &str = "/run/facteur/local";
/// Names the socket, before anything else does.
const SOCKET_VARIABLE: &str = "FACTEUR_SOCKET";

/// sysexits.h
const EX_USAGE: u8 = 64;
const EX_DATAERR: u8 = 65;
const EX_NOUSER: u8 = 67;
const EX_UNAVAILABLE: u8 = 69;
const EX_IOERR: u8 = 74;
const EX_TEMPFAIL: u8 = 75;
const EX_NOPERM: u8 = 77;
const EX_CONFIG: u8 = 78;

/// The arguments as `sendmail` gets them, when that is what this process was started as: under that
/// name, or as `facteur sendmail`.
pub fn called(arguments: impl IntoIterator<Item = OsString>) -> Option<Vec<String>> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next()?;
    let mut rest: Vec<String> = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if Path::new(&name)
        .file_name()
        .is_some_and(|name| name == "sendmail")
    {
        return Some(rest);
    }
    (rest.first().map(String::as_str) == Some("sendmail")).then(|| {
        rest.remove(0);
        rest
    })
}

/// Runs the command; gives the exit status.
pub fn run(arguments: Vec<String>) -> u8 {
    let done = match arguments::parse(arguments) {
        Ok(call) => act(&call),
        Err(option) => Err(Failure {
            status: EX_USAGE,
            ..Failure::new(
                "usage",
                fill(texts::SENDMAIL_OPTION, &[&crate::output::safe(&option)]),
            )
        }),
    };
    match done {
        Ok(()) => 0,
        Err(failure) => {
            fail(&failure, false);
            failure.status
        }
    }
}

fn act(call: &Call) -> Result<(), Failure> {
    match call.mode {
        Mode::Deliver => {
            let input = io::stdin().lock();
            take_in(&socket(), call, input).map(drop)
        }
        Mode::Talk => {
            let socket = socket();
            talk::pipe(&socket).map_err(|error| lost(&socket, error))
        }
        Mode::Queue => Err(Failure {
            status: EX_UNAVAILABLE,
            ..Failure::new("queue", t(texts::SENDMAIL_QUEUE))
        }),
        Mode::Nothing => Ok(()),
    }
}

fn socket() -> PathBuf {
    if let Some(named) = std::env::var_os(SOCKET_VARIABLE) {
        return named.into();
    }
    match Settings::read(Path::new(FILE_DEFAULT)) {
        Ok(settings) => settings.local_socket(),
        Err(_) => SOCKET_DEFAULT.into(),
    }
}

/// A message that a program is still writing.
fn take_in(socket: &Path, call: &Call, source: impl BufRead) -> Result<Envelope, Failure> {
    somebody(call)?;
    let whole = spool::read(source, !call.dots_are_text).map_err(|error| match error {
        SpoolError::Input(error) => input(&error),
        SpoolError::Place(error) => Failure {
            status: EX_TEMPFAIL,
            ..input(&error)
        },
        SpoolError::TooBig => Failure {
            status: EX_DATAERR,
            ..Failure::new("too_big", t(texts::SEND_TOO_BIG))
        },
    })?;
    deliver(socket, call, whole)
}

fn somebody(call: &Call) -> Result<(), Failure> {
    match call.recipients.is_empty() && !call.read_recipients {
        true => Err(bad(&Bad::NoRecipient)),
        false => Ok(()),
    }
}

/// Hands a message to the server; gives the envelope that it took.
pub fn deliver(socket: &Path, call: &Call, source: impl BufRead) -> Result<Envelope, Failure> {
    let mut pieces = Pieces::new(source, !call.dots_are_text);
    somebody(call)?;
    let mut talk = Talk::open(socket).map_err(|error| told(socket, error))?;
    let (header, first) = header::read(&mut pieces).map_err(|error| match error {
        ReadError::Input(error) => input(&error),
        ReadError::TooBig => Failure {
            status: EX_DATAERR,
            ..Failure::new("header", t(texts::SENDMAIL_HEADER))
        },
    })?;
    let default = talk.default_sender.clone();
    let prepared = header::prepare(&header, call, default.as_deref());
    let (envelope, header) = prepared.map_err(|error| bad(&error))?;
    let mut body = Body {
        first,
        rest: pieces,
    };
    talk.send(call, &envelope, &header, &mut body)
        .map_err(|error| told(socket, error))?;
    Ok(envelope)
}

fn bad(bad: &Bad) -> Failure {
    let (code, status, sentence) = match bad {
        Bad::Address(address) => {
            let address = crate::output::safe(address);
            let sentence = fill(texts::SENDMAIL_ADDRESS, &[&address]);
            ("bad_address", EX_USAGE, sentence)
        }
        Bad::NoDomain(address) => {
            let address = crate::output::safe(address);
            let sentence = fill(texts::SENDMAIL_NO_DOMAIN, &[&address]);
            ("no_domain", EX_CONFIG, sentence)
        }
        Bad::NoRecipient => {
            let sentence = t(texts::SENDMAIL_NO_RECIPIENT).to_owned();
            ("no_recipient", EX_USAGE, sentence)
        }
    };
    Failure {
        status,
        ..Failure::new(code, sentence)
    }
}

fn input(error: &io::Error) -> Failure {
    Failure {
        status: EX_IOERR,
        ..Failure::new("input", t(texts::SENDMAIL_INPUT)).because(error)
    }
}

fn lost(socket: &Path, error: io::Error) -> Failure {
    Failure {
        status: EX_TEMPFAIL,
        ..Failure::new(
            "no_server",
            fill(texts::SENDMAIL_LOST, &[&socket.display()]),
        )
        .because(error)
    }
}

fn told(socket: &Path, error: TalkError) -> Failure {
    match error {
        TalkError::Lost(error) => lost(socket, error),
        TalkError::Input(error) => input(&error),
        TalkError::Refused(reply) => Failure {
            status: status_of(&reply.text),
            ..Failure::new("refused", t(texts::SENDMAIL_REFUSED))
                .because(crate::output::safe(&reply.text))
        },
    }
}

/// From the reply's code and enhanced code (RFC 3463).
fn status_of(reply: &str) -> u8 {
    let mut words = reply.split(' ');
    let code = words.next().unwrap_or_default();
    let enhanced = words.next().unwrap_or_default();
    match code.as_bytes().first() {
        Some(b'5') => match enhanced {
            "5.3.4" => EX_DATAERR,
            _ if enhanced.starts_with("5.1.") => EX_NOUSER,
            _ if enhanced.starts_with("5.6.") => EX_DATAERR,
            _ if enhanced.starts_with("5.7.") => EX_NOPERM,
            _ => EX_UNAVAILABLE,
        },
        // What is not understood may be better next time.
        _ => EX_TEMPFAIL,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread::JoinHandle;

    use super::*;

    #[test]
    fn how_it_was_called() {
        let called = |line: &str| called(line.split(' ').map(OsString::from));
        let some = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
        assert_eq!(called("/usr/sbin/sendmail -t"), some(&["-t"]));
        assert_eq!(called("sendmail"), some(&[]));
        assert_eq!(called("facteur sendmail -t"), some(&["-t"]));
        assert_eq!(called("facteur status"), None);
        assert_eq!(called("facteur -c sendmail"), None);
        assert_eq!(called("facteur"), None);
    }

    /// The server is there from the moment on when the message has been read, and not before.
    struct Slow {
        text: io::Cursor<Vec<u8>>,
        socket: PathBuf,
        server: Option<JoinHandle<Vec<String>>>,
    }

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.text.read(buffer)?;
            if count == 0 && self.server.is_none() {
                let listener = UnixListener::bind(&self.socket)?;
                self.server = Some(std::thread::spawn(move || serve(&listener)));
            }
            Ok(count)
        }
    }

    /// What it is told, up to QUIT.
    fn serve(listener: &UnixListener) -> Vec<String> {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = Vec::new();
        let mut body = false;
        stream.write_all(b"220 x\r\n").unwrap();
        for line in io::BufReader::new(stream.try_clone().unwrap()).lines() {
            let line = line.unwrap();
            let reply: &[u8] = match (body, line.as_str()) {
                (true, ".") => b"250 2.0.0 x\r\n",
                (true, _) => b"",
                (false, "DATA") => b"354 x\r\n",
                (false, "QUIT") => return lines,
                (false, _) => b"250 2.0.0 x\r\n",
            };
            body = (body && line != ".") || line == "DATA";
            stream.write_all(reply).unwrap();
            lines.push(line);
        }
        lines
    }

    /// A program may take longer to write its message than the server waits for a line.
    #[test]
    fn the_server_is_called_when_the_message_is_there() {
        for lines in [1, 3000] {
            let place = tempfile::tempdir().unwrap();
            let socket = place.path().join("local");
            let body = format!("{}\r\n", "x".repeat(99)).repeat(lines);
            let text = format!("Subject: slow\nFrom: a@b.test\n\n{body}");
            let mut slow = Slow {
                text: io::Cursor::new(text.into_bytes()),
                socket: socket.clone(),
                server: None,
            };
            let arguments = ["-f", "a@b.test", "c@d.test"].map(str::to_owned);
            let call = arguments::parse(arguments).unwrap();
            let envelope = take_in(&socket, &call, io::BufReader::new(&mut slow)).unwrap();
            assert_eq!(envelope.recipients, ["c@d.test"]);
            let told = slow.server.unwrap().join().unwrap();
            assert_eq!(told.iter().filter(|line| line.len() == 99).count(), lines);
        }
    }

    #[test]
    fn statuses() {
        for (reply, status) in [
            ("451 4.3.0 later", EX_TEMPFAIL),
            ("421 4.3.2 stopping", EX_TEMPFAIL),
            ("550 5.1.1 no such user", EX_NOUSER),
            ("550 5.7.1 not yours", EX_NOPERM),
            ("552 5.3.4 too big", EX_DATAERR),
            ("554 5.6.0 no From", EX_DATAERR),
            ("554 5.4.6 loop", EX_UNAVAILABLE),
            ("what", EX_TEMPFAIL),
        ] {
            assert_eq!(status_of(reply), status, "{reply}");
        }
    }
}
