//! Every maximum of a POP3 session.

/// A command line with its CRLF. RFC 2449 §4 asks for 255 at least; an AUTH line with an initial
/// response of a long token is let through here.
pub const LINE_BYTES_MAX: usize = 4096;

/// A base64 line of a SASL exchange with its CRLF (RFC 5034 §4 gives no limit; this one is that of
/// RFC 4954 §4).
pub const SASL_LINE_BYTES_MAX: usize = 12_288;

/// Bad commands (unknown, malformed, out of place) before the connection is closed.
pub const ERRORS_MAX: u32 = 10;

/// Refused logins before the connection is closed.
pub const LOGIN_FAILURES_MAX: u32 = 3;

/// Commands before login.
pub const COMMANDS_BEFORE_LOGIN_MAX: u32 = 50;

/// A user name as given to USER.
pub const USER_BYTES_MAX: usize = 512;

/// Output that piles up before the driver is asked to write it ([`crate::Step::Flush`]): a listing
/// of 100,000 messages is made in pieces of this size.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// Messages in one maildrop; message numbers fit `u32`.
pub const MESSAGES_MAX: usize = 10_000_000;
