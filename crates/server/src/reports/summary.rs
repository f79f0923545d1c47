//! What the reports about a domain come to: who sends in its name, how much passes, what that probably
//! means, and whether it may ask for more. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use serde::Serialize;

use super::entry::{DAY_SECONDS, Entry, Row, Said};
use super::limits::{
    FAILURES_TOLD_MAX, NAMES_TOLD_MAX, REPORTERS_TOLD_MAX, SOURCES_MAX, SOURCES_TOLD_MAX,
};

/// Days that reports have to cover, and letters, before they say anything about a policy.
const DAYS_ENOUGH: usize = 14;
const LETTERS_ENOUGH: u64 = 50;
/// One letter of so many may go wrong.
const WRONG_ONE_OF: u64 = 100;
/// Servers with one IPv6 network are one.
const V6_NETWORK_BITS: u32 = 64;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Those whose sender is proven; all that follows is of them.
    pub reports: u64,
    /// The others, of mail and of TLS.
    pub unproven: u64,
    /// What looked like a report and could not be read.
    pub unread: u64,
    /// Days that the reports of mail are about.
    pub days: usize,
    /// What the domain asked for, as the newest of them says.
    pub policy: Option<String>,
    pub reporters: Vec<Reporter>,
    pub letters: Letters,
    /// Those with most failing letters first, then those with most letters.
    pub sources: Vec<Source>,
    /// Sources that are not told.
    pub more_sources: usize,
    pub advice: Advice,
    pub tls: Tls,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reporter {
    pub domain: String,
    pub reports: u64,
    pub letters: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Letters {
    pub all: u64,
    /// By one or both of these, of the domain itself.
    pub passed: u64,
    pub signed: u64,
    pub sent: u64,
    pub quarantined: u64,
    pub rejected: u64,
}

impl Letters {
    fn add(&mut self, row: &Row) {
        let count = |add: bool, to: &mut u64| {
            *to = to.saturating_add(if add { row.count } else { 0 });
        };
        count(true, &mut self.all);
        count(row.dkim || row.spf, &mut self.passed);
        count(row.dkim, &mut self.signed);
        count(row.spf, &mut self.sent);
        count(row.done == "quarantine", &mut self.quarantined);
        count(row.done == "reject", &mut self.rejected);
    }

    fn failed(&self) -> u64 {
        self.all.saturating_sub(self.passed)
    }
}

/// An address, or a network of IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    pub source: String,
    pub letters: Letters,
    pub meaning: Meaning,
    /// Domains that signed or sent what failed.
    pub others: Vec<String>,
    /// Domains in From.
    pub from: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// All of it passes.
    #[default]
    Good,
    /// It is this server, and not all of it passes.
    Own,
    /// Most of it passes.
    Mostly,
    /// Lists and forwarding.
    PassedOn,
    /// Somebody who signs or sends as himself.
    Service,
    /// Neither signed nor allowed.
    Nobody,
}

/// Whether the domain may ask for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    #[default]
    NoReports,
    TooFew,
    /// What is probably the domain's own fails.
    LookFirst,
    Quarantine,
    Reject,
    /// It asks for rejection, and that is right.
    Stay,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tls {
    pub reports: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub failures: Vec<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// As RFC 8460 §4.3 calls it.
    pub why: String,
    /// Host of ours; empty: not said.
    pub host: String,
    pub connections: u64,
}

/// Adds reports up.
#[derive(Debug)]
pub struct Adding {
    own: Vec<IpAddr>,
    /// Only what is not proven.
    unproven: bool,
    summary: Summary,
    days: BTreeSet<i64>,
    newest: i64,
    reporters: HashMap<String, Reporter>,
    sources: HashMap<String, Sum>,
    more: usize,
    failures: BTreeMap<(String, String), u64>,
}

#[derive(Debug, Default)]
struct Sum {
    letters: Letters,
    own: bool,
    passed_on: u64,
    by_others: u64,
    others: BTreeSet<String>,
    from: BTreeSet<String>,
}

