//! The journal: a segment with anything in it, and one whose damage is known.

use std::io;
use std::sync::Arc;

use facteur_fuzz::{Fuzz, Random};
use facteur_store::File;
use facteur_store::journal::record::{
    End, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, encode_record,
    payload_hash, read_records, whole_record,
};
use facteur_store::journal::{Found, Kind, Position, Scan, Segment};

const SEGMENT: u32 = 3;

fn segment_header() -> SegmentHeader {
    SegmentHeader {
        segment: SEGMENT,
        base: 1,
        previous_len: 9,
        key: [7; 32],
    }
}

/// A segment with these payloads; each record says that what is before `durable` was on the disk.
/// And where the records begin, with the segment's end as the last.
fn segment(
    payloads: &[Vec<u8>],
    mut durable: impl FnMut(&[usize]) -> usize,
) -> (Vec<u8>, Vec<usize>) {
    let header = segment_header();
    let mut bytes = header.encode();
    let mut starts = Vec::new();
    for payload in payloads {
        starts.push(bytes.len());
        let durable = durable(&starts);
        let record = RecordHeader {
            kind: [
                Kind::Tx,
                Kind::TxPart,
                Kind::ChunkPlain,
                Kind::ChunkZstd,
                Kind::Checkpoint,
            ][payload.len() % 5],
            payload_len: payload.len() as u32,
            raw_len: 0,
            position: Position::new(SEGMENT, bytes.len() as u64),
            durable: Position::new(SEGMENT, durable as u64),
            payload_hash: payload_hash(payload),
        };
        encode_record(&record, payload, &header.key, &mut bytes);
    }
    starts.push(bytes.len());
    (bytes, starts)
}

/// A file in memory that nobody writes.
#[derive(Debug)]
struct Memory(Vec<u8>);

