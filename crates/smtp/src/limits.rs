//! Every maximum of an SMTP session.

/// A command line with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512, and the extensions add: SIZE 26,
/// BODY 17, SMTPUTF8 10, RET 9, ENVID 107, AUTH 500 to MAIL; NOTIFY 28, ORCPT 508 to RCPT.
pub const LINE_BYTES_MAX: usize = 2048;

/// An AUTH line and the base64 lines after it (RFC 4954 §4: 12,288).
pub const AUTH_LINE_BYTES_MAX: usize = 12_288;

/// RFC 5321 §4.5.3.1.1.
pub const LOCAL_PART_BYTES_MAX: usize = 64;

/// RFC 5321 §4.5.3.1.2.
pub const DOMAIN_BYTES_MAX: usize = 255;

/// RFC 5321 §4.5.3.1.3, with the angle brackets.
pub const PATH_BYTES_MAX: usize = 256;

/// A source route that is thrown away (RFC 5321 Appendix C).
pub const ROUTE_BYTES_MAX: usize = 512;

/// RFC 3461 §4.4: as xtext.
pub const ENVID_BYTES_MAX: usize = 100;

/// RFC 3461 §4.2: as xtext, type included.
pub const ORCPT_BYTES_MAX: usize = 500;

/// RFC 4954 §5.
pub const AUTH_PARAMETER_BYTES_MAX: usize = 500;

/// RFC 4865: how long a message may be held for its time, in seconds.
pub const HOLD_SECONDS_MAX: u64 = 30 * 86_400;

/// Parameters of one MAIL or RCPT.
pub const PARAMETERS_MAX: usize = 16;

/// The argument of EHLO.
pub const HELLO_BYTES_MAX: usize = 255;

/// Bad commands (unknown, malformed, out of order) before the connection is closed.
pub const ERRORS_MAX: u32 = 20;

/// Unknown commands before the connection is closed.
pub const UNKNOWN_MAX: u32 = 5;

/// Refused recipients in a session before it is closed: somebody tries names out.
pub const REFUSED_RECIPIENTS_MAX: u32 = 100;

/// Refused AUTH commands before the connection is closed.
pub const AUTH_FAILURES_MAX: u32 = 3;

/// Commands since the start or the last message taken that lead to no message.
pub const IDLE_COMMANDS_MAX: u32 = 200;

/// So many times as many recipients as a message may have can be asked for, and are refused.
pub const SURPLUS_RECIPIENTS: u32 = 10;

/// Recipients of one message from another host. RFC 5321 §4.5.3.1.8: 100 at least.
pub const RECIPIENTS_MAX_MX: usize = 1000;

/// Recipients of one message from our people.
pub const RECIPIENTS_MAX_SUBMISSION: usize = 1000;

/// Bytes of a refused body that are read and dropped; past this the connection is closed.
pub const DROPPED_BYTES_MAX: u64 = 64 << 20;

/// A reply line of another server with its CRLF. RFC 5321 §4.5.3.1.5 says 512; some send more.
pub const REPLY_LINE_BYTES_MAX: usize = 2048;

/// Lines of one reply.
pub const REPLY_LINES_MAX: usize = 128;

/// The text kept of a reply, for the queue and for DSNs.
pub const REPLY_TEXT_BYTES_MAX: usize = 1024;

/// What the client puts into one write while it sends commands in a pipeline.
pub const PIPELINE_BYTES_MAX: usize = 32 * 1024;

/// Lines of a filter's reason, and characters of one, that a refusal says.
pub const REASON_LINES_MAX: usize = 20;
pub const REASON_LINE_CHARS_MAX: usize = 400;
