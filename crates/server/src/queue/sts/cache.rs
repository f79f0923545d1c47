//! What is known of domains' policies: in the store, and looked up again in time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use facteur_store::{Clock, Error, Store, StsPolicy};

use super::{Policy, announced, fetch};
use crate::dns::Dns;
use crate::feedback::{Feedback, Session};
use crate::net::Net;
use crate::queue::applied;
use crate::queue::tls::ClientTls;

/// After a fetch that failed (RFC 8461 §3.3: not more often than every five minutes).
const FETCH_AGAIN: Duration = Duration::from_secs(300);
/// A policy is looked at again after this time, long before it expires (RFC 8461 §3.3).
const REFRESH: Duration = Duration::from_secs(86_400);
const FAILURES_MAX: usize = 10_000;

/// Fetches that failed of late, by domain: when, in monotonic time.
#[derive(Debug, Default)]
pub struct Policies {
    failed: Mutex<HashMap<String, Duration>>,
}

/// The world a policy is fetched from.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    pub store: &'a Store,
    pub clock: &'a dyn Clock,
    pub dns: &'a dyn Dns,
    pub net: &'a dyn Net,
    pub tls: &'a ClientTls,
    pub feedback: &'a Feedback,
}

impl Policies {
    /// The domain's policy; `None`: it has none, or none that can be had.
    pub async fn of(&self, ways: Ways<'_>, domain: &str) -> Result<Option<Policy>, Error> {
        let now = ways.clock.now();
        let known = ways.store.sts_policy(domain)?;
        let known = known.and_then(|row| {
            let policy = Policy::parse(&row.text)?;
            (now < row.fetched.after(policy.max_age)).then_some((row, policy))
        });
        let id = match ways.dns.txt(&format!("_mta-sts.{domain}")).await {
            Ok(records) => announced(&records),
            // RFC 8461 §3.1: what is known stands when the record is gone.
            Err(_) => None,
        };
        let fresh =
            |row: &StsPolicy| id.as_ref() == Some(&row.id) && now < row.fetched.after(REFRESH);
        let (Some(id), false) = (&id, known.as_ref().is_some_and(|(row, _)| fresh(row))) else {
            return Ok(known.map(|(_, policy)| policy));
        };
        let at = ways.clock.monotonic();
        if self.failed_of_late(domain, at) {
            return Ok(known.map(|(_, policy)| policy));
        }
        match fetch::fetch(ways.dns, ways.net, ways.tls, domain).await {
            Ok((policy, text)) => {
                let row = StsPolicy {
                    id: id.clone(),
                    fetched: now,
                    text,
                };
                ways.store.set_sts_policy(domain, row).await?;
                Ok(Some(policy))
            }
            Err(error) => {
                tracing::info!(domain, error.why, "the MTA-STS policy can't be fetched");
                self.note_failure(domain, at);
                let known = known.map(|(_, policy)| policy);
                let session = Session {
                    policy: applied::of_sts(domain, known.as_ref()),
                    failure: Some(error.failure()),
                };
                ways.feedback
                    .count_session(&domain.to_ascii_lowercase(), session);
                Ok(known)
            }
        }
    }

    fn failed_of_late(&self, domain: &str, at: Duration) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let last = failed.get(domain);
        last.is_some_and(|last| at.saturating_sub(*last) < FETCH_AGAIN)
    }

    fn note_failure(&self, domain: &str, at: Duration) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= FAILURES_MAX {
            failed.clear();
        }
        failed.insert(domain.to_owned(), at);
    }
}
