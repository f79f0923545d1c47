//! A report by POST (RFC 8460 §5.4): over TLS to a host that proves its name, at a public address.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use crate::http;
use crate::limits::CALL_PATIENCE;
use crate::programs::{Place, connect};
use crate::queue::Sender;

/// The error is for the log.
pub(super) async fn post(sender: &Sender, url: &str, packed: &[u8]) -> Result<(), String> {
    match timeout(CALL_PATIENCE, post_now(sender, url, packed)).await {
        Ok(posted) => posted,
        Err(_) => Err("no answer came in time".to_owned()),
    }
}

async fn post_now(sender: &Sender, url: &str, packed: &[u8]) -> Result<(), String> {
    let place = Place::parse(url, false).filter(|place| place.port == 443);
    let place = place.ok_or("no usable URL")?;
    let request = Request::post(place.path.as_str())
        .header(HOST, place.authority.as_str())
        .header(CONTENT_TYPE, "application/tlsrpt+gzip")
        .header(USER_AGENT, "Facteur")
        .body(Full::new(Bytes::copy_from_slice(packed)))
        .map_err(|error| error.to_string())?;
    let socket = connect(sender, false, &place).await?;
    let name = ServerName::try_from(place.host.clone()).map_err(|error| error.to_string())?;
    let stream = sender.tls.web().connect(name, socket).await;
    let stream = stream.map_err(|error| error.to_string())?;
    http::ask(stream, request, async |answer| match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the host says {}", status.as_u16())),
    })
    .await
}
