//! POP3 on a socket: the driver, and what each request of the session means here.
//!
//! The maildrop is the account's INBOX as it was at login (RFC 1939 §8); deletions happen at QUIT
//! only, as an expunge, so they can be restored. One session at a time holds a maildrop
//! (docs/decisions/0010-pop3-sessions.md).

mod login;
mod maildrop;
mod quit;
mod retrieve;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use facteur_pop3::{CloseReason, Config, Outcome, Output, Request, Session, ShutDown, Step};
use facteur_store::{MailboxId, Message};

use crate::auth::{Ended, Exchange, Identity};
use crate::context::{Context, Peer};
use crate::drive::{ReadEnd, Stream, Wait, Wire};
use crate::limits;

pub use maildrop::Locks;

/// Serves one connection to its end.
pub async fn serve<S: Stream>(stream: S, peer: Peer, ctx: Arc<Context>) {
    let id = peer.session;
    let result = match Wire::open(stream, peer, ctx).await {
        Ok(wire) => Driver::new(wire).run().await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::info!(session = %id, %error, "connection lost");
    }
}

struct Driver<S> {
    wire: Wire<S>,
    session: Session,
    began: Duration,
    exchange: Option<Exchange>,
    identity: Option<Identity>,
    /// Held from login to the end.
    held: Option<maildrop::Held>,
    inbox: Option<MailboxId>,
    /// The message that the session sends next.
    message: Option<Message>,
}

impl<S: Stream> Driver<S> {
    fn new(wire: Wire<S>) -> Self {
        let session = Session::new(Arc::new(config(&wire)), wire.peer().tls.is_some());
        Driver {
            began: wire.context().clock.monotonic(),
            session,
            wire,
            exchange: None,
            identity: None,
            held: None,
            inbox: None,
            message: None,
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        loop {
            match self.session.step() {
                Step::Flush => self.flush().await?,
                Step::Read => {
                    self.flush().await?;
                    let (timeout, session) = (self.timeout(), &mut self.session);
                    let read = self
                        .wire
                        .read(Wait::Idle, timeout, |bytes| session.feed(bytes));
                    match read.await? {
                        ReadEnd::Bytes(_) => {}
                        ReadEnd::Ended(ended) => self.session.shut_down(farewell(ended)),
                        // RFC 1939 §3: an autologout removes nothing and says nothing.
                        end => return self.end(end).await,
                    }
                }
                Step::Run(request) => match self.wire.ended() {
                    Some(ended) => self.session.shut_down(farewell(ended)),
                    None => {
                        let outcome = self.act(request).await;
                        self.session.finish(outcome);
                    }
                },
                Step::StartTls => {
                    self.flush().await?;
                    self.wire.start_tls().await?;
                    self.session.tls_started();
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

    /// A session that ended for what no program of that kind does.
    fn note_breach(&self, reason: CloseReason) {
        let breach = matches!(
            reason,
            CloseReason::TooManyErrors | CloseReason::TlsInjection | CloseReason::HttpOnPop3Port
        );
        if breach {
            self.wire.note_breach();
        }
    }

    async fn act(&mut self, request: Request) -> Outcome {
        match request {
            Request::Login { user, password } => self.login(&user, &password).await,
            Request::Auth { mechanism, initial } => self.auth(&mechanism, initial).await,
            Request::AuthResponse(response) => self.auth_response(response).await,
            Request::Open => self.open().await,
            // The whole message goes as it is stored, whatever UTF8 said: refusing a message for
            // raw bytes in its header (RFC 6856 §2.1) would keep old clients from their mail.
            Request::Retrieve { uid, .. } => self.retrieve(uid).await,
            Request::Quit { deleted } => self.quit(deleted).await,
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        for output in self.session.take_output() {
            match output {
                Output::Bytes(bytes) => self.wire.write(&bytes).await?,
                Output::Stored { lines, .. } => self.send(lines).await?,
            }
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        if self.session.is_logged_in() {
            return limits::POP3_IDLE;
        }
        let now = self.wire.context().clock.monotonic();
        let spent = now.saturating_sub(self.began);
        limits::BEFORE_LOGIN.saturating_sub(spent)
    }

    async fn end(&mut self, end: ReadEnd) -> io::Result<()> {
        let reason = match end {
            ReadEnd::Timeout => "silent for too long",
            ReadEnd::Shutdown => "the server stops",
            ReadEnd::End | ReadEnd::Bytes(_) | ReadEnd::Ended(_) => "the peer closed without QUIT",
        };
        tracing::info!(session = %self.wire.peer().session, reason, "closing");
        self.wire.close().await;
        Ok(())
    }
}

fn farewell(ended: Ended) -> ShutDown {
    match ended {
        Ended::AccountClosed => ShutDown::AccountClosed,
        Ended::PasswordChanged => ShutDown::PasswordChanged,
    }
}

fn config<S: Stream>(wire: &Wire<S>) -> Config {
    let (ctx, peer) = (wire.context(), wire.peer());
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Config {
        starttls: ctx.tls.is_some(),
        plaintext_login: ctx.config.allow_insecure_plaintext && peer.address.is_loopback(),
        mechanisms_tls: owned(ctx.auth.mechanisms_under_tls(peer)),
        mechanisms_plaintext: owned(ctx.auth.mechanisms(&ctx.config, peer)),
        implementation: concat!("Facteur ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}
