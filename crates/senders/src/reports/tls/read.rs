//! Reading such a report. Known to be written: one host or policy in the place of a list, `null` for what
//! is missing, numbers in quotes, times without a zone.

use std::net::IpAddr;

use facteur_message::date::parse_rfc3339;
use serde::de::MapAccess;

use super::{Failure, FailureKind, PolicyKind, Tally, TlsReport};
use crate::limits::{REPORT_LIST_MAX, TLS_FAILURES_MAX, TLS_POLICIES_MAX};
use crate::reports::lenient::{List, Number, Part, Text, members};
use crate::reports::{Bad, text};

/// With fractions of a second passed over, and UTC where no zone stands.
fn moment(text: &str) -> Option<i64> {
    let text = text.trim();
    let (time, rest) = text.split_at_checked(19)?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let time = time.replace(' ', "T");
    parse_rfc3339(&time, if zone.is_empty() { "Z" } else { zone })
}

/// Without a domain or a time it is no report; all else may be missing.
pub fn parse(bytes: &[u8]) -> Result<TlsReport, Bad> {
    let text = String::from_utf8_lossy(bytes);
    let Part(read) = serde_json::from_str::<Part<ReadReport>>(&text).map_err(|_| Bad::Malformed)?;
    let Part(range) = read.range;
    let (begin, end) = (moment(&range.begin.0), moment(&range.end.0));
    let (Some(begin), Some(end)) = (begin, end) else {
        return Err(Bad::Incomplete);
    };
    if read.policies.0.is_empty() || end < begin {
        return Err(Bad::Incomplete);
    }
    Ok(TlsReport {
        organisation: read.organisation.0,
        contact: read.contact.0,
        id: read.id.0,
        begin,
        end,
        policies: read
            .policies
            .0
            .into_iter()
            .map(|Part(tally)| tally.tally())
            .collect(),
    })
}

#[derive(Default)]
struct ReadReport {
    organisation: Text,
    contact: Text,
    id: Text,
    range: Part<ReadRange>,
    policies: List<Part<ReadTally>, TLS_POLICIES_MAX>,
}

#[derive(Default)]
struct ReadRange {
    begin: Text,
    end: Text,
}

#[derive(Default)]
struct ReadTally {
    policy: Part<ReadPolicy>,
    summary: Part<ReadSummary>,
    failures: List<Part<ReadFailure>, TLS_FAILURES_MAX>,
}

#[derive(Default)]
struct ReadPolicy {
    kind: Text,
    strings: List<Text, REPORT_LIST_MAX>,
    domain: Text,
    hosts: List<Text, REPORT_LIST_MAX>,
}

#[derive(Default)]
struct ReadSummary {
    succeeded: Number,
    failed: Number,
}

#[derive(Default)]
struct ReadFailure {
    kind: Text,
    sending: Text,
    host: Text,
    hello: Text,
    receiving: Text,
    count: Number,
    more: Text,
    code: Text,
}

impl ReadTally {
    fn tally(self) -> Tally {
        let (Part(policy), Part(summary)) = (self.policy, self.summary);
        let texts = |list: List<Text, REPORT_LIST_MAX>| {
            let texts = list.0.into_iter().map(|Text(text)| text);
            texts.filter(|text| !text.is_empty()).collect()
        };
        Tally {
            kind: PolicyKind::parse(&policy.kind.0),
            policy: texts(policy.strings),
            domain: text::domain(&policy.domain.0),
            hosts: texts(policy.hosts),
            succeeded: summary.succeeded.0,
            failed: summary.failed.0,
            failures: self
                .failures
                .0
                .into_iter()
                .map(|Part(read)| read.failure())
                .collect(),
        }
    }
}

impl ReadFailure {
    fn failure(self) -> Failure {
        let some = |Text(text): Text| Some(text).filter(|text| !text.is_empty());
        let ip = |Text(text): Text| text.parse().ok().map(|ip: IpAddr| ip.to_canonical());
        Failure {
            kind: FailureKind::parse(&self.kind.0),
            sending: ip(self.sending),
            host: some(self.host),
            hello: some(self.hello),
            receiving: ip(self.receiving),
            count: self.count.0,
            more: some(self.more),
            code: some(self.code),
        }
    }
}

members!(ReadReport,
    "organization-name" => organisation,
    "contact-info" => contact,
    "report-id" => id,
    "date-range" => range,
    "policies" => policies,
);
members!(ReadRange, "start-datetime" => begin, "end-datetime" => end);
members!(ReadTally,
    "policy" => policy,
    "summary" => summary,
    "failure-details" => failures,
);
members!(ReadPolicy,
    "policy-type" => kind,
    "policy-string" => strings,
    "policy-domain" => domain,
    "mx-host" => hosts,
    // The name in the RFC's own sample.
    "mx-host-pattern" => hosts,
);
members!(ReadSummary,
    "total-successful-session-count" => succeeded,
    "total-failure-session-count" => failed,
);
members!(ReadFailure,
    "result-type" => kind,
    "sending-mta-ip" => sending,
    "receiving-mx-hostname" => host,
    "receiving-mx-helo" => hello,
    "receiving-ip" => receiving,
    "failed-session-count" => count,
    "additional-information" => more,
    "additional-info-uri" => more,
    "failure-reason-code" => code,
);
