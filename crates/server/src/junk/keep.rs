//! What was learned, as rows of a derived file.
//!
//! | key | row |
//! |---|---|
//! | 1, model key | the server's model |
//! | 2, account, model key | an account's own model |
//! | 3, account | how far its changes were followed: modseq, uid in INBOX |
//! | 4, account, hash | an address that it wrote to |
//! | 5, account, hash | an address that wrote to it |
//! | 6, kind, hash | good and junk of an address, a network, a domain or a signer |
//! | 7 | how many rows of kind 6 there are |

use std::ops::ControlFlow;
use std::sync::Arc;

use facteur_filter::{Label, Model, Past};
use facteur_store::{AccountId, Derived, Error, ModSeq};

use super::origin::Origin;
use crate::limits::JUNK_PASTS_MAX;

/// The format is part of the name: another one begins empty.
pub(super) const FILE: &str = "junk-1.redb";

const SERVER: u8 = 1;
const ACCOUNT: u8 = 2;
const CURSOR: u8 = 3;
const WROTE_TO: u8 = 4;
const HAD_FROM: u8 = 5;
const PAST: u8 = 6;
const PASTS: u8 = 7;

#[derive(Debug)]
pub(super) struct Keep {
    file: Arc<Derived>,
}

/// How far an account was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) modseq: ModSeq,
    /// Messages of INBOX up to this uid are settled.
    pub(super) settled: u32,
}

/// Of one message's origin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pasts {
    pub(super) address: Past,
    pub(super) network: Past,
    pub(super) domain: Past,
    pub(super) signer: Past,
}

impl Keep {
    pub(super) fn new(file: Arc<Derived>) -> Self {
        Keep { file }
    }

    pub(super) fn server(&self) -> Result<Model, Error> {
        self.model(Model::of_server(), &[SERVER])
    }

    pub(super) fn account(&self, account: AccountId) -> Result<Model, Error> {
        self.model(Model::of_account(), &key(ACCOUNT, account, &[]))
    }

