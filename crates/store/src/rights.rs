//! Who may do what in a mailbox (RFC 4314 §2.1), and where a mailbox is.

use crate::{AccountId, FlagNames, Flags, MailboxId, SystemFlags};

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(pub u16);

impl Rights {
    pub const NONE: Rights = Rights(0);
    /// l: it is listed.
    pub const LOOKUP: Rights = Rights(1);
    /// r: SELECT, FETCH, SEARCH, STATUS, being copied from.
    pub const READ: Rights = Rights(1 << 1);
    /// s: \Seen.
    pub const SEEN: Rights = Rights(1 << 2);
    /// w: flags but \Seen and \Deleted.
    pub const WRITE: Rights = Rights(1 << 3);
    /// i: new messages.
    pub const INSERT: Rights = Rights(1 << 4);
    /// p: kept, and means nothing.
    pub const POST: Rights = Rights(1 << 5);
    /// k: mailboxes below it.
    pub const CREATE: Rights = Rights(1 << 6);
    /// x: it may go.
    pub const DELETE_MAILBOX: Rights = Rights(1 << 7);
    /// t: \Deleted.
    pub const DELETE_MESSAGES: Rights = Rights(1 << 8);
    /// e: EXPUNGE.
    pub const EXPUNGE: Rights = Rights(1 << 9);
    /// a: rights of others.
    pub const ADMINISTER: Rights = Rights(1 << 10);
    /// Mail may be sent from the owner's address; of a whole tree only.
    pub const SEND_AS: Rights = Rights(1 << 11);

    /// All that RFC 4314 knows.
    pub const ALL: Rights = Rights((1 << 11) - 1);

    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn has_any(self, of: Rights) -> bool {
        self.0 & of.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Who is given rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// Every account of this server.
    Anyone,
    Account(AccountId),
}

/// What an edit does to the rights that somebody has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsEdit {
    Set,
    Add,
    Remove,
}

impl RightsEdit {
    pub fn apply(self, old: Rights, by: Rights) -> Rights {
        match self {
            RightsEdit::Set => by,
            RightsEdit::Add => old.and(by),
            RightsEdit::Remove => old.without(by),
        }
    }
}

/// Rights of somebody in a mailbox, or with `None` in an account's whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub mailbox: Option<MailboxId>,
    pub grantee: Grantee,
    pub rights: Rights,
}

/// The flags that somebody may change; others stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagScope {
    pub system: SystemFlags,
    pub keywords: bool,
}

impl FlagScope {
    pub const ALL: FlagScope = FlagScope {
        system: SystemFlags(u8::MAX),
        keywords: true,
    };

    pub fn flags(self) -> Flags {
        Flags {
            system: self.system,
            keywords: if self.keywords { u128::MAX } else { 0 },
        }
    }

    /// What is left of flags for a new message.
    pub fn limit(self, mut names: FlagNames) -> FlagNames {
        names.system.0 &= self.system.0;
        if !self.keywords {
            names.keywords.clear();
        }
        names
    }
}

/// A mailbox as somebody sees it: \Seen is the viewer's own, in the owner's eyes the row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub viewer: AccountId,
}

impl Place {
    /// As its owner sees it.
    pub fn own(account: AccountId, mailbox: MailboxId) -> Self {
        Place {
            account,
            mailbox,
            viewer: account,
        }
    }

    pub fn is_own(&self) -> bool {
        self.viewer == self.account
    }
}
