//! ManageSieve on a socket (RFC 5804): the driver, and what each request of the session means here.

mod login;
mod scripts;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use facteur_sieve::manage::{CloseReason, Config, Outcome, Request, Session, ShutDown, Step};

use crate::auth::{Ended, Exchange, Identity};
use crate::context::{Context, Peer};
use crate::drive::{ReadEnd, Stream, Wait, Wire};
use crate::limits;

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
                        ReadEnd::Timeout => self.session.shut_down(ShutDown::Timeout),
                        ReadEnd::Shutdown => self.session.shut_down(ShutDown::Stopping),
                        ReadEnd::End => {
                            let reason = "the peer closed without LOGOUT";
                            tracing::info!(session = %self.wire.peer().session, reason, "closing");
                            self.wire.close().await;
                            return Ok(());
                        }
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

    /// A session that ended for what no program of that kind does.
    fn note_breach(&self, reason: CloseReason) {
        let breach = matches!(
            reason,
            CloseReason::TooManyErrors | CloseReason::TlsInjection | CloseReason::HttpOnSievePort
        );
        if breach {
            self.wire.note_breach();
        }
    }

    async fn act(&mut self, request: Request) -> Outcome {
        match request {
            Request::Auth { mechanism, initial } => self.auth(&mechanism, initial).await,
            Request::AuthResponse(response) => self.exchange_step(Some(response)).await,
            Request::Unauthenticate => {
                self.identity = None;
                self.exchange = None;
                self.wire.dismiss();
                self.began = self.wire.context().clock.monotonic();
                Outcome::Done
            }
            request => self.script(request).await,
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        self.wire.write(&output).await
    }

    fn timeout(&self) -> Duration {
        if self.session.is_logged_in() {
            return limits::MANAGESIEVE_IDLE;
        }
        let now = self.wire.context().clock.monotonic();
        let spent = now.saturating_sub(self.began);
        limits::BEFORE_LOGIN.saturating_sub(spent)
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
        mechanisms_tls: owned(ctx.auth.mechanisms_under_tls(peer)),
        mechanisms_plaintext: owned(ctx.auth.mechanisms(&ctx.config, peer)),
        implementation: concat!("Facteur ", env!("CARGO_PKG_VERSION")).to_owned(),
        language: ctx.config.language.clone(),
    }
}
