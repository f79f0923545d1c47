//! DMARC: does the domain in From stand behind the message, and what does it want done if not?
//! RFC 7489, with the tree walk of its successor (RFC 9989 §4.10) in the place of a list of public
//! suffixes: what a domain says of itself in DNS is fresher than any list. `pct` is honoured
//! although the successor has dropped it: old records still carry it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dkim;
use crate::dns::{Answers, Nothing, Wanted, is_name, is_under};
use crate::limits;
use crate::reports::aggregate::Published;
use crate::rua;
use crate::spf;
use crate::tags::is_space;

/// What a domain wants done; ordered by strictness.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Policy {
    #[default]
    None,
    Quarantine,
    Reject,
}

impl Policy {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Some(Policy::None),
            "quarantine" => Some(Policy::Quarantine),
            "reject" => Some(Policy::Reject),
            _ => None,
        }
    }

    fn milder(self) -> Self {
        match self {
            Policy::Reject => Policy::Quarantine,
            Policy::Quarantine | Policy::None => Policy::None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        })
    }
}

/// Is the domain one under which others register theirs?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suffix {
    Yes,
    No,
    Unsaid,
}

/// A policy record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    policy: Policy,
    subdomains: Option<Policy>,
    nonexistent: Option<Policy>,
    strict_dkim: bool,
    strict_spf: bool,
    percent: u8,
    testing: bool,
    suffix: Suffix,
    /// Where aggregate reports go.
    reports: Vec<rua::Place>,
}

impl Record {
    /// Where aggregate reports go.
    pub fn reports(&self) -> &[rua::Place] {
        &self.reports
    }

    /// As a report says it, of the domain that it is the record of.
    pub fn published(&self, domain: &str) -> Published {
        Published {
            domain: domain.to_owned(),
            policy: self.policy,
            subdomains: self.subdomains.unwrap_or(self.policy),
            nonexistent: self.nonexistent,
            strict_dkim: self.strict_dkim,
            strict_spf: self.strict_spf,
            percent: self.percent,
            testing: self.testing,
            failures: None,
        }
    }

    /// It wants to be told, and nothing done.
    pub fn only_watches(&self) -> bool {
        self.policy == Policy::None
    }

    /// RFC 7489 §6.3: what is not understood is passed over. `None`: no record of ours.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut pairs = text.split(';').map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (name.trim_matches(is_space), value.trim_matches(is_space))
        });
        if pairs.next() != Some(("v", "DMARC1")) {
            return None;
        }
        let pairs: Vec<(&str, &str)> = pairs.take(limits::TAGS_MAX).collect();
        let get = |wanted: &str| {
            let mut all = pairs.iter();
            let found = all.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| *value)
        };
        let reports = get("rua").map(rua::parse).unwrap_or_default();
        // RFC 7489 §6.6.3: a record that only wants reports asks for nothing else.
        let policy = match get("p").and_then(Policy::parse) {
            Some(policy) => policy,
            None if !reports.is_empty() => Policy::None,
            None => return None,
        };
        let is = |name, value: &str| get(name).is_some_and(|have| have.eq_ignore_ascii_case(value));
        let percent = get("pct").and_then(|text| text.parse().ok());
        Some(Record {
            policy,
            subdomains: get("sp").and_then(Policy::parse),
            nonexistent: get("np").and_then(Policy::parse),
            strict_dkim: is("adkim", "s"),
            strict_spf: is("aspf", "s"),
            percent: percent.filter(|percent| *percent <= 100).unwrap_or(100),
            testing: is("t", "y"),
            suffix: match get("psd") {
                Some("y" | "Y") => Suffix::Yes,
                Some("n" | "N") => Suffix::No,
                _ => Suffix::Unsaid,
            },
            reports,
        })
    }
}

/// What RFC 7489 §11.2 registers for RFC 8601.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// No policy is published.
    #[default]
    None,
    Pass,
    Fail,
    TempError,
    PermError,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::None => "none",
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::TempError => "temperror",
            Outcome::PermError => "permerror",
        })
    }
}

