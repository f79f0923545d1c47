//! What each host of a destination has to prove: gathered here, judged in [`policy`].

use std::collections::HashMap;
use std::sync::Arc;

use facteur_store::{QueueEntry, TlsWish};

use super::applied::{self, Applied};
use super::plan::Outcome;
use super::policy::{self, Known, Verdict};
use super::route::{Hop, ours};
use super::send::Sender;
use super::sts::Ways;
use crate::dns::{DnsError, Tlsa};

/// The hops with what is demanded of them, without those that can't be used; or what becomes of the
/// recipients.
pub async fn demand(
    sender: &Sender,
    entry: &QueueEntry,
    hops: Vec<Hop>,
) -> Result<Vec<Hop>, Outcome> {
    let is_literal = entry.domain.starts_with('[');
    let config = &sender.ctx.config.queue;
    let elsewhere = config.smarthost.is_some() || config.route_of(&entry.domain).is_some();
    if elsewhere || is_literal {
        return Ok(hops);
    }
    let policy = match entry.wishes.tls {
        TlsWish::Optional => None,
        TlsWish::AsPolicy | TlsWish::Required => {
            let ways = Ways {
                store: &sender.ctx.store,
                clock: sender.ctx.clock.as_ref(),
                dns: sender.dns.as_ref(),
                net: sender.net.as_ref(),
                tls: &sender.tls,
                feedback: &sender.ctx.feedback,
            };
            let policy = sender.policies.of(ways, &entry.domain).await;
            policy.map_err(|error| {
                tracing::error!(%error, "a policy can't be read");
                Outcome::Delayed(ours("4.3.0", "This server can't read what it knows."))
            })?
        }
    };
    let mut hosts: HashMap<String, Judged> = HashMap::new();
    let mut usable = Vec::new();
    let mut refused = None;
    for hop in hops {
        let (verdict, applied) = match hosts.get(&hop.host) {
            Some(judged) => judged.clone(),
            None => {
                let judged = judge(sender, entry, &hop, policy.as_ref()).await;
                hosts.insert(hop.host.clone(), judged.clone());
                judged
            }
        };
        match verdict {
            Verdict::Use(security) => usable.push(Hop {
                security,
                applied,
                ..hop
            }),
            other => refused = refused.or(Some((hop.host, other))),
        }
    }
    match refused {
        Some((host, verdict)) if usable.is_empty() => Err(outcome(&host, &verdict)),
        _ => Ok(usable),
    }
}

/// With what its domain is told of connections to the host.
type Judged = (Verdict, Option<Arc<Applied>>);

async fn judge(
    sender: &Sender,
    entry: &QueueEntry,
    hop: &Hop,
    policy: Option<&super::sts::Policy>,
) -> Judged {
    // What a sender wants for his message alone says nothing of the domain; and a report about TLS, which
    // goes whatever TLS does, is in no further report (RFC 8460 §3).
    let is_told = sender.ctx.feedback.is_on() && entry.wishes.tls == TlsWish::AsPolicy;
    let (verdict, applied) = match named(sender, entry, hop).await {
        Ok(named) => {
            let known = Known {
                host: &hop.host,
                domain: &entry.domain,
                mx_proven: named.mx_proven,
                tlsa: named.tlsa.as_ref(),
                policy,
                wish: entry.wishes.tls,
            };
            let verdict = policy::judge(&known);
            let is_doubt = matches!(named.tlsa, Some(Err(DnsError::Temporary(_))));
            let applied = (is_told && !is_doubt).then(|| Applied::new(&known, &verdict));
            (verdict, applied.flatten())
        }
        Err(NotKnown { bogus }) => {
            let applied = (is_told && bogus).then(|| Applied::bogus(&entry.domain, &hop.host));
            (Verdict::Unknown, applied)
        }
    };
    let is_called = matches!(verdict, Verdict::Use(_));
    if let Some(applied) = applied.as_ref().filter(|_| !is_called) {
        applied::tell_of(sender, applied, Some(hop), None);
    }
    (verdict, applied.map(Arc::new))
}

/// What the DNS proves about a host.
struct Named {
    mx_proven: bool,
    tlsa: Option<Result<Vec<Tlsa>, DnsError>>,
}

/// Something is bogus, or gives no answer.
struct NotKnown {
    bogus: bool,
}

async fn named(sender: &Sender, entry: &QueueEntry, hop: &Hop) -> Result<Named, NotKnown> {
    let nothing = Named {
        mx_proven: false,
        tlsa: None,
    };
    if entry.wishes.tls == TlsWish::Optional {
        return Ok(nothing);
    }
    let dns = sender.dns.as_ref();
    let itself = hop.host.eq_ignore_ascii_case(&entry.domain);
    let mx_proven = match dns.mx_proven(&entry.domain).await {
        Ok(records) => {
            // What a proven record does not name was named by somebody else.
            let named = |name: &str| name.eq_ignore_ascii_case(&hop.host);
            if !records.iter().any(|mx| named(&mx.exchange)) {
                return Err(NotKnown { bogus: false });
            }
            true
        }
        Err(DnsError::NoSuchName | DnsError::NoRecords) => false,
        Err(DnsError::Temporary(why)) => {
            tracing::info!(domain = entry.domain, why, "no proof and no denial");
            return Err(NotKnown { bogus: false });
        }
        Err(DnsError::Bogus) => {
            tracing::info!(domain = entry.domain, "the MX records are bogus");
            return Err(NotKnown { bogus: true });
        }
    };
    // RFC 7672 §2.2.1: only where the way to the host is proven; a domain without MX names itself.
    if !(mx_proven || itself) {
        return Ok(nothing);
    }
    match dns.addresses_proven(&hop.host).await {
        Ok(true) => {}
        Ok(false) => {
            return Ok(Named {
                mx_proven,
                tlsa: None,
            });
        }
        Err(error) => {
            let bogus = error == DnsError::Bogus;
            return Err(NotKnown { bogus });
        }
    }
    let name = format!("_{}._tcp.{}", hop.port, hop.host);
    Ok(Named {
        mx_proven,
        tlsa: Some(dns.tlsa(&name).await),
    })
}

fn outcome(host: &str, verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Use(_) | Verdict::Unknown => Outcome::Delayed(ours(
            "4.4.3",
            &format!("The DNS gives no answer that proves how {host} is to be trusted (DNSSEC)."),
        )),
        Verdict::NotNamed => Outcome::Delayed(ours(
            "4.7.5",
            &format!("The domain's own policy does not name {host} (MTA-STS)."),
        )),
        // RFC 8689 §4.2.1: it comes back.
        Verdict::Unprovable => Outcome::Failed(ours(
            "5.7.10",
            &format!("Nothing proves that {host} stands for the domain, as the sender demands."),
        )),
    }
}
