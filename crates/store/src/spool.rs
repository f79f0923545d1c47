//! Bodies on their way in: hashed in the caller's task; while one chunk of 64 KiB fills, the one
//! before is packed and written.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::{Engine, Pin};
use crate::journal::{Appender, Group, Kind, record};
use crate::limits::CHUNK_BYTES_MAX;
use crate::rows::Chunk;
use crate::{BlobId, Error, pack};

/// A chunk ready to be a journal record.
#[derive(Debug)]
pub struct Packed {
    kind: Kind,
    payload: Vec<u8>,
    payload_hash: [u8; 8],
    raw_len: u32,
}

impl Packed {
    /// Compresses when that saves an eighth or more.
    pub fn new(raw: Vec<u8>) -> Self {
        let raw_len = raw.len() as u32;
        let (kind, payload) = match pack::pack(&raw) {
            Some(packed) => (Kind::ChunkZstd, packed),
            None => (Kind::ChunkPlain, raw),
        };
        Packed::ready(kind, payload, raw_len)
    }

    /// A payload as it stands in another record.
    pub fn ready(kind: Kind, payload: Vec<u8>, raw_len: u32) -> Self {
        Packed {
            kind,
            payload_hash: record::payload_hash(&payload),
            payload,
            raw_len,
        }
    }

    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// Appends the bytes as they came.
    pub fn unpack_into(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.kind == Kind::ChunkZstd {
            return pack::unpack_into(&self.payload, self.raw_len as usize, out)
                .map_err(Error::Disk);
        }
        out.extend_from_slice(&self.payload);
        Ok(())
    }

    pub fn add_to(&self, appender: &Appender, group: &mut Group) -> Chunk {
        let position = appender.add(
            group,
            self.kind,
            &self.payload,
            self.payload_hash,
            self.raw_len,
        );
        Chunk {
            position,
            stored: self.payload.len() as u32,
        }
    }
}

/// A part of a finished body.
#[derive(Debug)]
pub enum Piece {
    /// Written with the transaction that first names the body.
    Held(Packed),
    /// In the journal already; the pin keeps its segment from being removed.
    Stored(Chunk, #[expect(dead_code, reason = "held, not read")] Pin),
}

#[derive(Debug)]
struct Inner {
    id: BlobId,
    size: u64,
    pieces: Vec<Piece>,
}

/// A finished body: its bytes are hashed and handed over (small: held inline until the commit;
/// large: already in the journal, unflushed). Dropped without a commit, it leaves nothing.
#[derive(Clone, Debug)]
pub struct Body {
    inner: Arc<Inner>,
}

impl Body {
    pub fn id(&self) -> BlobId {
        self.inner.id
    }

    pub fn size(&self) -> u64 {
        self.inner.size
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.inner.pieces
    }

    /// Bytes that the commit will write.
    pub(crate) fn held_bytes(&self) -> usize {
        let held = |piece: &Piece| match piece {
            Piece::Held(packed) => packed.len(),
            Piece::Stored(..) => 0,
        };
        self.inner.pieces.iter().map(held).sum()
    }
}

/// Takes a body piece by piece; holds at most 64 KiB, and has as much on its way to the journal.
#[derive(Debug)]
pub struct Spool {
    engine: Arc<Engine>,
    hasher: Box<blake3::Hasher>,
    buffer: Vec<u8>,
    size: u64,
    size_max: u64,
    pieces: Vec<Piece>,
    /// Comes after the pieces.
    on_its_way: Option<oneshot::Receiver<Result<(Chunk, Pin), Error>>>,
}

impl Spool {
    pub(crate) fn new(engine: Arc<Engine>, size_max: u64) -> Self {
        Spool {
            engine,
            hasher: Box::default(),
            buffer: Vec::new(),
            size: 0,
            size_max,
            pieces: Vec::new(),
            on_its_way: None,
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        if self.size > self.size_max {
            return Err(Error::TooLarge);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.buffer.len() == CHUNK_BYTES_MAX {
                self.store_chunk().await?;
            }
            let room = CHUNK_BYTES_MAX - self.buffer.len();
            let (taken, left) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(taken);
            rest = left;
        }
        Ok(())
    }

    async fn store_chunk(&mut self) -> Result<(), Error> {
        self.settle().await?;
        let raw = self.take_buffer();
        self.on_its_way = Some(self.engine.store_chunk(raw).await?);
        Ok(())
    }

    /// What was gathered, hashed at once: that is faster than by the pieces it came in.
    fn take_buffer(&mut self) -> Vec<u8> {
        self.hasher.update(&self.buffer);
        std::mem::take(&mut self.buffer)
    }

    async fn settle(&mut self) -> Result<(), Error> {
        if let Some(answer) = self.on_its_way.take() {
            let (chunk, pin) = answer.await.map_err(|_| Error::Closed)??;
            self.pieces.push(Piece::Stored(chunk, pin));
        }
        Ok(())
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub async fn finish(mut self) -> Result<Body, Error> {
        let raw = self.take_buffer();
        let last = (!raw.is_empty()).then(|| Packed::new(raw));
        self.settle().await?;
        self.pieces.extend(last.map(Piece::Held));
        Ok(Body {
            inner: Arc::new(Inner {
                id: BlobId(*self.hasher.finalize().as_bytes()),
                size: self.size,
                pieces: self.pieces,
            }),
        })
    }
}
