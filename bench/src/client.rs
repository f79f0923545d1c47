//! Small blocking clients: one thread a session, so that the load costs little itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use socket2::{Domain, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(300);
const BUFFER_BYTES: usize = 16 << 10;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// TLS settings that trust one PEM file.
pub fn tls_config(ca: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    Ok(Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    ))
}

pub struct Connection {
    reader: BufReader<Stream>,
    line: Vec<u8>,
    tag: u32,
}

impl Connection {
    pub fn open(port: u16, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        Self::over(TcpStream::connect(("127.0.0.1", port))?, tls)
    }

    /// From an address of this machine that is not loopback's: a stranger to the server.
    pub fn open_from(source: Ipv4Addr, port: u16) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        Self::over(socket.into(), None)
    }

    fn over(stream: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let name = ServerName::try_from("localhost")?;
                let connection = ClientConnection::new(config.clone(), name)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        Ok(Connection {
            reader: BufReader::with_capacity(BUFFER_BYTES, stream),
            line: Vec::new(),
            tag: 0,
        })
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.reader.get_mut();
        stream.write_all(bytes)?;
        stream.flush()?;
        Ok(())
    }

    pub fn read_line(&mut self) -> Result<&[u8]> {
        self.line.clear();
        if self.reader.read_until(b'\n', &mut self.line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(&self.line)
    }

    // SMTP

    pub fn smtp_reply(&mut self, expected: u8) -> Result<()> {
        loop {
            let line = self.read_line()?;
            let last = line.get(3) != Some(&b'-');
            if line.first() != Some(&expected) {
                bail!("{}", String::from_utf8_lossy(line));
            }
            if last {
                return Ok(());
            }
        }
    }

    pub fn smtp_hello(&mut self) -> Result<()> {
        self.smtp_reply(b'2')?;
        self.send(b"EHLO bench.test\r\n")?;
        self.smtp_reply(b'2')
    }

    pub fn smtp_login(&mut self, user: &str, password: &str) -> Result<()> {
        self.send(b"AUTH LOGIN\r\n")?;
        self.smtp_reply(b'3').context("AUTH")?;
        for secret in [user, password] {
            self.send(format!("{}\r\n", base64(secret.as_bytes())).as_bytes())?;
            self.smtp_reply(if secret == password { b'2' } else { b'3' })
                .context("AUTH")?;
        }
        Ok(())
    }

    /// As `smtp_message`, from one of the server's own people.
    pub fn smtp_message_from(&mut self, from: &str, to: &str, data: &[u8]) -> Result<()> {
        self.smtp_message_to_many(from, std::iter::once(to.to_owned()), data)
    }

    pub fn smtp_message_to_many(
        &mut self,
        from: &str,
        to: impl Iterator<Item = String>,
        data: &[u8],
    ) -> Result<()> {
        let mut commands = format!("MAIL FROM:<{from}>\r\n");
        let mut count = 0;
        for recipient in to {
            commands.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
            count += 1;
        }
        commands.push_str("DATA\r\n");
        self.send(commands.as_bytes())?;
        self.smtp_reply(b'2').context("MAIL")?;
        for _ in 0..count {
            self.smtp_reply(b'2').context("RCPT")?;
        }
        self.smtp_reply(b'3').context("DATA")?;
        // The author is who logged in.
        let author = format!("From: <{from}>\r\n");
        let rest = data
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        self.send(&[author.as_bytes(), &data[rest..]].concat())?;
        self.smtp_reply(b'2').context("end of data")
    }

    /// One message, commands pipelined; `data` ends with the final dot.
    pub fn smtp_message(&mut self, recipient: &str, data: &[u8]) -> Result<()> {
        self.smtp_message_of("bench@elsewhere.test", recipient, data)
    }

    /// As `smtp_message`, with this reverse-path.
    pub fn smtp_message_of(&mut self, from: &str, recipient: &str, data: &[u8]) -> Result<()> {
        let commands = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        self.send(commands.as_bytes())?;
        self.smtp_reply(b'2').context("MAIL")?;
        self.smtp_reply(b'2').context("RCPT")?;
        self.smtp_reply(b'3').context("DATA")?;
        self.send(data)?;
        self.smtp_reply(b'2').context("end of data")
    }

    // IMAP

    pub fn imap_login(&mut self, user: &str, password: &str) -> Result<()> {
        self.read_line()?;
        self.imap(&format!("LOGIN {user} {password}"))?;
        Ok(())
    }

    /// Sends a command, reads all responses; gives how many bytes came.
    pub fn imap(&mut self, command: &str) -> Result<u64> {
        self.imap_lines(command, |_| ())
    }

    pub fn imap_lines(&mut self, command: &str, each: impl FnMut(&[u8])) -> Result<u64> {
        self.tag += 1;
        let tag = format!("a{} ", self.tag);
        self.send(format!("{tag}{command}\r\n").as_bytes())?;
        self.imap_responses(&tag, each)
    }

    fn imap_responses(&mut self, tag: &str, mut each: impl FnMut(&[u8])) -> Result<u64> {
        let mut bytes = 0;
        loop {
            let line = self.read_line()?;
            bytes += line.len() as u64;
            if line.starts_with(tag.as_bytes()) {
                if line[tag.len()..].starts_with(b"OK") {
                    return Ok(bytes);
                }
                bail!("{}", String::from_utf8_lossy(line));
            }
            each(line);
            if let Some(size) = literal_size(line) {
                bytes += size;
                self.skip(size)?;
            }
        }
    }

    fn skip(&mut self, mut size: u64) -> Result<()> {
        while size > 0 {
            let available = self.reader.fill_buf()?.len() as u64;
            if available == 0 {
                bail!("the server closed the connection");
            }
            let take = available.min(size);
            self.reader.consume(take as usize);
            size -= take;
        }
        Ok(())
    }

    pub fn imap_append(&mut self, mailbox: &str, message: &[u8]) -> Result<()> {
        self.imap_append_start(mailbox, message)?;
        let tag = format!("a{} ", self.tag);
        self.imap_responses(&tag, |_| ())?;
        Ok(())
    }

    /// Sends an APPEND with a non-synchronising literal and does not wait.
    pub fn imap_append_start(&mut self, mailbox: &str, message: &[u8]) -> Result<()> {
        self.tag += 1;
        let mut command =
            format!("a{} APPEND {mailbox} {{{}+}}\r\n", self.tag, message.len()).into_bytes();
        command.extend_from_slice(message);
        command.extend_from_slice(b"\r\n");
        self.send(&command)
    }

    /// Waits for the last APPEND that was started.
    pub fn imap_append_wait(&mut self) -> Result<()> {
        let tag = format!("a{} ", self.tag);
        loop {
            let line = self.read_line()?;
            if line.first() == Some(&b'a') && !line.windows(4).any(|w| w == b" OK ") {
                bail!("{}", String::from_utf8_lossy(line));
            }
            if line.starts_with(tag.as_bytes()) {
                return Ok(());
            }
        }
    }

    pub fn imap_message_count(&mut self, mailbox: &str) -> Result<u64> {
        let mut count = 0;
        self.imap_lines(&format!("STATUS {mailbox} (MESSAGES)"), |line| {
            let text = String::from_utf8_lossy(line);
            if let Some((_, rest)) = text.split_once("MESSAGES ") {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                count = digits.parse().unwrap_or(0);
            }
        })?;
        Ok(count)
    }

    // POP3

    pub fn pop3(&mut self, command: &str) -> Result<()> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.pop3_status()
    }

    pub fn pop3_status(&mut self) -> Result<()> {
        let line = self.read_line()?;
        if !line.starts_with(b"+OK") {
            bail!("{}", String::from_utf8_lossy(line));
        }
        Ok(())
    }

    /// Reads a multi-line answer; gives its bytes.
    pub fn pop3_lines(&mut self) -> Result<u64> {
        let mut bytes = 0;
        loop {
            let line = self.read_line()?;
            bytes += line.len() as u64;
            if line == b".\r\n" {
                return Ok(bytes);
            }
        }
    }
}

fn literal_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\r\n")?;
    let start = line.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(line.get(start + 1..)?)
        .ok()?
        .parse()
        .ok()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > chunk.len() {
                '='
            } else {
                letter.into()
            });
        }
    }
    text
}
