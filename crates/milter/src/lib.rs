//! The milter protocol (version 6, as Sendmail's libmilter speaks it), the side of the mail server:
//! bytes in, bytes and answers out. No socket, no clock, no store.
//!
//! A milter is a program that is told of each step of a message's way in and has an opinion on it.
//! There is no RFC; what counts are libmilter's `mfdef.h` and what Postfix sends.
//!
//! * [`command`]: what we say;
//! * [`answer`]: what a milter may say, and changes to the header;
//! * [`session`]: negotiation, which steps a milter wants, what it may answer when;
//! * [`packet`]: length, letter, bytes;
//! * [`limits`]: every maximum.
//!
//! Invariants: buffers are bounded whatever the milter sends; what we did not offer (another body,
//! other recipients, another sender, a field changed) is never taken: such an answer ends the session as broken.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod answer;
pub mod command;
pub mod limits;
pub mod packet;
pub mod session;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Change};
pub use command::{Command, Family};
pub use session::{Asked, Broken, Session};
