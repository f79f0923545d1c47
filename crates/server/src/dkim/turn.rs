//! Looks after the keys of our domains: makes them, looks for their records in DNS, lets them sign,
//! retires and removes them, and tells the postmaster what to publish.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use facteur_senders::dkim;
use facteur_senders::dns::{Answer, Kind, Question};
use facteur_store::{Clock, Error, KeyAlgorithm, PrivateKey, SigningKey, Timestamp};

use super::letter::{self, News};
use super::plan::{self, Renewal, Sight};
use super::{algorithm, waits};
use crate::admin::rfc3339;
use crate::context::Context;
use crate::dns::Dns;
use crate::{drive, limits};

/// Who hears what is to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// The domain's postmaster, in a message.
    Postmaster,
    /// Whoever asked for it reads the answer.
    Caller,
}

/// How long a record is wanted after its key has signed for the last time.
pub fn kept_for(ctx: &Context) -> Duration {
    // What is held for its time (RFC 4865: 30 days) was signed when it came.
    ctx.config.queue.expires_after + limits::DKIM_KEPT_AFTER
}

/// Runs until the server stops.
pub async fn run(ctx: Arc<Context>) {
    loop {
        turn_all(&ctx).await;
        tokio::select! {
            () = ctx.shutdown.wait() => return,
            () = tokio::time::sleep(limits::DKIM_LOOK) => {}
        }
    }
}

/// One look at every domain.
pub async fn turn_all(ctx: &Arc<Context>) {
    let context = Arc::clone(ctx);
    let domains = drive::blocking(move || context.store.domains()).await;
    let domains = domains.unwrap_or_else(|error| {
        tracing::error!(%error, "the keys are not looked after");
        Vec::new()
    });
    for domain in domains {
        match turn(ctx, &domain.name, Telling::Postmaster).await {
            Ok(()) | Err(Error::NoSuchDomain) => {}
            Err(error) => {
                tracing::error!(domain = domain.name, %error, "the keys are not looked after");
            }
        }
    }
}

/// Does for a domain what is to be done now.
pub async fn turn(ctx: &Arc<Context>, domain: &str, telling: Telling) -> Result<(), Error> {
    look_after(ctx, domain, telling, Renewal::InTime).await
}

/// Makes the next keys of a domain now.
pub async fn renew(ctx: &Arc<Context>, domain: &str) -> Result<(), Error> {
    look_after(ctx, domain, Telling::Caller, Renewal::Now).await
}

async fn look_after(
    ctx: &Arc<Context>,
    domain: &str,
    telling: Telling,
    renewal: Renewal,
) -> Result<(), Error> {
    let _turning = ctx.signing.turning.lock().await;
    let (context, name) = (Arc::clone(ctx), domain.to_owned());
    let keys = drive::blocking(move || context.store.signing_keys(&name)).await?;
    let mut sights = HashMap::new();
    for key in keys.iter().filter(|key| waits(key)) {
        sights.insert(key.selector.clone(), sight(ctx.dns.as_deref(), key).await);
    }
    let now = ctx.clock.now();
    let seen = |key: &SigningKey| sights.get(&key.selector).copied();
    let changes = plan::plan(
        now,
        &keys,
        |key| seen(key).unwrap_or(Sight::Unknown),
        renewal,
        kept_for(ctx),
    );
    if changes.is_nothing() {
        return Ok(());
    }
    let mut made = Vec::new();
    for of in changes.make {
        made.push(make(ctx, domain, of, now).await?);
    }
    let removed = changes.removed.iter().map(|key| key.selector.clone());
    let kept = changes.kept.iter().chain(&made).cloned().collect();
    ctx.store
        .edit_signing_keys(domain, kept, removed.collect())
        .await?;
    ctx.signing.forget(domain);
    for key in &made {
        tracing::info!(
            domain,
            key.selector,
            "a signing key was made: its record is to be published"
        );
    }
    for selector in &changes.signs {
        tracing::info!(domain, selector, "mail is signed with this key");
    }
    for key in &changes.removed {
        tracing::info!(domain, key.selector, "a key is gone, its record may go");
    }
    if telling == Telling::Postmaster {
        let reminded = keys
            .iter()
            .filter(|key| changes.remind.contains(&key.selector));
        // Before a domain signs at all nothing is lost: `facteur domain list` says that it waits.
        let renewed = made
            .iter()
            .filter(|new| keys.iter().any(|key| key.algorithm == new.algorithm));
        let news = News {
            publish: renewed.chain(reminded).collect(),
            leave: changes
                .kept
                .iter()
                .filter(|key| key.retired.is_some())
                .collect(),
            remove: changes.removed.iter().collect(),
            until: now.after(kept_for(ctx)),
        };
        letter::send(ctx, domain, &news).await?;
    }
    Ok(())
}

async fn sight(dns: Option<&dyn Dns>, key: &SigningKey) -> Sight {
    let Some(dns) = dns else {
        return Sight::Unknown;
    };
    let (name, _) = super::record(key);
    let question = Question::new(Kind::Txt, &name);
    let asked = tokio::time::timeout(limits::SENDER_CHECKS, dns.ask(&question));
    match asked.await {
        Ok(Answer::Txt(texts)) => {
            let is_it =
                |text: &Vec<u8>| dkim::publishes(text, algorithm(key.algorithm), &key.public);
            match !texts.is_empty() && texts.iter().all(is_it) {
                true => Sight::There,
                false => Sight::NotThere,
            }
        }
        Ok(Answer::NoSuchName | Answer::NoRecords) => Sight::NotThere,
        _ => Sight::Unknown,
    }
}

async fn make(
    ctx: &Arc<Context>,
    domain: &str,
    of: KeyAlgorithm,
    now: Timestamp,
) -> Result<SigningKey, Error> {
    // A large prime may take a second to find.
    let made = tokio::task::spawn_blocking(move || {
        let private = dkim::SigningKey::generate(algorithm(of))?;
        let public = dkim::SigningKey::read(algorithm(of), &private)?.public()?;
        Ok::<_, dkim::KeyError>((private, public))
    });
    let (private, public) = match made.await {
        Ok(Ok(pair)) => pair,
        // No key could be made, which nothing here can mend; the server may be stopping.
        Ok(Err(_)) | Err(_) => return Err(Error::Closed),
    };
    Ok(SigningKey {
        domain: domain.to_owned(),
        selector: selector(ctx.clock.as_ref(), of, now),
        algorithm: of,
        private: PrivateKey(private),
        public,
        made: now,
        seen: None,
        used: None,
        retired: None,
        told: Some(now),
    })
}

/// "r202611xq": the algorithm, the month, and what no other server of the domain takes by chance.
fn selector(clock: &dyn Clock, of: KeyAlgorithm, now: Timestamp) -> String {
    const LETTERS: &[u8; 16] = b"abcdefghkmnpqrst";
    let first = match of {
        KeyAlgorithm::Rsa => 'r',
        KeyAlgorithm::Ed25519 => 'e',
    };
    let month = rfc3339(now);
    let month = month.chars().filter(char::is_ascii_digit).take(6);
    let mut random = [0u8; 3];
    clock.random(&mut random);
    let random = random.map(|byte| {
        let place = usize::from(byte) % LETTERS.len();
        LETTERS.get(place).copied().map_or('a', char::from)
    });
    std::iter::once(first).chain(month).chain(random).collect()
}
