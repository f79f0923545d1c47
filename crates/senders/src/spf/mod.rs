//! SPF, RFC 7208: may this address send for that domain?
//!
//! [`check`] is run anew after each answer of DNS: its counters begin at nought each time, so that
//! the limits of RFC 7208 §4.6.4 hold whatever comes in which order.

mod macros;
mod record;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::dns::{Answers, Nothing, Wanted, is_name, is_under};
use crate::limits;
use macros::{Spec, Values};
use record::{Cidr, Mechanism, Qualifier, Record};

pub use macros::reverse_name;

/// RFC 7208 §2.6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    #[default]
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    TempError,
    PermError,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::None => "none",
            Outcome::Neutral => "neutral",
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::SoftFail => "softfail",
            Outcome::TempError => "temperror",
            Outcome::PermError => "permerror",
        })
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub ip: IpAddr,
    /// As the client said it.
    pub hello: &'a str,
    /// The reverse-path; empty: the check is of `postmaster@` the client's name (RFC 7208 §2.4).
    pub sender: &'a str,
    /// Our own name.
    pub receiver: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub outcome: Outcome,
    /// The domain that was asked about.
    pub domain: String,
    /// The domain's own words for a refusal: foreign text, for logs only.
    pub explanation: Option<String>,
}

/// RFC 7208 §4: check_host().
pub fn check(query: &Query<'_>, answers: &mut Answers) -> Result<Checked, Wanted> {
    let (local, domain) = match query.sender.rsplit_once('@') {
        Some(("", domain)) => ("postmaster", domain),
        Some(parts) => parts,
        None => ("postmaster", query.hello),
    };
    let mut check = Check {
        query,
        local,
        sender_domain: domain,
        answers,
        lookups: 0,
        voids: 0,
        explanation: None,
    };
    // RFC 7208 §4.3: a name of one label is none in the sense of mail.
    let named = is_name(domain) && domain.trim_end_matches('.').contains('.');
    let outcome = match named && !domain.starts_with('[') {
        true => match check.host(domain, false) {
            Ok(outcome) => outcome,
            Err(Stop::Wanted) => return Err(Wanted),
            Err(Stop::PermError) => Outcome::PermError,
            Err(Stop::TempError) => Outcome::TempError,
        },
        false => Outcome::None,
    };
    Ok(Checked {
        outcome,
        domain: domain.to_ascii_lowercase(),
        explanation: check.explanation.filter(|_| outcome == Outcome::Fail),
    })
}

/// Ends the evaluation at once.
enum Stop {
    Wanted,
    PermError,
    TempError,
}

impl From<Wanted> for Stop {
    fn from(_: Wanted) -> Self {
        Stop::Wanted
    }
}

struct Check<'a> {
    query: &'a Query<'a>,
    local: &'a str,
    sender_domain: &'a str,
    answers: &'a mut Answers,
    lookups: u32,
    voids: u32,
    explanation: Option<String>,
}

