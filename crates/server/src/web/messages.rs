//! `POST /v1/messages` and `GET /v1/messages/ID`.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use facteur_message::facts::Sent as Date;
use facteur_programs::letter::{self, Given, Letter};
use facteur_store::{Program, Sent, SentId, SentRecipient, SentState, Taken};
use hyper::body::Body as _;
use serde_json::{Value, json};

use super::error::{ApiError, Code};
use super::limits::{BODY, BODY_BYTES_MAX, KEY_BYTES_MAX, MESSAGE_ID_BYTES_MAX};
use crate::Context;
use crate::admin::rfc3339;
use crate::context::Peer;
use crate::gate::counted_address;
use crate::programs::{self, Mandate, Tracking, submit, token};
use crate::rates::Kind;
use crate::smtp;
use crate::strangers::Offence;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/messages", post(send))
        .route("/v1/messages/{id}", get(show))
}

async fn send(
    State(ctx): State<Arc<Context>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let program = allowed(&ctx, &peer, request.headers())?;
    let key = key_of(&program, request.headers())?;
    if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(ApiError::new(Code::TooBig));
    }
    let closing = || ApiError::new(Code::Temporary);
    let turn = ctx.bodies.turn(&program.name).await.ok_or_else(closing)?;
    let _place = ctx.bodies.place().await.ok_or_else(closing)?;
    let body = read(request.into_body()).await?;
    drop(turn);
    let request = first_half(blake3::hash(&body));
    // A repetition counts for nothing, and no limit or filter of today has a say in it.
    if let Some((id, before)) = done_before(&ctx, key)? {
        let same = before == request;
        return answer(&ctx, &program, id, Taken::Before { id, same });
    }
    let letter = letter_of(&body)?;
    drop(body);
    let mandate = Mandate::of_program(&program);
    let made = make(&ctx, letter, &mandate)?;
    let mut random = [0; 8];
    ctx.clock.random(&mut random);
    let now = ctx.clock.now();
    let mut tracking = Tracking::new(SentId::new(now, random), &program.name, &made.message_id);
    tracking.key = key;
    tracking.request = request;
    let mut recipients = Vec::new();
    for address in made.recipients {
        match ctx.store.suppressed(&address)? {
            Some(suppressed) => {
                // It is not tried, but kept and told of.
                programs::count(&ctx.rates, &program.name, ctx.clock.monotonic())
                    .map_err(|_| ApiError::new(Code::TooMuch))?;
                tracking.skip(SentRecipient {
                    address,
                    state: SentState::Suppressed,
                    told: suppressed.told,
                    at: now,
                });
            }
            None => recipients.push(address),
        }
    }
    let (id, tracking) = (tracking.id, Arc::new(tracking));
    let taken = if recipients.is_empty() {
        tracking.keep_alone(&ctx.store, now).await?
    } else {
        let tracking = Arc::clone(&tracking);
        let from = &made.from;
        submit::submit(
            &ctx,
            peer,
            mandate,
            tracking,
            from,
            &recipients,
            &made.message,
        )
        .await?
    };
    ctx.calls.notify_one();
    answer(&ctx, &program, id, taken)
}

type Known = (SentId, [u8; 16]);

fn done_before(ctx: &Context, key: Option<[u8; 16]>) -> Result<Option<Known>, ApiError> {
    match key {
        Some(key) => Ok(ctx.store.request(key)?),
        None => Ok(None),
    }
}

fn letter_of(body: &[u8]) -> Result<Letter, ApiError> {
    letter::read(body).map_err(|wrong| ApiError::new(Code::BadRequest).because(wrong))
}

/// `id`: of a message that is new.
fn answer(
    ctx: &Context,
    program: &Program,
    id: SentId,
    taken: Taken,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = match taken {
        Taken::New => id,
        Taken::Before { id, same: true } => id,
        Taken::Before { same: false, .. } => return Err(ApiError::new(Code::KeyUsed)),
    };
    let sent = found(ctx, program, id)?;
    let answer = json!({ "id": hex(id), "message_id": sent.message_id });
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn show(
    State(ctx): State<Arc<Context>>,
    Extension(peer): Extension<Peer>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let program = allowed(&ctx, &peer, &headers)?;
    // What is no text is no identifier either.
    let id = id.ok().and_then(|Path(id)| unhex(&id));
    let id = id.ok_or_else(|| ApiError::new(Code::NoSuchMessage))?;
    let sent = found(&ctx, &program, id)?;
    let recipients: Vec<Value> = sent.recipients.iter().map(recipient_view).collect();
    Ok(Json(json!({
        "id": hex(sent.id),
        "message_id": sent.message_id,
        "recipients": recipients,
    })))
}

/// Of this program only.
fn found(ctx: &Context, program: &Program, id: SentId) -> Result<Sent, ApiError> {
    let sent = ctx.store.sent(id)?;
    let own = sent.filter(|sent| sent.program == program.name);
    own.ok_or_else(|| ApiError::new(Code::NoSuchMessage))
}

pub fn recipient_view(recipient: &SentRecipient) -> Value {
    json!({
        "address": recipient.address,
        "state": state_name(recipient.state),
        "reply": recipient.told,
        "at": rfc3339(recipient.at),
    })
}

pub fn state_name(state: SentState) -> &'static str {
    match state {
        SentState::Queued => "queued",
        SentState::Deferred => "deferred",
        SentState::Delivered => "delivered",
        SentState::Bounced | SentState::BouncedLater => "bounced",
        SentState::Complained => "complained",
        SentState::Suppressed => "suppressed",
    }
}

