//! A mailbox with the rights its user has there, and what may be done with it.

use facteur_imap::response::Code;
use facteur_imap::{Reply, text};
use facteur_store::{
    Account, AccountId, Appended, Bodies, Copied, Edited, Error, FlagEdit, FlagNames, FlagScope,
    Index, Mailbox, MailboxId, Message, MetadataEdit, ModSeq, NewBody, NewMessage, Place, Rights,
    Row, Store, SystemFlags, Uid, UidSet,
};

use super::source::Source;
use super::{Door, is_group, quota_name};
use crate::imap::catalog::{Catalog, Reader};
use crate::imap::error::Failure;
use crate::imap::object_id;

/// Rights of which one is enough to leave a trace in a mailbox.
const CHANGES: Rights = Rights::SEEN
    .and(Rights::WRITE)
    .and(Rights::INSERT)
    .and(Rights::DELETE_MESSAGES)
    .and(Rights::EXPUNGE);
/// RFC 5464 §3.3: with one of these, and l.
const ANNOTATES: Rights = Rights::READ
    .and(Rights::SEEN)
    .and(Rights::WRITE)
    .and(Rights::INSERT)
    .and(Rights::POST);

/// A mailbox that was found, and what its user may do in it.
#[derive(Clone, Debug)]
pub(in crate::imap) struct Handle {
    pub(super) place: Place,
    pub(super) rights: Rights,
    /// Everything in the account may be read: threads join messages of all its mailboxes.
    pub(super) threads: bool,
    /// As it was then; the name is the one that the user knows.
    pub(super) record: Mailbox,
}

/// Tells mailboxes apart, whoever's they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::imap) struct Key {
    pub(super) account: AccountId,
    pub(super) mailbox: MailboxId,
}

impl Handle {
    pub(in crate::imap) fn record(&self) -> &Mailbox {
        &self.record
    }

    pub(in crate::imap) fn name(&self) -> &str {
        &self.record.name
    }

    /// RFC 8474 §4.1.
    pub(in crate::imap) fn object_id(&self) -> String {
        object_id::mailbox_id(self.place.account, self.place.mailbox)
    }

    pub(in crate::imap) fn is_own(&self) -> bool {
        self.place.is_own()
    }

    /// The owner's INBOX.
    pub(super) fn is_inbox(&self, store: &Store) -> Result<bool, Error> {
        let record = store.mailbox(self.place.account, self.place.mailbox)?;
        Ok(record.is_some_and(|record| record.name == INBOX))
    }

    pub(in crate::imap) fn is_same(&self, other: &Handle) -> bool {
        self.place == other.place
    }

    pub(in crate::imap) fn key(&self) -> Key {
        Key {
            account: self.place.account,
            mailbox: self.place.mailbox,
        }
    }

    /// Its number in the change log of its [`Source`].
    pub(in crate::imap) fn number(&self) -> MailboxId {
        self.place.mailbox
    }

    pub(in crate::imap) fn rights(&self) -> Rights {
        self.rights
    }

    pub(in crate::imap) fn may(&self, rights: Rights) -> bool {
        self.rights.contains(rights)
    }

    /// RFC 4314 §5.2: nothing in it is this user's to change.
    pub(in crate::imap) fn is_read_only(&self) -> bool {
        !self.rights.has_any(CHANGES)
    }

    /// RFC 4314 §6: who may not even list it hears that it is not there.
    pub(in crate::imap) fn require(&self, rights: Rights) -> Result<(), Failure> {
        match self.may(rights) {
            true => Ok(()),
            false => Err(self.refusal()),
        }
    }

    fn refusal(&self) -> Failure {
        if !self.may(Rights::LOOKUP) {
            return Error::NoSuchMailbox.into();
        }
        Reply::no(text::NOT_PERMITTED).with(Code::NoPerm).into()
    }

    /// The same mailbox with the rights of now: what takes a while asks again before it writes.
    pub(in crate::imap) fn again(&self, store: &Store) -> Result<Handle, Error> {
        if self.is_own() {
            return Ok(self.clone());
        }
        let now = Door::new(self.place.viewer).by_key(store, self.key())?;
        now.ok_or(Error::NoSuchMailbox)
    }

