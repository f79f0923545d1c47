//! The one way from an IMAP command to a mailbox.
//!
//! A name becomes a [`Handle`]: a place and the rights its user has there. What changes a mailbox
//! is a method of the handle and asks for its right (RFC 4314 §4) before it calls the store; what
//! reads one needs a [`Reading`], which only a handle with that right gives. Where a mailbox is
//! (account and number) is private to this module: a handler has no other way to the store.

use facteur_imap::response::Code;
use facteur_imap::{Reply, text};
use facteur_store::{
    Account, AccountId, Appended, Changes, Copied, Edited, Error, FlagEdit, FlagNames, Index,
    Mailbox, MailboxEdit, MailboxId, Message, MetadataEdit, ModSeq, NewBody, NewMessage, Place,
    Rights, SpecialUse, Store, Uid, UidSet, Watcher,
};

use super::catalog::{Catalog, Reader};
use super::error::Failure;
use super::object_id;

/// What one logged-in user may reach.
#[derive(Debug)]
pub(super) struct Door {
    account: AccountId,
}

impl Door {
    pub(super) fn new(account: AccountId) -> Self {
        Door { account }
    }

    /// A mailbox by the name its user knows. What this user has no right in is not there.
    pub(super) fn open(&self, store: &Store, name: &str) -> Result<Handle, Error> {
        let record = store.mailbox_by_name(self.account, name)?;
        Ok(self.own(record.ok_or(Error::NoSuchMailbox)?))
    }

    fn own(&self, record: Mailbox) -> Handle {
        Handle {
            place: Place::own(self.account, record.id),
            rights: Rights::ALL,
            record,
        }
    }

    /// All that is listed.
    pub(super) fn mailboxes(&self, store: &Store) -> Result<Vec<Handle>, Error> {
        let own = store.mailboxes(self.account)?.into_iter();
        Ok(own.map(|record| self.own(record)).collect())
    }

    /// Subscribed names that no mailbox has.
    pub(super) fn kept_names(&self, store: &Store) -> Result<Vec<String>, Error> {
        store.subscriptions_without_mailbox(self.account)
    }

    /// Gives the new mailbox's identifier (RFC 8474 §4.1).
    pub(super) async fn create(
        &self,
        store: &Store,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<String, Failure> {
        let created = store
            .create_mailbox(self.account, name, special_use)
            .await?;
        Ok(object_id::mailbox_id(self.account, created))
    }

    /// Whether a mailbox beside the one to make has this use already.
    pub(super) fn has_special_use(
        &self,
        store: &Store,
        special_use: SpecialUse,
    ) -> Result<bool, Error> {
        let mailboxes = store.mailboxes(self.account)?;
        let mut uses = mailboxes.iter().map(|mailbox| mailbox.special_use);
        Ok(uses.any(|found| found == Some(special_use)))
    }

    pub(super) async fn rename(&self, store: &Store, from: &str, to: &str) -> Result<(), Failure> {
        let handle = self.open(store, from)?;
        handle.require(Rights::DELETE_MAILBOX)?;
        let Place {
            account, mailbox, ..
        } = handle.place;
        Ok(store.rename_mailbox(account, mailbox, to).await?)
    }

    /// Only what exists can be subscribed to (RFC 9051 §6.3.7 allows the check), or what stayed
    /// subscribed when its mailbox was deleted.
    pub(super) async fn subscribe(
        &self,
        store: &Store,
        name: &str,
        subscribed: bool,
    ) -> Result<(), Failure> {
        let handle = match self.open(store, name) {
            Ok(handle) => handle,
            Err(Error::NoSuchMailbox) => {
                return self.subscribe_kept(store, name, subscribed).await;
            }
            Err(error) => return Err(error.into()),
        };
        if handle.record.subscribed != subscribed {
            let edit = MailboxEdit {
                subscribed: Some(subscribed),
                ..MailboxEdit::default()
            };
            let mailbox = handle.place.mailbox;
            store.edit_mailbox(self.account, mailbox, edit).await?;
        }
        Ok(())
    }

    async fn subscribe_kept(
        &self,
        store: &Store,
        name: &str,
        subscribed: bool,
    ) -> Result<(), Failure> {
        let kept = self.kept_names(store)?;
        if !kept.iter().any(|kept| kept == name) {
            return Err(Error::NoSuchMailbox.into());
        }
        if !subscribed {
            store.unsubscribe_name(self.account, name).await?;
        }
        Ok(())
    }

    /// The user's own annotations of the server (RFC 5464 §3), filters among them (RFC 5466).
    pub(super) fn metadata(&self, store: &Store) -> Result<Vec<(String, Vec<u8>)>, Error> {
        store.metadata(self.account, None)
    }

    pub(super) async fn set_metadata(
        &self,
        store: &Store,
        edits: Vec<MetadataEdit>,
    ) -> Result<(), Failure> {
        Ok(store.set_metadata(self.account, None, edits).await?)
    }

    /// News of the user's own account.
    pub(super) fn own_source(&self, store: &Store) -> Source {
        Source {
            account: self.account,
            viewer: self.account,
            watcher: store.watch(self.account),
        }
    }

    /// The account that a quota root is; the user's own has the empty name.
    pub(super) fn quota_root(&self, store: &Store, root: &str) -> Result<Option<Account>, Error> {
        match root {
            "" => store.account(self.account),
            _ => Ok(None),
        }
    }
}

/// A mailbox that was found, and what its user may do in it.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    place: Place,
    rights: Rights,
    /// As it was then; the name is the one that the user knows.
    record: Mailbox,
}

