//! What a message adds to the report that the domain in its From asks for (RFC 7489 §7.2).

use facteur_message::Facts;
use facteur_senders::dmarc::{self, Aligned, Policy};
use facteur_senders::reports::aggregate::{Reason, ReasonKind, Row, Sender, Signature, Verdict};
use facteur_senders::results::Findings;

use super::Driver;
use super::sender::Origin;
use crate::drive::Stream;
use crate::senders::in_ascii;

/// How the subject of a report begins (RFC 7489 §7.2.1.1, RFC 8460 §5.3).
const REPORT: &[u8] = b"report domain:";

impl<S: Stream> Driver<S> {
    /// `done`: what was done with it for that domain's sake.
    pub(super) fn count_for_report(&self, origin: Option<&Origin>, facts: &Facts, done: Policy) {
        let feedback = &self.wire.context().feedback;
        let Some(findings) = origin.map(|origin| &origin.findings) else {
            return;
        };
        let dmarc = &findings.dmarc;
        let (true, true, Some(domain)) = (feedback.is_on(), dmarc.reports, &dmarc.policy_domain)
        else {
            return;
        };
        // Two servers that have nothing else to say would report of each other's reports for ever.
        let subject = facts.envelope.subject.as_deref().unwrap_or_default();
        let start = subject.trim_ascii_start().get(..REPORT.len());
        let is_report = start.is_some_and(|start| start.eq_ignore_ascii_case(REPORT));
        if is_report && dmarc.aligned.is_some() {
            return;
        }
        let Some(source) = self.wire.peer().address.ip() else {
            return;
        };
        let path = self.reverse_path();
        let sender = path.rsplit_once('@').map(|(_, domain)| in_ascii(domain));
        let row = row(findings, done);
        feedback.count_letter(
            domain,
            Row {
                source: source.to_canonical(),
                envelope_from: sender,
                ..row
            },
        );
    }
}

fn row(findings: &Findings, done: Policy) -> Row {
    let dmarc = &findings.dmarc;
    let signatures = findings.dkim.iter().filter(|one| !one.domain.is_empty());
    let signatures = signatures.map(|one| Signature {
        domain: one.domain.to_ascii_lowercase(),
        selector: Some(one.selector.clone()).filter(|selector| !selector.is_empty()),
        result: Verdict::from(&one.outcome),
        human: None,
    });
    Row {
        source: std::net::Ipv4Addr::UNSPECIFIED.into(),
        count: 0,
        disposition: done,
        dkim: matches!(dmarc.aligned, Some(Aligned::Signed(_))),
        spf: dmarc.spf_aligned,
        reasons: reason(dmarc, done).into_iter().collect(),
        header_from: dmarc.domain.clone(),
        envelope_from: None,
        // Whom people here get mail from is nobody else's affair.
        envelope_to: None,
        signatures: signatures.collect(),
        senders: vec![Sender {
            domain: findings.spf.domain.to_ascii_lowercase(),
            of_hello: findings.spf_of_hello,
            result: findings.spf.outcome,
        }],
    }
}

/// Why less was done than the domain asks for.
fn reason(dmarc: &dmarc::Checked, done: Policy) -> Option<Reason> {
    let milder = dmarc.outcome == dmarc::Outcome::Fail && done < dmarc.policy;
    let kind = match dmarc.testing {
        true => ReasonKind::PolicyTestMode,
        false => ReasonKind::SampledOut,
    };
    milder.then_some(Reason {
        kind,
        comment: None,
    })
}

#[cfg(test)]
mod tests {
    use facteur_senders::{dkim, spf};

    use super::*;

    fn findings(outcome: dmarc::Outcome, policy: Policy, testing: bool) -> Findings {
        Findings {
            spf: spf::Checked {
                outcome: spf::Outcome::Pass,
                domain: "Bounce.bank.test".to_owned(),
                explanation: None,
            },
            dkim: vec![dkim::Checked {
                outcome: dkim::Outcome::Fail("the body was changed"),
                domain: "bank.test".to_owned(),
                selector: "one".to_owned(),
                algorithm: None,
                prefix: "abc".to_owned(),
                testing: false,
            }],
            dmarc: dmarc::Checked {
                outcome,
                policy,
                testing,
                domain: "bank.test".to_owned(),
                spf_aligned: outcome == dmarc::Outcome::Pass,
                ..dmarc::Checked::default()
            },
            ..Findings::default()
        }
    }

    #[test]
    fn why_less_was_done() {
        use Policy::{None, Quarantine, Reject};
        use ReasonKind::{PolicyTestMode, SampledOut};
        use dmarc::Outcome::{Fail, Pass, TempError};
        for (outcome, policy, testing, done, expected) in [
            (Fail, Reject, false, Reject, Option::None),
            (Fail, Reject, false, Quarantine, Some(SampledOut)),
            (Fail, Quarantine, true, None, Some(PolicyTestMode)),
            (Fail, None, true, None, Option::None),
            (Pass, Reject, false, None, Option::None),
            (TempError, None, false, None, Option::None),
        ] {
            let row = row(&findings(outcome, policy, testing), done);
            let kinds: Vec<ReasonKind> = row.reasons.iter().map(|reason| reason.kind).collect();
            assert_eq!(kinds, Vec::from_iter(expected), "{outcome} {policy} {done}");
            assert_eq!((row.disposition, row.dkim), (done, false));
            assert_eq!(row.spf, outcome == Pass);
        }
    }

    #[test]
    fn what_was_found_is_told() {
        let row = row(
            &findings(dmarc::Outcome::Pass, Policy::Reject, false),
            Policy::None,
        );
        let [signature] = row.signatures.as_slice() else {
            panic!("{row:?}");
        };
        assert_eq!(
            (signature.result, signature.human.as_deref()),
            (Verdict::Fail, None)
        );
        assert_eq!(row.senders[0].domain, "bounce.bank.test");
        assert_eq!(row.envelope_to, None);
    }
}
