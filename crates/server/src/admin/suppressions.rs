//! Addresses that are not tried for programs, because they bounced for good or by the administrator's will.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, put};
use facteur_store::Suppressed;
use serde::{Deserialize, Serialize};

use super::error::{ApiError, Code};
use super::extract::{Path, Query};
use super::limits::SUPPRESSED_PAGE_MAX;
use super::names::normalise_address;
use super::{Answer, State, rfc3339};
use crate::Context;

const BY_HAND: &str = "put on the list by the administrator";

#[derive(Serialize)]
struct SuppressedView {
    address: String,
    reply: String,
    since: String,
}

#[derive(Serialize)]
struct Page {
    addresses: Vec<SuppressedView>,
    /// There are more after the last of these.
    more: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    /// Only those after this address.
    #[serde(default)]
    after: String,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/suppressions", get(list))
        .route("/v1/suppressions/{address}", put(add).delete(remove))
}

async fn list(context: State, Query(from): Query<From>) -> Answer<Page> {
    let found = context
        .store
        .all_suppressed(&from.after, SUPPRESSED_PAGE_MAX + 1)?;
    let more = found.len() > SUPPRESSED_PAGE_MAX;
    let addresses = found.into_iter().take(SUPPRESSED_PAGE_MAX).map(view);
    Ok(axum::Json(Page {
        addresses: addresses.collect(),
        more,
    }))
}

async fn add(context: State, Path(address): Path<String>) -> Answer<SuppressedView> {
    let address = normalise_address(&address).ok_or_else(|| ApiError::new(Code::BadAddress))?;
    context.store.suppress(&address, BY_HAND).await?;
    one(&context, &address)
}

async fn remove(context: State, Path(address): Path<String>) -> Answer<SuppressedView> {
    let gone = one(&context, &address)?;
    context.store.unsuppress(&address).await?;
    Ok(gone)
}

fn one(context: &Context, address: &str) -> Answer<SuppressedView> {
    let found = context.store.suppressed(address)?;
    let found = found.ok_or_else(|| ApiError::new(Code::NoSuchAddress))?;
    Ok(axum::Json(view(found)))
}

fn view(suppressed: Suppressed) -> SuppressedView {
    SuppressedView {
        address: suppressed.address,
        reply: suppressed.told,
        since: rfc3339(suppressed.at),
    }
}
