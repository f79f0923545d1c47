//! POP3, server and client: bytes in, bytes and requests out. No socket, no clock, no store.
//!
//! RFC 1939 (APOP excepted), RFC 2449 (CAPA, PIPELINING, RESP-CODES, EXPIRE, IMPLEMENTATION),
//! RFC 2595 (STLS), RFC 3206 (AUTH-RESP-CODE), RFC 5034 (AUTH), RFC 6856 (UTF8).
//!
//! It is the smallest complete protocol here and the pattern of the others, so read it first:
//!
//! * [`command`]: the table of commands and their grammar;
//! * [`response`]: everything the server ever says, as constants;
//! * [`session`]: the state machine behind `feed`, `step`, `finish` and `take_output`;
//! * [`maildrop`]: the messages of one login and their deletion marks;
//! * [`encode`]: a stored message as it goes over the wire (TOP, byte-stuffing), in a stream;
//! * [`client`]: the other side, to take mail from elsewhere;
//! * [`limits`]: every maximum.
//!
//! Invariants: message bytes never pass through the session; deletion marks leave it only in
//! [`Request::Quit`], so a dropped connection deletes nothing; the input and output buffers are
//! bounded by [`limits`] whatever the peer sends, and an idle session holds none.

pub mod client;
pub mod command;
pub mod encode;
pub mod limits;
pub mod maildrop;
pub mod response;
pub mod session;

pub use command::Secret;
pub use encode::MessageEncoder;
pub use maildrop::{Entry, Maildrop};
pub use session::{CloseReason, Config, Outcome, Output, Request, Session, ShutDown, Step};
