//! Where a message goes next: the smarthost, or the MX of its domain (RFC 5321 §5.1, RFC 7505).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use facteur_store::Clock;

use super::applied::Applied;
use super::plan::{Outcome, Told};
use super::security::Security;
use crate::config::QueueConfig;
use crate::dns::{Dns, DnsError, Mx};

/// For the log.
const BOGUS: &str = "the answer is bogus";

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// As it is called in reports and checked in its certificate, where one is checked.
    pub host: String,
    pub address: IpAddr,
    pub port: u16,
    pub security: Security,
    /// Whom we are there; a connection serves nobody else.
    pub user: Option<String>,
    /// What its domain is told of connections (RFC 8460); none where nobody counts them.
    pub applied: Option<Arc<Applied>>,
}

impl Hop {
    pub fn socket_address(&self) -> SocketAddr {
        (self.address, self.port).into()
    }
}

/// RFC 5321 §5.1 wants at least two tried; more than these only burn time.
const HOPS_MAX: usize = 8;
const EXCHANGES_MAX: usize = 5;

pub struct Question<'a> {
    pub domain: &'a str,
    pub hostname: &'a str,
    pub config: &'a QueueConfig,
    pub dns: &'a dyn Dns,
    pub clock: &'a dyn Clock,
}

/// Addresses in the order to try, at least one; or what becomes of the recipients.
pub async fn route(question: &Question<'_>) -> Result<Vec<Hop>, Outcome> {
    if let Some(route) = question.config.route_of(question.domain) {
        let host = std::slice::from_ref(&route.to.host);
        return resolve(question, host, route.to.port).await;
    }
    if let Some(smarthost) = &question.config.smarthost {
        let host = std::slice::from_ref(&smarthost.host);
        return resolve(question, host, smarthost.port).await;
    }
    if let Some(address) = literal(question.domain) {
        return hops(
            question,
            &[(question.domain.to_owned(), address)],
            question.config.port,
        );
    }
    let exchanges = match question.dns.mx(question.domain).await {
        Ok(records) => exchanges(records, question)?,
        // RFC 5321 §5.1: no MX record, the domain itself is the host.
        Err(DnsError::NoRecords) => vec![question.domain.to_owned()],
        Err(DnsError::NoSuchName) => {
            return Err(failed("5.1.2", "There is no such domain in the DNS."));
        }
        Err(DnsError::Temporary(why)) => return Err(unknown_now(question.domain, &why)),
        Err(DnsError::Bogus) => return Err(unknown_now(question.domain, BOGUS)),
    };
    resolve(question, &exchanges, question.config.port).await
}

/// Ourselves, without a network.
pub fn home(hostname: &str) -> Hop {
    Hop {
        host: hostname.to_owned(),
        address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        port: 0,
        security: Security::Home,
        user: None,
        applied: None,
    }
}

/// Host names by preference, equals shuffled; the hosts at and behind ourselves left out.
fn exchanges(mut records: Vec<Mx>, question: &Question<'_>) -> Result<Vec<String>, Outcome> {
    if records.iter().any(|mx| mx.exchange.is_empty()) {
        return Err(failed("5.1.10", "The domain takes no mail (null MX)."));
    }
    let is_us = |mx: &Mx| mx.exchange.eq_ignore_ascii_case(question.hostname);
    if let Some(own) = records
        .iter()
        .filter(|mx| is_us(mx))
        .map(|mx| mx.preference)
        .min()
    {
        records.retain(|mx| mx.preference < own);
    }
    if records.is_empty() {
        return Err(failed(
            "5.4.6",
            "The DNS names this server as the domain's own, which it is not (mail loop).",
        ));
    }
    let mut keyed: Vec<(u16, u8, String)> = records
        .into_iter()
        .map(|mx| {
            let mut dice = [0];
            question.clock.random(&mut dice);
            (mx.preference, dice[0], mx.exchange)
        })
        .collect();
    keyed.sort_unstable();
    Ok(keyed
        .into_iter()
        .map(|(_, _, exchange)| exchange)
        .take(EXCHANGES_MAX)
        .collect())
}

