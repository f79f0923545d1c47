//! Addresses that are shut out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, put};
use serde::{Deserialize, Serialize};

use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::limits::BAN_HOURS_MAX;
use super::{Answer, State, blocking, rfc3339};
use crate::Context;
use crate::strangers::{Ban, Protected};

#[derive(Serialize)]
struct BanView {
    /// Of IPv6 the first of its /64, all of which is shut out.
    address: String,
    since: String,
    /// `null`: until it is lifted.
    until: Option<String>,
    /// "logins", "recipients", "protocol" or "by_hand".
    reason: &'static str,
    /// How often it was shut out of late, this time among them.
    times: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Absent: until it is lifted.
    hours: Option<u64>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/bans", get(list))
        .route("/v1/bans/{address}", put(add).delete(lift))
}

async fn list(context: State) -> Answer<Vec<BanView>> {
    let context = Arc::clone(&context);
    let bans = blocking(move || Ok(context.strangers.bans())).await?;
    Ok(axum::Json(bans.into_iter().map(view).collect()))
}

async fn add(
    context: State,
    Path(address): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Answer<BanView> {
    let address = parse(&address)?;
    let hours = wanted.hours.map(|hours| hours.clamp(1, BAN_HOURS_MAX));
    let length = hours.map(|hours| Duration::from_secs(hours * 3600));
    let context = Arc::clone(&context);
    let ban = blocking(move || {
        let ban = context.strangers.ban(address, length);
        let ban = ban.map_err(|protected| ApiError::new(code(protected)))?;
        context.strangers.save()?;
        Ok(ban)
    });
    Ok(axum::Json(view(ban.await?)))
}

async fn lift(context: State, Path(address): Path<String>) -> Answer<BanView> {
    let address = parse(&address)?;
    let context = Arc::clone(&context);
    let ban = blocking(move || {
        let ban = context.strangers.lift(address);
        context.strangers.save()?;
        ban.ok_or_else(|| ApiError::new(Code::NoSuchBan))
    });
    Ok(axum::Json(view(ban.await?)))
}

fn parse(text: &str) -> Result<IpAddr, ApiError> {
    text.parse().map_err(|_| ApiError::new(Code::BadIp))
}

fn code(protected: Protected) -> Code {
    match protected {
        Protected::Ours => Code::OwnAddress,
        Protected::LoggedIn => Code::LoggedInThere,
    }
}

fn view(ban: Ban) -> BanView {
    BanView {
        address: ban.address.to_string(),
        since: rfc3339(ban.since),
        until: ban.until.map(rfc3339),
        reason: ban.reason.name(),
        times: ban.times,
    }
}
