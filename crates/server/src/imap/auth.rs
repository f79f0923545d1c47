//! LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3): the exchange is the session's, the check is
//! [`crate::auth`]'s.

use facteur_imap::command;
use facteur_imap::response::Code;
use facteur_imap::{Outcome, Reply, text};

use super::door::Door;
use super::error::Failure;
use super::link::Link;
use super::{Answer, Handled, User, Who, done, quirks};
use crate::auth::{Exchange, Identity, Progress, Refusal, Scene};
use crate::drive::Stream;

pub(super) async fn login<S: Stream>(
    link: &mut Link<S>,
    who: &mut Who,
    request: command::Login,
) -> Handled {
    let (Ok(name), Ok(password)) = (
        std::str::from_utf8(&request.user),
        std::str::from_utf8(&request.password),
    ) else {
        return Ok(refuse(Refusal::BadCredentials));
    };
    let ctx = link.ctx();
    match ctx.auth.password(scene(link), name, password).await {
        Ok(identity) => enter(link, who, identity),
        Err(refusal) => Ok(refuse(refusal)),
    }
}

pub(super) async fn start<S: Stream>(
    link: &mut Link<S>,
    who: &mut Who,
    request: command::Auth,
) -> Handled {
    match link.ctx().auth.start(scene(link), &request.mechanism) {
        Ok(exchange) => step(link, who, exchange, request.initial.as_deref()).await,
        Err(refusal) => Ok(refuse(refusal)),
    }
}

pub(super) async fn response<S: Stream>(
    link: &mut Link<S>,
    who: &mut Who,
    response: Vec<u8>,
) -> Handled {
    let Who::Nobody(exchange) = who else {
        return Err(Failure::Fault);
    };
    let exchange = exchange.take().ok_or(Failure::Fault)?;
    step(link, who, exchange, Some(&response)).await
}

async fn step<S: Stream>(
    link: &mut Link<S>,
    who: &mut Who,
    mut exchange: Exchange,
    response: Option<&[u8]>,
) -> Handled {
    let progress = exchange.step(&link.ctx().auth, scene(link), response).await;
    match progress {
        Progress::Challenge(challenge) => {
            *who = Who::Nobody(Some(exchange));
            Ok(Outcome::Challenge(challenge).into())
        }
        Progress::Done(identity) => enter(link, who, identity),
        Progress::Failed(refusal) => Ok(refuse(refusal)),
    }
}

fn scene<S: Stream>(link: &Link<S>) -> Scene<'_> {
    link.ctx().scene(link.wire.peer())
}

fn enter<S: Stream>(link: &mut Link<S>, who: &mut Who, identity: Identity) -> Handled {
    link.wire.admit(&identity);
    quirks::entered(link, identity.account);
    let door = Door::new(identity.account);
    *who = Who::User(Box::new(User {
        source: door.own_source(link.store()),
        door,
        selected: None,
        append: None,
        notify: None,
    }));
    done(text::LOGGED_IN)
}

/// RFC 8437: the connection belongs to nobody again; what was selected is left without expunging.
pub(super) fn leave<S: Stream>(link: &mut Link<S>, who: &mut Who) -> Handled {
    link.wire.dismiss();
    quirks::left(link);
    *who = Who::Nobody(None);
    done(text::UNAUTHENTICATE_DONE)
}

/// Ends the sessions of an account that was closed meanwhile, or that has another password.
pub(super) fn check_account<S: Stream>(link: &mut Link<S>) -> Result<(), Failure> {
    match link.wire.ended() {
        None => Ok(()),
        Some(ended) => Err(Failure::Ended(ended)),
    }
}

/// RFC 5530 §3. Unknown, disabled and wrong are one answer.
fn refuse(refusal: Refusal) -> Answer {
    let (code, text) = match refusal {
        Refusal::BadCredentials | Refusal::Malformed => {
            (Code::AuthenticationFailed, text::LOGIN_FAILED)
        }
        Refusal::EncryptionRequired => (Code::PrivacyRequired, text::LOGIN_DISABLED),
        Refusal::UnknownMechanism => (Code::Cannot, text::AUTH_MECHANISM_UNKNOWN),
        Refusal::Busy | Refusal::Temporary => (Code::Unavailable, text::AUTH_UNAVAILABLE),
    };
    Reply::no(text).with(code).into()
}
