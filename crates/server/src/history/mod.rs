//! The history of each message, from the connection it came by to the mailbox or the report, for
//! `facteur trace`.
//!
//! Events are lines of JSON in a file a day. Nobody waits for them: a thread writes what was told,
//! without a flush, so that a crash may lose the last second of it; what became of the mail itself
//! is never told here alone. Kept for 30 days and within a gibibyte, whichever is less.

mod event;
mod find;
pub(crate) mod limits;
mod writer;

use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use facteur_store::{Error, Store};

pub use event::{Event, Key, Outcome, Way, What};
pub use find::{Found, Passage};
use writer::{Told, Writer};

/// Directory beside the store.
const DIRECTORY: &str = "trace";

/// Takes what is told and finds it again. Dropped, it has written everything.
#[derive(Debug)]
pub struct History {
    store: Store,
    /// Started by the first event.
    writer: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    told: SyncSender<Told>,
    thread: JoinHandle<()>,
}

impl History {
    pub fn new(store: Store) -> History {
        History {
            store,
            writer: Mutex::new(None),
        }
    }

    /// Never waits: what the writer can't keep up with is missing, and the log says so.
    pub fn tell(&self, event: Event) {
        if let Some(told) = self.told() {
            Writer::tell(&told, event);
        }
    }

    /// What is known of a Message-ID or an address, the newest first; blocking. `only`: as far as
    /// it is that address's mail.
    pub fn find(&self, needle: &str, only: Option<&str>) -> Result<Found, Error> {
        self.settle();
        find::find(&self.store.notes(DIRECTORY)?, needle, only)
    }

    /// Returns when all that was told before is written.
    fn settle(&self) {
        let (done, wait) = channel();
        let told = self.told();
        if told.is_none_or(|told| told.send(Told::Settle(done)).is_err()) {
            return;
        }
        if let Some(running) = &*self.writer() {
            running.thread.thread().unpark();
        }
        // The writer lets go of its side.
        let _ = wait.recv();
    }

    fn writer(&self) -> MutexGuard<'_, Option<Running>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> Option<SyncSender<Told>> {
        let mut writer = self.writer();
        if writer.is_none() {
            let (told, receiver) = sync_channel(limits::WAITING_MAX);
            let store = self.store.clone();
            let thread = std::thread::Builder::new().name("history".to_owned());
            match thread.spawn(move || Writer::new(store).run(&receiver)) {
                Ok(thread) => *writer = Some(Running { told, thread }),
                // There is mail without its history.
                Err(error) => tracing::warn!(%error, "the history of messages is not kept"),
            }
        }
        writer.as_ref().map(|writer| writer.told.clone())
    }
}

impl Drop for History {
    fn drop(&mut self) {
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(Running { told, thread }) = writer.take() {
            drop(told);
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
