//! Under which policy connections to a destination are made, and how each of them ended: what its domain
//! is told once a day (RFC 8460). [`super::policy`] has judged before; nothing here decides anything.
//!
//! Counted are connections, not messages, where the sender of the mail asked for nothing of his own and no
//! route of ours leads elsewhere. What is only a matter of the moment (a host that does not answer) is not
//! told (RFC 8460 §4.3.4).

use std::net::IpAddr;

use facteur_senders::limits::NAME_BYTES_MAX;
use facteur_senders::reports::tls::{Failure, FailureKind, PolicyKind};
use rustls::{CertificateError, Error};

use super::connect;
use super::policy::{Known, Verdict};
use super::route::Hop;
use super::security::Security;
use super::send::Sender;
use super::sts::{Mode, Policy as Sts};
use crate::dns::Tlsa;
use crate::feedback::{Policy, Session};
use crate::limits::FEEDBACK_POLICY_LINES_MAX;
use crate::programs::is_public;

/// The policy of one host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Applied {
    /// Whose report it goes into.
    pub destination: String,
    pub policy: Policy,
    /// What is wrong with it, whatever the host proves.
    pub flaw: Option<Flaw>,
    /// The certificate is looked at, and nothing depends on it (RFC 8461 §5: `testing`).
    pub watched: bool,
}

/// Why a connection is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flaw {
    pub kind: FailureKind,
    /// A word for it, where the kind is no full answer.
    pub code: Option<&'static str>,
}

impl Flaw {
    pub const NO_STARTTLS: Flaw = Flaw::plain(FailureKind::StarttlsNotSupported);
    /// It offers STARTTLS and then does not want it.
    pub const STARTTLS_REFUSED: Flaw =
        Flaw::of(FailureKind::StarttlsNotSupported, "starttls-refused");
    /// MX names a host that the policy does not.
    const NOT_NAMED: Flaw = Flaw::of(FailureKind::Other, "mx-not-in-policy");
    /// RFC 8460 §4.3.2.1: none of the records can be used.
    const TLSA_INVALID: Flaw = Flaw::plain(FailureKind::TlsaInvalid);
    const BOGUS: Flaw = Flaw::plain(FailureKind::DnssecInvalid);

    const fn plain(kind: FailureKind) -> Flaw {
        Flaw { kind, code: None }
    }

    pub const fn of(kind: FailureKind, code: &'static str) -> Flaw {
        Flaw {
            kind,
            code: Some(code),
        }
    }

    /// Of a handshake that failed, or a certificate that was looked at.
    pub fn of_tls(error: &Error) -> Flaw {
        use CertificateError as Bad;
        let other = |code| Flaw::of(FailureKind::Other, code);
        match error {
            Error::InvalidCertificate(bad) => match bad {
                Bad::Expired | Bad::ExpiredContext { .. } => Flaw::plain(FailureKind::Expired),
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    Flaw::plain(FailureKind::HostMismatch)
                }
                bad => Flaw::of(FailureKind::NotTrusted, distrust(bad)),
            },
            Error::AlertReceived(_) => other("alert-received"),
            Error::PeerIncompatible(_) => other("no-common-parameters"),
            Error::PeerMisbehaved(_) => other("protocol-violation"),
            _ => other("handshake-failed"),
        }
    }

    /// The other side ended it.
    pub const HANDSHAKE_CUT: Flaw = Flaw::of(FailureKind::Other, "connection-closed");
}

fn distrust(bad: &CertificateError) -> &'static str {
    use CertificateError as Bad;
    match bad {
        Bad::UnknownIssuer => "unknown-issuer",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => "not-valid-yet",
        Bad::Revoked => "revoked",
        Bad::BadSignature => "bad-signature",
        Bad::BadEncoding => "bad-encoding",
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => "invalid-purpose",
        _ => "certificate-refused",
    }
}

