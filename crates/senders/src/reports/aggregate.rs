//! Aggregate reports of mail in a domain's name: RFC 7489 appendix C, read also as RFC 9990 has it.

mod read;

use std::net::IpAddr;

use quick_xml::escape::escape;
use serde::{Deserialize, Serialize};

use super::{named, text, word_of};
use crate::dkim;
use crate::dmarc::Policy;
use crate::spf;

pub use read::parse;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AggregateReport {
    /// Who reports, in its own words.
    pub organisation: String,
    /// An address.
    pub contact: String,
    pub more_contact: Option<String>,
    pub id: String,
    /// Seconds since 1970.
    pub begin: i64,
    pub end: i64,
    /// What went wrong there.
    pub errors: Vec<String>,
    pub published: Published,
    pub rows: Vec<Row>,
    /// Rows that could not be read, or were too many.
    pub left_out: usize,
}

/// The policy that the reporter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub domain: String,
    pub policy: Policy,
    pub subdomains: Policy,
    /// RFC 9990.
    pub nonexistent: Option<Policy>,
    pub strict_dkim: bool,
    pub strict_spf: bool,
    pub percent: u8,
    /// RFC 9990.
    pub testing: bool,
    /// `fo`.
    pub failures: Option<String>,
}

impl Default for Published {
    fn default() -> Self {
        Published {
            domain: String::new(),
            policy: Policy::None,
            subdomains: Policy::None,
            nonexistent: None,
            strict_dkim: false,
            strict_spf: false,
            percent: 100,
            testing: false,
            failures: None,
        }
    }
}

/// Letters that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    pub source: IpAddr,
    pub count: u64,
    /// What the reporter did with them.
    pub disposition: Policy,
    /// Passed and aligned.
    pub dkim: bool,
    pub spf: bool,
    /// Why it did something else than was asked for.
    pub reasons: Vec<Reason>,
    pub header_from: String,
    pub envelope_from: Option<String>,
    pub envelope_to: Option<String>,
    pub signatures: Vec<Signature>,
    pub senders: Vec<Sender>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    pub kind: ReasonKind,
    pub comment: Option<String>,
}

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum ReasonKind {
    Forwarded,
    SampledOut,
    TrustedForwarder,
    MailingList,
    LocalPolicy,
    /// RFC 9990.
    PolicyTestMode,
    #[default]
    Other,
}

impl ReasonKind {
    /// As they are written.
    pub const WORDS: [(ReasonKind, &'static str); 7] = [
        (ReasonKind::Forwarded, "forwarded"),
        (ReasonKind::SampledOut, "sampled_out"),
        (ReasonKind::TrustedForwarder, "trusted_forwarder"),
        (ReasonKind::MailingList, "mailing_list"),
        (ReasonKind::LocalPolicy, "local_policy"),
        (ReasonKind::PolicyTestMode, "policy_test_mode"),
        (ReasonKind::Other, "other"),
    ];

    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    pub fn parse(word: &str) -> Self {
        named(&Self::WORDS, word).unwrap_or_default()
    }
}

/// A signature, whether aligned or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    pub domain: String,
    pub selector: Option<String>,
    pub result: Verdict,
    pub human: Option<String>,
}

/// A result of DKIM without its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    #[default]
    None,
    Pass,
    Fail,
    Policy,
    Neutral,
    TempError,
    PermError,
}

