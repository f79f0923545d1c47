//! The client's side of the server's socket for programs of this machine: plain SMTP, one command at
//! a time. Who we are, the kernel tells the server.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use facteur_programs::sendmail::{Call, Envelope, Piece, Pieces};

/// A disk that is busy may take long to say that a message is on it.
const PATIENCE: Duration = Duration::from_secs(600);
const REPLY_LINE_BYTES_MAX: u64 = 4096;
const REPLY_LINES_MAX: usize = 100;

/// What the server said, without the codes that lead further lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `250 2.1.0 fine`
    pub text: String,
    lines: Vec<String>,
}

impl Reply {
    fn class(&self) -> u8 {
        self.text.bytes().next().unwrap_or(b'0')
    }
}

#[derive(Debug)]
pub enum TalkError {
    /// The server is not there, or went away: nothing is known to be taken.
    Lost(io::Error),
    /// The message can't be read to its end.
    Input(io::Error),
    Refused(Reply),
}

impl From<io::Error> for TalkError {
    fn from(error: io::Error) -> Self {
        TalkError::Lost(error)
    }
}

pub struct Talk {
    reader: BufReader<UnixStream>,
    writer: BufWriter<UnixStream>,
    /// What the server takes us for.
    pub default_sender: Option<String>,
}

impl Talk {
    pub fn open(socket: &Path) -> Result<Talk, TalkError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut talk = Talk {
            reader: BufReader::new(stream.try_clone()?),
            writer: BufWriter::new(stream),
            default_sender: None,
        };
        talk.expect(b'2')?;
        let hello = talk.say("EHLO localhost", b'2')?;
        let default = hello
            .lines
            .iter()
            .find_map(|line| line.strip_prefix("XSENDER "));
        talk.default_sender = default.map(str::to_owned);
        Ok(talk)
    }

    /// All recipients or none. When it returns, the message is on the server's disk.
    pub fn send<R: BufRead>(
        &mut self,
        call: &Call,
        envelope: &Envelope,
        header: &[u8],
        body: &mut Body<R>,
    ) -> Result<(), TalkError> {
        let ascii = envelope.from.is_ascii() && envelope.recipients.iter().all(|to| to.is_ascii());
        let mut mail = format!("MAIL FROM:<{}>", envelope.from);
        if !ascii {
            mail.push_str(" SMTPUTF8");
        }
        if let Some(ret) = &call.ret {
            mail.push_str(&format!(" RET={}", ret.to_ascii_uppercase()));
        }
        if let Some(id) = &call.envelope_id {
            mail.push_str(&format!(" ENVID={}", xtext(id)));
        }
        self.say(&mail, b'2')?;
        for recipient in &envelope.recipients {
            let mut rcpt = format!("RCPT TO:<{recipient}>");
            if let Some(notify) = &call.notify {
                rcpt.push_str(&format!(" NOTIFY={}", notify.to_ascii_uppercase()));
            }
            self.say(&rcpt, b'2')?;
        }
        self.say("DATA", b'3')?;
        self.stuffed(header)?;
        self.writer.write_all(b"\r\n")?;
        while let Some(piece) = body.next().map_err(TalkError::Input)? {
            if piece.begins && piece.bytes.first() == Some(&b'.') {
                self.writer.write_all(b".")?;
            }
            self.writer.write_all(&piece.bytes)?;
            if piece.ends {
                self.writer.write_all(b"\r\n")?;
            }
        }
        self.say(".", b'2')?;
        // The message is taken, whatever becomes of the farewell.
        let _ = self.say("QUIT", b'2');
        Ok(())
    }

    /// RFC 5321 §4.5.2.
    fn stuffed(&mut self, lines: &[u8]) -> io::Result<()> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if line.first() == Some(&b'.') {
                self.writer.write_all(b".")?;
            }
            self.writer.write_all(line)?;
        }
        Ok(())
    }

    fn say(&mut self, line: &str, class: u8) -> Result<Reply, TalkError> {
        self.writer.write_all(line.as_bytes())?;
        self.writer.write_all(b"\r\n")?;
        self.writer.flush()?;
        self.expect(class)
    }

    fn expect(&mut self, class: u8) -> Result<Reply, TalkError> {
        let mut lines = Vec::new();
        let mut text = String::new();
        while lines.len() < REPLY_LINES_MAX {
            let mut line = String::new();
            let mut limited = (&mut self.reader).take(REPLY_LINE_BYTES_MAX);
            if limited.read_line(&mut line)? == 0 {
                return Err(TalkError::Lost(io::ErrorKind::UnexpectedEof.into()));
            }
            let line = line.trim_end();
            let more = line.get(3..4) == Some("-");
            if text.is_empty() || !more {
                line.clone_into(&mut text);
            }
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if !more {
                break;
            }
        }
        let reply = Reply { text, lines };
        match reply.class() == class {
            true => Ok(reply),
            false => Err(TalkError::Refused(reply)),
        }
    }
}

/// What is left of the message behind its header.
pub struct Body<R> {
    /// Read already: it was no line of the header.
    pub first: Option<Piece>,
    pub rest: Pieces<R>,
}

impl<R: BufRead> Body<R> {
    fn next(&mut self) -> io::Result<Option<Piece>> {
        match self.first.take() {
            Some(piece) => Ok(Some(piece)),
            None => self.rest.next_piece(),
        }
    }
}

/// `-bs`: whoever called speaks SMTP with the server itself.
pub fn pipe(socket: &Path) -> io::Result<()> {
    let stream = UnixStream::connect(socket)?;
    let mut to_server = stream.try_clone()?;
    std::thread::spawn(move || {
        // Where it broke off the server's last words tell.
        let _ = io::copy(&mut io::stdin().lock(), &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let mut from_server = stream;
    let mut buffer = [0u8; 4096];
    loop {
        let count = from_server.read(&mut buffer)?;
        let mut terminal = io::stdout().lock();
        if count == 0 {
            return terminal.flush();
        }
        terminal.write_all(buffer.get(..count).unwrap_or_default())?;
        terminal.flush()?;
    }
}

/// RFC 3461 §4.
fn xtext(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' | 0..=b' ' | 0x7f.. => out.push_str(&format!("+{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}
