//! The state machine of one connection.

mod auth;
mod body;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CloseReason, Config, Envelope, Outcome, Request, Role, ShutDown, Step};
use crate::address::{Address, Recipient};
use crate::command::{self, Command, Dialect, ParseError, Phase, Row};
use crate::data::{DataDecoder, TextCheck};
use crate::limits;
use crate::parameters::{MailParameters, RcptParameters};
use crate::reply::{self, Reply};

/// What the next bytes are.
#[derive(Debug)]
enum State {
    Command,
    /// A challenge was sent; the next line is the client's response.
    Auth,
    Data(DataDecoder),
    Chunk(Chunk),
    Closed(CloseReason),
}

/// RFC 3030: a chunk of which `left` bytes are to come.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    size: u64,
    left: u64,
    last: bool,
    /// The bytes are dropped, and this is said at the end.
    refused: Option<Reply>,
}

/// How the client introduced itself.
#[derive(Clone, Debug)]
struct Hello {
    name: String,
    /// EHLO or LHLO.
    extended: bool,
}

#[derive(Debug)]
struct Transaction {
    envelope: Envelope,
    /// Bytes of the body so far.
    body_bytes: u64,
    /// BDAT has begun.
    chunks: Option<TextCheck>,
}

/// The request that the driver works on.
#[derive(Debug)]
enum Pending {
    Mail(Option<Address>, MailParameters),
    Rcpt(Recipient, RcptParameters),
    Data,
    Chunk(Chunk),
    BodyEnd,
    Abort(Then),
    Auth,
}

/// What to say once a transaction is dropped.
#[derive(Debug)]
enum Then {
    Reply(Reply),
    /// One reply per recipient where LMTP asks for it.
    BodyReply(Reply, usize),
    Hello(Hello),
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    state: State,
    tls: bool,
    hello: Option<Hello>,
    authenticated: bool,
    transaction: Option<Transaction>,
    pending: Option<Pending>,
    input: Vec<u8>,
    /// How much of `input` is used up.
    consumed: usize,
    /// The rest of a line that was too long is dropped, never parsed.
    discarding: bool,
    /// Bytes of a refused body dropped so far.
    dropped: u64,
    output: Vec<u8>,
    fresh: bool,
    errors: u32,
    unknown: u32,
    refused_recipients: u32,
    /// Lines in place of the text of [`reply::FILTERED`], by the recipient's place.
    explanations: BTreeMap<usize, Vec<String>>,
    auth_failures: u32,
    idle_commands: u32,
}

impl Session {
    /// `tls`: the connection began with a handshake (port 465). The greeting is in the output.
    pub fn new(config: Arc<Config>, tls: bool) -> Self {
        let protocol = match config.role {
            Role::Lmtp => "LMTP",
            Role::Mx | Role::Submission => "ESMTP",
        };
        let greeting = format!("220 {} {protocol} ready\r\n", config.hostname);
        Session {
            authenticated: config.known,
            config,
            state: State::Command,
            tls,
            hello: None,
            transaction: None,
            pending: None,
            input: Vec::new(),
            consumed: 0,
            discarding: false,
            dropped: 0,
            output: greeting.into_bytes(),
            fresh: true,
            errors: 0,
            unknown: 0,
            refused_recipients: 0,
            explanations: BTreeMap::new(),
            auth_failures: 0,
            idle_commands: 0,
        }
    }

