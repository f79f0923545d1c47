//! The mail store: accounts, mailboxes, messages, changes, queue, bodies. Knows no protocol.
//!
//! One writer thread, one journal (the truth), one derived index, one flush for a group of
//! transactions. Nothing is acknowledged or visible before it is on the disk.

mod cache;
pub mod clock;
mod codec;
mod compact;
mod derived;
pub mod disk;
mod engine;
mod error;
mod index;
#[doc(hidden)]
pub mod journal;
mod keys;
pub mod limits;
mod notes;
mod ops;
mod pack;
mod packer;
mod recover;
mod retention;
mod rights;
mod rows;
mod seen;
mod spool;
mod store;
mod sweep;
mod tx;
mod types;
mod verify;
mod writer;

pub use cache::Index;
pub use clock::{Clock, SystemClock, Timestamp};
pub use derived::{Derived, DerivedView};
pub use disk::{Disk, File, RealDisk};
pub use error::Error;
pub use keys::Spot;
pub use notes::Notes;
pub use ops::changes::{AccountWatcher, Changes, Follower, Watcher};
pub use ops::forwards::Letter;
pub use ops::metadata::MetadataEdit;
pub use ops::queue::{Look, QueueFilter};
pub use ops::read::Bodies;
pub use ops::reported::Reported;
pub use ops::scripts::{Memory, NewMailbox, Parcel, Script, ScriptEdit};
pub use ops::sent::{
    Call, CallPlace, DueCalls, Ending, Followed, Later, NewSent, Sent, SentId, SentRecipient,
    SentState, Suppressed, Taken,
};
pub use rights::{FlagScope, Grant, Grantee, Place, Rights, RightsEdit};
pub use spool::{Body, Spool};
pub use store::*;
pub use types::*;
pub use verify::Report;

#[cfg(test)]
mod tests;
