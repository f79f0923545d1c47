//! Bounds of the HTTPS listener.

use std::time::Duration;

/// A request's line and header fields, all together.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
pub(super) const HEAD_FIELDS_MAX: usize = 64;
/// From the connection, or the last answer, to the end of a request's header.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// From the end of the header to the end of the body.
pub(super) const BODY: Duration = Duration::from_secs(120);
/// A connection is closed after this time, whatever it does.
pub(super) const CONNECTION: Duration = Duration::from_secs(600);
/// A message as JSON; it is whole in memory, so few come at once.
pub(super) const BODY_BYTES_MAX: usize = 16 << 20;
pub(super) const BODIES_AT_ONCE_MAX: usize = 4;
pub(super) const KEY_BYTES_MAX: usize = 255;
/// It is kept with each call: as long as a line (RFC 5322 §2.1.1).
pub(super) const MESSAGE_ID_BYTES_MAX: usize = 998;
