//! Guessing is slowed: so many failures from one address, and fewer for one account from it, then
//! nothing more is checked until the window has passed.
//!
//! Counted per address and account, not per account alone: a stranger can't lock out the owner.
//!
//! An address from which somebody logged in of late is never closed as a whole: a household or an
//! office has one address, and one phone with an old password must not shut the others out. For the
//! same reason an account that logged in from there may be tried more often from there.

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
    /// When somebody last logged in from there.
    good_addresses: HashMap<IpAddr, Duration>,
    good_logins: HashMap<(IpAddr, u64), Duration>,
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
        let pair = (address, login_key(login));
        let login_max = if is_recent(tables.good_logins.get(&pair), now) {
            limits::FAILURES_OF_KNOWN_LOGIN_MAX
        } else {
            limits::FAILURES_OF_LOGIN_MAX
        };
        let address_over = over(
            tables.by_address.get(&address),
            limits::FAILURES_OF_ADDRESS_MAX,
        );
        (address_over && !is_recent(tables.good_addresses.get(&address), now))
            || over(tables.by_login.get(&pair), login_max)
    }

    /// Somebody logged in.
    pub(crate) fn forgive(&self, peer: PeerAddress, login: &str, now: Duration) {
        let Some(address) = peer.ip().map(counted_address) else {
            return;
        };
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (address, login_key(login));
        tables.by_login.remove(&pair);
        remember(&mut tables.good_addresses, address, now);
        remember(&mut tables.good_logins, pair, now);
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

fn is_recent(seen: Option<&Duration>, now: Duration) -> bool {
    seen.is_some_and(|seen| now.saturating_sub(*seen) < limits::GOOD_LOGIN_REMEMBERED)
}

/// A full table lets go of what is over, then of the older half.
fn remember<K: Copy + Eq + Hash>(table: &mut HashMap<K, Duration>, key: K, now: Duration) {
    if table.len() >= limits::GOOD_LOGINS_MAX && !table.contains_key(&key) {
        table.retain(|_, seen| is_recent(Some(seen), now));
    }
    if table.len() >= limits::GOOD_LOGINS_MAX && !table.contains_key(&key) {
        let mut times: Vec<Duration> = table.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        table.retain(|_, seen| *seen > median);
    }
    table.insert(key, now);
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

    fn host(number: u32) -> PeerAddress {
        PeerAddress::Tcp((std::net::Ipv4Addr::from_bits(number), 4).into())
    }

    #[test]
    fn an_address_with_a_good_login_stays_open() {
        let failures = Failures::default();
        let (home, elsewhere) = (host(1), host(2));
        let now = Duration::from_secs(10);
        failures.forgive(home, "alice@example.test", now);
        for peer in [home, elsewhere] {
            for n in 0..2 * limits::FAILURES_OF_ADDRESS_MAX {
                failures.record(peer, &format!("user{n}@example.test"), now);
            }
        }
        for name in ["alice@example.test", "new@example.test"] {
            assert!(!failures.too_many(home, name, now), "{name}");
            assert!(failures.too_many(elsewhere, name, now), "{name}");
        }
        // An old phone beside the laptop that has the new password.
        for _ in 0..limits::FAILURES_OF_LOGIN_MAX {
            failures.record(home, "alice@example.test", now);
            failures.record(home, "bob@example.test", now);
        }
        assert!(!failures.too_many(home, "alice@example.test", now));
        assert!(failures.too_many(home, "bob@example.test", now));
        for _ in 0..limits::FAILURES_OF_KNOWN_LOGIN_MAX {
            failures.record(home, "alice@example.test", now);
        }
        assert!(failures.too_many(home, "alice@example.test", now));
        failures.forgive(home, "alice@example.test", now);
        assert!(!failures.too_many(home, "alice@example.test", now));
    }

    #[test]
    fn a_good_login_is_forgotten_some_day() {
        let failures = Failures::default();
        failures.forgive(host(1), "alice@example.test", Duration::ZERO);
        let later = limits::GOOD_LOGIN_REMEMBERED;
        for n in 0..limits::FAILURES_OF_ADDRESS_MAX {
            failures.record(host(1), &format!("user{n}@example.test"), later);
        }
        assert!(failures.too_many(host(1), "alice@example.test", later));
    }

    #[test]
    fn the_tables_are_bounded() {
        let failures = Failures::default();
        let now = |n: u32| Duration::from_millis(u64::from(n));
        let many = u32::try_from(limits::FAILURE_ENTRIES_MAX.max(limits::GOOD_LOGINS_MAX)).unwrap();
        for n in 0..many + 10 {
            failures.record(host(n), "x@example.test", now(n));
            failures.forgive(host(n), "y@example.test", now(n));
        }
        let tables = failures.tables.lock().unwrap();
        assert!(tables.by_address.len() <= limits::FAILURE_ENTRIES_MAX);
        assert!(tables.by_login.len() <= limits::FAILURE_ENTRIES_MAX);
        assert!(tables.good_addresses.len() <= limits::GOOD_LOGINS_MAX);
        assert!(tables.good_logins.len() <= limits::GOOD_LOGINS_MAX);
        // The newest are the ones that are kept.
        let last = host(many + 9).ip().unwrap();
        assert!(tables.good_addresses.contains_key(&last));
    }

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
