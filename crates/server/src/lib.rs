//! What runs: listeners, TLS, drivers, delivery, authentication.
//!
//! The protocol crates know bytes; the store knows mail; this crate joins them. A driver owns one
//! socket and one session, handlers turn a request into store calls and an outcome, and policy is
//! decided in pure functions beside them. Nothing here reads time or randomness except through the
//! store's [`facteur_store::Clock`].
//!
//! What must never happen here: a password in a log line, a library's error text in a reply, a
//! message acknowledged before its commit, a mailbox opened for anybody but its account.

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

pub mod admin;
mod alarm;
pub mod auth;
mod background;
mod config;
pub mod consent;
mod context;
mod days;
pub mod dkim;
pub mod dns;
pub mod drive;
pub mod feedback;
pub mod gate;
pub mod groups;
pub mod history;
mod http;
pub mod imap;
pub mod intake;
pub mod junk;
mod kept;
pub mod limits;
pub mod listen;
pub mod managesieve;
pub mod net;
pub mod opinions;
pub mod pop3;
pub mod programs;
pub mod queue;
pub mod rates;
pub mod reports;
pub mod senders;
mod server;
pub mod sieve;
pub mod smtp;
pub mod strangers;
pub mod tls;
pub mod web;

pub use config::{
    CertificateFiles, Config, DomainRoute, Limits, Listen, ListenAddress, QueueConfig, Role,
    Smarthost,
};
pub use context::{Context, Counters, Peer, PeerAddress, SessionId, Shutdown};
pub use server::{Bound, Running, Seams, Server, StartError};
