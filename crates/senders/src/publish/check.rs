//! Is it in DNS, and right?

use std::net::IpAddr;

use super::{Key, Purpose, Record, Role, Service, Site};
use crate::dkim;
use crate::dmarc;
use crate::dns::{Answers, Nothing, Wanted};
use crate::limits;
use crate::spf;

/// What DNS says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub state: State,
    /// What is wrong, or could be better.
    pub problem: Option<Problem>,
    /// What is there in its place: foreign text.
    pub found: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Good,
    Missing,
    Wrong,
    /// DNS does not answer.
    Unknown,
}

impl State {
    /// Stable.
    pub fn word(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Missing => "missing",
            State::Wrong => "wrong",
            State::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Mail for the domain goes to other hosts only.
    MxElsewhere,
    /// Other hosts take mail too.
    MxBeside,
    /// The domain says that it takes no mail (RFC 7505).
    MxNull,
    SpfTwice,
    SpfBroken,
    /// The server's address may not send.
    SpfOthers,
    /// Something else is under the key's name.
    KeyOther,
    /// The key signs, and nobody can check it.
    KeySigns,
    /// The record is gone too early.
    KeyRetired,
    DmarcTwice,
    DmarcBroken,
    /// It asks for nothing yet.
    DmarcWatches,
    /// Several records about reports of TLS, or one that names nobody.
    TlsReportsBroken,
    /// They go to others, so that there are none to show here.
    TlsReportsElsewhere,
    ServiceElsewhere,
    /// The name of the policy leads to other hosts.
    PolicyElsewhere,
    /// Another policy is announced, or several.
    PolicyOther,
    /// The name of the address is another, or does not lead back.
    ReverseOther,
}

impl Problem {
    pub const ALL: [Problem; 18] = [
        Problem::MxElsewhere,
        Problem::MxBeside,
        Problem::MxNull,
        Problem::SpfTwice,
        Problem::SpfBroken,
        Problem::SpfOthers,
        Problem::KeyOther,
        Problem::KeySigns,
        Problem::KeyRetired,
        Problem::DmarcTwice,
        Problem::DmarcBroken,
        Problem::DmarcWatches,
        Problem::TlsReportsBroken,
        Problem::TlsReportsElsewhere,
        Problem::ServiceElsewhere,
        Problem::PolicyElsewhere,
        Problem::PolicyOther,
        Problem::ReverseOther,
    ];

    /// Stable.
    pub fn word(self) -> &'static str {
        match self {
            Problem::MxElsewhere => "mx_elsewhere",
            Problem::MxBeside => "mx_beside",
            Problem::MxNull => "mx_null",
            Problem::SpfTwice => "spf_twice",
            Problem::SpfBroken => "spf_broken",
            Problem::SpfOthers => "spf_others",
            Problem::KeyOther => "key_other",
            Problem::KeySigns => "key_signs",
            Problem::KeyRetired => "key_retired",
            Problem::DmarcTwice => "dmarc_twice",
            Problem::DmarcBroken => "dmarc_broken",
            Problem::DmarcWatches => "dmarc_watches",
            Problem::TlsReportsBroken => "tls_reports_broken",
            Problem::TlsReportsElsewhere => "tls_reports_elsewhere",
            Problem::ServiceElsewhere => "service_elsewhere",
            Problem::PolicyElsewhere => "policy_elsewhere",
            Problem::PolicyOther => "policy_other",
            Problem::ReverseOther => "reverse_other",
        }
    }
}

fn finding(state: State, problem: Option<Problem>) -> Finding {
    Finding {
        state,
        problem,
        found: Vec::new(),
    }
}

fn good() -> Finding {
    finding(State::Good, None)
}

fn wrong(problem: Problem) -> Finding {
    finding(State::Wrong, Some(problem))
}

fn nothing(why: Nothing) -> Finding {
    finding(
        match why {
            Nothing::Temporary => State::Unknown,
            Nothing::NoSuchName | Nothing::NoRecords => State::Missing,
        },
        None,
    )
}

impl Finding {
    fn with(mut self, found: impl IntoIterator<Item = String>) -> Self {
        self.found = found.into_iter().take(limits::RECORDS_MAX).collect();
        self
    }
}

