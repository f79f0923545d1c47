//! News of one account, as one user hears them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use facteur_store::{AccountId, Change, Changes, Error, ModSeq, RecordChange, Store, Watcher};

use super::handle::{Handle, Key};
use super::{Asked, Door, TREE};

/// An account whose news a session hears.
#[derive(Debug)]
pub(in crate::imap) struct Source {
    account: AccountId,
    viewer: AccountId,
    watcher: Watcher,
}

impl Source {
    pub(super) fn new(store: &Store, account: AccountId, viewer: AccountId) -> Self {
        Source {
            account,
            viewer,
            watcher: store.watch(account),
        }
    }

    /// The newest modseq.
    pub(in crate::imap) fn current(&self) -> ModSeq {
        self.watcher.current()
    }

    pub(in crate::imap) async fn past(&mut self, seen: ModSeq) -> Result<ModSeq, Error> {
        self.watcher.past(seen).await
    }

    pub(in crate::imap) fn is_same(&self, other: &Source) -> bool {
        self.account == other.account
    }

    /// As [`Watcher::changes_since`].
    pub(in crate::imap) fn changes_since(
        &self,
        store: &Store,
        since: ModSeq,
        newest: ModSeq,
        entries_max: usize,
    ) -> Result<Arc<Changes>, Error> {
        self.watcher
            .changes_since(store, since, newest, entries_max)
    }

    /// Whether an entry is about the account itself: its annotations, rights in its whole tree, or
    /// what others share with it.
    pub(in crate::imap) fn touches_account(&self, change: &Change) -> bool {
        let mut changes = change.mailboxes.iter();
        changes.any(|change| change.mailbox == TREE && change.record == Some(RecordChange::Updated))
    }

    /// The mailboxes that an entry is about.
    pub(in crate::imap) fn touched(&self, change: &Change) -> impl Iterator<Item = Key> {
        let mailboxes = change.mailboxes.iter().map(|change| change.mailbox);
        let account = self.account;
        mailboxes
            .filter(|mailbox| *mailbox != TREE)
            .map(move |mailbox| Key { account, mailbox })
            .collect::<Vec<_>>()
            .into_iter()
    }

    pub(in crate::imap) fn has(&self, key: Key) -> bool {
        key.account == self.account
    }

    /// All its mailboxes that are listed for this viewer.
    pub(in crate::imap) fn mailboxes(
        &self,
        store: &Store,
        asked: Asked<'_>,
    ) -> Result<Vec<Handle>, Error> {
        let door = Door::new(self.viewer);
        if self.account == self.viewer {
            let own = store.mailboxes(self.account)?.into_iter();
            return Ok(own.map(|record| door.own(record)).collect());
        }
        door.shared_by(store, self.account, asked)
    }

    /// A mailbox that the log names, as it is now; `None`: gone, or not for this viewer.
    pub(in crate::imap) fn mailbox(
        &self,
        store: &Store,
        key: Key,
    ) -> Result<Option<Handle>, Error> {
        Door::new(self.viewer).by_key(store, key)
    }
}

type News<'a> = Pin<Box<dyn Future<Output = Result<ModSeq, Error>> + Send + 'a>>;

/// Returns when one of the sources has something newer than was seen of it.
pub(in crate::imap) async fn any_past(
    mut sources: Vec<(&mut Source, ModSeq)>,
) -> Result<(), Error> {
    if let [(source, seen)] = sources.as_mut_slice() {
        return source.past(*seen).await.map(drop);
    }
    let mut news: Vec<News<'_>> = Vec::with_capacity(sources.len());
    for (source, seen) in sources {
        news.push(Box::pin(source.past(seen)));
    }
    poll_fn(|context| {
        for waiting in &mut news {
            if let Poll::Ready(told) = waiting.as_mut().poll(context) {
                return Poll::Ready(told.map(drop));
            }
        }
        Poll::Pending
    })
    .await
}
