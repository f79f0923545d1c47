//! What is kept of a report: a line of JSON. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use facteur_senders::dmarc::Policy;
use facteur_senders::dns::is_under;
use facteur_senders::reports::aggregate::{AggregateReport, Row as Reported, Verdict};
use facteur_senders::reports::tls::{Tally, TlsReport};
use facteur_senders::reports::{Bad, Report};
use facteur_senders::spf;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::Evidence;
use super::limits::{
    AHEAD_DAYS_MAX, DAYS, DOMAINS_MAX, ROWS_MAX, SPAN_DAYS_MAX, TEXT_CHARS_MAX, UNPROVEN_ROWS_MAX,
};

pub const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A report about one domain of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it came, seconds since 1970.
    pub at: i64,
    /// Ours, as the store spells it.
    pub domain: String,
    /// The domain that reports: proven, or as it says.
    pub by: String,
    /// The same for the same report.
    pub id: u64,
    /// The sender is proven.
    pub proven: bool,
    /// Of what time it tells, seconds since 1970.
    pub begin: i64,
    pub end: i64,
    #[serde(flatten)]
    pub said: Said,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// Of mail.
    Mail {
        /// What the domain asked for at that time.
        policy: String,
        rows: Vec<Row>,
        /// Letters of rows that are not kept, and those that passed.
        rest: u64,
        rest_passed: u64,
    },
    /// Of TLS: connections.
    Tls {
        succeeded: u64,
        failed: u64,
        rows: Vec<TlsRow>,
    },
    /// It could not be read: why.
    Unread { why: String },
}

/// Letters that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    #[serde(rename = "ip")]
    pub source: IpAddr,
    #[serde(rename = "n")]
    pub count: u64,
    pub from: String,
    /// Passed and aligned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dkim: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub spf: bool,
    /// `quarantine` or `reject`; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub done: String,
    /// Another domain that signed it, or else that sent it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub other: String,
    /// Somebody passed it on, as far as the reporter knows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub passed_on: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Connections that failed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsRow {
    /// As RFC 8460 §4.3 calls it.
    pub why: String,
    /// Host of ours.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    #[serde(rename = "n")]
    pub count: u64,
}

/// What a message was told to be about.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub evidence: &'a Evidence,
    /// Ours: whose address it came to.
    pub domain: &'a str,
    /// Of what was attached, to know it again when it can't be read.
    pub hash: u64,
    /// Seconds since 1970.
    pub at: i64,
}

/// What is kept of an attachment. `ours`: the domain of ours that a name is, or is under.
pub fn entries(
    read: Result<Report, Bad>,
    arrival: Arrival<'_>,
    ours: &dyn Fn(&str) -> Option<String>,
) -> Vec<Entry> {
    match read {
        Ok(Report::Aggregate(report)) => vec![mail(&report, arrival, ours)],
        Ok(Report::Tls(report)) => tls(&report, arrival, ours),
        Err(why) => vec![unread(&why.to_string(), arrival)],
    }
}

fn unread(why: &str, arrival: Arrival<'_>) -> Entry {
    let by = short(&arrival.evidence.author);
    Entry {
        at: arrival.at,
        domain: arrival.domain.to_owned(),
        id: id(&["unread", &by, &arrival.hash.to_string()]),
        by,
        proven: false,
        begin: arrival.at,
        end: arrival.at,
        said: Said::Unread {
            why: why.to_owned(),
        },
    }
}

/// What is long ago, or to come, tells nobody anything and would be kept for ever.
fn is_of_now(begin: i64, end: i64, now: i64) -> bool {
    begin >= now - DAYS * DAY_SECONDS
        && end <= now + AHEAD_DAYS_MAX * DAY_SECONDS
        && end - begin <= SPAN_DAYS_MAX * DAY_SECONDS
}

const FOREIGN: &str = "it is about a domain that is not here";
const OTHER_TIME: &str = "it is about another time";

fn mail(
    report: &AggregateReport,
    arrival: Arrival<'_>,
    ours: &dyn Fn(&str) -> Option<String>,
) -> Entry {
    let Some(domain) = ours(&report.published.domain) else {
        return unread(FOREIGN, arrival);
    };
    if !is_of_now(report.begin, report.end, arrival.at) {
        return unread(OTHER_TIME, arrival);
    }
    // RFC 7489 §7.2.1.1: whoever reports stands behind his message.
    let proven = arrival.evidence.vouched;
    let by = match proven {
        true => arrival.evidence.author.clone(),
        false => short(report.contact.rsplit('@').next().unwrap_or_default()),
    };
    let most = if proven { ROWS_MAX } else { UNPROVEN_ROWS_MAX };
    let mut rows = merged(&report.rows);
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    let others = rows.split_off(rows.len().min(most));
    let letters = |rows: &mut dyn Iterator<Item = &Row>| {
        rows.fold(0_u64, |sum, row| sum.saturating_add(row.count))
    };
    let span = format!("{} {}", report.begin, report.end);
    let known = [proven_word(proven), "mail", &domain, &by, &report.id, &span];
    Entry {
        at: arrival.at,
        id: id(&known),
        domain,
        by,
        proven,
        begin: report.begin,
        end: report.end,
        said: Said::Mail {
            policy: report.published.policy.to_string(),
            rows,
            rest: letters(&mut others.iter()),
            rest_passed: letters(&mut others.iter().filter(|row| row.dkim || row.spf)),
        },
    }
}

