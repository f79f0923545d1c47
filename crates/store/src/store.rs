//! The store as its users see it. STUB: signatures agreed, bodies to come.
#![allow(unused_variables, clippy::unimplemented)]

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::*;

#[derive(Clone, Debug)]
pub struct Options {
    /// How long what was deleted can be brought back.
    pub retention: Duration,
    /// Bytes of disk kept free: below it, new mail is refused with [`Error::DiskFull`].
    pub reserved_bytes: u64,
    pub message_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            retention: Duration::from_secs(30 * 24 * 3600),
            reserved_bytes: 256 << 20,
            message_bytes_max: 100 << 20,
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

/// A handle; clones share the store.
#[derive(Clone, Debug)]
pub struct Store;

/// A finished body: its bytes are hashed and handed over (small: held inline until the commit;
/// large: already in the journal, unflushed). Dropped without a commit, it leaves nothing.
#[derive(Clone, Debug)]
pub struct Body;

impl Body {
    pub fn id(&self) -> BlobId {
        unimplemented!()
    }
    pub fn size(&self) -> u64 {
        unimplemented!()
    }
}

/// Takes a body piece by piece; holds at most 64 KiB.
#[derive(Debug)]
pub struct Spool;

impl Spool {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn size(&self) -> u64 {
        unimplemented!()
    }
    pub async fn finish(self) -> Result<Body, Error> {
        unimplemented!()
    }
}

/// An immutable picture of one mailbox's messages, shared by all its sessions.
#[derive(Clone, Debug)]
pub struct Index;

impl Index {
    pub fn mailbox(&self) -> &Mailbox {
        unimplemented!()
    }
    /// The account's modseq this picture belongs to.
    pub fn modseq(&self) -> ModSeq {
        unimplemented!()
    }
    pub fn len(&self) -> usize {
        unimplemented!()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn get(&self, uid: Uid) -> Option<Row> {
        unimplemented!()
    }
    /// All rows, ascending uid.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        std::iter::empty()
    }
    /// Rows with a uid in `first..=last`, ascending.
    pub fn range(&self, first: Uid, last: Uid) -> impl Iterator<Item = Row> + '_ {
        std::iter::empty()
    }
}

/// Everything after a modseq. `complete` is false when the log no longer reaches back that far:
/// compare states instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    pub complete: bool,
    /// Ask again from here.
    pub up_to: ModSeq,
    pub entries: Vec<Change>,
}

/// Waits for news of one account.
#[derive(Clone, Debug)]
pub struct Watcher;

impl Watcher {
    /// The account's newest durable modseq.
    pub fn current(&self) -> ModSeq {
        unimplemented!()
    }
    /// Returns the newest modseq once it is past `seen`; for ever when the store closes... then [`Error::Closed`].
    pub async fn past(&mut self, seen: ModSeq) -> Result<ModSeq, Error> {
        unimplemented!()
    }
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

/// How to pick queue entries.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    pub domain: Option<String>,
    pub held: Option<bool>,
}

/// What `verify` found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub accounts: u64,
    pub mailboxes: u64,
    pub messages: u64,
    pub tombstones: u64,
    pub queue_entries: u64,
    pub blobs: u64,
    pub journal_records: u64,
    /// Each a sentence that names the place. Empty: clean.
    pub faults: Vec<String>,
}

