//! Mail on its way out: what is due is taken from the store, tried, and decided again.
//!
//! [`plan`] decides without I/O what becomes of an entry, [`schedule`] whose turn it is and
//! [`policy`] what a host has to prove; [`route`] asks the DNS; [`send`] talks to one host after the
//! other, over connections that [`pool`] keeps; [`report`] writes what senders are told; [`run`]
//! keeps it all moving. RFC 5321 §4.5.4, RFC 3461, RFC 3464, RFC 7672, RFC 8461.
//!
//! Invariants: an entry is with at most one attempt at a time (a lease in the store); its outcome
//! and the report about it are one commit, made before the next attempt; a report never causes a
//! report.

mod applied;
mod connect;
mod converse;
mod dane;
mod dialogue;
mod history;
mod hosts;
mod letter;
mod limits;
mod owed;
mod pace;
mod plan;
mod policy;
mod pool;
mod prove;
mod report;
mod reports;
mod route;
mod runner;
mod schedule;
mod security;
mod send;
mod sts;
mod tls;
mod ways;

pub use plan::is_wrong_status;
pub use runner::run;
pub use send::Sender;
pub use tls::ClientTls;
