//! The state machine of one connection.
//!
//! `feed` bytes, then call `step` until it says [`Step::Read`]. [`Step::Run`] asks the driver for
//! something: it does it and calls `finish`. Before reading, and whenever [`Step::Flush`] says so,
//! the driver writes what `take_output` gives.

use std::fmt;

use crate::command::{self, AuthArguments, Command, ParseError, Phase, Row, Secret};
use crate::limits;
use crate::maildrop::Maildrop;
use crate::response::{self, Response};

/// What differs between listeners and installations.
#[derive(Clone, Debug)]
pub struct Config {
    /// STLS is offered while the connection is plaintext.
    pub starttls: bool,
    /// USER and PASS are allowed without TLS (for a demo on loopback at most).
    pub plaintext_login: bool,
    /// SASL mechanisms over TLS, upper case, as CAPA lists them.
    pub mechanisms_tls: Vec<String>,
    /// SASL mechanisms without TLS: none that sends a password, unless `plaintext_login`.
    pub mechanisms_plaintext: Vec<String>,
    /// RFC 2449 §6.9: name and version.
    pub implementation: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More input is needed. Write the output first.
    Read,
    /// Write the output, then call `step` again.
    Flush,
    /// Do it, then `finish`.
    Run(Request),
    /// Write the output, do the handshake, then `tls_started`.
    StartTls,
    /// Write the output and close. [`Session::close_reason`] says why.
    Close,
}

/// What the session asks the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Check a user name and password: `Authenticated` or a refusal.
    Login { user: String, password: Secret },
    /// Begin a SASL exchange, dropping any unfinished one: `Challenge`, `Authenticated` or a
    /// refusal. POP3 has no data with success (RFC 5034 §4): send it as a last challenge.
    Auth {
        mechanism: String,
        initial: Option<Secret>,
    },
    /// Go on with the SASL exchange.
    AuthResponse(Secret),
    /// Take the account's inbox: `Opened` or a refusal. Held until the connection ends.
    Open,
    /// Find the message to send: `Message`, after which the output has an [`Output::Stored`] with
    /// the same uid; or `Gone`, `NeedsUtf8`, `Failed`.
    Retrieve {
        uid: u32,
        /// Lines of the body for TOP.
        lines: Option<u32>,
        /// RFC 6856: the client said UTF8.
        utf8: bool,
    },
    /// Delete these for good or for the retention time: `Deleted` or `Failed`.
    Quit { deleted: Vec<u32> },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Authenticated,
    Challenge(Vec<u8>),
    Opened(Maildrop),
    Message,
    Deleted,
    /// The message is no longer there.
    Gone,
    /// RFC 6856 §2.1: the message has UTF-8 in its header and the client did not say UTF8.
    NeedsUtf8,
    /// Unknown user or wrong password, not told apart.
    AuthFailed,
    /// The account is disabled or may not use POP3.
    AuthRefused,
    /// Too many logins of late.
    LoginDelay,
    /// Another session holds the maildrop.
    InUse,
    /// Something of ours failed; later it may work.
    Failed,
}

/// What the driver writes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Bytes(Vec<u8>),
    /// A stored message through [`crate::MessageEncoder::new`] with these `lines`. When it can't be
    /// read to its end, close the connection without another byte.
    Stored {
        uid: u32,
        lines: Option<u32>,
    },
}

/// Why the driver ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutDown {
    /// Disabled or removed since the login.
    AccountClosed,
    PasswordChanged,
}

/// Why the session ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Quit,
    TooManyErrors,
    TooManyLoginFailures,
    TooManyCommands,
    /// Bytes after STLS, before the handshake.
    TlsInjection,
    TlsOnPlaintextPort,
    HttpOnPop3Port,
    ShutDown(ShutDown),
    /// The driver broke the contract; a bug.
    Internal,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Quit => "the client said QUIT",
            CloseReason::TooManyErrors => "too many errors",
            CloseReason::TooManyLoginFailures => "too many failed logins",
            CloseReason::TooManyCommands => "too many commands before login",
            CloseReason::TlsInjection => "plaintext bytes after STLS",
            CloseReason::TlsOnPlaintextPort => "a TLS handshake on a plaintext port",
            CloseReason::HttpOnPop3Port => "an HTTP request on a POP3 port",
            CloseReason::ShutDown(ShutDown::AccountClosed) => "the account was closed",
            CloseReason::ShutDown(ShutDown::PasswordChanged) => "the password was changed",
            CloseReason::Internal => "internal error: an outcome that fits no request",
        })
    }
}

