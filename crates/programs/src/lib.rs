//! What programs say when they hand in mail: bytes in, an envelope and a message out. No socket, no
//! clock, no store.
//!
//! * [`letter`]: the JSON of the send API;
//! * [`sendmail`]: arguments, lines and header as the `sendmail` command gets them;
//! * [`limits`]: every maximum.
//!
//! Invariants: no value begins a field or a command of its own; an address is one that SMTP reads back
//! as the same; lists are bounded while they are read.

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

mod few;
pub mod letter;
pub mod limits;
pub mod sendmail;
