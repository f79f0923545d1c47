//! Damage, failing and full disks, one by one: what is wrong is said and named, what still works
//! goes on.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use facteur_sim::{Fault, Random, SimDisk, VirtualClock};
use facteur_store::{
    AccountId, Clock, Disk, Error, FlagEdit, FlagNames, FlagScope, MailboxId, NewMessage, Options,
    Place, Report, Store, SystemFlags, UidSet,
};
use support::BodySpec;
use support::choose::Chooser;
use support::compare::{Read, compare};
use support::op::{Op, Outcome};

const SEGMENT: &str = "journal/00000001.seg";
const INDEX: &str = "index.redb";
const FLIPS: u64 = 150;

/// A store with one account, written to for a while.
struct World {
    disk: SimDisk,
    clock: Arc<VirtualClock>,
    store: Store,
    model: facteur_sim::model::Model,
}

impl World {
    async fn new(seed: u64, steps: usize) -> World {
        let disk = SimDisk::new(seed);
        let clock = Arc::new(VirtualClock::new(seed));
        let (store, _) = support::open(&disk, &clock).unwrap();
        let mut world = World {
            disk,
            clock,
            store,
            model: Default::default(),
        };
        let mut chooser = Chooser::new(seed, "d");
        for _ in 0..steps {
            let op = chooser.op(&world.model, world.clock.now());
            let _ = world.run(op).await;
        }
        world
    }

    async fn run(&mut self, op: Op) -> Result<Outcome, Error> {
        let now = self.clock.now();
        let outcome = op.on_store(&self.store).await?;
        let adopted = op.adopt(&self.store, &self.model)?;
        let wanted = op.on_model(&mut self.model, &adopted, now).unwrap();
        assert_eq!(outcome, wanted);
        Ok(outcome)
    }

    async fn account(&mut self) -> AccountId {
        match self
            .run(Op::CreateAccount("full@example.test".to_owned(), None))
            .await
        {
            Ok(Outcome::Account(account)) => account,
            other => panic!("{other:?}"),
        }
    }

    fn append(account: AccountId, seed: u64, size: usize) -> Op {
        let body = BodySpec {
            seed,
            size,
            text: false,
        };
        let new = NewMessage {
            prefix: Vec::new(),
            flags: FlagNames::default(),
            internal_date: None,
        };
        // INBOX is the first mailbox of an account.
        Op::Append(Place::own(account, MailboxId(1)), vec![(body, new)])
    }

    fn compare(&self) {
        compare(&self.store, &self.model, true, &mut Read::new()).unwrap();
    }
}

fn verify(disk: &SimDisk, clock: &Arc<VirtualClock>) -> Result<Report, Error> {
    Store::verify(Arc::new(disk.clone()), clock.clone())
}

/// Says what is wrong and where.
fn names(result: &Result<Report, Error>, place: &str) -> bool {
    match result {
        Ok(report) => report.faults.iter().any(|fault| fault.contains(place)),
        Err(error) => error.to_string().contains(place),
    }
}

#[tokio::test]
async fn a_flipped_byte_of_the_journal_is_named() {
    let world = World::new(11, 40).await;
    world.store.close().await.unwrap();
    let len = world.disk.content(SEGMENT).unwrap().len();
    let mut random = Random::new(5);
    for _ in 0..FLIPS {
        let at = random.index(len);
        let damaged = world.disk.copy();
        damaged.flip(SEGMENT, at, 1 << random.below(8));
        let told = verify(&damaged, &world.clock);
        assert!(names(&told, SEGMENT), "byte {at} of {len}: {told:?}");
    }
}

