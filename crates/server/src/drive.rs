//! What every driver stands on: one connection, plain or under TLS, with bounded reads, writes
//! with back-pressure, timeouts and the one STARTTLS switch.
//!
//! Invariants: between two reads no buffer is held; bytes that came in the clear before the switch
//! are the session's to refuse, the wire itself never keeps one, so nothing crosses into TLS.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use facteur_store::{BlobId, Store};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::auth::{Access, Ended, Identity};
use crate::context::{Context, Peer};
use crate::limits;
use crate::strangers::Offence;

/// Any byte stream a driver can run on: a socket, a duplex pipe in a transcript.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static> Stream for T {}

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The next command: the server may stop meanwhile.
    Idle,
    /// The rest of something begun: a stopping server lets it finish.
    Busy,
}

/// Why a read came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadEnd {
    /// This many bytes were fed.
    Bytes(usize),
    /// The peer closed its side.
    End,
    /// Nothing came in time.
    Timeout,
    /// The server stops.
    Shutdown,
    /// Who logged in may not go on.
    Ended(Ended),
}

#[derive(Debug)]
enum Io<S> {
    Plain(S),
    Tls(Box<TlsStream<S>>),
    /// A handshake failed: nothing can be said any more.
    Gone,
}

/// One connection.
#[derive(Debug)]
pub struct Wire<S> {
    io: Io<S>,
    peer: Peer,
    ctx: Arc<Context>,
    stopping: tokio::sync::watch::Receiver<bool>,
    /// Of who logged in.
    access: Option<Box<Access>>,
    /// The driver knows that access has ended and says goodbye.
    farewell: bool,
}

impl<S: Stream> Wire<S> {
    /// Takes over a connection; on a listener with implicit TLS the handshake is done here, unless
    /// `peer.tls` says that it happened.
    pub async fn open(stream: S, peer: Peer, ctx: Arc<Context>) -> io::Result<Self> {
        let implicit = peer.role.is_implicit_tls() && peer.tls.is_none();
        let mut wire = Wire {
            io: Io::Plain(stream),
            stopping: ctx.shutdown.subscribe(),
            peer,
            ctx,
            access: None,
            farewell: false,
        };
        if implicit {
            wire.handshake().await?;
        }
        Ok(wire)
    }

    /// With `tls` as it is now.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The session ended for what no program of its kind does.
    pub fn note_breach(&self) {
        self.ctx
            .strangers
            .offend(self.peer.address, Offence::Breach);
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.ctx
    }

    /// From here on the connection is this person's, as long as the account lets it.
    pub fn admit(&mut self, identity: &Identity) {
        self.access = Some(Box::new(Access::new(&self.ctx.store, identity)));
    }

    /// The connection is nobody's again.
    pub fn dismiss(&mut self) {
        self.access = None;
    }

    /// Whether who logged in may not go on; asked before each request. The driver then says
    /// goodbye and closes.
    pub fn ended(&mut self) -> Option<Ended> {
        let ended = self.access.as_mut()?.ended();
        self.farewell |= ended.is_some();
        ended
    }

