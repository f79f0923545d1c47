//! How fast the store is on this disk, beside the raw journal: one appended file, groups of
//! writers, one fdatasync each. `cargo run --release --example measure -- DIRECTORY`
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use facteur_store::*;

const BODY_BYTES: usize = 4096;
const ROUND: Duration = Duration::from_secs(3);

fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut step = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b' ' + (state % 90) as u8
    };
    (0..BODY_BYTES).map(|_| step()).collect()
}

fn raw(disk: &dyn Disk, writers: usize) -> f64 {
    let file = disk.open("raw", true).unwrap();
    file.set_len(0).unwrap();
    let group: Vec<u8> = (0..writers).flat_map(|seed| noise(seed as u64)).collect();
    let (start, mut groups) = (Instant::now(), 0);
    while start.elapsed() < ROUND {
        let offset = (groups * group.len()) as u64;
        file.write_all_at(&group, offset).unwrap();
        file.sync_data().unwrap();
        groups += 1;
    }
    let rate = (groups * writers) as f64 / start.elapsed().as_secs_f64();
    disk.remove("raw").unwrap();
    rate
}

async fn deliver(store: Store, account: AccountId, seed: u64) {
    let mut spool = store.spool(None).unwrap();
    spool.write(&noise(seed)).await.unwrap();
    let body = NewBody {
        body: spool.finish().await.unwrap(),
        facts: vec![b'f'; 400],
        thread_keys: vec![seed],
        subject_key: 0,
    };
    let delivery = Delivery {
        account,
        mailbox: "INBOX".to_owned(),
        message: NewMessage {
            prefix: vec![b'p'; 200],
            flags: FlagNames::default(),
            internal_date: None,
        },
    };
    store.deliver(body, vec![delivery], vec![]).await.unwrap();
}

async fn deliveries(store: &Store, accounts: &[AccountId], writers: u64) -> f64 {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let (store, accounts) = (store.clone(), accounts.to_vec());
        tasks.push(tokio::spawn(async move {
            let mut count = 0u64;
            while start.elapsed() < ROUND {
                let account = accounts[(writer as usize) % accounts.len()];
                let seed = (start.elapsed().as_nanos() as u64) ^ (writer << 48) ^ count;
                deliver(store.clone(), account, seed).await;
                count += 1;
            }
            count
        }));
    }
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    total as f64 / start.elapsed().as_secs_f64()
}

/// CPU seconds of the process and of the store's writer thread so far (Linux).
fn cpu_seconds() -> (f64, f64) {
    let of = |path: &std::path::Path| {
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = |n| {
            fields
                .split_whitespace()
                .nth(n)
                .and_then(|f| f.parse().ok())
        };
        let ticks: f64 = ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0);
        (ticks / 100.0, stat.contains("(store-writer)"))
    };
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let writer = tasks
        .map(|task| of(&task.path().join("stat")))
        .filter(|(_, own)| *own);
    let writer = writer.map(|(seconds, _)| seconds).sum();
    (of("/proc/self/stat".as_ref()).0, writer)
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let disk = RealDisk::open(directory).unwrap();
    let clock = Arc::new(SystemClock::new());
    let raws: Vec<f64> = [1, 16, 64].iter().map(|n| raw(&*disk, *n)).collect();
    let (store, recovery) = Store::open(disk, clock, Options::default()).unwrap();
    println!("{recovery:?}");
    let mut accounts = Vec::new();
    for number in 0..64 {
        let new = NewAccount {
            address: format!("p{number}-{}@example.test", store.accounts().unwrap().len()),
            display_name: String::new(),
            credentials: Credentials::default(),
            quota_bytes: None,
            language: "en".to_owned(),
        };
        accounts.push(store.create_account(new).await.unwrap());
    }
    for (writers, raw) in [1, 16, 64].into_iter().zip(raws) {
        let before = cpu_seconds();
        let rate = deliveries(&store, &accounts, writers).await;
        let after = cpu_seconds();
        let thousands = rate * ROUND.as_secs_f64() / 1000.0;
        let (all, writer) = (after.0 - before.0, after.1 - before.1);
        println!(
            "  CPU seconds per 1,000: {:.3}, of which the writer thread {:.3}",
            all / thousands,
            writer / thousands
        );
        println!(
            "{writers} writers: raw {raw:.0}/s, delivered {rate:.0}/s, ratio {:.2}",
            rate / raw
        );
    }
    large_mailbox(&store, accounts[0]).await;
    store.close().await.unwrap();
}

async fn large_mailbox(store: &Store, account: AccountId) {
    let big = store.create_mailbox(account, "big", None).await.unwrap();
    let mut spool = store.spool(None).unwrap();
    spool.write(b"Subject: x\r\n\r\n").await.unwrap();
    let body = spool.finish().await.unwrap();
    let start = Instant::now();
    for _ in 0..100 {
        let one = || {
            let body = NewBody {
                body: body.clone(),
                facts: vec![b'f'; 400],
                thread_keys: vec![],
                subject_key: 0,
            };
            let message = NewMessage {
                prefix: vec![],
                flags: FlagNames::default(),
                internal_date: None,
            };
            (body, message)
        };
        store
            .append(account, big, (0..1000).map(|_| one()).collect())
            .await
            .unwrap();
    }
    println!("100,000 appended in {:?}", start.elapsed());
    let start = Instant::now();
    let index = store.index(account, big).unwrap();
    println!("{} rows loaded in {:?}", index.len(), start.elapsed());
    let start = Instant::now();
    let sum: u64 = store
        .index(account, big)
        .unwrap()
        .rows()
        .map(|row| row.size)
        .sum();
    println!("warm, all rows read in {:?} ({sum})", start.elapsed());
    let all = UidSet::from_ranges([(1, u32::MAX)]);
    flags_of_all(store, account, big, &all).await;
    let start = Instant::now();
    let mut count = 0;
    store
        .messages(account, big, &all, &mut |_| {
            count += 1;
            true
        })
        .unwrap();
    println!("{count} messages read in {:?}", start.elapsed());
    let start = Instant::now();
    store.expunge(account, big, None, false).await.unwrap();
    println!("expunged in {:?}", start.elapsed());
}

async fn flags_of_all(store: &Store, account: AccountId, big: MailboxId, all: &UidSet) {
    const TIMES: u32 = 20;
    let mut shortest = Duration::MAX;
    let before = cpu_seconds().0;
    for time in 0..TIMES {
        let edit = [FlagEdit::Add, FlagEdit::Remove][time as usize % 2];
        let seen = FlagNames {
            system: SystemFlags::SEEN,
            keywords: vec![],
        };
        let start = Instant::now();
        let edited = store.edit_flags(account, big, all.clone(), edit, seen, None);
        assert_eq!(edited.await.unwrap().changed.span(), 100_000);
        shortest = shortest.min(start.elapsed());
    }
    let milliseconds = (cpu_seconds().0 - before) * 1000.0 / f64::from(TIMES);
    println!("100,000 flags changed in {shortest:?}, the shortest of {TIMES}");
    println!("  CPU milliseconds for one, with merges: {milliseconds:.0}");
}
