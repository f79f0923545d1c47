//! The client's end of a compressed connection (RFC 4978).

use std::io;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub struct Deflated<S> {
    pub stream: S,
    inflater: Decompress,
    deflater: Compress,
    /// Compressed, to be written.
    out: Vec<u8>,
    /// Received and not inflated yet.
    pending: Vec<u8>,
}

impl<S> Deflated<S> {
    pub fn new(stream: S) -> Self {
        Deflated {
            stream,
            inflater: Decompress::new(false),
            deflater: Compress::new(Compression::default(), false),
            out: Vec::new(),
            pending: Vec::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflated<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let (read, written) = (this.inflater.total_in(), this.inflater.total_out());
            let space = buffer.initialize_unfilled();
            this.inflater
                .decompress(&this.pending, space, FlushDecompress::None)
                .map_err(io::Error::other)?;
            let read = this.inflater.total_in() - read;
            let written = this.inflater.total_out() - written;
            this.pending.drain(..read as usize);
            if written > 0 {
                buffer.advance(written as usize);
                return Poll::Ready(Ok(()));
            }
            let mut space = [0; 4096];
            let mut received = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(task, &mut received))?;
            if received.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.pending.extend_from_slice(received.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(task))?;
        let this = self.get_mut();
        this.out.reserve(bytes.len() + 1024);
        this.deflater
            .compress_vec(bytes, &mut this.out, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while !this.out.is_empty() {
            let count = ready!(Pin::new(&mut this.stream).poll_write(task, &this.out))?;
            this.out.drain(..count);
        }
        Pin::new(&mut this.stream).poll_flush(task)
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(task)
    }
}
