//! Which keys a domain has next: decided here without I/O, done in `turn.rs`.
//!
//! A key waits until its record has been seen in DNS, then signs, then is retired; its record is
//! wanted until no mail that it signed can be under way. The signer never goes over to a key that
//! others can't see: a signature without a record counts for nothing, and the old key is as good as
//! before. So there is no day on which it changes over by force; whoever publishes late is reminded.

use std::time::Duration;

use facteur_store::{KeyAlgorithm, SigningKey, Timestamp};

use crate::limits::{DKIM_NEXT_AFTER, DKIM_REMIND_AFTER, DKIM_SETTLED_AFTER};

/// Both, since not every receiver knows Ed25519 (RFC 8463 §5).
pub const ALGORITHMS: [KeyAlgorithm; 2] = [KeyAlgorithm::Rsa, KeyAlgorithm::Ed25519];

/// What DNS says of a key's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    There,
    NotThere,
    /// It does not answer, or was not asked.
    Unknown,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub make: Vec<KeyAlgorithm>,
    /// Keys that are there, as they are from now on.
    pub kept: Vec<SigningKey>,
    pub removed: Vec<SigningKey>,
    /// Selectors of keys that were waited for and sign from now on.
    pub signs: Vec<String>,
    /// Selectors of keys whose record somebody is to be reminded of.
    pub remind: Vec<String>,
}

impl Changes {
    pub fn is_nothing(&self) -> bool {
        *self == Changes::default()
    }
}

pub fn waits(key: &SigningKey) -> bool {
    key.used.is_none() && key.retired.is_none()
}

pub fn signs(key: &SigningKey) -> bool {
    key.used.is_some() && key.retired.is_none()
}

/// When the next keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    InTime,
    /// Somebody does not trust the old ones any more.
    Now,
}

/// `kept_for`: how long mail that was signed may be under way.
pub fn plan(
    now: Timestamp,
    keys: &[SigningKey],
    sight: impl Fn(&SigningKey) -> Sight,
    renewal: Renewal,
    kept_for: Duration,
) -> Changes {
    let mut changes = Changes::default();
    for algorithm in ALGORITHMS {
        let of_it = || keys.iter().filter(|key| key.algorithm == algorithm);
        let signing = of_it().find(|key| signs(key));
        match of_it().find(|key| waits(key)) {
            Some(waiting) => wait(now, waiting, signing, sight(waiting), &mut changes),
            None => {
                let since = signing.and_then(|key| key.used);
                let old = since.is_none_or(|since| now >= since.after(DKIM_NEXT_AFTER));
                if old || renewal == Renewal::Now {
                    changes.make.push(algorithm);
                }
            }
        }
    }
    let is_over = |key: &&SigningKey| key.retired.is_some_and(|at| now >= at.after(kept_for));
    changes.removed = keys.iter().filter(is_over).cloned().collect();
    changes
}

