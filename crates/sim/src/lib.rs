//! The simulated world, for tests only: a virtual clock, a faulty disk, a network of
//! mail hosts of all tempers, a reference model of the
//! store, a runner of wire transcripts, and IMAP clients that do random things and check what they are told
//! (they run against a live server, too). Everything is seeded and replayable; nothing here reads
//! real time or real randomness, and no product crate depends on it.

pub mod clock;
pub mod disk;
pub mod milter;
pub mod model;
pub mod net;
pub mod stress;
pub mod transcript;

pub use clock::{Random, VirtualClock};
pub use disk::{Fault, SimDisk};
pub use net::{Mood, SimNet};
