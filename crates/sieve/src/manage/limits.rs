//! Every maximum of a ManageSieve session.

/// A line with its end, quoted strings in it among them (RFC 5804 §4: 1,024 octets each).
pub const LINE_BYTES_MAX: usize = 8_192;

/// A literal before login: a SASL response.
pub const LITERAL_BEFORE_LOGIN_BYTES_MAX: usize = 12_288;

/// A literal: a script.
pub const LITERAL_BYTES_MAX: usize = crate::limits::SCRIPT_BYTES_MAX;

/// A larger literal is dropped up to here; past it the connection is closed.
pub const DROPPED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Words of one command.
pub const WORDS_MAX: usize = 8;

/// Bytes of a script's name (RFC 5804 §1.6 asks for 128 characters).
pub const NAME_BYTES_MAX: usize = 512;

/// Bad commands before the connection is closed.
pub const ERRORS_MAX: u32 = 10;

/// Refused logins before the connection is closed.
pub const LOGIN_FAILURES_MAX: u32 = 3;

/// Commands before login.
pub const COMMANDS_BEFORE_LOGIN_MAX: u32 = 50;

/// Output that piles up before the driver is asked to write it ([`super::Step::Flush`]).
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;
