//! What the server is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::{Answer, State};
use crate::Context;

#[derive(Serialize)]
struct Status {
    version: &'static str,
    hostname: String,
    disk_full: bool,
    /// Why the store has stopped; `null`: it works.
    store_failure: Option<String>,
    sessions: u64,
    sessions_open: u64,
    panics: u64,
    refused_connections: u64,
    logins: u64,
    login_failures: u64,
    messages_in: u64,
    messages_refused: u64,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/v1/status", get(status))
}

async fn status(context: State) -> Answer<Status> {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &context.counters;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        hostname: context.config.hostname.clone(),
        disk_full: context.store.is_full(),
        store_failure: context.store.failure().map(|error| error.to_string()),
        sessions: count(&counters.sessions),
        sessions_open: count(&counters.sessions_open),
        panics: count(&counters.panics),
        refused_connections: count(&counters.refused_connections),
        logins: count(&counters.logins),
        login_failures: count(&counters.login_failures),
        messages_in: count(&counters.messages_in),
        messages_refused: count(&counters.messages_refused),
    }))
}
