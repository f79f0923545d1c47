//! AUTH (RFC 4954) on submission.

use facteur_smtp::Secret;
use facteur_smtp::server::Outcome;

use super::Driver;
use crate::auth::{Progress, Refusal};
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

    pub(super) async fn auth_response(&mut self, response: Secret) -> Outcome {
        self.exchange_step(Some(response)).await
    }

    async fn exchange_step(&mut self, response: Option<Secret>) -> Outcome {
        let ctx = self.wire.context();
        let response = response.as_ref().map(|secret| secret.0.as_slice());
        let scene = ctx.scene(self.wire.peer());
        let progress = ctx.auth.go_on(&mut self.exchange, scene, response);
        match progress.await {
            None => Outcome::AuthTemporary,
            Some(Progress::Challenge(challenge)) => Outcome::Challenge(challenge),
            Some(Progress::Done(identity)) => {
                self.wire.admit(&identity);
                self.identity = Some(identity);
                Outcome::Authenticated
            }
            Some(Progress::Failed(refusal)) => refused(refusal),
        }
    }
}

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::BadCredentials | Refusal::Malformed | Refusal::UnknownMechanism => {
            Outcome::AuthFailed
        }
        Refusal::EncryptionRequired => Outcome::AuthRefused,
        Refusal::Busy | Refusal::Temporary => Outcome::AuthTemporary,
    }
}