/// RFC 1939 §3, with what each state alone knows.
#[derive(Debug)]
enum State {
    Authorization {
        user: Option<String>,
    },
    /// A challenge was sent; the next line is the client's response.
    Sasl,
    Transaction(Transaction),
    Closed(CloseReason),
}

#[derive(Debug)]
struct Transaction {
    maildrop: Maildrop,
    listing: Option<Listing>,
}

/// A listing under way; it is made in pieces.
#[derive(Clone, Copy, Debug)]
struct Listing {
    kind: ListingKind,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
enum ListingKind {
    List,
    Uidl,
}

/// The request that the driver works on.
#[derive(Debug)]
enum Pending {
    Login,
    Open,
    Retrieve {
        uid: u32,
        size: u64,
        lines: Option<u32>,
    },
    Quit,
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Session {
    config: std::sync::Arc<Config>,
    state: State,
    tls: bool,
    utf8: bool,
    /// Ask for [`Request::Open`] next.
    open_next: bool,
    pending: Option<Pending>,
    input: Vec<u8>,
    /// How much of `input` is used up.
    consumed: usize,
    /// The rest of a line that was too long is dropped, never parsed.
    discarding: bool,
    output: Vec<Output>,
    output_bytes: usize,
    errors: u32,
    login_failures: u32,
    commands: u32,
}

impl Session {
    /// `tls`: the connection began with a handshake (port 995). The greeting is in the output.
    pub fn new(config: std::sync::Arc<Config>, tls: bool) -> Self {
        let mut session = Session {
            config,
            state: State::Authorization { user: None },
            tls,
            utf8: false,
            open_next: false,
            pending: None,
            input: Vec::new(),
            consumed: 0,
            discarding: false,
            output: Vec::new(),
            output_bytes: 0,
            errors: 0,
            login_failures: 0,
            commands: 0,
        };
        session.respond(response::GREETING);
        session
    }

    /// Bytes from the socket, after [`Step::Read`].
    pub fn feed(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        self.input.extend_from_slice(bytes);
    }

    /// What to do next. Not to be called between [`Step::Run`] and `finish`.
    pub fn step(&mut self) -> Step {
        loop {
            if let State::Closed(_) = self.state {
                self.input = Vec::new();
                self.consumed = 0;
                return Step::Close;
            }
            if self.output_bytes >= limits::OUTPUT_BYTES_MAX {
                return Step::Flush;
            }
            if self.continue_listing() {
                continue;
            }
            if std::mem::take(&mut self.open_next) {
                self.pending = Some(Pending::Open);
                return Step::Run(Request::Open);
            }
            let Some(line) = self.next_line() else {
                if !matches!(self.state, State::Closed(_)) {
                    return Step::Read;
                }
                continue;
            };
            if let Some(step) = self.line(&line) {
                return step;
            }
        }
    }

