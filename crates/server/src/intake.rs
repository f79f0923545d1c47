//! A body on its way in: the same bytes go to the spool, which hashes and keeps them, and to the
//! scanner, which reads what will be asked about them later. Never whole in memory.

use std::fmt;

use facteur_message::{Facts, Scanner};
use facteur_senders::{Seen, Tap};
use facteur_store::{Error, NewBody, Spool, Store};

use crate::drive;
use crate::limits::DKIM_INLINE_BYTES_MAX;

/// Bodies of SMTP, LMTP, APPEND, and what the server writes itself.
pub struct Intake {
    spool: Spool,
    scanner: Scanner,
    /// The first bytes, for who looks into the message before it is stored.
    head: Vec<u8>,
    head_max: usize,
    /// When it will be signed.
    tapped: Option<Box<Tapped>>,
}

/// What a signature will be made of.
struct Tapped {
    tap: Tap,
    size: usize,
    /// Bytes of a large body that the tap has not seen.
    waiting: Vec<u8>,
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
            tapped: None,
        })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.scanner.push(bytes);
        let room = self.head_max.saturating_sub(self.head.len());
        let wanted = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.head.extend_from_slice(wanted);
        if let Some(tapped) = &mut self.tapped
            && tapped.push(bytes)
            && let Some(mut tapped) = self.tapped.take()
        {
            let seeing = drive::blocking(move || {
                tapped.see_waiting();
                Ok(tapped)
            });
            self.tapped = Some(seeing.await?);
        }
        self.spool.write(bytes).await
    }

    /// Keeps so many of the first bytes.
    pub fn keep_head(mut self, bytes_max: usize) -> Self {
        self.head_max = bytes_max;
        self
    }

    /// Looks at it as a signature wants; see [`crate::dkim::fields`].
    pub fn for_signing(mut self) -> Self {
        self.tapped = Some(Box::new(Tapped {
            tap: Tap::for_signing(),
            size: 0,
            waiting: Vec::new(),
        }));
        self
    }

    /// What a signature is made of, once all bytes are there; `None` when none was wanted.
    pub fn take_seen(&mut self) -> Option<Seen> {
        let mut tapped = self.tapped.take()?;
        tapped.see_waiting();
        Some(tapped.tap.finish())
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

impl Tapped {
    /// True: so much waits that it is to be looked at on a thread for that.
    fn push(&mut self, bytes: &[u8]) -> bool {
        self.size = self.size.saturating_add(bytes.len());
        if self.size <= DKIM_INLINE_BYTES_MAX {
            self.tap.push(bytes);
            return false;
        }
        self.waiting.extend_from_slice(bytes);
        self.waiting.len() >= DKIM_INLINE_BYTES_MAX
    }

    fn see_waiting(&mut self) {
        self.tap.push(&self.waiting);
        self.waiting.clear();
    }
}
