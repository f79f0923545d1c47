//! The mail store: accounts, mailboxes, messages, changes, queue, bodies. Knows no protocol.

pub mod clock;
pub mod disk;
mod error;
mod store;
mod types;

pub use clock::{Clock, Timestamp};
pub use disk::{Disk, File};
pub use error::Error;
pub use store::*;
pub use types::*;
