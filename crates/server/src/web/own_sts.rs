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
    /// No certificate is in use here: only the running server can tell.
    Unknown,
}

impl Standing {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Enforced => "enforced",
            Standing::Testing => "testing",
            Standing::HostUnproven => "host_unproven",
            Standing::NameUnproven => "name_unproven",
            Standing::NoListener => "no_listener",
            Standing::Unknown => "unknown",
        }
    }

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
    let standing = if ctx.tls.is_none() {
        Standing::Unknown
    } else if !listens {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CertificateFiles, Config, Listen, ListenAddress};
    use facteur_sim::{SimDisk, VirtualClock};
    use facteur_store::{Options, Store};

    /// A server with a certificate for these names, or with none.
    async fn server(
        names: &[&str],
        https: bool,
    ) -> (Arc<Context>, Arc<VirtualClock>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(VirtualClock::new(1));
        let options = Options {
            reserved_bytes: 0,
            ..Options::default()
        };
        let disk = Arc::new(SimDisk::new(1));
        let (store, _) = Store::open(disk, clock.clone(), options).unwrap();
        store.create_domain("exämple.test").await.unwrap();
        let mut config = Config::new("mail.example.test");
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            let files = CertificateFiles {
                chain: directory.path().join("chain"),
                key: directory.path().join("key"),
            };
            std::fs::write(&files.chain, made.cert.pem()).unwrap();
            std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
            config.certificates = vec![files];
        }
        if https {
            config.listeners.push(Listen {
                role: Role::Https,
                address: ListenAddress::Tcp(([127, 0, 0, 1], 0).into()),
            });
        }
        (Context::new(config, store).unwrap(), clock, directory)
    }

    fn policy(ctx: &Context) -> OwnPolicy {
        of(ctx, &ctx.store.domain("exämple.test").unwrap().unwrap())
    }

    #[tokio::test]
    async fn where_a_policy_stands() {
        const NAME: &str = "mta-sts.xn--exmple-cua.test";
        const HOST: &str = "mail.example.test";
        for (names, https, standing) in [
            (&[NAME, HOST][..], true, Standing::Testing),
            (&[NAME, HOST], false, Standing::NoListener),
            (&[NAME], true, Standing::HostUnproven),
            (&[HOST], true, Standing::NameUnproven),
            (&["mta-sts.else.test"], true, Standing::NameUnproven),
            (&[], true, Standing::Unknown),
        ] {
            let (ctx, _, _directory) = server(names, https).await;
            let policy = policy(&ctx);
            assert_eq!(
                (policy.standing, policy.host.as_str()),
                (standing, NAME),
                "{names:?}"
            );
        }
    }

    #[tokio::test]
    async fn it_is_enforced_after_a_week_under_the_same_id() {
        let names = ["*.example.test", "mta-sts.xn--exmple-cua.test"];
        let (ctx, clock, _directory) = server(&names, true).await;
        let before = policy(&ctx);
        let expected =
            "version: STSv1\r\nmode: testing\r\nmx: mail.example.test\r\nmax_age: 86400\r\n";
        assert_eq!(
            (before.standing, before.text.as_str()),
            (Standing::Testing, expected)
        );
        clock.advance(TESTING - Duration::from_secs(1));
        assert_eq!(policy(&ctx), before);
        clock.advance(Duration::from_secs(1));
        let after = policy(&ctx);
        let expected =
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.test\r\nmax_age: 604800\r\n";
        assert_eq!(
            (after.standing, after.text.as_str()),
            (Standing::Enforced, expected)
        );
        assert_eq!(after.record, before.record);
        // RFC 8461 §3.1: 1 to 32 letters and digits.
        let id = after
            .record
            .strip_prefix("v=STSv1; id=")
            .and_then(|id| id.strip_suffix(';'));
        let id = id.unwrap();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
