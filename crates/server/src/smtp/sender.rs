//! What is asked about the sender of a message while it comes in, and what is written of it.

use facteur_filter::Vouched;
use facteur_message::Facts;
use facteur_senders::results::{self, Findings};
use facteur_senders::strain::Strainer;
use facteur_senders::{Seen, Tap, dkim, spf};
use facteur_smtp::server::Refusal;

use super::Driver;
use super::decide::Door;
use crate::admin::domain_to_ascii;
use crate::drive::Stream;
use crate::senders::{self, Arrived, Author, Told, Word};

/// Between the wire and the spool.
#[derive(Debug)]
pub(super) struct Checks {
    /// Takes out what only we may write (RFC 8601 §5).
    strainer: Option<Strainer>,
    /// Sees the message as it was sent, forged fields included: a signature may cover them.
    tap: Option<Tap>,
}

impl Checks {
    /// What of these bytes is kept.
    pub(super) fn pass<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        if let Some(tap) = &mut self.tap {
            tap.push(bytes);
        }
        match &mut self.strainer {
            Some(strainer) => strainer.push(bytes),
            None => bytes,
        }
    }

    /// What was held back, and what was seen.
    pub(super) fn finish(self) -> (Vec<u8>, Option<Seen>) {
        let rest = self.strainer.map(Strainer::finish).unwrap_or_default();
        (rest, self.tap.map(Tap::finish))
    }
}

/// What was found out about the sender.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) findings: Findings,
    /// Authentication-Results.
    results: String,
    told: Told,
    /// A list warns of the peer.
    pub(super) listed: bool,
}

impl Origin {
    /// Authentication-Results alone.
    pub(super) fn results(&self) -> &str {
        &self.results
    }

    /// The fields that go in front of Received.
    pub(super) fn fields(&self) -> String {
        format!("{}{}", self.results, self.told.field())
    }

    /// As the history is told.
    pub(super) fn codes(&self) -> String {
        self.told.codes()
    }

    /// Whether a report to this reverse-path would go to who sent the message.
    pub(super) fn is_proven(&self, reverse_path: &str) -> bool {
        is_proven(&self.findings, reverse_path)
    }

    /// As the junk filter is told. Another's signature is no sign of junk: lists and mailing services
    /// put theirs on what they pass on.
    pub(super) fn vouched(&self) -> Vouched {
        match self.told.word {
            Word::Signed(_) | Word::Sent(_) => Vouched::Aligned,
            Word::Nobody | Word::Denied(_) => Vouched::Nobody,
            Word::OtherSigned(_) | Word::Unknown => Vouched::Unknown,
        }
    }
}

