//! DKIM for what our people and this server send from our domains (RFC 6376, RFC 8463): the keys,
//! when each signs, and the signatures.
//!
//! A message is signed once, while it is taken: its body is hashed as it passes ([`Intake`]), and the
//! signatures stand in front of it in the queue, for all destinations and attempts. Only what is
//! known to be ours is signed: mail of somebody who logged in or of a program that is let in, and what
//! the server writes. What
//! strangers send in our name, and what passes through, is not.
//!
//! [`Intake`]: crate::intake::Intake

mod letter;
mod plan;
mod turn;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use facteur_message::{Facts, facts};
use facteur_senders::{Seen, arc, dkim};
use facteur_store::{Error, KeyAlgorithm, SigningKey, Store};

use crate::admin::{domain_to_ascii, normalise_domain};
use crate::context::Context;
use crate::{drive, limits, senders};

pub use plan::{signs, waits};
pub use turn::{Telling, kept_for, renew, run, turn, turn_all};

/// The keys that sign, ready to use.
#[derive(Debug, Default)]
pub struct Signing {
    ready: Mutex<Ready>,
    /// Held while the keys of a domain are looked after: nobody makes two for one.
    turning: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Ready {
    /// Counts changes: what was read before one is not kept after it.
    changes: u64,
    domains: HashMap<String, Arc<Keys>>,
}

#[derive(Debug)]
struct Keys {
    /// In A-labels.
    domain: String,
    /// By selector.
    keys: Vec<(String, dkim::SigningKey)>,
}

pub fn algorithm(of: KeyAlgorithm) -> dkim::Algorithm {
    match of {
        KeyAlgorithm::Rsa => dkim::Algorithm::RsaSha256,
        KeyAlgorithm::Ed25519 => dkim::Algorithm::Ed25519Sha256,
    }
}

impl Signing {
    fn ready(&self) -> std::sync::MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of this domain are other ones now.
    pub fn forget(&self, domain: &str) {
        let mut ready = self.ready();
        ready.changes += 1;
        ready.domains.remove(domain);
    }

    /// It has been looked, and nothing of that domain signs yet.
    fn has_none(&self, from: &str) -> bool {
        let domain = normalise_domain(from);
        let ready = self.ready();
        let keys = domain.and_then(|domain| ready.domains.get(&domain));
        keys.is_some_and(|keys| keys.keys.is_empty())
    }

    /// `None`: the domain is not ours. Blocking.
    fn keys(&self, store: &Store, domain: &str) -> Result<Option<Arc<Keys>>, Error> {
        let changes = {
            let ready = self.ready();
            if let Some(keys) = ready.domains.get(domain) {
                return Ok(Some(Arc::clone(keys)));
            }
            ready.changes
        };
        if store.domain(domain)?.is_none() {
            return Ok(None);
        }
        let mut read = Keys {
            domain: domain_to_ascii(domain),
            keys: Vec::new(),
        };
        for key in store.signing_keys(domain)?.iter().filter(|key| signs(key)) {
            match dkim::SigningKey::read(algorithm(key.algorithm), &key.private.0) {
                Ok(private) => read.keys.push((key.selector.clone(), private)),
                Err(_) => tracing::error!(domain, key.selector, "a signing key is unusable"),
            }
        }
        // Every verifier knows RSA: it goes on top.
        let is_rsa = |key: &dkim::SigningKey| key.algorithm() == dkim::Algorithm::RsaSha256;
        read.keys.sort_by_key(|(_, key)| !is_rsa(key));
        let read = Arc::new(read);
        let mut ready = self.ready();
        if ready.changes == changes {
            ready.domains.insert(domain.to_owned(), Arc::clone(&read));
        }
        Ok(Some(read))
    }

