//! Every bound of this crate. What a peer can make us hold, before login and after it.

/// What a peer may make the session hold or do; one set before login, one after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line, literals apart.
    pub line_bytes_max: usize,
    /// Bytes of one literal that is kept in memory (APPEND's message is not).
    pub literal_bytes_max: usize,
    /// Bytes of one whole command, literals included.
    pub command_bytes_max: usize,
    /// Bytes of a refused non-synchronizing literal that are read and dropped; more closes.
    pub skip_bytes_max: u64,
    /// Commands that may fail to parse before the connection is closed.
    pub bad_commands_max: u32,
    /// Commands in all.
    pub commands_max: u32,
}

/// Before login: enough for LOGIN with literals, ID and a SASL exchange (RFC 9051 §11.2).
pub const BEFORE_LOGIN: Limits = Limits {
    line_bytes_max: 8 << 10,
    literal_bytes_max: 1 << 10,
    command_bytes_max: 12 << 10,
    skip_bytes_max: 64 << 10,
    bad_commands_max: 5,
    commands_max: 100,
};

/// After login. A line holds a sequence set that a client wrote number by number.
pub const AFTER_LOGIN: Limits = Limits {
    line_bytes_max: 512 << 10,
    literal_bytes_max: 64 << 10,
    command_bytes_max: 1 << 20,
    skip_bytes_max: 256 << 20,
    bad_commands_max: 50,
    commands_max: u32::MAX,
};

/// RFC 7888 §5: the largest non-synchronizing literal under LITERAL-.
pub const LITERAL_MINUS_BYTES_MAX: u64 = 4096;

/// Logins that fail before the connection is closed.
pub const LOGIN_FAILURES_MAX: u32 = 3;

/// Bytes of a tag.
pub const TAG_BYTES_MAX: usize = 64;

/// Ranges of one sequence set.
pub const SET_RANGES_MAX: usize = 64 << 10;

/// Depth of parentheses, NOT and OR in SEARCH.
pub const SEARCH_DEPTH_MAX: usize = 32;

/// Keys of one SEARCH, at every depth together.
pub const SEARCH_KEYS_MAX: usize = 1024;

/// Criteria of one SORT.
pub const SORT_KEYS_MAX: usize = 32;

/// Sources of one ESEARCH, and mailboxes in one of them.
pub const SEARCH_SOURCES_MAX: usize = 256;

/// Messages of one batch at least, RFC 10022 §3.1.3.2.
pub const BATCH_MESSAGES_MIN: u32 = 500;

/// Messages of all batches of one UIDBATCHES that names a range, RFC 10022 §3.1.5.
pub const BATCHES_MESSAGES_MAX: u64 = 100_000;

/// Batches in one answer (RFC 10022 §3.1.7); at least 5,000,000 messages.
pub const BATCHES_MAX: u32 = 10_000;

/// What MESSAGELIMIT says (RFC 9738 §3). No command but APPEND is cut short.
pub const MESSAGE_LIMIT: u32 = 1_000_000;

/// Tags of one CANCELUPDATE.
pub const CANCELLED_TAGS_MAX: usize = 64;

/// Items of one FETCH.
pub const FETCH_ITEMS_MAX: usize = 256;

/// Header names in one HEADER.FIELDS.
pub const HEADER_NAMES_MAX: usize = 256;

/// Numbers of a part, `1.2.3…`.
pub const PART_DEPTH_MAX: usize = 64;

/// Flags in one STORE or APPEND.
pub const FLAGS_MAX: usize = 128;

/// Bytes of a keyword.
pub const KEYWORD_BYTES_MAX: usize = 128;

/// Bytes of a mailbox name in UTF-8.
pub const MAILBOX_NAME_BYTES_MAX: usize = 1024;

/// Levels of a mailbox name.
pub const MAILBOX_LEVELS_MAX: usize = 32;

/// Patterns of one extended LIST.
pub const LIST_PATTERNS_MAX: usize = 64;

/// `*` and `%` in one LIST pattern.
pub const LIST_WILDCARDS_MAX: usize = 32;

/// RFC 2971 §3.3: at most 30 fields, names of 30 bytes, values of 1024.
pub const ID_FIELDS_MAX: usize = 30;
pub const ID_VALUE_BYTES_MAX: usize = 1024;

/// Bytes of an identifier of RFC 4314: an address.
pub const IDENTIFIER_BYTES_MAX: usize = 320;

/// Resources in one SETQUOTA.
pub const QUOTA_RESOURCES_MAX: usize = 16;

/// Names in one ENABLE.
pub const ENABLE_NAMES_MAX: usize = 32;

/// Languages in one LANGUAGE.
pub const LANGUAGE_RANGES_MAX: usize = 32;

/// Messages of one APPEND (RFC 3502).
pub const APPEND_MESSAGES_MAX: u32 = 1000;

/// Groups of one NOTIFY, events of a group, and mailboxes that it names (RFC 5465).
pub const NOTIFY_GROUPS_MAX: usize = 32;
pub const NOTIFY_EVENTS_MAX: usize = 16;
pub const NOTIFY_NAMES_MAX: usize = 256;

/// Entries in one GETMETADATA or SETMETADATA, bytes of a name, and of a value (RFC 5464).
pub const METADATA_ENTRIES_MAX: usize = 64;
pub const METADATA_NAME_BYTES_MAX: usize = 256;
pub const METADATA_VALUE_BYTES_MAX: usize = 64 << 10;

/// Parts of one message of CATENATE that one line may name (RFC 4469).
pub const CATENATE_PARTS_MAX: usize = 256;

/// Bytes of a URL; a refusal says it again (RFC 4469 §4.1).
pub const URL_BYTES_MAX: usize = 4096;

/// Output above which a handler is to flush before it says more.
pub const OUTPUT_BYTES_SOFT: usize = 64 << 10;

/// Stored ranges waiting above which a handler is to flush.
pub const OUTPUT_STORED_SOFT: usize = 64;
