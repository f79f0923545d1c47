//! SMTP (25), submission (587, 465) and LMTP on a socket: the driver, and what each request of the
//! session means here.
//!
//! Who is let in is decided by pure functions over gathered facts: [`rcpt`] for a recipient,
//! [`decide`] for the message. 250 after the body is said when the store has committed every local
//! copy and every queue entry in one transaction; a failure before that leaves nothing.

mod auth;
mod body;
mod commit;
mod decide;
pub(crate) mod directory;
mod doubt;
mod feedback;
mod filter;
pub(crate) mod forward;
mod history;
mod judge;
mod mail;
mod opinions;
mod rates;
mod rcpt;
mod reports;
mod sender;
mod tarpit;
mod trace;
mod undeliverable;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use facteur_smtp::server::{
    CloseReason, Config, Outcome, Refusal, Request, Role, Session, ShutDown, Step,
};

use crate::admin::rfc3339;
use crate::auth::{Ended, Exchange, Identity};
use crate::config;
use crate::context::{Context, Peer};
use crate::drive::{ReadEnd, Stream, Wait, Wire};
use crate::limits;
use crate::opinions::Milters;
use crate::programs::{Mandate, Tracking};

pub use directory::Target;
pub use trace::message_id;

/// Serves one connection to its end.
pub async fn serve<S: Stream>(stream: S, peer: Peer, ctx: Arc<Context>) {
    let id = peer.session;
    let result = match Wire::open(stream, peer, ctx).await {
        Ok(wire) => {
            let mandate = mandate(&wire);
            Driver::new(wire, mandate).run().await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::info!(session = %id, %error, "connection lost");
    }
}

/// A program's message, brought by ourselves.
pub(crate) async fn serve_program<S: Stream>(
    stream: S,
    peer: Peer,
    ctx: Arc<Context>,
    mandate: Mandate,
    tracking: Arc<Tracking>,
) {
    let id = peer.session;
    let result = match Wire::open(stream, peer, ctx).await {
        Ok(wire) => {
            let mut driver = Driver::new(wire, Some(mandate));
            driver.tracking = Some(tracking);
            driver.run().await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::info!(session = %id, %error, "a program's request broke off");
    }
}

struct Driver<S> {
    wire: Wire<S>,
    session: Session,
    exchange: Option<Exchange>,
    identity: Option<Identity>,
    /// The program that sends, where nobody logs in.
    mandate: Option<Mandate>,
    /// What is to be remembered of its message.
    tracking: Option<Arc<Tracking>>,
    /// What the recipients of the open transaction stand for, in the envelope's order.
    targets: Vec<Vec<Target>>,
    body: body::Incoming,
    /// Under what the open transaction's message goes on to other hosts, when not under its own sender.
    rewritten: Option<String>,
    /// A report about the open transaction's message would go to who sent it.
    proven: bool,
    /// Transactions so far; names messages in the log.
    messages: u32,
    /// When the client last got something done.
    progress: Duration,
    /// Of the open transaction's body.
    pace: Option<Pace>,
    /// The open transaction met the limit of the account that sends it: none of it is taken.
    over: bool,
    /// What people made of earlier mail from this peer: -1 all good, 1 all junk.
    standing: f32,
    /// Refusals so far.
    refused: u32,
    /// Programs with an opinion; while a body comes in they are with it.
    milters: Option<Box<Milters>>,
}

/// How fast a body comes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    began: Duration,
    bytes: u64,
}

impl Pace {
    /// Until when this much may take to come: the silence that anybody may keep, and the bytes at
    /// the slowest pace that is taken from strangers.
    fn deadline(self) -> Duration {
        let seconds = self.bytes / limits::SMTP_BODY_BYTES_PER_SECOND_MIN;
        self.began + limits::SMTP_IDLE + Duration::from_secs(seconds)
    }
}

impl<S: Stream> Driver<S> {
    fn new(wire: Wire<S>, mandate: Option<Mandate>) -> Self {
        let config = session_config(&wire, mandate.as_ref());
        let session = Session::new(Arc::new(config), wire.peer().tls.is_some());
        Driver {
            mandate,
            tracking: None,
            progress: wire.context().clock.monotonic(),
            session,
            wire,
            exchange: None,
            identity: None,
            targets: Vec::new(),
            body: body::Incoming::None,
            rewritten: None,
            proven: true,
            pace: None,
            over: false,
            standing: 0.0,
            refused: 0,
            milters: None,
            messages: 0,
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        if self.talks_early().await? {
            self.session.shut_down(ShutDown::TalksEarly);
        }
        loop {
            match self.session.step() {
                Step::Read => {
                    self.flush().await?;
                    self.read().await?;
                }
                Step::Body(range) => {
                    let bytes = self.session.input().get(range).unwrap_or_default();
                    self.body.write(bytes).await;
                }
                Step::Run(request) => {
                    match self.wire.ended() {
                        Some(ended) => self.session.shut_down(farewell(ended)),
                        None => {
                            let outcome = self.act(request).await;
                            self.session.finish(outcome);
                        }
                    }
                    self.progress = self.wire.context().clock.monotonic();
                }
                Step::StartTls => {
                    self.flush().await?;
                    self.wire.start_tls().await?;
                    self.session.tls_started();
                    self.exchange = None;
                    self.identity = None;
                }
                Step::Close => {
                    self.flush().await?;
                    if let Some(reason) = self.session.close_reason() {
                        self.note_breach(reason);
                        tracing::info!(session = %self.wire.peer().session, %reason, "closing");
                    }
                    self.wire.close().await;
                    return Ok(());
                }
            }
        }
    }

    /// A session that ended for what no mail server and no mail program does.
    fn note_breach(&self, reason: CloseReason) {
        let breach = matches!(
            reason,
            CloseReason::TooManyErrors
                | CloseReason::TooManyUnknownCommands
                | CloseReason::TlsInjection
                | CloseReason::HttpOnSmtpPort
                | CloseReason::ShutDown(ShutDown::TalksEarly)
        );
        if breach {
            self.wire.note_breach();
        }
    }

    /// RFC 5321 §4.3.1: the client waits for the greeting. Programs that send junk often do not.
    async fn talks_early(&mut self) -> io::Result<bool> {
        let delay = self.wire.context().config.greeting_delay;
        if self.stranger().is_none() || delay.is_zero() {
            return Ok(false);
        }
        let silence = self.wire.read(Wait::Idle, delay, |_| ());
        match silence.await? {
            ReadEnd::Bytes(_) => Ok(true),
            ReadEnd::End => Err(io::ErrorKind::UnexpectedEof.into()),
            ReadEnd::Timeout | ReadEnd::Shutdown | ReadEnd::Ended(_) => Ok(false),
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        // A body that has begun may end while the server stops; a new command may not come.
        let in_body = self.session.is_in_body();
        let (wait, timeout) = if in_body {
            (Wait::Busy, self.body_time_left())
        } else {
            (Wait::Idle, self.command_time_left())
        };
        let session = &mut self.session;
        match self
            .wire
            .read(wait, timeout, |bytes| session.feed(bytes))
            .await?
        {
            ReadEnd::Bytes(count) => {
                if let (Some(pace), true) = (&mut self.pace, in_body) {
                    pace.bytes = pace.bytes.saturating_add(count as u64);
                }
                Ok(())
            }
            ReadEnd::Timeout if timeout < limits::SMTP_IDLE && in_body => {
                self.session.shut_down(ShutDown::TooSlow);
                Ok(())
            }
            ReadEnd::Timeout => {
                self.session.shut_down(ShutDown::Timeout);
                Ok(())
            }
            ReadEnd::Shutdown => {
                self.session.shut_down(ShutDown::Stopping);
                Ok(())
            }
            ReadEnd::Ended(ended) => {
                self.session.shut_down(farewell(ended));
                Ok(())
            }
            ReadEnd::End => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer closed without QUIT",
            )),
        }
    }

    /// Who drips a body in, byte by byte, does not hold the connection for ever; who logged in, or
    /// is a process of this machine, may.
    fn body_time_left(&mut self) -> Duration {
        let stranger = self.identity.is_none() && self.wire.peer().role == config::Role::Smtp;
        if !stranger {
            return limits::SMTP_IDLE;
        }
        let now = self.wire.context().clock.monotonic();
        let pace = self.pace.get_or_insert(Pace {
            began: now,
            bytes: 0,
        });
        pace.deadline().saturating_sub(now).min(limits::SMTP_IDLE)
    }

    /// Counted from the last thing done, not from the last byte: a command that drips in does not
    /// hold the connection for ever.
    fn command_time_left(&self) -> Duration {
        let now = self.wire.context().clock.monotonic();
        let spent = now.saturating_sub(self.progress);
        limits::SMTP_IDLE.saturating_sub(spent)
    }

    async fn act(&mut self, request: Request) -> Outcome {
        match request {
            Request::Mail {
                reverse_path,
                parameters,
            } => Box::pin(self.mail(reverse_path.as_ref(), &parameters)).await,
            Request::Rcpt { recipient, .. } => Box::pin(self.rcpt(&recipient)).await,
            Request::BodyStart => Box::pin(self.body_start()).await,
            // Boxed: what a commit holds would be part of every waiting session.
            Request::BodyEnd => Box::pin(self.body_end()).await,
            Request::Abort => {
                self.forget();
                Outcome::Ok
            }
            Request::Auth { mechanism, initial } => self.auth(&mechanism, initial).await,
            Request::AuthResponse(response) => self.auth_response(response).await,
        }
    }

    /// Ends the transaction on our side.
    fn forget(&mut self) {
        self.targets = Vec::new();
        self.rewritten = None;
        self.proven = true;
        let body = std::mem::replace(&mut self.body, body::Incoming::None);
        self.milters = self.milters.take().or(body.into_milters());
        if let Some(milters) = &mut self.milters {
            milters.abort();
        }
        self.pace = None;
        self.over = false;
    }

    async fn flush(&mut self) -> io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        self.tarpit(&output).await;
        self.wire.write(&output).await
    }
}

