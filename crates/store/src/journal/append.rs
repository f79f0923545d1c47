//! Writing: one growing tail, groups of records, one flush for each group.

use std::io;
use std::sync::Arc;

use super::record::{self, Kind, RecordHeader, SegmentHeader};
use super::segments::Segment;
use super::{DIRECTORY, Position, Segments, segment_path};
use crate::limits::{RECORD_PAYLOAD_MAX, SEGMENT_BYTES};
use crate::{Clock, Error, File, pack};

/// Records that will be written together. Their positions are known as they are added.
#[derive(Debug, Default)]
pub struct Group {
    bytes: Vec<u8>,
}

impl Group {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes back what was added after the group had `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
}

/// The journal's tail. Owned by the writer thread.
#[derive(Debug)]
pub struct Appender {
    segments: Arc<Segments>,
    clock: Arc<dyn Clock>,
    segment: Segment,
    tail: u64,
    durable: Position,
    base: u32,
}

impl Appender {
    /// Goes on at `tail` of an existing segment, of which everything is durable.
    pub fn resume(
        segments: Arc<Segments>,
        clock: Arc<dyn Clock>,
        tail: Position,
        base: u32,
    ) -> Result<Self, Error> {
        let segment = segments.get(tail.segment())?;
        Ok(Appender {
            segments,
            clock,
            segment,
            tail: tail.offset(),
            durable: tail,
            base,
        })
    }

    /// A new journal with one empty segment.
    pub fn create(segments: Arc<Segments>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let disk = segments.disk();
        disk.create_directory(DIRECTORY).map_err(Error::Disk)?;
        disk.sync_directory("").map_err(Error::Disk)?;
        let segment = new_segment(&segments, &*clock, 1, 1, 0)?;
        let tail = record::SEGMENT_HEADER_BYTES as u64;
        Ok(Appender {
            segments,
            clock,
            segment,
            tail,
            durable: Position::new(1, tail),
            base: 1,
        })
    }

    pub fn tail(&self) -> Position {
        Position::new(self.segment.header.segment, self.tail)
    }

    /// Everything before it is on the disk, and every whole transaction is before it.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// From which segment on the index can be rebuilt.
    pub fn base(&self) -> u32 {
        self.base
    }

    pub fn set_base(&mut self, base: u32) {
        self.base = base;
    }

    pub fn is_full(&self) -> bool {
        self.tail >= SEGMENT_BYTES
    }

    /// Closes the segment and begins the next one.
    pub fn roll(&mut self) -> Result<(), Error> {
        self.segment.file.sync_data().map_err(Error::Disk)?;
        let number = self.segment.header.segment + 1;
        let segment = new_segment(&self.segments, &*self.clock, number, self.base, self.tail)?;
        self.segments.insert(segment.clone());
        self.segment = segment;
        self.tail = record::SEGMENT_HEADER_BYTES as u64;
        self.durable = self.tail();
        Ok(())
    }

    /// Adds one record; gives its position.
    pub fn add(
        &self,
        group: &mut Group,
        kind: Kind,
        payload: &[u8],
        payload_hash: [u8; 8],
        raw_len: u32,
    ) -> Position {
        let position = Position::new(
            self.segment.header.segment,
            self.tail + group.bytes.len() as u64,
        );
        let header = RecordHeader {
            kind,
            payload_len: payload.len() as u32,
            raw_len,
            position,
            durable: self.durable,
            payload_hash,
        };
        record::encode_record(&header, payload, &self.segment.header.key, &mut group.bytes);
        position
    }

    /// Adds a transaction, in as many records as it takes, each packed when that pays.
    pub fn add_transaction(&self, group: &mut Group, redo: &[u8]) {
        let mut parts = redo.chunks(RECORD_PAYLOAD_MAX).peekable();
        while let Some(part) = parts.next() {
            let kind = if parts.peek().is_some() {
                Kind::TxPart
            } else {
                Kind::Tx
            };
            let packed = pack::pack(part);
            let (payload, raw_len) = match &packed {
                Some(packed) => (packed.as_slice(), part.len() as u32),
                None => (part, 0),
            };
            self.add(group, kind, payload, record::payload_hash(payload), raw_len);
        }
    }

    /// Writes the group at the tail; not flushed yet. After a failure nothing of it counts, and
    /// the caller must call [`Appender::cut`] before it goes on.
    pub fn write(&self, group: &Group) -> io::Result<()> {
        self.segment.file.write_all_at(&group.bytes, self.tail)
    }

    /// The file that holds what was written since the last flush.
    pub fn file(&self) -> Arc<dyn File> {
        self.segment.file.clone()
    }

    /// Makes everything written durable.
    pub fn flush(&self) -> io::Result<()> {
        self.segment.file.sync_data()
    }

    /// The group counts now.
    pub fn advance(&mut self, group: &Group, flushed: bool) {
        self.tail += group.bytes.len() as u64;
        if flushed {
            self.durable = self.tail();
        }
    }

    /// Removes what a failed write left behind the tail.
    pub fn cut(&self) -> io::Result<()> {
        self.segment.file.set_len(self.tail)
    }
}

/// Makes a segment under a temporary name; it appears whole or not at all.
fn new_segment(
    segments: &Segments,
    clock: &dyn Clock,
    number: u32,
    base: u32,
    previous_len: u64,
) -> Result<Segment, Error> {
    let mut key = [0; 32];
    clock.random(&mut key);
    let header = SegmentHeader {
        segment: number,
        base,
        previous_len,
        key,
    };
    let disk = segments.disk();
    let path = segment_path(number);
    let temporary = format!("{path}.tmp");
    let make = || -> io::Result<()> {
        let file = disk.open(&temporary, true)?;
        file.set_len(0)?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync_data()?;
        disk.rename(&temporary, &path)
    };
    make().map_err(Error::Disk)?;
    // It has its name now and says how long the segment before it is, so that one must not grow
    // any more: not even a full disk is an error to go on after.
    let finish = || -> io::Result<_> {
        disk.sync_directory(DIRECTORY)?;
        disk.open(&path, false)
    };
    let file = finish().map_err(|error| Error::Disk(io::Error::other(error)))?;
    Ok(Segment { header, file })
}
