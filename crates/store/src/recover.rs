//! Start-up: open the index, replay the journal's tail into it, cut what was torn.

use std::sync::Arc;

use crate::index::{Flush, INDEX_FILE, Index};
use crate::journal::record::{RecordHeader, SEGMENT_HEADER_BYTES};
use crate::journal::{
    Appender, DIRECTORY, Found, Kind, Position, Scan, Segment, Segments, place, segment_number,
    segment_path,
};
use crate::limits::{INDEX_COMMIT_BYTES, RECORD_PAYLOAD_MAX};
use crate::*;

/// What start-up made of the disk.
#[derive(Debug)]
pub struct Recovered {
    pub index: Index,
    pub appender: Appender,
    pub recovery: Recovery,
}

/// Numbers of the segments, ascending; leftovers of an unfinished creation are removed.
pub fn list_segments(disk: &dyn Disk) -> Result<Vec<u32>, Error> {
    let names = disk.list(DIRECTORY).map_err(Error::Disk)?;
    let mut numbers: Vec<u32> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn remove_leftovers(disk: &dyn Disk) -> Result<(), Error> {
    for name in disk.list(DIRECTORY).map_err(Error::Disk)? {
        if name.ends_with(".tmp") {
            let path = format!("{DIRECTORY}/{name}");
            disk.remove(&path).map_err(Error::Disk)?;
        }
    }
    Ok(())
}

/// The index and up to where it has applied the journal.
fn open_index(disk: &dyn Disk) -> Result<Option<(Index, Position)>, Error> {
    let Some(index) = Index::open(disk)? else {
        return Ok(None);
    };
    let position = index.view()?.position()?;
    Ok(Some((index, position)))
}

pub fn recover(segments: &Arc<Segments>, clock: &Arc<dyn Clock>) -> Result<Recovered, Error> {
    let disk = segments.disk().clone();
    remove_leftovers(&*disk)?;
    let numbers = list_segments(&*disk)?;
    let mut recovery = Recovery::default();
    let index = match index::guarded(|| open_index(&*disk)) {
        Ok(index) => index,
        // A broken index is made again from the journal.
        Err(Error::Damaged { place, what }) => {
            tracing::warn!(%place, %what, "the index is damaged and is built again");
            None
        }
        Err(error) => return Err(error),
    };
    if numbers.is_empty() {
        return start_empty(index, segments, clock, recovery);
    }
    let base = settle(segments, &numbers)?;
    let caught_up = match index {
        Some((index, from)) => catch_up(index, from, segments, &numbers, &mut recovery)?,
        None => None,
    };
    let (index, tail) = match caught_up {
        Some(caught_up) => caught_up,
        None => {
            recovery.index_rebuilt = true;
            let from = Position::new(base, 0);
            let mut tail = from;
            let index = Index::create(&*disk, |index| {
                tail = replay(index, segments, &numbers, from, &mut recovery)?;
                Ok(tail)
            })?;
            (index, tail)
        }
    };
    recovery.torn_bytes = cut(segments, tail)?;
    let appender = Appender::resume(segments.clone(), clock.clone(), tail, base)?;
    Ok(Recovered {
        index,
        appender,
        recovery,
    })
}

/// Applies the journal's tail to the index that was found; `None`: the index is no good.
fn catch_up(
    index: Index,
    from: Position,
    segments: &Segments,
    numbers: &[u32],
    recovery: &mut Recovery,
) -> Result<Option<(Index, Position)>, Error> {
    match index::guarded(|| replay(&index, segments, numbers, from, recovery)) {
        Ok(tail) => Ok(Some((index, tail))),
        Err(Error::Damaged { place, what }) if place == INDEX_FILE => {
            tracing::warn!(%place, %what, "the index is damaged and is built again");
            // It stumbles once more when it is closed.
            let _ = index::guarded(move || {
                drop(index);
                Ok(())
            });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the last program wrote and did not flush is seen by this one, but a power cut would still
/// take it. Nothing is built on it before it is durable: names first of all, since a segment
/// without a name takes everything that is acknowledged in it along. Gives the base.
fn settle(segments: &Segments, numbers: &[u32]) -> Result<u32, Error> {
    let disk = segments.disk();
    disk.sync_directory("").map_err(Error::Disk)?;
    disk.sync_directory(DIRECTORY).map_err(Error::Disk)?;
    let Some(last) = numbers.last() else {
        return Ok(0);
    };
    let segment = segments.get(*last)?;
    let found = read_last(segment.clone())?;
    // After a flush that failed, Linux calls the pages clean that it could not write, and the next
    // flush succeeds without them. So what no record tells to be durable is written again.
    let len = segment.file.len().map_err(Error::Disk)?;
    let mut at = found.durable;
    let mut piece = Vec::new();
    while at < len {
        piece.resize((len - at).min(RECORD_PAYLOAD_MAX as u64) as usize, 0);
        let read = segment.file.read_exact_at(&mut piece, at);
        read.map_err(Error::Disk)?;
        let written = segment.file.write_all_at(&piece, at);
        written.map_err(Error::Disk)?;
        at += piece.len() as u64;
    }
    segment.file.sync_data().map_err(Error::Disk)?;
    Ok(found.base)
}

/// A store without a journal: a new one, or one whose creation was cut short.
fn start_empty(
    index: Option<(Index, Position)>,
    segments: &Arc<Segments>,
    clock: &Arc<dyn Clock>,
    recovery: Recovery,
) -> Result<Recovered, Error> {
    // The index is made after the journal's first segment is durable, so with an index and no
    // journal the journal is lost.
    if index.is_some() {
        return Err(Error::Damaged {
            place: DIRECTORY.to_owned(),
            what: "the journal is missing".to_owned(),
        });
    }
    let appender = Appender::create(segments.clone(), clock.clone())?;
    let tail = appender.tail();
    let index = Index::create(&**segments.disk(), |_| Ok(tail))?;
    Ok(Recovered {
        index,
        appender,
        recovery,
    })
}

/// What the newest segment tells.
struct Last {
    /// From which segment on the index can be rebuilt: as its header or a later checkpoint record
    /// says.
    base: u32,
    /// Up to this offset a record says that everything is durable.
    durable: u64,
}

fn read_last(segment: Segment) -> Result<Last, Error> {
    let number = segment.header.segment;
    let mut last = Last {
        base: segment.header.base,
        durable: SEGMENT_HEADER_BYTES as u64,
    };
    let mut scan = Scan::new(segment, 0)?;
    while let Found::Record(header, payload) = scan.next_record()? {
        if header.durable.segment() == number {
            last.durable = last.durable.max(header.durable.offset());
        }
        if header.kind == Kind::Checkpoint
            && let Ok(bytes) = <[u8; 4]>::try_from(payload.as_slice())
        {
            last.base = u32::from_be_bytes(bytes);
        }
    }
    Ok(last)
}

fn damaged(position: Position, what: &str) -> Error {
    Error::Damaged {
        place: place(position),
        what: what.to_owned(),
    }
}

/// Applies the journal from a position on; gives the end of the last whole transaction group.
pub fn replay(
    index: &Index,
    segments: &Segments,
    numbers: &[u32],
    from: Position,
    recovery: &mut Recovery,
) -> Result<Position, Error> {
    let mut wanted: Vec<u32> = numbers
        .iter()
        .copied()
        .filter(|number| *number >= from.segment())
        .collect();
    wanted.sort_unstable();
    if wanted.first() != Some(&from.segment()) {
        return Err(damaged(from, "the segment is missing"));
    }
    let mut state = Replay {
        index,
        applied: from,
        redo: Vec::new(),
        redo_from: None,
        unflushed: 0,
        recovery,
    };
    let mut end = from;
    let mut expected_len = None;
    for (at, number) in wanted.iter().enumerate() {
        if from.segment().checked_add(at as u32) != Some(*number) {
            return Err(damaged(
                Position::new(*number, 0),
                "a segment before it is missing",
            ));
        }
        let segment = segments.get(*number)?;
        if let Some(len) = expected_len
            && segment.header.previous_len != len
        {
            return Err(damaged(end, "the segment ends too early"));
        }
        let last = at + 1 == wanted.len();
        let start = if at == 0 { from.offset() } else { 0 };
        end = state.segment(Scan::new(segment, start)?, from, last)?;
        expected_len = Some(end.offset());
    }
    state.finish(end)
}

struct Replay<'a> {
    index: &'a Index,
    applied: Position,
    redo: Vec<u8>,
    /// Where the first part of an unfinished transaction stands.
    redo_from: Option<Position>,
    unflushed: u64,
    recovery: &'a mut Recovery,
}

impl Replay<'_> {
    /// Reads one segment; gives where its whole records end.
    fn segment(&mut self, mut scan: Scan, from: Position, last: bool) -> Result<Position, Error> {
        loop {
            match scan.next_record()? {
                Found::Record(header, payload) => {
                    let next = Position(header.position.0 + header.record_len());
                    let payload = unpacked(&header, payload)?;
                    self.record(header.kind, header.position, next, payload)?;
                }
                Found::End(position) if last || self.redo_from.is_none() => return Ok(position),
                Found::Torn(position) if last && position >= from => return Ok(position),
                Found::Damaged(position) | Found::Torn(position) | Found::End(position) => {
                    return Err(damaged(position, "a record that was durable is bad"));
                }
            }
        }
    }

    fn record(
        &mut self,
        kind: Kind,
        position: Position,
        next: Position,
        payload: Vec<u8>,
    ) -> Result<(), Error> {
        let begun = self.redo_from.is_some();
        match kind {
            Kind::TxPart | Kind::Tx => {
                self.redo_from.get_or_insert(position);
                if begun {
                    self.redo.extend_from_slice(&payload);
                } else {
                    self.redo = payload;
                }
                if kind == Kind::Tx {
                    self.redo_from = None;
                    self.apply(next)?;
                }
                Ok(())
            }
            _ if begun => Err(damaged(position, "a transaction is not whole")),
            _ => Ok(()),
        }
    }

    fn apply(&mut self, next: Position) -> Result<(), Error> {
        let mut batch = self.index.begin()?;
        let mut edits = Vec::new();
        rows::decode_redo(&self.redo, |key, value| {
            edits.push((key, value));
            Ok(())
        })?;
        batch.apply(edits)?;
        batch.set_position(next)?;
        self.unflushed += self.redo.len() as u64;
        let flush = if self.unflushed >= INDEX_COMMIT_BYTES {
            self.unflushed = 0;
            Flush::Yes
        } else {
            Flush::No
        };
        batch.commit(flush)?;
        self.applied = next;
        self.recovery.replayed_transactions += 1;
        Ok(())
    }

    /// The tail: chunks that no transaction names stay, half a transaction does not.
    fn finish(self, end: Position) -> Result<Position, Error> {
        Ok(self.redo_from.unwrap_or(end))
    }
}

/// The redo of a transaction's record; other payloads as they are.
fn unpacked(header: &RecordHeader, payload: Vec<u8>) -> Result<Vec<u8>, Error> {
    let is_redo = matches!(header.kind, Kind::TxPart | Kind::Tx);
    if !is_redo || header.raw_len == 0 {
        return Ok(payload);
    }
    let raw_len = header.raw_len as usize;
    Some(raw_len)
        .filter(|len| *len <= RECORD_PAYLOAD_MAX)
        .and_then(|len| pack::unpack(&payload, len).ok())
        .filter(|redo| redo.len() == raw_len)
        .ok_or_else(|| damaged(header.position, "a transaction does not unpack"))
}

/// Cuts the last segment at the tail; gives how many bytes went.
fn cut(segments: &Segments, tail: Position) -> Result<u64, Error> {
    let segment = segments.get(tail.segment())?;
    let len = segment.file.len().map_err(Error::Disk)?;
    let torn = len.saturating_sub(tail.offset());
    if torn > 0 {
        tracing::warn!(
            place = %segment_path(tail.segment()),
            bytes = torn,
            "cut a torn tail that was never acknowledged"
        );
        segment.file.set_len(tail.offset()).map_err(Error::Disk)?;
    }
    // What is whole but was not flushed counts from now on.
    segment.file.sync_data().map_err(Error::Disk)?;
    Ok(torn)
}
