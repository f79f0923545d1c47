//! The journal: append-only segments, the truth of the store.
//!
//! Bodies (chunks) and physical redo of the index (transactions) stand in the order in which they
//! were made. One write and one fdatasync make a whole group durable. A segment begins under a
//! temporary name and appears by rename, after everything before it is on the disk; so only the
//! last segment can have a torn tail.

mod append;
mod flush;
pub mod record;
mod scan;
mod segments;

pub use append::{Appender, Group};
pub use flush::Flusher;
pub use record::{Kind, Position};
pub use scan::{Found, Scan};
pub use segments::{Segment, Segments};

pub const DIRECTORY: &str = "journal";

pub fn segment_path(segment: u32) -> String {
    format!("{DIRECTORY}/{segment:08}.seg")
}

/// The number in a segment's file name.
pub fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() >= 8).then(|| digits.parse().ok()).flatten()
}

/// A place for messages to people: segment and offset.
pub fn place(position: Position) -> String {
    format!(
        "{} at byte {}",
        segment_path(position.segment()),
        position.offset()
    )
}