impl Verdict {
    /// As they are written.
    pub const WORDS: [(Verdict, &'static str); 7] = [
        (Verdict::None, "none"),
        (Verdict::Pass, "pass"),
        (Verdict::Fail, "fail"),
        (Verdict::Policy, "policy"),
        (Verdict::Neutral, "neutral"),
        (Verdict::TempError, "temperror"),
        (Verdict::PermError, "permerror"),
    ];

    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

impl From<&dkim::Outcome> for Verdict {
    fn from(outcome: &dkim::Outcome) -> Self {
        match outcome {
            dkim::Outcome::Pass => Verdict::Pass,
            dkim::Outcome::Fail(_) => Verdict::Fail,
            dkim::Outcome::Policy(_) => Verdict::Policy,
            dkim::Outcome::Neutral(_) => Verdict::Neutral,
            dkim::Outcome::TempError => Verdict::TempError,
            dkim::Outcome::PermError(_) => Verdict::PermError,
        }
    }
}

/// What SPF said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sender {
    pub domain: String,
    /// Of the greeting, for want of an envelope sender.
    pub of_hello: bool,
    pub result: spf::Outcome,
}

impl AggregateReport {
    /// XML in the order of RFC 7489's schema.
    pub fn write(&self) -> Vec<u8> {
        let mut xml = Xml::default();
        xml.out
            .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xml.within("feedback", |xml| {
            xml.leaf("version", "1.0");
            xml.within("report_metadata", |xml| {
                xml.leaf("org_name", &self.organisation);
                xml.leaf("email", &self.contact);
                xml.leaf_if("extra_contact_info", self.more_contact.as_deref());
                xml.leaf("report_id", &self.id);
                xml.within("date_range", |xml| {
                    xml.leaf("begin", &self.begin.to_string());
                    xml.leaf("end", &self.end.to_string());
                });
                self.errors
                    .iter()
                    .for_each(|error| xml.leaf("error", error));
            });
            self.published.write(xml);
            self.rows.iter().for_each(|row| row.write(xml));
        });
        xml.out.into_bytes()
    }
}

impl Published {
    fn write(&self, xml: &mut Xml) {
        let mode = |strict| if strict { "s" } else { "r" };
        xml.within("policy_published", |xml| {
            xml.leaf("domain", &self.domain);
            xml.leaf("adkim", mode(self.strict_dkim));
            xml.leaf("aspf", mode(self.strict_spf));
            xml.leaf("p", &self.policy.to_string());
            xml.leaf("sp", &self.subdomains.to_string());
            let nonexistent = self.nonexistent.map(|policy| policy.to_string());
            xml.leaf_if("np", nonexistent.as_deref());
            xml.leaf("pct", &self.percent.to_string());
            xml.leaf_if("testing", self.testing.then_some("y"));
            xml.leaf_if("fo", self.failures.as_deref());
        });
    }
}

impl Row {
    fn write(&self, xml: &mut Xml) {
        xml.within("record", |xml| {
            xml.within("row", |xml| self.write_row(xml));
            xml.within("identifiers", |xml| {
                xml.leaf_if("envelope_to", self.envelope_to.as_deref());
                xml.leaf_if("envelope_from", self.envelope_from.as_deref());
                xml.leaf("header_from", &self.header_from);
            });
            xml.within("auth_results", |xml| self.write_results(xml));
        });
    }

    fn write_row(&self, xml: &mut Xml) {
        let passes = |aligned| if aligned { "pass" } else { "fail" };
        xml.leaf("source_ip", &self.source.to_string());
        xml.leaf("count", &self.count.to_string());
        xml.within("policy_evaluated", |xml| {
            xml.leaf("disposition", &self.disposition.to_string());
            xml.leaf("dkim", passes(self.dkim));
            xml.leaf("spf", passes(self.spf));
            for reason in &self.reasons {
                xml.within("reason", |xml| {
                    xml.leaf("type", reason.kind.word());
                    xml.leaf_if("comment", reason.comment.as_deref());
                });
            }
        });
    }

    fn write_results(&self, xml: &mut Xml) {
        for signature in &self.signatures {
            xml.within("dkim", |xml| {
                xml.leaf("domain", &signature.domain);
                xml.leaf_if("selector", signature.selector.as_deref());
                xml.leaf("result", signature.result.word());
                xml.leaf_if("human_result", signature.human.as_deref());
            });
        }
        for sender in &self.senders {
            xml.within("spf", |xml| {
                xml.leaf("domain", &sender.domain);
                xml.leaf("scope", if sender.of_hello { "helo" } else { "mfrom" });
                xml.leaf("result", &sender.result.to_string());
            });
        }
    }
}

#[derive(Default)]
struct Xml {
    out: String,
    depth: usize,
}

impl Xml {
    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.indent();
        self.out.extend(["<", name, ">\n"]);
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.indent();
        self.out.extend(["</", name, ">\n"]);
    }

    fn leaf(&mut self, name: &str, value: &str) {
        let value = text::clean(value);
        self.indent();
        self.out
            .extend(["<", name, ">", &escape(value.as_str()), "</", name, ">\n"]);
    }

    fn leaf_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }
}
