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

mod append;
mod capability;
mod input;
mod read;
mod reply;
mod run;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use crate::command::{Numbering, Request, SearchReturn};
use crate::limits::{self, Limits};
use crate::response::output::Queue;
use crate::response::print::{self, Dialect};
use crate::response::{Code, Condition, Fetched, Outcome, Output, Reply, Untagged, code};
use crate::text::{self, Language, Text};
use crate::view::{ExpungeForm, Expunges};
use append::Incoming;
use input::Input;

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
    /// Flush; both sides compress from here on (RFC 4978).
    Compress,
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

/// Where the client left the protocol and was answered all the same; who that is knows the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// A FETCH by sequence number after ENABLE UIDONLY.
    NumbersUnderUidOnly,
    /// A command in IDLE in place of DONE.
    CommandInIdle,
}

/// RFC 9051 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    NotAuthenticated,
    Authenticated,
    Selected,
    Logout,
}

/// What input is to be.
#[derive(Debug)]
enum Reading {
    Command,
    /// The rest of a command that is refused.
    Refused(Refused),
    /// A message of APPEND.
    Message(Incoming),
    /// The client's answer to a SASL challenge.
    Sasl {
        tag: Vec<u8>,
    },
    /// DONE.
    Idle {
        tag: Vec<u8>,
    },
    /// Nothing may come before the TLS handshake.
    Handshake,
}

/// A refused command whose bytes have still to come.
#[derive(Debug)]
struct Refused {
    /// `None`: it had none.
    tag: Option<Vec<u8>>,
    reply: Reply,
    /// Literal bytes to drop before the next line.
    literal: u64,
    /// Dropped so far.
    dropped: u64,
}

/// The request that runs.
#[derive(Debug)]
struct Running {
    tag: Vec<u8>,
    name: &'static str,
    numbering: Numbering,
    holds_expunges: bool,
    search_return: Option<SearchReturn>,
    /// It brought CONDSTORE in force.
    condstore_began: bool,
    kind: Kind,
}

/// What its end does beside the tagged reply.
#[derive(Debug)]
enum Kind {
    Plain,
    Login,
    Sasl,
    Select {
        read_only: bool,
    },
    /// CLOSE and UNSELECT.
    Leave,
    /// AppendBegin or AppendUrl.
    AppendPart(Box<Incoming>),
    AppendAbort,
    Idle,
    Unauthenticate,
}

/// Whether news come between commands (RFC 5465).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notifying {
    #[default]
    No,
    /// Expunges wait for a command that lets them be told.
    Delayed,
    /// Nothing waits.
    Immediate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Enabled {
    rev2: bool,
    utf8_accept: bool,
    uid_only: bool,
    condstore: bool,
    qresync: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    commands: u32,
    /// After login: since the last good one.
    bad_commands: u32,
    login_failures: u32,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    tls: bool,
    compressed: bool,
    phase: Phase,
    read_only: bool,
    enabled: Enabled,
    language: Language,
    notifying: Notifying,
    input: Input,
    reading: Reading,
    running: Option<Running>,
    output: Queue,
    counts: Counts,
    /// Capabilities that this client gets wrong.
    hidden: Vec<&'static str>,
    deviation: Option<Deviation>,
    close: Option<CloseReason>,
}

impl Session {
    /// Greets. `tls`: the connection is already encrypted.
    pub fn new(config: Arc<Config>, tls: bool) -> Self {
        let mut session = Session {
            config,
            tls,
            compressed: false,
            phase: Phase::NotAuthenticated,
            read_only: false,
            enabled: Enabled::default(),
            language: Language::default(),
            notifying: Notifying::No,
            input: Input::default(),
            reading: Reading::Command,
            running: None,
            output: Queue::default(),
            counts: Counts::default(),
            hidden: Vec::new(),
            deviation: None,
            close: None,
        };
        session.say(&Reply::ok(text::GREETING).with(Code::Capability));
        session
    }

    /// The whole dialogue with a connection that is turned away at once.
    pub fn refusal(text: Text) -> Vec<u8> {
        let mut out = Vec::new();
        code::bye(text, Language::default(), &mut out);
        out
    }

