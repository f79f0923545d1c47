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

/// Before the next address of a host is tried beside the first (RFC 8305 §5).
pub const CONNECT_STAGGER: Duration = Duration::from_millis(250);

/// Transfers to one destination at once, when it takes them well.
pub const TRANSFERS_PER_DESTINATION_MAX: usize = 20;
/// Destinations whose pace is remembered.
pub const DESTINATIONS_REMEMBERED_MAX: usize = 50_000;
/// Destinations read from the store at once at the start.
pub const DESTINATIONS_READ_MAX: usize = 1000;
/// How long an address that did not answer is left alone, the first time and at most.
pub const DEAD_FIRST: Duration = Duration::from_secs(60);
pub const DEAD_LAST: Duration = Duration::from_secs(30 * 60);
pub const DEAD_HOSTS_MAX: usize = 10_000;

/// A connection waits so long for another message.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(10);
/// Between looks for connections that have waited long.
pub const SWEEP: Duration = Duration::from_secs(1);
pub const IDLE_CONNECTIONS_MAX: usize = 500;
pub const MESSAGES_OF_A_CONNECTION_MAX: u32 = 500;
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(300);

/// How long the way to a destination is believed; what is proven about its hosts, too.
pub const WAY_KNOWN: Duration = Duration::from_secs(15);
pub const WAYS_MAX: usize = 10_000;

/// The store may have more that is due than it could say: look again after this time at the latest.
pub const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After a failure of our own store.
pub const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
/// Hosts of one domain that are asked to take the message in one attempt, after others said
/// "later". Hosts that can't be reached are bounded by the route.
pub const HOSTS_ASKED_MAX: usize = 3;
/// Recipients of one transaction. RFC 5321 §4.5.3.1.8: every server takes so many.
pub const RECIPIENTS_AT_ONCE: usize = 100;

/// What became of a message's recipients at several domains is told in one report: who failed first
/// waits so long for the others.
pub const REPORT_WAIT: Duration = Duration::from_secs(120);
/// Entries of one message that are looked at for that.
pub const SIBLINGS_MAX: usize = 1_000;
/// Messages of several entries of which it is known how far they are.
pub const SETTLED_MAX: usize = 10_000;
