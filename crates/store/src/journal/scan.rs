//! Reading a segment from a position on, a buffer at a time: recovery, rebuilding, verifying.

use super::record::{RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES};
use super::segments::Segment;
use super::{Position, record};
use crate::Error;
use crate::limits::RECORD_PAYLOAD_MAX;

const BUFFER_BYTES: usize = 2 * RECORD_PAYLOAD_MAX;

/// What stands at the scan's position.
#[derive(Debug)]
pub enum Found {
    Record(RecordHeader, Vec<u8>),
    /// The records end here, where the file ends.
    End(Position),
    /// No whole record here, and nothing later says that there was one.
    Torn(Position),
    /// No whole record here, though a later one says that it was durable.
    Damaged(Position),
}

/// Walks over one segment.
#[derive(Debug)]
pub struct Scan {
    segment: Segment,
    len: u64,
    offset: u64,
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte in the file.
    buffer_at: u64,
}

impl Scan {
    /// From `offset` on; 0: from the first record.
    pub fn new(segment: Segment, offset: u64) -> Result<Self, Error> {
        let len = segment.file.len().map_err(Error::Disk)?;
        Ok(Scan {
            segment,
            len,
            offset: offset.max(SEGMENT_HEADER_BYTES as u64),
            buffer: Vec::new(),
            buffer_at: 0,
        })
    }

    pub fn file_len(&self) -> u64 {
        self.len
    }

    fn position(&self) -> Position {
        Position::new(self.segment.header.segment, self.offset)
    }

    /// At least `want` bytes from the offset on, or all that the file has.
    fn fill(&mut self, want: usize) -> Result<&[u8], Error> {
        let have = (self.buffer_at + self.buffer.len() as u64).saturating_sub(self.offset);
        let left = self.len.saturating_sub(self.offset);
        let inside = self.offset >= self.buffer_at;
        if !inside || have < left.min(want as u64) {
            let take = left.min(BUFFER_BYTES as u64);
            self.buffer.resize(take as usize, 0);
            let read = self
                .segment
                .file
                .read_exact_at(&mut self.buffer, self.offset);
            read.map_err(Error::Disk)?;
            self.buffer_at = self.offset;
        }
        let skip = (self.offset - self.buffer_at) as usize;
        Ok(self.buffer.get(skip..).unwrap_or_default())
    }

    /// The next record, or how the segment ends. After an end it gives the same end again.
    pub fn next_record(&mut self) -> Result<Found, Error> {
        let position = self.position();
        if self.offset > self.len {
            return Ok(Found::Damaged(position));
        }
        if self.offset == self.len {
            return Ok(Found::End(position));
        }
        let key = self.segment.header.key;
        let bytes = self.fill(RECORD_HEADER_BYTES)?;
        let header = RecordHeader::decode(bytes, &key, position);
        if let Some(header) = header {
            let bytes = self.fill(header.record_len() as usize)?;
            if let Some((header, payload)) = record::whole_record(bytes, &key, position) {
                let payload = payload.to_vec();
                self.offset += header.record_len();
                return Ok(Found::Record(header, payload));
            }
        }
        Ok(match self.later_durable()? {
            Some(durable) if durable > position => Found::Damaged(position),
            _ => Found::Torn(position),
        })
    }

    /// The highest `durable` that any record header after the offset tells.
    fn later_durable(&mut self) -> Result<Option<Position>, Error> {
        let key = self.segment.header.key;
        let start = self.offset;
        let mut highest = None;
        let mut at = start;
        let mut buffer = Vec::new();
        while at < self.len {
            let take = (self.len - at).min(BUFFER_BYTES as u64);
            buffer.resize(take as usize, 0);
            let read = self.segment.file.read_exact_at(&mut buffer, at);
            read.map_err(Error::Disk)?;
            let position = Position::new(self.segment.header.segment, at);
            highest = highest.max(record::later_durable(&buffer, &key, position));
            if take < BUFFER_BYTES as u64 {
                break;
            }
            // Overlap, so that a header across two buffers is seen, and never at a buffer's front.
            at += take - RECORD_HEADER_BYTES as u64 - 1;
        }
        Ok(highest)
    }
}
