//! Reading chunks: segment files held open, a bounded number of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::record::{Kind, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::{Position, place, record, segment_path};
use crate::limits::{CHUNK_BYTES_MAX, OPEN_SEGMENTS_MAX, RECORD_PAYLOAD_MAX};
use crate::{Disk, Error, File, pack};

/// A segment open for reading.
#[derive(Clone, Debug)]
pub struct Segment {
    pub header: SegmentHeader,
    pub file: Arc<dyn File>,
}

/// The segments of one journal.
#[derive(Debug)]
pub struct Segments {
    disk: Arc<dyn Disk>,
    open: Mutex<BTreeMap<u32, Segment>>,
}

impl Segments {
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Segments {
            disk,
            open: Mutex::default(),
        }
    }

    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Opens a segment and checks its header.
    pub fn get(&self, number: u32) -> Result<Segment, Error> {
        if let Some(segment) = self.lock().get(&number) {
            return Ok(segment.clone());
        }
        let path = segment_path(number);
        let file = self.disk.open(&path, false).map_err(Error::Disk)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_exact_at(&mut bytes, 0);
        let header = match read {
            Ok(()) => SegmentHeader::decode(&bytes).filter(|header| header.segment == number),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(Error::Disk(error)),
        };
        let header = header.ok_or_else(|| Error::Damaged {
            place: path,
            what: "the segment's header is bad".to_owned(),
        })?;
        let segment = Segment { header, file };
        self.insert(segment.clone());
        Ok(segment)
    }

    pub fn insert(&self, segment: Segment) {
        let mut open = self.lock();
        if open.len() >= OPEN_SEGMENTS_MAX {
            // The oldest segments are the least asked for.
            open.pop_first();
        }
        open.insert(segment.header.segment, segment);
    }

    pub fn forget(&self, number: u32) {
        self.lock().remove(&number);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Segment>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record at `position` with that many bytes of payload, checked.
    pub fn read(&self, position: Position, stored: u32) -> Result<(RecordHeader, Vec<u8>), Error> {
        let segment = self.get(position.segment())?;
        let mut bytes = vec![0; record_len(position, stored)?];
        let header = read_record(&segment, position, &mut bytes)?;
        bytes.drain(..RECORD_HEADER_BYTES);
        Ok((header, bytes))
    }

    /// Appends the body bytes of the chunk at `position` to `out`.
    pub fn read_chunk(
        &self,
        position: Position,
        stored: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let segment = self.get(position.segment())?;
        with_space(position, stored, |bytes| {
            let header = read_record(&segment, position, bytes)?;
            unpack(&header, payload(bytes), out)
        })
    }

    /// The same when it needs no wait for the disk; false: it does, and `out` is as it was.
    pub fn read_chunk_cached(
        &self,
        position: Position,
        stored: u32,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let Some(segment) = self.lock().get(&position.segment()).cloned() else {
            return Ok(false);
        };
        with_space(position, stored, |bytes| {
            let read = segment.file.read_cached_at(bytes, position.offset());
            if !read.map_err(Error::Disk)? {
                return Ok(false);
            }
            let header = check(&segment, position, bytes)?;
            unpack(&header, payload(bytes), out)?;
            Ok(true)
        })
    }
}

fn damaged(position: Position, what: &str) -> Error {
    Error::Damaged {
        place: place(position),
        what: what.to_owned(),
    }
}

fn record_len(position: Position, stored: u32) -> Result<usize, Error> {
    let stored = stored as usize;
    if stored > RECORD_PAYLOAD_MAX {
        return Err(damaged(position, "the record is too large"));
    }
    Ok(RECORD_HEADER_BYTES + stored)
}

thread_local! {
    /// Where a thread's records are read to; as long as the longest one of a chunk was.
    static SPACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn with_space<T>(
    position: Position,
    stored: u32,
    run: impl FnOnce(&mut [u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    let len = record_len(position, stored)?;
    SPACE.with_borrow_mut(|space| {
        if space.len() < len {
            space.resize(len, 0);
        }
        run(space.get_mut(..len).unwrap_or_default())
    })
}

fn payload(bytes: &[u8]) -> &[u8] {
    bytes.get(RECORD_HEADER_BYTES..).unwrap_or_default()
}

fn read_record(
    segment: &Segment,
    position: Position,
    bytes: &mut [u8],
) -> Result<RecordHeader, Error> {
    let read = segment.file.read_exact_at(bytes, position.offset());
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged(position, "the segment is too short"),
        _ => Error::Disk(error),
    })?;
    check(segment, position, bytes)
}

/// Checks a whole record.
fn check(segment: &Segment, position: Position, bytes: &[u8]) -> Result<RecordHeader, Error> {
    let header = RecordHeader::decode(bytes, &segment.header.key, position)
        .filter(|header| header.record_len() == bytes.len() as u64)
        .ok_or_else(|| damaged(position, "the record's header is bad"))?;
    if record::payload_hash(payload(bytes)) != header.payload_hash {
        return Err(damaged(position, "the record's checksum is wrong"));
    }
    Ok(header)
}

fn unpack(header: &RecordHeader, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let raw_len = header.raw_len as usize;
    let position = header.position;
    if raw_len > CHUNK_BYTES_MAX {
        return Err(damaged(position, "the chunk is too large"));
    }
    let start = out.len();
    match header.kind {
        Kind::ChunkPlain => out.extend_from_slice(payload),
        Kind::ChunkZstd => pack::unpack_into(payload, raw_len, out)
            .map_err(|_| damaged(position, "the chunk does not unpack"))?,
        Kind::TxPart | Kind::Tx | Kind::Checkpoint => {
            return Err(damaged(position, "not a chunk"));
        }
    }
    if out.len() - start != raw_len {
        return Err(damaged(position, "the chunk has another length"));
    }
    Ok(())
}
