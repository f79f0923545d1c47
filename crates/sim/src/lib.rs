//! The simulated world, for tests only: a virtual clock, a faulty disk, a reference model of the
//! store and a runner of wire transcripts. Everything is seeded and replayable; nothing here reads
//! real time or real randomness, and no product crate depends on it.

pub mod clock;
pub mod disk;
pub mod model;
pub mod transcript;

pub use clock::{Random, VirtualClock};
pub use disk::{Fault, SimDisk};
