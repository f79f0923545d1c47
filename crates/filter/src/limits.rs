//! Every bound of this crate.

/// Bytes at the start of a message that are looked at.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Different features of one view of a message.
pub const FEATURES_MAX: usize = 4 * 1024;
/// Header fields that are looked at.
pub const FIELDS_MAX: usize = 200;
/// Bytes of one header field's value that are looked at.
pub const FIELD_BYTES_MAX: usize = 2 * 1024;
/// Addresses of one field that are looked at.
pub const ADDRESSES_MAX: usize = 10;
/// Decoded bytes of one text part that are looked at.
pub const TEXT_BYTES_MAX: usize = 128 * 1024;
/// MIME parts that are looked at.
pub const PARTS_MAX: usize = 50;
/// Bytes of one HTML tag that are looked at.
pub const TAG_BYTES_MAX: usize = 200;
/// Characters of a word that tell it from others; a longer one is known by its length.
pub const WORD_CHARS_MAX: usize = 24;
pub const HOST_CHARS_MAX: usize = 255;
/// Characters of a link's path that are looked at.
pub const PATH_CHARS_MAX: usize = 96;
/// Characters of a value whose shape is looked at.
pub const SHAPE_CHARS_MAX: usize = 60;
/// Links of one message that are looked at.
pub const LINKS_MAX: usize = 200;
/// Different domains of one message that are compared.
pub const DOMAINS_MAX: usize = 300;
/// A word makes pairs with this many before it.
pub const PAIR_DISTANCE_MAX: usize = 4;

/// A server's model has 2^18 weights: 1 MiB.
pub const SERVER_MODEL_BITS: u32 = 18;
/// An account's own one has 2^14: 64 KiB.
pub const ACCOUNT_MODEL_BITS: u32 = 14;
/// Examples of each kind that a server's model goes through again while it learns; about 6 KiB
/// each.
pub const REPLAY_MAX: usize = 400;
/// Examples that are gone through again with every new one.
pub const REPLAYED_WITH_EACH: usize = 12;
/// Reasons of one verdict that are told.
pub const REASONS_MAX: usize = 32;
