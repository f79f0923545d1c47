//! Mail on its way out: what is due is taken from the store, tried, and decided again.
//!
//! [`plan`] decides without I/O; [`route`] asks the DNS; [`send`] talks to one host after the
//! other; [`report`] writes what senders are told; [`run`] keeps it all moving. RFC 5321 §4.5.4,
//! RFC 3461, RFC 3464.
//!
//! Invariants: an entry is with at most one attempt at a time (a lease in the store); its outcome
//! and the report about it are one commit, made before the next attempt; a report never causes a
//! report.

mod dialogue;
mod limits;
mod plan;
mod report;
mod route;
mod runner;
mod send;
mod tls;

pub use runner::run;
pub use send::Sender;
pub use tls::ClientTls;
