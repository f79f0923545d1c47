//! What all handles share, and the way to the writer thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use crate::cache::{Cache, Update, note_first};
use crate::index;
use crate::journal::{Appender, Segments};
use crate::keys::Spot;
use crate::limits::{RESERVE_FLOOR_PARTS, WAITING_JOBS_MAX};
use crate::ops::changes::News;
use crate::packer::Packer;
use crate::rows::Chunk;
use crate::spool::Packed;
use crate::tx::Tx;
use crate::writer::Writer;
use crate::*;

/// Why a whole group was not committed; every waiting caller gets its own copy.
#[derive(Clone, Debug)]
pub enum Failure {
    DiskFull,
    Disk(io::ErrorKind, String),
    Damaged(String, String),
}

impl Failure {
    pub fn of(error: &Error) -> Failure {
        match error {
            Error::DiskFull => Failure::DiskFull,
            Error::Disk(error) if is_full(error) => Failure::DiskFull,
            Error::Disk(error) => Failure::Disk(error.kind(), error.to_string()),
            Error::Damaged { place, what } => Failure::Damaged(place.clone(), what.clone()),
            other => Failure::Disk(io::ErrorKind::Other, other.to_string()),
        }
    }

    pub fn error(&self) -> Error {
        match self {
            Failure::DiskFull => Error::DiskFull,
            Failure::Disk(kind, text) => Error::Disk(io::Error::new(*kind, text.clone())),
            Failure::Damaged(place, what) => Error::Damaged {
                place: place.clone(),
                what: what.clone(),
            },
        }
    }
}

/// No space, or no more of it for this user.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// A closure that waits for its transaction, and its caller who waits for the commit.
pub trait Write: Send {
    /// Runs the closure; false: it failed, roll back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// The closure did well but its transaction did not.
    fn fail(&mut self, error: Error);
    /// Answers the caller.
    fn done(self: Box<Self>, failure: Option<&Failure>);
}

struct Closure<T, F> {
    run: Option<F>,
    result: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Write for Closure<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(run) = self.run.take() else {
            return false;
        };
        // A broken invariant in one transaction fails that transaction, not the store.
        self.result = catch_unwind(AssertUnwindSafe(|| run(tx))).unwrap_or_else(|_| {
            tracing::error!("a store transaction panicked");
            Err(Error::Disk(io::Error::other("a transaction panicked")))
        });
        self.result.is_ok()
    }

    fn fail(&mut self, error: Error) {
        self.result = Err(error);
    }

    fn done(self: Box<Self>, failure: Option<&Failure>) {
        let result = match (self.result, failure) {
            (Ok(_), Some(failure)) => Err(failure.error()),
            (result, _) => result,
        };
        // The caller may have gone away; the commit stands.
        let _ = self.reply.send(result);
    }
}

/// Runs on the writer thread between groups, with everything in its hands.
pub type Control = Box<dyn FnOnce(&mut Writer) + Send>;

/// Where a chunk went, and what keeps it there.
pub type ChunkReply = oneshot::Sender<Result<(Chunk, Pin), Error>>;

pub enum Job {
    Write { write: Box<dyn Write>, cost: usize },
    Chunk { packed: Packed, reply: ChunkReply },
    Control(Control),
    Close(oneshot::Sender<Result<(), Error>>),
}

impl Job {
    pub fn cost(&self) -> usize {
        match self {
            Job::Write { cost, .. } => *cost,
            Job::Chunk { packed, .. } => packed.len(),
            Job::Control(_) | Job::Close(_) => 0,
        }
    }
}

/// Segments that must stay because someone holds a position in them that no transaction names yet.
#[derive(Debug, Default)]
pub struct Pins(Mutex<BTreeMap<u32, usize>>);

/// Keeps one segment from being removed.
#[derive(Debug)]
pub struct Pin {
    pins: Arc<Pins>,
    segment: u32,
}

