//! A report in words, and the message around it (RFC 7489 §7.2.1.1, RFC 8460 §5.3).

use std::collections::BTreeMap;

use facteur_message::build::{Entity, Header};
use facteur_message::facts::Sent;
use facteur_senders::dmarc;
use facteur_senders::reports::aggregate::{self, AggregateReport};
use facteur_senders::reports::package::{self, Kind, Label};
use facteur_senders::reports::tls::{Failure, Tally, TlsReport};
use facteur_store::Reported;

use super::{DAY_SECONDS, Policy, Session};

/// Of both kinds.
pub(super) struct Facts<'a> {
    pub(super) report: &'a Reported,
    pub(super) kind: Kind,
    /// In whose name it is sent: a domain of ours that signs.
    pub(super) submitter: &'a str,
    pub(super) id: &'a str,
}

impl Facts<'_> {
    fn begin(&self) -> i64 {
        i64::from(self.report.day) * DAY_SECONDS
    }

    /// The last second: most others have it so, and a day then has one date.
    fn end(&self) -> i64 {
        self.begin() + DAY_SECONDS - 1
    }

    fn contact(&self) -> String {
        format!("postmaster@{}", self.submitter)
    }

    fn label(&self) -> Label<'_> {
        Label {
            kind: self.kind,
            domain: &self.report.domain,
            submitter: self.submitter,
            begin: self.begin(),
            end: self.end(),
            id: self.id,
        }
    }

    /// `missed`: messages that are in no row.
    pub(super) fn aggregate(
        &self,
        rows: Vec<(aggregate::Row, u64)>,
        missed: u64,
        record: &dmarc::Record,
    ) -> AggregateReport {
        let rows = rows
            .into_iter()
            .map(|(row, count)| aggregate::Row { count, ..row });
        let missed = (missed > 0).then(|| format!("{missed} more messages are in no row"));
        AggregateReport {
            organisation: self.submitter.to_owned(),
            contact: self.contact(),
            id: self.id.to_owned(),
            begin: self.begin(),
            end: self.end(),
            errors: missed.into_iter().collect(),
            published: record.published(&self.report.domain),
            rows: rows.collect(),
            ..AggregateReport::default()
        }
    }

    pub(super) fn tls(&self, rows: Vec<(Session, u64)>) -> TlsReport {
        let mut tallies: BTreeMap<(String, Vec<String>), Tally> = BTreeMap::new();
        for (Session { policy, failure }, count) in rows {
            let Policy {
                kind,
                domain,
                lines,
                hosts,
            } = policy;
            let place = (format!("{} {domain}", kind.word()), lines.clone());
            let tally = tallies.entry(place).or_insert_with(|| Tally {
                kind,
                policy: lines,
                domain,
                hosts,
                ..Tally::default()
            });
            match failure {
                None => tally.succeeded += count,
                Some(failure) => {
                    tally.failed += count;
                    tally.failures.push(Failure { count, ..failure });
                }
            }
        }
        TlsReport {
            organisation: self.submitter.to_owned(),
            contact: self.contact(),
            id: self.id.to_owned(),
            begin: self.begin(),
            end: self.end(),
            policies: tallies.into_values().collect(),
        }
    }

    /// `packed`: the report, GZIP. `at`: seconds since 1970. `token`: letters and digits that nobody can
    /// guess.
    pub(super) fn message(&self, to: &[String], packed: &[u8], at: i64, token: &str) -> Vec<u8> {
        let label = self.label();
        let name = package::file_name(&label);
        let (submitter, domain) = (self.submitter, self.report.domain.as_str());
        let (about, media_type, subtype) = match self.kind {
            Kind::Aggregate => ("mail in the name of", "application/gzip", "mixed"),
            Kind::Tls => (
                "TLS on connections for",
                "application/tlsrpt+gzip",
                "report; report-type=\"tlsrpt\"",
            ),
        };
        let text = format!(
            "This is a report about {about}\n{domain}\nas {submitter} saw it in one day. The domain\n\
             asks for it in its DNS. A program reads what is attached; nobody reads answers.\n"
        );
        let parts = [
            Entity::text("plain", &text),
            Entity::attachment(media_type, &name, packed),
        ];
        let sent = Sent {
            unix: at,
            offset_minutes: 0,
        };
        let to: Vec<(&str, &str)> = to.iter().map(|address| ("", address.as_str())).collect();
        let mut header = Header::new()
            .date("Date", sent)
            .addresses("From", &[("", &self.contact())])
            .addresses("To", &to)
            .raw("Subject", &package::subject(&label))
            .raw("Message-ID", &format!("<{}@{submitter}>", self.id))
            .raw("Auto-Submitted", "auto-generated");
        if self.kind == Kind::Tls {
            header = header
                .raw("TLS-Report-Domain", domain)
                .raw("TLS-Report-Submitter", submitter)
                // RFC 8689 §5: it may tell of the very trouble that would keep it here.
                .raw("TLS-Required", "No");
        }
        Entity::multipart(subtype, token, &parts).into_message(header)
    }
}

/// As long as the attachment is, when it travels by mail.
pub(super) fn travelling_bytes(packed: &[u8]) -> u64 {
    let bytes = facteur_message::build::base64_lines(packed).len();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
