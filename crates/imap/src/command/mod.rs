//! Every command as data, RFC 9051 §6 and the extensions, and the one table that knows them.
//!
//! A handler gets a [`Request`]: arguments are parsed, bounded and normalised (mailbox names are
//! UTF-8 whatever the client speaks, macros are expanded, implied items are added).

mod access;
mod acl;
pub(crate) mod append;
mod batches;
mod copy;
pub(crate) mod fetch;
mod list;
pub(crate) mod mailbox;
pub(crate) mod mailboxes;
mod metadata;
mod notify;
pub(crate) mod search;
mod sort;
mod store;
#[cfg(test)]
mod tests;

use crate::cursor::{Cursor, Fault, Parse, is_tag_char};
use crate::date::{Date, DateTime};
use crate::flag::FlagNames;
use crate::limits;
use crate::pattern::Pattern;
use crate::set::{SequenceSet, SetNumber};

pub use acl::{Identified, RightsChange, SetAcl, SetQuota};
pub use fetch::{Fetch, FetchAttribute, Partial, Section, SectionText};
pub use metadata::{Depth, GetMetadata, SetMetadata};
pub use notify::{EventGroup, Events, Notify, NotifySet, SelectedEvents, Watched};

/// What the driver is to do. Each ends with `session.finish`.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    // Before login.
    Login(Login),
    /// Start of a SASL exchange, RFC 9051 §6.2.2. Finish with a challenge or a completion.
    Auth(Auth),
    /// The client's answer to a challenge, decoded.
    AuthResponse(Vec<u8>),

    // After login.
    /// What the client says of itself (RFC 2971), for the log; `None`: NIL. Legal before login too.
    /// Respond [`crate::response::Untagged::Id`].
    Id(Option<Vec<(String, Option<String>)>>),
    Noop,
    /// RFC 8437: forget the user. Finish with OK; the session is as new then.
    Unauthenticate,
    /// ENABLE was done by the session (RFC 5161); `condstore` when it is now in force and was not
    /// before: respond HIGHESTMODSEQ if a mailbox is selected (RFC 7162 §3.1).
    Enabled {
        condstore: bool,
    },
    /// SELECT or EXAMINE.
    Select(Select),
    Create(Create),
    Delete(MailboxName),
    Rename(Rename),
    Subscribe(MailboxName),
    Unsubscribe(MailboxName),
    List(List),
    /// RFC 3501 §6.3.9.
    Lsub(Lsub),
    Namespace,
    Status(Status),
    /// Head of one message: accept with `Outcome::AppendAccept` (then `Step::Body` pieces), or
    /// refuse with a tagged reply.
    AppendBegin(Append),
    /// A stored piece of the message that is being appended (RFC 4469): accept with
    /// `Outcome::AppendAccept`, or refuse with a tagged reply.
    AppendUrl(String),
    /// All messages are here: commit, then the tagged reply.
    AppendEnd,
    /// The command broke off after `AppendBegin` was accepted: drop what was spooled and finish
    /// with `Outcome::AppendAborted`; the session says why by itself.
    AppendAbort,
    GetQuota(String),
    GetQuotaRoot(MailboxName),
    SetQuota(SetQuota),
    // RFC 4314.
    SetAcl(SetAcl),
    DeleteAcl(Identified),
    GetAcl(MailboxName),
    ListRights(Identified),
    MyRights(MailboxName),
    /// RFC 5465.
    Notify(Notify),
    GetMetadata(GetMetadata),
    SetMetadata(SetMetadata),
    /// RFC 2177. Sync, then finish with `Outcome::Idling`; while `session.is_idle()`, news may be
    /// given with `respond` at any time between steps.
    Idle,
    /// DONE came. Sync, then the tagged reply.
    IdleDone,

    // With a mailbox selected.
    /// RFC 3501 §6.4.1.
    Check,
    /// Expunges silently unless the mailbox is read-only, then leaves it.
    Close,
    Unselect,
    /// `uids`: UID EXPUNGE (RFC 4315), only these.
    Expunge {
        uids: Option<SequenceSet>,
    },
    /// SEARCH, SORT and ESEARCH.
    Search(Search),
    Thread(Thread),
    /// UIDBATCHES.
    Batches(Batches),
    /// RFC 5267 §4.3.5: the tags of searches that asked for UPDATE.
    CancelUpdate(Vec<String>),
    /// A search in a charset that is not understood, whose result was to be saved: RFC 9051 §6.4.4.1.
    SaveInCharset,
    Fetch(Fetch),
    Store(Store),
    Copy(Copy),
    Move(Copy),
}

