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
        let Some(mut exchange) = self.exchange.take() else {
            return Outcome::AuthTemporary;
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
            Progress::Done(identity) => {
                self.wire.admit(&identity);
                self.identity = Some(identity);
                Outcome::Authenticated
            }
            Progress::Failed(refusal) => refused(refusal),
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