/// Who stands behind the address in From.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aligned {
    /// By a signature of this domain.
    Signed(String),
    /// By sending it from a server that this domain names.
    Sent(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub outcome: Outcome,
    /// The domain in From.
    pub domain: String,
    /// Whose record it was.
    pub policy_domain: Option<String>,
    /// What that asks for; none when there is no record.
    pub policy: Policy,
    /// Also without any record, when the very domain stands behind it.
    pub aligned: Option<Aligned>,
    pub percent: u8,
    /// The policy is only being tried out.
    pub testing: bool,
    /// Its domain wants reports.
    pub reports: bool,
    /// SPF alone would have done. Of a message whose signature does as well this is told by the names,
    /// without further questions: for statistics.
    pub spf_aligned: bool,
}

impl Checked {
    /// What is to be done with the message. `dice`: 0 to 99, by chance (RFC 7489 §6.6.4: who is not
    /// among the percent gets the next milder policy; RFC 9989 §4.7 `t=y` says the same of all).
    pub fn disposition(&self, dice: u8) -> Policy {
        match self.outcome {
            Outcome::Fail if self.testing || dice >= self.percent => self.policy.milder(),
            Outcome::Fail => self.policy,
            _ => Policy::None,
        }
    }
}

/// `from`: the one domain in From.
pub fn check(
    from: &str,
    spf: &spf::Checked,
    signatures: &[dkim::Checked],
    answers: &mut Answers,
) -> Result<Checked, Wanted> {
    let from = from.trim_end_matches('.').to_ascii_lowercase();
    let mut checked = Checked {
        domain: from.clone(),
        percent: 100,
        ..Checked::default()
    };
    if !is_name(&from) {
        checked.outcome = Outcome::PermError;
        return Ok(checked);
    }
    let walk = walk(&from, answers)?;
    let own = walk.found.first().filter(|(name, _)| *name == from);
    let record = match own {
        Some(own) => Some(own),
        None if walk.doubtful => {
            checked.outcome = Outcome::TempError;
            checked.aligned = aligned(&from, None, spf, signatures, answers)?.found;
            return Ok(checked);
        }
        None => walk.above(),
    };
    let whole = record.map(|(_, record)| (record, walk.organization.as_str()));
    let alignment = aligned(&from, whole, spf, signatures, answers)?;
    checked.spf_aligned = match &alignment.found {
        Some(Aligned::Signed(_)) => seems_aligned(&from, whole, spf),
        Some(Aligned::Sent(_)) => true,
        None => false,
    };
    checked.aligned = alignment.found;
    let Some((name, record)) = record else {
        return Ok(checked);
    };
    checked.outcome = match (&checked.aligned, alignment.doubtful) {
        (Some(_), _) => Outcome::Pass,
        (None, true) => Outcome::TempError,
        (None, false) => Outcome::Fail,
    };
    checked.policy = record.policy;
    if *name != from {
        checked.policy = record.subdomains.unwrap_or(record.policy);
        if let Some(nonexistent) = record.nonexistent
            && checked.outcome == Outcome::Fail
            && !exists(&from, answers)?
        {
            checked.policy = nonexistent;
        }
    }
    checked.policy_domain = Some(name.clone());
    checked.percent = record.percent;
    checked.testing = record.testing;
    let is_mail = |place: &rua::Place| matches!(place, rua::Place::Mail { .. });
    checked.reports = record.reports.iter().any(is_mail);
    Ok(checked)
}

struct Walk {
    /// From the longest name to the shortest.
    found: Vec<(String, Record)>,
    organization: String,
    /// Some name could not be asked.
    doubtful: bool,
}

impl Walk {
    /// The organization's record, else that of the suffix it is registered under.
    fn above(&self) -> Option<&(String, Record)> {
        let own = self
            .found
            .iter()
            .find(|(name, _)| *name == self.organization);
        own.or_else(|| {
            self.found
                .iter()
                .find(|(_, record)| record.suffix == Suffix::Yes)
        })
    }
}