    /// Bytes from the socket.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.close.is_none() {
            self.input.feed(bytes);
        }
    }

    /// What to do next; not while a request runs.
    pub fn step(&mut self) -> Step {
        if self.running.is_some() {
            self.fault();
        }
        loop {
            if self.close.is_some() {
                return Step::Close;
            }
            if let Some(step) = self.read() {
                return step;
            }
        }
    }

    /// Where the ranges of [`Step::Body`] point.
    pub fn input(&self) -> &[u8] {
        self.input.bytes()
    }

    /// The tag of the request that runs.
    pub fn running_tag(&self) -> &[u8] {
        match &self.running {
            Some(running) => &running.tag,
            None => &[],
        }
    }

    /// Says something untagged: while a request runs, or in IDLE.
    pub fn respond(&mut self, untagged: &Untagged<'_>) {
        if self.close.is_some() {
            return;
        }
        let capabilities = match untagged {
            Untagged::Reply(Reply {
                code: Some(Code::Capability),
                ..
            }) => self.capabilities(),
            _ => String::new(),
        };
        let dialect = Dialect {
            rev2: self.enabled.rev2,
            utf8: self.utf8(),
            language: self.language,
            condstore: self.enabled.condstore,
            qresync: self.enabled.qresync,
            uid_only: self.enabled.uid_only,
            notifies: self.notifying != Notifying::No,
            numbering: match &self.running {
                Some(running) => running.numbering,
                None => Numbering::Sequence,
            },
            tag: match &self.running {
                Some(running) => &running.tag,
                None => &[],
            },
            search_return: self
                .running
                .as_ref()
                .and_then(|running| running.search_return),
            capabilities: &capabilities,
        };
        print::untagged(untagged, &dialect, self.output.bytes());
    }

    /// FETCH responses to be printed, as this client understands them, about so many bytes.
    pub fn fetched(&self, bytes: usize) -> Fetched {
        Fetched::new(self.enabled.uid_only, bytes)
    }

    /// Says them: while a request runs, or in IDLE. `first_handle` is added to the handles of their stored ranges.
    pub fn say_fetched(&mut self, fetched: Fetched, first_handle: u64) {
        if self.close.is_none() {
            self.output.append(fetched.into_queue(), first_handle);
        }
    }

    /// Ends the request that runs.
    pub fn finish(&mut self, outcome: impl Into<Outcome>) {
        if self.close.is_some() {
            return;
        }
        let Some(running) = self.running.take() else {
            return self.fault();
        };
        match (outcome.into(), running.kind) {
            (Outcome::Bye(text), _) => self.bye(text),
            (Outcome::Challenge(challenge), Kind::Sasl) => {
                self.challenge(&challenge);
                self.reading = Reading::Sasl { tag: running.tag };
            }
            (Outcome::AppendAccept, Kind::AppendPart(incoming)) => {
                self.reading = Reading::Message(*incoming);
            }
            // The reply comes when the rest of the command is read.
            (Outcome::AppendAborted, Kind::AppendAbort) => {}
            (Outcome::Idling, Kind::Idle) => {
                self.go_ahead(text::IDLING);
                self.reading = Reading::Idle { tag: running.tag };
            }
            (Outcome::SelectedReadOnly(reply), Kind::Select { .. }) => {
                self.complete(running.tag, Kind::Select { read_only: true }, reply);
            }
            (Outcome::Done(reply), kind) => self.complete(running.tag, kind, reply),
            _ => self.fault(),
        }
    }

    /// The tagged reply and what it changes.
    fn complete(&mut self, tag: Vec<u8>, kind: Kind, mut reply: Reply) {
        let ok = reply.condition == Condition::Ok;
        match kind {
            Kind::Login | Kind::Sasl if ok => {
                self.phase = Phase::Authenticated;
                self.counts = Counts::default();
                reply.code = reply.code.or(Some(Code::Capability));
            }
            Kind::Login | Kind::Sasl => return self.login_failed(&tag, &reply),
            Kind::Select { read_only } if ok => {
                self.phase = Phase::Selected;
                self.read_only = read_only;
                let mode = if read_only {
                    Code::ReadOnly
                } else {
                    Code::ReadWrite
                };
                reply.code = reply.code.or(Some(mode));
            }
            Kind::Leave if ok => {
                self.phase = Phase::Authenticated;
                self.read_only = false;
            }
            Kind::AppendPart(incoming) => return self.append_refused(*incoming, reply),
            Kind::AppendAbort => return self.fault(),
            Kind::Unauthenticate if ok => {
                self.unauthenticated();
                reply.code = reply.code.or(Some(Code::Capability));
            }
            _ => {}
        }
        if ok && self.phase >= Phase::Authenticated {
            self.counts.bad_commands = 0;
        }
        self.tagged(&tag, &reply);
    }

    /// RFC 8437 §4.1: nothing is left of what the user before had set.
    fn unauthenticated(&mut self) {
        self.phase = Phase::NotAuthenticated;
        self.read_only = false;
        self.enabled = Enabled::default();
        self.compressed = false;
        self.notifying = Notifying::No;
        self.language = Language::default();
        self.counts = Counts::default();
    }

    fn login_failed(&mut self, tag: &[u8], reply: &Reply) {
        self.tagged(tag, reply);
        self.counts.login_failures += 1;
        if self.counts.login_failures >= limits::LOGIN_FAILURES_MAX {
            self.close_with(text::BYE_LOGIN_FAILURES, CloseReason::LoginFailures);
        }
    }

    /// The handshake is done.
    pub fn tls_started(&mut self) {
        if !self.input.is_empty() {
            return self.close_with(text::BYE_STARTTLS, CloseReason::BytesAfterStartTls);
        }
        self.tls = true;
        self.counts = Counts::default();
        self.reading = Reading::Command;
    }

    /// BYE and close, at any time (shutdown, timeout, the account is gone).
    pub fn bye(&mut self, text: Text) {
        if self.close.is_none() {
            self.close_with(text, CloseReason::Bye);
        }
    }

    /// The client deleted the mailbox that it has selected: none is now.
    pub fn unselected(&mut self) {
        if self.phase == Phase::Selected {
            self.say(&Reply::ok(text::CLOSED).with(Code::Closed));
            self.phase = Phase::Authenticated;
            self.read_only = false;
        }
    }

    pub fn take_output(&mut self) -> Vec<Output> {
        self.output.take()
    }

    /// Output is large enough that a handler should flush before it says more.
    pub fn output_full(&self) -> bool {
        self.output.is_full()
    }

    /// Bytes waiting, stored ranges not counted.
    pub fn output_bytes(&self) -> usize {
        self.output.len()
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// IDLE is running: news may be told now.
    pub fn is_idle(&self) -> bool {
        matches!(self.reading, Reading::Idle { .. }) && self.running.is_none()
    }

    /// News may be told now: in IDLE, and after NOTIFY between commands.
    pub fn is_listening(&self) -> bool {
        let between = matches!(self.reading, Reading::Command) && self.running.is_none();
        self.is_idle() || (between && self.notifying != Notifying::No)
    }

    /// RFC 5465: how news are told from now on.
    pub fn set_notifying(&mut self, notifying: Notifying) {
        self.notifying = notifying;
    }

    /// The selected mailbox was opened by EXAMINE or is read-only.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether the command that runs lets expunges be told.
    pub fn expunges(&self) -> Expunges {
        match &self.running {
            Some(running) if running.holds_expunges => Expunges::Hold,
            Some(_) => Expunges::Tell,
            None if self.is_idle() => Expunges::Tell,
            // RFC 5465 §6.1.1: the client goes by uids.
            None if self.notifying == Notifying::Immediate => Expunges::Tell,
            // RFC 9051 §7.5.1: not when no command is in progress.
            None => Expunges::Hold,
        }
    }

    /// EXPUNGE, or VANISHED under QRESYNC and UIDONLY.
    pub fn expunge_form(&self) -> ExpungeForm {
        if self.enabled.qresync || self.enabled.uid_only {
            ExpungeForm::Uids
        } else {
            ExpungeForm::Numbers
        }
    }

    /// CONDSTORE is in force (RFC 7162 §3.1).
    pub fn condstore(&self) -> bool {
        self.enabled.condstore
    }

    /// The command that runs brought CONDSTORE in force: with a mailbox selected, respond its
    /// HIGHESTMODSEQ (RFC 7162 §3.1); SELECT does so anyway.
    pub fn condstore_began(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.condstore_began)
    }

    pub fn qresync(&self) -> bool {
        self.enabled.qresync
    }

    /// IMAP4rev2 was enabled.
    pub fn rev2(&self) -> bool {
        self.enabled.rev2
    }

    /// IMAP4rev2 or UTF8=ACCEPT (RFC 6855) was enabled: names and quoted strings are UTF-8.
    pub fn utf8(&self) -> bool {
        self.enabled.rev2 || self.enabled.utf8_accept
    }

    /// Neither offers these capabilities any more nor enables them, to the end of the connection.
    pub fn hide(&mut self, capabilities: &[&'static str]) {
        for name in capabilities {
            if !self.hidden.contains(name) {
                self.hidden.push(name);
            }
        }
    }

    /// What the client did wrong since the last time it was asked; the last, if several.
    pub fn take_deviation(&mut self) -> Option<Deviation> {
        self.deviation.take()
    }

    /// Set once `step` gave `Close`.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.close
    }

    /// The upper-case name of the command that runs, for the log; empty when none.
    pub fn command_name(&self) -> &'static str {
        self.running.as_ref().map_or("", |running| running.name)
    }

    fn limits(&self) -> &Limits {
        if self.phase >= Phase::Authenticated {
            &self.config.after_login
        } else {
            &self.config.before_login
        }
    }

    fn capabilities(&self) -> String {
        capability::list(&self.config, self.tls, self.phase, &self.hidden)
    }

    /// Untagged.
    fn say(&mut self, reply: &Reply) {
        self.respond(&Untagged::Reply(reply));
    }

    fn tagged(&mut self, tag: &[u8], reply: &Reply) {
        let capabilities = match reply.code {
            Some(Code::Capability) => self.capabilities(),
            _ => String::new(),
        };
        let out = self.output.bytes();
        out.extend_from_slice(tag);
        out.push(b' ');
        code::reply(reply, &capabilities, tag, self.language, out);
    }

    fn go_ahead(&mut self, text: Text) {
        let text = text.in_language(self.language);
        let out = self.output.bytes();
        out.extend_from_slice(b"+ ");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    fn close_with(&mut self, text: Text, reason: CloseReason) {
        code::bye(text, self.language, self.output.bytes());
        self.close_silently(reason);
    }

    fn close_silently(&mut self, reason: CloseReason) {
        self.close = Some(reason);
        self.phase = Phase::Logout;
        self.running = None;
        self.reading = Reading::Command;
        self.input = Input::default();
    }

    /// The driver or the session broke the contract.
    fn fault(&mut self) {
        if self.close.is_none() {
            self.close_with(text::BYE_FAULT, CloseReason::Fault);
        }
    }
}
