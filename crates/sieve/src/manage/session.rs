//! The state machine of one connection.
//!
//! `feed` bytes, then call `step` until it says [`Step::Read`]. [`Step::Run`] asks the driver for
//! something: it does it and calls `finish`. Before reading, and whenever [`Step::Flush`] says so,
//! the driver writes what `take_output` gives.

use std::fmt;
use std::sync::Arc;

use super::command::{self, Command, Phase, Secret};
use super::limits;
use super::reader::{Fault, Read, Reader, Word};
use super::response::{self, Response};
use crate::{NoScripts, capability};

/// What differs between listeners and installations.
#[derive(Clone, Debug)]
pub struct Config {
    /// STARTTLS is offered while the connection is plaintext.
    pub starttls: bool,
    /// SASL mechanisms over TLS, upper case.
    pub mechanisms_tls: Vec<String>,
    /// SASL mechanisms without TLS.
    pub mechanisms_plaintext: Vec<String>,
    /// Name and version.
    pub implementation: String,
    /// "en" or "fr", before login.
    pub language: String,
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
    /// Begin a SASL exchange, dropping any unfinished one: `Challenge`, `Authenticated` or a
    /// refusal. Data with success is sent as a last challenge.
    Auth {
        mechanism: String,
        initial: Option<Secret>,
    },
    /// Go on with the SASL exchange.
    AuthResponse(Secret),
    /// Forget who logged in: `Done`.
    Unauthenticate,
    /// `Scripts`.
    List,
    /// `Script` or `NoSuchScript`.
    Get { name: String },
    /// A script that compiles: `Done`, `TooManyScripts`.
    Put { name: String, text: String },
    /// `Done`, `TooManyScripts`.
    HaveSpace { name: String, size: u64 },
    /// `Done`, `NoSuchScript`.
    SetActive { name: Option<String> },
    /// `Done`, `NoSuchScript`, `Active`.
    Delete { name: String },
    /// `Done`, `NoSuchScript`, `Exists`.
    Rename { from: String, to: String },
}

/// A script in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub active: bool,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Authenticated {
        /// The account's address.
        owner: String,
        /// "en" or "fr".
        language: String,
    },
    Challenge(Vec<u8>),
    Scripts(Vec<Listed>),
    Script(String),
    Done,
    NoSuchScript,
    Exists,
    Active,
    TooManyScripts,
    BadName,
    /// Unknown user or wrong password, not told apart.
    AuthFailed,
    /// The account may not be used so.
    AuthRefused,
    /// Too many logins of late.
    LoginDelay,
    /// Something of ours failed; later it may work.
    Failed,
}

/// Why the driver ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutDown {
    /// Disabled or removed since the login.
    AccountClosed,
    PasswordChanged,
    Stopping,
    Timeout,
}

/// Why the session ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Logout,
    TooManyErrors,
    TooManyLoginFailures,
    TooManyCommands,
    LiteralTooLong,
    /// Bytes after STARTTLS, before the handshake.
    TlsInjection,
    TlsOnPlaintextPort,
    HttpOnSievePort,
    ShutDown(ShutDown),
    /// The driver broke the contract; a bug.
    Internal,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Logout => "the client said LOGOUT",
            CloseReason::TooManyErrors => "too many errors",
            CloseReason::TooManyLoginFailures => "too many failed logins",
            CloseReason::TooManyCommands => "too many commands before login",
            CloseReason::LiteralTooLong => "a string far too long",
            CloseReason::TlsInjection => "plaintext bytes after STARTTLS",
            CloseReason::TlsOnPlaintextPort => "a TLS handshake on a plaintext port",
            CloseReason::HttpOnSievePort => "an HTTP request on a ManageSieve port",
            CloseReason::ShutDown(ShutDown::AccountClosed) => "the account was closed",
            CloseReason::ShutDown(ShutDown::PasswordChanged) => "the password was changed",
            CloseReason::ShutDown(ShutDown::Stopping) => "the server stops",
            CloseReason::ShutDown(ShutDown::Timeout) => "silent for too long",
            CloseReason::Internal => "internal error: an outcome that fits no request",
        })
    }
}

#[derive(Debug)]
enum State {
    NotAuthenticated,
    /// A challenge was sent; the next string is the client's response.
    Sasl,
    Authenticated {
        owner: String,
        language: String,
    },
    Closed(CloseReason),
}

/// The request that the driver works on.
#[derive(Debug)]
enum Pending {
    Login,
    Unauthenticate,
    List,
    Get,
    Change,
}

