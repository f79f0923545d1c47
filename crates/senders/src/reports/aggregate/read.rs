//! Reading such a report. Known to be written: no namespace or any, no version, upper case, prefixes,
//! `pass` as disposition (RFC 9990), `hardfail`, `unknown` and `error` as results, no selector, no scope.

use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

use super::{AggregateReport, Published, Reason, ReasonKind, Row, Sender, Signature, Verdict};
use crate::dmarc::Policy;
use crate::limits::{
    REPORT_COUNT_MAX, REPORT_DEPTH_MAX, REPORT_LIST_MAX, REPORT_ROWS_MAX, REPORT_TEXT_BYTES_MAX,
};
use crate::reports::{Bad, named, text};
use crate::spf;

/// Bytes of an element's text and name that are looked at: spaces around it do not count.
const TEXT_HELD_BYTES_MAX: usize = 4 * REPORT_TEXT_BYTES_MAX;
const NAME_BYTES_MAX: usize = 64;

/// Without a domain or a time it is no report; all else may be missing. Nothing is fetched or replaced:
/// a document that brings definitions is refused.
pub fn parse(bytes: &[u8]) -> Result<AggregateReport, Bad> {
    let whole = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&whole);
    reader.config_mut().allow_dangling_amp = true;
    let mut reading = Reading::default();
    loop {
        match reader.read_event().map_err(|_| Bad::Malformed)? {
            Event::Start(tag) => reading.open(tag.local_name().into_inner())?,
            Event::Empty(tag) => {
                reading.open(tag.local_name().into_inner())?;
                reading.close();
            }
            Event::End(_) => reading.close(),
            Event::Text(piece) => reading.text(&piece),
            Event::CData(piece) => reading.text(&piece),
            Event::GeneralRef(name) => reading.reference(&name),
            Event::DocType(_) => return Err(Bad::Doctype),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return reading.finish(),
        }
    }
}

#[derive(Default)]
struct Reading {
    /// Names of the elements around, in lower case.
    path: Vec<String>,
    /// Of the innermost.
    text: String,
    report: AggregateReport,
    begin: Option<i64>,
    end: Option<i64>,
    subdomains: Option<Policy>,
    row: Draft,
}

/// A row as far as it was read.
#[derive(Default)]
struct Draft {
    source: Option<IpAddr>,
    count: Option<u64>,
    disposition: Policy,
    dkim: bool,
    spf: bool,
    reasons: Vec<Reason>,
    reason: Reason,
    header_from: String,
    envelope_from: Option<String>,
    envelope_to: Option<String>,
    signatures: Vec<Signature>,
    signature: Signature,
    senders: Vec<Sender>,
    sender: Sender,
}

impl Reading {
    fn open(&mut self, name: &str) -> Result<(), Bad> {
        if self.path.len() >= REPORT_DEPTH_MAX {
            return Err(Bad::TooDeep);
        }
        let name: String = name.chars().take(NAME_BYTES_MAX).collect();
        self.path.push(name.to_ascii_lowercase());
        self.text.clear();
        Ok(())
    }

    fn text(&mut self, piece: &str) {
        for c in piece.chars() {
            if self.text.len() >= TEXT_HELD_BYTES_MAX {
                return;
            }
            if !(self.text.is_empty() && c.is_whitespace()) {
                self.text.push(c);
            }
        }
    }

    /// One that is not known stays as it is written.
    fn reference(&mut self, name: &BytesRef<'_>) {
        if let Ok(Some(c)) = name.resolve_char_ref() {
            self.text(c.encode_utf8(&mut [0; 4]));
        } else if let Some(known) = resolve_predefined_entity(name) {
            self.text(known);
        } else {
            self.text("&");
            self.text(name);
            self.text(";");
        }
    }

    fn close(&mut self) {
        let text = std::mem::take(&mut self.text);
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["feedback", "report_metadata", "date_range", "begin"] => self.begin = number(&text),
            ["feedback", "report_metadata", "date_range", "end"] => self.end = number(&text),
            ["feedback", "report_metadata", name] => metadata(&mut self.report, name, &text),
            ["feedback", "policy_published", "sp"] => {
                self.subdomains = Policy::parse(text.trim());
            }
            ["feedback", "policy_published", name] => {
                published(&mut self.report.published, name, &text);
            }
            ["feedback", "record"] => {
                let draft = std::mem::take(&mut self.row);
                match draft.row(&self.report.published.domain) {
                    Some(row) if self.report.rows.len() < REPORT_ROWS_MAX => {
                        self.report.rows.push(row);
                    }
                    _ => self.report.left_out += 1,
                }
            }
            ["feedback", "record", inside @ ..] => self.row.set(inside, &text),
            _ => {}
        }
        self.path.pop();
    }

    fn finish(mut self) -> Result<AggregateReport, Bad> {
        if !self.path.is_empty() {
            return Err(Bad::Malformed);
        }
        let (Some(begin), Some(end)) = (self.begin, self.end) else {
            return Err(Bad::Incomplete);
        };
        if self.report.published.domain.is_empty() || end < begin {
            return Err(Bad::Incomplete);
        }
        (self.report.begin, self.report.end) = (begin, end);
        let published = &mut self.report.published;
        published.subdomains = self.subdomains.unwrap_or(published.policy);
        Ok(self.report)
    }
}