/// What a process of this machine may do.
fn mandate<S: Stream>(wire: &Wire<S>) -> Option<Mandate> {
    let user = wire.peer().user.as_ref()?;
    let ctx = wire.context();
    match Mandate::of_user(&ctx.store, &ctx.config.hostname, user) {
        Ok(mandate) => Some(mandate),
        Err(error) => {
            tracing::error!(session = %wire.peer().session, %error, "what this program may do is not known");
            None
        }
    }
}

fn session_config<S: Stream>(wire: &Wire<S>, mandate: Option<&Mandate>) -> Config {
    let (ctx, peer) = (wire.context(), wire.peer());
    let role = match peer.role {
        config::Role::Lmtp => Role::Lmtp,
        config::Role::Submission
        | config::Role::Submissions
        | config::Role::Local
        | config::Role::Https => Role::Submission,
        _ => Role::Mx,
    };
    let mut config = Config::new(role, &ctx.config.hostname, ctx.config.message_bytes_max);
    let latest = ctx.clock.now().after(hold_max());
    config.hold_until_max = Some(rfc3339(latest));
    config.known = mandate.is_some();
    config.default_sender = mandate.and_then(|mandate| mandate.default.clone());
    let of_program = matches!(peer.role, config::Role::Local | config::Role::Https);
    config.starttls = ctx.tls.is_some() && role != Role::Lmtp && !of_program;
    // Port 25 is for other hosts: no AUTH, so no password to guess (RFC 6409 §3.1).
    if role == Role::Submission && !of_program {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        config.mechanisms_tls = owned(ctx.auth.mechanisms_under_tls(peer));
        config.mechanisms_plaintext = owned(ctx.auth.mechanisms(&ctx.config, peer));
    }
    config
}