impl Applied {
    /// What was judged of a host; `None`: nothing that its domain is told.
    pub fn new(known: &Known<'_>, verdict: &Verdict) -> Option<Applied> {
        let destination = known.domain.to_ascii_lowercase();
        let sts = known.policy.filter(|policy| policy.mode != Mode::None);
        let tlsa = |flaw| Applied {
            policy: tlsa(known),
            flaw,
            watched: false,
            destination: destination.clone(),
        };
        Some(match (verdict, sts) {
            (Verdict::Use(Security::Dane(_)), _) => tlsa(None),
            (Verdict::Use(Security::Encrypted), _) => tlsa(Some(Flaw::TLSA_INVALID)),
            (Verdict::Unknown, _) => tlsa(Some(Flaw::BOGUS)),
            (Verdict::Use(_) | Verdict::NotNamed, Some(sts)) => Applied {
                policy: of_sts(&destination, Some(sts)),
                flaw: (!sts.names(known.host)).then_some(Flaw::NOT_NAMED),
                watched: sts.mode == Mode::Testing,
                destination,
            },
            (Verdict::Use(_), None) => Applied {
                policy: Policy {
                    kind: PolicyKind::NotFound,
                    domain: destination.clone(),
                    ..Policy::default()
                },
                flaw: None,
                watched: false,
                destination,
            },
            (Verdict::NotNamed | Verdict::Unprovable, _) => return None,
        })
    }

    /// Nobody may act on what the DNS says of the host.
    pub fn bogus(destination: &str, host: &str) -> Applied {
        Applied {
            destination: destination.to_ascii_lowercase(),
            policy: Policy {
                kind: PolicyKind::Tlsa,
                domain: host.to_ascii_lowercase(),
                ..Policy::default()
            },
            flaw: Some(Flaw::BOGUS),
            watched: false,
        }
    }
}

/// RFC 8460 §1.1: the policy domain of DANE is the host.
fn tlsa(known: &Known<'_>) -> Policy {
    let records = match known.tlsa {
        Some(Ok(records)) => records.as_slice(),
        _ => &[],
    };
    let lines = records.iter().take(FEEDBACK_POLICY_LINES_MAX);
    Policy {
        kind: PolicyKind::Tlsa,
        domain: known.host.to_ascii_lowercase(),
        lines: lines.map(presented).collect(),
        hosts: Vec::new(),
    }
}

/// RFC 6698 §2.2.
fn presented(record: &Tlsa) -> String {
    let Tlsa {
        usage,
        selector,
        matching,
        data,
    } = record;
    let data: String = data.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{usage} {selector} {matching} {data}")
}

/// RFC 8460 §4.5; without the policy where none was had.
pub fn of_sts(destination: &str, sts: Option<&Sts>) -> Policy {
    let mut policy = Policy {
        kind: PolicyKind::Sts,
        domain: destination.to_ascii_lowercase(),
        ..Policy::default()
    };
    if let Some(sts) = sts {
        let mode = match sts.mode {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        };
        let hosts = sts.mx.iter().filter(|host| host.len() <= NAME_BYTES_MAX);
        policy.hosts = hosts.take(FEEDBACK_POLICY_LINES_MAX).cloned().collect();
        policy.lines = vec!["version: STSv1".to_owned(), format!("mode: {mode}")];
        let mx = policy.hosts.iter().map(|host| format!("mx: {host}"));
        policy.lines.extend(mx);
        let max_age = sts.max_age.as_secs();
        policy.lines.push(format!("max_age: {max_age}"));
    }
    policy
}

/// A connection under a policy; `flaw`: what was wrong with it.
pub fn tell(sender: &Sender, hop: &Hop, flaw: Option<Flaw>) {
    if let Some(applied) = &hop.applied {
        tell_of(sender, applied, Some(hop), flaw);
    }
}

/// The same of a host that is not even called.
pub fn tell_of(sender: &Sender, applied: &Applied, hop: Option<&Hop>, flaw: Option<Flaw>) {
    let failure = flaw.or(applied.flaw).map(|flaw| Failure {
        kind: flaw.kind,
        sending: hop.and_then(|hop| sending(sender, hop)),
        host: hop.map(|hop| hop.host.to_ascii_lowercase()),
        receiving: hop.map(|hop| hop.address.to_canonical()),
        code: flaw.code.map(str::to_owned),
        ..Failure::default()
    });
    let session = Session {
        policy: applied.policy.clone(),
        failure,
    };
    let feedback = &sender.ctx.feedback;
    feedback.count_session(&applied.destination, session);
}

/// Our address there, unless it says nothing outside of our network.
fn sending(sender: &Sender, hop: &Hop) -> Option<IpAddr> {
    let given = connect::source(&sender.ctx.config.queue.source_addresses, hop.address);
    let address = given.or_else(|| sender.net.source(hop.address))?;
    is_public(address).then_some(address)
}

#[cfg(test)]
mod tests {
    use facteur_store::TlsWish;

    use super::*;
    use crate::dns::DnsError;
    use crate::queue::policy::judge;