/// Full name in UTF-8, levels separated by '/', INBOX in capitals. Not empty, at most
/// [`crate::limits::MAILBOX_NAME_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailboxName(pub(crate) String);

/// Whether numbers are uids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    Sequence,
    Uid,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// Upper case, one of those offered.
    pub mechanism: String,
    /// Decoded initial response; `Some(vec![])` for `=` (RFC 4959).
    pub initial: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    pub mailbox: MailboxName,
    /// EXAMINE.
    pub read_only: bool,
    /// Asked for here; `session.condstore()` tells whether it is in force.
    pub condstore: bool,
    pub qresync: Option<Qresync>,
}

/// RFC 7162 §3.2.5.
#[derive(Clone, Debug, PartialEq)]
pub struct Qresync {
    pub uid_validity: u32,
    pub modseq: u64,
    pub known_uids: Option<SequenceSet>,
    /// Sequence numbers and their uids, the same count of each.
    pub sequence_match: Option<(SequenceSet, SequenceSet)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Create {
    /// Without a trailing separator.
    pub mailbox: MailboxName,
    /// RFC 6154 §3.
    pub special_use: Vec<SpecialUse>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rename {
    pub from: MailboxName,
    pub to: MailboxName,
}

/// RFC 6154 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
    /// RFC 8457.
    Important,
}

/// LIST, plain and extended (RFC 5258, RFC 9051 §6.3.9).
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    pub select: ListSelect,
    /// The reference is already put in front. A plain LIST with an empty pattern has none and sets
    /// `root`.
    pub patterns: Vec<Pattern>,
    /// `LIST "" ""`: respond the separator alone, [`crate::response::ListData::root`].
    pub root: bool,
    pub return_: ListReturn,
    /// Written with selection options, several patterns or RETURN.
    pub extended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelect {
    pub subscribed: bool,
    pub remote: bool,
    pub recursive_match: bool,
    pub special_use: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReturn {
    pub subscribed: bool,
    pub children: bool,
    pub special_use: bool,
    /// RFC 5819.
    pub status: Option<Vec<StatusItem>>,
    /// RFC 8440.
    pub my_rights: bool,
    /// RFC 9590: names of entries, lower case.
    pub metadata: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Lsub {
    pub pattern: Pattern,
    pub root: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub mailbox: MailboxName,
    pub items: Vec<StatusItem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    Messages,
    /// RFC 3501 only; answer 0.
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    /// RFC 8438.
    Size,
    HighestModSeq,
    /// RFC 9208: DELETED-STORAGE.
    DeletedStorage,
    /// RFC 7889.
    AppendLimit,
    /// RFC 8474.
    MailboxId,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    pub mailbox: MailboxName,
    /// 0 for the first message of the command; RFC 3502 allows more, all or none of which are kept.
    /// When a later one is refused, the earlier ones are to be dropped.
    pub index: usize,
    /// RFC 8508: what the message takes the place of.
    pub replaced: Option<Replaced>,
    pub flags: FlagNames,
    pub date: Option<DateTime>,
    /// Bytes; `None`: it is put together of parts.
    pub size: Option<u64>,
    /// Sent as literal8: NUL is allowed (RFC 3516 §4.4). In parts, each is as it may be.
    pub binary: bool,
}

/// The message that REPLACE replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub numbering: Numbering,
    pub number: SetNumber,
}

/// SEARCH; with an order SORT (RFC 5256), with sources ESEARCH (RFC 7377).
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    pub numbering: Numbering,
    /// `None`: no RETURN was written. The session prints by it; a handler needs it for `save`,
    /// `partial` and `update`.
    pub return_: Option<SearchReturn>,
    /// Empty: the mailbox's order.
    pub sort: Vec<SortKey>,
    /// `None`: the selected mailbox, and the answer does not name it. Never empty.
    pub sources: Option<Vec<Source>>,
    /// RFC 5465 §7: of messages that come into the result of an UPDATE.
    pub update_items: Vec<FetchAttribute>,
    /// All of these.
    pub keys: Vec<SearchKey>,
}

impl Search {
    /// The result is to be kept for `$` (RFC 5182).
    pub fn saves(&self) -> bool {
        self.return_.is_some_and(|return_| return_.save)
    }
}

/// RFC 4731, RFC 5182, RFC 5267, RFC 9394. `RETURN ()` is `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
    pub save: bool,
    /// Never with `all`.
    pub partial: Option<PartialRange>,
    /// RFC 6203 §4.
    pub relevancy: bool,
    /// A hint, RFC 5267 §4.2.
    pub context: bool,
    pub update: bool,
}