impl Pins {
    pub fn pin(self: &Arc<Self>, segment: u32) -> Pin {
        *lock(&self.0).entry(segment).or_default() += 1;
        Pin {
            pins: self.clone(),
            segment,
        }
    }

    pub fn is_pinned(&self, segment: u32) -> bool {
        lock(&self.0).contains_key(&segment)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = lock(&self.pins.0);
        if let Some(count) = pins.get_mut(&self.segment) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.segment);
            }
        }
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What readers and the writer thread share.
#[derive(Debug)]
pub struct Shared {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub options: Options,
    pub segments: Arc<Segments>,
    pub index: Arc<index::Layered>,
    pub cache: Cache,
    pub pins: Arc<Pins>,
    pub watchers: Mutex<HashMap<AccountId, watch::Sender<News>>>,
    /// Count up with each change of the account's record.
    pub account_watchers: Mutex<HashMap<AccountId, watch::Sender<u64>>>,
    /// Accounts that changed since the follower asked last; counts up with each change.
    pub changed: Mutex<BTreeSet<AccountId>>,
    pub changed_news: watch::Sender<u64>,
    pub queue_news: watch::Sender<u64>,
    /// What was put into the queue since the runner asked last.
    pub queue_changed: Mutex<BTreeMap<String, Spot>>,
    /// Bytes free on the disk after the last group.
    pub available: AtomicU64,
    /// Bytes written to the journal or let go of in it since the compactor measured it.
    pub unmeasured: AtomicU64,
    pub closed: AtomicBool,
    /// Why nothing is written any more, until a restart.
    pub poisoned: watch::Sender<Option<Failure>>,
}

impl Shared {
    /// The cache and the watchers learn what was committed. The caller holds no lock.
    pub fn announce(&self, update: &Update) {
        let mut watchers = lock(&self.watchers);
        for (account, update) in &update.accounts {
            let Some(modseq) = update.modseq else {
                continue;
            };
            let Some(watcher) = watchers.get(account) else {
                continue;
            };
            if watcher.receiver_count() == 0 {
                watchers.remove(account);
            } else {
                watcher.send_replace(News::new(modseq));
            }
        }
        drop(watchers);
        if self.changed_news.receiver_count() > 0 {
            let changed = update.accounts.iter();
            let changed = changed.filter(|(_, update)| update.modseq.is_some() || update.gone);
            lock(&self.changed).extend(changed.map(|(account, _)| *account));
            self.changed_news.send_modify(|count| *count += 1);
        }
        self.announce_records(update);
        if !update.waiting.is_empty() && self.queue_news.receiver_count() > 0 {
            let mut changed = lock(&self.queue_changed);
            for (destination, spot) in &update.waiting {
                note_first(&mut changed, destination.clone(), *spot);
            }
        }
        if update.queue {
            self.queue_news.send_modify(|count| *count += 1);
        }
    }