/// The domain of the reverse-path sent it (SPF), signed it, or stands behind the author in that very
/// domain (DMARC). Of the null reverse-path nothing is to be proven.
fn is_proven(findings: &Findings, reverse_path: &str) -> bool {
    let Some((_, domain)) = reverse_path.rsplit_once('@') else {
        return reverse_path.is_empty();
    };
    let domain = domain_to_ascii(domain).to_lowercase();
    // Who owns a domain owns those below it, and not the other way round.
    let owns = |owner: &str| {
        let owner = owner.to_lowercase();
        let below = domain.strip_suffix(owner.as_str());
        owner.contains('.') && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let sent = !findings.spf_of_hello && findings.spf.outcome == spf::Outcome::Pass;
    let mut signatures = findings.dkim.iter();
    let signed = signatures.any(|one| one.outcome == dkim::Outcome::Pass && owns(&one.domain));
    let aligned = findings.dmarc.aligned.is_some() && owns(&findings.dmarc.domain);
    sent || signed || aligned
}

impl<S: Stream> Driver<S> {
    /// A server of this machine (LMTP) has done its own checks, and its results stay.
    pub(super) fn checks(&self) -> Checks {
        let hostname = &self.wire.context().config.hostname;
        let strained = self.door() != Door::Lmtp;
        Checks {
            strainer: strained.then(|| Strainer::new(hostname)),
            tap: self.is_checked().then(Tap::for_checking),
        }
    }

    /// Strangers on port 25; behind this machine and a trusted relay is somebody else.
    pub(super) fn is_checked(&self) -> bool {
        self.door() == Door::Mx && self.stranger().is_some() && self.wire.context().dns.is_some()
    }

    pub(super) async fn origin(
        &self,
        facts: &Facts,
        author: &Author,
        seen: &Seen,
    ) -> Result<Option<Origin>, Refusal> {
        let ctx = self.wire.context();
        let (Some(dns), Some(ip)) = (&ctx.dns, self.wire.peer().address.ip()) else {
            return Ok(None);
        };
        let Author::One(from) = author else {
            return Ok(None);
        };
        let arrived = Arrived {
            ip,
            hello: self.session.hello_name().unwrap_or_default(),
            reverse_path: self.reverse_path(),
            receiver: &ctx.config.hostname,
            from,
            now: ctx.clock.now().seconds(),
        };
        let lists = &ctx.config.dns_lists;
        let (findings, listed) = tokio::join!(
            senders::gather(&**dns, &arrived, seen),
            senders::listed(&**dns, ip, lists)
        );
        let vouched = findings.dmarc.aligned.is_some();
        let trick = ctx
            .people
            .trick(&ctx.store, facts, vouched)
            .map_err(|error| self.store_failed(&error))?;
        let told = senders::tell(&findings, trick);
        tracing::info!(
            session = %self.wire.peer().session,
            spf = %findings.spf.outcome,
            dkim = findings.dkim.first().map_or("none".to_owned(), |one| one.outcome.to_string()),
            dmarc = %findings.dmarc.outcome,
            author = from,
            told = told.texts(false).join("; "),
            listed = listed.unwrap_or_default(),
            "sender checked"
        );
        Ok(Some(Origin {
            results: results::field(&ctx.config.hostname, ip, &findings),
            findings,
            told,
            listed: listed.is_some(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use facteur_senders::dmarc::{self, Aligned};

    use super::*;

    #[test]
    fn to_whom_a_report_may_go() {
        let spf = |outcome, spf_of_hello| Findings {
            spf: spf::Checked {
                outcome,
                ..spf::Checked::default()
            },
            spf_of_hello,
            ..Findings::default()
        };
        let signed = |domain: &str, outcome| Findings {
            dkim: vec![dkim::Checked {
                outcome,
                domain: domain.to_owned(),
                selector: String::new(),
                algorithm: None,
                prefix: String::new(),
                testing: false,
            }],
            ..Findings::default()
        };
        let aligned = |domain: &str| Findings {
            dmarc: dmarc::Checked {
                domain: domain.to_owned(),
                aligned: Some(Aligned::Signed(domain.to_owned())),
                ..dmarc::Checked::default()
            },
            ..Findings::default()
        };
        let path = "a@Mail.bank.test";
        for (findings, path, proven) in [
            (Findings::default(), path, false),
            (Findings::default(), "", true),
            (spf(spf::Outcome::Pass, false), path, true),
            (spf(spf::Outcome::Pass, true), path, false),
            (spf(spf::Outcome::SoftFail, false), path, false),
            (spf(spf::Outcome::TempError, false), path, false),
            (signed("mail.bank.test", dkim::Outcome::Pass), path, true),
            (signed("BANK.test", dkim::Outcome::Pass), path, true),
            (signed("bank.test", dkim::Outcome::Fail("x")), path, false),
            // Whoever writes in another's name signs in his own.
            (signed("evil.test", dkim::Outcome::Pass), path, false),
            (signed("ank.test", dkim::Outcome::Pass), path, false),
            (signed("test", dkim::Outcome::Pass), path, false),
            (signed("a.mail.bank.test", dkim::Outcome::Pass), path, false),
            (aligned("bank.test"), path, true),
            (aligned("evil.test"), path, false),
        ] {
            assert_eq!(is_proven(&findings, path), proven, "{path} {findings:?}");
        }
    }
}