async fn resolve(
    question: &Question<'_>,
    hosts: &[String],
    port: u16,
) -> Result<Vec<Hop>, Outcome> {
    let mut found = Vec::new();
    let mut doubt = None;
    for host in hosts {
        if let Ok(address) = host.parse() {
            found.push((host.clone(), address));
            continue;
        }
        match question.dns.addresses(host).await {
            Ok(addresses) => {
                let addresses = interleaved(addresses).into_iter();
                found.extend(addresses.map(|address| (host.clone(), address)));
            }
            Err(DnsError::Temporary(why)) => doubt = Some(why),
            Err(DnsError::Bogus) => doubt = Some(BOGUS.to_owned()),
            Err(DnsError::NoSuchName | DnsError::NoRecords) => {}
        }
    }
    match doubt {
        Some(why) if found.is_empty() => Err(unknown_now(question.domain, &why)),
        _ => hops(question, &found, port),
    }
}

fn hops(
    question: &Question<'_>,
    found: &[(String, IpAddr)],
    port: u16,
) -> Result<Vec<Hop>, Outcome> {
    if found.is_empty() {
        return Err(failed(
            "5.4.4",
            "The domain's mail host has no address in the DNS.",
        ));
    }
    let leaves = |address: IpAddr| !address.to_canonical().is_loopback();
    if question.config.loopback_only && found.iter().any(|(_, address)| leaves(*address)) {
        return Err(Outcome::Delayed(ours(
            "4.3.0",
            "This server is set up to send nothing to other machines.",
        )));
    }
    let login = question.config.smarthost_of(question.domain);
    let user = login.and_then(|login| login.user.as_ref());
    let hops: Vec<Hop> = found
        .iter()
        .filter(|(_, address)| is_elsewhere(*address, port))
        .map(|(host, address)| Hop {
            host: host.clone(),
            address: *address,
            port,
            security: security(question),
            user: user.cloned(),
            applied: None,
        })
        .take(HOPS_MAX)
        .collect();
    if hops.is_empty() {
        tracing::info!(
            domain = question.domain,
            "the domain's mail host is this machine"
        );
        return Err(failed(
            "5.4.6",
            "The domain's mail host is this machine (mail loop).",
        ));
    }
    Ok(hops)
}

fn security(question: &Question<'_>) -> Security {
    match question.config.smarthost_of(question.domain) {
        Some(smarthost) if smarthost.implicit_tls => Security::CheckedImplicit,
        Some(_) => Security::Checked,
        None => Security::Opportunistic,
    }
}

/// RFC 8305 §4: one family after the other, the first to stay first.
fn interleaved(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first_is_six = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_six);
    let mut second = second.into_iter();
    let mut mixed = Vec::new();
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed
}

