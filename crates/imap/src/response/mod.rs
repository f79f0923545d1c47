//! Everything a handler may say, as meaning; printing is `print.rs`.
//!
//! A handler never writes protocol text: it gives [`Untagged`] data through `session.respond` and
//! ends with an [`Outcome`]. What differs between IMAP4rev1, IMAP4rev2, CONDSTORE and QRESYNC
//! (RECENT, SEARCH or ESEARCH, name encoding, MODSEQ and UID in FETCH) is decided by the session.

pub(crate) mod code;
mod fetch;
pub(crate) mod output;
pub(crate) mod print;
mod search;
pub(crate) mod token;

use crate::acl::Rights;
use crate::command::SpecialUse;
use crate::flag::{FlagList, SystemFlags};
use crate::set::Numbers;
use crate::text::Text;
use crate::thread::Forest;

pub use fetch::{Data, FetchItem, Fetched, Piece, Stored};
pub use search::{Found, SearchData, UpdateChange, UpdateData};

/// RFC 9051 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Ok,
    No,
    Bad,
}

/// What is said at the end of a command, or untagged on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub condition: Condition,
    pub code: Option<Code>,
    pub text: Text,
}

impl Reply {
    pub const fn ok(text: Text) -> Self {
        Reply {
            condition: Condition::Ok,
            code: None,
            text,
        }
    }

    pub const fn no(text: Text) -> Self {
        Reply {
            condition: Condition::No,
            code: None,
            text,
        }
    }

    pub const fn bad(text: Text) -> Self {
        Reply {
            condition: Condition::Bad,
            code: None,
            text,
        }
    }

