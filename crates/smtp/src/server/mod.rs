//! The server's side: what a session asks its driver, and what the driver answers.
//!
//! `feed` bytes, then call `step` until it says [`Step::Read`]. [`Step::Run`] asks the driver for
//! something: it does it and calls `finish`. [`Step::Body`] hands over message bytes. Before
//! reading, the driver writes what `take_output` gives.

mod session;

use std::fmt;
use std::ops::Range;

use crate::address::{Address, Recipient};
use crate::command::Secret;
use crate::limits;
use crate::parameters::{MailParameters, RcptParameters};
use crate::reply::{self, Reply};

pub use session::Session;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Port 25: mail from other hosts.
    Mx,
    /// Ports 587 and 465: mail from our people; MAIL needs AUTH (RFC 6409 §4.3).
    Submission,
    /// RFC 2033: LHLO, and one reply per recipient after the message.
    Lmtp,
}

/// What differs between listeners.
#[derive(Clone, Debug)]
pub struct Config {
    pub role: Role,
    /// Our name in the greeting and in the reply to EHLO.
    pub hostname: String,
    /// STARTTLS is offered while the connection is plaintext.
    pub starttls: bool,
    /// SASL mechanisms over TLS, upper case, as EHLO lists them. Both lists empty: no AUTH.
    pub mechanisms_tls: Vec<String>,
    /// SASL mechanisms without TLS: none that sends a password, unless that is allowed.
    pub mechanisms_plaintext: Vec<String>,
    pub message_bytes_max: u64,
    pub recipients_max: usize,
    /// The other end is known without AUTH: a process of this machine.
    pub known: bool,
    /// The latest time that a message may be held for, as RFC 4865 §3 has it in the reply to EHLO, to
    /// those who hand in their mail; `None`: none is held.
    pub hold_until_max: Option<String>,
    /// What such a client sends as when it has no other idea; told in the reply to EHLO.
    pub default_sender: Option<String>,
}

impl Config {
    /// Without STARTTLS and AUTH.
    pub fn new(role: Role, hostname: &str, message_bytes_max: u64) -> Self {
        Config {
            role,
            hostname: hostname.to_owned(),
            starttls: false,
            mechanisms_tls: Vec::new(),
            mechanisms_plaintext: Vec::new(),
            message_bytes_max,
            recipients_max: match role {
                Role::Mx | Role::Lmtp => limits::RECIPIENTS_MAX_MX,
                Role::Submission => limits::RECIPIENTS_MAX_SUBMISSION,
            },
            known: false,
            hold_until_max: None,
            default_sender: None,
        }
    }
}

/// The mail transaction: RFC 5321 §3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `None`: the null reverse-path.
    pub reverse_path: Option<Address>,
    pub parameters: MailParameters,
    /// Those that were taken, in order.
    pub recipients: Vec<(Recipient, RcptParameters)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More input is needed. Write the output first.
    Read,
    /// Do it, then `finish`.
    Run(Request),
    /// Bytes of the message, `session.input()[range]`: take them, then `step` again. Only between
    /// [`Request::BodyStart`] and [`Request::BodyEnd`] or [`Request::Abort`].
    Body(Range<usize>),
    /// Write the output, do the handshake, then `tls_started`.
    StartTls,
    /// Write the output and close. [`Session::close_reason`] says why.
    Close,
}

/// What the session asks the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begin a transaction: `Ok` or `Refused`.
    Mail {
        reverse_path: Option<Address>,
        parameters: MailParameters,
    },
    /// `Ok` or `Refused`.
    Rcpt {
        recipient: Recipient,
        parameters: RcptParameters,
    },
    /// Make ready to take the body (DATA, or the first BDAT): `Ok` or `Refused`, which ends the
    /// transaction.
    BodyStart,
    /// The body is complete: commit it, then `Ok`; or `Refused`; or for LMTP `Recipients`, one for
    /// each of `envelope().recipients`. Any of these ends the transaction. A driver whose spool
    /// failed on the way drops the rest of the body and says so here.
    BodyEnd,
    /// Drop the transaction and what was taken of its body: `Ok`.
    Abort,
    /// Begin a SASL exchange, dropping any unfinished one: `Challenge`, `Authenticated` or a
    /// refusal. SMTP has no data with success (RFC 4954 §4): send it as a last challenge.
    Auth {
        mechanism: String,
        initial: Option<Secret>,
    },
    /// Go on with the SASL exchange.
    AuthResponse(Secret),
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Refused(Refusal),
    /// LMTP after the body: what became of each recipient, in the envelope's order.
    Recipients(Vec<Result<(), Refusal>>),
    Challenge(Vec<u8>),
    Authenticated,
    /// Unknown user or wrong password, not told apart.
    AuthFailed,
    /// The account is disabled or may not send.
    AuthRefused,
    /// Something of ours failed; later it may work.
    AuthTemporary,
}