impl Store {
    /// Recovers, then starts the writer thread.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Store, Recovery), Error> {
        unimplemented!()
    }
    /// Flushes, stops the writer and waits for it; later calls give [`Error::Closed`].
    pub async fn close(&self) -> Result<(), Error> {
        unimplemented!()
    }
    /// Reads everything, rebuilds the index from the journal beside the old one and compares.
    pub fn verify(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Report, Error> {
        unimplemented!()
    }
    pub fn clock(&self) -> &Arc<dyn Clock> {
        unimplemented!()
    }
    pub fn message_bytes_max(&self) -> u64 {
        unimplemented!()
    }
    /// New mail would be refused now.
    pub fn is_full(&self) -> bool {
        unimplemented!()
    }

    // Directory. Addresses are normalised by the caller.
    pub async fn create_domain(&self, name: &str) -> Result<(), Error> {
        unimplemented!()
    }
    pub async fn remove_domain(&self, name: &str) -> Result<(), Error> {
        unimplemented!()
    }
    pub async fn set_catch_all(
        &self,
        domain: &str,
        account: Option<AccountId>,
    ) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn domain(&self, name: &str) -> Result<Option<Domain>, Error> {
        unimplemented!()
    }
    pub fn domains(&self) -> Result<Vec<Domain>, Error> {
        unimplemented!()
    }
    /// With INBOX, Drafts, Sent, Junk, Trash, Archive, all subscribed.
    pub async fn create_account(&self, new: NewAccount) -> Result<AccountId, Error> {
        unimplemented!()
    }
    pub async fn edit_account(&self, account: AccountId, edit: AccountEdit) -> Result<(), Error> {
        unimplemented!()
    }
    /// At once and for good: rows, tombstones, credentials; body bytes at the next compaction.
    pub async fn erase_account(&self, account: AccountId) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn account(&self, account: AccountId) -> Result<Option<Account>, Error> {
        unimplemented!()
    }
    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        unimplemented!()
    }
    pub fn address(&self, address: &str) -> Result<Option<AddressTarget>, Error> {
        unimplemented!()
    }
    pub fn addresses(&self) -> Result<Vec<(String, AddressTarget)>, Error> {
        unimplemented!()
    }
    pub async fn set_address(&self, address: &str, target: AddressTarget) -> Result<(), Error> {
        unimplemented!()
    }
    pub async fn remove_address(&self, address: &str) -> Result<(), Error> {
        unimplemented!()
    }

    // Mailboxes.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, Error> {
        unimplemented!()
    }
    pub fn mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<Mailbox>, Error> {
        unimplemented!()
    }
    pub fn mailbox_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, Error> {
        unimplemented!()
    }
    /// Makes missing parents too.
    pub async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, Error> {
        unimplemented!()
    }
    /// Children move along; renaming INBOX moves its messages and leaves it empty (RFC 9051 §6.3.6).
    pub async fn rename_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        name: &str,
    ) -> Result<(), Error> {
        unimplemented!()
    }
    pub async fn edit_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        edit: MailboxEdit,
    ) -> Result<(), Error> {
        unimplemented!()
    }
    /// Its messages become tombstones. INBOX: [`Error::InUse`]. Children stay (their parent shows as \NonExistent).
    pub async fn delete_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn deleted_mailboxes(&self, account: AccountId) -> Result<Vec<DeletedMailbox>, Error> {
        unimplemented!()
    }
    /// Brings it back with its messages, same uids and uidvalidity; the name is taken: a number is added.
    pub async fn restore_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<String, Error> {
        unimplemented!()
    }

    // Messages.
    /// Fails at once when the disk is full or `size_hint` is over the limit.
    pub fn spool(&self, size_hint: Option<u64>) -> Result<Spool, Error> {
        unimplemented!()
    }
    /// One commit for all recipients and queue entries.
    pub async fn deliver(
        &self,
        body: NewBody,
        local: Vec<Delivery>,
        queue: Vec<NewQueueEntry>,
    ) -> Result<Delivered, Error> {
        unimplemented!()
    }
    /// All or nothing, in order.
    pub async fn append(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        messages: Vec<(NewBody, NewMessage)>,
    ) -> Result<Vec<Appended>, Error> {
        unimplemented!()
    }
    /// Uids that don't exist are passed over.
    pub async fn copy(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<Copied, Error> {
        unimplemented!()
    }
    /// As copy and expunge in one; leaves no tombstone to restore, but a change-log entry and a vanished uid.
    pub async fn move_messages(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<Copied, Error> {
        unimplemented!()
    }
    pub async fn edit_flags(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: UidSet,
        edit: FlagEdit,
        flags: FlagNames,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Edited, Error> {
        unimplemented!()
    }
    /// `uids: None`: all. Only messages with \Deleted when `only_deleted`. Gives the uids that went.
    pub async fn expunge(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<UidSet>,
        only_deleted: bool,
    ) -> Result<(UidSet, ModSeq), Error> {
        unimplemented!()
    }
    pub fn tombstones(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Vec<Tombstone>, Error> {
        unimplemented!()
    }
    /// Back into its mailbox (INBOX when that is gone) under a new uid, \Deleted removed.
    pub async fn restore(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: UidSet,
    ) -> Result<Vec<Appended>, Error> {
        unimplemented!()
    }
    /// From the shared cache when warm.
    pub fn index(&self, account: AccountId, mailbox: MailboxId) -> Result<Index, Error> {
        unimplemented!()
    }
    pub fn message(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<Message>, Error> {
        unimplemented!()
    }
    /// Many messages at once from one picture of the index (envelopes of a whole mailbox).
    pub fn messages(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        each: &mut dyn FnMut(Message) -> bool,
    ) -> Result<(), Error> {
        unimplemented!()
    }
    /// Uids of the mailbox expunged after `since`, for QRESYNC VANISHED (EARLIER); `None`: the log does not reach back.
    pub fn vanished_since(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        since: ModSeq,
    ) -> Result<Option<UidSet>, Error> {
        unimplemented!()
    }
    /// Part of a body as it was received; blocking, at most `range.len()` bytes held (ask in pieces of 64 KiB).
    pub fn read_body(
        &self,
        blob: BlobId,
        range: Range<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        unimplemented!()
    }

    // Changes.
    pub fn changes_since(
        &self,
        account: AccountId,
        since: ModSeq,
        entries_max: usize,
    ) -> Result<Changes, Error> {
        unimplemented!()
    }
    pub fn watch(&self, account: AccountId) -> Watcher {
        unimplemented!()
    }

    // Queue. Due entries first.
    /// Entries that are due, not held and not leased; each is leased in memory to the caller until `queue_update` or `queue_release`.
    pub fn queue_take(&self, now: Timestamp, max: usize) -> Result<Vec<QueueEntry>, Error> {
        unimplemented!()
    }
    pub fn queue_release(&self, id: QueueId) {
        unimplemented!()
    }
    /// When the next entry that is not held or leased falls due.
    pub fn queue_next_due(&self) -> Result<Option<Timestamp>, Error> {
        unimplemented!()
    }
    /// Replaces the entry (same id), or removes it when `None`; with it, DSNs to deliver, in one commit.
    pub async fn queue_update(
        &self,
        id: QueueId,
        entry: Option<QueueEntry>,
        reports: Vec<(NewBody, Vec<Delivery>, Vec<NewQueueEntry>)>,
    ) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, Error> {
        unimplemented!()
    }
    pub fn queue_list(
        &self,
        filter: &QueueFilter,
        after: Option<QueueId>,
        max: usize,
    ) -> Result<Vec<QueueEntry>, Error> {
        unimplemented!()
    }
    /// Counts up with every change of the queue (new entry, hold, retry): wakes the queue runner.
    pub fn queue_watch(&self) -> tokio::sync::watch::Receiver<u64> {
        unimplemented!()
    }

    // Care.
    /// One bounded step of compaction and of dropping what is past retention; true: more to do.
    pub async fn maintain(&self) -> Result<bool, Error> {
        unimplemented!()
    }
}