    fn model(&self, mut model: Model, prefix: &[u8]) -> Result<Model, Error> {
        self.file
            .view()?
            .scan(prefix, &after(prefix), |key, value| {
                model.restore(key.get(prefix.len()..).unwrap_or_default(), value);
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(model)
    }

    /// Writes what models learned since the last time; not flushed.
    pub(super) fn save(
        &self,
        server: &mut Model,
        own: Option<(AccountId, &mut Model)>,
    ) -> Result<(), Error> {
        let mut rows = prefixed(&[SERVER], server.take_changes());
        if let Some((account, model)) = own {
            rows.extend(prefixed(&key(ACCOUNT, account, &[]), model.take_changes()));
        }
        self.file.apply(&[], &rows)
    }

    pub(super) fn flush(&self) -> Result<(), Error> {
        self.file.flush()
    }

    pub(super) fn forget(&self, account: AccountId) -> Result<(), Error> {
        let spans = [ACCOUNT, CURSOR, WROTE_TO, HAD_FROM].map(|kind| {
            let first = key(kind, account, &[]);
            let end = after(&first);
            (first, end)
        });
        self.file.apply(&spans, &[])
    }

    pub(super) fn cursor(&self, account: AccountId) -> Result<Option<Cursor>, Error> {
        let value = self.file.view()?.get(&key(CURSOR, account, &[]))?;
        Ok(value.and_then(|value| {
            let (modseq, settled) = value.split_first_chunk::<8>()?;
            Some(Cursor {
                modseq: ModSeq(u64::from_be_bytes(*modseq)),
                settled: u32::from_be_bytes(settled.try_into().ok()?),
            })
        }))
    }

    pub(super) fn set_cursor(&self, account: AccountId, cursor: Cursor) -> Result<(), Error> {
        let mut value = cursor.modseq.0.to_be_bytes().to_vec();
        value.extend_from_slice(&cursor.settled.to_be_bytes());
        self.file.apply(&[], &[(key(CURSOR, account, &[]), value)])
    }

    /// Whether the account had mail from there, and whether it wrote there.
    pub(super) fn relation(
        &self,
        account: AccountId,
        address: &str,
    ) -> Result<(bool, bool), Error> {
        let view = self.file.view()?;
        let has = |kind| -> Result<bool, Error> {
            Ok(view.get(&key(kind, account, &hash(address)))?.is_some())
        };
        Ok((has(HAD_FROM)?, has(WROTE_TO)?))
    }

    pub(super) fn note_wrote_to(
        &self,
        account: AccountId,
        addresses: &[String],
    ) -> Result<(), Error> {
        self.note(WROTE_TO, account, addresses)
    }

    pub(super) fn note_had_from(
        &self,
        account: AccountId,
        addresses: &[String],
    ) -> Result<(), Error> {
        self.note(HAD_FROM, account, addresses)
    }

    fn note(&self, kind: u8, account: AccountId, addresses: &[String]) -> Result<(), Error> {
        let rows: Vec<_> = addresses
            .iter()
            .map(|address| (key(kind, account, &hash(address)), Vec::new()))
            .collect();
        self.file.apply(&[], &rows)
    }

    pub(super) fn pasts(&self, origin: &Origin) -> Result<Pasts, Error> {
        let [address, network, domain, signer] = [0, 1, 2, 3].map(|kind| self.past(kind, origin));
        Ok(Pasts {
            address: address?,
            network: network?,
            domain: domain?,
            signer: signer?,
        })
    }

    fn past(&self, kind: u8, origin: &Origin) -> Result<Past, Error> {
        let Some(key) = past_key(kind, origin) else {
            return Ok(Past::default());
        };
        let value = self.file.view()?.get(&key)?;
        Ok(value.as_deref().and_then(decode_past).unwrap_or_default())
    }

    /// Somebody judged a message from there.
    pub(super) fn note_past(&self, origin: &Origin, label: Label) -> Result<(), Error> {
        let count = self.file.view()?.get(&[PASTS])?;
        let count = count.and_then(|value| Some(u32::from_be_bytes(value.try_into().ok()?)));
        let mut count = count.unwrap_or(0);
        let mut rows = Vec::new();
        for kind in 0..4 {
            let Some(key) = past_key(kind, origin) else {
                continue;
            };
            let value = self.file.view()?.get(&key)?;
            let known = value.as_deref().and_then(decode_past);
            if known.is_none() {
                if count >= JUNK_PASTS_MAX {
                    continue;
                }
                count += 1;
            }
            let mut past = known.unwrap_or_default();
            match label {
                Label::Good => past.good += 1.0,
                Label::Junk => past.junk += 1.0,
            }
            if past.good + past.junk > PAST_MAX {
                // What was long ago counts less.
                past.good /= 2.0;
                past.junk /= 2.0;
            }
            rows.push((key, encode_past(past)));
        }
        rows.push((vec![PASTS], count.to_be_bytes().to_vec()));
        self.file.apply(&[], &rows)
    }
}

const PAST_MAX: f32 = 100.0;

type Row = (Vec<u8>, Vec<u8>);

fn prefixed(prefix: &[u8], rows: Vec<Row>) -> Vec<Row> {
    let with = |(key, value): Row| ([prefix, &key].concat(), value);
    rows.into_iter().map(with).collect()
}

fn key(kind: u8, account: AccountId, rest: &[u8]) -> Vec<u8> {
    [&[kind][..], &account.0.to_be_bytes(), rest].concat()
}

/// The first key after all that begin with `prefix`, which ends in no 255s throughout.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

fn hash(text: &str) -> [u8; 8] {
    twox_hash::XxHash3_64::oneshot(text.as_bytes()).to_be_bytes()
}

fn past_key(kind: u8, origin: &Origin) -> Option<Vec<u8>> {
    let text = match kind {
        0 => origin.address.as_deref(),
        1 => origin.network.as_deref(),
        2 => origin.domain.as_deref(),
        _ => origin.signer.as_deref(),
    }?;
    Some([&[PAST, kind][..], &hash(text)].concat())
}

fn encode_past(past: Past) -> Vec<u8> {
    [past.good.to_le_bytes(), past.junk.to_le_bytes()].concat()
}

fn decode_past(value: &[u8]) -> Option<Past> {
    let (good, junk) = value.split_first_chunk::<4>()?;
    let past = Past {
        good: f32::from_le_bytes(*good),
        junk: f32::from_le_bytes(junk.try_into().ok()?),
    };
    (past.good.is_finite() && past.junk.is_finite()).then_some(past)
}
