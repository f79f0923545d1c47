//! Every bound of this crate that is not a setting ([`crate::Limits`]).

use std::time::Duration;

/// Bytes read from a socket at once; they live on the stack during one poll.
pub const READ_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a stored message read and written at once.
pub const STREAM_BYTES: u64 = 64 * 1024;
/// A TLS handshake takes at most this long.
pub const HANDSHAKE: Duration = Duration::from_secs(30);
/// A peer that takes no byte for this long is gone.
pub const WRITE_STALL: Duration = Duration::from_secs(300);
/// From the first byte to the login, at most.
pub const BEFORE_LOGIN: Duration = Duration::from_secs(180);
/// Waiting connections of a listener.
pub const LISTEN_BACKLOG: i32 = 1024;
/// After a failed accept (no more descriptors): wait this long, doubled up to the last.
pub const ACCEPT_PAUSE_FIRST: Duration = Duration::from_millis(10);
pub const ACCEPT_PAUSE_LAST: Duration = Duration::from_secs(1);
/// How often the certificate files are looked at.
pub const CERTIFICATE_CHECK: Duration = Duration::from_secs(60);
/// A farewell takes at most this long.
pub const CLOSE: Duration = Duration::from_secs(5);
/// Unread bytes that are thrown away at a close.
pub const CLOSE_BYTES_MAX: usize = 256 * 1024;
/// IPv6 addresses are counted by this many leading bits: a host has at least that many to itself.
pub const IPV6_PREFIX_BITS: u32 = 64;
/// Between looks for work in the store, and between the steps of such work.
pub const MAINTAIN_PAUSE: Duration = Duration::from_secs(60);
pub const MAINTAIN_STEP_PAUSE: Duration = Duration::from_millis(200);

/// Logins that wait for a password hash; more are told to come back.
pub const HASHES_WAITING_MAX: usize = 256;
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// How long a right password needs no new hash.
pub const LOGIN_REMEMBERED: Duration = Duration::from_secs(600);
pub const REMEMBERED_LOGINS_MAX: usize = 50_000;
/// A decoded SASL response.
pub const SASL_RESPONSE_BYTES_MAX: usize = 8 * 1024;
pub const SCRAM_MESSAGE_BYTES_MAX: usize = 2 * 1024;
/// Failed logins within the window, after which nothing more is checked.
pub const FAILURE_WINDOW: Duration = Duration::from_secs(600);
pub const FAILURES_OF_ADDRESS_MAX: u32 = 100;
pub const FAILURES_OF_LOGIN_MAX: u32 = 20;
pub const FAILURE_ENTRIES_MAX: usize = 100_000;
/// For an account that logged in from the same address of late.
pub const FAILURES_OF_KNOWN_LOGIN_MAX: u32 = 200;
/// How long a login speaks for the address that it came from.
pub const GOOD_LOGIN_REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
pub const GOOD_LOGINS_MAX: usize = 50_000;

/// TCP keepalive: silence before the first probe, and between probes.
pub const KEEPALIVE: Duration = Duration::from_secs(180);
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// RFC 1939 §3: the autologout timer, 10 minutes at least.
pub const POP3_IDLE: Duration = Duration::from_secs(600);

/// RFC 5804 §1.2: 30 minutes at least after login.
pub const MANAGESIEVE_IDLE: Duration = Duration::from_secs(1800);

/// Received fields of a message that still comes in (RFC 5321 §6.3: 100 at least).
pub const RECEIVED_MAX: u32 = 100;
/// Aliases that lead to aliases.
pub const ALIAS_DEPTH_MAX: usize = 10;
/// Addresses that one alias leads to, all told.
pub const ALIAS_TARGETS_MAX: usize = 1000;

