//! The parts of the crash test: writers that remember what was acknowledged, and the check of the
//! store that comes up afterwards.

pub mod scenarios;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use facteur_sim::model::Model;
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{Clock, Error, FlagNames, NewMessage, Place, Store, Timestamp, UidSet};

use crate::support::choose::Chooser;
use crate::support::compare::{Read, compare, forget};
use crate::support::op::Op;
use crate::support::{self, BodySpec, same_kind};

/// What was done, by name.
#[derive(Clone, Debug, Default)]
pub struct Count(BTreeMap<&'static str, u64>);

impl Count {
    pub fn one(&mut self, what: &'static str) {
        self.more(what, 1);
    }

    pub fn more(&mut self, what: &'static str, number: u64) {
        *self.0.entry(what).or_default() += number;
    }

    pub fn add(&mut self, other: &Count) {
        for (what, number) in &other.0 {
            self.more(what, *number);
        }
    }

    pub fn crashes(&self) -> u64 {
        self.0
            .iter()
            .filter(|(what, _)| what.starts_with("crash"))
            .map(|(_, n)| n)
            .sum()
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8} crashes in all", self.crashes())?;
        for (what, number) in &self.0 {
            writeln!(f, "{number:>8} {what}")?;
        }
        Ok(())
    }
}

/// A user of the store with accounts of its own, who knows what was acknowledged.
#[derive(Clone, Debug)]
pub struct Writer {
    chooser: Chooser,
    pub model: Model,
    /// Acknowledged, but the disk went before the model could be told what the store chose.
    owed: Option<(Op, Timestamp)>,
    /// Begun and not acknowledged.
    begun: Option<(Op, Timestamp)>,
    pub acknowledged: u64,
}

/// Why a writer stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stopped {
    Finished,
    DiskFailed,
}

impl Writer {
    pub fn new(seed: u64, label: &str, body_bytes_max: usize) -> Self {
        let mut chooser = Chooser::new(seed, label);
        chooser.body_bytes_max = body_bytes_max;
        Writer {
            chooser,
            model: Model::default(),
            owed: None,
            begun: None,
            acknowledged: 0,
        }
    }

    /// Operations one after the other, until the disk fails.
    pub async fn work(
        &mut self,
        store: &Store,
        clock: &VirtualClock,
        steps: usize,
    ) -> Result<Stopped, String> {
        for _ in 0..steps {
            let now = clock.now();
            let op = self.chooser.op(&self.model, now);
            if self.run(store, op, now).await? == Stopped::DiskFailed {
                return Ok(Stopped::DiskFailed);
            }
        }
        Ok(Stopped::Finished)
    }

    pub async fn run(&mut self, store: &Store, op: Op, now: Timestamp) -> Result<Stopped, String> {
        self.begun = Some((op.clone(), now));
        let result = op.on_store(store).await;
        match result {
            Ok(outcome) => {
                self.begun = None;
                self.acknowledged += 1;
                let Ok(adopted) = op.adopt(store, &self.model) else {
                    self.owed = Some((op, now));
                    return Ok(Stopped::DiskFailed);
                };
                let wanted = op.on_model(&mut self.model, &adopted, now);
                if !wanted.as_ref().is_ok_and(|wanted| *wanted == outcome) {
                    return Err(format!("{op:?}\n  store: {outcome:?}\n  model: {wanted:?}"));
                }
                Ok(Stopped::Finished)
            }
            // Nothing was written: the operation did not happen.
            Err(Error::DiskFull) => {
                self.begun = None;
                Ok(Stopped::Finished)
            }
            Err(Error::Disk(_) | Error::Closed) => Ok(Stopped::DiskFailed),
            Err(error @ Error::Damaged { .. }) => Err(format!("{op:?}: {error}")),
            Err(error) => {
                self.begun = None;
                let adopted = op.adopt(store, &self.model).unwrap_or_default();
                match op.on_model(&mut self.model.clone(), &adopted, now) {
                    Err(wanted) if same_kind(&wanted, &error) => Ok(Stopped::Finished),
                    wanted => Err(format!("{op:?}\n  store: {error}\n  model: {wanted:?}")),
                }
            }
        }
    }

    /// What retention let go of is gone for this writer too.
    pub fn forget(&mut self, store: &Store) {
        // The disk may have failed: then it is told at the next start.
        let _ = forget(store, &mut self.model);
    }