/// One finding for each record. All questions that are known are asked together.
pub fn check(
    site: &Site<'_>,
    records: &[Record],
    answers: &mut Answers,
) -> Result<Vec<Finding>, Wanted> {
    let findings: Vec<Result<Finding, Wanted>> = records
        .iter()
        .map(|record| one(site, record, answers))
        .collect();
    findings.into_iter().collect()
}

fn one(site: &Site<'_>, record: &Record, answers: &mut Answers) -> Result<Finding, Wanted> {
    match record.purpose {
        Purpose::Mx => mx(site, answers),
        Purpose::Address => address(site, record, answers),
        Purpose::Reverse => reverse(site, answers),
        Purpose::Spf => spf(site, answers),
        Purpose::Dkim(place) => match site.keys.get(place) {
            Some(key) => dkim(key, &record.name, answers),
            None => Ok(finding(State::Unknown, None)),
        },
        Purpose::Dmarc => dmarc(&record.name, answers),
        Purpose::TlsReports => tls_reports(site, &record.name, answers),
        Purpose::Service(service) => srv(site, service, &record.name, answers),
        Purpose::PolicyHost => policy_host(site, &record.name, answers),
        Purpose::Policy => policy(site, &record.name, answers),
    }
}

fn same(name: &str, other: &str) -> bool {
    name.trim_end_matches('.').eq_ignore_ascii_case(other)
}

fn mx(site: &Site<'_>, answers: &mut Answers) -> Result<Finding, Wanted> {
    let hosts = match answers.mx(site.domain)? {
        Ok(hosts) => hosts,
        Err(why) => return Ok(nothing(why)),
    };
    let listed = hosts
        .iter()
        .map(|(preference, host)| format!("{preference} {host}."));
    let is_ours = |(_, host): &(u16, String)| same(host, site.hostname);
    let judged = if hosts.iter().all(|(_, host)| host.is_empty()) {
        wrong(Problem::MxNull)
    } else if !hosts.iter().any(is_ours) {
        wrong(Problem::MxElsewhere)
    } else if hosts.iter().all(is_ours) {
        good()
    } else {
        finding(State::Good, Some(Problem::MxBeside))
    };
    Ok(judged.with(listed))
}

/// The server's addresses; `Err` in the inside: why there are none.
fn addresses(
    site: &Site<'_>,
    answers: &mut Answers,
) -> Result<Result<Vec<IpAddr>, Nothing>, Wanted> {
    addresses_of(site.hostname, answers)
}

fn addresses_of(host: &str, answers: &mut Answers) -> Result<Result<Vec<IpAddr>, Nothing>, Wanted> {
    let four = answers.a(host);
    let four = four.map(|found| found.map(|list| list.iter().map(|ip| IpAddr::V4(*ip)).collect()));
    let six = answers.aaaa(host);
    let six = six.map(|found| found.map(|list| list.iter().map(|ip| IpAddr::V6(*ip)).collect()));
    let (four, six): (Result<Vec<IpAddr>, _>, Result<Vec<IpAddr>, _>) = (four?, six?);
    Ok(match (four, six) {
        (Ok(mut four), Ok(six)) => {
            four.extend(six);
            Ok(four)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(Nothing::Temporary), _) | (_, Err(Nothing::Temporary)) => Err(Nothing::Temporary),
        (Err(why), Err(_)) => Err(why),
    })
}

/// With one family there need not be the other.
fn address(site: &Site<'_>, record: &Record, answers: &mut Answers) -> Result<Finding, Wanted> {
    let found = match addresses(site, answers)? {
        Ok(found) => found,
        Err(why) => return Ok(nothing(why)),
    };
    let of_kind = |ip: &&IpAddr| ip.is_ipv4() == (record.kind == "A");
    let listed = found.iter().filter(of_kind).map(IpAddr::to_string);
    let wanted = record.value.as_str();
    let state = match wanted.is_empty() || found.iter().any(|ip| ip.to_string() == wanted) {
        true => State::Good,
        false => State::Missing,
    };
    Ok(finding(state, None).with(listed))
}