/// Accounts that one message comes to by filters that send it on, with those that the envelope names.
pub const FILTER_STOPS_MAX: usize = 1_100;
/// Header bytes of a message that filters see; what comes after is not there for them.
pub const FILTER_HEAD_BYTES_MAX: usize = 64 * 1024;
/// About what we put in front of a copy.
pub const FILTER_PREFIX_BYTES: u64 = 1024;
/// Characters of a filter's reason in a report.
pub const FILTER_REASON_CHARS_MAX: usize = 500;
/// Notifications that an account's filter sends in an hour, and how long each is counted.
pub const NOTIFICATIONS_HOURLY_MAX: u32 = 20;
pub const NOTIFICATION_REMEMBERED: Duration = Duration::from_secs(3600);
/// How long the owner of a script that fails is not told again.
pub const FILTER_NOTICE_REMEMBERED: Duration = Duration::from_secs(365 * 24 * 3600);
/// All questions about one message's sender; what is not answered then is a temporary error.
pub const SENDER_CHECKS: Duration = Duration::from_secs(15);
/// A key signs so long, then the next one is made and waits for its record.
pub const DKIM_NEXT_AFTER: Duration = Duration::from_secs(150 * 24 * 3600);
/// A record that was seen for so long is known to all name servers of its domain.
pub const DKIM_SETTLED_AFTER: Duration = Duration::from_secs(3600);
/// Between two letters about a record that is not published.
pub const DKIM_REMIND_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);
/// Mail is signed when it is taken: its sender may have it held for 30 days (RFC 4865), and when it
/// has left our queue it may wait in others.
pub const DKIM_KEPT_AFTER: Duration = Duration::from_secs(40 * 24 * 3600);
/// Between two looks for records in DNS.
pub const DKIM_LOOK: Duration = Duration::from_secs(600);
/// Names above that of an author, up to a domain of ours.
pub const DKIM_LABELS_MAX: usize = 10;
/// A body above this size is hashed for its signature on threads of their own, in pieces of it.
pub const DKIM_INLINE_BYTES_MAX: usize = 64 * 1024;
/// How long the names of our people are not read again, to see whom a stranger pretends to be.
pub const PEOPLE_REMEMBERED: Duration = Duration::from_secs(60);

/// RFC 5321 §4.5.3.2.7: the server waits five minutes at least for a command.
pub const SMTP_IDLE: Duration = Duration::from_secs(300);
/// A body from a stranger comes at this average at least, after a start as long as that silence.
pub const SMTP_BODY_BYTES_PER_SECOND_MIN: u64 = 128;

/// A message of which the junk filter looks at no more is judged without a thread for it.
pub const JUNK_INLINE_BYTES_MAX: usize = 16 * 1024;
/// Models of accounts that are held in memory; 64 KiB each.
pub const JUNK_ACCOUNT_MODELS_MAX: usize = 64;
/// Lessons that are remembered, so that none counts twice.
pub const JUNK_RECENT_LESSONS_MAX: usize = 1024;
/// What one account teaches everybody in a day.
pub const JUNK_LESSONS_A_DAY_MAX: u32 = 200;
/// Entries of the change log, and messages, that are looked at in one step.
pub const JUNK_ENTRIES_MAX: usize = 256;
pub const JUNK_MESSAGES_A_STEP_MAX: usize = 256;
/// Of each mailbox, when an account is learned from what lies there.
pub const JUNK_NEWEST: u32 = 500;
/// Read mail that still lies in INBOX then is good.
pub const JUNK_SETTLED_AFTER: Duration = Duration::from_secs(2 * 24 * 3600);
/// Addresses of one field that are remembered.
pub const JUNK_ADDRESSES_MAX: usize = 20;
/// Addresses, networks and domains whose past is remembered.
pub const JUNK_PASTS_MAX: u32 = 200_000;
/// Between two rounds of learning.
pub const JUNK_REST: Duration = Duration::from_secs(5);

/// Addresses that are shut out, or were of late.
pub const BANS_MAX: usize = 50_000;
/// How long it is remembered that somebody was shut out before.
pub const BAN_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Addresses whose offences of the hour are counted.
pub const TALLIES_MAX: usize = 100_000;
/// Addresses with a good login, and how long one speaks for them.
pub const HOMES_MAX: usize = 50_000;
pub const HOME_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Networks from which accounts log in, and how long each is remembered.
pub const PLACES_MAX: usize = 100_000;
pub const PLACE_REMEMBERED: Duration = Duration::from_secs(180 * 24 * 3600);
/// So long a network is new to an account.
pub const PLACE_NEW: Duration = Duration::from_secs(24 * 3600);
/// Senders that were told to come again, and how long it is remembered that they did.
pub const GREY_MAX: usize = 100_000;
pub const GREY_REMEMBERED: Duration = Duration::from_secs(60 * 24 * 3600);
/// Sessions of strangers that wait for an answer at the same time.
pub const TARPITS_MAX: usize = 500;
/// Each refusal takes so much longer than the one before, so many times at most.
pub const TARPIT_DELAY: Duration = Duration::from_secs(1);
pub const TARPIT_TIMES_MAX: u32 = 10;
/// What a list of addresses does not say by then it does not say.
pub const DNS_LIST_WAIT: Duration = Duration::from_secs(5);
/// Lists that are asked.
pub const DNS_LISTS_MAX: usize = 10;
/// Milters of one server.
pub const MILTERS_MAX: usize = 8;
/// A milter is reached, answers a step, and has looked at a whole message by then, or mail goes on.
pub const MILTER_CONNECT: Duration = Duration::from_secs(5);
pub const MILTER_ANSWER: Duration = Duration::from_secs(30);
pub const MILTER_END: Duration = Duration::from_secs(120);
/// All its steps of one message together.
pub const MILTER_MESSAGE: Duration = Duration::from_secs(180);
/// It fails so often in a session until it is heard no more there.
pub const MILTER_FAILURES_MAX: u32 = 3;
pub const MILTER_READ_BYTES: usize = 4 * 1024;
/// rspamd answers by then.
pub const RSPAMD_WAIT: Duration = Duration::from_secs(10);
pub const RSPAMD_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Of its symbols are named.
pub const RSPAMD_SYMBOLS_MAX: usize = 12;
pub const RSPAMD_RECIPIENTS_MAX: usize = 20;
/// Characters of another program's words in a verdict.
pub const NOTE_CHARS_MAX: usize = 400;
/// Between two writes of what is known of strangers.
pub const STRANGERS_REST: Duration = Duration::from_secs(5);
/// Addresses of this machine.
pub const OWN_ADDRESSES_MAX: usize = 64;