/// Without the index everything comes from the journal: damage stops the start, and is not passed
/// over. Only the last group may be taken for a torn tail.
#[tokio::test]
async fn damage_before_acknowledged_records_stops_the_start() {
    let world = World::new(12, 40).await;
    let before_last = world.disk.content(SEGMENT).unwrap().len();
    let mut world = world;
    let account = world.account().await;
    world.run(World::append(account, 77, 2000)).await.unwrap();
    world.disk.cut_power();
    let mut random = Random::new(6);
    for _ in 0..FLIPS {
        let at = random.index(before_last);
        let damaged = world.disk.reboot(random.next());
        damaged.remove(INDEX).unwrap();
        damaged.flip(SEGMENT, at, 1 << random.below(8));
        match support::open(&damaged, &world.clock) {
            Err(Error::Damaged { place, .. }) => assert!(place.contains(SEGMENT), "{place}"),
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

/// The index can always be made again; a damaged one must not lie or bring the process down.
#[tokio::test]
async fn a_damaged_index_is_found_out() {
    let world = World::new(13, 40).await;
    world.store.close().await.unwrap();
    let len = world.disk.content(INDEX).unwrap().len();
    let mut random = Random::new(7);
    let mut told = 0;
    for _ in 0..FLIPS {
        let damaged = world.disk.copy();
        // Several at once: most of the file is empty.
        for _ in 0..20 {
            damaged.flip(INDEX, random.index(len), 1 << random.below(8));
        }
        let verified = catch_unwind(AssertUnwindSafe(|| verify(&damaged, &world.clock)));
        match verified.expect("verify panics") {
            Ok(report) if report.faults.is_empty() => {
                let (store, _) = support::open(&damaged, &world.clock).unwrap();
                compare(&store, &world.model, true, &mut Read::new()).unwrap();
            }
            _ => told += 1,
        }
    }
    assert!(told > 0);
}

#[tokio::test]
async fn without_its_index_the_store_is_the_same() {
    let world = World::new(14, 60).await;
    world.store.close().await.unwrap();
    world.disk.remove(INDEX).unwrap();
    let (store, recovery) = support::open(&world.disk, &world.clock).unwrap();
    assert!(recovery.index_rebuilt);
    compare(&store, &world.model, true, &mut Read::new()).unwrap();
}

#[tokio::test]
async fn a_missing_journal_is_told() {
    let world = World::new(15, 10).await;
    world.store.close().await.unwrap();
    world.disk.remove(SEGMENT).unwrap();
    let told = support::open(&world.disk, &world.clock);
    assert!(matches!(told, Err(Error::Damaged { .. })), "{told:?}");
}

/// RFC 5321 §4.2.5 is a promise: after a flush that failed nothing more is acknowledged.
#[tokio::test]
async fn a_failed_flush_stops_the_store() {
    let mut world = World::new(16, 20).await;
    let account = world.account().await;
    let acknowledged = world.model.clone();
    // An append is one write and one flush.
    world.disk.fail_at(world.disk.operations() + 1, Fault::Io);
    let failed = World::append(account, 1, 1000).on_store(&world.store).await;
    assert!(matches!(failed, Err(Error::Disk(_))), "{failed:?}");
    for op in [
        World::append(account, 2, 1000),
        Op::CreateDomain("x.test".to_owned()),
    ] {
        let failed = op.on_store(&world.store).await;
        assert!(matches!(failed, Err(Error::Disk(_))), "{failed:?}");
    }
    // Reading goes on, and shows what was acknowledged.
    compare(&world.store, &acknowledged, true, &mut Read::new()).unwrap();
    // So does the next start, with the message that was in flight or without it.
    let (store, _) = support::open(&world.disk.restart(), &world.clock).unwrap();
    let messages = store.account(account).unwrap().unwrap().messages;
    assert!(messages <= 1);
    World::append(account, 3, 1000)
        .on_store(&store)
        .await
        .unwrap();
}

/// What a failed store has in memory does not get into its index, though a merge is due.
#[tokio::test]
async fn a_refused_group_is_not_merged() {
    let mut world = World::new(32, 0).await;
    let account = world.account().await;
    let inbox = Place::own(account, MailboxId(1));
    let Op::Append(_, one) = World::append(account, 1, 100) else {
        panic!("not an append");
    };
    let many = one.iter().cycle().take(600).cloned().collect();
    world.run(Op::Append(inbox, many)).await.unwrap();
    let acknowledged = world.model.clone();
    world.clock.advance(Duration::from_secs(31));
    world.disk.fail_at(world.disk.operations() + 1, Fault::Io);
    let seen = FlagNames {
        system: SystemFlags::SEEN,
        keywords: Vec::new(),
    };
    let all = UidSet::from_ranges([(1, u32::MAX)]);
    let flags = Op::EditFlags(inbox, all, (FlagEdit::Add, FlagScope::ALL), seen, None);
    for op in [flags, World::append(account, 2, 1000)] {
        let failed = op.on_store(&world.store).await;
        assert!(matches!(failed, Err(Error::Disk(_))), "{failed:?}");
        compare(&world.store, &acknowledged, true, &mut Read::new()).unwrap();
    }
    let failed = world.store.maintain().await;
    assert!(failed.is_ok(), "{failed:?}");
    compare(&world.store, &acknowledged, true, &mut Read::new()).unwrap();
}

/// The index's file never says that it has what the journal may still lose: chunks of a body that
/// comes in while a merge is due.
#[tokio::test]
async fn a_merge_behind_unflushed_chunks_does_no_harm() {
    let mut world = World::new(31, 0).await;
    let account = world.account().await;
    world.run(World::append(account, 1, 1000)).await.unwrap();
    let mut spool = world.store.spool(None).unwrap();
    let mut noise = vec![0; 200_000];
    Random::new(3).fill(&mut noise);
    // When a chunk is handed over, the one before it has been written, and what came after that
    // one's group before is over.
    spool.write(&noise).await.unwrap();
    world.clock.advance(Duration::from_secs(31));
    spool.write(&noise).await.unwrap();
    for seed in 0..40 {
        let found = world.disk.reboot(seed);
        let (store, _) = support::open(&found, &world.clock).unwrap();
        compare(&store, &world.model, true, &mut Read::new()).unwrap();
        let next = World::append(account, 2, 1000).on_store(&store).await;
        assert!(next.is_ok(), "{next:?}");
        store.close().await.unwrap();
        drop(store);
        assert_eq!(verify(&found, &world.clock).unwrap().faults, [""; 0]);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_the_store_goes_on() {
    let mut world = World::new(17, 20).await;
    let account = world.account().await;
    world.run(World::append(account, 1, 1000)).await.unwrap();
    let mut refused = 0;
    for seed in 0..40 {
        world
            .disk
            .set_capacity(world.disk.used_bytes() + 10_000 * (seed % 3));
        let op = World::append(account, 100 + seed, 20_000);
        match op.on_store(&world.store).await {
            Err(Error::DiskFull) => refused += 1,
            other => panic!("{other:?}"),
        }
        // Nothing of it is there, and what needs no room for bodies still goes once there is some.
        world.compare();
        world.disk.make_room();
        world
            .run(World::append(account, 200 + seed, 500))
            .await
            .unwrap();
    }
    assert_eq!(refused, 40);
    world.compare();
    world.store.close().await.unwrap();
    assert!(verify(&world.disk, &world.clock).unwrap().faults.is_empty());
}

#[tokio::test]
async fn the_reserve_is_for_everything_but_new_mail() {
    let mut world = World::new(18, 0).await;
    let account = world.account().await;
    world.run(World::append(account, 1, 1000)).await.unwrap();
    world.store.close().await.unwrap();
    let options = Options {
        reserved_bytes: 1 << 20,
        ..Options::default()
    };
    let disk = Arc::new(world.disk.clone());
    world
        .disk
        .set_capacity(world.disk.used_bytes() + (1 << 20) - 1);
    world.store = Store::open(disk, world.clock.clone(), options).unwrap().0;
    assert!(world.store.is_full());
    assert!(matches!(world.store.spool(None), Err(Error::DiskFull)));
    let seen = FlagNames {
        system: SystemFlags::SEEN,
        keywords: Vec::new(),
    };
    let uids = UidSet::from_ranges([(1, 1)]);
    let flags = Op::EditFlags(
        Place::own(account, MailboxId(1)),
        uids.clone(),
        (FlagEdit::Add, FlagScope::ALL),
        seen,
        None,
    );
    world.run(flags).await.unwrap();
    world
        .run(Op::Expunge(account, MailboxId(1), Some(uids), false))
        .await
        .unwrap();
    world.disk.make_room();
    // Seen without a write: when mail is all there is, no other group looks.
    assert!(!world.store.is_full());
    world.run(World::append(account, 2, 1000)).await.unwrap();
    world.compare();
}

/// When others filled the disk, nothing is written but all is read, and the store goes on as soon
/// as there is room.
#[tokio::test]
async fn a_disk_filled_by_others_does_not_stop_the_store() {
    let mut world = World::new(23, 0).await;
    let account = world.account().await;
    world.run(World::append(account, 1, 1000)).await.unwrap();
    world.store.close().await.unwrap();
    let options = Options {
        reserved_bytes: 8 << 20,
        ..Options::default()
    };
    let disk = Arc::new(world.disk.clone());
    world.store = Store::open(disk, world.clock.clone(), options).unwrap().0;
    for room in [0, 200, 1_000, 10_000, 100_000, (1 << 20) - 1] {
        world.disk.set_capacity(world.disk.used_bytes() + room);
        for name in 0..20 {
            let op = Op::CreateDomain(format!("{name}.test"));
            let refused = op.on_store(&world.store).await;
            assert!(
                matches!(refused, Err(Error::DiskFull)),
                "{room} {refused:?}"
            );
        }
        world.compare();
        world.disk.make_room();
        let op = Op::CreateDomain(format!("room-{room}.test"));
        world.run(op).await.unwrap();
    }
    world.compare();
    world.store.close().await.unwrap();
    assert!(verify(&world.disk, &world.clock).unwrap().faults.is_empty());
}

/// What is past retention gives its bytes back, and the rest is as it was.
#[tokio::test]
async fn the_compactor_gives_space_back() {
    let mut world = World::new(19, 30).await;
    let account = world.account().await;
    for seed in 0..12 {
        world
            .run(World::append(account, 1000 + seed, 300_000))
            .await
            .unwrap();
    }
    let uids = UidSet::from_ranges([(2, 12)]);
    world
        .run(Op::Expunge(account, MailboxId(1), Some(uids), false))
        .await
        .unwrap();
    let journal = |disk: &SimDisk| -> usize {
        let own = disk
            .paths()
            .into_iter()
            .filter(|path| path.starts_with("journal/"));
        own.filter_map(|path| Some(disk.content(&path)?.len()))
            .sum()
    };
    let before = journal(&world.disk);
    for day in 0..2 {
        world
            .clock
            .advance(Duration::from_secs(day * 40 * 24 * 3600));
        let mut steps = 0;
        while world.store.maintain().await.unwrap() {
            steps += 1;
            assert!(steps < 1000, "maintain never ends");
        }
        if day == 0 {
            assert!(
                journal(&world.disk) >= before,
                "given back before retention ended"
            );
        }
    }
    let after = journal(&world.disk);
    assert!(after < before / 4, "{before} bytes before, {after} after");
    world.compare();
    world.store.close().await.unwrap();
    assert!(verify(&world.disk, &world.clock).unwrap().faults.is_empty());
    let (store, _) = support::open(&world.disk, &world.clock).unwrap();
    compare(&store, &world.model, true, &mut Read::new()).unwrap();
}
