//! Addresses that did not answer of late: nobody waits for them again until some time has passed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::limits::{DEAD_FIRST, DEAD_HOSTS_MAX, DEAD_LAST};

#[derive(Clone, Copy, Debug)]
struct Dead {
    /// Monotonic time.
    until: Duration,
    times: u32,
}

/// Bounded: what is forgotten costs one connection more.
#[derive(Debug, Default)]
pub struct Hosts(Mutex<HashMap<SocketAddr, Dead>>);

impl Hosts {
    /// How long this address is left alone still; `now` is monotonic.
    pub fn rest(&self, address: SocketAddr, now: Duration) -> Option<Duration> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = hosts.get(&address)?;
        Some(dead.until.saturating_sub(now)).filter(|rest| !rest.is_zero())
    }

    pub fn failed(&self, address: SocketAddr, now: Duration) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= DEAD_HOSTS_MAX {
            hosts.retain(|_, dead| dead.until > now);
        }
        if hosts.len() >= DEAD_HOSTS_MAX {
            hosts.clear();
        }
        let times = hosts.get(&address).map_or(0, |dead| dead.times);
        let pause = DEAD_FIRST.saturating_mul(1 << times.min(16)).min(DEAD_LAST);
        let dead = Dead {
            until: now + pause,
            times: times.saturating_add(1),
        };
        hosts.insert(address, dead);
    }

    pub fn answered(&self, address: SocketAddr) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_host_is_left_alone_longer_each_time() {
        let hosts = Hosts::default();
        let (one, other) = (([192, 0, 2, 1], 25).into(), ([192, 0, 2, 2], 25).into());
        let mut now = Duration::from_secs(1000);
        let mut rests = Vec::new();
        for _ in 0..8 {
            hosts.failed(one, now);
            let rest = hosts.rest(one, now).unwrap();
            rests.push(rest.as_secs());
            assert_eq!(hosts.rest(other, now), None);
            now += rest;
            assert_eq!(hosts.rest(one, now), None);
        }
        assert_eq!(rests, [60, 120, 240, 480, 960, 1800, 1800, 1800]);
        hosts.answered(one);
        hosts.failed(one, now);
        assert_eq!(hosts.rest(one, now), Some(DEAD_FIRST));
    }

    #[test]
    fn the_memory_is_bounded() {
        let hosts = Hosts::default();
        for number in 0..DEAD_HOSTS_MAX * 2 {
            let address = (std::net::Ipv6Addr::from(number as u128), 25).into();
            hosts.failed(address, Duration::ZERO);
        }
        assert!(hosts.0.lock().unwrap().len() <= DEAD_HOSTS_MAX);
    }
}
