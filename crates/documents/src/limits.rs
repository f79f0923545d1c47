//! Every bound of this crate.

/// Bytes of XML of one document, inflated.
pub const INFLATED_BYTES_MAX: usize = 8 << 20;

/// Files of an archive that are looked at.
pub const ENTRIES_MAX: usize = 4096;

/// Bytes at the end of an archive that are searched for its directory: a comment has at most 65,535.
pub const END_BYTES_MAX: usize = 65_535 + 22;

/// Bytes of an element's name that count.
pub const NAME_BYTES_MAX: usize = 32;

/// Bytes of an entity's name.
pub const ENTITY_BYTES_MAX: usize = 10;

/// Bytes of text given at once, about.
pub const PIECE_BYTES: usize = 8 << 10;
