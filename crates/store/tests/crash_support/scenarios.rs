//! The histories and where they are cut.

use std::sync::Arc;
use std::time::Duration;

use facteur_sim::{Fault, Random, SimDisk, VirtualClock};
use facteur_store::Store;

use super::{Count, Stopped, Writer, check, runtime, verify};
use crate::support;

/// Something that runs by itself and counts; it panics with its seed when a promise is broken.
pub type Scenario = Box<dyn Fn() -> Count + Send + Sync>;

/// Outcomes of one power cut that are tried.
const OUTCOMES: u64 = 4;

pub fn all(seed: u64) -> Vec<Scenario> {
    let mut all: Vec<Scenario> = Vec::new();
    let shapes = [
        // The first creation and little more.
        Shape {
            writers: 1,
            steps: 2,
            body_bytes_max: 500,
            maintain: false,
        },
        Shape {
            writers: 1,
            steps: 12,
            body_bytes_max: 2000,
            maintain: false,
        },
        // Groups.
        Shape {
            writers: 4,
            steps: 6,
            body_bytes_max: 3000,
            maintain: false,
        },
        Shape {
            writers: 8,
            steps: 4,
            body_bytes_max: 1000,
            maintain: false,
        },
        // Bodies of several chunks, which come before their transaction.
        Shape {
            writers: 2,
            steps: 5,
            body_bytes_max: 200_000,
            maintain: false,
        },
        // Retention ends, the journal is compacted.
        Shape {
            writers: 2,
            steps: 2,
            body_bytes_max: 2000,
            maintain: true,
        },
    ];
    // For runs by hand: one shape, counted from 1.
    let only = support::number("CRASH_SHAPE", 0);
    for round in 0..ROUNDS {
        for (index, shape) in shapes.iter().enumerate() {
            if only != 0 && only != index as u64 + 1 {
                continue;
            }
            let seed = seed * 1000 + round * 100 + index as u64;
            let shape = shape.clone();
            let run = move || History {
                seed,
                shape: shape.clone(),
            };
            let again = run.clone();
            all.push(Box::new(move || run().power_cuts()));
            all.push(Box::new(move || again().faults()));
        }
    }
    all
}

const ROUNDS: u64 = 1;

/// How large a history is.
#[derive(Clone, Debug)]
struct Shape {
    writers: usize,
    steps: usize,
    body_bytes_max: usize,
    maintain: bool,
}

struct History {
    seed: u64,
    shape: Shape,
}

/// A history that was run until its end or until the disk failed.
struct Ran {
    clock: Arc<VirtualClock>,
    writers: Vec<Writer>,
    stopped: Stopped,
}

impl History {
    /// Runs on the given disk; an error is a broken promise.
    async fn run(&self, disk: &SimDisk) -> Result<Ran, String> {
        let clock = Arc::new(VirtualClock::new(self.seed));
        let shape = &self.shape;
        let mut writers: Vec<Writer> = (0..shape.writers)
            .map(|n| Writer::new(self.seed + n as u64, &format!("w{n}"), shape.body_bytes_max))
            .collect();
        let store = match support::open(disk, &clock) {
            Ok((store, _)) => store,
            Err(_) => {
                return Ok(Ran {
                    clock,
                    writers,
                    stopped: Stopped::DiskFailed,
                });
            }
        };
        let stopped = self.phases(&store, &clock, &mut writers).await;
        let _ = store.close().await;
        Ok(Ran {
            clock,
            writers,
            stopped: stopped?,
        })
    }

    async fn phases(
        &self,
        store: &Store,
        clock: &Arc<VirtualClock>,
        writers: &mut Vec<Writer>,
    ) -> Result<Stopped, String> {
        if self.shape.maintain && self.waste(store, clock, writers).await? == Stopped::DiskFailed {
            return Ok(Stopped::DiskFailed);
        }
        for phase in 0..2 {
            if self.side_by_side(store, clock, writers).await? == Stopped::DiskFailed {
                return Ok(Stopped::DiskFailed);
            }
            // The index is flushed now and then; later retention ends.
            let later = if self.shape.maintain && phase == 0 {
                40 * 24 * 3600
            } else {
                6
            };
            clock.advance(Duration::from_secs(later));
            if self.shape.maintain {
                let stopped = maintain(store).await?;
                for writer in writers.iter_mut() {
                    writer.forget(store);
                }
                if stopped == Stopped::DiskFailed {
                    return Ok(stopped);
                }
            }
        }
        Ok(Stopped::Finished)
    }

