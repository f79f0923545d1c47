//! USER and PASS (RFC 1939 §7), AUTH (RFC 5034).

use facteur_pop3::{Outcome, Secret};

use super::Driver;
use crate::auth::{Progress, Refusal};
use crate::drive::Stream;

impl<S: Stream> Driver<S> {
    pub(super) async fn login(&mut self, user: &str, password: &Secret) -> Outcome {
        let ctx = self.wire.context();
        let Ok(password) = std::str::from_utf8(&password.0) else {
            return refused(Refusal::Malformed);
        };
        let checked = ctx
            .auth
            .password(ctx.scene(self.wire.peer()), user, password)
            .await;
        match checked {
            Ok(identity) => {
                self.wire.admit(&identity);
                self.identity = Some(identity);
                Outcome::Authenticated
            }
            Err(refusal) => refused(refusal),
        }
    }

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
            None => Outcome::Failed,
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
        Refusal::Busy => Outcome::LoginDelay,
        Refusal::Temporary => Outcome::Failed,
    }
}
