//! One SASL exchange (RFC 4422 §3), step by step.

use super::scram::{self, Challenged, Fault, First};
use super::{Auth, Identity, Progress, Refusal, Scene, log};
use crate::limits;

/// One SASL exchange; dropped when the client cancels.
#[derive(Debug)]
pub struct Exchange {
    state: State,
}

#[derive(Debug)]
enum State {
    Plain,
    LoginUser,
    LoginPassword {
        user: String,
    },
    ScramFirst {
        plus: bool,
        plus_offered: bool,
    },
    ScramFinal(Box<Challenged>),
    /// server-final-message is out; the client answers with nothing.
    ScramDone(Identity),
    Over,
}

impl Exchange {
    pub(super) fn new(mechanism: &str, offered: &[&str]) -> Option<Exchange> {
        let plus_offered = offered.contains(&"SCRAM-SHA-256-PLUS");
        let state = match mechanism {
            "PLAIN" => State::Plain,
            "LOGIN" => State::LoginUser,
            "SCRAM-SHA-256" => State::ScramFirst {
                plus: false,
                plus_offered,
            },
            "SCRAM-SHA-256-PLUS" => State::ScramFirst {
                plus: true,
                plus_offered,
            },
            _ => return None,
        };
        Some(Exchange { state })
    }

    /// `response`: decoded bytes; `None` for "no initial response" in the first step.
    pub async fn step(
        &mut self,
        auth: &Auth,
        scene: Scene<'_>,
        response: Option<&[u8]>,
    ) -> Progress {
        let state = std::mem::replace(&mut self.state, State::Over);
        let Some(response) = response else {
            return self.first_challenge(state);
        };
        if response.len() > limits::SASL_RESPONSE_BYTES_MAX {
            return Progress::Failed(Refusal::Malformed);
        }
        match state {
            State::Plain => plain(auth, scene, response).await,
            State::LoginUser => self.login_user(response),
            State::LoginPassword { user } => match std::str::from_utf8(response) {
                Ok(password) => finish(auth.password(scene, &user, password).await),
                Err(_) => Progress::Failed(Refusal::Malformed),
            },
            State::ScramFirst { plus, plus_offered } => {
                match scram_first(auth, scene, response, plus, plus_offered).await {
                    Ok((challenged, message)) => {
                        self.state = State::ScramFinal(Box::new(challenged));
                        Progress::Challenge(message.into_bytes())
                    }
                    Err(refusal) => Progress::Failed(refusal),
                }
            }
            State::ScramFinal(challenged) => {
                self.scram_final(auth, scene, &challenged, response).await
            }
            State::ScramDone(identity) if response.is_empty() => Progress::Done(identity),
            State::ScramDone(_) | State::Over => Progress::Failed(Refusal::Malformed),
        }
    }

    fn first_challenge(&mut self, state: State) -> Progress {
        let challenge: &[u8] = match state {
            State::LoginUser => b"Username:",
            _ => b"",
        };
        self.state = state;
        Progress::Challenge(challenge.to_vec())
    }

    fn login_user(&mut self, response: &[u8]) -> Progress {
        match std::str::from_utf8(response) {
            Ok(user) => {
                self.state = State::LoginPassword {
                    user: user.to_owned(),
                };
                Progress::Challenge(b"Password:".to_vec())
            }
            Err(_) => Progress::Failed(Refusal::Malformed),
        }
    }

    async fn scram_final(
        &mut self,
        auth: &Auth,
        scene: Scene<'_>,
        challenged: &Challenged,
        response: &[u8],
    ) -> Progress {
        let user = challenged.user().to_owned();
        let verdict = challenged.verify(response, scene.peer.tls.as_deref());
        // Looked up again: it may have been disabled or its password changed since the first step.
        let account = match auth.account(scene, &user).await {
            Ok(account) => account,
            Err(refusal) => return Progress::Failed(refusal),
        };
        let account = account
            .filter(|account| account.credentials.scram_sha256.as_ref() == Some(challenged.keys()));
        match verdict {
            Err(Fault::Malformed) => Progress::Failed(Refusal::Malformed),
            Err(Fault::Binding) => {
                log(scene, &user, "the channel binding does not fit");
                finish(auth.settle(scene, &user, None))
            }
            Err(Fault::Proof) => finish(auth.settle(scene, &user, None)),
            Ok(message) => match auth.settle(scene, &user, account) {
                Ok(identity) => {
                    self.state = State::ScramDone(identity);
                    Progress::Challenge(message.into_bytes())
                }
                Err(refusal) => Progress::Failed(refusal),
            },
        }
    }
}

fn finish(result: Result<Identity, Refusal>) -> Progress {
    match result {
        Ok(identity) => Progress::Done(identity),
        Err(refusal) => Progress::Failed(refusal),
    }
}

/// message = [authzid] NUL authcid NUL passwd, RFC 4616 §2.
async fn plain(auth: &Auth, scene: Scene<'_>, response: &[u8]) -> Progress {
    let Ok(message) = std::str::from_utf8(response) else {
        return Progress::Failed(Refusal::Malformed);
    };
    let mut parts = message.split('\0');
    let (Some(authorization), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Progress::Failed(Refusal::Malformed);
    };
    let same = authorization.is_empty() || authorization.eq_ignore_ascii_case(user);
    let result = auth.password(scene, user, password).await;
    if !same && result.is_ok() {
        log(scene, user, "asked to act as somebody else");
        return Progress::Failed(Refusal::BadCredentials);
    }
    finish(result)
}

async fn scram_first(
    auth: &Auth,
    scene: Scene<'_>,
    response: &[u8],
    plus: bool,
    plus_offered: bool,
) -> Result<(Challenged, String), Refusal> {
    let first = First::parse(response).ok_or(Refusal::Malformed)?;
    auth.check_failures(scene, &first.user)?;
    if first.check_binding(plus, plus_offered).is_err() {
        log(scene, &first.user, "the channel binding flag does not fit");
        return Err(Refusal::BadCredentials);
    }
    let same = first
        .authorization
        .as_ref()
        .is_none_or(|name| name.eq_ignore_ascii_case(&first.user));
    let account = auth.account(scene, &first.user).await?;
    let decoy = scram::decoy(&auth.secret, &first.user.to_lowercase());
    let keys = account
        .and_then(|account| account.credentials.scram_sha256)
        .filter(|_| same)
        .unwrap_or(decoy);
    let nonce = scram::server_nonce(|buffer| auth.clock.random(buffer));
    Ok(scram::challenge(first, &nonce, keys))
}
