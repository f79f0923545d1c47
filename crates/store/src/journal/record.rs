//! The journal's records: what a segment is made of. Pure: bytes in, records out.
//!
//! A segment is a header and then records, back to back. Every record says at which position it
//! stands, what its payload hashes to, and up to where the journal was known to be on the disk
//! when it was written. That last number tells a torn tail from damage: a bad record that a later
//! one declares durable was once on the disk whole.
//!
//! The record header is hashed under the segment's random key, so no mail body can imitate one.

use crate::limits::RECORD_PAYLOAD_MAX;

/// Where something stands in the journal: segment number, then offset in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    pub fn new(segment: u32, offset: u64) -> Self {
        Position((u64::from(segment) << 32) | (offset & 0xffff_ffff))
    }

    pub fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub fn offset(self) -> u64 {
        self.0 & 0xffff_ffff
    }
}

pub const SEGMENT_HEADER_BYTES: usize = 88;
pub const RECORD_HEADER_BYTES: usize = 48;
const SEGMENT_MAGIC: &[u8; 8] = b"FACTEUR2";
pub const RECORD_MAGIC: &[u8; 4] = b"FJR\x02";

/// The first bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub segment: u32,
    /// The index is rebuilt from this segment on, when no later checkpoint record says otherwise.
    pub base: u32,
    /// Length of the segment before this one; 0 when this is the first.
    pub previous_len: u64,
    /// Random; keys the hashes of the record headers.
    pub key: [u8; 32],
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        bytes.extend_from_slice(SEGMENT_MAGIC);
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.base.to_be_bytes());
        bytes.extend_from_slice(&self.previous_len.to_be_bytes());
        bytes.extend_from_slice(&self.key);
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let (fields, hash) = bytes.split_at_checked(SEGMENT_HEADER_BYTES - 32)?;
        if blake3::hash(fields).as_bytes() != hash || !fields.starts_with(SEGMENT_MAGIC) {
            return None;
        }
        Some(SegmentHeader {
            segment: u32::from_be_bytes(field(fields, 8)?),
            base: u32::from_be_bytes(field(fields, 12)?),
            previous_len: u64::from_be_bytes(field(fields, 16)?),
            key: field(fields, 24)?,
        })
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A piece of a body, as it is.
    ChunkPlain = 1,
    /// A piece of a body under zstd.
    ChunkZstd = 2,
    /// Puts and deletes on the index; the transaction goes on in the next record of this family.
    TxPart = 3,
    /// The last or only part of a transaction.
    Tx = 4,
    /// The index can be rebuilt from the segment that the payload names.
    Checkpoint = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::ChunkPlain,
            2 => Kind::ChunkZstd,
            3 => Kind::TxPart,
            4 => Kind::Tx,
            5 => Kind::Checkpoint,
            _ => return None,
        })
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    pub kind: Kind,
    pub payload_len: u32,
    /// Bytes of a chunk once unpacked; of a transaction's part, and 0 when that is not packed.
    pub raw_len: u32,
    pub position: Position,
    /// The journal up to here was on the disk before this record was written.
    pub durable: Position,
    pub payload_hash: [u8; 8],
}

/// XXH3: finds what a disk got wrong, at a tenth of the cost of a cryptographic hash. That a peer
/// could make two payloads of one hash gains it nothing: what it sent is what it gets.
pub fn payload_hash(payload: &[u8]) -> [u8; 8] {
    twox_hash::XxHash3_64::oneshot(payload).to_be_bytes()
}

fn short(hash: &blake3::Hash) -> [u8; 8] {
    let mut out = [0; 8];
    for (out, byte) in out.iter_mut().zip(hash.as_bytes()) {
        *out = *byte;
    }
    out
}

