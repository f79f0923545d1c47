//! The compactor: gives the space of dead journal back, in bounded steps.
//!
//! 1. Measure: walk over the index; how much of each segment do bodies still need, how large are
//!    all rows together?
//! 2. When enough is dead: begin a new segment, the base, and dump all current rows into the
//!    journal from there on, while transactions go on between. A row is dumped as it is at that
//!    moment, and journal order decides, so base and what follows rebuild the index exactly.
//! 3. Checkpoint: a record names the base. Transactions before it are not needed any more.
//! 4. Move: the live chunks of mostly dead segments before the base are written again.
//! 5. Remove those segments, after the index is durable and so knows the new places.
//!
//! A restart in between loses nothing but the work: it begins again with measuring.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use crate::engine::lock;
use crate::journal::{DIRECTORY, Kind, Position, segment_path};
use crate::keys::{self, Name};
use crate::limits::{CARE_BYTES_MAX, CARE_ROWS_MAX, COMPACT_DEAD_BYTES_MIN, COMPACT_DEAD_PERCENT};
use crate::recover::list_segments;
use crate::rows::{Blob, Global};
use crate::spool::Packed;
use crate::writer::Writer;
use crate::*;

/// Rows that one step of measuring reads; it writes nothing.
const MEASURE_ROWS_MAX: usize = 5 * CARE_ROWS_MAX;

/// Where care stands. Only in memory.
#[derive(Debug, Default)]
pub struct Care {
    phase: Phase,
    /// Where the round over the accounts goes on.
    accounts: Vec<u8>,
    accounts_done: bool,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    Measure(Measure),
    Dump {
        measure: Measure,
        base: u32,
        cursor: Vec<u8>,
    },
    Move {
        erased: u64,
        victims: BTreeSet<u32>,
        cursor: Cursor,
    },
}

#[derive(Debug, Default)]
struct Measure {
    cursor: Vec<u8>,
    /// Journal bytes of live chunks, by segment.
    live: BTreeMap<u32, u64>,
    row_bytes: u64,
    /// Erasures that this run will make complete.
    erased: u64,
}

/// The next chunk to look at: blob key, then number of the chunk.
#[derive(Clone, Debug, Default)]
struct Cursor {
    key: Vec<u8>,
    chunk: usize,
}

/// A chunk to write again.
struct Moved {
    id: BlobId,
    at: usize,
    from: Position,
    packed: Packed,
}

impl Store {
    /// One bounded step of compaction and of dropping what is past retention; true: more to do.
    /// A call while another one runs does nothing.
    pub async fn maintain(&self) -> Result<bool, Error> {
        let Some(mut care) = lock(&self.engine.care).take() else {
            return Ok(false);
        };
        let guard = Returning(self);
        let more = self.care_step(&mut care).await;
        if more.is_err() {
            care = Care::default();
        }
        guard.give_back(care);
        more
    }

    async fn care_step(&self, care: &mut Care) -> Result<bool, Error> {
        if !care.accounts_done {
            care.accounts_done = !self.retention_step(&mut care.accounts).await?;
            return Ok(true);
        }
        care.phase = match std::mem::take(&mut care.phase) {
            Phase::Idle if self.should_measure()? => {
                self.engine.shared.unmeasured.store(0, Ordering::Relaxed);
                Phase::Measure(Measure::default())
            }
            Phase::Idle => {
                self.merge_when_due().await?;
                self.forget_sent().await?;
                Phase::Idle
            }
            Phase::Measure(measure) => self.measure_step(measure).await?,
            Phase::Dump {
                measure,
                base,
                cursor,
            } => self.dump_step(measure, base, cursor).await?,
            Phase::Move {
                erased,
                victims,
                cursor,
            } => self.move_step(erased, victims, cursor).await?,
        };
        let more = !matches!(care.phase, Phase::Idle);
        // The next round begins with the accounts again.
        care.accounts_done = more;
        Ok(more)
    }

    /// When nothing is written no group does it, and the memory stays taken.
    async fn merge_when_due(&self) -> Result<(), Error> {
        let merge = |writer: &mut Writer| {
            writer.flush_index_when_due();
            Ok(())
        };
        self.engine.control(merge).await
    }