/// RFC 9989 §4.10: up the tree, eight questions at most.
fn walk(domain: &str, answers: &mut Answers) -> Result<Walk, Wanted> {
    let labels: Vec<&str> = domain.split('.').collect();
    let longest = labels.len().min(limits::WALK_LABELS_MAX);
    let mut names = vec![domain.to_owned()];
    for count in (1..=longest).rev() {
        let name = labels
            .get(labels.len() - count..)
            .unwrap_or_default()
            .join(".");
        if name != domain {
            names.push(name);
        }
    }
    let (mut found, mut doubtful, mut wanted) = (Vec::new(), false, None);
    for name in &names {
        match record_at(name, answers) {
            Err(more) => wanted = Some(more),
            Ok(Ok(Some(record))) => found.push((name.clone(), record)),
            Ok(Ok(None)) => {}
            Ok(Err(_)) => doubtful = true,
        }
    }
    if let Some(wanted) = wanted {
        return Err(wanted);
    }
    let mut organization = found.last().map_or(domain, |(name, _)| name).to_owned();
    for (name, record) in &found {
        match record.suffix {
            Suffix::No => organization = name.clone(),
            Suffix::Yes if name != domain => organization = one_below(domain, name),
            Suffix::Yes | Suffix::Unsaid => continue,
        }
        break;
    }
    Ok(Walk {
        found,
        organization,
        doubtful,
    })
}

/// The name one label longer than `above`, on the way down to `domain`.
fn one_below(domain: &str, above: &str) -> String {
    let labels: Vec<&str> = domain.split('.').collect();
    let count = above.split('.').count() + 1;
    let start = labels.len().saturating_sub(count);
    labels.get(start..).unwrap_or_default().join(".")
}

/// RFC 7489 §6.6.3: several records are none.
fn record_at(name: &str, answers: &mut Answers) -> Result<Result<Option<Record>, Nothing>, Wanted> {
    let records = match answers.txt(&format!("_dmarc.{name}"))? {
        Ok(records) => records,
        Err(Nothing::Temporary) => return Ok(Err(Nothing::Temporary)),
        Err(_) => return Ok(Ok(None)),
    };
    let mut ours = records.iter().filter_map(|record| Record::parse(record));
    let first = ours.next();
    Ok(Ok(first.filter(|_| ours.next().is_none())))
}

struct Alignment {
    found: Option<Aligned>,
    /// What would have been needed could not be checked now.
    doubtful: bool,
}

fn aligned(
    from: &str,
    record: Option<(&Record, &str)>,
    spf: &spf::Checked,
    signatures: &[dkim::Checked],
    answers: &mut Answers,
) -> Result<Alignment, Wanted> {
    let mut doubtful = false;
    for signature in signatures {
        let may = matches!(
            signature.outcome,
            dkim::Outcome::Pass | dkim::Outcome::TempError
        );
        let strict = record.is_none_or(|(record, _)| record.strict_dkim);
        let organization = record
            .map(|(_, organization)| organization)
            .filter(|_| !strict);
        if may && same(from, &signature.domain, organization, answers)? {
            match signature.outcome {
                dkim::Outcome::Pass => {
                    return Ok(Alignment {
                        found: Some(Aligned::Signed(signature.domain.clone())),
                        doubtful: false,
                    });
                }
                _ => doubtful = true,
            }
        }
    }
    let may = matches!(spf.outcome, spf::Outcome::Pass | spf::Outcome::TempError);
    let strict = record.is_none_or(|(record, _)| record.strict_spf);
    let organization = record
        .map(|(_, organization)| organization)
        .filter(|_| !strict);
    let mut found = None;
    if may && same(from, &spf.domain, organization, answers)? {
        match spf.outcome {
            spf::Outcome::Pass => found = Some(Aligned::Sent(spf.domain.clone())),
            _ => doubtful = true,
        }
    }
    Ok(Alignment { found, doubtful })
}

fn seems_aligned(from: &str, record: Option<(&Record, &str)>, spf: &spf::Checked) -> bool {
    let relaxed = record.filter(|(record, _)| !record.strict_spf);
    let name = spf.domain.trim_end_matches('.');
    let named = name.eq_ignore_ascii_case(from)
        || relaxed.is_some_and(|(_, organization)| is_under(name, organization));
    spf.outcome == spf::Outcome::Pass && named
}