impl RecordHeader {
    pub fn encode(&self, key: &[u8; 32], out: &mut Vec<u8>) {
        let mut fields = Vec::with_capacity(RECORD_HEADER_BYTES);
        fields.extend_from_slice(RECORD_MAGIC);
        fields.extend_from_slice(&[self.kind as u8, 0, 0, 0]);
        fields.extend_from_slice(&self.payload_len.to_be_bytes());
        fields.extend_from_slice(&self.raw_len.to_be_bytes());
        fields.extend_from_slice(&self.position.0.to_be_bytes());
        fields.extend_from_slice(&self.durable.0.to_be_bytes());
        fields.extend_from_slice(&self.payload_hash);
        let hash = short(&blake3::keyed_hash(key, &fields));
        out.extend_from_slice(&fields);
        out.extend_from_slice(&hash);
    }

    /// `position` is where the bytes were read.
    pub fn decode(bytes: &[u8], key: &[u8; 32], position: Position) -> Option<RecordHeader> {
        let bytes = bytes.get(..RECORD_HEADER_BYTES)?;
        let (fields, hash) = bytes.split_at_checked(RECORD_HEADER_BYTES - 8)?;
        if !fields.starts_with(RECORD_MAGIC) || short(&blake3::keyed_hash(key, fields)) != hash {
            return None;
        }
        let header = RecordHeader {
            kind: Kind::from_byte(*fields.get(4)?)?,
            payload_len: u32::from_be_bytes(field(fields, 8)?),
            raw_len: u32::from_be_bytes(field(fields, 12)?),
            position: Position(u64::from_be_bytes(field(fields, 16)?)),
            durable: Position(u64::from_be_bytes(field(fields, 24)?)),
            payload_hash: field(fields, 32)?,
        };
        let fits = header.payload_len as usize <= RECORD_PAYLOAD_MAX;
        (header.position == position && fits).then_some(header)
    }

    /// Bytes of the whole record.
    pub fn record_len(&self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.payload_len)
    }
}

/// Appends a whole record.
pub fn encode_record(header: &RecordHeader, payload: &[u8], key: &[u8; 32], out: &mut Vec<u8>) {
    header.encode(key, out);
    out.extend_from_slice(payload);
}

/// How a segment's records end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The last record ends where the bytes end.
    Clean,
    /// From this offset on nothing whole was found.
    Torn { offset: u64 },
    /// The record at this offset is bad, and a later one says it was durable.
    Damaged { offset: u64 },
    /// The bytes do not begin with a segment header.
    NoHeader,
}

/// Reads a whole segment held in memory: its records' headers and payloads, and how it ends.
pub fn read_records(bytes: &[u8]) -> (Vec<(RecordHeader, &[u8])>, End) {
    let mut records = Vec::new();
    let Some(segment) = SegmentHeader::decode(bytes) else {
        return (records, End::NoHeader);
    };
    let mut offset = SEGMENT_HEADER_BYTES;
    while offset < bytes.len() {
        let position = Position::new(segment.segment, offset as u64);
        let rest = bytes.get(offset..).unwrap_or_default();
        match whole_record(rest, &segment.key, position) {
            Some((header, payload)) => {
                offset += RECORD_HEADER_BYTES + payload.len();
                records.push((header, payload));
            }
            None => {
                let later = later_durable(rest, &segment.key, position);
                let offset = offset as u64;
                let end = match later {
                    Some(durable) if durable > position => End::Damaged { offset },
                    _ => End::Torn { offset },
                };
                return (records, end);
            }
        }
    }
    (records, End::Clean)
}

/// The record at the front of `bytes`, when header and payload are whole and right.
pub fn whole_record<'a>(
    bytes: &'a [u8],
    key: &[u8; 32],
    position: Position,
) -> Option<(RecordHeader, &'a [u8])> {
    let header = RecordHeader::decode(bytes, key, position)?;
    let payload = bytes
        .get(RECORD_HEADER_BYTES..)?
        .get(..header.payload_len as usize)?;
    (payload_hash(payload) == header.payload_hash).then_some((header, payload))
}

