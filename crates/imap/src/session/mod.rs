//! The server side of one IMAP connection, without I/O.
//!
//! ```text
//! feed(bytes); loop { match step() { Run(request) => …respond(…)…; finish(outcome), … } }
//! ```
//!
//! The session owns framing, literals, pipelining, legality by phase, limits, ENABLE, IDLE and
//! every byte that is printed. Invariants: bytes of a refused literal are never parsed; while a
//! request is outstanding `step` is not called; nothing received in plaintext is read after
//! STARTTLS; an idle session holds no buffer.

use std::ops::Range;
use std::sync::Arc;

use crate::command::Request;
use crate::limits::Limits;
use crate::response::{Outcome, Output, Untagged};
use crate::text::Text;
use crate::view::{ExpungeForm, Expunges};

/// What the session offers; shared by all sessions of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// LOGIN, and mechanisms that show the password, without TLS.
    pub plaintext_login: bool,
    /// SASL mechanisms offered without TLS, strongest first; those that show the password are left
    /// out by the session unless `plaintext_login`.
    pub mechanisms_plain: Vec<String>,
    /// And under TLS.
    pub mechanisms_tls: Vec<String>,
    /// STARTTLS is offered while TLS is not active.
    pub starttls: bool,
    /// Bytes of a message that APPEND takes; larger is refused with TOOBIG before its bytes come.
    pub message_bytes_max: u64,
    pub before_login: Limits,
    pub after_login: Limits,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// More input is needed. Output may be waiting.
    Read,
    /// Do it, respond, then `finish`.
    Run(Request),
    /// Message bytes in `input()`, valid until the next call of `step`.
    Body(Range<usize>),
    /// Flush, do the handshake, call `tls_started`.
    StartTls,
    /// Flush, close.
    Close,
}

/// Why the session closed, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Logout,
    /// BYE by the driver or a handler.
    Bye,
    BadCommands,
    TooManyCommands,
    LoginFailures,
    LineTooLong,
    LiteralTooBig,
    BytesAfterStartTls,
    /// A TLS ClientHello on a port without implicit TLS.
    TlsHello,
    Http,
    /// A broken invariant of the session or its driver.
    Fault,
}

/// RFC 9051 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    NotAuthenticated,
    Authenticated,
    Selected,
    Logout,
}

#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    tls: bool,
    phase: Phase,
    output: Vec<Output>,
}

impl Session {
    /// Greets. `tls`: the connection is already encrypted.
    pub fn new(config: Arc<Config>, tls: bool) -> Self {
        Session {
            config,
            tls,
            phase: Phase::NotAuthenticated,
            output: Vec::new(),
        }
    }

    /// Bytes from the socket.
    pub fn feed(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    pub fn step(&mut self) -> Step {
        Step::Read
    }

    /// Where the ranges of [`Step::Body`] point.
    pub fn input(&self) -> &[u8] {
        &[]
    }

    /// Says something untagged: while a request runs, or in IDLE.
    pub fn respond(&mut self, untagged: &Untagged<'_>) {
        let _ = untagged;
    }

    /// Ends the request that runs.
    pub fn finish(&mut self, outcome: impl Into<Outcome>) {
        let _ = outcome.into();
    }

    /// The handshake is done.
    pub fn tls_started(&mut self) {
        self.tls = true;
    }

    /// BYE and close, at any time (shutdown, timeout, the account is gone).
    pub fn bye(&mut self, text: Text) {
        let _ = text;
    }

    pub fn take_output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.output)
    }

    /// Output is large enough that a handler should flush before it says more.
    pub fn output_full(&self) -> bool {
        false
    }

    /// Bytes waiting, stored ranges not counted.
    pub fn output_bytes(&self) -> usize {
        0
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// IDLE is running: news may be told now.
    pub fn is_idle(&self) -> bool {
        false
    }

    /// The selected mailbox was opened by EXAMINE or is read-only.
    pub fn is_read_only(&self) -> bool {
        false
    }

    /// Whether the command that runs lets expunges be told.
    pub fn expunges(&self) -> Expunges {
        Expunges::Hold
    }

    /// EXPUNGE, or VANISHED under QRESYNC.
    pub fn expunge_form(&self) -> ExpungeForm {
        ExpungeForm::Numbers
    }

    /// CONDSTORE is in force (RFC 7162 §3.1).
    pub fn condstore(&self) -> bool {
        false
    }

    pub fn qresync(&self) -> bool {
        false
    }

    /// IMAP4rev2 was enabled.
    pub fn rev2(&self) -> bool {
        false
    }

    /// Set once `step` gave `Close`.
    pub fn close_reason(&self) -> Option<CloseReason> {
        None
    }

    /// The upper-case name of the command that runs, for the log; empty when none.
    pub fn command_name(&self) -> &'static str {
        ""
    }
}
