//! Fuzzing of every entry that takes bytes from outside: the targets are in `tests/`, this is what
//! feeds them. README.md says how to run them.
//!
//! No dependency and no unstable compiler: seeds that mean something ([`seeds`]), mutations
//! ([`mutate`]), and instead of coverage the signature that a target gives of what it saw. An input
//! with a new signature becomes a seed ([`Fuzz`]).

pub mod grammar;
mod mutate;
mod random;
mod run;
pub mod seeds;

pub use random::Random;
pub use run::{Fuzz, Signature, pieces};
