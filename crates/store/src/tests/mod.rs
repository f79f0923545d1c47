//! The store through its own door, on a real directory.

mod care;
mod deliver;
mod flags;
mod forwards;
mod reported;
mod rights;
mod scripts;
mod sent;
mod signing;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::*;

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct TestClock {
    millis: AtomicI64,
    seed: AtomicU64,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        let clock = TestClock::default();
        clock.millis.store(1_700_000_000_000, Ordering::Relaxed);
        Arc::new(clock)
    }

    pub fn advance(&self, duration: Duration) {
        let millis = duration.as_millis() as i64;
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.millis.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed) as u64)
    }

    fn random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = (self.seed.fetch_add(1, Ordering::Relaxed) % 251) as u8;
        }
    }
}

/// A store in a directory of its own.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub clock: Arc<TestClock>,
}

impl Place {
    pub fn new() -> Self {
        Place {
            directory: tempfile::tempdir().unwrap(),
            clock: TestClock::new(),
        }
    }

    pub fn disk(&self) -> Arc<dyn Disk> {
        RealDisk::open(self.directory.path()).unwrap()
    }

    pub fn open(&self) -> (Store, Recovery) {
        let options = Options {
            reserved_bytes: 0,
            ..Options::default()
        };
        Store::open(self.disk(), self.clock.clone(), options).unwrap()
    }

    pub fn try_open(&self) -> Result<(Store, Recovery), Error> {
        Store::open(self.disk(), self.clock.clone(), Options::default())
    }

    pub fn journal_bytes(&self) -> u64 {
        let entries = std::fs::read_dir(self.directory.path().join("journal")).unwrap();
        entries.map(|e| e.unwrap().metadata().unwrap().len()).sum()
    }
}

pub async fn person(store: &Store, name: &str) -> AccountId {
    let new = NewAccount {
        address: format!("{name}@example.test"),
        display_name: name.to_owned(),
        credentials: Credentials::default(),
        quota_bytes: None,
        language: "en".to_owned(),
    };
    store.create_account(new).await.unwrap()
}

pub fn mailbox(store: &Store, account: AccountId, name: &str) -> Mailbox {
    store.mailbox_by_name(account, name).unwrap().unwrap()
}

pub async fn body(store: &Store, bytes: &[u8]) -> NewBody {
    let mut spool = store.spool(None).unwrap();
    for piece in bytes.chunks(10_000) {
        spool.write(piece).await.unwrap();
    }
    NewBody {
        body: spool.finish().await.unwrap(),
        facts: b"facts".to_vec(),
        thread_keys: vec![bytes.len() as u64],
        subject_key: 0,
    }
}

pub fn message(prefix: &[u8]) -> NewMessage {
    NewMessage {
        prefix: prefix.to_vec(),
        flags: FlagNames::default(),
        internal_date: None,
    }
}

pub fn to(account: AccountId, name: &str) -> Delivery {
    Delivery {
        account,
        mailbox: name.to_owned(),
        message: message(b"Return-Path: <>\r\n"),
    }
}

/// `count` messages of their own bytes in INBOX.
pub async fn fill(store: &Store, account: AccountId, count: u32) {
    let inbox = mailbox(store, account, "INBOX").id;
    let mut messages = Vec::new();
    for number in 0..count {
        let text = format!("Subject: {number}\r\n\r\ntext of {number}\r\n");
        messages.push((body(store, text.as_bytes()).await, message(b"P: 1\r\n")));
    }
    store.append(account, inbox, messages).await.unwrap();
}

pub fn read(store: &Store, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    let range = 0..message.body_size;
    store.read_body(message.blob, range, &mut bytes).unwrap();
    bytes
}

/// Bytes that do not compress.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut step = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| step()).collect()
}
