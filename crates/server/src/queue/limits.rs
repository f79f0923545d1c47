//! Time-outs of RFC 5321 §4.5.3.2 and what the queue takes on at once.

use std::time::Duration;

/// A TCP connection; the RFC leaves it to the system, whose two minutes only hold up the others.
pub const CONNECT: Duration = Duration::from_secs(30);
pub const HANDSHAKE: Duration = Duration::from_secs(30);
/// Greeting, EHLO, MAIL, RCPT.
pub const COMMAND: Duration = Duration::from_secs(300);
pub const DATA_START: Duration = Duration::from_secs(120);
/// One block of the body.
pub const WRITE: Duration = Duration::from_secs(180);
pub const DATA_END: Duration = Duration::from_secs(600);
pub const QUIT: Duration = Duration::from_secs(5);

/// Transfers to one domain at once.
pub const TRANSFERS_PER_DOMAIN_MAX: usize = 4;
/// Entries taken from the store that wait for a place of their domain.
pub const PARKED_MAX: usize = 256;
/// The store may have more that is due than it could say: look again after this time at the latest.
pub const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After a failure of our own store.
pub const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
/// Hosts of one domain that are asked to take the message in one attempt, after others said
/// "later". Hosts that can't be reached are bounded by the route.
pub const HOSTS_ASKED_MAX: usize = 3;
/// Recipients of one transaction. RFC 5321 §4.5.3.1.8: every server takes so many.
pub const RECIPIENTS_AT_ONCE: usize = 100;
