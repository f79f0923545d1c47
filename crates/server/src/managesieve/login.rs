//! AUTHENTICATE (RFC 5804 §2.1).

use facteur_sieve::manage::{Outcome, Secret};

use super::Driver;
use crate::auth::{Identity, Progress, Refusal};
use crate::drive::Stream;

impl<S: Stream> Driver<S> {
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<Secret>) -> Outcome {
        let ctx = self.wire.context();
        match ctx.auth.start(ctx.scene(self.wire.peer()), mechanism) {
            Ok(exchange) => self.exchange = Some(exchange),
            Err(refusal) => return refused(refusal),
        }
        self.exchange_step(initial).await
    }

    pub(super) async fn exchange_step(&mut self, response: Option<Secret>) -> Outcome {
        let ctx = self.wire.context();
        let Some(mut exchange) = self.exchange.take() else {
            return Outcome::Failed;
        };
        let response = response.as_ref().map(|secret| secret.0.as_slice());
        let progress = exchange
            .step(&ctx.auth, ctx.scene(self.wire.peer()), response)
            .await;
        match progress {
            Progress::Challenge(challenge) => {
                self.exchange = Some(exchange);
                Outcome::Challenge(challenge)
            }
            Progress::Done(identity) => self.admit(identity),
            Progress::Failed(refusal) => refused(refusal),
        }
    }

    fn admit(&mut self, identity: Identity) -> Outcome {
        let account = self.wire.context().store.account(identity.account);
        let language = match account {
            Ok(Some(account)) => account.language,
            Ok(None) => return Outcome::AuthFailed,
            Err(error) => {
                tracing::error!(session = %self.wire.peer().session, %error, "the account can't be read");
                return Outcome::Failed;
            }
        };
        self.wire.admit(&identity);
        let owner = identity.address.clone();
        self.identity = Some(identity);
        Outcome::Authenticated { owner, language }
    }
}

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::BadCredentials | Refusal::Malformed | Refusal::UnknownMechanism => {
            Outcome::AuthFailed
        }
        Refusal::EncryptionRequired => Outcome::AuthRefused,
        Refusal::Busy => Outcome::LoginDelay,
        Refusal::Temporary => Outcome::Failed,
    }
}
