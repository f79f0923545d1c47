//! A body on its way in: the same bytes go to the spool, which hashes and keeps them, and to the
//! scanner, which reads what will be asked about them later. Never whole in memory.

use std::fmt;

use facteur_message::{Facts, Scanner};
use facteur_store::{Error, NewBody, Spool, Store};

/// Bodies of SMTP, LMTP, APPEND, and what the server writes itself.
pub struct Intake {
    spool: Spool,
    scanner: Scanner,
    /// The first bytes, for who looks into the message before it is stored.
    head: Vec<u8>,
    head_max: usize,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Intake {
    /// Fails at once when the disk is full or the announced size is over the limit.
    pub fn new(store: &Store, size_hint: Option<u64>) -> Result<Self, Error> {
        Ok(Intake {
            spool: store.spool(size_hint)?,
            scanner: Scanner::new(),
            head: Vec::new(),
            head_max: 0,
        })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.scanner.push(bytes);
        let room = self.head_max.saturating_sub(self.head.len());
        let wanted = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.head.extend_from_slice(wanted);
        self.spool.write(bytes).await
    }

    /// Keeps so many of the first bytes.
    pub fn keep_head(mut self, bytes_max: usize) -> Self {
        self.head_max = bytes_max;
        self
    }

    /// The first bytes that were kept.
    pub fn take_head(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.head)
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.spool.size()
    }

    pub async fn finish(self) -> Result<(NewBody, Facts), Error> {
        let body = self.spool.finish().await?;
        let facts = self.scanner.finish();
        let new = NewBody {
            body,
            facts: facts.encode(),
            thread_keys: facts.thread_keys.clone(),
            subject_key: facts.subject_key,
        };
        Ok((new, facts))
    }

    /// A small message at once.
    pub async fn whole(store: &Store, bytes: &[u8]) -> Result<(NewBody, Facts), Error> {
        let hint = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut intake = Intake::new(store, Some(hint))?;
        intake.write(bytes).await?;
        intake.finish().await
    }
}
