//! SMTP and LMTP, both sides: bytes in, bytes and requests out. No socket, no clock, no store.
//!
//! RFC 5321, RFC 6409 (submission), RFC 2033 (LMTP), RFC 1870 (SIZE), RFC 2034 and RFC 3463
//! (ENHANCEDSTATUSCODES), RFC 2920 (PIPELINING), RFC 3030 (CHUNKING, BINARYMIME), RFC 3207
//! (STARTTLS), RFC 3461 (DSN), RFC 4954 (AUTH), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8),
//! RFC 9422 (LIMITS).
//!
//! * [`address`]: mailboxes, paths, domains and literals;
//! * [`parameters`]: what follows the path in MAIL and RCPT;
//! * [`command`]: the table of commands and their grammar;
//! * [`reply`]: everything the server ever says, as constants;
//! * [`reply_parser`]: what other servers say;
//! * [`data`]: the body between DATA and its end, both ways;
//! * [`server`] and [`client`]: the two state machines;
//! * [`limits`]: every maximum.
//!
//! Invariants: only CRLF "." CRLF ends DATA; bytes of a refused body are dropped, never parsed as
//! commands; nothing said before STARTTLS outlives it; no buffer grows with what the peer sends
//! beyond [`limits`], and an idle session holds none.

pub mod address;
pub mod client;
pub mod command;
pub mod data;
pub mod limits;
pub mod parameters;
pub mod reply;
pub mod reply_parser;
pub mod server;

pub use address::{Address, Domain, Recipient};
pub use command::Secret;
pub use parameters::{Body, DeliverBy, Hold, MailParameters, Notify, RcptParameters, Ret};
