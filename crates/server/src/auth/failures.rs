//! Guessing is slowed: so many failures from one address, and fewer for one account from it, then
//! nothing more is checked until the window has passed.
//!
//! Counted per address and account, not per account alone: a stranger can't lock out the owner.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::admin::normalise_address;
use crate::context::PeerAddress;
use crate::gate::counted_address;
use crate::limits;

#[derive(Debug, Default)]
pub(crate) struct Failures {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_address: HashMap<IpAddr, Window>,
    by_login: HashMap<(IpAddr, u64), Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Duration,
    count: u32,
}

impl Failures {
    pub(crate) fn too_many(&self, peer: PeerAddress, login: &str, now: Duration) -> bool {
        let Some(address) = peer.ip().map(counted_address) else {
            return false;
        };
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |window: Option<&Window>, max| {
            window.is_some_and(|window| window.count >= max && !window.is_over(now))
        };
        over(
            tables.by_address.get(&address),
            limits::FAILURES_OF_ADDRESS_MAX,
        ) || over(
            tables.by_login.get(&(address, login_key(login))),
            limits::FAILURES_OF_LOGIN_MAX,
        )
    }

    pub(crate) fn record(&self, peer: PeerAddress, login: &str, now: Duration) {
        let Some(address) = peer.ip().map(counted_address) else {
            return;
        };
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut tables.by_address, address, now);
        count(&mut tables.by_login, (address, login_key(login)), now);
    }
}

impl Window {
    fn is_over(self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= limits::FAILURE_WINDOW
    }
}

fn count<K: Eq + Hash>(table: &mut HashMap<K, Window>, key: K, now: Duration) {
    if table.len() >= limits::FAILURE_ENTRIES_MAX {
        table.retain(|_, window| !window.is_over(now));
    }
    if table.len() >= limits::FAILURE_ENTRIES_MAX {
        // An attack from that many addresses is not stopped by counting.
        table.clear();
    }
    let window = table.entry(key).or_insert(Window {
        since: now,
        count: 0,
    });
    if window.is_over(now) {
        *window = Window {
            since: now,
            count: 0,
        };
    }
    window.count = window.count.saturating_add(1);
}

/// Eight bytes stand for the name, whatever its length.
fn login_key(login: &str) -> u64 {
    let name = normalise_address(login).unwrap_or_default();
    let hash = blake3::hash(name.as_bytes());
    let (key, _) = hash
        .as_bytes()
        .split_first_chunk()
        .unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_is_closed_before_the_address_is() {
        let failures = Failures::default();
        let peer = PeerAddress::Tcp("192.0.2.1:4".parse().unwrap());
        let now = Duration::from_secs(10);
        for _ in 0..limits::FAILURES_OF_LOGIN_MAX {
            assert!(!failures.too_many(peer, "alice@example.test", now));
            failures.record(peer, "Alice@example.test", now);
        }
        assert!(failures.too_many(peer, "alice@example.test", now));
        assert!(!failures.too_many(peer, "bob@example.test", now));
        let other = PeerAddress::Tcp("192.0.2.2:4".parse().unwrap());
        assert!(!failures.too_many(other, "alice@example.test", now));
        let later = now + limits::FAILURE_WINDOW;
        assert!(!failures.too_many(peer, "alice@example.test", later));
        for n in 0..limits::FAILURES_OF_ADDRESS_MAX {
            failures.record(peer, &format!("user{n}@example.test"), later);
        }
        assert!(failures.too_many(peer, "bob@example.test", later));
        assert!(!failures.too_many(PeerAddress::Unix, "bob@example.test", later));
    }
}
