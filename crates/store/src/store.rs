//! The store as its users see it: a handle, its settings, opening and closing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::sync::watch;

use crate::engine::{Engine, Shared};
use crate::journal::Segments;
use crate::tx::Tx;
use crate::*;

#[derive(Clone, Debug)]
pub struct Options {
    /// How long what was deleted can be brought back.
    pub retention: Duration,
    /// Bytes of disk kept free: below it, new mail is refused with [`Error::DiskFull`].
    pub reserved_bytes: u64,
    pub message_bytes_max: u64,
    /// From so many messages on a change of flags is kept as one ([`crate::limits::SWEEP_ROWS_MIN`]; tests take
    /// fewer).
    pub sweep_rows_min: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            retention: Duration::from_secs(30 * 24 * 3600),
            reserved_bytes: 256 << 20,
            message_bytes_max: 100 << 20,
            sweep_rows_min: limits::SWEEP_ROWS_MIN,
        }
    }
}

/// What start-up found, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    pub replayed_transactions: u64,
    /// Bytes of a torn tail that were cut (never acknowledged).
    pub torn_bytes: u64,
    pub index_rebuilt: bool,
}

/// A handle; clones share the store. When the last one goes, the writer stops without flushing
/// the index: everything acknowledged is in the journal.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) engine: Arc<Engine>,
}

#[derive(Clone, Debug)]
pub struct NewAccount {
    pub address: String,
    pub display_name: String,
    pub credentials: Credentials,
    pub quota_bytes: Option<u64>,
    pub language: String,
}

/// `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountEdit {
    pub display_name: Option<String>,
    pub disabled: Option<bool>,
    pub credentials: Option<Credentials>,
    pub quota_bytes: Option<Option<u64>>,
    pub language: Option<String>,
    /// `Some(true)`: removed (hidden, erased after retention); `Some(false)`: brought back.
    pub removed: Option<bool>,
}

#[derive(Clone, Debug, Default)]
pub struct MailboxEdit {
    pub subscribed: Option<bool>,
    pub special_use: Option<Option<SpecialUse>>,
}

impl Store {
    /// Recovers, then starts the writer thread.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Store, Recovery), Error> {
        let segments = Arc::new(Segments::new(disk.clone()));
        let recovered = recover::recover(&segments, &clock)?;
        let shared = Shared {
            disk,
            clock,
            options,
            segments,
            index: Arc::new(index::Layered::new(recovered.index)?),
            cache: Default::default(),
            pins: Default::default(),
            watchers: Default::default(),
            account_watchers: Default::default(),
            changed: Default::default(),
            changed_news: watch::Sender::new(0),
            queue_news: watch::Sender::new(0),
            queue_changed: Default::default(),
            available: AtomicU64::new(u64::MAX),
            unmeasured: AtomicU64::new(u64::MAX / 2),
            closed: AtomicBool::new(false),
            poisoned: watch::Sender::new(None),
        };
        shared.refresh_available();
        let engine = Engine::start(Arc::new(shared), recovered.appender)?;
        let store = Store {
            engine: Arc::new(engine),
        };
        Ok((store, recovered.recovery))
    }

    /// Flushes, stops the writer and waits for it; later calls give [`Error::Closed`].
    pub async fn close(&self) -> Result<(), Error> {
        self.engine.close().await
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.engine.shared.clock
    }

    pub fn message_bytes_max(&self) -> u64 {
        self.engine.shared.options.message_bytes_max
    }

    /// Why the store has stopped: after a failure of the disk nothing is written until a restart has
    /// read what the disk holds. Reading goes on.
    pub fn failure(&self) -> Option<Error> {
        self.engine.shared.check_poison().err()
    }

    /// Returns when the store has stopped because of such a failure.
    pub async fn failed(&self) -> Error {
        let mut poisoned = self.engine.shared.poisoned.subscribe();
        match poisoned.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(failure)) => failure.error(),
            // The sender lives as long as `self`.
            _ => std::future::pending().await,
        }
    }

    /// Whether something could be written down now, as far as is known.
    pub fn check_writable(&self) -> Result<(), Error> {
        let shared = &self.engine.shared;
        shared.check_open()?;
        shared.check_poison()?;
        if shared.is_exhausted() {
            // While nothing is written there is no group that measures again.
            shared.refresh_available();
        }
        if shared.is_exhausted() {
            return Err(Error::DiskFull);
        }
        Ok(())
    }

    /// Writes something that changes nothing, to know that the disk takes and keeps it.
    pub async fn prove_writable(&self) -> Result<(), Error> {
        self.write(|tx| {
            let global = tx.global()?;
            tx.put_global(&global);
            Ok(())
        })
        .await
    }

    /// New mail would be refused now.
    pub fn is_full(&self) -> bool {
        let shared = &self.engine.shared;
        if shared.is_full() {
            // While mail is refused there may be no group that measures again.
            shared.refresh_available();
        }
        shared.is_full()
    }

    /// Removes one row; false: it was not there.
    pub(crate) async fn remove_row(&self, key: Vec<u8>) -> Result<bool, Error> {
        self.write(move |tx| {
            let found = tx.get(&key)?.is_some();
            if found {
                tx.delete(key);
            }
            Ok(found)
        })
        .await
    }

    /// A small transaction.
    pub(crate) async fn write<T, F>(&self, run: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.engine.write(0, run).await
    }
}
