//! The policy of a domain, from its policy host (RFC 8461 §3.3).

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use super::{POLICY_BYTES_MAX, Policy};
use crate::dns::Dns;
use crate::http;
use crate::net::Net;
use crate::queue::tls::ClientTls;

const HTTPS: u16 = 443;
/// RFC 8461 §3.3 suggests a minute.
const PATIENCE: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 4;

/// The policy and its text; the error is for the log.
pub async fn fetch(
    dns: &dyn Dns,
    net: &dyn Net,
    tls: &ClientTls,
    domain: &str,
) -> Result<(Policy, String), String> {
    match timeout(PATIENCE, fetch_now(dns, net, tls, domain)).await {
        Ok(fetched) => fetched,
        Err(_) => Err("no policy came in time".to_owned()),
    }
}

async fn fetch_now(
    dns: &dyn Dns,
    net: &dyn Net,
    tls: &ClientTls,
    domain: &str,
) -> Result<(Policy, String), String> {
    let host = format!("mta-sts.{domain}");
    let addresses = dns.addresses(&host).await;
    let addresses = addresses.map_err(|error| format!("{host}: {error:?}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        let socket = match net.connect((address, HTTPS).into(), None).await {
            Ok(socket) => socket,
            Err(error) => {
                last = format!("{host} [{address}]: {error}");
                continue;
            }
        };
        let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
        // RFC 8461 §3.3: the certificate proves the policy host's name.
        let stream = tls.web().connect(name, socket).await;
        let stream = stream.map_err(|error| format!("{host} [{address}]: {error}"))?;
        let request = Request::get("/.well-known/mta-sts.txt")
            .header(HOST, &host)
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let text = http::ask(stream, request, read).await?;
        let policy = Policy::parse(&text).ok_or("the policy can't be read")?;
        return Ok((policy, text));
    }
    Err(last)
}

/// RFC 8461 §3.3: no redirection is followed.
async fn read(answer: Response<Incoming>) -> Result<String, String> {
    if answer.status() != StatusCode::OK {
        return Err(format!("the policy host says {}", answer.status()));
    }
    let kind = answer.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err("the policy is no plain text".to_owned());
    }
    let body = Limited::new(answer.into_body(), POLICY_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    String::from_utf8(body.to_vec()).map_err(|error| error.to_string())
}