/// Addresses, senders and accounts that are counted.
pub const RATE_ENTRIES_MAX: usize = 100_000;
/// Queue entries that are looked at in one step when an account's are held.
pub const ALARM_PAGE: usize = 200;
/// A stranger waits so long for the greeting, and is silent meanwhile.
pub const GREETING_DELAY: Duration = Duration::from_secs(2);

/// Programs of this machine that talk at the same time.
pub const LOCAL_CONNECTIONS_MAX: usize = 200;
/// Of these, one user's, who is neither root nor the server's.
pub const LOCAL_CONNECTIONS_PER_USER_MAX: usize = LOCAL_CONNECTIONS_MAX / 4;
/// Of the list of this machine's users.
pub const USERS_FILE_BYTES_MAX: u64 = 1 << 20;

/// Between a program's request and the session that takes its message.
pub const SUBMIT_PIPE_BYTES: usize = 64 * 1024;
pub const SUBMIT_REPLY_BYTES_MAX: u64 = 4096;
/// Web calls under way, in all and of one program.
pub const CALLS_AT_ONCE_MAX: usize = 32;
pub const CALLS_OF_PROGRAM_MAX: usize = 4;
/// From the look-up of the name to the answer.
pub const CALL_PATIENCE: Duration = Duration::from_secs(30);
/// After this time a program is not told any more.
pub const CALLS_KEPT: Duration = Duration::from_secs(3 * 24 * 3600);
pub const CALLS_LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long the owner of an address outside may take to agree that mail is sent on there.
pub const CONSENT_TIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often mail that waits for it looks whether he did; an answer wakes it.
pub const CONSENT_LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// That a held message came into its mailboxes is remembered for so long: a server that lost power in between
/// may be off for a while.
pub const CAME_HOME_REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Who has mail sent on is told so often that some was lost.
pub const CONSENT_LOST_AGAIN: Duration = Duration::from_secs(30 * 24 * 3600);
/// Questions to one address in a week.
pub const CONSENT_LETTERS_A_WEEK_MAX: usize = 3;
/// Questions that the filters of one account give rise to in a day.
pub const CONSENT_OF_ACCOUNT_A_DAY_MAX: usize = 5;
/// And one message.
pub const CONSENT_ASKED_AT_ONCE_MAX: usize = 5;
/// Messages in a row for which there was no such address.
pub const CONSENT_FAILURES_MAX: u32 = 3;

/// Domains of which mail is counted for reports, of all days kept, and the same of connections.
pub const FEEDBACK_DOMAINS_MAX: usize = 10_000;
/// Different rows of one domain and day.
pub const FEEDBACK_ROWS_MAX: usize = 1_000;
/// All rows of mail, and all of connections.
pub const FEEDBACK_BYTES_MAX: usize = 16 << 20;
/// Lines of a policy that are told.
pub const FEEDBACK_POLICY_LINES_MAX: usize = 32;
/// Days before today that are kept.
pub const FEEDBACK_DAYS: u32 = 2;
/// Between looks for reports that are due, and between two writes of what was counted.
pub const FEEDBACK_LOOK: Duration = Duration::from_secs(60);
pub const FEEDBACK_SAVE: Duration = Duration::from_secs(300);
/// RFC 8460 §4.1: after midnight, so that not all come at once.
pub const FEEDBACK_SPREAD: Duration = Duration::from_secs(4 * 3600);
/// Before a report that could not be sent is tried again.
pub const FEEDBACK_AGAIN: Duration = Duration::from_secs(3600);
/// Reports of one look.
pub const FEEDBACK_A_TURN_MAX: usize = 50;
/// RFC 8460 §5.5: how long a report is tried.
pub const FEEDBACK_QUEUED: Duration = Duration::from_secs(24 * 3600);
/// Domains of ours in whose name reports may go.
pub const FEEDBACK_SUBMITTERS_MAX: usize = 20;

/// Places in a report that look like an address under which a program's mail left.
pub const LATER_PLACES_MAX: usize = 64;
