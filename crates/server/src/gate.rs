//! How many connections, in all and from one address. A place is given back when its last holder
//! is dropped, however the session ends.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Limits;
use crate::context::PeerAddress;
use crate::limits;

/// Counts open connections.
#[derive(Clone, Debug)]
pub struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    by_address: HashMap<IpAddr, OfAddress>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfAddress {
    open: usize,
    before_login: usize,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Server,
    Address,
    AddressBeforeLogin,
}

impl Full {
    pub fn reason(self) -> &'static str {
        match self {
            Full::Server => "too many connections",
            Full::Address => "too many connections from this address",
            Full::AddressBeforeLogin => "too many connections without login from this address",
        }
    }
}

impl Gate {
    pub fn new(limits: Limits) -> Self {
        Gate {
            shared: Arc::new(Shared {
                limits,
                counts: Mutex::default(),
            }),
        }
    }

    /// A place for a new connection. A process of this machine (Unix socket) counts in the total
    /// only.
    pub fn enter(&self, address: PeerAddress) -> Result<Place, Full> {
        let limits = &self.shared.limits;
        let mut counts = self.shared.lock();
        if counts.open >= limits.connections_max {
            return Err(Full::Server);
        }
        let key = address.ip().map(counted_address);
        if let Some(key) = key {
            let of = counts.by_address.entry(key).or_default();
            // Behind a proxy or a webmail on this machine is everybody.
            if !key.is_loopback() && of.open >= limits.connections_per_address_max {
                return Err(Full::Address);
            }
            if of.before_login >= limits.connections_before_login_max {
                return Err(Full::AddressBeforeLogin);
            }
            of.open += 1;
            of.before_login += 1;
        }
        counts.open += 1;
        Ok(Place {
            held: Some(Arc::new(Held {
                shared: Arc::clone(&self.shared),
                key,
                logged_in: AtomicBool::new(false),
            })),
        })
    }

    pub fn open(&self) -> usize {
        self.shared.lock().open
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; the default one is not counted.
#[derive(Clone, Debug, Default)]
pub struct Place {
    held: Option<Arc<Held>>,
}

impl Place {
    /// The peer logged in: it no longer counts against the tight limit.
    pub fn logged_in(&self) {
        let Some(held) = &self.held else { return };
        if held.logged_in.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut counts = held.shared.lock();
        if let Some(of) = held.key.and_then(|key| counts.by_address.get_mut(&key)) {
            of.before_login = of.before_login.saturating_sub(1);
        }
    }
}

#[derive(Debug)]
struct Held {
    shared: Arc<Shared>,
    key: Option<IpAddr>,
    logged_in: AtomicBool,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.shared.lock();
        counts.open = counts.open.saturating_sub(1);
        let Some(key) = self.key else { return };
        let Some(of) = counts.by_address.get_mut(&key) else {
            return;
        };
        of.open = of.open.saturating_sub(1);
        if !self.logged_in.load(Ordering::Relaxed) {
            of.before_login = of.before_login.saturating_sub(1);
        }
        if of.open == 0 {
            counts.by_address.remove(&key);
        }
    }
}

/// What counts as one address: an IPv6 host has a whole /64.
pub fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - limits::IPV6_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(Limits {
            connections_max: 4,
            connections_per_address_max: 3,
            connections_before_login_max: 2,
            hashes_at_once_max: 1,
        })
    }

    fn peer(text: &str) -> PeerAddress {
        PeerAddress::Tcp(text.parse().unwrap())
    }

    #[test]
    fn login_makes_room_and_leaving_gives_back() {
        let gate = gate();
        let one = gate.enter(peer("192.0.2.1:1")).unwrap();
        let two = gate.enter(peer("192.0.2.1:2")).unwrap();
        assert_eq!(
            gate.enter(peer("192.0.2.1:3")).unwrap_err(),
            Full::AddressBeforeLogin
        );
        one.logged_in();
        one.logged_in();
        let three = gate.enter(peer("192.0.2.1:3")).unwrap();
        assert_eq!(gate.enter(peer("192.0.2.1:4")).unwrap_err(), Full::Address);
        let _four = gate.enter(peer("192.0.2.2:1")).unwrap();
        assert_eq!(gate.enter(peer("192.0.2.3:1")).unwrap_err(), Full::Server);
        drop((one, two, three));
        assert_eq!(gate.open(), 1);
        gate.enter(peer("192.0.2.1:5")).unwrap();
    }

    #[test]
    fn this_machine_is_held_to_the_limit_before_login_only() {
        let gate = gate();
        let places: Vec<_> = (0..4)
            .map(|port| {
                let place = gate.enter(peer(&format!("127.0.0.1:{port}"))).unwrap();
                place.logged_in();
                place
            })
            .collect();
        assert_eq!(gate.enter(peer("127.0.0.1:9")).unwrap_err(), Full::Server);
        drop(places);
        let _two = [
            gate.enter(peer("127.0.0.1:1")),
            gate.enter(peer("127.0.0.1:2")),
        ];
        assert_eq!(
            gate.enter(peer("127.0.0.1:3")).unwrap_err(),
            Full::AddressBeforeLogin
        );
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let gate = gate();
        let _one = gate.enter(peer("[2001:db8::1]:1")).unwrap();
        let _two = gate.enter(peer("[2001:db8::ffff:2]:1")).unwrap();
        assert!(gate.enter(peer("[2001:db8::3]:1")).is_err());
        gate.enter(peer("[2001:db8:0:1::3]:1")).unwrap();
    }
}