impl Check<'_> {
    /// `included`: explanations of included domains are not ours (RFC 7208 §6.2). The depth is
    /// bounded by the count of look-ups.
    fn host(&mut self, domain: &str, included: bool) -> Result<Outcome, Stop> {
        let record = match self.record(domain)? {
            Some(record) => record,
            None => return Ok(Outcome::None),
        };
        for (qualifier, mechanism) in &record.directives {
            if self.matches(mechanism, domain)? {
                let outcome = match qualifier {
                    Qualifier::Pass => Outcome::Pass,
                    Qualifier::Fail => Outcome::Fail,
                    Qualifier::SoftFail => Outcome::SoftFail,
                    Qualifier::Neutral => Outcome::Neutral,
                };
                if outcome == Outcome::Fail && !included {
                    self.explain(&record, domain)?;
                }
                return Ok(outcome);
            }
        }
        let Some(redirect) = &record.redirect else {
            return Ok(Outcome::Neutral);
        };
        self.count()?;
        let target = self.name(redirect, domain)?;
        if !is_name(&target) {
            return Err(Stop::PermError);
        }
        match self.host(&target, included)? {
            Outcome::None => Err(Stop::PermError),
            outcome => Ok(outcome),
        }
    }

    fn record(&mut self, domain: &str) -> Result<Option<Record>, Stop> {
        let records = match self.answers.txt(domain)? {
            Ok(records) => records,
            Err(Nothing::Temporary) => return Err(Stop::TempError),
            Err(_) => return Ok(None),
        };
        let mut ours = records.iter().filter(|record| record::is_spf(record));
        match (ours.next(), ours.next()) {
            (None, _) => Ok(None),
            (Some(record), None) => record::parse(record).map(Some).map_err(|_| Stop::PermError),
            (Some(_), Some(_)) => Err(Stop::PermError),
        }
    }

    fn count(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > limits::SPF_LOOKUPS_MAX {
            return Err(Stop::PermError);
        }
        Ok(())
    }

    fn void(&mut self) -> Result<(), Stop> {
        self.voids += 1;
        if self.voids > limits::SPF_VOID_LOOKUPS_MAX {
            return Err(Stop::PermError);
        }
        Ok(())
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        let ip = self.query.ip;
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Network(network, length) => Ok(record::contains(*network, *length, ip)),
            Mechanism::Include(spec) => {
                self.count()?;
                let target = self.name(spec, domain)?;
                // RFC 7208 §5.2, the table.
                match self.host(&target, true)? {
                    Outcome::Pass => Ok(true),
                    Outcome::Fail | Outcome::SoftFail | Outcome::Neutral => Ok(false),
                    Outcome::TempError => Err(Stop::TempError),
                    Outcome::PermError | Outcome::None => Err(Stop::PermError),
                }
            }
            Mechanism::A(spec, cidr) => {
                self.count()?;
                let target = self.target(spec.as_ref(), domain)?;
                self.host_has(&target, *cidr, true)
            }
            Mechanism::Mx(spec, cidr) => {
                self.count()?;
                let target = self.target(spec.as_ref(), domain)?;
                self.mx_has(&target, *cidr)
            }
            Mechanism::Ptr(spec) => {
                self.count()?;
                let target = self.target(spec.as_ref(), domain)?;
                let names = self.validated_names()?;
                Ok(names.iter().any(|name| is_under(name, &target)))
            }
            Mechanism::Exists(spec) => {
                self.count()?;
                let target = self.name(spec, domain)?;
                if !is_name(&target) {
                    return Ok(false);
                }
                // RFC 7208 §5.7: an A record even for a client with IPv6.
                match self.answers.a(&target)? {
                    Ok(_) => Ok(true),
                    Err(Nothing::Temporary) => Err(Stop::TempError),
                    Err(_) => self.void().map(|()| false),
                }
            }
        }
    }

    fn host_has(&mut self, host: &str, cidr: Cidr, counted: bool) -> Result<bool, Stop> {
        if !is_name(host) {
            return Ok(false);
        }
        let ip = self.query.ip;
        let found = match ip {
            IpAddr::V4(_) => self.answers.a(host)?.map(|list| {
                list.iter()
                    .any(|have| record::contains((*have).into(), cidr.four, ip))
            }),
            IpAddr::V6(_) => self.answers.aaaa(host)?.map(|list| {
                list.iter()
                    .any(|have| record::contains((*have).into(), cidr.six, ip))
            }),
        };
        match found {
            Ok(has) => Ok(has),
            Err(Nothing::Temporary) => Err(Stop::TempError),
            Err(_) if counted => self.void().map(|()| false),
            Err(_) => Ok(false),
        }
    }

    fn mx_has(&mut self, domain: &str, cidr: Cidr) -> Result<bool, Stop> {
        if !is_name(domain) {
            return Ok(false);
        }
        let mut hosts: Vec<String> = match self.answers.mx(domain)? {
            Ok(list) => list.iter().map(|(_, host)| host.clone()).collect(),
            Err(Nothing::Temporary) => return Err(Stop::TempError),
            Err(_) => return self.void().map(|()| false),
        };
        if hosts.len() > limits::SPF_MX_MAX {
            return Err(Stop::PermError);
        }
        // One after the other would wait for each: what is missing is asked for together.
        hosts.retain(|host| is_name(host));
        let mut wanted = false;
        for host in &hosts {
            wanted |= match self.query.ip {
                IpAddr::V4(_) => self.answers.a(host).is_err(),
                IpAddr::V6(_) => self.answers.aaaa(host).is_err(),
            };
        }
        if wanted {
            return Err(Stop::Wanted);
        }
        for host in &hosts {
            if self.host_has(host, cidr, false)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// RFC 7208 §5.5: names of the client's address that lead back to it.
    fn validated_names(&mut self) -> Result<Vec<String>, Stop> {
        Ok(validated_names(self.query.ip, self.answers)?)
    }

    fn target(&mut self, spec: Option<&Spec>, domain: &str) -> Result<String, Stop> {
        match spec {
            Some(spec) => self.name(spec, domain),
            None => Ok(domain.to_owned()),
        }
    }

    fn name(&mut self, spec: &Spec, domain: &str) -> Result<String, Stop> {
        let client = self.client_name(spec, domain)?;
        Ok(macros::name(spec, &self.values(domain, &client)))
    }

    /// `%{p}`: the domain itself, else a name under it, else any (RFC 7208 §7.3).
    fn client_name(&mut self, spec: &Spec, domain: &str) -> Result<String, Stop> {
        if !spec.wants_name() {
            return Ok(String::new());
        }
        let names = self.validated_names()?;
        let exact = names.iter().find(|name| name.eq_ignore_ascii_case(domain));
        let under = || names.iter().find(|name| is_under(name, domain));
        let found = exact.or_else(under).or_else(|| names.first());
        Ok(found.map_or_else(|| "unknown".to_owned(), String::clone))
    }

    fn values<'b>(&'b self, domain: &'b str, name: &'b str) -> Values<'b> {
        Values {
            local: self.local,
            sender_domain: self.sender_domain,
            domain,
            ip: self.query.ip,
            name,
            hello: self.query.hello,
            receiver: self.query.receiver,
            now: self.query.now,
        }
    }

    /// RFC 7208 §6.2: whatever goes wrong here means that there is no explanation.
    fn explain(&mut self, record: &Record, domain: &str) -> Result<(), Stop> {
        self.explanation = None;
        let Some(spec) = &record.explanation else {
            return Ok(());
        };
        let target = self.name(spec, domain)?;
        let text = match self.answers.txt(&target)? {
            Ok([text]) => text.clone(),
            _ => return Ok(()),
        };
        let Ok(text) = String::from_utf8(text) else {
            return Ok(());
        };
        let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if !text.bytes().all(printable) {
            return Ok(());
        }
        let Ok(spec) = macros::parse(&text, true) else {
            return Ok(());
        };
        let client = self.client_name(&spec, domain)?;
        let mut expanded = macros::expand(&spec, &self.values(domain, &client));
        expanded.truncate(limits::SPF_EXPLANATION_BYTES_MAX);
        self.explanation = Some(expanded);
        Ok(())
    }
}

/// Names of the address that lead back to it, at most [`limits::PTR_MAX`] looked at. What DNS can't
/// say now does not count (RFC 7208 §5.5).
pub(crate) fn validated_names(ip: IpAddr, answers: &mut Answers) -> Result<Vec<String>, Wanted> {
    let names: Vec<String> = match answers.ptr(&reverse_name(ip))? {
        Ok(names) => names
            .iter()
            .map(|name| name.trim_end_matches('.').to_owned())
            .filter(|name| is_name(name))
            .take(limits::PTR_MAX)
            .collect(),
        Err(_) => return Ok(Vec::new()),
    };
    let mut wanted = None;
    let mut valid = Vec::new();
    for name in names {
        let leads_back = match ip {
            IpAddr::V4(ip) => answers
                .a(&name)
                .map(|list| list.is_ok_and(|list| list.contains(&ip))),
            IpAddr::V6(ip) => answers
                .aaaa(&name)
                .map(|list| list.is_ok_and(|list| list.contains(&ip))),
        };
        match leads_back {
            Ok(true) => valid.push(name),
            Ok(false) => {}
            Err(more) => wanted = Some(more),
        }
    }
    match wanted {
        Some(wanted) => Err(wanted),
        None => Ok(valid),
    }
}
