//! What a domain of ours publishes in DNS, so that mail finds it and others believe what it sends.
//!
//! [`records`] says what there should be, [`check`] compares it with what DNS says.

mod check;

use std::net::IpAddr;

use crate::dkim::{self, Algorithm};

pub use check::{Finding, Problem, State, check};

/// What is known of a domain and of the server that keeps its mail; names in A-labels.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    pub domain: &'a str,
    /// Of the server.
    pub hostname: &'a str,
    /// Of the server, as far as somebody said.
    pub addresses: &'a [IpAddr],
    pub keys: &'a [Key],
    pub services: &'a [Service],
    /// Who gets the reports that others send.
    pub reports_to: &'a str,
    /// The MTA-STS policy, when the server gives one out.
    pub policy: Option<&'a Policy>,
    /// What we send leaves through hosts of somebody else.
    pub relayed: bool,
}

/// With what the domain signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub selector: String,
    pub algorithm: Algorithm,
    /// As it is published.
    pub public: Vec<u8>,
    pub role: Role,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// For its record.
    Waits,
    Signs,
    /// Mail that it signed may be under way still.
    Retired,
}

/// RFC 8461.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where it is given out, `mta-sts.` and the domain.
    pub host: String,
    /// The record that announces it (RFC 8461 §3.1).
    pub record: String,
}

/// One that programs find by SRV records (RFC 6186, RFC 8314 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// With its underscore.
    pub name: &'static str,
    /// The lowest is tried first.
    pub priority: u16,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Mx,
    Address,
    Spf,
    /// Its place among the keys.
    Dkim(usize),
    Dmarc,
    /// Who is told of TLS on the way here (RFC 8460 §3).
    TlsReports,
    Service(Service),
    /// Where the MTA-STS policy is.
    PolicyHost,
    Policy,
    /// Made by whoever gave the server its address.
    Reverse,
}

impl Purpose {
    /// Mail goes well without it.
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Purpose::TlsReports | Purpose::Service(_) | Purpose::PolicyHost | Purpose::Policy
        )
    }

    /// Stable.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Mx => "mx",
            Purpose::Address => "address",
            Purpose::Spf => "spf",
            Purpose::Dkim(_) => "dkim",
            Purpose::Dmarc => "dmarc",
            Purpose::TlsReports => "tls_reports",
            Purpose::Service(_) => "service",
            Purpose::PolicyHost => "policy_host",
            Purpose::Policy => "policy",
            Purpose::Reverse => "reverse",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub purpose: Purpose,
    /// Without the final dot.
    pub name: String,
    pub kind: &'static str,
    /// As a zone file has it; empty where only the owner knows.
    pub value: String,
}

/// Everything that should be in DNS, what matters most first.
pub fn records(site: &Site<'_>) -> Vec<Record> {
    let mut records = Vec::new();
    let (domain, host) = (site.domain, site.hostname);
    let mut add = |purpose, name: String, kind, value: String| {
        records.push(Record {
            purpose,
            name,
            kind,
            value,
        });
    };
    add(Purpose::Mx, domain.to_owned(), "MX", format!("10 {host}."));
    for address in site.addresses {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        add(Purpose::Address, host.to_owned(), kind, address.to_string());
    }
    if site.addresses.is_empty() {
        for kind in ["A", "AAAA"] {
            add(Purpose::Address, host.to_owned(), kind, String::new());
        }
    }
    add(Purpose::Reverse, host.to_owned(), "PTR", format!("{host}."));
    if !site.relayed {
        // The server itself, which the MX record names.
        let value = quoted("v=spf1 mx -all");
        add(Purpose::Spf, domain.to_owned(), "TXT", value);
    }
    for (place, key) in site.keys.iter().enumerate() {
        let name = dkim::name(&key.selector, domain);
        let value = quoted(&dkim::record(key.algorithm, &key.public));
        add(Purpose::Dkim(place), name, "TXT", value);
    }
    let value = format!("v=DMARC1; p=none; rua=mailto:{}", site.reports_to);
    add(
        Purpose::Dmarc,
        format!("_dmarc.{domain}"),
        "TXT",
        quoted(&value),
    );
    add(
        Purpose::TlsReports,
        format!("_smtp._tls.{domain}"),
        "TXT",
        quoted(&format!("v=TLSRPTv1; rua=mailto:{}", site.reports_to)),
    );
    if let Some(policy) = site.policy {
        let host_name = policy.host.clone();
        add(Purpose::PolicyHost, host_name, "CNAME", format!("{host}."));
        let name = format!("_mta-sts.{domain}");
        add(Purpose::Policy, name, "TXT", quoted(&policy.record));
    }
    for service in site.services {
        let name = format!("{}._tcp.{domain}", service.name);
        let value = format!("{} 1 {} {host}.", service.priority, service.port);
        add(Purpose::Service(*service), name, "SRV", value);
    }
    records
}

/// RFC 1035 §3.3.14: strings of at most 255 bytes. The text is of ours: nothing in it needs `\\`.
pub fn quoted(text: &str) -> String {
    const STRING_BYTES_MAX: usize = 255;
    let strings = text.as_bytes().chunks(STRING_BYTES_MAX);
    let strings: Vec<String> = strings
        .map(|string| format!("\"{}\"", String::from_utf8_lossy(string)))
        .collect();
    strings.join(" ")
}
