//! A thread that flushes, so that the writer applies a group to the index meanwhile.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::{Error, File};

/// Flushes one file at a time. Dropped, it ends its thread.
#[derive(Debug)]
pub struct Flusher {
    files: Option<SyncSender<Arc<dyn File>>>,
    results: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A flush under way: nothing is durable before [`Flushing::wait`].
#[must_use]
#[derive(Debug)]
pub struct Flushing<'a>(&'a Flusher);

impl Flusher {
    pub fn start() -> Result<Self, Error> {
        let (files, waiting) = sync_channel::<Arc<dyn File>>(1);
        let (done, results) = sync_channel(1);
        let flush = move || {
            while let Ok(file) = waiting.recv() {
                if done.send(file.sync_data()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("store-flusher".to_owned())
            .spawn(flush)
            .map_err(Error::Disk)?;
        Ok(Flusher {
            files: Some(files),
            results,
            thread: Some(thread),
        })
    }

    /// Begins a flush; the one before has been waited for.
    pub fn begin(&self, file: Arc<dyn File>) -> Flushing<'_> {
        // A thread that is gone shows in the answer that does not come.
        let sent = self.files.as_ref().map(|files| files.send(file));
        drop(sent);
        Flushing(self)
    }
}

impl Flushing<'_> {
    pub fn wait(self) -> io::Result<()> {
        let gone = |_| Err(io::Error::other("the flushing thread is gone"));
        self.0.results.recv().unwrap_or_else(gone)
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.files.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
