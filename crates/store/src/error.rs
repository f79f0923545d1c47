//! Everything that can go wrong in the store. Each protocol maps every variant; no `_` arm.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such account")]
    NoSuchAccount,
    #[error("no such mailbox")]
    NoSuchMailbox,
    #[error("no such domain")]
    NoSuchDomain,
    #[error("no such address")]
    NoSuchAddress,
    #[error("no such message")]
    NoSuchMessage,
    #[error("no such queue entry")]
    NoSuchQueueEntry,
    #[error("it exists already")]
    Exists,
    /// The name breaks a rule (empty level, control character, too long, INBOX where it can't be).
    #[error("the name is not allowed")]
    BadName,
    /// The mailbox has children, is INBOX, or is otherwise in use.
    #[error("it is in use")]
    InUse,
    #[error("too many mailboxes")]
    TooManyMailboxes,
    #[error("too many keywords in the mailbox")]
    TooManyKeywords,
    #[error("too many annotations")]
    TooManyEntries,
    #[error("no such script")]
    NoSuchScript,
    #[error("too many scripts, or too large")]
    TooManyScripts,
    #[error("too many people have rights")]
    TooManyRights,
    #[error("the account is over its quota")]
    OverQuota,
    #[error("the message is too large")]
    TooLarge,
    /// The reserved space is reached; nothing was written.
    #[error("the disk is full")]
    DiskFull,
    /// The disk failed; nothing more is acknowledged until a restart.
    #[error("the disk failed: {0}")]
    Disk(#[source] io::Error),
    /// Bytes on the disk are not what was written.
    #[error("damage at {place}: {what}")]
    Damaged { place: String, what: String },
    #[error("the store is stopping")]
    Closed,
}