impl SearchReturn {
    /// Something is to be answered.
    pub fn asks(&self) -> bool {
        let numbers = self.min || self.max || self.all || self.partial.is_some();
        numbers || self.count || self.relevancy
    }
}

/// Places in a result, counted from 1, as written; RFC 9394 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialRange {
    pub first: u32,
    pub last: u32,
    /// 1 is the last one.
    pub from_end: bool,
}

impl PartialRange {
    /// The places meant among `count`, counted from 0; perhaps empty.
    pub fn places(self, count: u64) -> std::ops::Range<u64> {
        let start = u64::from(self.first.min(self.last))
            .saturating_sub(1)
            .min(count);
        let end = u64::from(self.first.max(self.last)).min(count);
        match self.from_end {
            true => count - end..count - start,
            false => start..end,
        }
    }
}

/// One criterion of SORT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub field: SortField,
    pub reverse: bool,
}

/// RFC 5256 §3, RFC 5957 §4, RFC 6203 §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
    /// RFC 6203 §6: the highest first.
    Relevancy,
}

/// Mailboxes that ESEARCH looks into, RFC 7377 §2.2, RFC 5465 §6.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Selected,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<MailboxName>),
    SubtreeOne(Vec<MailboxName>),
    Mailboxes(Vec<MailboxName>),
}

/// RFC 10022: ranges of uids are asked for, each of so many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Of one batch.
    pub messages: u32,
    /// First and last batch as written, counted from 1, which has the highest uids; `None`: all.
    pub range: Option<(u32, u32)>,
}

/// RFC 5256 §3.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    pub numbering: Numbering,
    pub algorithm: ThreadAlgorithm,
    /// All of these.
    pub keys: Vec<SearchKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
    /// draft-ietf-morg-inthread.
    Refs,
}