/// A domain on port 25 of our own loopback is us, whoever publishes it.
fn is_elsewhere(address: IpAddr, port: u16) -> bool {
    let ours = address.to_canonical();
    port != 25 || !(ours.is_loopback() || ours.is_unspecified())
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn literal(domain: &str) -> Option<IpAddr> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    match inner.split_once(':') {
        Some((tag, address)) if tag.eq_ignore_ascii_case("ipv6") => {
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn failed(status: &str, text: &str) -> Outcome {
    Outcome::Failed(ours(status, text))
}

fn unknown_now(domain: &str, why: &str) -> Outcome {
    tracing::info!(domain, why, "the DNS gave no answer");
    Outcome::Delayed(ours(
        "4.4.3",
        "The DNS gives no answer about the domain for now.",
    ))
}

/// Our own sentence: no host said it.
pub fn ours(status: &str, text: &str) -> Told {
    Told {
        status: status.to_owned(),
        text: text.to_owned(),
        host: String::new(),
        dsn_passed_on: false,
        relayed: false,
    }
}

#[cfg(test)]
mod tests {
    use facteur_sim::VirtualClock;

    use super::*;
    use crate::config::{DomainRoute, Smarthost};
    use crate::dns::TableDns;

    fn mx(preference: u16, exchange: &str) -> Mx {
        Mx {
            preference,
            exchange: exchange.to_owned(),
        }
    }

    fn table() -> TableDns {
        let dns = TableDns::default();
        let address = |last| Ok(vec![IpAddr::from([192, 0, 2, last])]);
        dns.set_addresses("a.test", address(1));
        dns.set_addresses("b.test", address(2));
        dns.set_addresses("bare.test", address(3));
        dns.set_addresses("us.test", address(4));
        dns.set_addresses("here.test", Ok(vec![IpAddr::from([127, 0, 0, 1])]));
        let temporary = DnsError::Temporary("time-out".to_owned());
        dns.set_addresses("slow.test", Err(temporary.clone()));
        dns.set_mx("two.test", Ok(vec![mx(20, "b.test"), mx(10, "a.test")]));
        dns.set_mx("null.test", Ok(vec![mx(0, "")]));
        dns.set_mx("loop.test", Ok(vec![mx(10, "us.test"), mx(20, "b.test")]));
        dns.set_mx(
            "backup.test",
            Ok(vec![mx(10, "a.test"), mx(20, "us.test"), mx(30, "b.test")]),
        );
        dns.set_mx("own.test", Ok(vec![mx(10, "here.test")]));
        dns.set_mx("doubt.test", Err(temporary));
        dns.set_mx("slowhost.test", Ok(vec![mx(10, "slow.test")]));
        dns.set_mx("gone.test", Ok(vec![mx(10, "nowhere.test")]));
        dns
    }

    async fn ask(domain: &str, config: &QueueConfig) -> Result<Vec<String>, String> {
        let dns = table();
        let clock = VirtualClock::new(1);
        let question = Question {
            domain,
            hostname: "us.test",
            config,
            dns: &dns,
            clock: &clock,
        };
        match route(&question).await {
            Ok(hops) => Ok(hops
                .into_iter()
                .map(|hop| hop.address.to_string())
                .collect()),
            Err(Outcome::Failed(told) | Outcome::Delayed(told) | Outcome::Delivered(told)) => {
                Err(told.status)
            }
        }
    }

    #[tokio::test]
    async fn every_kind_of_answer() {
        let cases: [(&str, Result<&[&str], &str>); 12] = [
            ("two.test", Ok(&["192.0.2.1", "192.0.2.2"])),
            ("bare.test", Ok(&["192.0.2.3"])),
            ("backup.test", Ok(&["192.0.2.1"])),
            ("[192.0.2.9]", Ok(&["192.0.2.9"])),
            ("[IPv6:2001:db8::1]", Ok(&["2001:db8::1"])),
            ("null.test", Err("5.1.10")),
            ("loop.test", Err("5.4.6")),
            ("own.test", Err("5.4.6")),
            ("missing.test", Err("5.1.2")),
            ("doubt.test", Err("4.4.3")),
            ("slowhost.test", Err("4.4.3")),
            ("gone.test", Err("5.4.4")),
        ];
        for (domain, expected) in cases {
            let expected = expected
                .map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>())
                .map_err(str::to_owned);
            assert_eq!(
                ask(domain, &QueueConfig::default()).await,
                expected,
                "{domain}"
            );
        }
    }

    #[tokio::test]
    async fn a_domain_has_a_way_of_its_own() {
        let config = QueueConfig {
            smarthost: Some(Smarthost {
                host: "b.test".to_owned(),
                port: 587,
                implicit_tls: false,
                user: None,
                password: None,
            }),
            routes: vec![
                inside("inside.test", false, None),
                inside("login.test", true, Some("me")),
            ],
            ..QueueConfig::default()
        };
        for (domain, address) in [("Inside.test", "192.0.2.1"), ("two.test", "192.0.2.2")] {
            assert_eq!(ask(domain, &config).await, Ok(vec![address.to_owned()]));
        }
        assert!(config.smarthost_of("inside.test").is_none());
        let user = |domain| config.smarthost_of(domain).map(|it| it.user.as_deref());
        assert_eq!(user("Login.test"), Some(Some("me")));
        assert_eq!(user("two.test"), Some(None));
    }

    fn inside(domain: &str, checked: bool, user: Option<&str>) -> DomainRoute {
        DomainRoute {
            domain: domain.to_owned(),
            to: Smarthost {
                host: "a.test".to_owned(),
                port: 2525,
                implicit_tls: false,
                user: user.map(str::to_owned),
                password: user.map(|_| "secret".to_owned()),
            },
            checked,
        }
    }

    #[tokio::test]
    async fn a_smarthost_takes_all() {
        let config = QueueConfig {
            smarthost: Some(Smarthost {
                host: "b.test".to_owned(),
                port: 587,
                implicit_tls: false,
                user: None,
                password: None,
            }),
            ..QueueConfig::default()
        };
        assert_eq!(
            ask("missing.test", &config).await,
            Ok(vec!["192.0.2.2".to_owned()])
        );
    }
}
