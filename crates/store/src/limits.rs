//! Every bound of the store in one place.

use std::time::Duration;

/// Bytes of body in one chunk record, and the most that a spool holds.
pub const CHUNK_BYTES_MAX: usize = 64 << 10;
/// A journal segment is closed once it is past this.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Payload of one journal record; larger transactions are split over several.
pub const RECORD_PAYLOAD_MAX: usize = 1 << 20;
/// What one group commit takes at most.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
pub const GROUP_JOBS_MAX: usize = 1024;
/// The journal is flushed beside the work for the index when a group has this many rows.
pub const FLUSH_BESIDE_ROWS_MIN: usize = 512;
/// Writes waiting for the writer thread.
pub const WAITING_JOBS_MAX: usize = 4096;
/// Entries of the log that are kept with the news of an account, for all its watchers.
pub const NEWS_ENTRIES_MAX: usize = 64;
/// Messages whose rows are read before their records.
pub const MESSAGES_STEP_ROWS: usize = 1024;
/// What a row takes in a memtable beside its key and value.
pub const ROW_OVERHEAD_BYTES: usize = 128;
/// Rows that are put into a memtable or read from it in one go.
pub const MEMTABLE_STEP_ROWS: usize = 256;
/// A change of flags of so many messages is written as one.
pub const SWEEP_ROWS_MIN: usize = 256;
/// What is laid over each row that is read, at most; beyond it rows are written.
pub const SWEEPS_MAX: usize = 64;
/// Pages of rows that sweeps are written into in one go.
pub const SWEEP_STEP_PAGES: usize = 256;
/// What a sweep counts for each of its messages: the row that it becomes in the file.
pub const SWEEP_ROW_BYTES: usize = 32;
/// A memtable goes into the index's file once it takes this much memory; writing waits when it and
/// the one before take twice as much.
pub const MEMTABLE_BYTES: usize = 16 << 20;
/// A smaller one is waited for.
pub const MERGE_BESIDE_BYTES_MIN: usize = 1 << 20;
/// And once this much time or journal went by.
pub const INDEX_COMMIT_SECONDS: u64 = 30;
pub const INDEX_COMMIT_BYTES: u64 = 64 << 20;
/// Memory for the index's pages, at most: what 100,000 messages have of envelopes and structures.
pub const INDEX_CACHE_BYTES: usize = 96 << 20;
/// The same of a file that is derived from the store's content: the system's cache does the rest.
pub const DERIVED_CACHE_BYTES: usize = 16 << 20;
/// Rows in one shared page of the message index.
pub const PAGE_ROWS: usize = 512;
/// Rows of all mailboxes held in memory (64 bytes each).
pub const CACHED_ROWS_MAX: usize = 2_000_000;
/// Journal segments held open for reading.
pub const OPEN_SEGMENTS_MAX: usize = 64;

pub const MAILBOXES_MAX: usize = 10_000;
/// Names without a mailbox that an account stays subscribed to.
pub const SUBSCRIPTIONS_MAX: usize = 1_000;
pub const MAILBOX_NAME_BYTES_MAX: usize = 1024;
pub const MAILBOX_LEVELS_MAX: usize = 32;
pub const MAILBOX_LEVEL_BYTES_MAX: usize = 255;
/// One bit each in [`crate::Flags::keywords`].
pub const KEYWORDS_MAX: usize = 128;
pub const KEYWORD_BYTES_MAX: usize = 255;
/// Annotations of one mailbox, and bytes of all of an account with their names (RFC 5464).
pub const METADATA_ENTRIES_MAX: usize = 256;
pub const METADATA_BYTES_MAX: usize = 1 << 20;
/// Filter scripts of one account, bytes of a name, and bytes of all of them.
pub const SCRIPTS_MAX: usize = 64;
pub const SCRIPT_NAME_BYTES_MAX: usize = 512;
pub const SCRIPTS_BYTES_MAX: usize = 2 << 20;
/// Rows of what an account's scripts remember; RFC 5230 §4.2 asks for 1,000.
pub const REMEMBERED_MAX: usize = 20_000;
/// Keys of one domain, retired ones included.
pub const SIGNING_KEYS_MAX: usize = 32;
/// Rows of rights in one mailbox.
pub const RIGHTS_OF_A_MAILBOX_MAX: usize = 256;
/// Rows of rights in one account.
pub const RIGHTS_MAX: usize = 10_000;
/// Uids that one page of what a member has seen covers.
pub const SEEN_PAGE_UIDS: u32 = 4096;
/// Thread keys of one message that are looked at.
pub const THREAD_KEYS_MAX: usize = 64;

/// Rows that one step of care looks at or removes.
pub const CARE_ROWS_MAX: usize = 4_000;
/// Web calls that one look at them reads.
pub const CALL_ROWS_MAX: usize = 1_000;
/// Bytes that one step of care rewrites.
pub const CARE_BYTES_MAX: usize = 4 << 20;
/// The journal is compacted once this share of it, and at least this much, is dead.
pub const COMPACT_DEAD_PERCENT: u64 = 33;
pub const COMPACT_DEAD_BYTES_MIN: u64 = 1 << 20;
/// Below one part in so many of the reserved space nothing at all is written.
pub const RESERVE_FLOOR_PARTS: u64 = 8;

/// Addresses outside that mail goes on to and whose owners are asked.
pub const FORWARDS_MAX: usize = 10_000;
/// Of one account.
pub const FORWARDS_OF_ACCOUNT_MAX: usize = 50;
/// A question of a filter that nobody answered is forgotten after this time: it may be put again.
pub const FORWARD_ASKED_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Programs that may send.
pub const PROGRAMS_MAX: usize = 1_000;
/// How long it is known what became of a program's message, and from which request it came.
pub const SENT_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many days before a report it is known which were sent.
pub const REPORTED_DAYS: u32 = 7;
/// Older ones that go with each that is sent.
pub const REPORTED_GONE_MAX: usize = 100;
