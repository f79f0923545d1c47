//! Bounds of the admin interface.

/// A request's JSON text.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// The same where a filter script comes in it.
pub(super) const SCRIPT_BODY_BYTES_MAX: usize = 1 << 20;
/// An answer's JSON text, when it is asked in the same process.
pub(super) const RESPONSE_BYTES_MAX: usize = 256 << 20;
pub(super) const PASSWORD_CHARS_MIN: usize = 8;
pub(super) const PASSWORD_CHARS_MAX: usize = 256;
pub(super) const ALIAS_TARGETS_MAX: usize = 500;
pub(super) const GROUP_MEMBERS_MAX: usize = 500;
/// Queue entries of one page.
pub(super) const QUEUE_PAGE_MAX: usize = 500;
/// Deleted messages shown at once, the newest.
pub(super) const TOMBSTONES_MAX: usize = 1_000;
/// A hundred years.
pub(super) const BAN_HOURS_MAX: u64 = 100 * 366 * 24;
/// Ranges of a uid set.
pub(super) const UID_RANGES_MAX: usize = 10_000;
/// What one program may send as.
pub(super) const PROGRAM_ADDRESSES_MAX: usize = 100;
pub(super) const PROGRAM_NAME_BYTES_MAX: usize = 64;
pub(super) const PROGRAM_URL_BYTES_MAX: usize = 2048;
/// Suppressed addresses of one page.
pub(super) const SUPPRESSED_PAGE_MAX: usize = 1000;