/// RFC 9051 §6.4.4; RFC 3501's OLD, NEW and RECENT with `\Recent` never set; RFC 7162 MODSEQ; RFC
/// 5032 OLDER and YOUNGER. Strings are UTF-8 as the client wrote them.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchKey {
    All,
    And(Vec<SearchKey>),
    Or(Box<SearchKey>, Box<SearchKey>),
    Not(Box<SearchKey>),
    /// RFC 6203: what resembles.
    Fuzzy(Box<SearchKey>),
    /// Sequence numbers.
    Sequence(SequenceSet),
    Uid(SequenceSet),
    /// Every one of these is set.
    Flag(crate::flag::SystemFlags),
    Unflag(crate::flag::SystemFlags),
    Keyword(String),
    Unkeyword(String),
    /// Never matches.
    Recent,
    /// Never matches.
    New,
    /// Always matches.
    Old,
    /// Internal date, its day in UTC, before this one.
    Before(Date),
    On(Date),
    Since(Date),
    /// Date header, zone disregarded.
    SentBefore(Date),
    SentOn(Date),
    SentSince(Date),
    /// RFC 8514.
    SavedBefore(Date),
    SavedOn(Date),
    SavedSince(Date),
    /// Internal date at least this many seconds ago.
    Older(u32),
    Younger(u32),
    Larger(u64),
    Smaller(u64),
    /// Name and what it contains; empty: the field is there.
    Header(String, String),
    From(String),
    To(String),
    Cc(String),
    Bcc(String),
    Subject(String),
    Body(String),
    Text(String),
    /// RFC 7162 §3.1.5: modseq at least this.
    ModSeq(u64),
    /// RFC 8474 §6.
    EmailId(String),
    ThreadId(String),
    /// RFC 5466 §3.1: the criteria stored under this name, in lower case.
    Filter(String),
}

impl SearchKey {
    /// Of this key or of one inside it.
    fn any(&self, test: &dyn Fn(&SearchKey) -> bool) -> bool {
        test(self)
            || match self {
                SearchKey::And(keys) => keys.iter().any(|key| key.any(test)),
                SearchKey::Or(left, right) => left.any(test) || right.any(test),
                SearchKey::Not(key) | SearchKey::Fuzzy(key) => key.any(test),
                _ => false,
            }
    }

    /// Somewhere messages are named by their sequence numbers, or by `$`.
    pub fn uses_sequence(&self) -> bool {
        self.any(&|key| {
            matches!(
                key,
                SearchKey::Sequence(_) | SearchKey::Uid(SequenceSet::Saved)
            )
        })
    }

    /// Somewhere messages are named by sequence numbers.
    pub fn names_sequences(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::Sequence(SequenceSet::Ranges(_))))
    }

    /// Somewhere a MODSEQ key is used: the result carries the highest modseq (RFC 7162 §3.1.5).
    pub fn uses_modseq(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::ModSeq(_)))
    }

    /// Somewhere FUZZY is used (RFC 6203).
    pub fn uses_fuzzy(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::Fuzzy(_)))
    }

    /// Somewhere stored criteria are named (RFC 5466).
    pub fn names_filter(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::Filter(_)))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    pub numbering: Numbering,
    pub set: SequenceSet,
    pub edit: FlagEdit,
    pub silent: bool,
    pub flags: FlagNames,
    /// RFC 7162 §3.1.3.
    pub unchanged_since: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagEdit {
    Add,
    Remove,
    Replace,
}

/// COPY and MOVE.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    pub numbering: Numbering,
    pub set: SequenceSet,
    pub mailbox: MailboxName,
}

impl MailboxName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &String::from_utf8_lossy(&self.user))
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

/// What a whole command turns out to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    // Answered by the session.
    Capability,
    Logout,
    StartTls,
    Authenticate(Auth),
    /// Upper case.
    Enable(Vec<String>),
    /// RFC 5255 §3.2: language ranges as written; none asks for the list.
    Language(Vec<String>),
    /// RFC 4978: the mechanism in upper case.
    Compress(String),
    /// APPEND or REPLACE without a literal of its own.
    Append {
        target: append::Target,
        items: Vec<append::Item>,
    },
    /// Done by the driver.
    Run(Request),
}

/// When a command is legal, RFC 9051 §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Legal {
    Always,
    BeforeLogin,
    AfterLogin,
    WithMailbox,
}

