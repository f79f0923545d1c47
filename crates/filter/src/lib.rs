//! Is it junk? A classifier that learns from what people do with their mail, and one table of
//! rules that turns facts into a verdict with its reasons in words.
//!
//! - [`features`]: the start of a message and its `Facts` become a set of hashed features.
//! - [`model`]: a table of weights of fixed size that learns from examples, one at a time.
//! - [`rules`]: fact -> weight -> words; the sum against two thresholds is the verdict.
//!
//! Pure: no clock, no I/O, no randomness; bounded by [`limits`]. Nothing here fails on hostile
//! input: what can't be read gives fewer features.

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

pub mod features;
pub mod limits;
pub mod model;
pub mod rules;
mod state;
mod token;
pub mod traits;

pub use features::{Features, View, extract};
pub use model::{Examples, Label, Model};
pub use rules::{Evidence, JUNK_POINTS, Opinion, Past, Reason, Verdict, Vouched, judge};
pub use traits::{Traits, traits};
