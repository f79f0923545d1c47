//! How much history there is.

use std::time::Duration;

/// Days that a message's history is kept.
pub const DAYS: i64 = 30;
/// All files together; the oldest go first.
pub const BYTES_MAX: u64 = 1 << 30;
/// Refusals of a day that came before a message: who guesses addresses must not push out the rest.
pub const LONE_BYTES_MAX: usize = 16 << 20;
/// Events that wait for the writer.
pub const WAITING_MAX: usize = 8_192;
/// How long a line waits for others to be written with.
pub const GATHER: Duration = Duration::from_millis(100);
/// Written in one go, about.
pub const PIECE_BYTES: usize = 64 << 10;
/// Read in one go; a longer line is passed over.
pub const READ_BYTES: usize = 1 << 20;
/// Messages that one question finds.
pub const FOUND_MAX: usize = 200;
/// Events of one message that are shown.
pub const EVENTS_MAX: usize = 500;
/// Recipients of one event that are written down, and bytes of a text.
pub const RECIPIENTS_MAX: usize = 100;
pub const TEXT_BYTES_MAX: usize = 512;