    /// Of the domain, or of the nearest above it that is ours: the server's own name is mostly
    /// below one, and the signature of that one stands for it (RFC 7489 §3.1.1).
    fn keys_for(&self, store: &Store, from: &str) -> Result<Option<Arc<Keys>>, Error> {
        let mut name = from;
        for _ in 0..limits::DKIM_LABELS_MAX {
            if let Some(domain) = normalise_domain(name)
                && let Some(keys) = self.keys(store, &domain)?
            {
                return Ok(Some(keys));
            }
            match name.split_once('.') {
                Some((_, above)) => name = above,
                None => break,
            }
        }
        Ok(None)
    }
}

/// What comes from that domain, in A-labels, is signed. Blocking.
pub fn is_signing(ctx: &Context, from: &str) -> Result<bool, Error> {
    let keys = ctx.signing.keys_for(&ctx.store, from)?;
    Ok(keys.is_some_and(|keys| !keys.keys.is_empty()))
}

/// Whom From names first, in A-labels.
fn domain_of(facts: &Facts) -> Option<String> {
    facts
        .envelope
        .from
        .iter()
        .find_map(|address| match address {
            facts::Address::Mailbox { domain, .. } => domain.as_deref(),
            _ => None,
        })
        .map(|domain| senders::in_ascii(&String::from_utf8_lossy(domain)))
}

/// The fields to put in front of a message that is ours to send, each with its CRLF; empty when no
/// domain of ours is named in From or its keys do not sign yet. `seen`: of [`Intake::take_seen`].
/// `additions`: fields that we put in front of it ourselves, and that are signed too.
///
/// Mail goes out without a signature rather than not at all; the log says why.
///
/// [`Intake::take_seen`]: crate::intake::Intake::take_seen
pub async fn fields(
    ctx: &Arc<Context>,
    facts: &Facts,
    seen: Option<Seen>,
    additions: &str,
) -> String {
    let (Some(from), Some(mut seen)) = (domain_of(facts), seen) else {
        return String::new();
    };
    if ctx.signing.has_none(&from) {
        return String::new();
    }
    if !additions.is_empty() {
        seen.put_in_front(additions);
    }
    let context = Arc::clone(ctx);
    let now = ctx.clock.now().seconds();
    // RSA takes a millisecond of somebody's time.
    let signed = drive::blocking(move || {
        let Some(keys) = context.signing.keys_for(&context.store, &from)? else {
            return Ok(String::new());
        };
        let mut fields = String::new();
        for (selector, key) in &keys.keys {
            match dkim::sign(&seen, key, &keys.domain, selector, now) {
                Ok(field) => fields.push_str(&field),
                Err(_) => tracing::error!(from, selector, "a message can't be signed"),
            }
        }
        Ok(fields)
    });
    signed.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a message goes out without a signature");
        String::new()
    })
}

/// The fields of ARC to put in front of a message of somebody else's that goes on (RFC 8617): what we
/// found out when it came, sealed by the domain that it came to. Empty when that domain does not sign
/// yet, or the chain that it has is broken. `results`: Authentication-Results.
pub async fn seal(
    ctx: &Arc<Context>,
    domain: &str,
    seen: Seen,
    results: &str,
    chain: &arc::Checked,
) -> String {
    let context = Arc::clone(ctx);
    let (domain, results, chain) = (domain.to_owned(), results.to_owned(), chain.clone());
    let now = ctx.clock.now().seconds();
    let sealed = drive::blocking(move || {
        let keys = context.signing.keys_for(&context.store, &domain)?;
        let Some(keys) = keys else {
            return Ok(String::new());
        };
        // RFC 8617 §4.1.2 leaves the algorithm open; few who check a chain know another than RSA.
        let is_rsa = |key: &dkim::SigningKey| key.algorithm() == dkim::Algorithm::RsaSha256;
        let Some((selector, key)) = keys.keys.iter().find(|(_, key)| is_rsa(key)) else {
            return Ok(String::new());
        };
        let names = (keys.domain.as_str(), selector.as_str());
        let sealed = arc::seal(&seen, &results, &chain, key, names, now);
        Ok(sealed.ok().flatten().unwrap_or_default())
    });
    sealed.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a message goes on without a seal");
        String::new()
    })
}

/// The TXT record of a key, as a zone file has it, and where it belongs.
pub fn record(key: &SigningKey) -> (String, String) {
    let name = dkim::name(&key.selector, &domain_to_ascii(&key.domain));
    let value = dkim::record(algorithm(key.algorithm), &key.public);
    (name, facteur_senders::publish::quoted(&value))
}
