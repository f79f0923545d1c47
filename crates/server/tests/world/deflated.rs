//! The client's end of a compressed connection (RFC 4978).

use std::io;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

pub struct Deflated {
    pub stream: DuplexStream,
    inflater: Decompress,
    deflater: Compress,
    /// Compressed, to be written.
    out: Vec<u8>,
    /// Received and not inflated yet.
    pending: Vec<u8>,
}

impl Deflated {
    pub fn new(stream: DuplexStream) -> Self {
        Deflated {
            stream,
            inflater: Decompress::new(false),
            deflater: Compress::new(Compression::default(), false),
            out: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub fn poll_read(
        &mut self,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let (read, written) = (self.inflater.total_in(), self.inflater.total_out());
            let space = buffer.initialize_unfilled();
            self.inflater
                .decompress(&self.pending, space, FlushDecompress::None)
                .map_err(io::Error::other)?;
            let read = self.inflater.total_in() - read;
            let written = self.inflater.total_out() - written;
            self.pending.drain(..usize::try_from(read).unwrap());
            if written > 0 {
                buffer.advance(usize::try_from(written).unwrap());
                return Poll::Ready(Ok(()));
            }
            let mut space = [0; 4096];
            let mut received = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(task, &mut received))?;
            if received.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.pending.extend_from_slice(received.filled());
        }
    }

    pub fn poll_write(&mut self, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(task))?;
        self.out.reserve(bytes.len() + 1024);
        self.deflater
            .compress_vec(bytes, &mut self.out, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        Poll::Ready(Ok(bytes.len()))
    }

    pub fn poll_flush(&mut self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(task, &self.out))?;
            self.out.drain(..count);
        }
        Pin::new(&mut self.stream).poll_flush(task)
    }
}
