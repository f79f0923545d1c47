//! One request over a connection that is ours to use (HTTP/1.1), for policies and for web calls. No
//! redirection is followed.

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Asks, and gives what `look` makes of the answer; the error is for the log.
pub async fn ask<S, B, T>(
    stream: S,
    request: Request<B>,
    look: impl AsyncFnOnce(Response<Incoming>) -> Result<T, String>,
) -> Result<T, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Error = std::convert::Infallible, Data: Send> + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut client, connection) = handshake.map_err(|error| error.to_string())?;
    let asking = async move {
        let answer = client.send_request(request).await;
        look(answer.map_err(|error| error.to_string())?).await
    };
    // It may end before the answer was looked at; what is missing then, `asking` is told.
    let connection = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = asking => answer,
        answer = connection => answer,
    }
}
