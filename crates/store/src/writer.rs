//! The writer thread: one group after the other, each with one write and one flush.
//!
//! Order within a group: closures run over the index's view and the group's edits; chunks and
//! redo are written to the journal and flushed, the edits staged for the index; they are published
//! and the cache learns; callers are answered; watchers wake. Nothing is visible or acknowledged
//! before the flush.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::Error;
use crate::cache::Update;
use crate::engine::{ChunkReply, Failure, Job, Pin, Shared, Write, is_full};
use crate::index::Merger;
use crate::journal::{Appender, Flusher, Group};
use crate::limits::{
    FLUSH_BESIDE_ROWS_MIN, GROUP_BYTES_MAX, GROUP_JOBS_MAX, INDEX_COMMIT_BYTES,
    INDEX_COMMIT_SECONDS, MEMTABLE_BYTES, MERGE_BESIDE_BYTES_MIN,
};
use crate::rows::Chunk;
use crate::spool::Packed;
use crate::tx::{Edits, Tx};

#[derive(Debug)]
pub struct Writer {
    pub shared: Arc<Shared>,
    pub appender: Appender,
    flusher: Flusher,
    merger: Merger,
    index_flushed_at: Duration,
    /// Bytes journalled since the index was durable.
    index_behind: u64,
}

/// What a group is made of while it is put together.
#[derive(Default)]
struct Gathered {
    edits: Edits,
    group: Group,
    /// Redo that goes to the journal alone, in front of the edits.
    dump: Vec<u8>,
    writes: Vec<Box<dyn Write>>,
    /// Written, but their closures failed: they are answered with the others.
    failed: Vec<Box<dyn Write>>,
    chunks: Vec<(Chunk, Pin, ChunkReply)>,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, appender: Appender) -> Result<Self, Error> {
        let index_flushed_at = shared.clock.monotonic();
        let told = shared.clone();
        let merger = Merger::start(shared.index.clone(), move |error| {
            tracing::error!(%error, "the store stops: its index can't be written");
            told.poison(Failure::of(error));
        })?;
        Ok(Writer {
            shared,
            appender,
            flusher: Flusher::start()?,
            merger,
            index_flushed_at,
            index_behind: 0,
        })
    }

    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Control(control) => control(&mut self),
                Job::Close(reply) => {
                    jobs.close();
                    let _ = reply.send(self.close());
                    return;
                }
                first => {
                    let (group, next) = take_waiting(first, &mut jobs);
                    self.commit_group(group);
                    self.flush_index_when_due();
                    match next {
                        Some(Job::Control(control)) => control(&mut self),
                        Some(Job::Close(reply)) => {
                            jobs.close();
                            let _ = reply.send(self.close());
                            return;
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        self.check_poison()?;
        self.appender.flush().map_err(Error::Disk)?;
        self.flush_index()
    }

    pub fn check_poison(&self) -> Result<(), Error> {
        self.shared.check_poison()
    }

    /// Nothing is acknowledged any more: what the disk holds is unknown until a restart reads it.
    fn poison(&self, error: &Error) -> Failure {
        let failure = match error {
            Error::Disk(error) => Failure::Disk(error.kind(), error.to_string()),
            other => Failure::of(other),
        };
        tracing::error!(%error, "the store stops: the disk failed");
        self.shared.poison(failure)
    }

    /// Makes the index durable now.
    pub fn flush_index(&mut self) -> Result<(), Error> {
        self.check_poison()?;
        self.end_merge()?;
        self.begin_merge()?;
        self.end_merge()
    }

    /// Begins a merge when there is enough to merge, or what there is has waited for long.
    pub fn flush_index_when_due(&mut self) {
        // What a failed store has in memory is not for the file: it may never have reached the journal.
        let merged = self.merger.poll();
        if merged.and_then(|()| self.check_poison()).is_err() || self.index_behind == 0 {
            return;
        }
        let now = self.shared.clock.monotonic();
        let waited = now.saturating_sub(self.index_flushed_at);
        let (bytes, all_bytes) = self.shared.index.bytes();
        let due = waited >= Duration::from_secs(INDEX_COMMIT_SECONDS)
            || self.index_behind >= INDEX_COMMIT_BYTES
            || bytes >= MEMTABLE_BYTES;
        let must_wait = self.merger.is_busy() && all_bytes >= 2 * MEMTABLE_BYTES;
        if !due || self.shared.is_exhausted() || (self.merger.is_busy() && !must_wait) {
            return;
        }
        // A failure poisons the store: the next group is told.
        if self.end_merge().is_err() || self.begin_merge().is_err() {
            return;
        }
        if bytes < MERGE_BESIDE_BYTES_MIN {
            let _ = self.end_merge();
        }
    }

    fn begin_merge(&mut self) -> Result<(), Error> {
        // Behind it there may be chunks of a body on its way in: not flushed, and of no transaction.
        let position = self.appender.durable();
        let begun = self.merger.begin(&self.shared.index, position);
        if let Err(error) = &begun {
            self.poison(error);
        }
        begun?;
        self.index_behind = 0;
        self.index_flushed_at = self.shared.clock.monotonic();
        Ok(())
    }

    fn end_merge(&mut self) -> Result<(), Error> {
        self.merger.wait()
    }

    fn commit_group(&mut self, jobs: Vec<Job>) {
        let mut gathered = Gathered::default();
        let committed = self.try_commit(jobs, &mut gathered);
        let failure = match committed {
            Ok(update) => {
                self.shared.refresh_available();
                if let Some(update) = &update {
                    self.shared.announce(update);
                }
                None
            }
            Err(failure) => {
                self.shared.refresh_available();
                Some(failure)
            }
        };
        for write in gathered.writes {
            write.done(failure.as_ref());
        }
        for write in gathered.failed {
            write.done(None);
        }
        for (chunk, pin, reply) in gathered.chunks {
            let answer = match &failure {
                Some(failure) => Err(failure.error()),
                None => Ok((chunk, pin)),
            };
            let _ = reply.send(answer);
        }
    }

    fn try_commit(
        &mut self,
        jobs: Vec<Job>,
        gathered: &mut Gathered,
    ) -> Result<Option<Update>, Failure> {
        let mut ready = self.check_poison().map_err(|error| Failure::of(&error));
        // Others may have filled the disk since the last group.
        self.shared.refresh_available();
        if ready.is_ok() && self.shared.is_exhausted() {
            ready = Err(Failure::DiskFull);
        }
        if ready.is_ok() && self.appender.is_full() {
            ready = self.roll();
        }
        let view = ready.map(|()| self.shared.index.view());
        let now = self.shared.clock.now();
        let mut freed = 0;
        for job in jobs {
            match (job, &view) {
                (Job::Write { mut write, .. }, Ok(view)) => {
                    let mut tx = Tx::new(
                        &self.shared,
                        view,
                        &mut gathered.edits,
                        &self.appender,
                        &mut gathered.group,
                        &mut gathered.dump,
                        now,
                    );
                    if run_in(&mut tx, &mut *write) {
                        freed += tx.freed();
                        gathered.writes.push(write);
                    } else {
                        tx.roll_back();
                        gathered.failed.push(write);
                    }
                }
                (Job::Write { mut write, .. }, Err(failure)) => {
                    write.fail(failure.error());
                    write.done(None);
                }
                (Job::Chunk { packed, reply }, Ok(_)) => {
                    let chunk = self.add_chunk(&packed, &mut gathered.group);
                    gathered.chunks.push((chunk.0, chunk.1, reply));
                }
                (Job::Chunk { reply, .. }, Err(failure)) => {
                    let _ = reply.send(Err(failure.error()));
                }
                (Job::Control(_) | Job::Close(_), _) => {}
            }
        }
        view?;
        let update = self.persist(gathered)?;
        let written = gathered.group.len() as u64;
        let unmeasured = &self.shared.unmeasured;
        unmeasured.fetch_add(freed + written, Ordering::Relaxed);
        Ok(update)
    }

    fn add_chunk(&self, packed: &Packed, group: &mut Group) -> (Chunk, Pin) {
        let chunk = packed.add_to(&self.appender, group);
        (chunk, self.shared.pins.pin(chunk.position.segment()))
    }

    /// Closes the segment; a full disk is no reason to stop.
    pub fn roll(&mut self) -> Result<(), Failure> {
        match self.appender.roll() {
            Ok(()) => Ok(()),
            Err(Error::Disk(error)) if is_full(&error) => Err(Failure::DiskFull),
            Err(error) => Err(self.poison(&error)),
        }
    }

    /// Journal, flush, index, cache.
    fn persist(&mut self, gathered: &mut Gathered) -> Result<Option<Update>, Failure> {
        let (edits, group) = (&gathered.edits, &mut gathered.group);
        if edits.is_empty() && gathered.dump.is_empty() {
            if !group.is_empty() {
                self.write(group)?;
                self.appender.advance(group, false);
            }
            return Ok(None);
        }
        let mut redo = std::mem::take(&mut gathered.dump);
        redo.extend_from_slice(&edits.redo());
        self.appender.add_transaction(group, &redo);
        drop(redo);
        let update = Update::from_edits(edits).map_err(|error| self.poison(&error))?;
        self.write(group)?;
        self.flush_and_stage(std::mem::take(&mut gathered.edits))
            .map_err(|error| self.poison(&Error::Disk(error)))?;
        self.appender.advance(&gathered.group, true);
        self.index_behind += gathered.group.len() as u64;
        let shared = &self.shared;
        let gate = shared.cache.gate.write();
        let gate = gate.unwrap_or_else(PoisonError::into_inner);
        shared.index.publish();
        shared.cache.apply(&update);
        drop(gate);
        Ok(Some(update))
    }

    /// Many rows are staged while the journal is flushed; for few the way to the other thread and
    /// back would take longer than it saves.
    fn flush_and_stage(&self, edits: Edits) -> io::Result<()> {
        if edits.rows.len() < FLUSH_BESIDE_ROWS_MIN {
            self.appender.flush()?;
            self.shared.index.stage(edits);
            return Ok(());
        }
        let flushing = self.flusher.begin(self.appender.file());
        self.shared.index.stage(edits);
        flushing.wait()
    }

    /// On a full disk the tail is put back and the store goes on.
    fn write(&self, group: &Group) -> Result<(), Failure> {
        let Err(error) = self.appender.write(group) else {
            return Ok(());
        };
        if !is_full(&error) {
            return Err(self.poison(&Error::Disk(error)));
        }
        match self.appender.cut() {
            Ok(()) => Err(Failure::DiskFull),
            Err(error) => Err(self.poison(&Error::Disk(error))),
        }
    }

    /// Appends a record that is not a transaction, and flushes it.
    pub fn append_mark(&mut self, kind: crate::journal::Kind, payload: &[u8]) -> Result<(), Error> {
        self.check_poison()?;
        let mut group = Group::default();
        let hash = crate::journal::record::payload_hash(payload);
        self.appender.add(&mut group, kind, payload, hash, 0);
        self.write(&group).map_err(|failure| failure.error())?;
        if let Err(error) = self.appender.flush() {
            return Err(self.poison(&Error::Disk(error)).error());
        }
        self.appender.advance(&group, true);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = "the writer thread panicked".to_owned();
            self.shared
                .poison(Failure::Disk(io::ErrorKind::Other, what));
        }
        self.shared.closed.store(true, Ordering::Release);
    }
}

/// Takes what waits, until the group is large enough or a job that needs a group's end.
fn take_waiting(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Job>, Option<Job>) {
    let mut bytes = first.cost();
    let mut group = vec![first];
    while group.len() < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX {
        match jobs.try_recv() {
            Ok(job @ (Job::Control(_) | Job::Close(_))) => return (group, Some(job)),
            Ok(job) => {
                bytes += job.cost();
                group.push(job);
            }
            Err(_) => break,
        }
    }
    (group, None)
}

/// Runs the closure and writes its change log.
fn run_in(tx: &mut Tx<'_>, write: &mut dyn Write) -> bool {
    if !write.run(tx) {
        return false;
    }
    match tx.write_changes() {
        Ok(()) => true,
        Err(error) => {
            write.fail(error);
            false
        }
    }
}