impl Handle {
    pub(super) fn record(&self) -> &Mailbox {
        &self.record
    }

    pub(super) fn name(&self) -> &str {
        &self.record.name
    }

    /// RFC 8474 §4.1.
    pub(super) fn object_id(&self) -> String {
        object_id::mailbox_id(self.place.account, self.place.mailbox)
    }

    pub(super) fn is_own(&self) -> bool {
        self.place.is_own()
    }

    pub(super) fn is_same(&self, other: &Handle) -> bool {
        self.place == other.place
    }

    /// Its number in the change log of its [`Source`].
    pub(super) fn number(&self) -> MailboxId {
        self.place.mailbox
    }

    pub(super) fn may(&self, rights: Rights) -> bool {
        self.rights.contains(rights)
    }

    /// RFC 4314 §6: who may not even list it hears that it is not there.
    pub(super) fn require(&self, rights: Rights) -> Result<(), Failure> {
        if self.may(rights) {
            return Ok(());
        }
        if !self.may(Rights::LOOKUP) {
            return Err(Error::NoSuchMailbox.into());
        }
        Err(Reply::no(text::NOT_PERMITTED).with(Code::NoPerm).into())
    }

    /// Reading its messages, for who may.
    pub(super) fn read(&self) -> Result<Reading, Failure> {
        self.require(Rights::READ)?;
        Ok(Reading { place: self.place })
    }

    pub(super) fn source(&self, store: &Store) -> Source {
        Source {
            account: self.place.account,
            viewer: self.place.viewer,
            watcher: store.watch(self.place.account),
        }
    }

