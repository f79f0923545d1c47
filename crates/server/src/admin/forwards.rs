//! Addresses outside that mail goes on to, and whether their owners agreed.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, put};
use facteur_store::{Forward, ForwardSource, ForwardState};
use serde::{Deserialize, Serialize};

use super::accounts::find_account;
use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::names::normalise_domain;
use super::{Answer, State, blocking, normalise_address, rfc3339};
use crate::Context;
use crate::consent::{self, Standing};

#[derive(Serialize)]
struct ForwardView {
    /// An alias, or the account whose filter sends mail on.
    source: String,
    target: String,
    /// "confirmed", "asked", "unanswered", "stopped" or "gone".
    state: &'static str,
    since: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Of this account's filter or this alias only, also before its owner was asked.
    source: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/forwards", get(list))
        .route("/v1/forwards/{target}", put(confirm).delete(stop))
}

async fn list(context: State) -> Answer<Vec<ForwardView>> {
    let context = Arc::clone(&context);
    let found = blocking(move || {
        let mut found = Vec::new();
        for forward in context.store.forwards()? {
            found.push(view(&context, &forward)?);
        }
        found.sort_by(|a, b| (&a.target, &a.source).cmp(&(&b.target, &b.source)));
        Ok(found)
    });
    Ok(axum::Json(found.await?))
}

async fn confirm(
    context: State,
    Path(target): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Answer<Vec<ForwardView>> {
    let target = normalised(&target)?;
    let Some(source) = wanted.source else {
        return set(&context, &target, ForwardState::Confirmed).await;
    };
    let address = normalise_address(&source).ok_or_else(|| ApiError::new(Code::BadAddress))?;
    let source = match find_account(&context.store, &address) {
        Ok(account) if account.address == address => ForwardSource::Account(account.id),
        _ => {
            let alias = context.store.address(&address)?;
            alias.ok_or_else(|| ApiError::new(Code::NoSuchAddress))?;
            ForwardSource::Alias(address)
        }
    };
    let forward = consent::vouch(&context, source, &target).await?;
    Ok(axum::Json(vec![view(&context, &forward)?]))
}

async fn stop(context: State, Path(target): Path<String>) -> Answer<Vec<ForwardView>> {
    let target = normalised(&target)?;
    set(&context, &target, ForwardState::Stopped).await
}

/// All that is sent on to the address.
async fn set(
    context: &Arc<Context>,
    target: &str,
    state: ForwardState,
) -> Answer<Vec<ForwardView>> {
    let mut done = Vec::new();
    for forward in context.store.forwards()? {
        if forward.target != target {
            continue;
        }
        consent::set_by_hand(context, &forward, state).await?;
        let now = context.store.forward(forward.id)?;
        done.push(view(context, now.as_ref().unwrap_or(&forward))?);
    }
    match done.is_empty() {
        true => Err(ApiError::new(Code::NoSuchForward)),
        false => Ok(axum::Json(done)),
    }
}

/// As a filter may name it, with a detail too.
fn normalised(text: &str) -> Result<String, ApiError> {
    let bad = || ApiError::new(Code::BadAddress).because(text);
    let (local, domain) = text.trim().rsplit_once('@').ok_or_else(bad)?;
    let domain = normalise_domain(domain).ok_or_else(bad)?;
    let target = format!("{}@{domain}", local.to_lowercase());
    match facteur_smtp::Address::parse(&target) {
        Ok(_) => Ok(target),
        Err(_) => Err(bad()),
    }
}

fn view(context: &Context, forward: &Forward) -> Result<ForwardView, ApiError> {
    let source = match &forward.source {
        ForwardSource::Alias(alias) => alias.clone(),
        ForwardSource::Account(account) => {
            let account = context.store.account(*account)?;
            account.map(|account| account.address).unwrap_or_default()
        }
    };
    let waits = matches!(
        consent::standing(forward, context.clock.now()),
        Standing::Waits { .. }
    );
    Ok(ForwardView {
        source,
        target: forward.target.clone(),
        state: match forward.state {
            ForwardState::Confirmed => "confirmed",
            ForwardState::Asked if waits => "asked",
            ForwardState::Asked => "unanswered",
            ForwardState::Stopped => "stopped",
            ForwardState::Gone => "gone",
        },
        since: rfc3339(forward.at),
    })
}
