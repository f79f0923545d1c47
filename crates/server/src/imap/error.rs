//! What can end a command early, and the one mapping from the store's errors to RFC 5530.

use std::io;

use facteur_imap::response::Code;
use facteur_imap::view::OutOfRange;
use facteur_imap::{Outcome, Reply, text};
use facteur_store::Error;

use crate::auth::Ended;
use crate::context::SessionId;

#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is lost.
    Io(io::Error),
    Store(Error),
    /// Refused with this.
    Reply(Reply),
    /// The selected mailbox is no more.
    MailboxGone,
    /// Who logged in may not go on.
    Ended(Ended),
    /// The session let something through that it must not.
    Fault,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error)
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Failure::Reply(reply)
    }
}

impl From<OutOfRange> for Failure {
    fn from(OutOfRange: OutOfRange) -> Self {
        Failure::Reply(Reply::bad(text::BAD_SET))
    }
}

impl Failure {
    /// How the command ends for the client; the detail goes to the log.
    ///
    /// # Errors
    /// The connection is lost: there is nobody to tell.
    pub(super) fn outcome(self, session: SessionId) -> io::Result<Outcome> {
        match self {
            Failure::Io(error) => Err(error),
            Failure::Reply(reply) => Ok(reply.into()),
            Failure::Store(error) => {
                log(session, &error);
                Ok(refuse(&error))
            }
            Failure::Ended(ended) => Ok(Outcome::Bye(farewell(ended))),
            Failure::MailboxGone => Ok(Outcome::Bye(text::MAILBOX_GONE)),
            Failure::Fault => {
                tracing::error!(%session, "a command came in a state where it can't");
                Ok(Outcome::Bye(text::BYE_FAULT))
            }
        }
    }
}

pub(super) fn farewell(ended: Ended) -> text::Text {
    match ended {
        Ended::AccountClosed => text::BYE_ACCOUNT_CLOSED,
        Ended::PasswordChanged => text::BYE_PASSWORD_CHANGED,
    }
}

fn log(session: SessionId, error: &Error) {
    match error {
        Error::Disk(_) | Error::Damaged { .. } => {
            tracing::error!(%session, %error, "a command failed");
        }
        _ => tracing::debug!(%session, %error, "a command was refused"),
    }
}

/// RFC 5530, RFC 9051 §7.1. Exhaustive on purpose: a new error must find its words here.
pub(super) fn refuse(error: &Error) -> Outcome {
    let (code, text) = match error {
        Error::NoSuchAccount => return Outcome::Bye(text::BYE_ACCOUNT_CLOSED),
        Error::Closed => return Outcome::Bye(text::BYE_SHUTDOWN),
        Error::NoSuchMailbox => (Code::NonExistent, text::NO_SUCH_MAILBOX),
        Error::NoSuchMessage => (Code::ExpungeIssued, text::MESSAGES_GONE),
        // IMAP never asks for these.
        Error::NoSuchDomain
        | Error::NoSuchAddress
        | Error::NoSuchQueueEntry
        | Error::NoSuchScript
        | Error::TooManyScripts => (Code::ServerBug, text::FAULT),
        Error::Exists => (Code::AlreadyExists, text::MAILBOX_EXISTS),
        Error::BadName => (Code::Cannot, text::MAILBOX_NAME_CANNOT),
        Error::InUse => (Code::Cannot, text::MAILBOX_IN_USE),
        Error::TooManyMailboxes => (Code::Limit, text::TOO_MANY_MAILBOXES),
        Error::TooManyKeywords => (Code::Limit, text::TOO_MANY_KEYWORDS),
        Error::TooManyEntries => (Code::MetadataTooMany, text::METADATA_TOO_MANY),
        Error::TooManyRights => (Code::Limit, text::TOO_MANY_RIGHTS),
        Error::OverQuota => (Code::OverQuota, text::OVER_QUOTA),
        Error::TooLarge => (Code::TooBig, text::TOO_BIG),
        Error::DiskFull => (Code::Unavailable, text::DISK_FULL),
        Error::Disk(_) => (Code::Unavailable, text::TRY_AGAIN),
        Error::Damaged { .. } => (Code::Corruption, text::MESSAGE_DAMAGED),
    };
    Reply::no(text).with(code).into()
}
