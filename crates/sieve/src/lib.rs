//! Sieve: scripts that sort a person's mail, and ManageSieve ([`manage`]), by which they are kept.
//! Bytes in, values out: no socket, no clock, no store.
//!
//! RFC 5228 with the extensions of [`capability`]. A script goes through
//!
//! * [`lexer`] and [`syntax`]: text to tree;
//! * [`compile`]: tree to a flat [`program::Program`], names and arguments checked against tables;
//! * [`machine`]: a program, a [`message::Mail`] and a [`message::World`] to an
//!   [`message::Outcome`], within a budget of steps and memory;
//! * [`vacation`] and [`notify`]: whether an absence message or a notification may be sent, and
//!   what it looks like.
//!
//! Invariants: the machine does nothing, it says what is to be done; a run ends within its budget
//! whatever the script and the message are; a run that fails leaves the message in INBOX and
//! nothing else.

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

pub mod capability;
mod compare;
mod compile;
pub mod error;
mod lexer;
pub mod limits;
mod machine;
pub mod manage;
pub mod message;
pub mod notify;
mod program;
mod syntax;
mod text;
pub mod vacation;
mod value;

#[cfg(test)]
mod tests;

pub use compile::{Library, NoScripts, Place, compile};
pub use error::{Cause, Error, Failure, Problem};
pub use machine::{Budget, run};
pub use message::{Mail, Outcome, World};
pub use program::Program;