    /// Bytes from the socket, after [`Step::Read`].
    pub fn feed(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed(_)) {
            self.input.extend_from_slice(bytes);
        }
    }

    /// What [`Step::Body`] points into.
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// What to do next. Not to be called between [`Step::Run`] and `finish`.
    pub fn step(&mut self) -> Step {
        loop {
            let step = match &self.state {
                State::Closed(_) => {
                    self.input = Vec::new();
                    self.consumed = 0;
                    Some(Step::Close)
                }
                State::Command | State::Auth => self.line_step(),
                State::Data(_) => self.data_step(),
                State::Chunk(chunk) => self.chunk_step(*chunk),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// The driver's answer to [`Step::Run`].
    pub fn finish(&mut self, outcome: Outcome) {
        match (self.pending.take(), outcome) {
            (Some(Pending::Mail(reverse_path, parameters)), Outcome::Ok) => {
                self.transaction = Some(Transaction {
                    envelope: Envelope {
                        reverse_path,
                        parameters,
                        recipients: Vec::new(),
                    },
                    body_bytes: 0,
                    chunks: None,
                });
                self.reply(reply::SENDER_OK);
            }
            (Some(Pending::Mail(..)), Outcome::Refused(refusal)) => self.reply(refusal.reply()),
            (Some(Pending::Rcpt(recipient, parameters)), Outcome::Ok) => {
                if let Some(transaction) = &mut self.transaction {
                    let recipients = &mut transaction.envelope.recipients;
                    recipients.push((recipient, parameters));
                }
                self.reply(reply::RECIPIENT_OK);
            }
            (Some(Pending::Rcpt(..)), Outcome::Refused(refusal)) => {
                self.recipient_refused(refusal.reply());
            }
            (Some(Pending::Data), Outcome::Ok) => {
                self.reply(reply::SEND_DATA);
                self.dropped = 0;
                self.state = State::Data(DataDecoder::default());
            }
            (Some(Pending::Data), Outcome::Refused(refusal)) => {
                self.transaction = None;
                self.reply(refusal.reply());
            }
            (Some(Pending::Chunk(chunk)), Outcome::Ok) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.chunks = Some(TextCheck::default());
                }
                self.state = State::Chunk(chunk);
            }
            (Some(Pending::Chunk(chunk)), Outcome::Refused(refusal)) => {
                self.transaction = None;
                self.drop_chunk(chunk, refusal.reply());
            }
            (Some(Pending::BodyEnd), outcome) => self.body_ended(outcome),
            (Some(Pending::Abort(then)), Outcome::Ok) => self.aborted(then),
            (Some(Pending::Auth), outcome) => self.auth_answered(outcome),
            _ => self.close(CloseReason::Internal, reply::INTERNAL),
        }
    }

    /// Bytes to write; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The handshake that [`Step::StartTls`] asked for is done.
    pub fn tls_started(&mut self) {
        if !self.buffered().is_empty() {
            return self.close(CloseReason::TlsInjection, reply::TLS_INJECTION);
        }
        self.tls = true;
        // RFC 3207 §4.2: all that the client said before is forgotten.
        self.hello = None;
        self.authenticated = self.config.known;
    }

    /// Why the recipient at that place of the envelope (the first one stands for all where there is
    /// one reply) is refused with [`Refusal::Filtered`](super::Refusal::Filtered). A reason that is
    /// not ASCII is not said (RFC 5429 §2.1.1).
    pub fn explain(&mut self, recipient: usize, reason: &str) {
        let lines: Vec<String> = reason
            .lines()
            .map(|line| {
                line.trim_end()
                    .chars()
                    .take(limits::REASON_LINE_CHARS_MAX)
                    .collect()
            })
            .take(limits::REASON_LINES_MAX)
            .collect();
        let plain = |line: &String| line.bytes().all(|b| (b' '..=b'~').contains(&b));
        if !lines.is_empty() && lines.iter().all(plain) {
            self.explanations.insert(recipient, lines);
        }
    }

    /// The driver ends the session, in place of `finish` or outside of a request: write the output,
    /// close.
    pub fn shut_down(&mut self, why: ShutDown) {
        let reply = match why {
            ShutDown::Timeout => reply::TIMEOUT,
            ShutDown::TooSlow => reply::TOO_SLOW,
            ShutDown::Stopping => reply::STOPPING,
            ShutDown::AccountClosed => reply::ACCOUNT_CLOSED,
            ShutDown::PasswordChanged => reply::PASSWORD_CHANGED,
            ShutDown::TooManyConnections => {
                // In place of the greeting.
                self.output = Vec::new();
                reply::TOO_MANY_CONNECTIONS
            }
            ShutDown::TalksEarly => {
                self.output = Vec::new();
                reply::TALKS_EARLY
            }
        };
        self.close(CloseReason::ShutDown(why), reply);
    }

    /// Why the session closed, once `step` said [`Step::Close`].
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Nothing is under way: no transaction, no SASL exchange, no half line. The driver may stop
    /// here, and wait longer than within a body.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Command)
            && self.transaction.is_none()
            && self.buffered().is_empty()
    }

    /// Within DATA or a chunk.
    pub fn is_in_body(&self) -> bool {
        matches!(self.state, State::Data(_) | State::Chunk(_))
    }

    /// The open transaction.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.transaction.as_ref().map(|t| &t.envelope)
    }

    /// The name given with EHLO, HELO or LHLO: harmless in a Received field, otherwise unchecked.
    pub fn hello_name(&self) -> Option<&str> {
        self.hello.as_ref().map(|hello| hello.name.as_str())
    }

    /// For the Received field: RFC 3848, and RFC 6531 §4.3 for a message with SMTPUTF8.
    pub fn protocol(&self) -> &'static str {
        let utf8 = self.envelope().is_some_and(|e| e.parameters.smtputf8);
        let extended = self.hello.as_ref().is_some_and(|hello| hello.extended);
        match (self.config.role, utf8, self.tls, self.authenticated) {
            (Role::Lmtp, false, false, false) => "LMTP",
            (Role::Lmtp, false, true, false) => "LMTPS",
            (Role::Lmtp, false, false, true) => "LMTPA",
            (Role::Lmtp, false, true, true) => "LMTPSA",
            (Role::Lmtp, true, false, false) => "UTF8LMTP",
            (Role::Lmtp, true, true, false) => "UTF8LMTPS",
            (Role::Lmtp, true, false, true) => "UTF8LMTPA",
            (Role::Lmtp, true, true, true) => "UTF8LMTPSA",
            (_, true, false, false) => "UTF8SMTP",
            (_, true, true, false) => "UTF8SMTPS",
            (_, true, false, true) => "UTF8SMTPA",
            (_, true, true, true) => "UTF8SMTPSA",
            (_, false, false, false) if !extended => "SMTP",
            (_, false, false, false) => "ESMTP",
            (_, false, true, false) => "ESMTPS",
            (_, false, false, true) => "ESMTPA",
            (_, false, true, true) => "ESMTPSA",
        }
    }

    fn buffered(&self) -> &[u8] {
        self.input.get(self.consumed..).unwrap_or_default()
    }

    /// Used bytes go before the buffer grows again; an empty buffer is given back.
    fn read(&mut self) -> Step {
        if self.buffered().is_empty() {
            self.input = Vec::new();
        } else {
            self.input.drain(..self.consumed);
        }
        self.consumed = 0;
        Step::Read
    }

    fn line_step(&mut self) -> Option<Step> {
        let max = self.line_bytes_max();
        let buffered = self.buffered();
        if self.fresh && !self.tls && buffered.starts_with(b"\x16\x03") {
            // A client that speaks TLS can't read an SMTP reply.
            self.state = State::Closed(CloseReason::TlsOnPlaintextPort);
            return None;
        }
        match memchr::memchr(b'\n', buffered).map(|at| at + 1) {
            Some(end) if self.discarding => {
                self.consumed += end;
                self.discarding = false;
                None
            }
            Some(end) if end <= max => {
                let line = buffered.get(..end).unwrap_or_default().to_vec();
                self.consumed += end;
                self.line(&line)
            }
            None if self.discarding => {
                self.consumed = self.input.len();
                Some(self.read())
            }
            None if buffered.len() <= max => Some(self.read()),
            _ => {
                self.discarding = true;
                // What comes in the middle of a line is no greeting of TLS.
                self.fresh = false;
                let reply = if matches!(self.state, State::Auth) {
                    self.state = State::Command;
                    reply::AUTH_LINE_TOO_LONG
                } else {
                    reply::LINE_TOO_LONG
                };
                self.error(reply);
                None
            }
        }
    }

    fn line_bytes_max(&self) -> usize {
        let keyword = self.buffered().get(..5).unwrap_or_default();
        match self.state {
            State::Auth => limits::AUTH_LINE_BYTES_MAX,
            _ if keyword.eq_ignore_ascii_case(b"AUTH ") => limits::AUTH_LINE_BYTES_MAX,
            _ => limits::LINE_BYTES_MAX,
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<Step> {
        self.fresh = false;
        if matches!(self.state, State::Auth) {
            return self.auth_line(line);
        }
        self.idle_commands += 1;
        if self.idle_commands > self.idle_commands_max() {
            let reply = reply::TOO_MANY_IDLE_COMMANDS;
            self.close(CloseReason::TooManyIdleCommands, reply);
            return None;
        }
        let (row, command) = command::parse(line);
        let row = row.filter(|row| self.speaks(row));
        match (row, command) {
            (_, Err(ParseError::ForbiddenByte)) => self.error(reply::FORBIDDEN_BYTE),
            (None, _) => self.unknown(line),
            (Some(row), Ok(command)) => return self.in_order(row, command),
            (Some(_), Err(ParseError::ChunkSize)) => {
                // What follows can't be told from commands.
                self.close(CloseReason::RefusedBody, reply::CHUNK_SIZE);
            }
            (Some(row), Err(error)) => match self.out_of_order(row) {
                Some(reply) => self.error(reply),
                None => self.error(parse_error(row, error)),
            },
        }
        None
    }

    /// RFC 5321 §4.5.3.1.10: who asks for more recipients than a message may have is refused those, and sends the
    /// message to the others.
    fn idle_commands_max(&self) -> u32 {
        let recipients = self.recipients();
        let full = recipients as usize >= self.config.recipients_max;
        let asked = recipients.saturating_mul(if full { limits::SURPLUS_RECIPIENTS } else { 1 });
        limits::IDLE_COMMANDS_MAX.saturating_add(asked)
    }

    /// Commands taken for the open transaction, which are not idle talk.
    fn recipients(&self) -> u32 {
        let recipients = self.envelope().map_or(0, |e| e.recipients.len());
        u32::try_from(recipients).unwrap_or(u32::MAX)
    }

    fn speaks(&self, row: &Row) -> bool {
        match row.dialect {
            Dialect::Both => true,
            Dialect::Smtp => self.config.role != Role::Lmtp,
            Dialect::Lmtp => self.config.role == Role::Lmtp,
        }
    }

    fn unknown(&mut self, line: &[u8]) {
        if is_http(line) {
            return self.close(CloseReason::HttpOnSmtpPort, reply::NOT_SMTP);
        }
        self.unknown += 1;
        if self.unknown >= limits::UNKNOWN_MAX {
            self.reply(reply::UNKNOWN);
            self.close(CloseReason::TooManyUnknownCommands, reply::TOO_MANY_ERRORS);
        } else {
            self.error(reply::UNKNOWN);
        }
    }

    /// Why a command may not come now.
    fn out_of_order(&self, row: &Row) -> Option<Reply> {
        let transaction = self.transaction.as_ref();
        let recipients = transaction.is_some_and(|t| !t.envelope.recipients.is_empty());
        if self.hello.is_none() && row.phase >= Phase::Greeted {
            return Some(reply::HELLO_FIRST);
        }
        // RFC 3030 §2: between chunks nothing but BDAT, RSET and what has no part in mail.
        if transaction.is_some_and(|t| t.chunks.is_some()) && row.phase >= Phase::Greeted {
            return Some(reply::BDAT_UNDER_WAY);
        }
        if transaction.is_none() && row.phase >= Phase::Mail {
            return Some(reply::MAIL_FIRST);
        }
        if !recipients && row.phase >= Phase::Rcpt {
            return Some(reply::NO_RECIPIENTS);
        }
        None
    }

    fn in_order(&mut self, row: &Row, command: Command) -> Option<Step> {
        if let Some(reply) = self.out_of_order(row) {
            self.error(reply);
            return None;
        }
        match command {
            Command::Ehlo(name) | Command::Lhlo(name) => {
                return self.hello(Hello {
                    name,
                    extended: true,
                });
            }
            Command::Helo(name) => {
                return self.hello(Hello {
                    name,
                    extended: false,
                });
            }
            Command::StartTls => return self.start_tls(),
            Command::Auth { mechanism, initial } => return self.auth(mechanism, initial),
            Command::Mail {
                reverse_path,
                parameters,
            } => return self.mail(reverse_path, parameters),
            Command::Rcpt {
                recipient,
                parameters,
            } => return self.rcpt(recipient, parameters),
            Command::Data => return self.data(),
            Command::Bdat { size, last } => return self.bdat(size, last),
            Command::Rset => return self.abort(Then::Reply(reply::OK)),
            Command::Noop => self.reply(reply::OK),
            Command::Help => self.reply(reply::HELP),
            Command::Vrfy => self.reply(reply::VRFY),
            Command::Expn => self.error(reply::NOT_IMPLEMENTED),
            Command::Quit => self.close(CloseReason::Quit, reply::BYE),
        }
        None
    }

    /// Drops the open transaction, through the driver when it knows of one.
    fn abort(&mut self, then: Then) -> Option<Step> {
        if self.transaction.take().is_none() {
            self.aborted(then);
            return None;
        }
        self.pending = Some(Pending::Abort(then));
        Some(Step::Run(Request::Abort))
    }

    fn aborted(&mut self, then: Then) {
        match then {
            Then::Reply(reply) => self.reply(reply),
            Then::BodyReply(reply, recipients) => self.body_reply(reply, recipients),
            Then::Hello(hello) => self.say_hello(hello),
        }
    }

    /// RFC 5321 §4.1.4: EHLO drops the transaction as RSET does.
    fn hello(&mut self, hello: Hello) -> Option<Step> {
        self.abort(Then::Hello(hello))
    }

    fn say_hello(&mut self, hello: Hello) {
        let extended = hello.extended;
        self.hello = Some(hello);
        if !extended {
            let line = format!("250 {}\r\n", self.config.hostname);
            self.output.extend_from_slice(line.as_bytes());
            return;
        }
        let mut lines = vec![
            self.config.hostname.clone(),
            "PIPELINING".into(),
            format!("SIZE {}", self.config.message_bytes_max),
            "8BITMIME".into(),
            "SMTPUTF8".into(),
            "ENHANCEDSTATUSCODES".into(),
            "CHUNKING".into(),
            "BINARYMIME".into(),
            "DSN".into(),
        ];
        // What is asked of the way out is offered to our own people (RFC 6710 §6: a stranger's wish
        // for urgency is worth nothing).
        if self.config.role == Role::Submission {
            lines.push("DELIVERBY".into());
            lines.push("MT-PRIORITY".into());
            if let Some(latest) = &self.config.hold_until_max {
                let seconds = limits::HOLD_SECONDS_MAX;
                lines.push(format!("FUTURERELEASE {seconds} {latest}"));
            }
        }
        // RFC 8689 §2: only over TLS.
        if self.tls && self.config.role != Role::Lmtp {
            lines.push("REQUIRETLS".into());
        }
        // RFC 3207 §4.2: not offered again once it is active.
        if self.config.starttls && !self.tls {
            lines.push("STARTTLS".into());
        }
        let mechanisms = self.allowed_mechanisms();
        if !mechanisms.is_empty() && !self.authenticated {
            lines.push(format!("AUTH {}", mechanisms.join(" ")));
        }
        // Ours: RFC 5321 §2.2.2 leaves keywords with an X to those who agree on them.
        if let Some(sender) = &self.config.default_sender {
            lines.push(format!("XSENDER {sender}"));
        }
        // RFC 9422 §3.
        lines.push(format!("LIMITS RCPTMAX={}", self.config.recipients_max));
        let count = lines.len();
        for (at, line) in (1..).zip(&lines) {
            let separator = if at < count { '-' } else { ' ' };
            let line = format!("250{separator}{line}\r\n");
            self.output.extend_from_slice(line.as_bytes());
        }
    }

    fn start_tls(&mut self) -> Option<Step> {
        if self.tls {
            self.error(reply::TLS_ACTIVE);
        } else if !self.config.starttls {
            self.error(reply::NOT_IMPLEMENTED);
        } else if self.transaction.is_some() {
            self.error(reply::NESTED_MAIL);
        } else if !self.buffered().is_empty() {
            // RFC 3207 §4.2: a client waits for the reply. Whatever came before it could have been
            // put there by somebody on the way.
            self.close(CloseReason::TlsInjection, reply::TLS_INJECTION);
        } else {
            self.reply(reply::BEGIN_TLS);
            return Some(Step::StartTls);
        }
        None
    }

    fn mail(&mut self, reverse_path: Option<Address>, parameters: MailParameters) -> Option<Step> {
        let ascii = reverse_path.as_ref().is_none_or(Address::is_ascii);
        let size = parameters.size.unwrap_or_default();
        let refused = if self.transaction.is_some() {
            Some(reply::NESTED_MAIL)
        } else if self.config.role == Role::Submission && !self.authenticated {
            let tls_helps = !self.tls && self.config.starttls;
            let plaintext = !self.config.mechanisms_plaintext.is_empty();
            Some(match tls_helps && !plaintext {
                true => reply::TLS_FIRST,
                false => reply::AUTH_FIRST,
            })
        } else if !self.offers(&parameters) {
            Some(reply::PARAMETER_UNKNOWN)
        } else if !ascii && !parameters.smtputf8 {
            Some(reply::NEEDS_SMTPUTF8)
        } else if size > self.config.message_bytes_max {
            Some(reply::TOO_BIG)
        } else {
            None
        };
        if let Some(reply) = refused {
            self.error(reply);
            return None;
        }
        self.pending = Some(Pending::Mail(reverse_path.clone(), parameters.clone()));
        Some(Step::Run(Request::Mail {
            reverse_path,
            parameters,
        }))
    }

    /// Parameters of what the reply to EHLO did not name are not known.
    fn offers(&self, parameters: &MailParameters) -> bool {
        let of_submission = parameters.deliver_by.is_some() || parameters.priority.is_some();
        let held = parameters.hold.is_some();
        (!(of_submission || held) || self.config.role == Role::Submission)
            && (!held || self.config.hold_until_max.is_some())
            && (!parameters.require_tls || (self.tls && self.config.role != Role::Lmtp))
    }

    fn rcpt(&mut self, recipient: Recipient, parameters: RcptParameters) -> Option<Step> {
        let envelope = self.envelope()?;
        let ascii = match &recipient {
            Recipient::Address(address) => address.is_ascii(),
            Recipient::Postmaster => true,
        };
        if !ascii && !envelope.parameters.smtputf8 {
            self.error(reply::NEEDS_SMTPUTF8);
            return None;
        }
        if envelope.recipients.len() >= self.config.recipients_max {
            // RFC 5321 §4.5.3.1.10. Not an error of the client's, which goes on with the rest.
            self.reply(reply::TOO_MANY_RECIPIENTS);
            return None;
        }
        self.pending = Some(Pending::Rcpt(recipient.clone(), parameters.clone()));
        Some(Step::Run(Request::Rcpt {
            recipient,
            parameters,
        }))
    }

    fn recipient_refused(&mut self, reply: Reply) {
        self.reply(reply);
        self.refused_recipients += 1;
        let known = self.authenticated || self.config.role == Role::Lmtp;
        if !known && self.refused_recipients >= limits::REFUSED_RECIPIENTS_MAX {
            let reason = CloseReason::TooManyRefusedRecipients;
            self.close(reason, reply::TOO_MANY_REFUSED);
        }
    }

    fn reply(&mut self, reply: Reply) {
        let line = format!("{reply}\r\n");
        self.output.extend_from_slice(line.as_bytes());
    }

    /// A refusal of something that the client did wrong; too many end the session.
    fn error(&mut self, reply: Reply) {
        self.reply(reply);
        self.errors += 1;
        if self.errors >= limits::ERRORS_MAX {
            self.close(CloseReason::TooManyErrors, reply::TOO_MANY_ERRORS);
        }
    }

    fn close(&mut self, reason: CloseReason, reply: Reply) {
        self.reply(reply);
        self.state = State::Closed(reason);
    }
}

fn parse_error(row: &Row, error: ParseError) -> Reply {
    match error {
        ParseError::Unknown => reply::UNKNOWN,
        ParseError::Syntax => reply::SYNTAX,
        ParseError::ForbiddenByte => reply::FORBIDDEN_BYTE,
        ParseError::Utf8 => reply::NOT_UTF8,
        ParseError::Address if row.phase == Phase::Mail => reply::BAD_RECIPIENT,
        ParseError::Address => reply::BAD_SENDER,
        ParseError::PathTooLong => reply::PATH_TOO_LONG,
        ParseError::ParameterUnknown => reply::PARAMETER_UNKNOWN,
        ParseError::ParameterValue => reply::PARAMETER_VALUE,
        ParseError::Base64 => reply::NOT_BASE64,
        ParseError::ChunkSize => reply::CHUNK_SIZE,
    }
}

/// A browser, a scanner, or a page that makes a browser talk to us: none of the rest is for us.
fn is_http(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") || line == b"PRI * HTTP/2.0"
}

#[cfg(test)]
mod tests;
