//! Who sent a message, and can that be believed: SPF (RFC 7208), DKIM (RFC 6376, 8301, 8463),
//! DMARC (RFC 7489), ARC (RFC 8617), reverse names and what is written of all that (RFC 8601); and
//! what our own domains publish, so that others can believe us; and the reports that receivers write
//! of all that (RFC 7489 appendix C, RFC 8460).
//!
//! Everything is a pure function of the message and of what DNS has said so far ([`dns::Answers`]):
//! a function that lacks an answer notes its question and stops with [`dns::Wanted`]; its user asks,
//! puts the answer in and calls it again. No socket, no clock, no store, no message whole.
//!
//! Invariants: any chunking of a message gives the same results; an answer that did not come is a
//! temporary error, never a failure; every list, record and count has its bound in [`limits`].

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

pub mod arc;
pub mod canonical;
pub mod dkim;
pub mod dmarc;
pub mod dns;
pub mod limits;
pub mod lookalike;
pub mod publish;
pub mod reports;
pub mod results;
pub mod reverse;
pub mod rua;
pub mod spf;
pub mod srs;
pub mod strain;
mod tags;
mod tap;

pub use tap::{Field, Seen, Tap};
