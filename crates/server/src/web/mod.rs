//! HTTPS: programs hand in messages and ask what became of them, and other hosts read our MTA-STS
//! policy (RFC 8461 §3.3).
//!
//! Invariants: TLS from the first byte; nothing of a body is read before the token is known to be good;
//! every answer to a program comes after the commit; a refusal is one JSON object.

mod bodies;
mod error;
mod limits;
mod messages;
pub mod own_sts;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tower::ServiceExt;

use crate::context::{Context, Peer};
use crate::drive::Stream;
use error::{ApiError, Code};

pub use bodies::Bodies;
pub use messages::{hex, state_name};

/// Serves one connection to its end.
pub async fn serve<S: Stream>(stream: S, mut peer: Peer, ctx: Arc<Context>) {
    let session = peer.session;
    let Some(tls) = ctx.tls.clone() else { return };
    let handshake = Box::pin(tls.accept(peer.role, stream));
    let stream = match tokio::time::timeout(crate::limits::HANDSHAKE, handshake).await {
        Ok(Ok((stream, facts))) => {
            peer.tls = Some(Arc::new(facts));
            stream
        }
        Ok(Err(error)) => return tracing::info!(%session, %error, "connection lost"),
        Err(_) => return tracing::info!(%session, "the handshake took too long"),
    };
    let router = router(Arc::clone(&ctx));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD)
        .max_headers(limits::HEAD_FIELDS_MAX)
        .max_buf_size(limits::HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let shutdown = ctx.shutdown.clone();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = tokio::time::sleep(limits::CONNECTION) => {
            connection.as_mut().graceful_shutdown();
            let rest = tokio::time::timeout(limits::BODY, connection);
            rest.await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::info!(%session, %error, "connection lost");
    }
}

fn router(ctx: Arc<Context>) -> Router {
    Router::new()
        .merge(messages::routes())
        .route("/.well-known/mta-sts.txt", get(own_sts::serve))
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .with_state(ctx)
}

async fn nothing() -> ApiError {
    ApiError::new(Code::NoSuchRoute)
}

#[cfg(test)]
mod dialogues;