    /// Whether it may still be read, asked while a command reads it.
    pub(in crate::imap) fn is_readable_still(&self, store: &Store) -> Result<bool, Error> {
        if self.is_own() {
            return Ok(true);
        }
        match self.again(store) {
            Ok(now) => Ok(now.may(Rights::READ)),
            Err(Error::NoSuchMailbox) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reading its messages, for who may.
    pub(in crate::imap) fn read(&self) -> Result<Reading, Failure> {
        self.require(Rights::READ)?;
        Ok(Reading {
            place: self.place,
            threads: self.threads,
        })
    }

    pub(in crate::imap) fn source_of(&self, store: &Store) -> Source {
        Source::new(store, self.place.account, self.place.viewer)
    }

    /// Flags that this user may change (RFC 4314 §4).
    pub(in crate::imap) fn scope(&self) -> FlagScope {
        let mut system = 0;
        for (right, flags) in [
            (Rights::SEEN, SystemFlags::SEEN.0),
            (Rights::DELETE_MESSAGES, SystemFlags::DELETED.0),
            (
                Rights::WRITE,
                SystemFlags::ANSWERED.0 | SystemFlags::FLAGGED.0 | SystemFlags::DRAFT.0,
            ),
        ] {
            if self.may(right) {
                system |= flags;
            }
        }
        FlagScope {
            system: SystemFlags(system),
            keywords: self.may(Rights::WRITE),
        }
    }

    pub(in crate::imap) async fn delete(&self, store: &Store) -> Result<(), Failure> {
        self.require(Rights::DELETE_MAILBOX)?;
        let Place {
            account, mailbox, ..
        } = self.place;
        Ok(store.delete_mailbox(account, mailbox).await?)
    }

    pub(in crate::imap) async fn append(
        &self,
        store: &Store,
        mut messages: Vec<(NewBody, NewMessage)>,
    ) -> Result<Vec<Appended>, Failure> {
        self.require(Rights::INSERT)?;
        for (_, message) in &mut messages {
            self.limit(message);
        }
        Ok(store.append_in(self.place, messages).await?)
    }

    /// Only the flags that this user may set are kept.
    fn limit(&self, message: &mut NewMessage) {
        message.flags = self.scope().limit(std::mem::take(&mut message.flags));
    }

    /// Puts a message here in the place of another (RFC 8508).
    pub(in crate::imap) async fn replace(
        &self,
        store: &Store,
        (from, uid): (&Handle, Uid),
        (body, mut message): (NewBody, NewMessage),
    ) -> Result<Appended, Failure> {
        self.require(Rights::INSERT)?;
        from.require_removal()?;
        self.limit(&mut message);
        let replaced = (from.place, uid);
        let new = (body, message);
        Ok(store.replace_in(replaced, self.place, new).await?)
    }

    /// What MOVE and REPLACE do to what goes: \Deleted and EXPUNGE.
    pub(in crate::imap) fn require_removal(&self) -> Result<(), Failure> {
        self.require(Rights::DELETE_MESSAGES.and(Rights::EXPUNGE))
    }

    /// RFC 4314 §4: those of the flags that may be changed are; refused when none of them may.
    pub(in crate::imap) async fn edit_flags(
        &self,
        store: &Store,
        uids: UidSet,
        edit: FlagEdit,
        flags: FlagNames,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Edited, Failure> {
        let scope = self.scope();
        let may_any = match edit {
            FlagEdit::Replace => scope.system.0 != 0,
            FlagEdit::Add | FlagEdit::Remove => {
                let nothing = flags == FlagNames::default();
                nothing || scope.limit(flags.clone()) != FlagNames::default()
            }
        };
        if !may_any {
            return Err(self.refusal());
        }
        let edit = (edit, scope);
        Ok(store
            .edit_flags_in(self.place, uids, edit, flags, unchanged_since)
            .await?)
    }

    /// Messages with \Deleted, of a set or all.
    pub(in crate::imap) async fn expunge(
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
    pub(in crate::imap) async fn copy_from(
        &self,
        store: &Store,
        from: Reading,
        uids: UidSet,
    ) -> Result<Copied, Failure> {
        self.require(Rights::INSERT)?;
        let (from, scope) = (from.place, self.scope());
        Ok(store.copy_in(from, uids, self.place, scope).await?)
    }

    pub(in crate::imap) async fn move_from(
        &self,
        store: &Store,
        from: &Handle,
        uids: UidSet,
    ) -> Result<Copied, Failure> {
        self.require(Rights::INSERT)?;
        from.require_removal()?;
        let (from, scope) = (from.read()?.place, self.scope());
        Ok(store.move_in(from, uids, self.place, scope).await?)
    }

    /// Annotations (RFC 5464), by name: what is shared, and what is private to this user.
    pub(in crate::imap) fn metadata(
        &self,
        store: &Store,
    ) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        self.require_annotations()?;
        let Place {
            account,
            mailbox,
            viewer,
        } = self.place;
        let mut found = store.metadata(account, Some(mailbox))?;
        if self.is_own() {
            return Ok(found);
        }
        found.retain(|(entry, _)| !entry.starts_with(PRIVATE));
        let prefix = self.private_prefix();
        for (entry, value) in store.metadata(viewer, None)? {
            let entry = entry.strip_prefix(prefix.as_str());
            // The number of another mailbox may begin with this one's.
            if let Some(entry) = entry.filter(|entry| entry.starts_with('/')) {
                found.push((entry.to_owned(), value));
            }
        }
        found.sort();
        Ok(found)
    }

    pub(in crate::imap) async fn set_metadata(
        &self,
        store: &Store,
        edits: Vec<MetadataEdit>,
    ) -> Result<(), Failure> {
        self.require_annotations()?;
        let Place {
            account,
            mailbox,
            viewer,
        } = self.place;
        let is_private = |(entry, _): &MetadataEdit| entry.starts_with(PRIVATE);
        if !edits.iter().all(is_private) {
            self.require(Rights::WRITE)?;
        }
        if self.is_own() {
            return Ok(store.set_metadata(account, Some(mailbox), edits).await?);
        }
        let (mut private, shared): (Vec<_>, Vec<_>) = edits.into_iter().partition(is_private);
        for (entry, _) in &mut private {
            entry.insert_str(0, &self.private_prefix());
        }
        if !shared.is_empty() {
            store.set_metadata(account, Some(mailbox), shared).await?;
        }
        if !private.is_empty() {
            store.set_metadata(viewer, None, private).await?;
        }
        Ok(())
    }

    fn require_annotations(&self) -> Result<(), Failure> {
        self.require(Rights::LOOKUP)?;
        match self.rights.has_any(ANNOTATES) {
            true => Ok(()),
            false => Err(self.refusal()),
        }
    }

    /// Before the names of private annotations of a mailbox of somebody else: they are the viewer's,
    /// in the viewer's account and within its limits.
    fn private_prefix(&self) -> String {
        let Key { account, mailbox } = self.key();
        format!("{MAILBOXES}{:x}-{:x}", account.0, mailbox.0)
    }

    /// The quota root that it counts for, and its account; none that would tell how full the
    /// account of somebody else is.
    pub(in crate::imap) fn quota_root(
        &self,
        store: &Store,
    ) -> Result<Option<(String, Account)>, Failure> {
        self.require(Rights::READ)?;
        let account = store.account(self.place.account)?;
        let account = account.ok_or(Error::NoSuchAccount)?;
        Ok(match self.is_own() {
            true => Some((String::new(), account)),
            false if is_group(&account) => Some((quota_name(&account), account)),
            false => None,
        })
    }
}

/// No client can write or ask for such a name.
pub(super) const MAILBOXES: &str = "/mailboxes/";
const INBOX: &str = "INBOX";
const PRIVATE: &str = "/private";

/// The right to read one mailbox.
#[derive(Clone, Copy, Debug)]
pub(in crate::imap) struct Reading {
    place: Place,
    threads: bool,
}

impl Reading {
    /// Of an account's own mailbox, for tests of what reads.
    #[cfg(test)]
    pub(in crate::imap) fn own(account: AccountId, mailbox: MailboxId) -> Self {
        Reading {
            place: Place::own(account, mailbox),
            threads: true,
        }
    }

    /// The account whose threads its messages are in (RFC 8474 §5.2), for who may read all of it:
    /// else whoever may put a message there could ask whether another has some Message-ID.
    pub(in crate::imap) fn threads_of(self) -> Option<AccountId> {
        self.threads.then_some(self.place.account)
    }

    pub(in crate::imap) fn index(self, store: &Store) -> Result<Index, Error> {
        store.index_in(self.place)
    }

    /// What a command may have been shown: perhaps newer than what anybody was woken for.
    pub(in crate::imap) fn newest(self, store: &Store) -> Result<ModSeq, Error> {
        Ok(store
            .index(self.place.account, self.place.mailbox)?
            .modseq())
    }

    pub(in crate::imap) fn message(
        self,
        store: &Store,
        uid: Uid,
    ) -> Result<Option<Message>, Error> {
        store.message(self.place.account, self.place.mailbox, uid)
    }

    /// As [`Bodies::messages_of`].
    pub(in crate::imap) fn messages_of(
        self,
        bodies: &Bodies<'_>,
        rows: &[Row],
        each: &mut dyn FnMut(Message<&[u8]>) -> bool,
    ) -> Result<(), Error> {
        bodies.messages_of(self.place.account, self.place.mailbox, rows, each)
    }

    pub(in crate::imap) fn vanished_since(
        self,
        store: &Store,
        since: ModSeq,
    ) -> Result<Option<UidSet>, Error> {
        store.vanished_since(self.place.account, self.place.mailbox, since)
    }

    pub(in crate::imap) fn catalog(self, catalog: &Catalog) -> Option<Reader> {
        catalog.reader(self.place.account, self.place.mailbox)
    }
}