    /// The driver's answer to [`Step::Run`].
    pub fn finish(&mut self, outcome: Outcome) {
        let Some(pending) = self.pending.take() else {
            return self.close(CloseReason::Internal, response::TEMPORARY);
        };
        match (pending, outcome) {
            (Pending::Login, Outcome::Authenticated) => self.open_next = true,
            (Pending::Login, Outcome::Challenge(bytes)) => {
                self.push(format!("+ {}\r\n", command::encode_base64(&bytes)).as_bytes());
                self.state = State::Sasl;
            }
            (Pending::Open, Outcome::Opened(maildrop)) => {
                self.state = State::Transaction(Transaction {
                    maildrop,
                    listing: None,
                });
                self.respond(response::LOGGED_IN);
            }
            (Pending::Login | Pending::Open, Outcome::AuthFailed) => {
                self.login_failed(response::AUTH_FAILED);
            }
            (Pending::Login | Pending::Open, Outcome::AuthRefused) => {
                self.login_failed(response::PERMANENT);
            }
            (Pending::Login | Pending::Open, Outcome::LoginDelay) => {
                self.login_failed(response::LOGIN_DELAY);
            }
            (Pending::Login | Pending::Open, Outcome::InUse) => {
                self.login_failed(response::IN_USE);
            }
            (Pending::Login | Pending::Open, Outcome::Failed) => {
                self.login_failed(response::TEMPORARY);
            }
            (Pending::Retrieve { uid, size, lines }, Outcome::Message) => {
                self.message(uid, size, lines);
            }
            (Pending::Retrieve { .. }, Outcome::Gone) => self.respond(response::GONE),
            (Pending::Retrieve { .. }, Outcome::NeedsUtf8) => self.respond(response::NEEDS_UTF8),
            (Pending::Retrieve { .. }, Outcome::Failed) => self.respond(response::TEMPORARY),
            (Pending::Quit, Outcome::Deleted) => self.close(CloseReason::Quit, response::DELETED),
            (Pending::Quit, Outcome::Failed) => {
                self.close(CloseReason::Quit, response::NOT_DELETED);
            }
            _ => self.close(CloseReason::Internal, response::TEMPORARY),
        }
    }

    /// What to write, in order; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<Output> {
        self.output_bytes = 0;
        std::mem::take(&mut self.output)
    }

    /// The handshake that [`Step::StartTls`] asked for is done.
    pub fn tls_started(&mut self) {
        if !self.buffered().is_empty() {
            return self.close(CloseReason::TlsInjection, response::TLS_INJECTION);
        }
        self.tls = true;
        // RFC 2595 §4: what the client said before is forgotten.
        self.state = State::Authorization { user: None };
        self.utf8 = false;
    }

    /// The driver ends the session, in place of `finish` or while it waits: write the output, close.
    /// Nothing is deleted.
    pub fn shut_down(&mut self, why: ShutDown) {
        let response = match why {
            ShutDown::AccountClosed => response::ACCOUNT_CLOSED,
            ShutDown::PasswordChanged => response::PASSWORD_CHANGED,
        };
        self.close(CloseReason::ShutDown(why), response);
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Before login: the driver's timeouts are shorter.
    pub fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Transaction(_))
    }

    /// Why the session closed, once `step` said [`Step::Close`].
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    fn buffered(&self) -> &[u8] {
        self.input.get(self.consumed..).unwrap_or_default()
    }

    fn line_bytes_max(&self) -> usize {
        match self.state {
            State::Sasl => limits::SASL_LINE_BYTES_MAX,
            _ => limits::LINE_BYTES_MAX,
        }
    }