/// One command.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) legal: Legal,
    /// UID may stand in front.
    pub(crate) uid: bool,
    /// Without UID in front, its answers are about sequence numbers: no expunge may be told
    /// meanwhile (RFC 9051 §7.5.1).
    pub(crate) holds_expunges: bool,
    /// Changes the selected mailbox: refused when it is open read-only.
    pub(crate) writes: bool,
    pub(crate) parse: fn(&mut Cursor<'_>, Numbering) -> Parse<Command>,
}

const fn row(
    name: &'static str,
    legal: Legal,
    parse: fn(&mut Cursor<'_>, Numbering) -> Parse<Command>,
) -> Row {
    Row {
        name,
        legal,
        uid: false,
        holds_expunges: false,
        writes: false,
        parse,
    }
}

impl Row {
    const fn with_uid(self) -> Row {
        Row { uid: true, ..self }
    }

    const fn writing(self) -> Row {
        Row {
            writes: true,
            ..self
        }
    }

    const fn holding_expunges(self) -> Row {
        Row {
            holds_expunges: true,
            ..self
        }
    }
}

/// Every command there is.
#[rustfmt::skip]
pub(crate) static TABLE: &[Row] = &[
    row("CAPABILITY",   Legal::Always,      |_, _| Ok(Command::Capability)),
    row("NOOP",         Legal::Always,      |_, _| Ok(Command::Run(Request::Noop))),
    row("LOGOUT",       Legal::Always,      |_, _| Ok(Command::Logout)),
    row("ID",           Legal::Always,      access::id),
    row("STARTTLS",     Legal::BeforeLogin, |_, _| Ok(Command::StartTls)),
    row("AUTHENTICATE", Legal::BeforeLogin, access::authenticate),
    row("LOGIN",        Legal::BeforeLogin, access::login),
    row("LANGUAGE",     Legal::Always,      access::language),
    row("ENABLE",       Legal::AfterLogin,  access::enable),
    row("UNAUTHENTICATE", Legal::AfterLogin, |_, _| Ok(Command::Run(Request::Unauthenticate))),
    row("SELECT",       Legal::AfterLogin,  mailboxes::select),
    row("EXAMINE",      Legal::AfterLogin,  mailboxes::examine),
    row("CREATE",       Legal::AfterLogin,  mailboxes::create),
    row("DELETE",       Legal::AfterLogin,  mailboxes::delete),
    row("RENAME",       Legal::AfterLogin,  mailboxes::rename),
    row("SUBSCRIBE",    Legal::AfterLogin,  mailboxes::subscribe),
    row("UNSUBSCRIBE",  Legal::AfterLogin,  mailboxes::unsubscribe),
    row("LIST",         Legal::AfterLogin,  list::list),
    row("LSUB",         Legal::AfterLogin,  list::lsub),
    row("NAMESPACE",    Legal::AfterLogin,  list::namespace),
    row("STATUS",       Legal::AfterLogin,  mailboxes::status),
    row("APPEND",       Legal::AfterLogin,  append::append),
    row("IDLE",         Legal::AfterLogin,  |_, _| Ok(Command::Run(Request::Idle))),
    row("GETQUOTA",     Legal::AfterLogin,  mailboxes::get_quota),
    row("GETQUOTAROOT", Legal::AfterLogin,  mailboxes::get_quota_root),
    row("SETQUOTA",     Legal::AfterLogin,  acl::set_quota),
    row("SETACL",       Legal::AfterLogin,  acl::set_acl),
    row("DELETEACL",    Legal::AfterLogin,  acl::delete_acl),
    row("GETACL",       Legal::AfterLogin,  acl::get_acl),
    row("LISTRIGHTS",   Legal::AfterLogin,  acl::list_rights),
    row("MYRIGHTS",     Legal::AfterLogin,  acl::my_rights),
    row("NOTIFY",       Legal::AfterLogin,  notify::notify),
    row("GETMETADATA",  Legal::AfterLogin,  metadata::get_metadata),
    row("SETMETADATA",  Legal::AfterLogin,  metadata::set_metadata),
    row("COMPRESS",     Legal::AfterLogin,  access::compress),
    row("CHECK",        Legal::WithMailbox, |_, _| Ok(Command::Run(Request::Check))),
    row("CLOSE",        Legal::WithMailbox, |_, _| Ok(Command::Run(Request::Close))),
    row("UNSELECT",     Legal::WithMailbox, |_, _| Ok(Command::Run(Request::Unselect))),
    row("EXPUNGE",      Legal::WithMailbox, copy::expunge).with_uid().writing(),
    row("SEARCH",       Legal::WithMailbox, search::search).with_uid().holding_expunges(),
    row("ESEARCH",      Legal::AfterLogin,  search::esearch),
    row("SORT",         Legal::WithMailbox, sort::sort).with_uid().holding_expunges(),
    row("THREAD",       Legal::WithMailbox, sort::thread).with_uid().holding_expunges(),
    row("CANCELUPDATE", Legal::WithMailbox, sort::cancel_update),
    row("UIDBATCHES",   Legal::WithMailbox, batches::batches),
    row("FETCH",        Legal::WithMailbox, fetch::fetch).with_uid().holding_expunges(),
    row("STORE",        Legal::WithMailbox, store::store).with_uid().holding_expunges().writing(),
    row("COPY",         Legal::WithMailbox, copy::copy).with_uid(),
    row("REPLACE",      Legal::WithMailbox, append::replace).with_uid().writing(),
    row("MOVE",         Legal::WithMailbox, copy::move_).with_uid().writing(),
];

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// Tag and name of a command, or of its beginning.
pub(crate) struct Named<'a> {
    /// `None`: there is no legal tag.
    pub(crate) tag: Option<&'a [u8]>,
    pub(crate) row: Parse<(&'static Row, Numbering)>,
    /// After the name.
    pub(crate) arguments: Cursor<'a>,
}

pub(crate) fn name(bytes: &[u8], utf8: bool) -> Named<'_> {
    let mut cursor = Cursor::new(bytes, utf8);
    let tag = cursor.take_while(is_tag_char);
    if tag.is_empty() || tag.len() > limits::TAG_BYTES_MAX || !cursor.skip(b' ') {
        return Named {
            tag: None,
            row: Err(Fault::Tag),
            arguments: cursor,
        };
    }
    let row = find(&mut cursor);
    Named {
        tag: Some(tag),
        row,
        arguments: cursor,
    }
}