impl Adding {
    /// `own`: the server's addresses. `unproven`: of those reports of mail only that nobody proved.
    pub fn new(own: Vec<IpAddr>, unproven: bool) -> Self {
        Adding {
            own,
            unproven,
            summary: Summary::default(),
            days: BTreeSet::new(),
            newest: i64::MIN,
            reporters: HashMap::new(),
            sources: HashMap::new(),
            more: 0,
            failures: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, entry: Entry) {
        let is_wanted = entry.proven != self.unproven;
        match entry.said {
            Said::Unread { .. } => self.summary.unread += 1,
            _ if !entry.proven && !self.unproven => self.summary.unproven += 1,
            Said::Mail {
                policy,
                rows,
                rest,
                rest_passed,
            } if is_wanted => {
                self.summary.reports += 1;
                let reporter = self.reporters.entry(entry.by.clone()).or_default();
                reporter.domain = entry.by;
                reporter.reports += 1;
                let all = rows.iter().map(|row| row.count);
                let all = all.fold(rest, u64::saturating_add);
                reporter.letters = reporter.letters.saturating_add(all);
                let middle = entry.begin.midpoint(entry.end);
                self.days.insert(middle.div_euclid(DAY_SECONDS));
                if entry.end >= self.newest {
                    self.newest = entry.end;
                    self.summary.policy = Some(policy);
                }
                let letters = &mut self.summary.letters;
                letters.all = letters.all.saturating_add(rest);
                letters.passed = letters.passed.saturating_add(rest_passed);
                rows.iter().for_each(|row| self.row(row));
            }
            Said::Tls {
                succeeded,
                failed,
                rows,
            } if is_wanted && !self.unproven => {
                self.summary.reports += 1;
                let tls = &mut self.summary.tls;
                tls.reports += 1;
                tls.succeeded = tls.succeeded.saturating_add(succeeded);
                tls.failed = tls.failed.saturating_add(failed);
                for row in rows {
                    let count = self.failures.entry((row.why, row.host)).or_default();
                    *count = count.saturating_add(row.count);
                }
            }
            Said::Mail { .. } | Said::Tls { .. } => {}
        }
    }

    fn row(&mut self, row: &Row) {
        self.summary.letters.add(row);
        let source = network(row.source);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            self.more += 1;
            return;
        }
        let sum = self.sources.entry(source).or_default();
        sum.letters.add(row);
        sum.own |= self.own.contains(&row.source);
        let failed = !(row.dkim || row.spf);
        if failed && row.passed_on {
            sum.passed_on = sum.passed_on.saturating_add(row.count);
        } else if failed && !row.other.is_empty() {
            sum.by_others = sum.by_others.saturating_add(row.count);
        }
        if failed && sum.others.len() < NAMES_TOLD_MAX && !row.other.is_empty() {
            sum.others.insert(row.other.clone());
        }
        if sum.from.len() < NAMES_TOLD_MAX {
            sum.from.insert(row.from.clone());
        }
    }

    pub fn finish(mut self) -> Summary {
        let mut summary = self.summary;
        let sources = self.sources.drain();
        let mut sources: Vec<Source> = sources.map(|(source, sum)| sum.told(source)).collect();
        let wrong = |source: &Source| match source.meaning {
            Meaning::Own | Meaning::Mostly | Meaning::Service => source.letters.failed(),
            Meaning::Good | Meaning::PassedOn | Meaning::Nobody => 0,
        };
        let wrong = sources.iter().map(wrong).fold(0, u64::saturating_add);
        summary.days = self.days.len();
        summary.advice = advice(&summary, wrong);
        sources.sort_by(|a, b| {
            let rank = |source: &Source| (source.letters.failed(), source.letters.all);
            rank(b).cmp(&rank(a)).then(a.source.cmp(&b.source))
        });
        summary.more_sources = self.more + sources.len().saturating_sub(SOURCES_TOLD_MAX);
        sources.truncate(SOURCES_TOLD_MAX);
        summary.sources = sources;
        summary.reporters = self.reporters.into_values().collect();
        summary
            .reporters
            .sort_by(|a, b| b.letters.cmp(&a.letters).then(a.domain.cmp(&b.domain)));
        summary.reporters.truncate(REPORTERS_TOLD_MAX);
        let failures = self.failures.into_iter();
        summary.tls.failures = failures
            .map(|((why, host), connections)| Failure {
                why,
                host,
                connections,
            })
            .collect();
        let failures = &mut summary.tls.failures;
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.connections));
        failures.truncate(FAILURES_TOLD_MAX);
        summary
    }
}

impl Sum {
    fn told(self, source: String) -> Source {
        Source {
            source,
            meaning: self.meaning(),
            letters: self.letters,
            others: self.others.into_iter().collect(),
            from: self.from.into_iter().collect(),
        }
    }

    fn meaning(&self) -> Meaning {
        let failed = self.letters.failed();
        let half = failed.div_ceil(2);
        if failed == 0 {
            Meaning::Good
        } else if self.own {
            Meaning::Own
        } else if self.letters.passed >= failed {
            Meaning::Mostly
        } else if self.passed_on >= half {
            Meaning::PassedOn
        } else if self.by_others >= half {
            Meaning::Service
        } else {
            Meaning::Nobody
        }
    }
}

/// `wrong`: letters that fail and are probably the domain's own.
fn advice(summary: &Summary, wrong: u64) -> Advice {
    let letters = &summary.letters;
    if summary.days == 0 {
        Advice::NoReports
    } else if summary.days < DAYS_ENOUGH || letters.all < LETTERS_ENOUGH {
        Advice::TooFew
    } else if wrong.saturating_mul(WRONG_ONE_OF) > letters.passed {
        Advice::LookFirst
    } else {
        match summary.policy.as_deref() {
            Some("reject") => Advice::Stay,
            Some("quarantine") => Advice::Reject,
            _ => Advice::Quarantine,
        }
    }
}

fn network(source: IpAddr) -> String {
    match source {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let mask = u128::MAX << (u128::BITS - V6_NETWORK_BITS);
            let network = Ipv6Addr::from_bits(ip.to_bits() & mask);
            format!("{network}/{V6_NETWORK_BITS}")
        }
    }
}
