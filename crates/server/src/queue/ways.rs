//! The way to a destination, kept for a moment: many messages to it need not ask the DNS and weigh
//! its policy each anew. Shorter than any time to live that matters, and forgotten when it failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::limits::{WAY_KNOWN, WAYS_MAX};
use super::route::Hop;

type Way = (Duration, Arc<[Hop]>);

/// By destination, with the monotonic time at which it was found.
#[derive(Debug, Default)]
pub struct Found(Mutex<HashMap<String, Way>>);

impl Found {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Way>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, destination: &str, now: Duration) -> Option<Arc<[Hop]>> {
        let ways = self.lock();
        let (found, way) = ways.get(destination)?;
        (now.saturating_sub(*found) < WAY_KNOWN).then(|| Arc::clone(way))
    }

    pub fn set(&self, destination: &str, hops: &[Hop], now: Duration) {
        let mut ways = self.lock();
        if ways.len() >= WAYS_MAX {
            ways.clear();
        }
        ways.insert(destination.to_owned(), (now, hops.into()));
    }

    pub fn forget(&self, destination: &str) {
        self.lock().remove(destination);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::security::Security;

    #[test]
    fn a_way_is_known_for_a_moment() {
        let hop = Hop {
            host: "mx.test".to_owned(),
            address: [192, 0, 2, 1].into(),
            port: 25,
            security: Security::Checked,
            user: None,
            applied: None,
        };
        let found = Found::default();
        let at = Duration::from_secs(100);
        found.set("far.test", &[hop], at);
        let just = WAY_KNOWN - Duration::from_millis(1);
        assert_eq!(
            found.get("far.test", at + just).map(|way| way.len()),
            Some(1)
        );
        assert_eq!(found.get("far.test", at + WAY_KNOWN), None);
        assert_eq!(found.get("near.test", at), None);
        found.forget("far.test");
        assert_eq!(found.get("far.test", at), None);
    }
}