/// Some write fractions.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn metadata(report: &mut AggregateReport, name: &str, text: &str) {
    match name {
        "org_name" => report.organisation = text::clean(text),
        "email" => report.contact = text::clean(text),
        "extra_contact_info" => report.more_contact = text::some(text),
        "report_id" => report.id = text::clean(text),
        "error" if report.errors.len() < REPORT_LIST_MAX => {
            report.errors.extend(text::some(text));
        }
        _ => {}
    }
}

fn published(published: &mut Published, name: &str, text: &str) {
    let policy = || Policy::parse(text.trim());
    let is = |wanted: &str| text.trim().eq_ignore_ascii_case(wanted);
    match name {
        "domain" => published.domain = text::domain(text),
        "p" => published.policy = policy().unwrap_or_default(),
        "np" => published.nonexistent = policy(),
        "adkim" => published.strict_dkim = is("s"),
        "aspf" => published.strict_spf = is("s"),
        "pct" => {
            let percent = number(text).and_then(|percent| u8::try_from(percent).ok());
            published.percent = percent.unwrap_or(100).min(100);
        }
        "testing" => published.testing = is("y"),
        "fo" => published.failures = text::some(text),
        _ => {}
    }
}

impl Draft {
    fn set(&mut self, inside: &[&str], text: &str) {
        let passes = || text.trim().eq_ignore_ascii_case("pass");
        match inside {
            ["row", "source_ip"] => {
                let text = text.trim().trim_matches(['[', ']']);
                self.source = text.parse().ok().map(|ip: IpAddr| ip.to_canonical());
            }
            ["row", "count"] => {
                let count = number(text).and_then(|count| u64::try_from(count).ok());
                self.count = count.map(|count| count.min(REPORT_COUNT_MAX));
            }
            ["row", "policy_evaluated", "disposition"] => {
                self.disposition = Policy::parse(text.trim()).unwrap_or_default();
            }
            ["row", "policy_evaluated", "dkim"] => self.dkim = passes(),
            ["row", "policy_evaluated", "spf"] => self.spf = passes(),
            ["row", "policy_evaluated", "reason", "type"] => {
                self.reason.kind = ReasonKind::parse(text.trim());
            }
            ["row", "policy_evaluated", "reason", "comment"] => {
                self.reason.comment = text::some(text);
            }
            ["row", "policy_evaluated", "reason"] => keep(&mut self.reasons, &mut self.reason),
            // The second is of early drafts.
            ["identifiers" | "identities", name] => self.identify(name, text),
            ["auth_results", "dkim"] => keep(&mut self.signatures, &mut self.signature),
            ["auth_results", "dkim", name] => signature(&mut self.signature, name, text),
            ["auth_results", "spf"] => keep(&mut self.senders, &mut self.sender),
            ["auth_results", "spf", name] => sender(&mut self.sender, name, text),
            _ => {}
        }
    }

    fn identify(&mut self, name: &str, text: &str) {
        let domain = || Some(text::domain(text)).filter(|domain| !domain.is_empty());
        match name {
            "header_from" => self.header_from = text::domain(text),
            "envelope_from" => self.envelope_from = domain(),
            "envelope_to" => self.envelope_to = domain(),
            _ => {}
        }
    }

    /// `None`: it does not say from where, or how many.
    fn row(self, domain: &str) -> Option<Row> {
        let header_from = match self.header_from.is_empty() {
            true => domain.to_owned(),
            false => self.header_from,
        };
        Some(Row {
            source: self.source?,
            count: self.count?,
            disposition: self.disposition,
            dkim: self.dkim,
            spf: self.spf,
            reasons: self.reasons,
            header_from,
            envelope_from: self.envelope_from,
            envelope_to: self.envelope_to,
            signatures: self.signatures,
            senders: self.senders,
        })
    }
}

fn keep<T: Default>(list: &mut Vec<T>, one: &mut T) {
    let one = std::mem::take(one);
    if list.len() < REPORT_LIST_MAX {
        list.push(one);
    }
}

fn signature(signature: &mut Signature, name: &str, text: &str) {
    match name {
        "domain" => signature.domain = text::domain(text),
        "selector" => signature.selector = text::some(text),
        "human_result" => signature.human = text::some(text),
        "result" => {
            signature.result = named(&Verdict::WORDS, text.trim()).unwrap_or_default();
        }
        _ => {}
    }
}

fn sender(sender: &mut Sender, name: &str, text: &str) {
    match name {
        "domain" => sender.domain = text::domain(text),
        "scope" => sender.of_hello = text.trim().eq_ignore_ascii_case("helo"),
        "result" => {
            sender.result = match text.trim().to_ascii_lowercase().as_str() {
                "pass" => spf::Outcome::Pass,
                "fail" | "hardfail" => spf::Outcome::Fail,
                "softfail" => spf::Outcome::SoftFail,
                "neutral" => spf::Outcome::Neutral,
                "temperror" | "unknown" => spf::Outcome::TempError,
                "permerror" | "error" => spf::Outcome::PermError,
                _ => spf::Outcome::None,
            };
        }
        _ => {}
    }
}