/// The highest `durable` of the record headers found anywhere after the front of `bytes`.
pub fn later_durable(bytes: &[u8], key: &[u8; 32], position: Position) -> Option<Position> {
    memchr::memmem::find_iter(bytes, RECORD_MAGIC)
        .filter(|at| *at > 0)
        .filter_map(|at| {
            let found = Position(position.0.checked_add(at as u64)?);
            RecordHeader::decode(bytes.get(at..)?, key, found)
        })
        .map(|header| header.durable)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(payloads: &[Vec<u8>], flushed_each: bool) -> (Vec<u8>, Vec<usize>) {
        let header = SegmentHeader {
            segment: 3,
            base: 1,
            previous_len: 9,
            key: [7; 32],
        };
        let mut bytes = header.encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER_BYTES);
        let start = Position::new(3, bytes.len() as u64);
        let mut offsets = Vec::new();
        for payload in payloads {
            offsets.push(bytes.len());
            let position = Position::new(3, bytes.len() as u64);
            let record = RecordHeader {
                kind: Kind::Tx,
                payload_len: payload.len() as u32,
                raw_len: 0,
                position,
                durable: if flushed_each { position } else { start },
                payload_hash: payload_hash(payload),
            };
            encode_record(&record, payload, &header.key, &mut bytes);
        }
        (bytes, offsets)
    }

    #[test]
    fn a_header_comes_back() {
        let header = SegmentHeader {
            segment: 3,
            base: 1,
            previous_len: 9,
            key: [7; 32],
        };
        assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
        assert_eq!(SegmentHeader::decode(SEGMENT_MAGIC), None);
    }

    #[test]
    fn a_torn_tail_ends_at_the_last_whole_record() {
        let (bytes, offsets) = segment(&[vec![1; 100], vec![2; 100]], true);
        for cut in offsets[1] + 1..bytes.len() {
            let (records, end) = read_records(&bytes[..cut]);
            assert_eq!(records.len(), 1);
            let offset = offsets[1] as u64;
            assert_eq!(end, End::Torn { offset });
        }
    }

    #[test]
    fn a_bad_record_that_was_flushed_is_damage() {
        let (mut bytes, offsets) = segment(&[vec![1; 100], vec![2; 100], vec![3; 100]], true);
        bytes[offsets[1] + 60] ^= 1;
        let (records, end) = read_records(&bytes);
        assert_eq!(records.len(), 1);
        let offset = offsets[1] as u64;
        assert_eq!(end, End::Damaged { offset });
    }

    #[test]
    fn a_bad_record_in_a_group_that_was_never_flushed_is_a_torn_tail() {
        let (mut bytes, offsets) = segment(&[vec![1; 100], vec![2; 100], vec![3; 100]], false);
        bytes[offsets[1] + 60] ^= 1;
        let offset = offsets[1] as u64;
        assert_eq!(read_records(&bytes).1, End::Torn { offset });
    }

    #[test]
    fn a_record_inside_a_body_is_not_taken_for_one() {
        let (inner, offsets) = segment(&[vec![1; 10], vec![9; 100]], true);
        let forged = inner[offsets[0]..].to_vec();
        let (mut bytes, offsets) = segment(&[vec![0; 10], forged], true);
        bytes[offsets[1] + 4] ^= 1;
        let offset = offsets[1] as u64;
        assert_eq!(read_records(&bytes).1, End::Torn { offset });
    }

    proptest! {
        #[test]
        fn records_come_back(payloads: Vec<Vec<u8>>) {
            let (bytes, _) = segment(&payloads, true);
            let (records, end) = read_records(&bytes);
            prop_assert_eq!(end, End::Clean);
            let found: Vec<Vec<u8>> = records.iter().map(|(_, p)| p.to_vec()).collect();
            prop_assert_eq!(found, payloads);
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = read_records(&bytes);
        }
    }
}
