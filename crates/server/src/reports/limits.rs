//! How much of what others report is read and kept.

/// Attachments of one message that are read.
pub const ATTACHED_MAX: usize = 4;
/// Bytes of one, still packed.
pub const ATTACHED_BYTES_MAX: usize = 4 << 20;
/// Read at a time.
pub const READ_BYTES: u64 = 64 << 10;
/// Days that reports are kept, and how old what they tell may be.
pub const DAYS: i64 = 90;
/// What a report tells of is no longer than this.
pub const SPAN_DAYS_MAX: i64 = 32;
/// Clocks differ, and some report of the day that is not over.
pub const AHEAD_DAYS_MAX: i64 = 2;
/// Reports that are kept of a day, about one domain, and of those from one sender.
pub const DOMAIN_A_DAY_MAX: u32 = 500;
pub const SENDER_A_DAY_MAX: u32 = 50;
/// Of those whose sender is not proven, or that can't be read.
pub const UNPROVEN_A_DAY_MAX: u32 = 50;
/// Senders that are counted of a day.
pub const SENDERS_A_DAY_MAX: usize = 10_000;
/// Rows that are kept of one report, those with most letters; the others are added up.
pub const ROWS_MAX: usize = 1_000;
pub const UNPROVEN_ROWS_MAX: usize = 200;
/// Domains of ours that one report is about.
pub const DOMAINS_MAX: usize = 20;
/// All files together; the oldest go first.
pub const BYTES_MAX: u64 = 256 << 20;
/// Of one day.
pub const BYTES_A_DAY_MAX: usize = 32 << 20;
/// Read in one go; a longer line is passed over.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Reports that are recognised when they come again.
pub const KNOWN_MAX: usize = 500_000;
/// Of a text that is kept.
pub const TEXT_CHARS_MAX: usize = 100;
/// Sources, reporters and failures that are told.
pub const SOURCES_TOLD_MAX: usize = 100;
pub const REPORTERS_TOLD_MAX: usize = 50;
pub const FAILURES_TOLD_MAX: usize = 50;
/// Sources that are added up for one answer.
pub const SOURCES_MAX: usize = 100_000;
/// Names of a source that are told.
pub const NAMES_TOLD_MAX: usize = 5;
