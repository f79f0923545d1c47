//! RFC 5322 messages and MIME: one pass over the bytes gives [`Facts`], everything that IMAP,
//! POP3 and delivery ask about a message later without reading it again.
//!
//! - [`Scanner`] takes bytes as they arrive, in any chunks, and never keeps body text.
//! - [`Facts`] hold raw values (encoded words stay encoded) and byte offsets into the body.
//! - Decoding ([`decode`], [`charset`], [`encoded_word`]), dates ([`date`]), subjects
//!   ([`subject`]), threading ([`thread`]) and building ([`build`]) are for those who read or
//!   write messages.
//!
//! Pure: no clock, no I/O, no randomness. Nothing here fails on hostile input: what is over a
//! limit of [`limits`] is treated as opaque and flagged.

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

pub mod address;
pub mod build;
pub mod charset;
mod codec;
pub mod collation;
pub mod date;
pub mod decode;
pub mod encoded_word;
pub mod facts;
pub mod header;
pub mod html;
mod lex;
pub mod limits;
pub mod mime_field;
mod part;
pub mod report;
pub mod scanner;
pub mod subject;
pub mod thread;

pub use charset::{PartText, TextDecoder};
pub use codec::{Said, StoredContent, StoredPart, StoredParts};
pub use decode::PartDecoder;
pub use encoded_word::param_text;
pub use facts::{
    Address, DecodeError, Degraded, Disposition, Encoding, Envelope, Facts, HeaderFacts, Nested,
    Param, Part, PartBody, Sent, Span,
};
pub use scanner::Scanner;