    /// All writers at once, so that groups form.
    async fn side_by_side(
        &self,
        store: &Store,
        clock: &Arc<VirtualClock>,
        writers: &mut Vec<Writer>,
    ) -> Result<Stopped, String> {
        let tasks: Vec<_> = std::mem::take(writers)
            .into_iter()
            .map(|mut writer| {
                let (store, clock, steps) = (store.clone(), clock.clone(), self.shape.steps);
                tokio::spawn(async move {
                    let stopped = writer.work(&store, &clock, steps).await;
                    (writer, stopped)
                })
            })
            .collect();
        let mut all = Stopped::Finished;
        for task in tasks {
            let (writer, stopped) = task.await.map_err(|error| error.to_string())?;
            if stopped? == Stopped::DiskFailed {
                all = Stopped::DiskFailed;
            }
            writers.push(writer);
        }
        Ok(all)
    }

    /// Enough that is deleted for the compactor to begin.
    async fn waste(
        &self,
        store: &Store,
        clock: &VirtualClock,
        writers: &mut [Writer],
    ) -> Result<Stopped, String> {
        for writer in writers {
            if writer.waste(store, clock).await? == Stopped::DiskFailed {
                return Ok(Stopped::DiskFailed);
            }
        }
        Ok(Stopped::Finished)
    }

    /// How many disk operations the history makes when nothing fails.
    fn operations(&self) -> u64 {
        let disk = SimDisk::new(self.seed);
        let ran = runtime().block_on(self.run(&disk));
        let ran = ran.unwrap_or_else(|what| self.broken("nothing", &what));
        assert_eq!(ran.stopped, Stopped::Finished);
        verify(&disk, &ran.clock).unwrap_or_else(|what| self.broken("nothing", &what));
        disk.operations()
    }

    /// The power goes at every operation of the history, the program is killed at every one, and
    /// both happen again during recovery.
    fn power_cuts(&self) -> Count {
        let mut count = Count::default();
        for at in 0..self.operations() {
            self.power_cut(at, &mut count);
            if at % 2 == 0 {
                self.kill(at, &mut count);
            }
        }
        count
    }

    fn power_cut(&self, at: u64, count: &mut Count) {
        let disk = SimDisk::new(self.seed);
        disk.cut_power_at(at);
        let what = format!("the power cut at operation {at}");
        let ran = runtime().block_on(self.run(&disk));
        let ran = ran.unwrap_or_else(|error| self.broken(&what, &error));
        disk.cut_power();
        for outcome in 0..OUTCOMES {
            let found = || disk.reboot(self.seed * 31 + at * OUTCOMES + outcome);
            let what = format!("{what}, outcome {outcome}");
            if outcome == 0 {
                self.again_in_recovery(found(), &ran, at, &what, count);
            }
            count.one("crashes: power cuts");
            self.check(&found(), &ran, &what, count);
        }
    }

    fn kill(&self, at: u64, count: &mut Count) {
        let disk = SimDisk::new(self.seed);
        disk.kill_at(at);
        let what = format!("killed at operation {at}");
        let ran = runtime().block_on(self.run(&disk));
        let ran = ran.unwrap_or_else(|error| self.broken(&what, &error));
        self.again_in_recovery(disk.restart(), &ran, at, &what, count);
        count.one("crashes: kills");
        self.check(&disk.restart(), &ran, &what, count);
    }

