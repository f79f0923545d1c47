//! DANE for SMTP: the certificate is the one that the domain's signed zone names (RFC 7672,
//! RFC 6698, RFC 7671).
//!
//! Invariants: only proven records come here; records that nobody can use still demand TLS
//! (RFC 7672 §2.2); usages 0 and 1 are of no use to SMTP (§3.1.3).

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use crate::dns::Tlsa;

const TRUST_ANCHOR: u8 = 2;
const END_ENTITY: u8 = 3;
const WHOLE: u8 = 0;
const PUBLIC_KEY: u8 = 1;
const EXACT: u8 = 0;
const SHA_256: u8 = 1;
const SHA_512: u8 = 2;

/// Records that can be used, and the names that a certificate below a trust anchor may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dane {
    records: Vec<Tlsa>,
    /// RFC 7672 §3.2.2: the host, and the domain that the mail is for.
    names: Vec<String>,
}

impl Dane {
    /// `None`: none of the records can be used.
    pub fn new(records: Vec<Tlsa>, names: Vec<String>) -> Option<Dane> {
        let usable: Vec<Tlsa> = records.into_iter().filter(is_usable).collect();
        // RFC 7671 §9: where there is a stronger digest, the weaker counts for nothing.
        let stronger = |record: &Tlsa| {
            record.matching == SHA_256
                && usable.iter().any(|other| {
                    let same = (other.usage, other.selector) == (record.usage, record.selector);
                    same && other.matching == SHA_512
                })
        };
        let records: Vec<Tlsa> = usable
            .iter()
            .filter(|one| !stronger(one))
            .cloned()
            .collect();
        (!records.is_empty()).then_some(Dane { records, names })
    }

    fn names_it(&self, usage: u8, certificate: &CertificateDer<'_>) -> bool {
        let mut of_usage = self.records.iter().filter(|record| record.usage == usage);
        of_usage.any(|record| matches(record, certificate))
    }
}

fn is_usable(record: &Tlsa) -> bool {
    let length = match record.matching {
        EXACT => record.data.len().max(1),
        SHA_256 => 32,
        SHA_512 => 64,
        _ => return false,
    };
    matches!(record.usage, TRUST_ANCHOR | END_ENTITY)
        && matches!(record.selector, WHOLE | PUBLIC_KEY)
        && record.data.len() == length
}

fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let selected = match record.selector {
        WHOLE => certificate.as_ref(),
        _ => match ParsedCertificate::try_from(certificate) {
            Ok(parsed) => {
                key = parsed.subject_public_key_info();
                key.as_ref()
            }
            Err(_) => return false,
        },
    };
    match record.matching {
        EXACT => record.data == selected,
        SHA_256 => record.data == digest::digest(&digest::SHA256, selected).as_ref(),
        SHA_512 => record.data == digest::digest(&digest::SHA512, selected).as_ref(),
        _ => false,
    }
}

impl Dane {
    /// Takes the certificates that the records name and no other.
    pub fn verify(
        &self,
        library: &Arc<CryptoProvider>,
        end_entity: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // RFC 7672 §3.1.1: the record binds the key to the host; names and expiry don't count.
        match self.names_it(END_ENTITY, end_entity) {
            true => Ok(()),
            false => self.below_anchor(library, end_entity, chain, now),
        }
    }