    fn applied(
        tlsa: Option<Result<Vec<Tlsa>, DnsError>>,
        mode: Option<&str>,
        host: &str,
    ) -> Applied {
        let sts = mode.map(|mode| {
            let text = format!("version: STSv1\nmode: {mode}\nmx: mx.far.test\nmax_age: 86400");
            Sts::parse(&text).unwrap()
        });
        let known = Known {
            host,
            domain: "Far.test",
            mx_proven: false,
            tlsa: tlsa.as_ref(),
            policy: sts.as_ref(),
            wish: TlsWish::AsPolicy,
        };
        Applied::new(&known, &judge(&known)).unwrap()
    }

    #[test]
    fn which_policy_is_told_of() {
        let record = |usage| crate::dns::Tlsa {
            usage,
            selector: 1,
            matching: 1,
            data: vec![0xab; 32],
        };
        let invalid = Some(FailureKind::TlsaInvalid);
        use PolicyKind::{NotFound, Sts, Tlsa};
        for (tlsa, mode, host, kind, flaw, watched) in [
            (None, None, "mx.far.test", NotFound, None, false),
            (None, Some("none"), "mx.far.test", NotFound, None, false),
            (None, Some("enforce"), "mx.far.test", Sts, None, false),
            (
                None,
                Some("enforce"),
                "x.test",
                Sts,
                Some(FailureKind::Other),
                false,
            ),
            (None, Some("testing"), "mx.far.test", Sts, None, true),
            (
                None,
                Some("testing"),
                "x.test",
                Sts,
                Some(FailureKind::Other),
                true,
            ),
            (
                Some(Ok(vec![record(3)])),
                Some("enforce"),
                "x.test",
                Tlsa,
                None,
                false,
            ),
            (
                Some(Ok(vec![record(1)])),
                None,
                "x.test",
                Tlsa,
                invalid,
                false,
            ),
            (
                Some(Ok(vec![record(1)])),
                Some("enforce"),
                "mx.far.test",
                Sts,
                None,
                false,
            ),
            (
                Some(Err(DnsError::Bogus)),
                None,
                "x.test",
                Tlsa,
                Some(FailureKind::DnssecInvalid),
                false,
            ),
            (
                Some(Err(DnsError::NoRecords)),
                None,
                "x.test",
                NotFound,
                None,
                false,
            ),
        ] {
            let found = applied(tlsa.clone(), mode, host);
            let case = format!("{tlsa:?} {mode:?} {host}");
            assert_eq!(found.destination, "far.test");
            assert_eq!(found.policy.kind, kind, "{case}");
            assert_eq!(found.flaw.map(|flaw| flaw.kind), flaw, "{case}");
            assert_eq!(found.watched, watched, "{case}");
            let domain = if kind == Tlsa { host } else { "far.test" };
            assert_eq!(found.policy.domain, domain, "{case}");
        }
        let found = applied(Some(Ok(vec![record(3)])), None, "x.test");
        assert_eq!(found.policy.lines, [format!("3 1 1 {}", "AB".repeat(32))]);
        let found = applied(None, Some("testing"), "x.test");
        let lines = [
            "version: STSv1",
            "mode: testing",
            "mx: mx.far.test",
            "max_age: 86400",
        ];
        assert_eq!(found.policy.lines, lines);
        assert_eq!(found.policy.hosts, ["mx.far.test"]);
    }

    #[test]
    fn what_is_wrong_with_a_handshake() {
        use CertificateError as Bad;
        for (error, kind, code) in [
            (
                Error::InvalidCertificate(Bad::Expired),
                FailureKind::Expired,
                None,
            ),
            (
                Error::InvalidCertificate(Bad::NotValidForName),
                FailureKind::HostMismatch,
                None,
            ),
            (
                Error::InvalidCertificate(Bad::UnknownIssuer),
                FailureKind::NotTrusted,
                Some("unknown-issuer"),
            ),
            (
                Error::InvalidCertificate(Bad::UnhandledCriticalExtension),
                FailureKind::NotTrusted,
                Some("certificate-refused"),
            ),
            (
                Error::AlertReceived(rustls::AlertDescription::HandshakeFailure),
                FailureKind::Other,
                Some("alert-received"),
            ),
            (
                Error::DecryptError,
                FailureKind::Other,
                Some("handshake-failed"),
            ),
        ] {
            assert_eq!(Flaw::of_tls(&error), Flaw { kind, code }, "{error}");
        }
    }
}