impl File for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let bytes = rest
            .get(..buffer.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the segment both ways and holds every record against the bytes it came from.
fn read(bytes: &[u8]) -> (usize, End) {
    let (records, end) = read_records(bytes);
    let Some(header) = SegmentHeader::decode(bytes) else {
        assert_eq!((records.len(), &end), (0, &End::NoHeader));
        return (0, end);
    };
    let mut at = SEGMENT_HEADER_BYTES;
    for (record, payload) in &records {
        assert_eq!(record.position, Position::new(header.segment, at as u64));
        assert_eq!(
            record.payload_hash,
            payload_hash(payload),
            "a wrong checksum"
        );
        let mut again = Vec::new();
        encode_record(record, payload, &header.key, &mut again);
        let from = &bytes[at..at + again.len()];
        // Three bytes of the header are spare, and hashed with the rest.
        assert_eq!((&again[..5], &again[8..40]), (&from[..5], &from[8..40]));
        assert_eq!(&again[RECORD_HEADER_BYTES..], &from[RECORD_HEADER_BYTES..]);
        at += again.len();
    }
    match end {
        End::Clean => assert_eq!(at, bytes.len()),
        End::Torn { offset } | End::Damaged { offset } => assert_eq!(offset, at as u64),
        End::NoHeader => panic!("there is a header"),
    }
    let file = Arc::new(Memory(bytes.to_vec()));
    let mut scan = Scan::new(Segment { header, file }, 0).expect("a length");
    for (record, payload) in &records {
        match scan.next_record().expect("readable") {
            Found::Record(header, bytes) => {
                assert_eq!((&header, bytes.as_slice()), (record, *payload))
            }
            other => panic!("{other:?}"),
        }
    }
    let last = Position::new(
        records
            .first()
            .map_or(SEGMENT, |(r, _)| r.position.segment()),
        at as u64,
    );
    for _ in 0..2 {
        let found = scan.next_record().expect("readable");
        match (&end, found) {
            (End::Clean, Found::End(position))
            | (End::Torn { .. }, Found::Torn(position))
            | (End::Damaged { .. }, Found::Damaged(position)) => {
                assert_eq!(position.offset(), last.offset());
            }
            (end, found) => panic!("{end:?} and {found:?}"),
        }
    }
    (records.len(), end)
}

#[test]
fn any_segment() {
    let payloads = [
        vec![],
        vec![1; 5],
        b"FJR\x01 in a body".to_vec(),
        vec![9; 300],
        vec![0; 48],
    ];
    let seeds = [
        segment(&payloads, |starts| *starts.last().expect("one")).0,
        segment(&payloads, |starts| starts[0]).0,
        segment(&[], |starts| starts[0]).0,
    ];
    Fuzz::new("any_segment")
        .seeds(seeds)
        .words(&["FJR\x01", "FACTEUR1"])
        .run(|bytes, signature| {
            let (count, end) = read(bytes);
            signature.add((count, std::mem::discriminant(&end)));
            for at in 0..bytes.len().min(200) {
                let position = Position::new(SEGMENT, at as u64);
                if let Some((header, payload)) = whole_record(&bytes[at..], &[7; 32], position) {
                    assert_eq!(header.payload_hash, payload_hash(payload));
                }
            }
        });
}

/// Records and one fault, both made from the input: what was before the fault comes back, and
/// whether it is damage or a torn tail is what the records after it say.
#[test]
fn known_damage() {
    Fuzz::new("known_damage")
        .seeds([vec![0u8; 16], (0..255).collect()])
        .bytes_max(256)
        .run(|input, signature| {
            let mut random = Random::of(input);
            let payload = |size: &u8| {
                (0..usize::from(*size) * 3)
                    .map(|n| n as u8 ^ size)
                    .collect()
            };
            let payloads: Vec<Vec<u8>> = input.iter().take(12).map(payload).collect();
            // The groups that were flushed together, ascending as the writer does it.
            let mut flushed = SEGMENT_HEADER_BYTES;
            let mut durables = Vec::new();
            let (bytes, starts) = segment(&payloads, |starts| {
                if random.one_in(2) {
                    flushed = *starts.last().expect("one");
                }
                durables.push(flushed);
                flushed
            });
            assert_eq!(read(&bytes), (payloads.len(), End::Clean));

            let cut = SEGMENT_HEADER_BYTES + random.below(bytes.len() - SEGMENT_HEADER_BYTES + 1);
            let whole = starts[1..]
                .iter()
                .filter(|end| **end <= cut)
                .count()
                .min(payloads.len());
            let offset = starts[whole] as u64;
            let end = if offset == cut as u64 {
                End::Clean
            } else {
                End::Torn { offset }
            };
            assert_eq!(read(&bytes[..cut]), (whole, end), "cut at {cut}");

            if bytes.len() > SEGMENT_HEADER_BYTES {
                let at = SEGMENT_HEADER_BYTES + random.below(bytes.len() - SEGMENT_HEADER_BYTES);
                let mut bad = bytes.clone();
                bad[at] ^= 1 << random.below(8);
                let hit = starts[1..].iter().filter(|end| **end <= at).count();
                let start = starts[hit];
                let durable = durables[hit + 1..].iter().any(|durable| *durable > start);
                let offset = start as u64;
                let end = if durable {
                    End::Damaged { offset }
                } else {
                    End::Torn { offset }
                };
                assert_eq!(read(&bad), (hit, end), "byte {at}");
                signature.add((payloads.len(), hit, durable));
            }
        });
}

/// Segments larger than the scanner's buffer, with a fault somewhere.
#[test]
fn large_segments() {
    Fuzz::new("large_segments")
        .seeds([vec![255u8; 12], (240..=255).collect()])
        .bytes_max(12)
        .run(|input, signature| {
            let mut random = Random::of(input);
            let payload = |byte: &u8| vec![*byte; usize::from(*byte) * 2_048];
            let payloads: Vec<Vec<u8>> = input.iter().map(payload).collect();
            let (mut bytes, _) = segment(&payloads, |starts| *starts.last().expect("one"));
            signature.add_size(bytes.len());
            for _ in 0..random.below(3) {
                let at = random.below(bytes.len());
                bytes[at] ^= 1;
            }
            let (count, end) = read(&bytes);
            signature.add((count, std::mem::discriminant(&end)));
        });
}
