//! The index as the store uses it: the file, the memtable that groups are written to, and, while it
//! goes into the file, the one before.
//!
//! A group is staged while the journal is flushed, and published after it: readers see all of it or
//! nothing. The file is written to by merges alone, each durable and with its journal position:
//! after a crash the journal gives back what was only in memory.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use super::memtable::{GroupNumber, Memtable, Recent};
use super::{Flush, Index, View};
use crate::Error;
use crate::journal::Position;
use crate::tx::Edits;

#[derive(Debug)]
pub struct Layered {
    current: RwLock<Current>,
    file: Index,
}

#[derive(Debug)]
struct Current {
    /// The file since the last merge: one picture for everybody until the next.
    picture: View,
    active: Arc<Memtable>,
    /// On its way into the file; changes no more.
    frozen: Option<Arc<Memtable>>,
    published: GroupNumber,
}

impl Layered {
    pub fn new(file: Index) -> Result<Self, Error> {
        let current = Current {
            picture: file.view()?,
            active: Arc::default(),
            frozen: None,
            published: GroupNumber::default(),
        };
        Ok(Layered {
            current: RwLock::new(current),
            file,
        })
    }

    pub fn view(&self) -> View {
        let current = self.read();
        let tables = [Some(&current.active), current.frozen.as_ref()];
        let tables = tables.into_iter().flatten().cloned();
        let recent = Recent::new(tables, current.published);
        current.picture.clone().with(recent)
    }

    // What follows is for the writer thread, and its merger.

    /// Takes the next group's edits; nobody sees them yet.
    pub fn stage(&self, edits: Edits) {
        let current = self.read();
        let (active, group) = (current.active.clone(), current.published + 1);
        drop(current);
        active.stage(group, edits);
    }

    /// What was staged is there from now on.
    pub fn publish(&self) {
        self.write().published += 1;
    }

    /// Memory that the active memtable takes, and all memtables, about.
    pub fn bytes(&self) -> (usize, usize) {
        let current = self.read();
        let active = current.active.bytes();
        let frozen = current.frozen.as_ref().map_or(0, |frozen| frozen.bytes());
        (active, active + frozen)
    }

    /// The active memtable is written to no more; false: the one before never reached the file.
    fn freeze(&self) -> bool {
        let mut current = self.write();
        if current.frozen.is_some() {
            return false;
        }
        let full = std::mem::take(&mut current.active);
        current.frozen = Some(full);
        true
    }