    fn announce_records(&self, update: &Update) {
        let changed = update.accounts.iter().filter(|(_, update)| update.profile);
        let mut watchers = lock(&self.account_watchers);
        for (account, _) in changed {
            let Some(watcher) = watchers.get(account) else {
                continue;
            };
            if watcher.receiver_count() == 0 {
                watchers.remove(account);
            } else {
                watcher.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }

    pub fn refresh_available(&self) {
        if let Ok(bytes) = self.disk.available_bytes() {
            self.available.store(bytes, Ordering::Relaxed);
        }
    }

    pub fn is_full(&self) -> bool {
        self.available.load(Ordering::Relaxed) < self.options.reserved_bytes
    }

    /// Somebody else took the reserve too. What the journal can't take is put back, but an index
    /// that can't grow stops the store: better refuse everything while there is still a little.
    pub fn is_exhausted(&self) -> bool {
        let floor = self.options.reserved_bytes / RESERVE_FLOOR_PARTS;
        self.available.load(Ordering::Relaxed) < floor
    }

    /// The first failure stays the one that is told.
    pub fn poison(&self, failure: Failure) -> Failure {
        self.poisoned.send_if_modified(|poisoned| {
            let first = poisoned.is_none();
            if first {
                *poisoned = Some(failure.clone());
            }
            first
        });
        self.poisoned.borrow().clone().unwrap_or(failure)
    }

    pub fn check_poison(&self) -> Result<(), Error> {
        match &*self.poisoned.borrow() {
            Some(failure) => Err(failure.error()),
            None => Ok(()),
        }
    }

    pub fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        Ok(())
    }
}

/// The running store: shared parts and the threads. The last handle stops them.
#[derive(Debug)]
pub struct Engine {
    pub shared: Arc<Shared>,
    pub leases: Mutex<std::collections::BTreeSet<QueueId>>,
    pub care: Mutex<Option<compact::Care>>,
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    packer: Mutex<Option<Packer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    pub fn start(shared: Arc<Shared>, appender: Appender) -> Result<Engine, Error> {
        let (sender, receiver) = mpsc::channel(WAITING_JOBS_MAX);
        let writer = Writer::new(shared.clone(), appender)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(Error::Disk)?;
        let packer = Packer::start(sender.clone())?;
        Ok(Engine {
            shared,
            leases: Mutex::default(),
            care: Mutex::new(Some(compact::Care::default())),
            sender: Mutex::new(Some(sender)),
            packer: Mutex::new(Some(packer)),
            thread: Mutex::new(Some(thread)),
        })
    }

    async fn submit(&self, job: Job) -> Result<(), Error> {
        self.shared.check_open()?;
        let sender = lock(&self.sender).clone().ok_or(Error::Closed)?;
        sender.send(job).await.map_err(|_| Error::Closed)
    }

    /// Runs a closure in a transaction; returns after it is durable. `cost`: bytes it will write.
    pub async fn write<T, F>(&self, cost: usize, run: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let write = Box::new(Closure {
            run: Some(run),
            result: Err(Error::Closed),
            reply,
        });
        self.submit(Job::Write { write, cost }).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Has a chunk packed and appended, not flushed; packed here and now when the packer is busy.
    pub async fn store_chunk(
        &self,
        raw: Vec<u8>,
    ) -> Result<oneshot::Receiver<Result<(Chunk, Pin), Error>>, Error> {
        self.shared.check_open()?;
        let (reply, answer) = oneshot::channel();
        let offered = match &*lock(&self.packer) {
            Some(packer) => packer.offer(raw, reply),
            None => return Err(Error::Closed),
        };
        if let Err((raw, reply)) = offered {
            let packed = Packed::new(raw);
            self.submit(Job::Chunk { packed, reply }).await?;
        }
        Ok(answer)
    }

    /// Runs something on the writer thread, between groups.
    pub async fn control<T, F>(&self, run: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let control: Control = Box::new(move |writer| {
            let _ = reply.send(run(writer));
        });
        self.submit(Job::Control(control)).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    pub async fn close(&self) -> Result<(), Error> {
        let sender = lock(&self.sender).take();
        let Some(sender) = sender else {
            return Ok(());
        };
        self.stop_packer();
        let (reply, answer) = oneshot::channel();
        let sent = sender.send(Job::Close(reply)).await;
        drop(sender);
        let result = match sent {
            Ok(()) => answer.await.unwrap_or(Err(Error::Closed)),
            Err(_) => Err(Error::Closed),
        };
        self.shared.closed.store(true, Ordering::Release);
        lock(&self.shared.watchers).clear();
        // The thread has answered and is on its way out.
        self.join();
        result
    }

    /// Waits for its end, but not with the lock held.
    fn stop_packer(&self) {
        let packer = lock(&self.packer).take();
        drop(packer);
    }

    fn join(&self) {
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        lock(&self.sender).take();
        self.stop_packer();
        self.join();
    }
}
