//! A thread that packs chunks of large bodies while their next bytes come in.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::Error;
use crate::engine::{ChunkReply, Job};
use crate::spool::Packed;

/// What is to be packed and written, and who waits for its place.
type Work = (Vec<u8>, ChunkReply);

/// Dropped, it ends its thread.
#[derive(Debug)]
pub struct Packer {
    work: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Packer {
    pub fn start(writer: mpsc::Sender<Job>) -> Result<Self, Error> {
        // Nothing queues: who finds the thread busy packs for itself.
        let (work, waiting) = sync_channel::<Work>(0);
        let thread = std::thread::Builder::new()
            .name("store-packer".to_owned())
            .spawn(move || run(&waiting, &writer))
            .map_err(Error::Disk)?;
        Ok(Packer {
            work: Some(work),
            thread: Some(thread),
        })
    }

    /// Gives the chunk back when the thread is busy.
    pub fn offer(&self, raw: Vec<u8>, reply: ChunkReply) -> Result<(), Work> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        let Some(work) = &self.work else {
            return Err((raw, reply));
        };
        work.try_send((raw, reply))
            .map_err(|(Full(work) | Disconnected(work))| work)
    }
}

fn run(waiting: &Receiver<Work>, writer: &mpsc::Sender<Job>) {
    while let Ok((raw, reply)) = waiting.recv() {
        let packed = Packed::new(raw);
        // A writer that is gone drops the reply: that is the answer.
        let _ = writer.blocking_send(Job::Chunk { packed, reply });
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        self.work.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