    /// The power goes during recovery, at a random operation of it, and once more.
    fn again_in_recovery(
        &self,
        mut disk: SimDisk,
        ran: &Ran,
        at: u64,
        what: &str,
        count: &mut Count,
    ) {
        let mut random = Random::new(self.seed ^ at);
        for _ in 0..2 {
            let second = random.below(12);
            disk.cut_power_at(second);
            // A recovery that was cut short may fail or not; what it leaves must be sound.
            if let Ok((store, _)) = support::open(&disk, &ran.clock) {
                let _ = runtime().block_on(store.close());
            }
            disk.cut_power();
            count.one("crashes: during recovery");
            disk = disk.reboot(random.next());
        }
        self.check(
            &disk,
            ran,
            &format!("{what}, then again in recovery"),
            count,
        );
    }

    /// Every operation of the history fails once.
    fn faults(&self) -> Count {
        let mut count = Count::default();
        for at in 0..self.operations() {
            self.io_error(at, &mut count);
            self.full(at, &mut count);
        }
        count
    }

    /// EIO: what was acknowledged before and after is there, after a restart of the program alone
    /// and after a power cut.
    fn io_error(&self, at: u64, count: &mut Count) {
        let disk = SimDisk::new(self.seed);
        disk.fail_at(at, Fault::Io);
        let what = format!("EIO at operation {at}");
        let ran = runtime().block_on(self.run(&disk));
        let ran = ran.unwrap_or_else(|error| self.broken(&what, &error));
        count.one("EIO: histories");
        count.more(
            "EIO: stores that stopped",
            u64::from(ran.stopped == Stopped::DiskFailed),
        );
        self.check(
            &disk.restart(),
            &ran,
            &format!("{what}, then a restart"),
            count,
        );
        count.one("crashes: power cuts after EIO");
        let found = disk.reboot(self.seed * 37 + at);
        self.check(&found, &ran, &format!("{what}, then a power cut"), count);
        // The restart sees in memory what never reached the disk; then the power goes.
        let next = disk.restart();
        let opened = support::open(&next, &ran.clock);
        if let Ok((store, _)) = opened {
            drop(store);
            next.cut_power();
            count.one("crashes: power cuts after EIO and a restart");
            let found = next.reboot(self.seed * 41 + at);
            self.check(
                &found,
                &ran,
                &format!("{what}, a restart, then a power cut"),
                count,
            );
        }
    }

    /// ENOSPC: the operation says so, did nothing, and the store goes on once there is room.
    fn full(&self, at: u64, count: &mut Count) {
        let disk = SimDisk::new(self.seed);
        disk.fail_at(at, Fault::Full);
        let what = format!("ENOSPC at operation {at}");
        let ran = runtime().block_on(self.run(&disk));
        let ran = ran.unwrap_or_else(|error| self.broken(&what, &error));
        count.one("ENOSPC: histories");
        count.more(
            "ENOSPC: stores that stopped",
            u64::from(ran.stopped == Stopped::DiskFailed),
        );
        self.check(
            &disk.restart(),
            &ran,
            &format!("{what}, then a restart"),
            count,
        );
        count.one("crashes: power cuts after ENOSPC");
        let found = disk.reboot(self.seed * 43 + at);
        self.check(&found, &ran, &format!("{what}, then a power cut"), count);
    }

    fn check(&self, disk: &SimDisk, ran: &Ran, what: &str, count: &mut Count) {
        let checked = runtime().block_on(check(disk, &ran.clock, &ran.writers, count));
        checked.unwrap_or_else(|error| self.broken(what, &error))
    }

    fn broken(&self, what: &str, error: &str) -> ! {
        panic!("seed {}, {:?}, {what}: {error}", self.seed, self.shape)
    }
}

/// Steps of care until there is no more to do.
async fn maintain(store: &Store) -> Result<Stopped, String> {
    for _ in 0..1000 {
        match store.maintain().await {
            Ok(true) => {}
            Ok(false) => return Ok(Stopped::Finished),
            Err(facteur_store::Error::DiskFull) => return Ok(Stopped::Finished),
            Err(facteur_store::Error::Disk(_)) => return Ok(Stopped::DiskFailed),
            Err(error) => return Err(format!("maintain: {error}")),
        }
    }
    Err("maintain never ends".to_owned())
}