/// The server's side of one connection.
pub struct Session {
    config: Arc<Config>,
    state: State,
    tls: bool,
    pending: Option<Pending>,
    reader: Reader,
    output: Vec<u8>,
    errors: u32,
    login_failures: u32,
    commands: u32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The greeting is in the output.
    pub fn new(config: Arc<Config>, tls: bool) -> Self {
        let mut session = Session {
            config,
            state: State::NotAuthenticated,
            tls,
            pending: None,
            reader: Reader::default(),
            output: Vec::new(),
            errors: 0,
            login_failures: 0,
            commands: 0,
        };
        session.capabilities(response::READY);
        session
    }

    /// Bytes from the socket, after [`Step::Read`].
    pub fn feed(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed(_)) {
            self.reader.feed(bytes);
        }
    }

    /// What to do next. Not to be called between [`Step::Run`] and `finish`.
    pub fn step(&mut self) -> Step {
        loop {
            if let State::Closed(_) = self.state {
                self.reader.clear();
                return Step::Close;
            }
            if self.output.len() >= limits::OUTPUT_BYTES_MAX {
                return Step::Flush;
            }
            if self.commands == 0 && !self.tls && self.reader.buffered().starts_with(b"\x16\x03") {
                // A client that speaks TLS can't read a response.
                self.state = State::Closed(CloseReason::TlsOnPlaintextPort);
                continue;
            }
            let literal_max = match self.state {
                State::Authenticated { .. } => limits::LITERAL_BYTES_MAX,
                _ => limits::LITERAL_BEFORE_LOGIN_BYTES_MAX,
            };
            match self.reader.read(literal_max) {
                Read::More => return Step::Read,
                Read::Hopeless => {
                    self.close(CloseReason::LiteralTooLong, response::DROPPED_TOO_MUCH);
                }
                Read::Bad(fault) => self.bad(fault),
                Read::Command(words) => {
                    if let Some(step) = self.words(&words) {
                        return step;
                    }
                }
            }
        }
    }

    /// The driver's answer to [`Step::Run`].
    pub fn finish(&mut self, outcome: Outcome) {
        let Some(pending) = self.pending.take() else {
            return self.close(CloseReason::Internal, response::INTERNAL);
        };
        match (pending, outcome) {
            (Pending::Login, Outcome::Authenticated { owner, language }) => {
                self.state = State::Authenticated { owner, language };
                self.respond(response::LOGGED_IN);
            }
            (Pending::Login, Outcome::Challenge(bytes)) => {
                let text = command::encode_base64(&bytes);
                self.line(&response::string(&text));
                self.state = State::Sasl;
            }
            (Pending::Login, Outcome::AuthFailed) => self.login_failed(response::AUTH_FAILED),
            (Pending::Login, Outcome::AuthRefused) => self.login_failed(response::AUTH_REFUSED),
            (Pending::Login, Outcome::LoginDelay) => self.login_failed(response::LOGIN_DELAY),
            (Pending::Login, Outcome::Failed) => self.login_failed(response::TEMPORARY),
            (Pending::Unauthenticate, Outcome::Done) => {
                self.state = State::NotAuthenticated;
                self.commands = 0;
                self.respond(response::LOGGED_OUT);
            }
            (Pending::List, Outcome::Scripts(scripts)) => {
                for script in scripts {
                    let active = if script.active { " ACTIVE" } else { "" };
                    self.line(&format!("{}{active}", response::string(&script.name)));
                }
                self.respond(response::OK);
            }
            (Pending::Get, Outcome::Script(text)) => {
                self.line(&response::literal(&text));
                self.respond(response::OK);
            }
            (Pending::Change, Outcome::Done) => self.respond(response::OK),
            (Pending::Get | Pending::Change, Outcome::NoSuchScript) => {
                self.respond(response::NO_SUCH_SCRIPT);
            }
            (Pending::Change, Outcome::Exists) => self.respond(response::EXISTS),
            (Pending::Change, Outcome::Active) => self.respond(response::ACTIVE),
            (Pending::Change, Outcome::TooManyScripts) => self.respond(response::TOO_MANY_SCRIPTS),
            (Pending::Change, Outcome::BadName) => self.respond(response::BAD_NAME),
            (Pending::List | Pending::Get | Pending::Change, Outcome::Failed) => {
                self.respond(response::TEMPORARY);
            }
            _ => self.close(CloseReason::Internal, response::INTERNAL),
        }
    }

    /// What to write; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The handshake that [`Step::StartTls`] asked for is done.
    pub fn tls_started(&mut self) {
        if !self.reader.buffered().is_empty() {
            return self.close(CloseReason::TlsInjection, response::TLS_INJECTION);
        }
        self.tls = true;
        self.state = State::NotAuthenticated;
        // RFC 5804 §2.2: the capabilities come again, now under TLS.
        self.capabilities(response::READY);
    }

    /// The driver ends the session, in place of `finish` or while it waits: write the output, close.
    pub fn shut_down(&mut self, why: ShutDown) {
        let response = match why {
            ShutDown::AccountClosed => response::ACCOUNT_CLOSED,
            ShutDown::PasswordChanged => response::PASSWORD_CHANGED,
            ShutDown::Stopping => response::STOPPING,
            ShutDown::Timeout => response::TIMEOUT,
        };
        self.close(CloseReason::ShutDown(why), response);
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Before login: the driver's timeouts are shorter.
    pub fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Authenticated { .. })
    }

    /// Why the session closed, once `step` said [`Step::Close`].
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    fn bad(&mut self, fault: Fault) {
        if matches!(self.state, State::Sasl) {
            self.state = State::NotAuthenticated;
        }
        self.commands = self.commands.saturating_add(1);
        self.error(match fault {
            Fault::LineTooLong => response::LINE_TOO_LONG,
            Fault::ForbiddenByte => response::FORBIDDEN_BYTE,
            Fault::Syntax | Fault::TooManyWords => response::ARGUMENTS,
            Fault::LiteralTooLong if self.is_logged_in() => response::LITERAL_TOO_LONG,
            Fault::LiteralTooLong => response::STRING_TOO_LONG,
        });
    }

    fn words(&mut self, words: &[Word]) -> Option<Step> {
        if matches!(self.state, State::Sasl) {
            return self.sasl(words);
        }
        self.commands = self.commands.saturating_add(1);
        if self.commands == 1 && is_http(words) {
            self.close(CloseReason::HttpOnSievePort, response::NOT_SIEVE);
            return None;
        }
        let logged_in = self.is_logged_in();
        if !logged_in && self.commands > limits::COMMANDS_BEFORE_LOGIN_MAX {
            self.close(CloseReason::TooManyCommands, response::TOO_MANY_COMMANDS);
            return None;
        }
        let Some(row) = command::find(words) else {
            self.error(response::UNKNOWN);
            return None;
        };
        match (row.phase, logged_in) {
            (Phase::Any, _) | (Phase::NotAuthenticated, false) | (Phase::Authenticated, true) => {}
            (Phase::NotAuthenticated, true) => {
                self.error(response::ALREADY_LOGGED_IN);
                return None;
            }
            (Phase::Authenticated, false) => {
                self.error(response::NOT_LOGGED_IN);
                return None;
            }
        }
        match row.build(words) {
            Ok(command) => self.command(command),
            Err(response) => {
                self.error(response);
                None
            }
        }
    }

    fn command(&mut self, command: Command) -> Option<Step> {
        let (pending, request) = match command {
            Command::Capability => {
                self.capabilities(response::OK);
                return None;
            }
            Command::Noop(tag) => {
                match tag {
                    None => self.respond(response::NOOP),
                    // RFC 5804 §2.13.
                    Some(tag) => {
                        self.line(&format!("OK (TAG {}) \"done\"", response::string(&tag)))
                    }
                }
                return None;
            }
            Command::Logout => {
                self.close(CloseReason::Logout, response::GOODBYE);
                return None;
            }
            Command::StartTls => return self.starttls(),
            Command::Authenticate { mechanism, initial } => {
                return self.authenticate(mechanism, initial);
            }
            Command::CheckScript(text) => {
                if self.compiles(&text) {
                    self.respond(response::OK);
                }
                return None;
            }
            Command::PutScript { name, text } => {
                if !self.compiles(&text) {
                    return None;
                }
                (Pending::Change, Request::Put { name, text })
            }
            // RFC 5804 §2.5.
            Command::HaveSpace { size, .. } if size > limits::LITERAL_BYTES_MAX as u64 => {
                self.respond(response::LITERAL_TOO_LONG);
                return None;
            }
            Command::HaveSpace { name, size } => {
                (Pending::Change, Request::HaveSpace { name, size })
            }
            Command::ListScripts => (Pending::List, Request::List),
            Command::GetScript(name) => (Pending::Get, Request::Get { name }),
            Command::SetActive(name) => (Pending::Change, Request::SetActive { name }),
            Command::DeleteScript(name) => (Pending::Change, Request::Delete { name }),
            Command::RenameScript { from, to } => (Pending::Change, Request::Rename { from, to }),
            Command::Unauthenticate => (Pending::Unauthenticate, Request::Unauthenticate),
        };
        self.pending = Some(pending);
        Some(Step::Run(request))
    }

    /// RFC 5804 §2.6: a script that can't be compiled is refused, with the line and the reason.
    fn compiles(&mut self, text: &str) -> bool {
        match crate::compile(text, &NoScripts) {
            Ok(_) => true,
            Err(error) => {
                let text = error.text(self.language());
                self.line(&format!("NO {}", response::string(&text)));
                false
            }
        }
    }

    fn language(&self) -> &str {
        match &self.state {
            State::Authenticated { language, .. } => language,
            _ => &self.config.language,
        }
    }

    /// RFC 5804 §1.7.
    fn capabilities(&mut self, response: Response) {
        let mut lines = vec![
            ("IMPLEMENTATION", Some(self.config.implementation.clone())),
            ("VERSION", Some("1.0".to_owned())),
            ("SASL", Some(self.allowed_mechanisms().join(" "))),
            ("SIEVE", Some(capability::announced())),
            (
                "MAXREDIRECTS",
                Some(crate::limits::REDIRECTS_MAX.to_string()),
            ),
            ("NOTIFY", Some(capability::NOTIFY_METHODS.to_owned())),
            ("EXTLISTS", Some(capability::LIST_SCHEMES.to_owned())),
            ("LANGUAGE", Some(self.language().to_owned())),
            ("UNAUTHENTICATE", None),
        ];
        if self.config.starttls && !self.tls && !self.is_logged_in() {
            lines.push(("STARTTLS", None));
        }
        if let State::Authenticated { owner, .. } = &self.state {
            lines.push(("OWNER", Some(owner.clone())));
        }
        for (name, value) in lines {
            match value {
                Some(value) => self.line(&format!("\"{name}\" {}", response::string(&value))),
                None => self.line(&format!("\"{name}\"")),
            }
        }
        self.respond(response);
    }

    fn allowed_mechanisms(&self) -> &[String] {
        if self.tls {
            &self.config.mechanisms_tls
        } else {
            &self.config.mechanisms_plaintext
        }
    }

    fn authenticate(&mut self, mechanism: String, initial: Option<Secret>) -> Option<Step> {
        if !self.allowed_mechanisms().contains(&mechanism) {
            let hidden = !self.tls && self.config.mechanisms_tls.contains(&mechanism);
            self.error(if hidden {
                response::TLS_FIRST
            } else {
                response::NO_MECHANISM
            });
            return None;
        }
        self.pending = Some(Pending::Login);
        Some(Step::Run(Request::Auth { mechanism, initial }))
    }

    /// RFC 5804 §2.1: a string; "*" cancels.
    fn sasl(&mut self, words: &[Word]) -> Option<Step> {
        self.state = State::NotAuthenticated;
        let response = match words {
            [Word::Text(text)] if text == b"*" => Err(response::AUTH_CANCELLED),
            [word] => command::sasl(word),
            _ => Err(response::ARGUMENTS),
        };
        match response {
            Ok(bytes) => {
                self.pending = Some(Pending::Login);
                Some(Step::Run(Request::AuthResponse(Secret(bytes))))
            }
            Err(response) => {
                self.error(response);
                None
            }
        }
    }

    fn login_failed(&mut self, response: Response) {
        self.state = State::NotAuthenticated;
        self.login_failures += 1;
        self.respond(response);
        if self.login_failures >= limits::LOGIN_FAILURES_MAX {
            self.close(CloseReason::TooManyLoginFailures, response::TOO_MANY_LOGINS);
        }
    }

    fn starttls(&mut self) -> Option<Step> {
        if self.tls {
            self.error(response::TLS_ACTIVE);
        } else if !self.config.starttls {
            self.error(response::TLS_NOT_OFFERED);
        } else if !self.reader.buffered().is_empty() {
            self.close(CloseReason::TlsInjection, response::TLS_INJECTION);
        } else {
            self.respond(response::BEGIN_TLS);
            return Some(Step::StartTls);
        }
        None
    }

    fn respond(&mut self, response: Response) {
        self.line(response.0);
    }

    fn line(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// A refusal of something that the client did wrong; too many end the session.
    fn error(&mut self, response: Response) {
        self.errors += 1;
        self.respond(response);
        if self.errors >= limits::ERRORS_MAX {
            self.close(CloseReason::TooManyErrors, response::TOO_MANY_ERRORS);
        }
    }

    fn close(&mut self, reason: CloseReason, response: Response) {
        self.respond(response);
        self.state = State::Closed(reason);
    }
}

/// A browser or a scanner: what it sends after this line is not for us.
fn is_http(words: &[Word]) -> bool {
    match words.last() {
        Some(Word::Atom(word)) => word == "HTTP/1.1" || word == "HTTP/1.0" || word == "HTTP/2.0",
        _ => false,
    }
}

#[cfg(test)]
mod tests;
