//! ManageSieve, the server's side (RFC 5804): bytes in, bytes and requests out. No socket, no clock,
//! no store.
//!
//! * [`command`]: the table of commands and what their arguments become;
//! * [`reader`]: lines, strings and literals out of the bytes that come, in any pieces;
//! * [`response`]: everything the server says by itself, as constants;
//! * [`session`]: the state machine behind `feed`, `step`, `finish` and `take_output`.
//!
//! Invariants: bytes of a refused literal are dropped, never parsed; a script is compiled before it
//! is asked to be kept; input and output are bounded by [`limits`] whatever the peer sends.

pub mod command;
pub mod limits;
mod reader;
pub mod response;
pub mod session;

pub use command::Secret;
pub use session::{CloseReason, Config, Listed, Outcome, Request, Session, ShutDown, Step};
