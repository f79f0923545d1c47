//! Where people log in from: an address with a good login is never banned, and an account that
//! suddenly comes from somewhere else and sends much is looked at sooner.

use std::net::IpAddr;
use std::time::Duration;

use facteur_store::{AccountId, Timestamp};

use super::table::{Key, Kind, Row};
use super::{Strangers, host};
use crate::context::PeerAddress;
use crate::limits;

pub(super) const HOMES: Kind = Kind {
    letter: 2,
    rows_max: limits::HOMES_MAX,
    is_over: |row, now| now > row.last.after(limits::HOME_REMEMBERED),
};

pub(super) const PLACES: Kind = Kind {
    letter: 4,
    rows_max: limits::PLACES_MAX,
    is_over: |row, now| now > row.last.after(limits::PLACE_REMEMBERED),
};

/// A login writes nothing when the last one is no older.
const OFTEN: Duration = Duration::from_secs(3600);

impl Strangers {
    /// Somebody logged in.
    pub fn logged_in(&self, peer: PeerAddress, account: AccountId) {
        self.came(peer, Some(account));
    }

    /// A program showed a good token.
    pub fn program_came(&self, peer: PeerAddress) {
        self.came(peer, None);
    }

    fn came(&self, peer: PeerAddress, account: Option<AccountId>) {
        let Some(address) = peer.ip().filter(|ip| !ip.is_loopback()) else {
            return;
        };
        self.forgive(address);
        let now = self.now();
        let changed = self.with(|keep| {
            let home = seen(keep.homes.get(&host(address), now), now);
            if let Some(row) = home {
                keep.homes.put(host(address), row, now);
                // Who is in has not to be let in.
                keep.bans.remove(&host(address));
            }
            let mut places = Vec::new();
            let keys = account.map(|id| [place(id, None), place(id, Some(address))]);
            for key in keys.into_iter().flatten() {
                places.extend(seen(keep.places.get(&key, now), now).map(|row| (key, row)));
            }
            let changed = home.is_some() || !places.is_empty();
            for (key, row) in places {
                keep.places.put(key, row, now);
            }
            changed
        });
        if changed {
            self.news.notify_one();
        }
    }

    pub(super) fn is_home(&self, address: IpAddr) -> bool {
        let now = self.now();
        self.with(|keep| keep.homes.get(&host(address), now).is_some())
    }

    /// An account that was known before comes from a network where it never was until today.
    pub fn is_new_place(&self, peer: PeerAddress, account: AccountId) -> bool {
        let Some(address) = peer.ip().filter(|ip| !ip.is_loopback()) else {
            return false;
        };
        let now = self.now();
        let (known, here) = self.with(|keep| {
            let get = |key| keep.places.get(&key, now);
            (
                get(place(account, None)),
                get(place(account, Some(address))),
            )
        });
        match (known, here) {
            (Some(known), Some(here)) => {
                let new = here.first.after(limits::PLACE_NEW) > now;
                new && known.first.after(limits::PLACE_NEW) <= here.first
            }
            _ => false,
        }
    }

    /// The account is no more.
    pub fn forget(&self, account: AccountId) {
        let own = account.0.to_be_bytes();
        self.with(|keep| keep.places.retain(|key, _, _| !key.starts_with(&own)));
        self.news.notify_one();
    }
}

/// The row to write, unless it was written of late.
fn seen(row: Option<Row>, now: Timestamp) -> Option<Row> {
    match row {
        Some(row) if row.last.after(OFTEN) > now => None,
        Some(row) => Some(Row { last: now, ..row }),
        None => Some(Row {
            first: now,
            last: now,
            word: 0,
        }),
    }
}

/// An account in a /16, of IPv6 in a /32; without: the account wherever it is.
fn place(account: AccountId, address: Option<IpAddr>) -> Key {
    let network: u64 = match address.map(|address| address.to_canonical()) {
        None => 0,
        Some(IpAddr::V4(address)) => 1 << 32 | u64::from(address.to_bits() >> 16),
        Some(IpAddr::V6(address)) => 2 << 32 | (address.to_bits() >> 96) as u64,
    };
    let mut key = Key::default();
    let bytes = account
        .0
        .to_be_bytes()
        .into_iter()
        .chain(network.to_be_bytes());
    for (place, byte) in key.iter_mut().zip(bytes) {
        *place = byte;
    }
    key
}
