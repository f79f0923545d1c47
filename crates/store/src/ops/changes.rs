//! The change log: what happened since, and waiting for more.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::engine::lock;
use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::limits::NEWS_ENTRIES_MAX;
use crate::rows::{self, State};
use crate::*;

/// Everything after a modseq. `complete` is false when the log no longer reaches back that far:
/// compare states instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    pub complete: bool,
    /// Ask again from here.
    pub up_to: ModSeq,
    pub entries: Vec<Change>,
}

/// What the watchers of an account are told.
#[derive(Clone, Debug)]
pub struct News {
    modseq: ModSeq,
    /// What the first of them read in the log: the others mostly ask the same.
    read: Arc<OnceLock<Read>>,
}

#[derive(Debug)]
struct Read {
    since: ModSeq,
    changes: Arc<Changes>,
}

impl News {
    pub fn new(modseq: ModSeq) -> Self {
        News {
            modseq,
            read: Arc::default(),
        }
    }
}

/// Waits for news of one account.
#[derive(Clone, Debug)]
pub struct Watcher {
    account: AccountId,
    receiver: watch::Receiver<News>,
}

impl Watcher {
    /// The account's newest durable modseq.
    pub fn current(&self) -> ModSeq {
        self.receiver.borrow().modseq
    }

    /// As [`Store::changes_since`], and at least up to `newest`, which is a modseq that the caller
    /// has seen. Many watchers with the same question cost one look at the log.
    pub fn changes_since(
        &self,
        store: &Store,
        since: ModSeq,
        newest: ModSeq,
        entries_max: usize,
    ) -> Result<Arc<Changes>, Error> {
        let read = Arc::clone(&self.receiver.borrow().read);
        if let Some(read) = read.get()
            && read.since == since
            && read.changes.up_to >= newest
            && read.changes.entries.len() < entries_max
        {
            return Ok(Arc::clone(&read.changes));
        }
        let changes = Arc::new(store.changes_since(self.account, since, entries_max)?);
        if changes.entries.len() < entries_max.min(NEWS_ENTRIES_MAX) {
            let changes = Arc::clone(&changes);
            // Somebody else was quicker: theirs is as good.
            let _ = read.set(Read { since, changes });
        }
        Ok(changes)
    }

    /// Returns the newest modseq once it is past `seen`; for ever when the store closes... then [`Error::Closed`].
    pub async fn past(&mut self, seen: ModSeq) -> Result<ModSeq, Error> {
        let news = self.receiver.wait_for(|news| news.modseq > seen).await;
        news.map(|news| news.modseq).map_err(|_| Error::Closed)
    }
}

/// Waits for changes of one account's record: its password, disabled, removed, erased.
#[derive(Clone, Debug)]
pub struct AccountWatcher {
    receiver: watch::Receiver<u64>,
}

impl AccountWatcher {
    /// Whether the record changed since the last question.
    pub fn has_changed(&mut self) -> bool {
        let changed = self.receiver.has_changed().unwrap_or(false);
        if changed {
            self.receiver.mark_unchanged();
        }
        changed
    }

    /// Returns when the record changed since the last question; for ever when the store closes.
    pub async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Learns which accounts change; there is one at a time.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    receiver: watch::Receiver<u64>,
}

impl Follower {
    /// Accounts that changed or were erased since the last time, once there are some; each once however much it
    /// changed. The caller also waits for the end: nothing comes after the store closed.
    pub async fn next(&mut self) -> Vec<AccountId> {
        loop {
            self.receiver.borrow_and_update();
            let changed = std::mem::take(&mut *lock(&self.store.engine.shared.changed));
            if !changed.is_empty() {
                return changed.into_iter().collect();
            }
            // The sender lives as long as the store, which this holds.
            let _ = self.receiver.changed().await;
        }
    }
}

impl Store {
    pub fn follow(&self) -> Follower {
        Follower {
            receiver: self.engine.shared.changed_news.subscribe(),
            store: self.clone(),
        }
    }

    /// At most `entries_max` entries after `since`, oldest first; `up_to` is the last one given,
    /// or the account's newest modseq when nothing is left out.
    pub fn changes_since(
        &self,
        account: AccountId,
        since: ModSeq,
        entries_max: usize,
    ) -> Result<Changes, Error> {
        let view = self.settled_view()?;
        let state = state(&view, account)?;
        let mut entries = Vec::new();
        let mut cut = false;
        log_after(&view, account, since, |change| {
            cut = entries.len() >= entries_max;
            if !cut {
                entries.push(change);
            }
            !cut
        })?;
        let up_to = match entries.last() {
            Some(last) if cut => last.modseq,
            None if cut => since,
            _ => state.highest_modseq.max(since),
        };
        Ok(Changes {
            complete: since >= state.log_floor,
            up_to,
            entries,
        })
    }

    /// Uids of the mailbox expunged after `since`, for QRESYNC VANISHED (EARLIER); `None`: the log
    /// does not reach back. Those of a mailbox that was deleted and restored meanwhile are among them, though they are
    /// there again.
    pub fn vanished_since(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        since: ModSeq,
    ) -> Result<Option<UidSet>, Error> {
        let view = self.settled_view()?;
        if since < state(&view, account)?.log_floor {
            return Ok(None);
        }
        let mut ranges = Vec::new();
        log_after(&view, account, since, |change| {
            for change in change.mailboxes {
                if change.mailbox == mailbox {
                    ranges.extend_from_slice(change.expunged.ranges());
                }
            }
            true
        })?;
        Ok(Some(UidSet::from_ranges(ranges)))
    }

    /// An account that does not exist has no news.
    pub fn watch(&self, account: AccountId) -> Watcher {
        let shared = &self.engine.shared;
        let mut watchers = lock(&shared.watchers);
        let sender = watchers.entry(account).or_insert_with(|| {
            // Read under the lock: the writer announces under it, so nothing is missed.
            let state = state(&shared.index.view(), account).unwrap_or_default();
            watch::Sender::new(News::new(state.highest_modseq))
        });
        let receiver = sender.subscribe();
        if shared.check_open().is_err() {
            watchers.clear();
        }
        Watcher { account, receiver }
    }

    /// What is changed after this call is told of; who asked before it reads the record again.
    pub fn watch_account(&self, account: AccountId) -> AccountWatcher {
        let mut watchers = lock(&self.engine.shared.account_watchers);
        let sender = watchers
            .entry(account)
            .or_insert_with(|| watch::Sender::new(0));
        AccountWatcher {
            receiver: sender.subscribe(),
        }
    }
}

fn state(view: &View, account: AccountId) -> Result<State, Error> {
    let value = view.get(&keys::state(account))?;
    State::decode(&value.ok_or(Error::NoSuchAccount)?)
}

/// Entries after `since`, oldest first, until `each` says false.
fn log_after(
    view: &View,
    account: AccountId,
    since: ModSeq,
    mut each: impl FnMut(Change) -> bool,
) -> Result<(), Error> {
    let Some(first) = since.0.checked_add(1) else {
        return Ok(());
    };
    let first = keys::log(account, ModSeq(first));
    let (_, end) = keys::whole_family(account, Family::Log);
    view.scan(&first, &end, |key, value| {
        let Some(Name::Account(_, _, rest)) = keys::parse(key) else {
            return Ok(ControlFlow::Break(()));
        };
        let modseq = keys::modseq(rest).unwrap_or_default();
        let change = rows::decode_change(value, modseq)?;
        Ok(if each(change) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })
}
