//! IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051) without I/O: grammar, responses, the server
//! session, and the view of a selected mailbox.
//!
//! Bytes and events in, bytes and requests out. Knows no store, no socket and no clock.

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

pub mod acl;
pub mod command;
mod cursor;
pub mod date;
pub mod flag;
pub mod limits;
pub mod pattern;
pub mod response;
pub mod session;
pub mod set;
pub mod structure;
pub mod text;
pub mod thread;
pub mod url;
pub mod utf7;
pub mod view;

pub use command::Request;
pub use response::{Outcome, Output, Reply, Untagged};
pub use session::{CloseReason, Config, Session, Step};
