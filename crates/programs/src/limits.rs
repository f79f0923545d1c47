//! Bounds of what a program may say of one message.

/// To, Cc and Bcc.
pub const ADDRESSES_MAX: usize = 1000;
pub const ATTACHMENTS_MAX: usize = 50;
pub const FIELDS_MAX: usize = 50;
pub const FIELD_BYTES_MAX: usize = 4096;
/// Of `sendmail`.
pub const HEADER_BYTES_MAX: usize = 1 << 20;
/// Of a line of `sendmail`'s input, at once.
pub const PIECE_BYTES_MAX: usize = 64 << 10;