    /// Puts the frozen memtable into the file, durably.
    fn merge(&self, position: Position) -> Result<(), Error> {
        let frozen = self.read().frozen.clone();
        let mut batch = self.file.begin()?;
        if let Some(frozen) = frozen {
            frozen.each_newest(|rows| batch.apply(rows))?;
            batch.lay(&frozen.sweeps(GroupNumber::MAX).into_iter().collect())?;
        }
        batch.set_position(position)?;
        batch.commit(Flush::Yes)?;
        let picture = self.file.view()?;
        let mut current = self.write();
        let before = std::mem::replace(&mut current.picture, picture);
        let merged = current.frozen.take();
        drop(current);
        // They may be large: freed without the lock.
        drop((before, merged));
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that merges while the next groups are written.
#[derive(Debug)]
pub struct Merger {
    positions: Option<SyncSender<Position>>,
    results: Receiver<Result<(), Error>>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Merger {
    /// `failed` is told of a merge that failed, before anybody waits for it.
    pub fn start(
        index: Arc<Layered>,
        failed: impl Fn(&Error) + Send + 'static,
    ) -> Result<Self, Error> {
        let (positions, waiting) = sync_channel::<Position>(1);
        let (done, results) = sync_channel(1);
        let merge = move || {
            while let Ok(position) = waiting.recv() {
                let merged = index.merge(position);
                if let Err(error) = &merged {
                    failed(error);
                }
                if done.send(merged).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("store-merger".to_owned())
            .spawn(merge)
            .map_err(Error::Disk)?;
        Ok(Merger {
            positions: Some(positions),
            results,
            thread: Some(thread),
            busy: false,
        })
    }

    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Begins to merge all groups until now, which the journal holds durably before `position`. The
    /// merge before has ended, and well.
    pub fn begin(&mut self, index: &Layered, position: Position) -> Result<(), Error> {
        if !index.freeze() {
            return Err(gone());
        }
        // A thread that is gone shows in the answer that does not come.
        if let Some(positions) = &self.positions {
            let _ = positions.send(position);
        }
        self.busy = true;
        Ok(())
    }

    /// How the merge ended, if it has.
    pub fn poll(&mut self) -> Result<(), Error> {
        if !self.busy {
            return Ok(());
        }
        match self.results.try_recv() {
            Ok(result) => self.ended(result),
            Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Disconnected) => self.ended(Err(gone())),
        }
    }

    /// Waits for the end of the merge under way.
    pub fn wait(&mut self) -> Result<(), Error> {
        if !self.busy {
            return Ok(());
        }
        let result = self.results.recv().unwrap_or_else(|_| Err(gone()));
        self.ended(result)
    }

    fn ended(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        self.busy = false;
        result
    }
}

fn gone() -> Error {
    Error::Disk(io::Error::other("the merging thread is gone"))
}

impl Drop for Merger {
    fn drop(&mut self) {
        self.positions.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::RealDisk;

    const GROUPS: u32 = 2_000;

    /// Each group writes its number under "n" and a row of its own: a view has as many rows as it
    /// says, whatever is staged, published, frozen or merged meanwhile.
    fn check(view: &View) -> u32 {
        let said = view.get(b"n").unwrap();
        let said = said.map_or(0, |said| u32::from_be_bytes(said.try_into().unwrap()));
        let mut rows = 0;
        view.scan(b"r", b"s", |key, value| {
            rows += 1;
            assert_eq!(key, row(rows).0);
            assert_eq!(value, row(rows).1);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!(rows, said);
        let spanned = view.span((b"r".to_vec(), b"s".to_vec())).unwrap();
        assert_eq!(spanned.count(), rows as usize);
        rows
    }

    fn row(number: u32) -> (Vec<u8>, Vec<u8>) {
        (
            format!("r{number:06}").into_bytes(),
            number.to_be_bytes().to_vec(),
        )
    }

    fn group(number: u32) -> Edits {
        let (key, value) = row(number);
        [
            (b"n".to_vec(), Some(number.to_be_bytes().to_vec())),
            (key, Some(value)),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn views_are_whole_while_groups_are_merged() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        let file = Index::temporary(&*disk, "index").unwrap();
        let index = Arc::new(Layered::new(file).unwrap());
        let mut merger = Merger::start(index.clone(), |_| ()).unwrap();
        let first = index.view();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = 0;
                for _ in 0..100 {
                    let now = check(&index.view());
                    assert!(now >= seen);
                    seen = now;
                }
            });
            for number in 1..=GROUPS {
                index.stage(group(number));
                index.publish();
                merger.poll().unwrap();
                if number % 50 == 0 && !merger.is_busy() {
                    merger.begin(&index, Position(u64::from(number))).unwrap();
                }
            }
            reader.join().unwrap();
        });
        merger.wait().unwrap();
        assert_eq!(check(&first), 0);
        index.stage([(row(7).0, None)].into_iter().collect());
        assert_eq!(check(&index.view()), GROUPS);
        index.publish();
        assert_eq!(index.view().get(&row(7).0).unwrap(), None);
        merger.begin(&index, Position(9_999)).unwrap();
        merger.wait().unwrap();
        let file = index.file.view().unwrap();
        assert_eq!(file.position().unwrap(), Position(9_999));
        assert_eq!(file.rows().unwrap().count(), GROUPS as usize - 1 + 2);
    }
}
