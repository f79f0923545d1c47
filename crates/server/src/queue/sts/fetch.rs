//! The policy of a domain, from its policy host (RFC 8461 §3.3).

use std::time::Duration;

use facteur_senders::reports::tls::{Failure, FailureKind};
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
use crate::queue::applied::Flaw;
use crate::queue::tls::ClientTls;

const HTTPS: u16 = 443;
/// RFC 8461 §3.3 suggests a minute.
const PATIENCE: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 4;

/// Why there is no policy.
#[derive(Debug)]
pub struct Unfetched {
    flaw: Flaw,
    /// For the log.
    pub why: String,
}

impl Unfetched {
    /// As the domain is told (RFC 8460 §4.3.2.2).
    pub fn failure(&self) -> Failure {
        Failure {
            kind: self.flaw.kind,
            code: self.flaw.code.map(str::to_owned),
            ..Failure::default()
        }
    }

    /// It could not be had.
    fn gone(code: &'static str, why: impl ToString) -> Unfetched {
        Unfetched {
            flaw: Flaw::of(FailureKind::StsFetch, code),
            why: why.to_string(),
        }
    }

    /// It is none.
    fn invalid(code: &'static str, why: impl ToString) -> Unfetched {
        Unfetched {
            flaw: Flaw::of(FailureKind::StsInvalid, code),
            why: why.to_string(),
        }
    }

    /// The policy host does not prove its name.
    fn unproven(error: &std::io::Error, why: String) -> Unfetched {
        let inner = error.get_ref();
        let flaw = match inner.and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(error @ rustls::Error::InvalidCertificate(_)) => {
                let Flaw { kind, code } = Flaw::of_tls(error);
                Flaw::of(FailureKind::StsWebpki, code.unwrap_or(kind.word()))
            }
            _ => Flaw::of(FailureKind::StsFetch, "tls"),
        };
        Unfetched { flaw, why }
    }
}

/// The policy and its text.
pub async fn fetch(
    dns: &dyn Dns,
    net: &dyn Net,
    tls: &ClientTls,
    domain: &str,
) -> Result<(Policy, String), Unfetched> {
    match timeout(PATIENCE, fetch_now(dns, net, tls, domain)).await {
        Ok(fetched) => fetched,
        Err(_) => Err(Unfetched::gone("time-out", "no policy came in time")),
    }
}

async fn fetch_now(
    dns: &dyn Dns,
    net: &dyn Net,
    tls: &ClientTls,
    domain: &str,
) -> Result<(Policy, String), Unfetched> {
    let host = format!("mta-sts.{domain}");
    let addresses = dns.addresses(&host).await;
    let no_address = |error| Unfetched::gone("no-address", format!("{host}: {error:?}"));
    let addresses = addresses.map_err(no_address)?;
    let mut last = Unfetched::gone("no-address", format!("{host} has no address"));
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        let socket = match net.connect((address, HTTPS).into(), None).await {
            Ok(socket) => socket,
            Err(error) => {
                let why = format!("{host} [{address}]: {error}");
                last = Unfetched::gone("unreachable", why);
                continue;
            }
        };
        let name = ServerName::try_from(host.clone());
        let name = name.map_err(|error| Unfetched::gone("no-name", error))?;
        // RFC 8461 §3.3: the certificate proves the policy host's name.
        let stream = tls.web().connect(name, socket).await;
        let stream = stream.map_err(|error| {
            let why = format!("{host} [{address}]: {error}");
            Unfetched::unproven(&error, why)
        })?;
        let request = Request::get("/.well-known/mta-sts.txt")
            .header(HOST, &host)
            .body(Empty::<Bytes>::new())
            .map_err(|error| Unfetched::gone("request", error))?;
        let answer = http::ask(stream, request, async |answer| Ok(read(answer).await)).await;
        let text = answer.map_err(|error| Unfetched::gone("http", error))??;
        let unread = || Unfetched::invalid("syntax", "the policy can't be read");
        let policy = Policy::parse(&text).ok_or_else(unread)?;
        return Ok((policy, text));
    }
    Err(last)
}

/// RFC 8461 §3.3: no redirection is followed.
async fn read(answer: Response<Incoming>) -> Result<String, Unfetched> {
    if answer.status() != StatusCode::OK {
        let why = format!("the policy host says {}", answer.status());
        return Err(Unfetched::gone("http-status", why));
    }
    let kind = answer.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(Unfetched::invalid(
            "media-type",
            "the policy is no plain text",
        ));
    }
    let body = Limited::new(answer.into_body(), POLICY_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(|error| Unfetched::gone("http", error))?;
    let text = String::from_utf8(body.to_bytes().to_vec());
    text.map_err(|error| Unfetched::invalid("encoding", error))
}