/// RFC 8601 §3: the address has a name that leads back to it. Many hosts want it to be the name
/// with which we greet.
fn reverse(site: &Site<'_>, answers: &mut Answers) -> Result<Finding, Wanted> {
    let found = match addresses(site, answers)? {
        Ok(found) => found,
        Err(why) => return Ok(nothing(why)),
    };
    let asked: Vec<_> = found
        .iter()
        .map(|ip| match answers.ptr(&spf::reverse_name(*ip))? {
            Ok(names) => Ok(Ok(names.to_vec())),
            Err(why) => Ok(Err(why)),
        })
        .collect();
    let mut worst = good();
    let mut listed = Vec::new();
    for (ip, names) in found.iter().zip(asked) {
        let judged = match names? {
            Ok(names) => {
                let named = names.iter().any(|name| same(name, site.hostname));
                listed.extend(names.iter().map(|name| format!("{ip} {name}.")));
                if named {
                    good()
                } else {
                    wrong(Problem::ReverseOther)
                }
            }
            Err(why) => {
                listed.push(ip.to_string());
                nothing(why)
            }
        };
        if rank(judged.state) > rank(worst.state) {
            worst = judged;
        }
    }
    Ok(worst.with(listed))
}

fn rank(state: State) -> u8 {
    match state {
        State::Good => 0,
        State::Unknown => 1,
        State::Missing => 2,
        State::Wrong => 3,
    }
}

/// Whether the record is written as we would does not matter: what it says of our addresses does.
fn spf(site: &Site<'_>, answers: &mut Answers) -> Result<Finding, Wanted> {
    let texts = match answers.txt(site.domain)? {
        Ok(texts) => texts,
        Err(why) => return Ok(nothing(why)),
    };
    let texts = texts.iter().map(|text| String::from_utf8_lossy(text));
    let found: Vec<String> = texts
        .filter(|text| {
            let text = text.to_ascii_lowercase();
            text == "v=spf1" || text.starts_with("v=spf1 ")
        })
        .map(|text| text.into_owned())
        .collect();
    let ours = match found.len() {
        0 => return Ok(finding(State::Missing, None)),
        1 => addresses(site, answers)?,
        _ => return Ok(wrong(Problem::SpfTwice).with(found)),
    };
    let sender = format!("postmaster@{}", site.domain);
    let asked: Vec<_> = ours
        .unwrap_or_default()
        .into_iter()
        .map(|ip| {
            let query = spf::Query {
                ip,
                hello: site.hostname,
                sender: &sender,
                receiver: site.hostname,
                now: 0,
            };
            spf::check(&query, answers)
        })
        .collect();
    let mut worst = finding(State::Good, None);
    for checked in asked {
        let judged = match checked?.outcome {
            spf::Outcome::Pass => good(),
            spf::Outcome::TempError => finding(State::Unknown, None),
            spf::Outcome::PermError | spf::Outcome::None => wrong(Problem::SpfBroken),
            spf::Outcome::Neutral | spf::Outcome::Fail | spf::Outcome::SoftFail => {
                wrong(Problem::SpfOthers)
            }
        };
        if rank(judged.state) > rank(worst.state) {
            worst = judged;
        }
    }
    Ok(worst.with(found))
}

fn dkim(key: &Key, name: &str, answers: &mut Answers) -> Result<Finding, Wanted> {
    let texts = match answers.txt(name)? {
        Ok(texts) => texts,
        Err(why) => {
            let mut finding = nothing(why);
            if finding.state == State::Missing {
                finding.problem = match key.role {
                    Role::Waits => None,
                    Role::Signs => Some(Problem::KeySigns),
                    Role::Retired => Some(Problem::KeyRetired),
                };
            }
            return Ok(finding);
        }
    };
    let is_it = |text: &Vec<u8>| dkim::publishes(text, key.algorithm, &key.public);
    // RFC 6376 §3.6.2.2: with several records it is not defined which one counts.
    if texts.iter().all(is_it) {
        return Ok(good());
    }
    let found = texts
        .iter()
        .map(|text| String::from_utf8_lossy(text).into_owned());
    Ok(wrong(Problem::KeyOther).with(found))
}

