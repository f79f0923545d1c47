//! What the model test and the crash test share: operations as data that run on the store and on
//! the model, their random choice, and the comparison of a whole store with a model.
#![allow(dead_code, reason = "each test uses its part")]

pub mod choose;
pub mod compare;
pub mod op;

use std::sync::Arc;

use facteur_sim::model;
use facteur_sim::{Random, SimDisk, VirtualClock};
use facteur_store::{Error, NewBody, Options, Recovery, Store};

/// Small limits, so that short histories meet them.
pub fn options() -> Options {
    Options {
        reserved_bytes: 0,
        sweep_rows_min: 2,
        ..Options::default()
    }
}

pub fn open(disk: &SimDisk, clock: &Arc<VirtualClock>) -> Result<(Store, Recovery), Error> {
    Store::open(Arc::new(disk.clone()), clock.clone(), options())
}

/// A body that can be made again from its description.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodySpec {
    pub seed: u64,
    pub size: usize,
    /// Text that shrinks when compressed, or noise that does not.
    pub text: bool,
}

impl BodySpec {
    pub fn bytes(self) -> Vec<u8> {
        let mut random = Random::new(self.seed);
        let mut bytes = format!("Subject: {:016x}\r\n\r\n", random.next()).into_bytes();
        if self.text {
            while bytes.len() < self.size {
                bytes.extend_from_slice(format!("line {}\r\n", random.below(50)).as_bytes());
            }
        } else {
            let mut noise = vec![0; self.size.saturating_sub(bytes.len())];
            random.fill(&mut noise);
            bytes.extend_from_slice(&noise);
        }
        bytes.truncate(self.size.max(30));
        bytes
    }

    pub fn facts(self) -> Vec<u8> {
        format!("facts of {}", self.seed).into_bytes()
    }

    pub fn thread_keys(self) -> Vec<u64> {
        vec![self.seed, self.seed / 3]
    }

    pub fn subject_key(self) -> u64 {
        self.seed / 9
    }

    /// Through the spool, in pieces.
    pub async fn to_store(self, store: &Store) -> Result<NewBody, Error> {
        let bytes = self.bytes();
        let mut spool = store.spool(Some(bytes.len() as u64))?;
        for piece in bytes.chunks(self.size / 3 + 1000) {
            spool.write(piece).await?;
        }
        assert_eq!(spool.size(), bytes.len() as u64);
        let body = spool.finish().await?;
        assert_eq!(body.size(), bytes.len() as u64);
        Ok(NewBody {
            body,
            facts: self.facts(),
            thread_keys: self.thread_keys(),
            subject_key: self.subject_key(),
        })
    }

    pub fn to_model(self) -> model::Body {
        let bytes = self.bytes();
        let id = facteur_store::BlobId(*blake3::hash(&bytes).as_bytes());
        model::Body {
            id,
            bytes: bytes.into(),
            facts: self.facts().into(),
        }
    }
}

pub fn same_kind(a: &Error, b: &Error) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// A number from the environment, for runs by hand.
pub fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}
