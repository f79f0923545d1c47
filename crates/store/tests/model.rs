//! Random operations on the embedded store and on the reference model: results, records, rows,
//! messages, bodies, change log, tombstones and queue stay the same, also when the store is closed
//! and opened again, and it verifies clean.
//!
//! `MODEL_SEED=n` runs other histories, `MODEL_RUNS=n` more of them.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use facteur_sim::model::Model;
use facteur_sim::{Random, SimDisk, VirtualClock};
use facteur_store::{AccountId, Clock, ModSeq, QueueEntry, Spot, Store};
use support::choose::Chooser;
use support::compare::{Read, compare, forget};
use support::op::Op;
use support::{number, same_kind};

const RUNS: u64 = 60;
const STEPS: usize = 120;

struct Run {
    disk: SimDisk,
    clock: Arc<VirtualClock>,
    store: Store,
    model: Model,
    chooser: Chooser,
    random: Random,
    read: Read,
    done: Vec<Op>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let clock = Arc::new(VirtualClock::new(seed));
        let (store, _) = support::open(&disk, &clock).unwrap();
        let mut chooser = Chooser::new(seed, "m");
        if seed.is_multiple_of(8) {
            // Past one chunk, and past several.
            chooser.body_bytes_max = 300_000;
        }
        Run {
            disk,
            clock,
            store,
            model: Model::default(),
            chooser,
            random: Random::new(!seed),
            read: Read::new(),
            done: Vec::new(),
        }
    }

    async fn step(&mut self) -> Result<(), String> {
        self.clock
            .advance(Duration::from_millis(self.random.below(3000)));
        let now = self.clock.now();
        let op = self.chooser.op(&self.model, now);
        self.done.push(op.clone());
        let store = op.on_store(&self.store).await;
        let adopted = op
            .adopt(&self.store, &self.model)
            .map_err(|error| error.to_string())?;
        let model = op.on_model(&mut self.model, &adopted, now);
        match (&store, &model) {
            (Ok(store), Ok(model)) if store == model => {}
            (Err(store), Err(model)) if same_kind(store, model) => {}
            _ => return Err(format!("results\n  store: {store:?}\n  model: {model:?}")),
        }
        self.since_anywhere()?;
        self.queue().await
    }

    /// The change log from a random point, in one piece and in small ones.
    fn since_anywhere(&mut self) -> Result<(), String> {
        let accounts: Vec<_> = self.model.accounts.keys().copied().collect();
        let Some(account) = accounts.get(self.random.index(accounts.len())).copied() else {
            return Ok(());
        };
        let state = &self.model.accounts[&account];
        let start = ModSeq(self.random.below(state.highest.0 + 1));
        let max = 1 + self.random.index(5);
        let mut since = start;
        let mut found = Vec::new();
        loop {
            let page = self.store.changes_since(account, since, max);
            let page = page.map_err(|error| error.to_string())?;
            if !page.complete {
                return self.forgotten(account, since);
            }
            if page.entries.is_empty() {
                break;
            }
            since = page.up_to;
            found.extend(page.entries);
        }
        found
            .iter_mut()
            .for_each(|entry| entry.mailboxes.sort_by_key(|change| change.mailbox));
        let wanted = state.changes_since(start);
        if found != wanted {
            return Err(format!(
                "changes since {start:?}\n  store: {found:?}\n  model: {wanted:?}"
            ));
        }
        for mailbox in state.mailboxes.keys() {
            let found = self.store.vanished_since(account, *mailbox, start);
            let found = found.map_err(|error| error.to_string())?;
            let wanted = Some(state.vanished_since(*mailbox, start));
            if found != wanted {
                return Err(format!(
                    "vanished from {mailbox:?} since {start:?}\n  store: {found:?}\n  model: {wanted:?}"
                ));
            }
        }
        let current = self.store.watch(account).current();
        if current != state.highest {
            return Err(format!(
                "the watcher is at {current:?}, the model at {:?}",
                state.highest
            ));
        }
        Ok(())
    }

    /// The log may end only where retention does.
    fn forgotten(&self, account: AccountId, since: ModSeq) -> Result<(), String> {
        let kept_since = self.clock.now().before(support::options().retention);
        let state = &self.model.accounts[&account];
        let missed = state.log.iter().find(|change| change.modseq > since);
        match missed {
            Some(change) if change.at <= kept_since => Ok(()),
            _ => Err(format!("changes since {since:?} are not complete")),
        }
    }

    /// Time passes, and what is past retention goes.
    async fn maintain(&mut self) -> Result<(), String> {
        let days = self.random.below(20);
        self.clock.advance(Duration::from_secs(days * 24 * 3600));
        let mut steps = 0;
        while self
            .store
            .maintain()
            .await
            .map_err(|error| error.to_string())?
        {
            steps += 1;
            if steps > 1000 {
                return Err("maintain never ends".to_owned());
            }
        }
        forget(&self.store, &mut self.model)?;
        let kept_since = self.clock.now().before(support::options().retention);
        for (id, state) in &self.model.accounts {
            let old = state.tombstones.iter().find(|stone| stone.at < kept_since);
            if let Some(stone) = old {
                return Err(format!("{id:?}: still there after retention: {stone:?}"));
            }
            let old = state.deleted.iter().find(|(_, (_, at))| *at < kept_since);
            if let Some(old) = old {
                return Err(format!("{id:?}: still there after retention: {old:?}"));
            }
        }
        self.read.clear();
        self.compare()
    }

    /// What is due is given once, until it is given back.
    async fn queue(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let destinations = self
            .store
            .queue_destinations(None, usize::MAX)
            .map_err(|error| error.to_string())?;
        if destinations.iter().cloned().collect::<BTreeSet<_>>() != self.model.queue_destinations()
        {
            return Err(format!(
                "something waits elsewhere than at {destinations:?}"
            ));
        }
        let (mut taken, mut again, mut next) = (Vec::new(), Vec::new(), None);
        for destination in &destinations {
            let look = |from, max| {
                let look = self.store.queue_look(destination, from, now, max);
                look.map_err(|error| error.to_string())
            };
            // One by one, each time from where the last look ended.
            let mut from = Spot::default();
            loop {
                let mut found = look(from, 1)?;
                from = found.from;
                match found.taken.pop() {
                    Some(entry) => taken.push(entry),
                    None => {
                        next = next.into_iter().chain(found.next).min();
                        break;
                    }
                }
            }
            again.extend(look(Spot::default(), 1000)?.taken);
        }
        taken
            .iter()
            .for_each(|entry: &QueueEntry| self.store.queue_release(entry.id));
        let later = self.model.queue_after(now);
        if next != later {
            return Err(format!("next due: store {next:?}, model {later:?}"));
        }
        let wanted = self.model.queue_due(now);
        if taken != wanted || !again.is_empty() {
            return Err(format!(
                "due\n  store: {taken:?}\n  again: {again:?}\n  model: {wanted:?}"
            ));
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        compare(&self.store, &self.model, true, &mut self.read)
    }

    /// Closes the store (or lets it fall) and opens it again, after which nothing is known.
    async fn reopen(&mut self) -> Result<(), String> {
        self.store
            .close()
            .await
            .map_err(|error| error.to_string())?;
        let opened = support::open(&self.disk, &self.clock);
        self.store = opened.map_err(|error| error.to_string())?.0;
        self.read.clear();
        self.compare()
    }

    async fn all(&mut self) -> Result<(), String> {
        for step in 0..STEPS {
            self.step().await?;
            if step % 8 == 0 {
                self.compare()?;
            }
            if self.random.chance(3) {
                self.reopen().await?;
            }
            if self.random.chance(2) {
                self.maintain().await?;
            }
        }
        self.reopen().await?;
        self.store
            .close()
            .await
            .map_err(|error| error.to_string())?;
        let report = Store::verify(Arc::new(self.disk.clone()), self.clock.clone());
        let report = report.map_err(|error| error.to_string())?;
        if !report.faults.is_empty() {
            return Err(format!("verify: {:#?}", report.faults));
        }
        let messages: usize = self
            .model
            .accounts
            .values()
            .map(|a| a.account().messages as usize)
            .sum();
        if report.messages != messages as u64 {
            return Err(format!(
                "verify counts {} messages of {messages}",
                report.messages
            ));
        }
        Ok(())
    }
}

#[test]
fn store_and_model_agree() {
    let first = number("MODEL_SEED", 0);
    for seed in first..first + number("MODEL_RUNS", RUNS) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut run = Run::new(seed);
        if let Err(what) = runtime.block_on(run.all()) {
            let last: Vec<&Op> = run.done.iter().rev().take(6).collect();
            panic!(
                "seed {seed}, step {}: {what}\nlast operations, newest first: {last:?}",
                run.done.len()
            );
        }
    }
}
