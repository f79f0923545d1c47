//! Reports of TLS on the way to a domain: RFC 8460 §4.4.

mod read;

use std::net::IpAddr;

use facteur_message::date::Civil;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{named, word_of};

pub use read::parse;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsReport {
    /// Who reports, in its own words.
    pub organisation: String,
    /// An address.
    pub contact: String,
    pub id: String,
    /// Seconds since 1970.
    pub begin: i64,
    pub end: i64,
    pub policies: Vec<Tally>,
}

/// How it went under one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub kind: PolicyKind,
    /// The policy as it was found.
    pub policy: Vec<String>,
    pub domain: String,
    /// Patterns of an MTA-STS policy.
    pub hosts: Vec<String>,
    /// Connections.
    pub succeeded: u64,
    pub failed: u64,
    pub failures: Vec<Failure>,
}

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum PolicyKind {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    #[default]
    NotFound,
}

impl PolicyKind {
    const WORDS: [(PolicyKind, &'static str); 3] = [
        (PolicyKind::Tlsa, "tlsa"),
        (PolicyKind::Sts, "sts"),
        (PolicyKind::NotFound, "no-policy-found"),
    ];

    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// What nobody registered is no policy.
    fn parse(word: &str) -> Self {
        named(&Self::WORDS, word).unwrap_or_default()
    }
}

/// RFC 8460 §4.3.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum FailureKind {
    StarttlsNotSupported,
    HostMismatch,
    Expired,
    NotTrusted,
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    StsFetch,
    StsInvalid,
    StsWebpki,
    /// `validation-failure`, and what nobody registered.
    #[default]
    Other,
}

impl FailureKind {
    /// As they are written.
    pub const WORDS: [(FailureKind, &'static str); 11] = [
        (FailureKind::StarttlsNotSupported, "starttls-not-supported"),
        (FailureKind::HostMismatch, "certificate-host-mismatch"),
        (FailureKind::Expired, "certificate-expired"),
        (FailureKind::NotTrusted, "certificate-not-trusted"),
        (FailureKind::TlsaInvalid, "tlsa-invalid"),
        (FailureKind::DnssecInvalid, "dnssec-invalid"),
        (FailureKind::DaneRequired, "dane-required"),
        (FailureKind::StsFetch, "sts-policy-fetch-error"),
        (FailureKind::StsInvalid, "sts-policy-invalid"),
        (FailureKind::StsWebpki, "sts-webpki-invalid"),
        (FailureKind::Other, "validation-failure"),
    ];

    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    pub fn parse(word: &str) -> Self {
        named(&Self::WORDS, word).unwrap_or_default()
    }
}

/// Connections that failed in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub sending: Option<IpAddr>,
    /// Of ours, as MX names it.
    pub host: Option<String>,
    pub hello: Option<String>,
    pub receiving: Option<IpAddr>,
    pub count: u64,
    /// A URI.
    pub more: Option<String>,
    pub code: Option<String>,
}

impl TlsReport {
    /// RFC 8460 §5.3: the domain of who reports.
    pub fn submitter(&self) -> Option<&str> {
        let (_, domain) = self.contact.rsplit_once('@')?;
        Some(domain).filter(|domain| !domain.is_empty())
    }

    /// JSON.
    pub fn write(&self) -> Vec<u8> {
        let policies: Vec<Value> = self.policies.iter().map(Tally::write).collect();
        let report = json!({
            "organization-name": self.organisation,
            "date-range": {
                "start-datetime": rfc3339(self.begin),
                "end-datetime": rfc3339(self.end),
            },
            "contact-info": self.contact,
            "report-id": self.id,
            "policies": policies,
        });
        report.to_string().into_bytes()
    }
}

impl Tally {
    fn write(&self) -> Value {
        let mut policy = Map::new();
        policy.insert("policy-type".into(), self.kind.word().into());
        if !self.policy.is_empty() {
            policy.insert("policy-string".into(), self.policy.clone().into());
        }
        policy.insert("policy-domain".into(), self.domain.clone().into());
        if !self.hosts.is_empty() {
            policy.insert("mx-host".into(), self.hosts.clone().into());
        }
        let mut out = json!({
            "policy": policy,
            "summary": {
                "total-successful-session-count": self.succeeded,
                "total-failure-session-count": self.failed,
            },
        });
        if let Some(out) = out.as_object_mut().filter(|_| !self.failures.is_empty()) {
            let failures: Vec<Value> = self.failures.iter().map(Failure::write).collect();
            out.insert("failure-details".into(), failures.into());
        }
        out
    }
}

impl Failure {
    fn write(&self) -> Value {
        let mut out = Map::new();
        out.insert("result-type".into(), self.kind.word().into());
        let (sending, receiving) = (self.sending, self.receiving);
        for (name, value) in [
            ("sending-mta-ip", sending.map(|ip| ip.to_string())),
            ("receiving-mx-hostname", self.host.clone()),
            ("receiving-mx-helo", self.hello.clone()),
            ("receiving-ip", receiving.map(|ip| ip.to_string())),
            ("additional-information", self.more.clone()),
            ("failure-reason-code", self.code.clone()),
        ] {
            if let Some(value) = value {
                out.insert(name.into(), value.into());
            }
        }
        out.insert("failed-session-count".into(), self.count.into());
        Value::Object(out)
    }
}

fn rfc3339(at: i64) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = Civil::from_unix(at, 0);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
