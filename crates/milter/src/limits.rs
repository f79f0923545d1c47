//! Every maximum of this crate.

/// A packet of a milter, its letter and its bytes: libmilter sends 64 KiB at most.
pub const PACKET_BYTES_MAX: usize = 128 * 1024;
/// Bytes of one body packet that we send.
pub const CHUNK_BYTES: usize = 65_535;
/// Changes of one message's header.
pub const CHANGES_MAX: usize = 200;
/// Bytes of all of them.
pub const CHANGES_BYTES_MAX: usize = 64 * 1024;
/// Characters of a reply or a reason that are kept.
pub const TEXT_CHARS_MAX: usize = 500;
