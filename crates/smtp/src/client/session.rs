//! The state machine of one connection to another server.

use super::{
    Answer, Config, Extensions, Failure, LocalError, Login, Mail, Report, Stage, Step, Tls,
    Verdict, transaction,
};
use crate::command;
use crate::data::{BodyFault, DataEncoder};
use crate::reply_parser::{PeerReply, ReplyParser};
use transaction::Transaction;

#[derive(Debug)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    /// [`Step::StartTls`] is to be said, or was.
    Handshake {
        told: bool,
    },
    Auth(AuthStep),
    Idle,
    /// A transaction was left open; RSET before the next.
    Reset(Box<Transaction>),
    /// MAIL, RCPT, DATA.
    Envelope(Box<Transaction>),
    /// [`Step::SendBody`] is to be said, or was.
    Body {
        transaction: Box<Transaction>,
        /// None: by BDAT, as it is.
        encoder: Option<DataEncoder>,
        told: bool,
    },
    BodySent(Box<Transaction>),
    /// [`Step::Sent`] is to be said.
    Report(Report, Next),
    Failed(Failure),
    Quit,
    Closed,
}

/// What a connection is good for after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Idle,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuthStep {
    Plain,
    LoginUser,
    LoginPassword,
    Last,
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Client {
    config: Config,
    state: State,
    tls: bool,
    logged_in: bool,
    /// A transaction was begun and not ended by the server.
    dirty: bool,
    extensions: Extensions,
    parser: ReplyParser,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Client {
    /// A connection that was just made; the server speaks first.
    pub fn new(config: Config) -> Self {
        Client {
            tls: config.tls == Tls::Active,
            config,
            state: State::Greeting,
            logged_in: false,
            dirty: false,
            extensions: Extensions::default(),
            parser: ReplyParser::default(),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Bytes from the socket, after [`Step::Read`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Bytes to write; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What to do next.
    pub fn step(&mut self) -> Step {
        loop {
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Report(report, next) => {
                    self.state = match next {
                        Next::Idle => State::Idle,
                        Next::Closed => State::Closed,
                    };
                    return Step::Sent(report);
                }
                State::Failed(failure) => return Step::Failed(failure),
                State::Closed => return Step::Close,
                State::Idle => {
                    self.state = State::Idle;
                    return Step::Ready;
                }
                State::Handshake { told: false } => {
                    self.state = State::Handshake { told: true };
                    return Step::StartTls;
                }
                State::Body {
                    transaction,
                    encoder,
                    told: false,
                } => {
                    self.state = State::Body {
                        transaction,
                        encoder,
                        told: true,
                    };
                    return Step::SendBody;
                }
                state => self.state = state,
            }
            match self.parser.next(&self.input) {
                Err(error) => self.give_up(Answer::Local(LocalError::Reply(error))),
                Ok((reply, used)) => {
                    self.input.drain(..used);
                    let Some(reply) = reply else {
                        if self.input.is_empty() {
                            self.input = Vec::new();
                        }
                        return Step::Read;
                    };
                    self.reply(reply);
                }
            }
        }
    }

    /// Begins a transaction, after [`Step::Ready`].
    pub fn send(&mut self, mail: Mail) {
        if !matches!(self.state, State::Idle) {
            return;
        }
        match Transaction::new(mail, &self.extensions) {
            Err(report) => self.state = State::Report(report, Next::Idle),
            Ok(transaction) if self.dirty => {
                self.output.extend_from_slice(b"RSET\r\n");
                self.state = State::Reset(Box::new(transaction));
            }
            Ok(transaction) => self.begin(Box::new(transaction)),
        }
    }

    /// Says goodbye, after [`Step::Ready`].
    pub fn quit(&mut self) {
        self.output.extend_from_slice(b"QUIT\r\n");
        self.state = State::Quit;
    }

    /// Message bytes, in order, after [`Step::SendBody`]; their wire form goes to the output.
    ///
    /// # Errors
    /// The message can't go by DATA: close the connection at once, so that the server takes
    /// nothing; `interrupted` with [`LocalError::NotText`] gives the report.
    pub fn push_body(&mut self, chunk: &[u8]) -> Result<(), BodyFault> {
        match &mut self.state {
            State::Body {
                encoder: Some(encoder),
                ..
            } => encoder.push(chunk, &mut self.output),
            State::Body { encoder: None, .. } => {
                self.output.extend_from_slice(chunk);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// All bytes were pushed.
    ///
    /// # Errors
    /// As `push_body`.
    pub fn end_body(&mut self) -> Result<(), BodyFault> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Body {
                mut transaction,
                mut encoder,
                told,
            } => {
                if let Some(encoder) = encoder.take()
                    && let Err(fault) = encoder.finish(&mut self.output)
                {
                    self.state = State::Body {
                        transaction,
                        encoder: None,
                        told,
                    };
                    return Err(fault);
                }
                transaction.body_written(self.config.lmtp);
                self.state = State::BodySent(transaction);
            }
            state => self.state = state,
        }
        Ok(())
    }

    /// The handshake that [`Step::StartTls`] asked for is done.
    pub fn tls_started(&mut self) {
        if !self.input.is_empty() {
            return self.give_up(Answer::Local(LocalError::TlsInjection));
        }
        self.tls = true;
        // RFC 3207 §4.2: what the server said before is forgotten.
        self.extensions = Extensions::default();
        self.hello();
    }

    /// The connection is gone, or of no more use for this reason: what is known of the recipients
    /// of the open transaction; the others are temporary failures (permanent for
    /// [`LocalError::NotText`]). `None`: there was no transaction.
    pub fn interrupted(&mut self, error: LocalError) -> Option<Report> {
        let verdict = match error {
            LocalError::NotText => Verdict::Permanent,
            _ => Verdict::Temporary,
        };
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Reset(transaction)
            | State::Envelope(transaction)
            | State::Body { transaction, .. }
            | State::BodySent(transaction) => {
                Some(transaction.finish(verdict, &Answer::Local(error)))
            }
            State::Report(report, _) => Some(report),
            _ => None,
        }
    }

    /// Where the dialogue is.
    pub fn stage(&self) -> Stage {
        match &self.state {
            State::Greeting => Stage::Greeting,
            State::Ehlo | State::Helo => Stage::Hello,
            State::StartTls | State::Handshake { .. } => Stage::StartTls,
            State::Auth(_) => Stage::Auth,
            State::Idle | State::Report(..) | State::Failed(_) => Stage::Idle,
            State::Reset(_) => Stage::Mail,
            State::Envelope(transaction) => match transaction.awaited() {
                Some(transaction::Command::Rcpt(_)) => Stage::Rcpt,
                Some(transaction::Command::Data) => Stage::DataStart,
                _ => Stage::Mail,
            },
            State::Body { .. } => Stage::Body,
            State::BodySent(_) => Stage::DataEnd,
            State::Quit | State::Closed => Stage::Quit,
        }
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// What the server offers, after [`Step::Ready`].
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    fn reply(&mut self, reply: PeerReply) {
        // RFC 5321 §3.8: 421 to anything, the server closes.
        if reply.code == 421 && !matches!(self.state, State::Quit) {
            return self.give_up(Answer::Reply(reply));
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting if reply.code == 220 => self.hello(),
            State::Ehlo if reply.is_ok() => {
                self.extensions = Extensions::of(&reply);
                self.greeted();
            }
            // RFC 5321 §3.2: a server that does not know EHLO says 5yz. Never under a demand that
            // only EHLO can meet.
            State::Ehlo if reply.class() == 5 && self.may_helo() => {
                self.line(&format!("HELO {}", self.config.hello));
                self.state = State::Helo;
            }
            State::Helo if reply.is_ok() => self.state = State::Idle,
            State::StartTls if reply.code == 220 => {
                if self.input.is_empty() {
                    self.state = State::Handshake { told: false };
                } else {
                    self.fail(Stage::StartTls, Answer::Local(LocalError::TlsInjection));
                }
            }
            // Offered and then refused: as if it had not been offered.
            State::StartTls if self.config.tls == Tls::Opportunistic => self.log_in(),
            State::Auth(step) => self.auth_reply(step, reply),
            State::Reset(transaction) => {
                self.dirty = false;
                self.begin(transaction);
            }
            State::Envelope(transaction) => self.envelope_reply(transaction, reply),
            State::BodySent(transaction) => self.body_reply(transaction, reply),
            State::Quit | State::Closed => {}
            state => {
                let stage = stage_of(&state);
                self.fail(stage, Answer::Reply(reply));
            }
        }
    }

    fn may_helo(&self) -> bool {
        !self.config.lmtp
            && !self.tls
            && self.config.tls != Tls::Required
            && self.config.login.is_none()
    }

    fn hello(&mut self) {
        let verb = if self.config.lmtp { "LHLO" } else { "EHLO" };
        self.line(&format!("{verb} {}", self.config.hello));
        self.state = State::Ehlo;
    }

    /// After EHLO: TLS, then the login.
    fn greeted(&mut self) {
        let wanted = match self.config.tls {
            Tls::Never | Tls::Active => false,
            Tls::Opportunistic | Tls::Required => !self.tls,
        };
        if wanted && self.extensions.starttls {
            self.line("STARTTLS");
            self.state = State::StartTls;
        } else if wanted && self.config.tls == Tls::Required {
            self.fail(Stage::StartTls, Answer::Local(LocalError::NoTls));
        } else {
            self.log_in();
        }
    }

    fn log_in(&mut self) {
        let Some(login) = self.config.login.as_ref().filter(|_| !self.logged_in) else {
            self.state = State::Idle;
            return;
        };
        let offers = |name: &str| self.extensions.mechanisms.iter().any(|m| m == name);
        if !self.tls {
            self.fail(Stage::Auth, Answer::Local(LocalError::NoTls));
        } else if offers("PLAIN") {
            let line = format!("AUTH PLAIN {}", plain(login));
            self.line(&line);
            self.state = State::Auth(AuthStep::Plain);
        } else if offers("LOGIN") {
            self.line("AUTH LOGIN");
            self.state = State::Auth(AuthStep::LoginUser);
        } else {
            self.fail(Stage::Auth, Answer::Local(LocalError::NoLogin));
        }
    }

    fn auth_reply(&mut self, step: AuthStep, reply: PeerReply) {
        let Some(login) = &self.config.login else {
            return self.fail(Stage::Auth, Answer::Reply(reply));
        };
        if reply.code == 235 {
            self.logged_in = true;
            self.state = State::Idle;
            return;
        }
        let (line, next) = match step {
            _ if reply.code != 334 => return self.fail(Stage::Auth, Answer::Reply(reply)),
            // The server did not take the initial response with the command.
            AuthStep::Plain => (plain(login), AuthStep::Last),
            AuthStep::LoginUser => (
                command::encode_base64(login.user.as_bytes()),
                AuthStep::LoginPassword,
            ),
            AuthStep::LoginPassword => {
                let password = command::encode_base64(&login.password.0);
                (password, AuthStep::Last)
            }
            AuthStep::Last => return self.fail(Stage::Auth, Answer::Reply(reply)),
        };
        self.line(&line);
        self.state = State::Auth(next);
    }

    fn begin(&mut self, mut transaction: Box<Transaction>) {
        self.dirty = true;
        transaction.send(&self.extensions, &mut self.output);
        self.state = State::Envelope(transaction);
    }

    fn envelope_reply(&mut self, mut transaction: Box<Transaction>, reply: PeerReply) {
        let answer = Answer::Reply(reply.clone());
        if transaction.reply(reply) {
            if transaction.any_taken() {
                self.state = State::Body {
                    transaction,
                    encoder: Some(DataEncoder::default()),
                    told: false,
                };
            } else {
                // RFC 2920 §3.1: DATA was let through without a recipient; an empty message ends it.
                self.output.extend_from_slice(b".\r\n");
                transaction.body_written(false);
                self.state = State::BodySent(transaction);
            }
            return;
        }
        transaction.send(&self.extensions, &mut self.output);
        if !transaction.is_all_sent() {
            self.state = State::Envelope(transaction);
        } else if transaction.chunking && transaction.any_taken() {
            self.line(&format!("BDAT {} LAST", transaction.size()));
            self.state = State::Body {
                transaction,
                encoder: None,
                told: false,
            };
        } else {
            self.report(*transaction, &answer);
        }
    }

    fn body_reply(&mut self, mut transaction: Box<Transaction>, reply: PeerReply) {
        // RFC 5321 §4.1.1.4: whatever the reply says, the transaction is over.
        self.dirty = false;
        let answer = Answer::Reply(reply.clone());
        transaction.reply(reply);
        if transaction.is_all_sent() {
            self.report(*transaction, &answer);
        } else {
            self.state = State::BodySent(transaction);
        }
    }

    fn report(&mut self, transaction: Transaction, answer: &Answer) {
        let report = transaction.finish(Verdict::Temporary, answer);
        self.state = State::Report(report, Next::Idle);
    }

    /// The connection is of no use any more.
    fn give_up(&mut self, answer: Answer) {
        let stage = self.stage();
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Reset(transaction)
            | State::Envelope(transaction)
            | State::Body { transaction, .. }
            | State::BodySent(transaction) => {
                let report = transaction.finish(Verdict::Temporary, &answer);
                self.state = State::Report(report, Next::Closed);
            }
            State::Quit | State::Closed => {}
            _ => self.fail(stage, answer),
        }
    }

    fn fail(&mut self, stage: Stage, answer: Answer) {
        self.state = State::Failed(Failure { stage, answer });
    }

    fn line(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }
}

/// RFC 4616 §2: no authorization identity.
fn plain(login: &Login) -> String {
    let mut message = vec![0];
    message.extend_from_slice(login.user.as_bytes());
    message.push(0);
    message.extend_from_slice(&login.password.0);
    command::encode_base64(&message)
}

fn stage_of(state: &State) -> Stage {
    match state {
        State::Greeting => Stage::Greeting,
        State::Ehlo | State::Helo => Stage::Hello,
        State::StartTls | State::Handshake { .. } => Stage::StartTls,
        State::Auth(_) => Stage::Auth,
        _ => Stage::Idle,
    }
}

#[cfg(test)]
mod tests;