/// What somebody claims must not hide what another proves.
fn proven_word(proven: bool) -> &'static str {
    if proven { "proven" } else { "claimed" }
}

fn merged(reported: &[Reported]) -> Vec<Row> {
    let mut rows: BTreeMap<_, Row> = BTreeMap::new();
    for one in reported {
        let row = row(one);
        let key = (row.source, row.from.clone(), row.dkim, row.spf);
        let key = (key, row.done.clone(), row.other.clone(), row.passed_on);
        let count = row.count;
        match rows.get_mut(&key) {
            Some(have) => have.count = have.count.saturating_add(count),
            None => {
                rows.insert(key, row);
            }
        }
    }
    rows.into_values().filter(|row| row.count > 0).collect()
}

fn row(reported: &Reported) -> Row {
    use facteur_senders::reports::aggregate::ReasonKind;
    let signed = reported.signatures.iter();
    let signed = signed.filter(|one| one.result == Verdict::Pass && !reported.dkim);
    let sent = reported.senders.iter();
    let sent = sent.filter(|one| one.result == spf::Outcome::Pass && !reported.spf);
    let mut others = signed
        .map(|one| &one.domain)
        .chain(sent.map(|one| &one.domain));
    let other = others.find(|domain| !domain.is_empty());
    Row {
        source: reported.source,
        count: reported.count,
        from: short(&reported.header_from),
        dkim: reported.dkim,
        spf: reported.spf,
        done: match reported.disposition {
            Policy::None => String::new(),
            done => done.to_string(),
        },
        other: other.map(|domain| short(domain)).unwrap_or_default(),
        passed_on: reported.reasons.iter().any(|reason| {
            matches!(
                reason.kind,
                ReasonKind::Forwarded | ReasonKind::MailingList | ReasonKind::TrustedForwarder
            )
        }),
    }
}

fn tls(
    report: &TlsReport,
    arrival: Arrival<'_>,
    ours: &dyn Fn(&str) -> Option<String>,
) -> Vec<Entry> {
    if !is_of_now(report.begin, report.end, arrival.at) {
        return vec![unread(OTHER_TIME, arrival)];
    }
    let mut about: BTreeMap<String, Vec<&Tally>> = BTreeMap::new();
    for tally in &report.policies {
        // Google says no domain where it found no policy.
        let domain = match tally.domain.as_str() {
            "" => Some(arrival.domain.to_owned()),
            name => ours(name),
        };
        if let Some(domain) = domain
            && (about.len() < DOMAINS_MAX || about.contains_key(&domain))
        {
            about.entry(domain).or_default().push(tally);
        }
    }
    if about.is_empty() {
        return vec![unread(FOREIGN, arrival)];
    }
    let by = short(report.submitter().unwrap_or_default()).to_ascii_lowercase();
    // RFC 8460 §3: signed by the reporting domain.
    let mut signers = arrival.evidence.signers.iter();
    let proven = !by.is_empty() && signers.any(|signer| is_under(&by, signer));
    let entries = about.into_iter().map(|(domain, tallies)| {
        let span = format!("{} {}", report.begin, report.end);
        let known = [proven_word(proven), "tls", &domain, &by, &report.id, &span];
        Entry {
            at: arrival.at,
            id: id(&known),
            by: by.clone(),
            proven,
            begin: report.begin,
            end: report.end,
            said: tls_said(&tallies, proven),
            domain,
        }
    });
    entries.collect()
}

/// RFC 8460 §3: what is not signed is ignored; that it came is all that is kept.
fn tls_said(tallies: &[&Tally], proven: bool) -> Said {
    if !proven {
        return Said::Tls {
            succeeded: 0,
            failed: 0,
            rows: Vec::new(),
        };
    }
    let mut rows: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for failure in tallies.iter().flat_map(|tally| &tally.failures) {
        let host = failure.host.as_deref().unwrap_or_default();
        let host = short(host.trim_end_matches('.')).to_ascii_lowercase();
        let count = rows.entry((failure.kind.word(), host)).or_default();
        *count = count.saturating_add(failure.count);
    }
    let mut rows: Vec<TlsRow> = rows
        .into_iter()
        .map(|((why, host), count)| TlsRow {
            why: why.to_owned(),
            host,
            count,
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows.truncate(ROWS_MAX);
    let sum = |one: fn(&Tally) -> u64| {
        let all = tallies.iter().map(|tally| one(tally));
        all.fold(0_u64, u64::saturating_add)
    };
    Said::Tls {
        succeeded: sum(|tally| tally.succeeded),
        failed: sum(|tally| tally.failed),
        rows,
    }
}

fn id(parts: &[&str]) -> u64 {
    XxHash3_64::oneshot(parts.join("\n").as_bytes())
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