    fn erased(&self) -> Result<u64, Error> {
        let global = self.view()?.get(keys::GLOBAL)?;
        let global = global.map(|value| Global::decode(&value)).transpose()?;
        Ok(global.unwrap_or_default().erased)
    }

    fn should_measure(&self) -> Result<bool, Error> {
        let unmeasured = self.engine.shared.unmeasured.load(Ordering::Relaxed);
        let total: u64 = self.segment_sizes()?.values().sum();
        Ok(unmeasured >= COMPACT_DEAD_BYTES_MIN.max(total / 10) || self.erased()? > 0)
    }

    fn segment_sizes(&self) -> Result<BTreeMap<u32, u64>, Error> {
        let shared = &self.engine.shared;
        let mut sizes = BTreeMap::new();
        for number in list_segments(&*shared.disk)? {
            let len = shared.segments.get(number)?.file.len();
            sizes.insert(number, len.map_err(Error::Disk)?);
        }
        Ok(sizes)
    }

    async fn measure_step(&self, mut measure: Measure) -> Result<Phase, Error> {
        let mut rows = 0;
        let mut next = None;
        self.view()?.scan(&measure.cursor, &[0xff], |key, value| {
            if rows == MEASURE_ROWS_MAX {
                next = Some(key.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            rows += 1;
            measure.row_bytes += (key.len() + value.len() + 8) as u64;
            if let Some(Name::Blob(_)) = keys::parse(key) {
                for chunk in Blob::decode(value)?.chunks {
                    let live = measure.live.entry(chunk.position.segment()).or_default();
                    *live += u64::from(chunk.stored);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(next) = next {
            measure.cursor = next;
            return Ok(Phase::Measure(measure));
        }
        measure.erased = self.erased()?;
        let total: u64 = self.segment_sizes()?.values().sum();
        let live: u64 = measure.live.values().sum();
        let dead = total.saturating_sub(live + measure.row_bytes);
        let worth = dead >= COMPACT_DEAD_BYTES_MIN
            && dead.saturating_mul(100) >= total.saturating_mul(COMPACT_DEAD_PERCENT);
        if !worth && measure.erased == 0 {
            return Ok(Phase::Idle);
        }
        let roll = |writer: &mut Writer| {
            writer.check_poison()?;
            writer.roll().map_err(|failure| failure.error())?;
            Ok(writer.appender.tail().segment())
        };
        let base = self.engine.control(roll).await?;
        Ok(Phase::Dump {
            measure,
            base,
            cursor: keys::after(keys::POSITION),
        })
    }

    async fn dump_step(
        &self,
        measure: Measure,
        base: u32,
        cursor: Vec<u8>,
    ) -> Result<Phase, Error> {
        let dump = move |tx: &mut tx::Tx<'_>| {
            let mut rows = tx.scan(&(cursor, vec![0xff]), CARE_ROWS_MAX)?;
            let mut bytes = 0;
            let fit = rows.iter().take_while(|(key, value)| {
                let before = bytes;
                bytes += key.len() + value.len();
                before < CARE_BYTES_MAX
            });
            let fit = fit.count();
            let next = match rows.get(fit) {
                Some((key, _)) => Some(key.clone()),
                None if rows.len() == CARE_ROWS_MAX => rows.last().map(|(key, _)| {
                    let mut next = key.clone();
                    next.push(0);
                    next
                }),
                None => None,
            };
            rows.truncate(fit);
            tx.dump(&rows);
            Ok(next)
        };
        match self.engine.write(CARE_BYTES_MAX, dump).await? {
            Some(cursor) => Ok(Phase::Dump {
                measure,
                base,
                cursor,
            }),
            None => self.checkpoint(measure, base).await,
        }
    }

    /// Names the base, and picks the segments to give up. On the writer thread, so that a chunk is
    /// either pinned or named by a committed row.
    async fn checkpoint(&self, measure: Measure, base: u32) -> Result<Phase, Error> {
        let sizes = self.segment_sizes()?;
        let erased = measure.erased;
        let pick = move |writer: &mut Writer| {
            writer.append_mark(Kind::Checkpoint, &base.to_be_bytes())?;
            writer.appender.set_base(base);
            let mut victims = BTreeSet::new();
            let mut complete = true;
            for (number, len) in sizes.range(..base) {
                let live = measure.live.get(number).copied().unwrap_or_default();
                let mostly_dead = live.saturating_mul(2) <= *len;
                if writer.shared.pins.is_pinned(*number) {
                    complete = false;
                } else if mostly_dead || erased > 0 {
                    victims.insert(*number);
                }
            }
            Ok((victims, complete))
        };
        let (victims, complete) = self.engine.control(pick).await?;
        Ok(Phase::Move {
            // A segment that had to stay may hold what was erased: the next run is for it.
            erased: if complete { erased } else { 0 },
            victims,
            cursor: Cursor {
                key: keys::all_blobs().0,
                chunk: 0,
            },
        })
    }

    async fn move_step(
        &self,
        erased: u64,
        victims: BTreeSet<u32>,
        cursor: Cursor,
    ) -> Result<Phase, Error> {
        let (moved, next) = self.gather(&victims, cursor)?;
        if !moved.is_empty() {
            let write = move |tx: &mut tx::Tx<'_>| {
                moved
                    .iter()
                    .try_for_each(|m| tx.move_chunk(m.id, m.at, m.from, &m.packed))
            };
            self.engine.write(CARE_BYTES_MAX, write).await?;
        }
        if let Some(cursor) = next {
            return Ok(Phase::Move {
                erased,
                victims,
                cursor,
            });
        }
        self.engine
            .control(move |writer| remove(writer, &victims))
            .await?;
        if erased > 0 {
            self.write(move |tx| {
                let mut global = tx.global()?;
                global.erased = global.erased.saturating_sub(erased);
                tx.put_global(&global);
                Ok(())
            })
            .await?;
        }
        Ok(Phase::Idle)
    }

    /// The next live chunks in the victims, read and checked, and where to go on.
    fn gather(
        &self,
        victims: &BTreeSet<u32>,
        mut cursor: Cursor,
    ) -> Result<(Vec<Moved>, Option<Cursor>), Error> {
        let (_, end) = keys::all_blobs();
        let view = self.view()?;
        let mut moved = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        let mut next = None;
        view.scan(&cursor.key.clone(), &end, |key, value| {
            if rows == MEASURE_ROWS_MAX || bytes >= CARE_BYTES_MAX {
                let key = key.to_vec();
                next = Some(Cursor { key, chunk: 0 });
                return Ok(ControlFlow::Break(()));
            }
            rows += 1;
            let Some(Name::Blob(id)) = keys::parse(key) else {
                return Ok(ControlFlow::Continue(()));
            };
            let skip = if cursor.key == key { cursor.chunk } else { 0 };
            cursor.chunk = 0;
            for (at, chunk) in Blob::decode(value)?.chunks.iter().enumerate().skip(skip) {
                if bytes >= CARE_BYTES_MAX {
                    let key = key.to_vec();
                    next = Some(Cursor { key, chunk: at });
                    return Ok(ControlFlow::Break(()));
                }
                let from = chunk.position;
                if !victims.contains(&from.segment()) {
                    continue;
                }
                let (header, payload) = self.engine.shared.segments.read(from, chunk.stored)?;
                bytes += payload.len();
                let packed = Packed::ready(header.kind, payload, header.raw_len);
                moved.push(Moved {
                    id,
                    at,
                    from,
                    packed,
                });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((moved, next))
    }
}

/// Removes segments that nothing names any more.
fn remove(writer: &mut Writer, victims: &BTreeSet<u32>) -> Result<(), Error> {
    // An older index would look for its bodies there, and for the journal's tail.
    writer.flush_index()?;
    let shared = writer.shared.clone();
    for number in victims {
        shared.segments.forget(*number);
        let path = segment_path(*number);
        shared.disk.remove(&path).map_err(Error::Disk)?;
    }
    shared.disk.sync_directory(DIRECTORY).map_err(Error::Disk)
}

/// Gives the care back when a step is dropped halfway: it begins again.
struct Returning<'a>(&'a Store);

impl Returning<'_> {
    fn give_back(self, care: Care) {
        *lock(&self.0.engine.care) = Some(care);
    }
}

impl Drop for Returning<'_> {
    fn drop(&mut self) {
        lock(&self.0.engine.care).get_or_insert_default();
    }
}