/// Of a domain, by its record and those above; `None`: DNS does not say.
pub fn organization(domain: &str, answers: &mut Answers) -> Result<Option<String>, Wanted> {
    let walk = walk(domain, answers)?;
    Ok((!walk.doubtful).then_some(walk.organization))
}

/// The record at that very domain, and what it wants.
pub fn record(
    domain: &str,
    answers: &mut Answers,
) -> Result<Result<Option<Record>, Nothing>, Wanted> {
    record_at(domain, answers)
}

/// `organization`: of `from`; `None`: only the very name will do.
fn same(
    from: &str,
    other: &str,
    organization: Option<&str>,
    answers: &mut Answers,
) -> Result<bool, Wanted> {
    let other = other.trim_end_matches('.');
    if from.eq_ignore_ascii_case(other) {
        return Ok(true);
    }
    match organization {
        Some(organization) if is_under(other, organization) && is_name(other) => {
            let other = other.to_ascii_lowercase();
            Ok(walk(&other, answers)?.organization == organization)
        }
        _ => Ok(false),
    }
}

/// RFC 9989 §4.7 `np`: a name that has no address and takes no mail does not exist.
fn exists(name: &str, answers: &mut Answers) -> Result<bool, Wanted> {
    let mx = answers.mx(name).map(|list| !is_nothing(list));
    let four = answers.a(name).map(|list| !is_nothing(list));
    let six = answers.aaaa(name).map(|list| !is_nothing(list));
    Ok(mx? || four? || six?)
}

fn is_nothing<T>(answer: Result<T, Nothing>) -> bool {
    matches!(answer, Err(Nothing::NoSuchName | Nothing::NoRecords))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let full = b"v=DMARC1; p=quarantine; sp=Reject; np=none; adkim=s; aspf=r; pct=20; t=y; \
            psd=n; rua=mailto:a@x.test!10m,https://x.test, mailto:b@y.test";
        let record = Record::parse(full).unwrap();
        assert_eq!(record.policy, Policy::Quarantine);
        assert_eq!(record.subdomains, Some(Policy::Reject));
        assert_eq!(record.nonexistent, Some(Policy::None));
        assert!(record.strict_dkim && !record.strict_spf && record.testing);
        assert_eq!((record.percent, record.suffix), (20, Suffix::No));
        let places = "mailto:a@x.test!10m,https://x.test,mailto:b@y.test";
        assert_eq!(record.reports, rua::parse(places));
        for (text, policy) in [
            ("v=DMARC1;p=none", Some(Policy::None)),
            ("v=DMARC1; p=reject;; pct=900; junk", Some(Policy::Reject)),
            ("v=DMARC1; rua=mailto:a@b.test", Some(Policy::None)),
            ("v=DMARC1; p=odd; rua=mailto:a@b.test", Some(Policy::None)),
            ("v=DMARC1; p=odd", None),
            ("v=DMARC1", None),
            ("v=dmarc1; p=none", None),
            ("p=none; v=DMARC1", None),
            ("v=spf1 -all", None),
        ] {
            let found = Record::parse(text.as_bytes());
            assert_eq!(found.map(|record| record.policy), policy, "{text}");
        }
    }

    #[test]
    fn the_percent_and_the_trial() {
        let failed = |policy, percent, testing| Checked {
            outcome: Outcome::Fail,
            policy,
            percent,
            testing,
            ..Checked::default()
        };
        use Policy::{None, Quarantine, Reject};
        for (policy, percent, testing, dice, expected) in [
            (Reject, 100, false, 99, Reject),
            (Reject, 50, false, 49, Reject),
            (Reject, 50, false, 50, Quarantine),
            (Quarantine, 50, false, 50, None),
            (Reject, 0, false, 0, Quarantine),
            (Reject, 100, true, 0, Quarantine),
            (None, 100, false, 0, None),
        ] {
            let found = failed(policy, percent, testing).disposition(dice);
            assert_eq!(found, expected, "{policy} {percent} {dice}");
        }
        let passed = Checked {
            outcome: Outcome::Pass,
            ..failed(Reject, 100, false)
        };
        assert_eq!(passed.disposition(0), None);
    }
}
