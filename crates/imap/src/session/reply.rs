//! What is said to a command that never ran.

use crate::command::Legal;
use crate::cursor::Fault;
use crate::response::{Code, Reply};
use crate::text;

use super::Phase;

impl Fault {
    /// RFC 9051 §7.1.3: BAD is for what is not understood, NO for what can't be done.
    pub(super) fn reply(self) -> Reply {
        match self {
            Fault::Tag => Reply::bad(text::BAD_TAG),
            Fault::Command => Reply::bad(text::BAD_COMMAND),
            Fault::Arguments => Reply::bad(text::BAD_ARGUMENTS),
            Fault::MailboxName => Reply::bad(text::BAD_MAILBOX_NAME),
            Fault::MailboxNameTooLong => Reply::no(text::BAD_MAILBOX_MAX).with(Code::Limit),
            Fault::MailboxNameCannot => Reply::no(text::MAILBOX_NAME_CANNOT).with(Code::Cannot),
            Fault::Flag => Reply::bad(text::BAD_FLAG),
            Fault::Date => Reply::bad(text::BAD_DATE),
            Fault::Charset => Reply::no(text::BAD_CHARSET).with(Code::BadCharset),
            Fault::TooMuch => Reply::bad(text::BAD_TOO_MUCH).with(Code::Limit),
            Fault::Event => Reply::no(text::BAD_EVENT).with(Code::BadEvent),
            Fault::SpecialUse => Reply::no(text::SPECIAL_USE_CANNOT).with(Code::UseAttr),
        }
    }
}

/// RFC 9586 §3: the command, or an argument of it, goes by sequence numbers.
pub(super) fn uid_required() -> Reply {
    Reply::bad(text::BAD_UID_REQUIRED).with(Code::UidRequired)
}

/// Why a command is not legal in this phase; `None`: it is.
pub(super) fn illegal(legal: Legal, phase: Phase) -> Option<Reply> {
    let text = match (legal, phase) {
        (_, Phase::Logout) => text::BAD_NOT_NOW,
        (Legal::Always, _) | (Legal::BeforeLogin, Phase::NotAuthenticated) => return None,
        (Legal::BeforeLogin, Phase::Authenticated | Phase::Selected) => text::BAD_LOGGED_IN,
        (_, Phase::NotAuthenticated) => text::BAD_NEEDS_LOGIN,
        (Legal::AfterLogin, Phase::Authenticated | Phase::Selected) => return None,
        (Legal::WithMailbox, Phase::Selected) => return None,
        (Legal::WithMailbox, Phase::Authenticated) => text::BAD_NEEDS_MAILBOX,
    };
    Some(Reply::bad(text))
}