    /// Large messages, most of them expunged.
    pub async fn waste(&mut self, store: &Store, clock: &VirtualClock) -> Result<Stopped, String> {
        let now = clock.now();
        let create = self.chooser.create_account();
        if self.run(store, create, now).await? == Stopped::DiskFailed {
            return Ok(Stopped::DiskFailed);
        }
        let found = self.model.accounts.iter().find_map(|(id, state)| {
            let inbox = state.by_name("INBOX")?;
            Some((*id, inbox.id))
        });
        // The disk may have been full.
        let Some((account, inbox)) = found else {
            return Ok(Stopped::Finished);
        };
        let messages = (0..4).map(|_| {
            let seed = self.chooser.random.next();
            let body = BodySpec {
                seed,
                size: 250_000,
                text: false,
            };
            let new = NewMessage {
                prefix: Vec::new(),
                flags: FlagNames::default(),
                internal_date: None,
            };
            (body, new)
        });
        let append = Op::Append(Place::own(account, inbox), messages.collect());
        let uids = UidSet::from_ranges([(1, 3)]);
        let expunge = Op::Expunge(account, inbox, Some(uids), false);
        for op in [append, expunge] {
            if self.run(store, op, now).await? == Stopped::DiskFailed {
                return Ok(Stopped::DiskFailed);
            }
        }
        Ok(Stopped::Finished)
    }

    /// The store that came up has all that was acknowledged to this writer, and what it had begun
    /// whole or not at all.
    fn check(&mut self, store: &Store, read: &mut Read) -> Result<(), String> {
        if let Some((op, now)) = self.owed.take() {
            let adopted = op
                .adopt(store, &self.model)
                .map_err(|error| error.to_string())?;
            let done = op.on_model(&mut self.model, &adopted, now);
            done.map_err(|error| format!("acknowledged and gone: {op:?}: {error}"))?;
        }
        forget(store, &mut self.model)?;
        let Err(without) = compare(store, &self.model, false, read) else {
            self.begun = None;
            return Ok(());
        };
        let Some((op, now)) = self.begun.take() else {
            return Err(without);
        };
        let adopted = op
            .adopt(store, &self.model)
            .map_err(|error| error.to_string())?;
        let mut with = self.model.clone();
        let done = op.on_model(&mut with, &adopted, now);
        done.map_err(|error| format!("{without}\n-- and {op:?} was not done: {error}"))?;
        compare(store, &with, false, read)
            .map_err(|with| format!("without {op:?}: {without}\n-- with it: {with}"))?;
        self.model = with;
        Ok(())
    }
}

/// Opens the store on a disk as it was found, and checks everything.
pub async fn check(
    disk: &SimDisk,
    clock: &Arc<VirtualClock>,
    writers: &[Writer],
    count: &mut Count,
) -> Result<(), String> {
    let opened = support::open(disk, clock);
    let (store, recovery) = opened.map_err(|error| format!("does not open: {error}"))?;
    count.more("transactions replayed", recovery.replayed_transactions);
    count.more("torn tails cut", u64::from(recovery.torn_bytes > 0));
    count.more("indexes built again", u64::from(recovery.index_rebuilt));
    let mut read = Read::new();
    let mut writers = writers.to_vec();
    for writer in &mut writers {
        writer.check(&store, &mut read)?;
        count.more("acknowledged operations found", writer.acknowledged);
    }
    // It goes on working.
    for writer in &mut writers {
        let stopped = writer.work(&store, clock, 2).await?;
        if stopped != Stopped::Finished {
            return Err("the store does not go on".to_owned());
        }
        compare(&store, &writer.model, false, &mut read)?;
    }
    store
        .close()
        .await
        .map_err(|error| format!("close: {error}"))?;
    verify(disk, clock)?;
    count.one("verified clean");
    Ok(())
}

pub fn verify(disk: &SimDisk, clock: &Arc<VirtualClock>) -> Result<(), String> {
    let report = Store::verify(Arc::new(disk.clone()), clock.clone());
    let report = report.map_err(|error| format!("verify: {error}"))?;
    if report.faults.is_empty() {
        Ok(())
    } else {
        Err(format!("verify: {:#?}", report.faults))
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}
