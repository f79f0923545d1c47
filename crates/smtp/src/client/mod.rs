//! The client's side: one connection to another server, one transaction after the other.
//!
//! `feed` bytes, then call `step` until it says [`Step::Read`]; write what `take_output` gives
//! before reading. After [`Step::Ready`]: `send` a message, or `quit`. At [`Step::SendBody`]: push
//! the message through `push_body`, writing the output as it comes, then `end_body`.
//!
//! RFC 5321 §4.5.3.2 has a timeout for each [`Stage`]; the driver keeps them. When the connection
//! breaks, `interrupted` tells what is known of the recipients.

mod extensions;
mod session;
mod transaction;

use std::fmt;

pub use extensions::Extensions;
pub use session::Client;

use crate::address::Address;
use crate::command::Secret;
use crate::parameters::{Body, DeliverBy, Notify, Ret};
use crate::reply_parser::{PeerReply, ReplyError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plaintext only: a handshake failed before, and TLS was not demanded.
    Never,
    /// STARTTLS when it is offered (RFC 3207; RFC 7435 opportunistic security).
    Opportunistic,
    /// No mail without TLS.
    Required,
    /// The connection began with a handshake.
    Active,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// What EHLO says: our name, or an address literal.
    pub hello: String,
    /// RFC 2033: LHLO, and a reply for each recipient after the message.
    pub lmtp: bool,
    pub tls: Tls,
    /// Log in before the first message. Never without TLS.
    pub login: Option<Login>,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    pub password: Secret,
}

/// A transaction to make.
#[derive(Clone, Debug)]
pub struct Mail {
    /// `None`: the null reverse-path.
    pub reverse_path: Option<Address>,
    pub recipients: Vec<MailRecipient>,
    /// Octets of the message.
    pub size: u64,
    pub body: Body,
    /// The message or an address needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    pub ret: Option<Ret>,
    /// Xtext.
    pub envelope_id: Option<String>,
    pub wishes: Wishes,
}

/// What is passed on to a server that can do it; the user looks at its extensions first where it
/// must.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub deliver_by: Option<DeliverBy>,
    pub priority: Option<i8>,
    pub require_tls: bool,
}

#[derive(Clone, Debug)]
pub struct MailRecipient {
    pub address: Address,
    pub notify: Option<Notify>,
    /// `type;xtext`.
    pub original: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More input is needed. Write the output first.
    Read,
    /// Do the handshake, then `tls_started`.
    StartTls,
    /// `send` or `quit`.
    Ready,
    /// `push_body` and `end_body`.
    SendBody,
    /// The transaction is over; `step` again says whether the connection can be used further.
    Sent(Report),
    /// No message can go over this connection. Close it.
    Failed(Failure),
    /// Write the output and close.
    Close,
}

/// What became of each recipient, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub recipients: Vec<RecipientReport>,
    /// RFC 3461: the server took the responsibility for notifications.
    pub dsn: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientReport {
    pub verdict: Verdict,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// Try again later, here or at another host.
    Temporary,
    /// Trying again is of no use.
    Permanent,
}

/// What a verdict stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Reply(PeerReply),
    Local(LocalError),
}

/// What we found without the server's saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalError {
    /// RFC 6531 §3.2.
    NoSmtpUtf8,
    /// RFC 3030 §3.
    NoBinaryMime,
    /// RFC 1870 §4: above the server's limit.
    TooBig,
    /// The message has bare CR, bare LF or NUL and can't go by DATA.
    NotText,
    /// The connection ended or stalled.
    ConnectionLost,
    TimedOut,
    /// A reply made no sense.
    Reply(ReplyError),
    NoTls,
    /// Plaintext bytes came after the reply to STARTTLS.
    TlsInjection,
    NoLogin,
}

impl LocalError {
    /// The code for a DSN.
    pub fn status(self) -> &'static str {
        match self {
            LocalError::NoSmtpUtf8 => "5.6.7",
            LocalError::NoBinaryMime => "5.6.3",
            LocalError::TooBig => "5.3.4",
            LocalError::NotText => "5.6.0",
            LocalError::ConnectionLost => "4.4.2",
            LocalError::TimedOut => "4.4.2",
            LocalError::Reply(_) => "4.5.0",
            LocalError::NoTls => "4.7.10",
            LocalError::TlsInjection => "4.7.10",
            LocalError::NoLogin => "4.7.0",
        }
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalError::NoSmtpUtf8 => f.write_str("the server does not take SMTPUTF8 mail"),
            LocalError::NoBinaryMime => f.write_str("the server does not take BINARYMIME"),
            LocalError::TooBig => f.write_str("the message is bigger than the server takes"),
            LocalError::NotText => f.write_str("the message has bytes that no SMTP text may have"),
            LocalError::ConnectionLost => f.write_str("the connection was lost"),
            LocalError::TimedOut => f.write_str("the server did not answer in time"),
            LocalError::Reply(error) => error.fmt(f),
            LocalError::NoTls => f.write_str("the server does not offer TLS"),
            LocalError::TlsInjection => f.write_str("plaintext came in place of the TLS handshake"),
            LocalError::NoLogin => f.write_str("the server offers no way to log in"),
        }
    }
}

impl Answer {
    /// RFC 3463 code for a DSN.
    pub fn status(&self) -> String {
        match self {
            Answer::Reply(reply) => reply.status(),
            Answer::Local(error) => error.status().to_owned(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Reply(reply) => reply.fmt(f),
            Answer::Local(error) => error.fmt(f),
        }
    }
}

/// Where a dialogue is: for timeouts and for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Greeting,
    Hello,
    StartTls,
    Auth,
    /// Between transactions.
    Idle,
    Mail,
    Rcpt,
    /// Waiting for 354.
    DataStart,
    /// Sending the body.
    Body,
    /// Waiting for the reply to the body.
    DataEnd,
    Quit,
}

/// Why a connection is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub stage: Stage,
    pub answer: Answer,
}

impl Failure {
    /// The server said 5yz.
    pub fn is_permanent(&self) -> bool {
        matches!(&self.answer, Answer::Reply(reply) if reply.class() == 5)
    }
}
