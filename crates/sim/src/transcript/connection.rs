//! One connection of a transcript: bytes from the server are kept until a line asks for them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::Chunking;
use super::pattern::{self, Variables};
use super::script::{self, Expect};

/// When expectations are rewritten: silence of this length means that the server waits for us.
const QUIET: Duration = Duration::from_millis(250);

pub(super) struct Connection<S> {
    stream: S,
    pub buffer: Vec<u8>,
    pub closed: bool,
    /// Writing failed: the server is gone. What it said before is still to be read.
    deaf: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Connection {
            stream,
            buffer: Vec::new(),
            closed: false,
            deaf: false,
        }
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Reads while it writes, so that two full pipes never wait for each other. A failed write is
    /// not an error here: what the server says next is what the transcript judges.
    pub(super) async fn send(&mut self, bytes: &[u8], chunking: Chunking) {
        let size = match chunking {
            Chunking::Whole => bytes.len().max(1),
            Chunking::ByteByByte => 1,
        };
        for piece in bytes.chunks(size) {
            self.send_piece(piece).await;
            if chunking == Chunking::ByteByByte {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn send_piece(&mut self, mut bytes: &[u8]) {
        poll_fn(|cx| {
            while self.poll_fill(cx).is_ready() && !self.closed {}
            while !bytes.is_empty() && !self.deaf {
                match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                    Poll::Ready(Ok(n)) if n > 0 => bytes = bytes.get(n..).unwrap_or_default(),
                    Poll::Ready(_) => self.deaf = true,
                    Poll::Pending => return Poll::Pending,
                }
            }
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending if !self.deaf => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    pub(super) async fn shut_down(&mut self) {
        self.deaf = true;
        let _ = self.stream.shutdown().await;
    }

    /// Waits for more bytes or the end.
    pub(super) async fn read(&mut self) {
        poll_fn(|cx| self.poll_fill(cx)).await;
    }

    /// Takes what is there already.
    pub(super) async fn read_available(&mut self) {
        poll_fn(|cx| {
            while !self.closed && self.poll_fill(cx).is_ready() {}
            Poll::Ready(())
        })
        .await;
    }

    /// Reads until the server has been silent for a while of real time.
    pub(super) async fn read_until_quiet(&mut self) {
        while !self.closed {
            let silence = tokio::task::spawn_blocking(|| std::thread::sleep(QUIET));
            tokio::select! {
                () = self.read() => {}
                _ = silence => return,
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.closed {
            return Poll::Ready(());
        }
        let mut space = [0; 16 * 1024];
        let mut space = ReadBuf::new(&mut space);
        match Pin::new(&mut self.stream).poll_read(cx, &mut space) {
            Poll::Pending => Poll::Pending,
            // A reset is an end too: the server closed with our bytes unread.
            Poll::Ready(Err(_)) => {
                self.closed = true;
                Poll::Ready(())
            }
            Poll::Ready(Ok(())) => {
                self.closed = space.filled().is_empty();
                self.buffer.extend_from_slice(space.filled());
                Poll::Ready(())
            }
        }
    }

    /// `None`: needs more bytes. On a match what matched is taken from the buffer.
    pub(super) fn matches(
        &mut self,
        expect: &Expect,
        variables: &mut Variables,
    ) -> Result<Option<bool>, String> {
        let taken = match expect {
            Expect::Closed if !self.buffer.is_empty() => return Ok(Some(false)),
            Expect::Closed => return Ok(self.closed.then_some(true)),
            Expect::Bytes(bytes) => {
                let same = self.buffer.iter().zip(bytes).all(|(a, b)| a == b);
                if same && self.buffer.len() < bytes.len() {
                    return Ok(self.closed.then_some(false));
                }
                same.then_some(bytes.len())
            }
            Expect::Line(pattern) => {
                let Some(line) = self.line() else {
                    return Ok(self.closed.then_some(false));
                };
                let taken = line.len() + 2;
                match std::str::from_utf8(line) {
                    Ok(line) => pattern::matches(pattern, line, variables)?.then_some(taken),
                    Err(_) => None,
                }
            }
        };
        if let Some(taken) = taken {
            self.buffer.drain(..taken);
        }
        Ok(Some(taken.is_some()))
    }

    /// The first whole line of the buffer, without CRLF.
    pub(super) fn line(&self) -> Option<&[u8]> {
        let end = self.buffer.windows(2).position(|two| two == b"\r\n")?;
        self.buffer.get(..end)
    }

    pub(super) fn mismatch(&self, expect: &Expect, variables: &Variables) -> String {
        let wanted = match expect {
            Expect::Line(line) => {
                let put_in = pattern::substitute(line.as_bytes(), variables).unwrap_or_default();
                let put_in = String::from_utf8_lossy(&put_in);
                if put_in == *line {
                    line.clone()
                } else {
                    format!("{line}\n          = {put_in}")
                }
            }
            Expect::Bytes(bytes) => script::quote(bytes),
            Expect::Closed => "<closed>".to_owned(),
        };
        let came = match (self.line(), self.buffer.as_slice()) {
            (Some(line), _) => String::from_utf8_lossy(line).into_owned(),
            (None, []) => "<closed>".to_owned(),
            (None, rest) => script::quote(rest),
        };
        format!("\n expected: {wanted}\n     came: {came}")
    }
}