    pub fn with(self, code: Code) -> Self {
        Reply {
            code: Some(code),
            ..self
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The tagged reply. For LOGIN and AUTHENTICATE, OK means logged in (the session adds the
    /// CAPABILITY code); NO counts as a failed login. For SELECT, OK means selected and the session
    /// adds READ-ONLY or READ-WRITE.
    Done(Reply),
    /// SELECT of a mailbox that can only be read.
    SelectedReadOnly(Reply),
    /// SASL: send this (it gets encoded) and wait for the answer.
    Challenge(Vec<u8>),
    /// To `AppendBegin` and `AppendUrl` only: let more come.
    AppendAccept,
    /// To `AppendAbort` only.
    AppendAborted,
    /// To `Idle` only: it goes on until DONE.
    Idling,
    /// BYE and close, whatever was asked.
    Bye(Text),
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Outcome::Done(reply)
    }
}

/// Response codes of RFC 9051 §7.1 and the extensions.
#[derive(Clone, Debug, PartialEq)]
pub enum Code {
    Alert,
    AlreadyExists,
    AppendUid {
        uid_validity: u32,
        uids: Numbers,
    },
    AuthenticationFailed,
    AuthorizationFailed,
    /// RFC 4469 §4.1: the URL as the client gave it.
    BadUrl(String),
    /// Prints the charsets that are understood.
    BadCharset,
    /// RFC 5465 §8: prints the events that are known.
    BadEvent,
    Cannot,
    /// The capabilities of the present phase.
    Capability,
    ClientBug,
    Closed,
    /// RFC 4978 §3.
    CompressionActive,
    ContactAdmin,
    /// Source and destination uids, pairwise.
    CopyUid {
        uid_validity: u32,
        uids: Vec<(u32, u32)>,
    },
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    HighestModSeq(u64),
    InUse,
    Limit,
    /// RFC 8474.
    MailboxId(String),
    /// RFC 9738 §3.1: how many messages one command may have.
    MessageLimit(u32),
    /// RFC 5464 §4.2.1: bytes of the largest value that was left out.
    MetadataLongEntries(u64),
    /// RFC 5464 §4.3: bytes that a value may have.
    MetadataMaxSize(u64),
    MetadataTooMany,
    /// RFC 7162 §3.1.3: sequence numbers, or uids after a UID command.
    Modified(Numbers),
    NoModSeq,
    NonExistent,
    NoPerm,
    /// RFC 9585: the running command's progress, and what it is when done.
    InProgress {
        done: u32,
        goal: u32,
    },
    /// RFC 5182.
    NotSaved,
    /// RFC 5465 §5.8.
    NotificationOverflow,
    /// RFC 5267 §4.3.1: the running command's updates are refused.
    NoUpdate,
    OverQuota,
    Parse,
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    /// RFC 7889 and RFC 4469.
    TooBig,
    /// RFC 10022 §3.1.3.2.
    TooFew,
    /// RFC 10022 §3.1.7.
    TooMany,
    TryCreate,
    UidNext(u32),
    UidNotSticky,
    /// RFC 9586 §3.
    UidRequired,
    UidValidity(u32),
    Unavailable,
    UnknownCte,
    /// RFC 5466 §3.1.
    UndefinedFilter(String),
    Unseen(u32),
    /// RFC 6154.
    UseAttr,
}

/// One untagged response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Untagged<'a> {
    /// `* OK [code] text` and the like.
    Reply(&'a Reply),
    List(&'a ListData<'a>),
    /// LSUB, RFC 3501 §7.2.3.
    Lsub(&'a ListData<'a>),
    Status(&'a StatusData<'a>),
    /// All that SELECT and EXAMINE say before the tagged reply, RFC 9051 §6.3.2.
    Selected(&'a SelectData<'a>),
    /// The keywords of the selected mailbox, after a new one came: FLAGS and PERMANENTFLAGS.
    Flags {
        keywords: &'a [String],
        permanent: Permanent,
    },
    /// Answer to SEARCH, SORT and ESEARCH.
    Search(&'a SearchData<'a>),
    /// Answer to THREAD.
    Thread(&'a Forest),
    SearchUpdate(&'a UpdateData<'a>),
    /// Answer to UIDBATCHES, RFC 10022 §3.1.2: the higher uid of each first.
    Batches(&'a [(u32, u32)]),
    Exists(u32),
    Expunge(u32),
    /// RFC 7162 §3.2.10. Uids.
    Vanished {
        earlier: bool,
        uids: &'a Numbers,
    },
    /// News of one message's flags, own or others'. The session adds UID (after UID commands and
    /// under QRESYNC) and MODSEQ (under CONDSTORE).
    FlagsChanged(FlagsChanged<'a>),
    /// What other users share is below the first, what groups share below the second.
    Namespace {
        others: &'a str,
        shared: &'a str,
    },
    /// RFC 4314 §3.6.
    Acl {
        mailbox: &'a str,
        entries: &'a [(String, Rights)],
    },
    /// RFC 4314 §3.7: every right by itself.
    ListRights {
        mailbox: &'a str,
        identifier: &'a str,
        required: Rights,
        optional: Rights,
    },
    MyRights {
        mailbox: &'a str,
        rights: Rights,
    },
    Id(&'a [(&'a str, &'a str)]),
    /// RFC 5464 §4.4.1.
    Metadata(&'a MetadataData<'a>),
    /// RFC 5464 §4.4.2: annotations of other values than before, or gone. Never none.
    MetadataChanged {
        mailbox: &'a str,
        entries: &'a [&'a str],
    },
    Quota(&'a QuotaData<'a>),
    QuotaRoot {
        mailbox: &'a str,
        roots: &'a [&'a str],
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlagsChanged<'a> {
    pub sequence: u32,
    pub uid: u32,
    pub modseq: u64,
    pub flags: FlagList<'a>,
    /// The client asked for .SILENT and knows the outcome: no FLAGS, and nothing at all without
    /// CONDSTORE (RFC 7162 §3.1.3).
    pub silent: bool,
}

/// One mailbox of LIST.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListData<'a> {
    /// UTF-8.
    pub name: &'a str,
    pub no_select: bool,
    /// Implies that it can't be selected.
    pub non_existent: bool,
    pub no_inferiors: bool,
    /// `None`: not said.
    pub has_children: Option<bool>,
    pub subscribed: bool,
    pub special_use: &'a [SpecialUse],
    /// RFC 5258 §3.5 CHILDINFO ("SUBSCRIBED").
    pub child_subscribed: bool,
    /// RFC 9051 §6.3.9.7; printed under IMAP4rev2 only.
    pub old_name: Option<&'a str>,
    /// The answer to `LIST "" ""`: `(\Noselect) "/" ""`; the rest is disregarded.
    pub root: bool,
}

/// Answers in the order they are given; ask for them in the order of the command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatusData<'a> {
    /// UTF-8.
    pub mailbox: &'a str,
    pub values: &'a [StatusValue<'a>],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StatusValue<'a> {
    Messages(u32),
    Recent(u32),
    UidNext(u32),
    UidValidity(u32),
    Unseen(u32),
    Deleted(u32),
    Size(u64),
    HighestModSeq(u64),
    /// Units of 1024 bytes.
    DeletedStorage(u64),
    /// `None`: NIL.
    AppendLimit(Option<u64>),
    MailboxId(&'a str),
}

/// The flags that the client may change for good (RFC 9051 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permanent {
    pub system: SystemFlags,
    /// And new ones.
    pub keywords: bool,
}

impl Permanent {
    pub const ALL: Permanent = Permanent {
        system: SystemFlags::ALL,
        keywords: true,
    };
    pub const NONE: Permanent = Permanent {
        system: SystemFlags(0),
        keywords: false,
    };
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelectData<'a> {
    /// UTF-8.
    pub mailbox: &'a str,
    pub special_use: &'a [SpecialUse],
    pub exists: u32,
    /// Sequence number of the first message without \Seen (IMAP4rev1 only).
    pub first_unseen: Option<u32>,
    pub keywords: &'a [String],
    pub uid_validity: u32,
    pub uid_next: u32,
    pub highest_modseq: u64,
    pub permanent: Permanent,
    /// RFC 8474 §4.2.
    pub mailbox_id: &'a str,
}

/// Annotations; never none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetadataData<'a> {
    /// UTF-8; empty: the server.
    pub mailbox: &'a str,
    pub entries: &'a [MetadataEntry<'a>],
}

/// Name and value; `None`: NIL.
pub type MetadataEntry<'a> = (&'a str, Option<&'a [u8]>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaData<'a> {
    pub root: &'a str,
    pub resources: &'a [QuotaResource],
}

/// RFC 9208 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaResource {
    /// Units of 1024 bytes.
    Storage {
        used: u64,
        limit: u64,
    },
    Message {
        used: u64,
        limit: u64,
    },
}

/// Output, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Bytes(Vec<u8>),
    Stored(Stored),
}