    pub(super) async fn delete(&self, store: &Store) -> Result<(), Failure> {
        self.require(Rights::DELETE_MAILBOX)?;
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store.delete_mailbox(account, mailbox).await?)
    }

    pub(super) async fn append(
        &self,
        store: &Store,
        messages: Vec<(NewBody, NewMessage)>,
    ) -> Result<Vec<Appended>, Failure> {
        self.require(Rights::INSERT)?;
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store.append(account, mailbox, messages).await?)
    }

    /// Puts a message here in the place of another (RFC 8508).
    pub(super) async fn replace(
        &self,
        store: &Store,
        (from, uid): (&Handle, Uid),
        message: (NewBody, NewMessage),
    ) -> Result<Appended, Failure> {
        self.require(Rights::INSERT)?;
        from.require_removal()?;
        let account = self.place.account;
        let replaced = (from.place.mailbox, uid);
        let to = self.place.mailbox;
        Ok(store.replace(account, replaced, to, message).await?)
    }

    /// What MOVE and REPLACE do to what goes: \Deleted and EXPUNGE.
    pub(super) fn require_removal(&self) -> Result<(), Failure> {
        self.require(Rights::DELETE_MESSAGES.and(Rights::EXPUNGE))
    }

    pub(super) async fn edit_flags(
        &self,
        store: &Store,
        uids: UidSet,
        edit: FlagEdit,
        flags: FlagNames,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Edited, Failure> {
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store
            .edit_flags(account, mailbox, uids, edit, flags, unchanged_since)
            .await?)
    }

    /// Messages with \Deleted, of a set or all.
    pub(super) async fn expunge(
        &self,
        store: &Store,
        uids: Option<UidSet>,
    ) -> Result<(UidSet, ModSeq), Failure> {
        self.require(Rights::EXPUNGE)?;
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store.expunge(account, mailbox, uids, true).await?)
    }

    /// Copies messages here.
    pub(super) async fn copy_from(
        &self,
        store: &Store,
        from: Reading,
        uids: UidSet,
    ) -> Result<Copied, Failure> {
        self.require(Rights::INSERT)?;
        let account = self.place.account;
        let (from, to) = (from.place.mailbox, self.place.mailbox);
        Ok(store.copy(account, from, uids, to).await?)
    }

    pub(super) async fn move_from(
        &self,
        store: &Store,
        from: &Handle,
        uids: UidSet,
    ) -> Result<Copied, Failure> {
        self.require(Rights::INSERT)?;
        from.require_removal()?;
        let account = self.place.account;
        let (from, to) = (from.place.mailbox, self.place.mailbox);
        Ok(store.move_messages(account, from, uids, to).await?)
    }

    /// Annotations (RFC 5464), by name.
    pub(super) fn metadata(&self, store: &Store) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        self.require(Rights::READ)?;
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store.metadata(account, Some(mailbox))?)
    }

    pub(super) async fn set_metadata(
        &self,
        store: &Store,
        edits: Vec<MetadataEdit>,
    ) -> Result<(), Failure> {
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store.set_metadata(account, Some(mailbox), edits).await?)
    }

    /// The quota root that it counts for, and its account.
    pub(super) fn quota_root(&self, store: &Store) -> Result<(String, Account), Failure> {
        let account = store.account(self.place.account)?;
        let account = account.ok_or(Error::NoSuchAccount)?;
        Ok((String::new(), account))
    }
}

/// The right to read one mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    place: Place,
}

impl Reading {
    /// Of an account's own mailbox, for tests of what reads.
    #[cfg(test)]
    pub(super) fn own(account: AccountId, mailbox: MailboxId) -> Self {
        Reading {
            place: Place::own(account, mailbox),
        }
    }

    /// Whose object identifiers its messages have.
    pub(super) fn owner(self) -> AccountId {
        self.place.account
    }

    pub(super) fn index(self, store: &Store) -> Result<Index, Error> {
        store.index(self.place.account, self.place.mailbox)
    }

    pub(super) fn message(self, store: &Store, uid: Uid) -> Result<Option<Message>, Error> {
        store.message(self.place.account, self.place.mailbox, uid)
    }

    /// As [`Store::messages`].
    pub(super) fn messages(
        self,
        store: &Store,
        uids: &UidSet,
        each: &mut dyn FnMut(Message) -> bool,
    ) -> Result<(), Error> {
        store.messages(self.place.account, self.place.mailbox, uids, each)
    }

    pub(super) fn vanished_since(
        self,
        store: &Store,
        since: ModSeq,
    ) -> Result<Option<UidSet>, Error> {
        store.vanished_since(self.place.account, self.place.mailbox, since)
    }

    pub(super) fn catalog(self, catalog: &Catalog) -> Option<Reader> {
        catalog.reader(self.place.account, self.place.mailbox)
    }
}

/// An account whose news a session hears.
#[derive(Debug)]
pub(super) struct Source {
    account: AccountId,
    viewer: AccountId,
    watcher: Watcher,
}

impl Source {
    /// The newest modseq.
    pub(super) fn current(&self) -> ModSeq {
        self.watcher.current()
    }

    pub(super) async fn past(&mut self, seen: ModSeq) -> Result<ModSeq, Error> {
        self.watcher.past(seen).await
    }

    pub(super) fn changes_since(
        &self,
        store: &Store,
        since: ModSeq,
        entries_max: usize,
    ) -> Result<Changes, Error> {
        store.changes_since(self.account, since, entries_max)
    }

    /// A mailbox that the log names, as it is now; `None`: gone, or not for this viewer.
    pub(super) fn mailbox(
        &self,
        store: &Store,
        number: MailboxId,
    ) -> Result<Option<Handle>, Error> {
        let record = store.mailbox(self.account, number)?;
        Ok(record.map(|record| Handle {
            place: Place {
                account: self.account,
                mailbox: number,
                viewer: self.viewer,
            },
            rights: Rights::ALL,
            record,
        }))
    }
}