fn find(cursor: &mut Cursor<'_>) -> Parse<(&'static Row, Numbering)> {
    let numbering = if cursor.skip_word("UID ") {
        Numbering::Uid
    } else {
        Numbering::Sequence
    };
    let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric());
    let row = TABLE
        .iter()
        .find(|row| name.eq_ignore_ascii_case(row.name.as_bytes()))
        .ok_or(Fault::Command)?;
    if numbering == Numbering::Uid && !row.uid {
        return Err(Fault::Command);
    }
    Ok((row, numbering))
}

impl Named<'_> {
    /// Arguments to the end of the command.
    pub(crate) fn parse(mut self) -> Parse<Command> {
        let (row, numbering) = self.row?;
        let command = (row.parse)(&mut self.arguments, numbering)?;
        self.arguments.end()?;
        Ok(command)
    }
}

/// Stored search criteria, RFC 5466 §4; `None`: they are not whole, or wrong.
pub fn search_criteria(text: &str) -> Option<Vec<SearchKey>> {
    search::keys(&mut Cursor::new(text.as_bytes(), true)).ok()
}

/// What a whole command without its last CRLF asks of a driver; `None` when it is not well-formed
/// or the session answers it alone. The session does not come this way; fuzzing does.
pub fn request(line: &[u8], utf8: bool) -> Option<Request> {
    match name(line, utf8).parse() {
        Ok(Command::Run(request)) => Some(request),
        _ => None,
    }
}
