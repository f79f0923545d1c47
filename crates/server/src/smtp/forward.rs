//! Mail of others that goes on: the envelope sender under which it leaves (SRS), and the way back of
//! reports to it.
//!
//! A host that gets it asks the domain of the envelope sender whether we may send for it (SPF); that
//! of a stranger says no. So it leaves under an address of ours that stands for his. To that address
//! only reports are taken, and they go straight to him.

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
    Ok(None)
}
