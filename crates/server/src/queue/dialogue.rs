//! One connection to another host: socket, TLS, time-outs and the SMTP client session.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use facteur_smtp::client::{Client, Config, LocalError, Stage, Step};
use facteur_store::{BlobId, Store};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::applied::Flaw;
use super::limits;
use super::route::Hop;
use super::tls::Witness;
use crate::limits::STREAM_BYTES;
use crate::net::Socket;

enum Io {
    Plain(Box<dyn Socket>),
    Tls(Box<TlsStream<Box<dyn Socket>>>),
    /// A handshake failed.
    Gone,
}

/// The message to send: a prefix of our own, then the stored body.
pub struct Outgoing<'a> {
    pub store: &'a Store,
    pub prefix: &'a [u8],
    pub blob: BlobId,
    pub body_size: u64,
}

impl Outgoing<'_> {
    /// Bytes of the body; what was taken in a moment ago is read without the disk.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, LocalError> {
        let mut piece = Vec::new();
        let cached = self
            .store
            .read_body_cached(self.blob, range.clone(), &mut piece);
        if matches!(cached, Ok(true)) {
            return Ok(piece);
        }
        let (store, blob) = (self.store.clone(), self.blob);
        let reading = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::new();
            store.read_body(blob, range, &mut piece).map(|()| piece)
        });
        match reading.await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => {
                tracing::error!(%error, "a queued message can't be read");
                Err(LocalError::ConnectionLost)
            }
            Err(_) => Err(LocalError::ConnectionLost),
        }
    }
}

/// How TLS with a host begins, and who looks at its certificate without refusing it.
pub struct Secured {
    pub connector: TlsConnector,
    pub witness: Option<Arc<Witness>>,
}

/// What came of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Clear,
    /// With what the witness says of it.
    Tls(Option<Flaw>),
    Failed(Flaw),
}

pub struct Dialogue {
    io: Io,
    client: Client,
    hop: Hop,
    secured: Secured,
    shown: Shown,
    /// Monotonic time of its beginning.
    since: Duration,
    messages: u32,
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue")
            .field("hop", &self.hop)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

impl Dialogue {
    /// `implicit`: TLS from the first byte.
    pub async fn open(
        socket: Box<dyn Socket>,
        hop: &Hop,
        config: Config,
        secured: Secured,
        implicit: bool,
        now: Duration,
    ) -> Result<Self, LocalError> {
        let mut dialogue = Dialogue {
            io: Io::Plain(socket),
            client: Client::new(config),
            hop: hop.clone(),
            secured,
            shown: Shown::Clear,
            since: now,
            messages: 0,
        };
        if implicit {
            dialogue.handshake().await?;
        }
        Ok(dialogue)
    }

    pub fn hop(&self) -> &Hop {
        &self.hop
    }

    /// What came of TLS until now.
    pub fn shown(&self) -> Shown {
        self.shown
    }

    /// Monotonic time of its beginning.
    pub fn since(&self) -> Duration {
        self.since
    }

    /// Messages that went over it.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    pub fn count_message(&mut self) {
        self.messages = self.messages.saturating_add(1);
    }

    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Goes on until the session wants something of its user: never `Read` or `StartTls`.
    pub async fn next(&mut self) -> Result<Step, LocalError> {
        loop {
            let step = self.client.step();
            self.flush().await?;
            match step {
                Step::Read => self.read().await?,
                Step::StartTls => {
                    self.handshake().await?;
                    self.client.tls_started();
                }
                step => return Ok(step),
            }
        }
    }

    /// Streams the message; the session then waits for the reply.
    pub async fn send_body(&mut self, message: &Outgoing<'_>) -> Result<(), LocalError> {
        self.push(message.prefix)?;
        let mut offset = 0;
        while offset < message.body_size {
            let end = message.body_size.min(offset + STREAM_BYTES);
            let piece = message.read(offset..end).await?;
            self.push(&piece)?;
            if end < message.body_size {
                self.flush().await?;
            }
            offset = end;
        }
        // A small message goes out in one piece, its end with it.
        self.client.end_body().map_err(|_| LocalError::NotText)?;
        self.flush().await
    }

    /// A polite end: QUIT, and the answer if it comes soon.
    pub async fn quit(mut self) {
        self.client.quit();
        let _ = timeout(limits::QUIT, self.next()).await;
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        self.client
            .push_body(bytes)
            .map_err(|_| LocalError::NotText)
    }

    async fn flush(&mut self) -> Result<(), LocalError> {
        let bytes = self.client.take_output();
        if bytes.is_empty() {
            return Ok(());
        }
        let writing = async {
            match &mut self.io {
                Io::Plain(stream) => stream.write_all(&bytes).await,
                Io::Tls(stream) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await
                }
                Io::Gone => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        in_time(limits::WRITE, writing).await
    }

    async fn read(&mut self) -> Result<(), LocalError> {
        let patience = patience(self.client.stage());
        let mut buffer = [0; 4096];
        let reading = async {
            match &mut self.io {
                Io::Plain(stream) => stream.read(&mut buffer).await,
                Io::Tls(stream) => stream.read(&mut buffer).await,
                Io::Gone => Ok(0),
            }
        };
        let count = in_time(patience, reading).await?;
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => {
                self.client.feed(bytes);
                Ok(())
            }
            _ => Err(LocalError::ConnectionLost),
        }
    }

    async fn handshake(&mut self) -> Result<(), LocalError> {
        let Io::Plain(socket) = std::mem::replace(&mut self.io, Io::Gone) else {
            return Err(LocalError::NoTls);
        };
        // A host without a DNS name is called by its address.
        let name = ServerName::try_from(self.hop.host.clone())
            .unwrap_or_else(|_| ServerName::IpAddress(self.hop.address.into()));
        let connecting = self.secured.connector.connect(name, socket);
        match timeout(limits::HANDSHAKE, connecting).await {
            Ok(Ok(stream)) => {
                self.io = Io::Tls(Box::new(stream));
                let witness = self.secured.witness.as_ref();
                self.shown = Shown::Tls(witness.and_then(|witness| witness.flaw()));
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::info!(host = self.hop.host, %error, "TLS handshake failed");
                let inner = error.get_ref();
                let failed = inner.and_then(|error| error.downcast_ref::<rustls::Error>());
                self.shown = Shown::Failed(failed.map_or(Flaw::HANDSHAKE_CUT, Flaw::of_tls));
                Err(LocalError::NoTls)
            }
            Err(_) => Err(LocalError::TimedOut),
        }
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, LocalError> {
    match timeout(patience, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(LocalError::ConnectionLost),
        Err(_) => Err(LocalError::TimedOut),
    }
}

/// RFC 5321 §4.5.3.2.
fn patience(stage: Stage) -> Duration {
    match stage {
        Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Auth | Stage::Idle => {
            limits::COMMAND
        }
        Stage::Mail | Stage::Rcpt => limits::COMMAND,
        Stage::DataStart => limits::DATA_START,
        Stage::Body => limits::WRITE,
        Stage::DataEnd => limits::DATA_END,
        Stage::Quit => limits::QUIT,
    }
}