/// Why mail is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoSuchMailbox,
    RelayDenied,
    MailboxDisabled,
    /// To be held longer than any message is (RFC 4865 §4).
    HoldTooLong,
    /// A group that takes mail from some people only.
    NotOpenToYou,
    MailboxFull,
    TooManyRecipients,
    SenderNotYours,
    SenderDomain,
    NullMx,
    NeedsSmtpUtf8,
    Policy,
    Greylisted,
    RateLimited,
    TooBig,
    StorageFull,
    Temporary,
    Loop,
    /// No From field, or two, or nobody in it that one domain could vouch for.
    NoFrom,
    /// RFC 7489 §10.3: the domain in From wants it so.
    NotVouchedFor,
    /// The domain in From wants to be asked, and DNS does not answer now.
    Unverifiable,
    Malformed,
    ContentRefused,
    /// By the recipient's own filter.
    Filtered,
}

impl Refusal {
    pub fn reply(self) -> Reply {
        match self {
            Refusal::NoSuchMailbox => reply::NO_SUCH_MAILBOX,
            Refusal::RelayDenied => reply::RELAY_DENIED,
            Refusal::MailboxDisabled => reply::MAILBOX_DISABLED,
            Refusal::HoldTooLong => reply::HOLD_TOO_LONG,
            Refusal::NotOpenToYou => reply::NOT_OPEN_TO_YOU,
            Refusal::MailboxFull => reply::MAILBOX_FULL,
            Refusal::TooManyRecipients => reply::TOO_MANY_RECIPIENTS,
            Refusal::SenderNotYours => reply::SENDER_NOT_YOURS,
            Refusal::SenderDomain => reply::SENDER_DOMAIN,
            Refusal::NullMx => reply::NULL_MX,
            Refusal::NeedsSmtpUtf8 => reply::NEEDS_SMTPUTF8,
            Refusal::Policy => reply::POLICY,
            Refusal::Greylisted => reply::GREYLISTED,
            Refusal::RateLimited => reply::RATE_LIMITED,
            Refusal::TooBig => reply::TOO_BIG,
            Refusal::StorageFull => reply::STORAGE_FULL,
            Refusal::Temporary => reply::TEMPORARY,
            Refusal::Filtered => reply::FILTERED,
            Refusal::Loop => reply::LOOP,
            Refusal::NoFrom => reply::NO_FROM,
            Refusal::NotVouchedFor => reply::NOT_VOUCHED_FOR,
            Refusal::Unverifiable => reply::UNVERIFIABLE,
            Refusal::Malformed => reply::MALFORMED,
            Refusal::ContentRefused => reply::CONTENT_REFUSED,
        }
    }
}

/// Why the driver ends a session from its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutDown {
    /// Nothing came in time.
    Timeout,
    /// A body comes in too slowly.
    TooSlow,
    /// The server stops.
    Stopping,
    /// Before the greeting: this peer has too many connections.
    TooManyConnections,
    /// Before the greeting: this peer did not wait for it.
    TalksEarly,
    /// Disabled or removed since the login.
    AccountClosed,
    PasswordChanged,
}

/// Why the session ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Quit,
    TooManyErrors,
    TooManyUnknownCommands,
    TooManyRefusedRecipients,
    TooManyAuthFailures,
    TooManyIdleCommands,
    /// A refused body went on for too long, or its chunk size could not be read.
    RefusedBody,
    TlsInjection,
    TlsOnPlaintextPort,
    HttpOnSmtpPort,
    ShutDown(ShutDown),
    /// The driver broke the contract; a bug.
    Internal,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Quit => "the client said QUIT",
            CloseReason::TooManyErrors => "too many errors",
            CloseReason::TooManyUnknownCommands => "too many unknown commands",
            CloseReason::TooManyRefusedRecipients => "too many refused recipients",
            CloseReason::TooManyAuthFailures => "too many failed logins",
            CloseReason::TooManyIdleCommands => "too many commands without a message",
            CloseReason::RefusedBody => "the bytes of a refused body could not be passed over",
            CloseReason::TlsInjection => "plaintext bytes after STARTTLS",
            CloseReason::TlsOnPlaintextPort => "a TLS handshake on a plaintext port",
            CloseReason::HttpOnSmtpPort => "an HTTP request on an SMTP port",
            CloseReason::ShutDown(ShutDown::Timeout) => "nothing came in time",
            CloseReason::ShutDown(ShutDown::TooSlow) => "the message came too slowly",
            CloseReason::ShutDown(ShutDown::Stopping) => "the server stops",
            CloseReason::ShutDown(ShutDown::TooManyConnections) => "too many connections",
            CloseReason::ShutDown(ShutDown::TalksEarly) => {
                "the client did not wait for the greeting"
            }
            CloseReason::ShutDown(ShutDown::AccountClosed) => "the account was closed",
            CloseReason::ShutDown(ShutDown::PasswordChanged) => "the password was changed",
            CloseReason::Internal => "internal error: an outcome that fits no request",
        })
    }
}