fn wait(
    now: Timestamp,
    waiting: &SigningKey,
    signing: Option<&SigningKey>,
    sight: Sight,
    changes: &mut Changes,
) {
    let mut key = waiting.clone();
    match sight {
        Sight::There => key.seen = key.seen.or(Some(now)),
        Sight::NotThere => key.seen = None,
        Sight::Unknown => {}
    }
    // Name servers of one domain do not learn of a record at the same moment. Where nothing was
    // signed before there is nothing to lose.
    let settled = key
        .seen
        .is_some_and(|seen| signing.is_none() || now >= seen.after(DKIM_SETTLED_AFTER));
    if settled && sight == Sight::There {
        key.used = Some(now);
        changes.signs.push(key.selector.clone());
        changes.kept.extend(signing.map(|old| SigningKey {
            retired: Some(now),
            ..old.clone()
        }));
    } else if signing.is_some()
        && key.seen.is_none()
        && key
            .told
            .is_none_or(|told| now >= told.after(DKIM_REMIND_AFTER))
    {
        key.told = Some(now);
        changes.remind.push(key.selector.clone());
    }
    if key != *waiting {
        changes.kept.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_store::PrivateKey;

    const DAY: Duration = Duration::from_secs(86_400);
    const KEPT: Duration = Duration::from_secs(35 * 86_400);

    fn key(selector: &str) -> SigningKey {
        SigningKey {
            domain: "a.test".to_owned(),
            selector: selector.to_owned(),
            algorithm: KeyAlgorithm::Rsa,
            private: PrivateKey(Vec::new()),
            public: Vec::new(),
            made: Timestamp(0),
            seen: None,
            used: None,
            retired: None,
            told: Some(Timestamp(0)),
        }
    }

    fn used(selector: &str) -> SigningKey {
        SigningKey {
            seen: Some(Timestamp(0)),
            used: Some(Timestamp(0)),
            ..key(selector)
        }
    }

    /// Ed25519 has a key of its own that signs.
    fn with_other(mut keys: Vec<SigningKey>, now: Timestamp) -> Vec<SigningKey> {
        keys.push(SigningKey {
            algorithm: KeyAlgorithm::Ed25519,
            used: Some(now),
            ..used("e")
        });
        keys
    }

    fn planned(now: Timestamp, keys: Vec<SigningKey>, sight: Sight) -> Changes {
        let keys = with_other(keys, now);
        plan(now, &keys, |_| sight, Renewal::InTime, KEPT)
    }

    #[test]
    fn who_wants_new_keys_gets_them_once() {
        let now = Timestamp(0).after(DAY);
        let renewed = |keys: &[SigningKey]| {
            let changes = plan(now, keys, |_| Sight::NotThere, Renewal::Now, KEPT);
            changes.make
        };
        let mut keys = with_other(vec![used("a")], now);
        assert_eq!(renewed(&keys), ALGORITHMS);
        keys.push(key("b"));
        assert_eq!(renewed(&keys), [KeyAlgorithm::Ed25519]);
    }

    #[test]
    fn a_domain_without_keys_gets_both() {
        let renewal = Renewal::InTime;
        let changes = plan(Timestamp(0), &[], |_| Sight::Unknown, renewal, KEPT);
        assert_eq!(changes.make, ALGORITHMS);
    }

    #[test]
    fn the_first_key_signs_once_it_is_seen() {
        let now = Timestamp(0).after(DAY);
        for sight in [Sight::NotThere, Sight::Unknown] {
            assert!(planned(now, vec![key("a")], sight).is_nothing());
        }
        let changes = planned(now, vec![key("a")], Sight::There);
        assert_eq!(changes.signs, ["a"]);
        assert_eq!(changes.kept[0].used, Some(now));
    }

    #[test]
    fn the_next_key_is_made_in_time_and_once() {
        let before = Timestamp(0).after(DKIM_NEXT_AFTER - DAY);
        assert!(planned(before, vec![used("a")], Sight::There).is_nothing());
        let now = Timestamp(0).after(DKIM_NEXT_AFTER);
        let changes = planned(now, vec![used("a")], Sight::There);
        assert_eq!(changes.make, [KeyAlgorithm::Rsa]);
        let waiting = SigningKey {
            told: Some(now),
            ..key("b")
        };
        assert!(planned(now, vec![used("a"), waiting], Sight::NotThere).is_nothing());
    }

    #[test]
    fn the_next_key_signs_when_its_record_has_settled() {
        let now = Timestamp(0).after(DAY);
        let waiting = SigningKey {
            told: Some(now),
            ..key("b")
        };
        let first = planned(now, vec![used("a"), waiting], Sight::There);
        assert!(first.signs.is_empty() && first.kept[0].seen == Some(now));
        let seen = first.kept[0].clone();
        // It is gone again, so it counts from anew.
        let later = now.after(DKIM_SETTLED_AFTER);
        let gone = planned(later, vec![used("a"), seen.clone()], Sight::NotThere);
        assert_eq!(gone.kept[0].seen, None);
        // DNS does not answer: nothing changes over on a guess.
        assert!(planned(later, vec![used("a"), seen.clone()], Sight::Unknown).is_nothing());
        let over = planned(later, vec![used("a"), seen], Sight::There);
        assert_eq!(over.signs, ["b"]);
        let retired: Vec<_> = over
            .kept
            .iter()
            .filter(|key| key.retired.is_some())
            .collect();
        assert_eq!(retired.len(), 1);
        assert_eq!(retired[0].selector, "a");
    }

    #[test]
    fn nobody_goes_over_to_what_is_never_published() {
        let year = Timestamp(0).after(DAY * 365);
        let changes = planned(year, vec![used("a"), key("b")], Sight::NotThere);
        assert!(changes.signs.is_empty() && changes.make.is_empty());
        assert_eq!(changes.remind, ["b"]);
        assert_eq!(changes.kept[0].told, Some(year));
    }

    #[test]
    fn an_old_key_goes_when_no_mail_can_have_it() {
        let retired = SigningKey {
            retired: Some(Timestamp(0)),
            ..used("a")
        };
        let before = Timestamp(0).after(KEPT - DAY);
        let signing = SigningKey {
            used: Some(before),
            ..used("b")
        };
        let keys = vec![retired, signing];
        assert!(planned(before, keys.clone(), Sight::There).is_nothing());
        let changes = planned(Timestamp(0).after(KEPT), keys, Sight::There);
        assert_eq!(changes.removed[0].selector, "a");
    }
}
