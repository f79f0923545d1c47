//! What a host has to prove, decided without I/O from what the DNS, the domain's policy and the
//! sender say: DANE (RFC 7672), MTA-STS (RFC 8461), REQUIRETLS and TLS-Required (RFC 8689).
//!
//! Invariants: DANE goes before MTA-STS (RFC 8461 §2); nothing falls back to less than what a proven
//! record, a policy in force or the sender demands; what is bogus or unknown makes mail wait.

use std::sync::Arc;

use facteur_store::TlsWish;

use super::dane::Dane;
use super::security::Security;
use super::sts::{Mode, Policy};
use crate::dns::{DnsError, Tlsa};

/// What is known of one host of a destination.
#[derive(Debug)]
pub struct Known<'a> {
    pub host: &'a str,
    /// The destination.
    pub domain: &'a str,
    /// The MX records, which name this host, are proven.
    pub mx_proven: bool,
    /// Records for the host: asked for only where MX and addresses are proven; `None` else.
    pub tlsa: Option<&'a Result<Vec<Tlsa>, DnsError>>,
    pub policy: Option<&'a Policy>,
    pub wish: TlsWish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Use(Security),
    /// Not this host: its domain does not name it.
    NotNamed,
    /// Nothing can be known now.
    Unknown,
    /// REQUIRETLS: nobody proves that this host stands for the domain.
    Unprovable,
}

pub fn judge(known: &Known<'_>) -> Verdict {
    if known.wish == TlsWish::Optional {
        // RFC 8689 §4.2.2: tried, but arriving matters more.
        return Verdict::Use(Security::Opportunistic);
    }
    let dane = match known.tlsa {
        Some(Ok(records)) => {
            let names = vec![known.host.to_owned(), known.domain.to_owned()];
            match Dane::new(records.clone(), names) {
                Some(dane) => return Verdict::Use(Security::Dane(Arc::new(dane))),
                None => Security::Encrypted,
            }
        }
        Some(Err(DnsError::Temporary(_) | DnsError::Bogus)) => return Verdict::Unknown,
        Some(Err(DnsError::NoSuchName | DnsError::NoRecords)) | None => Security::Opportunistic,
    };
    let enforced = known.policy.filter(|policy| policy.mode == Mode::Enforce);
    if let Some(policy) = enforced {
        return match policy.names(known.host) {
            true => Verdict::Use(Security::Checked),
            false => Verdict::NotNamed,
        };
    }
    if known.wish == TlsWish::Required {
        // RFC 8689 §4.2.1: DNSSEC or a policy, also one that is tested, vouches for the name.
        let named = known
            .policy
            .is_some_and(|policy| policy.mode == Mode::Testing && policy.names(known.host));
        return match named || known.mx_proven {
            true => Verdict::Use(Security::Checked),
            false => Verdict::Unprovable,
        };
    }
    Verdict::Use(dane)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: &str) -> Policy {
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.far.test\nmax_age: 86400");
        Policy::parse(&text).unwrap()
    }

    #[test]
    fn every_combination() {
        let usable = vec![Tlsa {
            usage: 3,
            selector: 1,
            matching: 1,
            data: vec![7; 32],
        }];
        let unusable = vec![Tlsa {
            usage: 1,
            ..usable[0].clone()
        }];
        let names = vec!["mx.far.test".to_owned(), "far.test".to_owned()];
        let dane = Verdict::Use(Security::Dane(Arc::new(
            Dane::new(usable.clone(), names).unwrap(),
        )));
        let bogus = Err(DnsError::Bogus);
        let [usable, unusable, none] = [Ok(usable), Ok(unusable), Err(DnsError::NoRecords)];
        let [enforce, testing, off] = ["enforce", "testing", "none"].map(policy);
        let [open, encrypted, checked] = [
            Security::Opportunistic,
            Security::Encrypted,
            Security::Checked,
        ]
        .map(Verdict::Use);
        use TlsWish::{AsPolicy, Optional, Required};
        use Verdict::{NotNamed, Unknown, Unprovable};
        type Answer = Result<Vec<Tlsa>, DnsError>;
        type Case<'a> = (
            Option<&'a Answer>,
            Option<&'a Policy>,
            TlsWish,
            &'a Verdict,
            &'a Verdict,
        );
        // The last two: for a host that the policy names, and for another.
        let cases: &[Case<'_>] = &[
            (None, None, AsPolicy, &open, &open),
            (Some(&none), None, AsPolicy, &open, &open),
            (Some(&usable), None, AsPolicy, &dane, &dane),
            (Some(&unusable), None, AsPolicy, &encrypted, &encrypted),
            (Some(&bogus), None, AsPolicy, &Unknown, &Unknown),
            (None, Some(&enforce), AsPolicy, &checked, &NotNamed),
            (None, Some(&testing), AsPolicy, &open, &open),
            (None, Some(&off), AsPolicy, &open, &open),
            // DANE goes before.
            (Some(&usable), Some(&enforce), AsPolicy, &dane, &dane),
            (Some(&bogus), Some(&enforce), AsPolicy, &Unknown, &Unknown),
            (
                Some(&unusable),
                Some(&enforce),
                AsPolicy,
                &checked,
                &NotNamed,
            ),
            (
                Some(&unusable),
                Some(&testing),
                AsPolicy,
                &encrypted,
                &encrypted,
            ),
            (Some(&usable), None, Required, &dane, &dane),
            (Some(&bogus), None, Required, &Unknown, &Unknown),
            (None, None, Required, &Unprovable, &Unprovable),
            (Some(&none), Some(&off), Required, &Unprovable, &Unprovable),
            (None, Some(&enforce), Required, &checked, &NotNamed),
            (None, Some(&testing), Required, &checked, &Unprovable),
            (Some(&usable), Some(&enforce), Optional, &open, &open),
            (Some(&bogus), Some(&enforce), Optional, &open, &open),
        ];
        for (tlsa, policy, wish, named, other) in cases {
            for (host, expected) in [("mx.far.test", named), ("mx2.far.test", other)] {
                let known = Known {
                    host,
                    domain: "far.test",
                    mx_proven: false,
                    tlsa: *tlsa,
                    policy: *policy,
                    wish: *wish,
                };
                let told = judge(&known);
                let same = match (&told, *expected) {
                    // The names in it differ with the host.
                    (Verdict::Use(Security::Dane(_)), Verdict::Use(Security::Dane(_))) => true,
                    (told, expected) => told == expected,
                };
                assert!(same, "{known:?}: {told:?}");
            }
        }
        let known = Known {
            host: "mx.far.test",
            domain: "far.test",
            mx_proven: true,
            tlsa: None,
            policy: None,
            wish: Required,
        };
        assert_eq!(judge(&known), checked);
    }
}
