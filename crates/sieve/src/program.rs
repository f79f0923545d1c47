//! What a script is compiled to: a flat list of instructions with jumps. Tests leave their result
//! in one register; `allof`, `anyof` and `if` are jumps on it.

use std::sync::Arc;

use crate::error::Problem;
use crate::text::Text;

/// A compiled script with all that it includes. Cheap to keep, run by [`crate::run`].
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub(crate) ops: Vec<Op>,
    /// Of each instruction.
    pub(crate) lines: Vec<u32>,
    /// Variables, those of included scripts among them.
    pub(crate) slots: usize,
    pub(crate) scripts: Vec<Subroutine>,
    /// Tests look at the body: the caller has to be able to give it.
    pub(crate) needs_body: bool,
}

impl Program {
    /// Whether a run may ask for the message's body.
    pub fn needs_body(&self) -> bool {
        self.needs_body
    }

    /// Instructions.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// An included script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subroutine {
    pub entry: usize,
    /// Its own variables, empty at each call (RFC 6609 §3.1).
    pub slots: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Jump(usize),
    /// When the last test was false.
    JumpUnless(usize),
    /// When the last test was true.
    JumpWhen(usize),
    Not,
    Test(Test),
    Action(Action),
    Set {
        slot: usize,
        modifiers: Vec<Modifier>,
        value: Text,
    },
    Flags {
        edit: FlagEdit,
        /// `None`: the internal variable (RFC 5232 §2).
        slot: Option<usize>,
        list: Vec<Text>,
    },
    /// RFC 5703 §3: begins to walk over the parts.
    Loop,
    /// The next part; there: behind the last one.
    Next(usize),
    /// Leaves so many loops.
    Break {
        loops: usize,
        to: usize,
    },
    /// RFC 5703 §7.
    Extract {
        slot: usize,
        modifiers: Vec<Modifier>,
        /// In characters.
        first: Option<u64>,
    },
    Call {
        script: usize,
        once: bool,
    },
    Return,
    Stop,
    /// RFC 5463 §5.
    Error(Text),
    /// What could not be compiled and may never be reached.
    Fail(Problem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagEdit {
    Set,
    Add,
    Remove,
}

/// RFC 5229 §4.1, by precedence: the largest is done first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Modifier {
    Length,
    /// RFC 5435 §6.
    EncodeUrl,
    QuoteWildcard,
    /// draft-ietf-sieve-regex §6.
    QuoteRegex,
    LowerFirst,
    UpperFirst,
    Lower,
    Upper,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Keep {
        flags: Option<Vec<Text>>,
    },
    Fileinto {
        place: Destination,
        copy: bool,
    },
    Redirect {
        address: Text,
        copy: bool,
        /// The address is the name of a list (RFC 6134 §2.3).
        list: bool,
    },
    Discard,
    Reject {
        reason: Text,
        /// RFC 5429 §2.1.
        ereject: bool,
    },
    Vacation(Box<Vacation>),
    Notify(Box<Notify>),
    AddHeader {
        name: Text,
        value: Text,
        last: bool,
    },
    DeleteHeader {
        name: Text,
        index: Option<Index>,
        /// Without keys: whatever the value is.
        matching: Matching,
    },
}

/// Where a copy goes (RFC 5228 §4.1 and its extensions, RFC 8580 §3).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Destination {
    pub mailbox: Text,
    pub create: bool,
    pub flags: Option<Vec<Text>>,
    pub special_use: Option<Text>,
    pub mailbox_id: Option<Text>,
}

/// RFC 5435 §3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notify {
    pub from: Option<Text>,
    pub importance: Option<Text>,
    pub options: Vec<Text>,
    pub message: Option<Text>,
    pub method: Text,
    pub fcc: Option<Destination>,
}

