//! The MTA-STS policy of our own domains (RFC 8461 §3.2, §3.3), at `https://mta-sts.DOMAIN/`.
//!
//! There is one for a domain as soon as a certificate of ours proves that name. It begins as `testing`
//! and becomes `enforce` by itself a week after the domain was added, as long as a certificate proves
//! the name of our host to those who deliver. The id in DNS stays: a policy in testing is kept by others
//! for one day only, then they look again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::response::{IntoResponse, Response};
use facteur_store::Domain;

use super::error::{ApiError, Code};
use crate::Context;
use crate::admin::{domain_to_ascii, normalise_domain};
use crate::config::Role;

const PREFIX: &str = "mta-sts.";
/// How long a domain's first policy is only for reports.
const TESTING: Duration = Duration::from_secs(7 * 24 * 3600);
const AGE_TESTING: u64 = 86_400;
const AGE_ENFORCED: u64 = 7 * 86_400;

/// Whether others can read the policy, and what stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Enforced,
    Testing,
    /// No certificate proves the name of our host: it stays in testing.
    HostUnproven,
    /// No certificate proves `mta-sts.DOMAIN`.
    NameUnproven,
    /// Nothing listens for HTTPS.
    NoListener,
}

impl Standing {
    /// It can be published in DNS.
    pub fn is_served(self) -> bool {
        matches!(
            self,
            Standing::Enforced | Standing::Testing | Standing::HostUnproven
        )
    }
}

/// What `domain dns` shows: the policy and the record that announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPolicy {
    pub standing: Standing,
    /// The name that has to lead here, and that a certificate has to prove.
    pub host: String,
    /// The text at that name.
    pub text: String,
    /// The value of the TXT record at `_mta-sts.DOMAIN` (RFC 8461 §3.1).
    pub record: String,
}

/// The policy of one of our domains, served or not.
pub fn of(ctx: &Context, domain: &Domain) -> OwnPolicy {
    let name = domain_to_ascii(&domain.name);
    let host = format!("{PREFIX}{name}");
    let hostname = &ctx.config.hostname;
    let proven = |name: &str| ctx.tls.as_ref().is_some_and(|tls| tls.proves(name));
    let listens = ctx.config.listeners.iter();
    let listens = listens
        .map(|listen| listen.role)
        .any(|role| role == Role::Https);
    let young = ctx.clock.now() < domain.created.after(TESTING);
    let standing = if !listens {
        Standing::NoListener
    } else if !proven(&host) {
        Standing::NameUnproven
    } else if !proven(hostname) {
        Standing::HostUnproven
    } else if young {
        Standing::Testing
    } else {
        Standing::Enforced
    };
    let (mode, age) = match standing {
        Standing::Enforced => ("enforce", AGE_ENFORCED),
        _ => ("testing", AGE_TESTING),
    };
    // Another host name is another policy.
    let id = blake3::derive_key("facteur 2026 mta-sts id", hostname.as_bytes());
    let id: String = id
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    OwnPolicy {
        standing,
        host,
        text: format!("version: STSv1\r\nmode: {mode}\r\nmx: {hostname}\r\nmax_age: {age}\r\n"),
        record: format!("v=STSv1; id={id};"),
    }
}

pub(super) async fn serve(
    State(ctx): State<Arc<Context>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let none = || ApiError::new(Code::NoSuchRoute);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(none)?.to_ascii_lowercase();
    let host = host.split(':').next().unwrap_or_default();
    let name = host.strip_prefix(PREFIX).ok_or_else(none)?;
    let name = normalise_domain(name).ok_or_else(none)?;
    let domain = ctx.store.domain(&name)?.ok_or_else(none)?;
    let policy = of(&ctx, &domain);
    if !policy.standing.is_served() {
        return Err(none());
    }
    // RFC 8461 §3.2: text/plain.
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], policy.text).into_response())
}
