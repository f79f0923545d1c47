//! The admin interface: HTTP and JSON on a Unix socket in the data directory, routes under `/v1/`.
//!
//! One router serves three callers: the socket of the running server, the command line when no server
//! runs (it opens the store and asks the same router in its own process), and later the admin pages.
//!
//! Invariants: the socket is made with mode 0600, so whoever may connect may do everything; a request
//! body is bounded; every error is one JSON object `{error, message, cause?}` with a stable word in
//! `error`; a password goes in, or comes out once when it was generated, and is never logged.

mod accounts;
mod aliases;
mod bans;
mod date;
mod dns;
mod domains;
mod error;
mod extract;
mod forwards;
mod groups;
mod limits;
mod mailboxes;
mod names;
mod programs;
mod queue;
mod reports;
mod scripts;
mod search;
mod socket;
mod status;
mod suppressions;
mod trace;

use std::sync::Arc;

pub use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Request, StatusCode};
use tower::ServiceExt;

use crate::Context;
use limits::{BODY_BYTES_MAX, RESPONSE_BYTES_MAX};

pub use accounts::generate_password;
pub use date::rfc3339;
pub use dns::dns_problems;
pub use error::{ApiError, Code};
pub use names::{domain_to_ascii, normalise_address, normalise_domain};
pub use reports::tls_failures;
pub use socket::{listen, serve};

type State = axum::extract::State<Arc<Context>>;
type Answer<T> = Result<axum::Json<T>, ApiError>;

/// All routes on one context.
pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .merge(status::routes())
        .merge(accounts::routes())
        .merge(aliases::routes())
        .merge(bans::routes())
        .merge(groups::routes())
        .merge(dns::routes())
        .merge(forwards::routes())
        .merge(domains::routes())
        .merge(queue::routes())
        .merge(reports::routes())
        .merge(mailboxes::routes())
        .merge(programs::routes())
        .merge(scripts::routes())
        .merge(suppressions::routes())
        .merge(search::routes())
        .merge(trace::routes())
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_route)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(context)
}

/// Asks the router without a socket. Gives the status and the JSON text.
pub async fn call(
    router: &Router,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> (StatusCode, Vec<u8>) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(body.map_or_else(Body::empty, Body::from));
    let Ok(request) = request else {
        return (
            StatusCode::BAD_REQUEST,
            ApiError::new(Code::BadRequest).json(),
        );
    };
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    match axum::body::to_bytes(response.into_body(), RESPONSE_BYTES_MAX).await {
        Ok(bytes) => (status, bytes.to_vec()),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            ApiError::new(Code::Internal).json(),
        ),
    }
}

async fn no_such_route() -> ApiError {
    ApiError::new(Code::NoSuchRoute)
}

/// Runs what may touch the disk on the blocking pool.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ApiError::new(Code::Internal).because(error)),
    }
}
