//! Reading chunks: segment files held open, a bounded number of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::record::{Kind, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::{Position, place, record, segment_path};
use crate::limits::{CHUNK_BYTES_MAX, OPEN_SEGMENTS_MAX};
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

    /// The record at `position`, checked: its header and payload.
    pub fn read(&self, position: Position) -> Result<(RecordHeader, Vec<u8>), Error> {
        let segment = self.get(position.segment())?;
        let damaged = |what: &str| Error::Damaged {
            place: place(position),
            what: what.to_owned(),
        };
        let read = |buffer: &mut [u8], offset| {
            let read = segment.file.read_exact_at(buffer, offset);
            read.map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => damaged("the segment is too short"),
                _ => Error::Disk(error),
            })
        };
        let mut bytes = [0; RECORD_HEADER_BYTES];
        read(&mut bytes, position.offset())?;
        let header = RecordHeader::decode(&bytes, &segment.header.key, position)
            .ok_or_else(|| damaged("the record's header is bad"))?;
        let mut payload = vec![0; header.payload_len as usize];
        let offset = position.offset() + RECORD_HEADER_BYTES as u64;
        read(&mut payload, offset)?;
        if record::payload_hash(&payload) != header.payload_hash {
            return Err(damaged("the record's checksum is wrong"));
        }
        Ok((header, payload))
    }

    /// The body bytes of the chunk at `position`.
    pub fn read_chunk(&self, position: Position) -> Result<Vec<u8>, Error> {
        let (header, payload) = self.read(position)?;
        let damaged = |what: &str| Error::Damaged {
            place: place(position),
            what: what.to_owned(),
        };
        let raw_len = header.raw_len as usize;
        if raw_len > CHUNK_BYTES_MAX {
            return Err(damaged("the chunk is too large"));
        }
        let bytes = match header.kind {
            Kind::ChunkPlain => payload,
            Kind::ChunkZstd => {
                pack::unpack(&payload, raw_len).map_err(|_| damaged("the chunk does not unpack"))?
            }
            _ => return Err(damaged("not a chunk")),
        };
        if bytes.len() != raw_len {
            return Err(damaged("the chunk has another length"));
        }
        Ok(bytes)
    }
}