/// RFC 4865 §3.
fn hold_max() -> Duration {
    Duration::from_secs(facteur_smtp::limits::HOLD_SECONDS_MAX)
}

fn farewell(ended: Ended) -> ShutDown {
    match ended {
        Ended::AccountClosed => ShutDown::AccountClosed,
        Ended::PasswordChanged => ShutDown::PasswordChanged,
    }
}

/// What a failure of the store means for the peer.
fn refusal(error: &facteur_store::Error) -> Refusal {
    use facteur_store::Error;
    match error {
        Error::DiskFull => Refusal::StorageFull,
        Error::TooLarge => Refusal::TooBig,
        Error::OverQuota => Refusal::MailboxFull,
        // Removed between RCPT and the commit: the next attempt hears it at RCPT.
        Error::NoSuchAccount
        | Error::NoSuchMailbox
        | Error::NoSuchDomain
        | Error::NoSuchAddress
        | Error::NoSuchMessage
        | Error::NoSuchQueueEntry
        | Error::Exists
        | Error::BadName
        | Error::InUse
        | Error::TooManyMailboxes
        | Error::TooManyKeywords
        | Error::TooManyEntries
        | Error::TooManyRights
        | Error::NoSuchScript
        | Error::TooManyScripts
        | Error::Disk(_)
        | Error::Damaged { .. }
        | Error::Closed => Refusal::Temporary,
    }
}