    /// Waits for bytes and hands them to `feed` from a buffer on the stack.
    pub async fn read(
        &mut self,
        wait: Wait,
        timeout: Duration,
        mut feed: impl FnMut(&[u8]),
    ) -> io::Result<ReadEnd> {
        if wait == Wait::Idle && *self.stopping.borrow() {
            return Ok(ReadEnd::Shutdown);
        }
        if let Some(ended) = self.ended() {
            return Ok(ReadEnd::Ended(ended));
        }
        let io = &mut self.io;
        let reading = poll_fn(|task| {
            let mut space = [const { MaybeUninit::uninit() }; limits::READ_BYTES_MAX];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(poll_read(io, task, &mut buffer))?;
            let bytes = buffer.filled();
            if !bytes.is_empty() {
                feed(bytes);
            }
            Poll::Ready(io::Result::Ok(bytes.len()))
        });
        let access = &mut self.access;
        let ended = async {
            match access {
                Some(access) => access.end().await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            count = reading => match count {
                Ok(0) => ReadEnd::End,
                Ok(count) => ReadEnd::Bytes(count),
                // A peer that cuts the connection without a TLS farewell has ended all the same.
                Err(error) if is_end(&error) => ReadEnd::End,
                Err(error) => return Err(error),
            },
            _ = self.stopping.wait_for(|stopping| *stopping), if wait == Wait::Idle => ReadEnd::Shutdown,
            ended = ended => ReadEnd::Ended(ended),
            () = tokio::time::sleep(timeout) => ReadEnd::Timeout,
        };
        self.farewell |= matches!(end, ReadEnd::Ended(_));
        Ok(end)
    }

    /// Writes all and flushes. A peer that takes nothing for [`limits::WRITE_STALL`] is an error, and
    /// so is one that may not read on.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let (Some(access), false) = (&mut self.access, self.farewell)
            && let Some(ended) = access.ended()
        {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                ended.reason(),
            ));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = stall(self.write_some(rest)).await?;
            rest = rest.get(count..).unwrap_or_default();
        }
        stall(self.flush()).await
    }

    async fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.io {
            Io::Plain(stream) => stream.write(bytes).await?,
            Io::Tls(stream) => stream.write(bytes).await?,
            Io::Gone => 0,
        };
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(count)
    }

    async fn flush(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(stream) => stream.flush().await,
            Io::Tls(stream) => stream.flush().await,
            Io::Gone => Ok(()),
        }
    }

    /// STARTTLS: the session has flushed its answer and holds no unread byte.
    pub async fn start_tls(&mut self) -> io::Result<()> {
        if self.peer.tls.is_some() {
            return Err(io::Error::other("TLS is on already"));
        }
        self.dismiss();
        self.handshake().await
    }

    async fn handshake(&mut self) -> io::Result<()> {
        let Some(tls) = self.ctx.tls.clone() else {
            return Err(io::Error::other("no certificate is configured"));
        };
        let Io::Plain(stream) = std::mem::replace(&mut self.io, Io::Gone) else {
            return Err(io::Error::other("TLS is on already"));
        };
        // Boxed: a handshake's state is large and would stay part of the session's task for ever.
        let handshake = Box::pin(tls.accept(self.peer.role, stream));
        let (stream, facts) = tokio::time::timeout(limits::HANDSHAKE, handshake)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        tracing::debug!(session = %self.peer.session, version = facts.version, cipher = %facts.cipher, "TLS");
        self.io = Io::Tls(Box::new(stream));
        self.peer.tls = Some(Arc::new(facts));
        Ok(())
    }

    /// Sends what TLS needs to end well; errors don't matter any more.
    pub async fn close(&mut self) {
        let closing = async {
            match &mut self.io {
                Io::Plain(stream) => stream.shutdown().await,
                Io::Tls(stream) => stream.shutdown().await,
                Io::Gone => Ok(()),
            }
        };
        let _ = tokio::time::timeout(limits::CLOSE, closing).await;
        self.drop_received().await;
    }

    /// Bytes that came and were never read would make the kernel answer the peer with a reset,
    /// which can overtake our last words. Takes what is there and does not wait for more.
    async fn drop_received(&mut self) {
        let io = &mut self.io;
        let mut left = limits::CLOSE_BYTES_MAX;
        poll_fn(|task| {
            let mut space = [const { MaybeUninit::uninit() }; limits::READ_BYTES_MAX];
            while left > 0 {
                let mut buffer = ReadBuf::uninit(&mut space);
                match poll_read(io, task, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        left = left.saturating_sub(buffer.filled().len());
                    }
                    _ => break,
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

fn poll_read<S: Stream>(
    io: &mut Io<S>,
    task: &mut Task<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    match io {
        Io::Plain(stream) => Pin::new(stream).poll_read(task, buffer),
        Io::Tls(stream) => Pin::new(stream.as_mut()).poll_read(task, buffer),
        Io::Gone => Poll::Ready(Ok(())),
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}

async fn stall<T>(writing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limits::WRITE_STALL, writing)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Reads part of a stored body without holding up the runtime; `len` at most
/// [`limits::STREAM_BYTES`].
pub async fn read_body(
    store: &Store,
    blob: BlobId,
    offset: u64,
    len: u64,
) -> Result<Vec<u8>, facteur_store::Error> {
    let mut out = Vec::new();
    // A body in the page cache costs less than the way to another thread.
    if store.read_body_cached(blob, offset..offset.saturating_add(len), &mut out)? {
        return Ok(out);
    }
    let store = store.clone();
    blocking(move || {
        store.read_body(blob, offset..offset.saturating_add(len), &mut out)?;
        Ok(out)
    })
    .await
}

/// A long store read off the runtime's threads; it begins at once.
pub fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, facteur_store::Error> + Send + 'static,
) -> impl Future<Output = Result<T, facteur_store::Error>> {
    let task = tokio::task::spawn_blocking(work);
    async {
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(facteur_store::Error::Closed),
            },
        }
    }
}
