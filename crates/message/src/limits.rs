//! Every bound of this crate. Over a limit the scanner goes on and says so in [`crate::Degraded`].

/// Bytes of one header field (name, value, folds) that are kept and parsed; the rest is skipped.
pub const HEADER_FIELD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one header block after which its fields are no longer parsed.
pub const HEADER_BLOCK_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Fields of one header block after which they are no longer parsed.
pub const HEADER_FIELDS_MAX: u32 = 10_000;

/// MIME parts of a message; what follows the last one belongs to it.
pub const PARTS_MAX: u32 = 10_000;

/// Depth of the part tree; a multipart or message deeper than this is an opaque leaf.
pub const DEPTH_MAX: u32 = 64;

/// Parameters of one Content-Type or Content-Disposition field.
pub const PARAMS_MAX: usize = 128;

/// Bytes of all parameter values of one field together.
pub const PARAM_BYTES_MAX: usize = 16 * 1024;

/// Addresses kept of one address field.
pub const ADDRESSES_MAX: usize = 4_096;

/// Bytes of a MIME boundary that are compared (RFC 2046 §5.1.1 allows 70).
pub const BOUNDARY_BYTES_MAX: usize = 80;

/// Bytes of raw field values kept for one message's whole part tree; beyond, values are dropped.
pub const FACTS_BYTES_MAX: usize = 512 * 1024;

/// Characters of the preview (RFC 8970 §2).
pub const PREVIEW_CHARS_MAX: usize = 256;

/// Delivered-To fields kept.
pub const DELIVERED_TO_MAX: usize = 64;

/// Message ids of References and In-Reply-To that become thread keys.
pub const THREAD_KEYS_MAX: usize = 128;

/// Trailing white space of a quoted-printable line that is held back.
pub const QP_SPACES_MAX: usize = 1_024;

/// Raw bytes of a text part that are looked at for the preview.
pub const PREVIEW_RAW_BYTES_MAX: usize = 64 * 1024;

/// Encoded words of one value that are decoded; the rest stays raw.
pub const ENCODED_WORDS_MAX: usize = 1_024;

/// Bytes of a decoded subject that make its base subject.
pub const SUBJECT_BYTES_MAX: usize = 4 * 1024;

/// Bytes of the part of a report that machines read.
pub const REPORT_BYTES_MAX: usize = 64 * 1024;
/// Recipients of a report; the rest is left out.
pub const REPORT_GROUPS_MAX: usize = 200;
/// Bytes of one of its values.
pub const REPORT_VALUE_BYTES_MAX: usize = 1_000;
