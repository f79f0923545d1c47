//! Mail of others that goes on: the envelope sender under which it leaves (SRS), and the way back of
//! reports to it, or to nobody.
//!
//! A host that gets it asks the domain of the envelope sender whether we may send for it (SPF); that
//! of a stranger says no. So it leaves under an address of ours that stands for his. To that address
//! only reports are taken, and they go straight to him. Where nothing showed that he sent it, he may be
//! anybody whose address was made use of: then it leaves under an address of ours that takes reports and
//! drops them.

use aws_lc_rs::constant_time;
use facteur_senders::srs;
use facteur_smtp::address::{Address, Domain};
use facteur_smtp::server::Envelope;
use facteur_store::{Error, Store};

use super::Driver;
use super::directory;
use crate::admin::domain_to_ascii;
use crate::drive::Stream;
use crate::programs::later;

const DAY_SECONDS: i64 = 86_400;

fn day(store: &Store) -> i64 {
    store.clock().now().seconds().div_euclid(DAY_SECONDS)
}

/// Who stands behind a local part that we made; `None`: it is not of ours, or too old.
pub(crate) fn original(store: &Store, local: &str) -> Result<Option<Address>, Error> {
    if !srs::is_rewritten(local) {
        return Ok(None);
    }
    let Some(secret) = store.secret()? else {
        return Ok(None);
    };
    let original = srs::original(&secret, local, day(store));
    Ok(original.and_then(|text| Address::parse(&text).ok()))
}

const UNPROVEN: &str = "unproven+";
const UNPROVEN_CHARS: usize = 16;

/// The local part under which mail of somebody who is not proven leaves: nobody else makes one up.
fn unproven_local(secret: &[u8; 32], sender: &str) -> String {
    let id = unproven_hash(secret, sender);
    let mac = unproven_hash(secret, &format!("{UNPROVEN}{id}"));
    format!("{UNPROVEN}{id}{mac}")
}

fn unproven_hash(secret: &[u8; 32], text: &str) -> String {
    let key = blake3::derive_key("facteur 2026 senders that are not proven", secret);
    let hash = blake3::keyed_hash(&key, text.as_bytes()).to_hex();
    hash.chars().take(UNPROVEN_CHARS).collect()
}

/// Whether a local part is one of those; `local` in lower case.
pub(crate) fn is_unproven(store: &Store, local: &str) -> Result<bool, Error> {
    let tail = local.strip_prefix(UNPROVEN);
    let Some((id, mac)) = tail.and_then(|tail| tail.split_at_checked(UNPROVEN_CHARS)) else {
        return Ok(false);
    };
    let Some(secret) = store.secret()? else {
        return Ok(false);
    };
    let right = unproven_hash(&secret, &format!("{UNPROVEN}{id}"));
    let same = constant_time::verify_slices_are_equal(mac.as_bytes(), right.as_bytes());
    Ok(same.is_ok())
}

/// The same of a reverse-path.
pub(crate) fn is_unproven_path(store: &Store, path: &str) -> Result<bool, Error> {
    match path.rsplit_once('@') {
        Some((local, _)) => is_unproven(store, &local.to_lowercase()),
        None => Ok(false),
    }
}

/// Whom a message that could not be delivered came from.
pub(crate) fn sender_behind(store: &Store, reverse_path: &str) -> Result<Option<String>, Error> {
    let Ok(address) = Address::parse(reverse_path) else {
        return Ok(None);
    };
    let Some((_, domain)) = directory::key(&address) else {
        return Ok(None);
    };
    if store.domain(&domain)?.is_none() {
        return Ok(None);
    }
    let behind = original(store, &address.local)?;
    let behind = match behind {
        None => later::sender_at(store, &address.local.to_lowercase())?,
        behind => behind,
    };
    Ok(behind.map(|address| address.to_string()))
}

impl<S: Stream> Driver<S> {
    /// Finds the envelope sender of what goes on; `None`: it leaves under its own.
    pub(super) async fn rewrite(&mut self) -> Result<(), Error> {
        self.rewritten = None;
        let store = self.wire.context().store.clone();
        let Some(envelope) = self.session.envelope() else {
            return Ok(());
        };
        let Some(sender) = &envelope.reverse_path else {
            return Ok(());
        };
        let Domain::Name(name) = &sender.domain else {
            return Ok(());
        };
        if let Some(tracking) = &self.tracking {
            let (id, domain) = (tracking.id, domain_to_ascii(name));
            let secret = store.make_secret().await?;
            self.rewritten = Some(format!("{}@{domain}", later::local_part(&secret, id)));
            return Ok(());
        }
        if !self.proven {
            let path = sender.to_string().to_lowercase();
            let Some(home) = home(&store, envelope)? else {
                return Ok(());
            };
            let secret = store.make_secret().await?;
            let local = unproven_local(&secret, &path);
            self.rewritten = Some(format!("{local}@{}", domain_to_ascii(&home)));
            return Ok(());
        }
        let is_ours = match directory::key(sender) {
            Some((_, domain)) => store.domain(&domain)?.is_some(),
            None => false,
        };
        if is_ours {
            return Ok(());
        }
        let Some(home) = home(&store, envelope)? else {
            return Ok(());
        };
        let (local, domain) = (sender.local.clone(), domain_to_ascii(name));
        let secret = store.make_secret().await?;
        let made = srs::rewritten(&secret, &local, &domain, day(&store));
        self.rewritten = made.map(|local| format!("{local}@{}", domain_to_ascii(&home)));
        Ok(())
    }

    /// Under what mail for other hosts leaves.
    pub(super) fn path_onward(&self) -> String {
        let rewritten = self.rewritten.clone();
        rewritten.unwrap_or_else(|| self.reverse_path())
    }
}

/// The domain of ours that the message came to.
fn home(store: &Store, envelope: &Envelope) -> Result<Option<String>, Error> {
    for (recipient, _) in &envelope.recipients {
        if let facteur_smtp::Recipient::Address(address) = recipient
            && let Some((_, domain)) = directory::key(address)
            && store.domain(&domain)?.is_some()
        {
            return Ok(Some(domain));
        }
    }
    // For the postmaster without a domain.
    Ok(store
        .domains()?
        .into_iter()
        .next()
        .map(|domain| domain.name))
}