    /// RFC 7672 §3.1.2: the chain leads to a certificate that a record names, and the name is one
    /// of ours. Expiry counts.
    fn below_anchor(
        &self,
        library: &Arc<CryptoProvider>,
        end_entity: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let refused = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let mut roots = RootCertStore::empty();
        let named = chain.iter().filter(|one| self.names_it(TRUST_ANCHOR, one));
        // A record may hold the whole anchor, which then need not be sent.
        let held = self.records.iter().filter(|record| {
            (record.usage, record.selector, record.matching) == (TRUST_ANCHOR, WHOLE, EXACT)
        });
        let held = held.map(|record| CertificateDer::from(record.data.clone()));
        for anchor in named.map(|one| one.clone().into_owned()).chain(held) {
            let _ = roots.add(anchor);
        }
        if roots.is_empty() {
            return Err(refused());
        }
        let library = Arc::clone(library);
        let below = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), library);
        let below = below.build().map_err(|_| refused())?;
        let mut last = refused();
        for name in &self.names {
            let Ok(name) = ServerName::try_from(name.as_str()) else {
                continue;
            };
            match below.verify_server_cert(end_entity, chain, &name, &[], now) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    struct Certificates {
        leaf: CertificateDer<'static>,
        leaf_key: Vec<u8>,
        anchor: CertificateDer<'static>,
        anchor_key: Vec<u8>,
        /// Long expired, under the same anchor.
        old: CertificateDer<'static>,
    }

    fn certificates() -> Certificates {
        let mut anchor = CertificateParams::default();
        anchor.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let anchor = CertifiedIssuer::self_signed(anchor, KeyPair::generate().unwrap()).unwrap();
        let leaf = |until: i32| {
            let key = KeyPair::generate().unwrap();
            let mut leaf = CertificateParams::new(vec!["mx.test".to_owned()]).unwrap();
            leaf.not_before = rcgen::date_time_ymd(2000, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(until, 1, 1);
            let certificate = leaf.signed_by(&key, &anchor).unwrap();
            certificate.der().clone()
        };
        let new = leaf(4000);
        let key = |certificate: &CertificateDer<'_>| {
            let parsed = ParsedCertificate::try_from(certificate).unwrap();
            parsed.subject_public_key_info().to_vec()
        };
        Certificates {
            leaf_key: key(&new),
            anchor_key: key(anchor.der()),
            anchor: anchor.der().clone(),
            old: leaf(2001),
            leaf: new,
        }
    }

    fn record(usage: u8, selector: u8, matching: u8, content: &[u8]) -> Tlsa {
        let data = match matching {
            SHA_256 => digest::digest(&digest::SHA256, content).as_ref().to_vec(),
            SHA_512 => digest::digest(&digest::SHA512, content).as_ref().to_vec(),
            _ => content.to_vec(),
        };
        Tlsa {
            usage,
            selector,
            matching,
            data,
        }
    }

    fn accepts(
        records: &[Tlsa],
        name: &str,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
    ) -> Option<bool> {
        let dane = Dane::new(records.to_vec(), vec![name.to_owned()])?;
        let library = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        Some(dane.verify(&library, leaf, chain, now).is_ok())
    }

    #[test]
    fn every_usage_selector_and_matching() {
        let all = certificates();
        let chain = std::slice::from_ref(&all.anchor);
        let contents: [(u8, u8, &[u8]); 4] = [
            (END_ENTITY, WHOLE, &all.leaf),
            (END_ENTITY, PUBLIC_KEY, &all.leaf_key),
            (TRUST_ANCHOR, WHOLE, &all.anchor),
            (TRUST_ANCHOR, PUBLIC_KEY, &all.anchor_key),
        ];
        for (usage, selector, content) in contents {
            for matching in [EXACT, SHA_256, SHA_512] {
                let good = record(usage, selector, matching, content);
                let case = (usage, selector, matching);
                let told = accepts(std::slice::from_ref(&good), "mx.test", &all.leaf, chain);
                assert_eq!(told, Some(true), "{case:?}");
                // Beside one that does not match.
                let other = record(usage, selector, matching, b"another");
                let both = [other.clone(), good.clone()];
                assert_eq!(
                    accepts(&both, "mx.test", &all.leaf, chain),
                    Some(true),
                    "{case:?}"
                );
                assert_eq!(accepts(&[other], "mx.test", &all.leaf, chain), Some(false));
                // Only an anchor asks for name and time.
                let anchor = usage == TRUST_ANCHOR;
                let told = accepts(std::slice::from_ref(&good), "else.test", &all.leaf, chain);
                assert_eq!(told, Some(!anchor), "{case:?}");
                if anchor {
                    let told = accepts(std::slice::from_ref(&good), "mx.test", &all.old, chain);
                    assert_eq!(told, Some(false), "{case:?}");
                    // Not sent: only a record that holds it whole can stand for it.
                    let whole = selector == WHOLE && matching == EXACT;
                    assert_eq!(accepts(&[good], "mx.test", &all.leaf, &[]), Some(whole));
                }
            }
        }
    }

    #[test]
    fn an_expired_certificate_that_is_named_itself_is_good() {
        let all = certificates();
        let named = record(END_ENTITY, WHOLE, SHA_256, &all.old);
        assert_eq!(accepts(&[named], "mx.test", &all.old, &[]), Some(true));
    }

    #[test]
    fn what_nobody_can_use() {
        let all = certificates();
        let mut short = record(END_ENTITY, WHOLE, SHA_256, &all.leaf);
        short.data.pop();
        for record in [
            record(0, WHOLE, SHA_256, &all.leaf),
            record(1, PUBLIC_KEY, SHA_256, &all.leaf_key),
            record(END_ENTITY, 2, SHA_256, &all.leaf),
            record(END_ENTITY, WHOLE, 3, &all.leaf),
            record(END_ENTITY, WHOLE, EXACT, b""),
            record(4, WHOLE, SHA_256, &all.leaf),
            short,
        ] {
            assert_eq!(accepts(&[record], "mx.test", &all.leaf, &[]), None);
        }
        assert_eq!(accepts(&[], "mx.test", &all.leaf, &[]), None);
    }

    #[test]
    fn the_weaker_digest_counts_for_nothing() {
        let all = certificates();
        let weak = record(END_ENTITY, WHOLE, SHA_256, &all.leaf);
        let strong = record(END_ENTITY, WHOLE, SHA_512, b"another");
        let both = [weak.clone(), strong];
        assert_eq!(accepts(&both, "mx.test", &all.leaf, &[]), Some(false));
        // Of another selector it says nothing.
        let other = record(END_ENTITY, PUBLIC_KEY, SHA_512, b"another");
        assert_eq!(
            accepts(&[weak, other], "mx.test", &all.leaf, &[]),
            Some(true)
        );
    }
}
