//! What is remembered of those who come from outside: what they did wrong and the bans that it leads
//! to (`ban.rs`), where people log in from (`homes.rs`), and whose mail was told to come again (`grey.rs`).
//!
//! Memory answers; a derived file beside the index keeps it over a restart (`keep.rs`). A crash loses
//! the last seconds, a lost file begins anew: neither loses mail.
//!
//! Never banned: this machine, the networks that the administrator trusts, and an address from which
//! somebody logged in of late, who would be shut out with the guesser.

mod ban;
mod grey;
mod homes;
mod keep;
mod network;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use facteur_store::{Clock, Error, Store, Timestamp};

use crate::config::{Config, ListenAddress};
use crate::context::{Context, PeerAddress};
use crate::drive;
use crate::gate::counted_address;
use crate::kept::Kept;
use crate::limits;
use ban::Tally;
pub use ban::{Ban, Offence, Protected, Reason};
use keep::Keep;
pub use network::Network;

#[derive(Debug)]
pub struct Strangers {
    clock: Arc<dyn Clock>,
    trusted: Vec<Network>,
    /// Addresses of this machine, as far as they were met.
    own: Mutex<HashSet<IpAddr>>,
    kept: Kept<Keep>,
    /// Of the hour.
    tallies: Mutex<HashMap<IpAddr, Tally>>,
    news: tokio::sync::Notify,
}

impl Strangers {
    /// Opens nothing yet.
    pub fn new(store: Store, config: &Config) -> Self {
        let listeners = config.listeners.iter();
        let listeners = listeners.filter_map(|listen| match &listen.address {
            ListenAddress::Tcp(address) => Some(address.ip()),
            ListenAddress::Unix(_) => None,
        });
        let sources = config.queue.source_addresses.iter().copied();
        let own = listeners.chain(sources);
        let own = own.filter(|ip| !ip.is_unspecified());
        Strangers {
            clock: Arc::clone(store.clock()),
            trusted: config.trusted_networks.clone(),
            own: Mutex::new(own.map(|ip| ip.to_canonical()).collect()),
            kept: Kept::new(store),
            tallies: Mutex::default(),
            news: tokio::sync::Notify::new(),
        }
    }

    /// A connection came from where it went to.
    pub fn note_own(&self, address: IpAddr) {
        let mut own = lock(&self.own);
        if own.len() < limits::OWN_ADDRESSES_MAX {
            own.insert(address.to_canonical());
        }
    }

    /// This machine, or a network that the administrator trusts: no stranger.
    pub fn is_ours(&self, address: PeerAddress) -> bool {
        let Some(ip) = address.ip() else { return true };
        ip.is_loopback()
            || self.trusted.iter().any(|network| network.contains(ip))
            || lock(&self.own).contains(&ip)
    }

    /// Reads the file; until then the first who asks does. Blocking.
    pub fn load(&self) {
        self.kept.load();
    }

    /// Writes what changed and makes it durable. Blocking.
    pub fn save(&self) -> Result<(), Error> {
        self.kept.save()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Work on what is kept.
    fn with<T>(&self, work: impl FnOnce(&mut Keep) -> T) -> T {
        self.kept.with(work)
    }
}

/// Saves now and then, until the server stops.
pub async fn run(ctx: Arc<Context>) {
    loop {
        tokio::select! {
            () = ctx.shutdown.wait() => return save(&ctx).await,
            () = ctx.strangers.news.notified() => {}
        }
        save(&ctx).await;
        tokio::select! {
            () = ctx.shutdown.wait() => return save(&ctx).await,
            () = tokio::time::sleep(limits::STRANGERS_REST) => {}
        }
    }
}

async fn save(ctx: &Arc<Context>) {
    let ctx = Arc::clone(ctx);
    let saved = drive::blocking(move || ctx.strangers.save()).await;
    if let Err(error) = saved {
        tracing::warn!(%error, "what is known of strangers was not kept");
    }
}

/// One host: an IPv4 address, or the /64 of an IPv6 address.
fn host(address: IpAddr) -> table::Key {
    match counted_address(address) {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn address_of(key: &table::Key) -> IpAddr {
    IpAddr::from(*key).to_canonical()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