    /// The next whole line with its LF; lines too long are refused here.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        loop {
            let max = self.line_bytes_max();
            let buffered = self.input.get(self.consumed..).unwrap_or_default();
            if self.commands == 0 && !self.tls && buffered.starts_with(b"\x16\x03") {
                // A client that speaks TLS can't read a POP3 response.
                self.state = State::Closed(CloseReason::TlsOnPlaintextPort);
                return None;
            }
            let end = memchr::memchr(b'\n', buffered).map(|at| at + 1);
            let line = match end {
                Some(end) if self.discarding => {
                    self.consumed += end;
                    self.discarding = false;
                    continue;
                }
                Some(end) if end <= max => {
                    let line = buffered.get(..end).unwrap_or_default().to_vec();
                    self.consumed += end;
                    Some(line)
                }
                None if self.discarding || buffered.len() <= max => {
                    if self.discarding || buffered.is_empty() {
                        self.input = Vec::new();
                        self.consumed = 0;
                    }
                    None
                }
                _ => {
                    self.too_long();
                    if matches!(self.state, State::Closed(_)) {
                        return None;
                    }
                    continue;
                }
            };
            // Used bytes go before the buffer grows again.
            if line.is_none() && self.consumed > 0 {
                self.input.drain(..self.consumed);
                self.consumed = 0;
            }
            return line;
        }
    }

    fn too_long(&mut self) {
        self.discarding = true;
        if matches!(self.state, State::Sasl) {
            self.state = State::Authorization { user: None };
        }
        self.error(response::LINE_TOO_LONG);
    }

    /// Does one line; `Some` when the driver has to do something.
    fn line(&mut self, line: &[u8]) -> Option<Step> {
        if matches!(self.state, State::Sasl) {
            return self.sasl_line(line);
        }
        self.commands = self.commands.saturating_add(1);
        if self.commands == 1 && is_http(line) {
            self.close(CloseReason::HttpOnPop3Port, response::NOT_POP3);
            return None;
        }
        let logged_in = self.is_logged_in();
        if !logged_in && self.commands > limits::COMMANDS_BEFORE_LOGIN_MAX {
            self.close(CloseReason::TooManyCommands, response::TOO_MANY_COMMANDS);
            return None;
        }
        match command::parse(line) {
            Err(error) => self.error(parse_error(error)),
            Ok((row, command)) => match out_of_phase(row, logged_in) {
                Some(response) => self.error(response),
                None => return self.command(command),
            },
        }
        None
    }

    fn command(&mut self, command: Command) -> Option<Step> {
        match command {
            Command::Capa => self.capa(),
            Command::Noop => self.respond(response::OK),
            Command::Quit => return self.quit(),
            Command::User(name) => self.user(name),
            Command::Pass(password) => return self.pass(password),
            Command::Auth(None) => self.mechanisms(),
            Command::Auth(Some(arguments)) => return self.auth(arguments),
            Command::Stls => return self.stls(),
            Command::Utf8 => {
                self.utf8 = true;
                self.respond(response::UTF8);
            }
            Command::Stat => self.stat(),
            Command::List(number) => self.list(ListingKind::List, number),
            Command::Uidl(number) => self.list(ListingKind::Uidl, number),
            Command::Retr(number) => return self.retrieve(number, None),
            Command::Top { number, lines } => return self.retrieve(number, Some(lines)),
            Command::Dele(number) => self.dele(number),
            Command::Rset => {
                if let State::Transaction(transaction) = &mut self.state {
                    transaction.maildrop.unmark_all();
                }
                self.respond(response::UNMARKED);
            }
        }
        None
    }

    fn capa(&mut self) {
        let mut text =
            String::from("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
        if self.password_allowed() {
            text.push_str("USER\r\n");
        }
        let mechanisms = self.allowed_mechanisms();
        if !mechanisms.is_empty() {
            text.push_str("SASL ");
            text.push_str(&mechanisms.join(" "));
            text.push_str("\r\n");
        }
        // RFC 2595 §4: shown only while it is permitted.
        if self.config.starttls && !self.tls && !self.is_logged_in() {
            text.push_str("STLS\r\n");
        }
        // RFC 2449 §6.7: the server itself never deletes mail from an inbox.
        text.push_str("UTF8 USER\r\nEXPIRE NEVER\r\nIMPLEMENTATION ");
        text.push_str(&self.config.implementation);
        text.push_str("\r\n.\r\n");
        self.respond(response::CAPABILITIES);
        self.push(text.as_bytes());
    }

    fn password_allowed(&self) -> bool {
        self.tls || self.config.plaintext_login
    }

    fn allowed_mechanisms(&self) -> &[String] {
        if self.tls {
            &self.config.mechanisms_tls
        } else {
            &self.config.mechanisms_plaintext
        }
    }

    fn mechanisms(&mut self) {
        let mut text = String::new();
        for mechanism in self.allowed_mechanisms() {
            text.push_str(mechanism);
            text.push_str("\r\n");
        }
        text.push_str(".\r\n");
        self.respond(response::MECHANISMS);
        self.push(text.as_bytes());
    }

    fn user(&mut self, name: String) {
        if !self.password_allowed() {
            return self.error(response::TLS_FIRST);
        }
        // RFC 1939 §7: +OK whether the name is known or not, so that names can't be tried out.
        self.state = State::Authorization { user: Some(name) };
        self.respond(response::USER);
    }

    fn pass(&mut self, password: Secret) -> Option<Step> {
        let user = match &mut self.state {
            State::Authorization { user } => user.take(),
            _ => None,
        };
        let Some(user) = user else {
            let response = if self.password_allowed() {
                response::USER_FIRST
            } else {
                response::TLS_FIRST
            };
            self.error(response);
            return None;
        };
        self.pending = Some(Pending::Login);
        Some(Step::Run(Request::Login { user, password }))
    }

    fn auth(&mut self, arguments: AuthArguments) -> Option<Step> {
        if !self.allowed_mechanisms().contains(&arguments.mechanism) {
            let hidden = !self.tls && self.config.mechanisms_tls.contains(&arguments.mechanism);
            let response = if hidden {
                response::TLS_FIRST
            } else {
                response::NO_MECHANISM
            };
            self.error(response);
            return None;
        }
        self.pending = Some(Pending::Login);
        Some(Step::Run(Request::Auth {
            mechanism: arguments.mechanism,
            initial: arguments.initial,
        }))
    }

    fn sasl_line(&mut self, line: &[u8]) -> Option<Step> {
        self.state = State::Authorization { user: None };
        let response = match line.strip_suffix(b"\r\n") {
            None => Err(response::FORBIDDEN_BYTE),
            Some(b"*") => Err(response::AUTH_CANCELLED),
            Some(text) => command::decode_base64(text).map_err(parse_error),
        };
        match response {
            Ok(bytes) => {
                self.pending = Some(Pending::Login);
                Some(Step::Run(Request::AuthResponse(bytes)))
            }
            Err(response) => {
                self.error(response);
                None
            }
        }
    }

    fn login_failed(&mut self, response: Response) {
        self.login_failures += 1;
        if self.login_failures >= limits::LOGIN_FAILURES_MAX {
            self.respond(response);
            self.state = State::Closed(CloseReason::TooManyLoginFailures);
        } else {
            self.state = State::Authorization { user: None };
            self.respond(response);
        }
    }

    fn stls(&mut self) -> Option<Step> {
        if self.tls {
            self.error(response::TLS_ACTIVE);
        } else if !self.config.starttls {
            self.error(response::TLS_NOT_OFFERED);
        } else if self.utf8 {
            // RFC 6856 §2.1.
            self.error(response::TLS_AFTER_UTF8);
        } else if !self.buffered().is_empty() {
            self.close(CloseReason::TlsInjection, response::TLS_INJECTION);
        } else {
            self.respond(response::BEGIN_TLS);
            return Some(Step::StartTls);
        }
        None
    }

    fn stat(&mut self) {
        if let State::Transaction(transaction) = &self.state {
            let (messages, size) = transaction.maildrop.totals();
            self.push(format!("+OK {messages} {size}\r\n").as_bytes());
        }
    }

    fn list(&mut self, kind: ListingKind, number: Option<u32>) {
        let State::Transaction(transaction) = &mut self.state else {
            return;
        };
        let Some(number) = number else {
            transaction.listing = Some(Listing { kind, next: 1 });
            return self.respond(response::LISTING);
        };
        match listing_line(&transaction.maildrop, kind, number) {
            Some(line) => self.push(format!("+OK {line}").as_bytes()),
            None => self.respond(response::NO_SUCH_MESSAGE),
        }
    }

    /// Makes the next piece of a listing under way; false: there is none.
    fn continue_listing(&mut self) -> bool {
        let State::Transaction(transaction) = &mut self.state else {
            return false;
        };
        let Some(mut listing) = transaction.listing.take() else {
            return false;
        };
        let mut text = String::new();
        let count = u32::try_from(transaction.maildrop.entries().len()).unwrap_or(u32::MAX);
        while listing.next <= count && text.len() < limits::OUTPUT_BYTES_MAX {
            let line = listing_line(&transaction.maildrop, listing.kind, listing.next);
            text.push_str(&line.unwrap_or_default());
            listing.next += 1;
        }
        if listing.next > count {
            text.push_str(".\r\n");
        } else {
            transaction.listing = Some(listing);
        }
        self.push(text.as_bytes());
        true
    }

    fn retrieve(&mut self, number: u32, lines: Option<u32>) -> Option<Step> {
        let State::Transaction(transaction) = &self.state else {
            return None;
        };
        let marked = transaction.maildrop.is_marked(number);
        let Some(entry) = transaction.maildrop.get(number).filter(|_| !marked) else {
            // Not counted as an error: the client is known, and a wrong number harms nobody.
            self.respond(response::NO_SUCH_MESSAGE);
            return None;
        };
        let (uid, size) = (entry.uid, entry.size);
        self.pending = Some(Pending::Retrieve { uid, size, lines });
        Some(Step::Run(Request::Retrieve {
            uid,
            lines,
            utf8: self.utf8,
        }))
    }

    fn message(&mut self, uid: u32, size: u64, lines: Option<u32>) {
        match lines {
            None => self.push(format!("+OK {size} octets\r\n").as_bytes()),
            Some(_) => self.respond(response::TOP),
        }
        self.output.push(Output::Stored { uid, lines });
        self.push(b".\r\n");
        // One message at a time: the driver writes this one before the next command is looked at.
        self.output_bytes = limits::OUTPUT_BYTES_MAX;
    }

    fn dele(&mut self, number: u32) {
        let State::Transaction(transaction) = &mut self.state else {
            return;
        };
        let maildrop = &mut transaction.maildrop;
        if maildrop.mark(number) {
            self.respond(response::MARKED);
        } else if maildrop.is_marked(number) {
            self.respond(response::ALREADY_MARKED);
        } else {
            self.respond(response::NO_SUCH_MESSAGE);
        }
    }

    fn quit(&mut self) -> Option<Step> {
        let deleted = match &self.state {
            State::Transaction(transaction) => transaction.maildrop.marked_uids(),
            _ => Vec::new(),
        };
        if deleted.is_empty() {
            self.close(CloseReason::Quit, response::BYE);
            return None;
        }
        // RFC 1939 §6: the UPDATE state, entered from here only.
        self.pending = Some(Pending::Quit);
        Some(Step::Run(Request::Quit { deleted }))
    }

    fn respond(&mut self, response: Response) {
        self.push(response.0.as_bytes());
        self.push(b"\r\n");
    }

    /// A refusal of something that the client did wrong; too many end the session.
    fn error(&mut self, response: Response) {
        self.errors += 1;
        if self.errors >= limits::ERRORS_MAX {
            self.respond(response);
            self.close(CloseReason::TooManyErrors, response::TOO_MANY_ERRORS);
        } else {
            self.respond(response);
        }
    }

    fn close(&mut self, reason: CloseReason, response: Response) {
        self.respond(response);
        self.state = State::Closed(reason);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.output_bytes += bytes.len();
        match self.output.last_mut() {
            Some(Output::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.output.push(Output::Bytes(bytes.to_vec())),
        }
    }
}

/// RFC 1939 §5 and §7: marked messages are not listed.
fn listing_line(maildrop: &Maildrop, kind: ListingKind, number: u32) -> Option<String> {
    let entry = maildrop
        .get(number)
        .filter(|_| !maildrop.is_marked(number))?;
    Some(match kind {
        ListingKind::List => format!("{number} {}\r\n", entry.size),
        ListingKind::Uidl => format!("{number} {}\r\n", maildrop.unique_id(entry)),
    })
}

fn out_of_phase(row: &Row, logged_in: bool) -> Option<Response> {
    match (row.phase, logged_in) {
        (Phase::Any, _) | (Phase::Authorization, false) | (Phase::Transaction, true) => None,
        (Phase::Authorization, true) => Some(response::ALREADY_LOGGED_IN),
        (Phase::Transaction, false) => Some(response::NOT_LOGGED_IN),
    }
}

fn parse_error(error: ParseError) -> Response {
    match error {
        ParseError::Unknown => response::UNKNOWN,
        ParseError::Arguments => response::ARGUMENTS,
        ParseError::ForbiddenByte => response::FORBIDDEN_BYTE,
        ParseError::Base64 => response::NOT_BASE64,
        ParseError::Utf8 => response::NOT_UTF8,
    }
}

/// A browser or a scanner: what it sends after this line is not for us.
fn is_http(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") || line == b"PRI * HTTP/2.0"
}

#[cfg(test)]
mod tests;