fn dmarc(name: &str, answers: &mut Answers) -> Result<Finding, Wanted> {
    let texts = match answers.txt(name)? {
        Ok(texts) => texts,
        Err(why) => return Ok(nothing(why)),
    };
    // RFC 7489 §6.6.3: what does not begin so is not looked at.
    let texts: Vec<&Vec<u8>> = texts
        .iter()
        .filter(|text| text.starts_with(b"v=DMARC1"))
        .collect();
    let judged = match texts.as_slice() {
        [] => finding(State::Missing, None),
        [one] => match dmarc::Record::parse(one) {
            None => wrong(Problem::DmarcBroken),
            Some(record) if record.only_watches() => {
                finding(State::Good, Some(Problem::DmarcWatches))
            }
            Some(_) => good(),
        },
        _ => wrong(Problem::DmarcTwice),
    };
    let found = texts
        .iter()
        .map(|text| String::from_utf8_lossy(text).into_owned());
    Ok(judged.with(found))
}

/// The records that begin so.
fn texts_of(
    name: &str,
    begins: &str,
    answers: &mut Answers,
) -> Result<Result<Vec<String>, Nothing>, Wanted> {
    let texts = match answers.txt(name)? {
        Ok(texts) => texts,
        Err(why) => return Ok(Err(why)),
    };
    let texts = texts.iter();
    let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
    Ok(Ok(texts.filter(|text| text.starts_with(begins)).collect()))
}

/// RFC 8460 §3: what does not begin so is not looked at; with several there is none.
fn tls_reports(site: &Site<'_>, name: &str, answers: &mut Answers) -> Result<Finding, Wanted> {
    let texts = match texts_of(name, "v=TLSRPTv1", answers)? {
        Ok(texts) => texts,
        Err(why) => return Ok(nothing(why)),
    };
    let named = |text: &String| {
        let mut fields = text.split(';').map(str::trim);
        let rua = fields.find_map(|field| field.strip_prefix("rua="));
        rua.filter(|rua| !rua.trim().is_empty()).map(str::to_owned)
    };
    let own = format!("mailto:{}", site.reports_to);
    let judged = match texts.as_slice() {
        [] => finding(State::Missing, None),
        [one] => match named(one) {
            None => wrong(Problem::TlsReportsBroken),
            Some(rua)
                if rua
                    .split(',')
                    .any(|uri| uri.trim().eq_ignore_ascii_case(&own)) =>
            {
                good()
            }
            Some(_) => finding(State::Good, Some(Problem::TlsReportsElsewhere)),
        },
        _ => wrong(Problem::TlsReportsBroken),
    };
    Ok(judged.with(texts))
}

fn srv(
    site: &Site<'_>,
    service: Service,
    name: &str,
    answers: &mut Answers,
) -> Result<Finding, Wanted> {
    let found = match answers.srv(name)? {
        Ok(found) => found,
        Err(why) => return Ok(nothing(why)),
    };
    let ours = found
        .iter()
        .any(|srv| same(&srv.target, site.hostname) && srv.port == service.port);
    let listed = found.iter().map(|srv| {
        let target = &srv.target;
        format!("{} {} {} {target}.", srv.priority, srv.weight, srv.port)
    });
    let judged = if ours {
        good()
    } else {
        wrong(Problem::ServiceElsewhere)
    };
    Ok(judged.with(listed))
}

/// A resolver follows the CNAME; an address record in its place is as good.
fn policy_host(site: &Site<'_>, name: &str, answers: &mut Answers) -> Result<Finding, Wanted> {
    let ours = addresses(site, answers);
    let found = match addresses_of(name, answers)? {
        Ok(found) => found,
        Err(why) => return Ok(nothing(why)),
    };
    let ours = ours?.unwrap_or_default();
    let judged = match found.iter().all(|ip| ours.contains(ip)) {
        true => good(),
        false => wrong(Problem::PolicyElsewhere),
    };
    Ok(judged.with(found.iter().map(IpAddr::to_string)))
}

fn policy(site: &Site<'_>, name: &str, answers: &mut Answers) -> Result<Finding, Wanted> {
    // RFC 8461 §3.1: what does not begin so is not looked at; with several there is none.
    let texts = match texts_of(name, "v=STSv1", answers)? {
        Ok(texts) => texts,
        Err(why) => return Ok(nothing(why)),
    };
    let own = site.policy.map(|policy| policy.record.as_str());
    let bare = |text: &str| text.replace(' ', "").trim_end_matches(';').to_owned();
    let judged = match texts.as_slice() {
        [] => finding(State::Missing, None),
        [one] if own.map(bare) == Some(bare(one)) => good(),
        _ => wrong(Problem::PolicyOther),
    };
    Ok(judged.with(texts))
}
