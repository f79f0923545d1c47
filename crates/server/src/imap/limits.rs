//! Every bound of the IMAP driver that is not the session's (`facteur_imap::limits`).

use std::time::Duration;

/// RFC 9051 §5.4: at least 30 minutes of silence before a logout.
pub(super) const INACTIVITY: Duration = Duration::from_secs(30 * 60);
/// Silence in the middle of an APPEND.
pub(super) const LITERAL_STALL: Duration = Duration::from_secs(300);
/// Entries of the change log taken at once.
pub(super) const CHANGES_MAX: usize = 1024;
/// Rows of the index turned into responses at once, and the bytes that such a response usually has.
pub(super) const ROWS_MAX: usize = 2048;
pub(super) const ROW_BYTES_USUAL: usize = 48;
/// Messages prepared in one piece of blocking work: at first, so that the answer begins soon, and
/// at most.
pub(super) const MESSAGES_FIRST: usize = 64;
pub(super) const MESSAGES_MAX: usize = 2048;
/// Such a piece ends after this time, which is looked at between so many messages.
pub(super) const PREPARE_SLICE: Duration = Duration::from_millis(250);
pub(super) const MESSAGES_BETWEEN_CLOCKS: usize = 16;
/// Such pieces of a FETCH under way at once.
pub(super) const SLICES_AHEAD: usize = 2;
/// Content prepared before it is sent, while as much is being sent; one message may exceed it alone.
pub(super) const PREPARED_BYTES_SOFT: usize = 256 << 10;
/// Content up to this size is read with its message; larger is streamed.
pub(super) const INLINE_BYTES_MAX: u64 = 32 << 10;
/// Bytes of a header block that HEADER.FIELDS and SEARCH look at; the scanner reads no more either.
pub(super) const HEADER_BYTES_MAX: u64 = facteur_message::limits::HEADER_BLOCK_BYTES_MAX;
/// Messages looked at in one piece of blocking SEARCH work.
pub(super) const SEARCH_MESSAGES_MAX: usize = 1024;
/// One piece of SEARCH work ends after this time.
pub(super) const SEARCH_SLICE: Duration = Duration::from_millis(250);
/// A SEARCH that takes longer is refused.
pub(super) const SEARCH_TIME_MAX: Duration = Duration::from_secs(300);
/// A SEARCH says that it is still at work this often.
pub(super) const SEARCH_SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// Mailboxes of another person that are listed for who neither is subscribed to them nor asks for
/// that person's.
pub(super) const LISTED_OF_ANOTHER_MAX: usize = 1_000;
/// Mailboxes of others that are watched; more of them are passed over (RFC 5465).
pub(super) const NOTIFY_OTHERS_MAX: usize = 2_000;
/// Mailboxes of an account that can be watched (RFC 5465).
pub(super) const NOTIFY_MAILBOXES_MAX: usize = 2_000;
/// Inflated bytes given to the session at once, and the pieces they come in (RFC 4978).
pub(super) const INFLATED_BYTES_MAX: usize = 64 << 10;
pub(super) const INFLATED_PIECE_BYTES: usize = 8 << 10;
/// A client's bytes may be so many times what came over the wire, beside so many free ones.
pub(super) const COMPRESSED_RATIO_MAX: u64 = 200;
pub(super) const COMPRESSED_FREE_BYTES: u64 = 8 << 20;
/// Accounts of which it is remembered that their clients have known faults.
pub(super) const QUIRK_ACCOUNTS_MAX: usize = 10_000;
/// Searches with UPDATE that one session may have running (RFC 5267 §4.3.1).
pub(super) const CONTEXTS_MAX: usize = 16;
/// Messages in the result of a SORT with UPDATE.
pub(super) const SORTED_CONTEXT_MAX: usize = 20_000;
/// Bytes of small bodies that one APPEND of several messages may hold until its commit.
pub(super) const APPEND_HELD_BYTES_MAX: u64 = 16 << 20;
