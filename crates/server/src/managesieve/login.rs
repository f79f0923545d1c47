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
        let response = response.as_ref().map(|secret| secret.0.as_slice());
        let scene = ctx.scene(self.wire.peer());
        let progress = ctx.auth.go_on(&mut self.exchange, scene, response);
        match progress.await {
            None => Outcome::Failed,
            Some(Progress::Challenge(challenge)) => Outcome::Challenge(challenge),
            Some(Progress::Done(identity)) => self.admit(identity),
            Some(Progress::Failed(refusal)) => refused(refusal),
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