/// Whose request it is. Who guesses tokens is soon not listened to any more.
fn allowed(ctx: &Context, peer: &Peer, headers: &HeaderMap) -> Result<Program, ApiError> {
    let now = ctx.clock.monotonic();
    let address = peer.address.ip().map(|ip| counted_address(ip).to_string());
    let address = address.unwrap_or_default();
    if ctx.rates.check(Kind::BadToken, &address, now).is_err() {
        return Err(ApiError::new(Code::TooMuch));
    }
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = given.map(|(_, token)| token.trim());
    let owner = match token {
        Some(token) => token::owner(&ctx.store, token)?,
        None => None,
    };
    let Some(program) = owner else {
        let _ = ctx.rates.take(Kind::BadToken, &address, now);
        if let Some(token) = token {
            // The same one again is an old program and no guess.
            let guess = first_half(blake3::hash(token.as_bytes()));
            let guess = guess.first_chunk().map(|first| u64::from_be_bytes(*first));
            ctx.strangers.offend(peer.address, Offence::Login(guess));
        }
        tracing::info!(session = %peer.session, peer = %peer.address, "no valid token");
        return Err(ApiError::new(Code::BadToken));
    };
    peer.place.logged_in();
    ctx.strangers.program_came(peer.address);
    Ok(program)
}

fn key_of(program: &Program, headers: &HeaderMap) -> Result<Option<[u8; 16]>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.as_bytes();
    let good = (1..=KEY_BYTES_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if !good {
        return Err(ApiError::new(Code::BadKey));
    }
    let mut hasher = blake3::Hasher::new_derive_key("facteur 2026 idempotency key");
    hasher
        .update(program.name.as_bytes())
        .update(&[0])
        .update(key);
    Ok(Some(first_half(hasher.finalize())))
}

fn first_half(hash: blake3::Hash) -> [u8; 16] {
    let bytes = hash.as_bytes().first_chunk();
    bytes.copied().unwrap_or_default()
}

async fn read(body: Body) -> Result<axum::body::Bytes, ApiError> {
    match tokio::time::timeout(BODY, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(ApiError::new(Code::TooBig)),
        Err(_) => Err(ApiError::new(Code::TooSlow)),
    }
}

fn make(ctx: &Context, letter: Letter, mandate: &Mandate) -> Result<letter::Made, ApiError> {
    let mut random = [0u8; 16];
    ctx.clock.random(&mut random);
    let message_id = smtp::message_id(&random, &ctx.config.hostname);
    let message_id = message_id.trim_start_matches("Message-ID:").trim();
    ctx.clock.random(&mut random);
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let given = Given {
        from: mandate.default.as_deref(),
        message_id,
        date: Date {
            unix: ctx.clock.now().seconds(),
            offset_minutes: 0,
        },
        token: &token,
    };
    let made = letter::make(letter, given)
        .map_err(|wrong| ApiError::new(Code::BadRequest).because(wrong))?;
    if made.message_id.len() > MESSAGE_ID_BYTES_MAX {
        let wrong = format!("raw: a Message-ID of more than {MESSAGE_ID_BYTES_MAX} bytes");
        return Err(ApiError::new(Code::BadMessage).because(wrong));
    }
    Ok(made)
}

pub fn hex(id: SentId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<SentId> {
    let mut id = [0u8; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in id.iter_mut().enumerate() {
        let digits = text.get(2 * place..2 * place + 2)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(SentId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        let id = SentId([0xab; 16]);
        assert_eq!(unhex(&hex(id)), Some(id));
        for bad in [
            "",
            "ab",
            &"zz".repeat(16),
            &"é".repeat(16),
            &"ab".repeat(17),
        ] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