/// RFC 5230 §4.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vacation {
    pub seconds: u64,
    pub subject: Option<Text>,
    pub from: Option<Text>,
    pub addresses: Vec<Text>,
    pub mime: bool,
    pub handle: Option<Text>,
    pub reason: Text,
    pub fcc: Option<Destination>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Constant(bool),
    Address {
        fields: Fields,
        headers: Headers,
        part: AddressPart,
        matching: Matching,
    },
    Envelope {
        parts: Vec<Text>,
        part: AddressPart,
        matching: Matching,
    },
    Exists {
        names: Vec<Text>,
        headers: Headers,
    },
    Header {
        fields: Fields,
        headers: Headers,
        aspect: Aspect,
        matching: Matching,
    },
    Size {
        over: bool,
        limit: u64,
    },
    String {
        sources: Vec<Text>,
        matching: Matching,
    },
    HasFlag {
        /// `None`: the internal variable.
        slots: Option<Vec<usize>>,
        matching: Matching,
    },
    Date {
        fields: Fields,
        zone: Zone,
        part: DatePart,
        matching: Matching,
    },
    CurrentDate {
        zone: Zone,
        part: DatePart,
        matching: Matching,
    },
    MailboxExists(Vec<Text>),
    MailboxIdExists(Vec<Text>),
    SpecialUseExists {
        mailbox: Option<Text>,
        uses: Vec<Text>,
    },
    Body {
        transform: Transform,
        matching: Matching,
    },
    Environment {
        item: Text,
        matching: Matching,
    },
    Duplicate(Duplicate),
    /// RFC 5235 §3.2.
    Spam {
        percent: bool,
        matching: Matching,
    },
    /// RFC 5235 §3.3.
    Virus(Matching),
    /// RFC 5435 §4.
    ValidNotifyMethod(Vec<Text>),
    /// RFC 5435 §5.
    NotifyCapability {
        method: Text,
        capability: Text,
        matching: Matching,
    },
    /// RFC 6134 §2.7.
    ValidList(Vec<Text>),
    /// RFC 5490 §3.3, §4.1; without a mailbox: of the server.
    Metadata {
        mailbox: Option<Text>,
        name: Text,
        matching: Matching,
    },
    /// RFC 5490 §3.4, §4.2.
    MetadataExists {
        mailbox: Option<Text>,
        names: Vec<Text>,
    },
}

/// Which headers are looked at (RFC 5703 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headers {
    /// That of the message.
    Message,
    /// That of the part whose turn it is; outside of loops that of the message.
    Part,
    /// The same, and those of all parts within.
    PartAndChildren,
}

/// What of a MIME field is looked at (RFC 5703 §4.1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Aspect {
    Value,
    Type,
    Subtype,
    ContentType,
    Params(Vec<Text>),
}

/// Which header fields of a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fields {
    pub names: Vec<Text>,
    pub index: Option<Index>,
}

/// RFC 5260 §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    /// From 1.
    pub number: u64,
    pub last: bool,
}

/// RFC 5173 §5.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Transform {
    Raw,
    Content(Vec<Text>),
    Text,
}

/// RFC 7352 §3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Duplicate {
    pub handle: Option<Text>,
    pub id: DuplicateId,
    pub seconds: u64,
    pub last: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DuplicateId {
    Header(Text),
    Unique(Text),
}

/// RFC 5228 §2.7.4, RFC 5233 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressPart {
    All,
    LocalPart,
    Domain,
    User,
    Detail,
}

/// RFC 5260 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// The server's: UTC.
    Local,
    /// Minutes east of UTC.
    Fixed(i16),
    Original,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    Date,
    Julian,
    Hour,
    Minute,
    Second,
    Time,
    Iso8601,
    Std11,
    Zone,
    Weekday,
}

impl DatePart {
    const TABLE: [(&'static str, DatePart); 13] = [
        ("year", DatePart::Year),
        ("month", DatePart::Month),
        ("day", DatePart::Day),
        ("date", DatePart::Date),
        ("julian", DatePart::Julian),
        ("hour", DatePart::Hour),
        ("minute", DatePart::Minute),
        ("second", DatePart::Second),
        ("time", DatePart::Time),
        ("iso8601", DatePart::Iso8601),
        ("std11", DatePart::Std11),
        ("zone", DatePart::Zone),
        ("weekday", DatePart::Weekday),
    ];

    pub(crate) fn named(name: &str) -> Option<DatePart> {
        Self::TABLE
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, part)| *part)
    }
}

/// How values are compared with keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matching {
    pub how: MatchType,
    pub comparator: Comparator,
    pub keys: Vec<Text>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MatchType {
    Is,
    Contains,
    Matches,
    /// RFC 5231 §4.1.
    Value(Relation),
    /// RFC 5231 §4.2.
    Count(Relation),
    /// The compiled patterns of those keys that hold no variables.
    Regex(Arc<[Option<Pattern>]>),
    /// The keys are names of lists (RFC 6134 §2.2).
    List,
}

/// A pattern; equal when its text is.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Octet,
    AsciiCasemap,
    AsciiNumeric,
    UnicodeCasemap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Relation {
    pub(crate) fn named(name: &str) -> Option<Relation> {
        Some(match name.to_ascii_lowercase().as_str() {
            "gt" => Relation::Greater,
            "ge" => Relation::GreaterOrEqual,
            "lt" => Relation::Less,
            "le" => Relation::LessOrEqual,
            "eq" => Relation::Equal,
            "ne" => Relation::NotEqual,
            _ => return None,
        })
    }

    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
        }
    }
}
