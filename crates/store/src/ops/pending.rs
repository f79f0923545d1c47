//! Operations to come.
#![allow(unused_variables, clippy::unimplemented)]

use std::sync::Arc;

use crate::*;

impl Store {
    /// Reads everything, rebuilds the index from the journal beside the old one and compares.
    pub fn verify(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Report, Error> {
        unimplemented!()
    }
    /// At once and for good: rows, tombstones, credentials; body bytes at the next compaction.
    pub async fn erase_account(&self, account: AccountId) -> Result<(), Error> {
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
    /// One bounded step of compaction and of dropping what is past retention; true: more to do.
    pub async fn maintain(&self) -> Result<bool, Error> {
        unimplemented!()
    }
}
