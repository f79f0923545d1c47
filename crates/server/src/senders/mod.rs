//! Who sent what comes in on port 25, and can that be believed: the questions of
//! [`facteur_senders`] asked to DNS, all that are known at once, within one bound of time.
//!
//! What DNS does not say in time is a temporary error; nobody is refused for our resolver's sake.
//! Processes of this machine and its loopback addresses are not asked about.

mod listed;
mod people;
mod word;

use std::future::poll_fn;
use std::net::IpAddr;
use std::task::Poll;

use facteur_message::{Degraded, Facts, facts};
use facteur_senders::dns::{Answers, Question, Wanted};
use facteur_senders::results::Findings;
use facteur_senders::{Seen, arc, dkim, dmarc, reverse, spf};
use tokio::time::timeout;

use crate::dns::{Asked, Dns};
use crate::limits;

pub use listed::listed;
pub use people::People;
pub use word::{Told, Word, tell};

/// What SMTP said of a message.
#[derive(Clone, Debug)]
pub struct Arrived<'a> {
    pub ip: IpAddr,
    pub hello: &'a str,
    /// Empty for null.
    pub reverse_path: String,
    /// Our name.
    pub receiver: &'a str,
    /// The domain in From, in A-labels.
    pub from: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// Whom From names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Author {
    /// No field, two fields, nobody in it, or what can't be read.
    #[default]
    Unclear,
    /// Mailboxes of several domains: nobody can vouch for all of them.
    Several,
    /// Mailboxes of one domain, in A-labels. Without a domain: empty.
    One(String),
}

/// RFC 7489 §6.6.1: one From with one domain.
pub fn author(facts: &Facts) -> Author {
    let unread = [
        Degraded::AUTHORS,
        Degraded::HEADER_BLOCK,
        Degraded::HEADER_FIELDS,
    ];
    let hidden = unread.iter().any(|unread| facts.degraded.contains(*unread));
    if facts.header.from_count != 1 || hidden {
        return Author::Unclear;
    }
    let mut found: Option<String> = None;
    for address in &facts.envelope.from {
        let facts::Address::Mailbox { domain, .. } = address else {
            continue;
        };
        let domain = in_ascii(&String::from_utf8_lossy(
            domain.as_deref().unwrap_or_default(),
        ));
        match &found {
            Some(have) if *have != domain => return Author::Several,
            _ => found = Some(domain),
        }
    }
    found.map_or(Author::Unclear, Author::One)
}

/// A-labels, lower case; what is no name stays as it is.
pub(crate) fn in_ascii(domain: &str) -> String {
    let domain = domain.trim_end_matches('.');
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase())
}

/// Asks and checks.
pub async fn gather(dns: &dyn Dns, arrived: &Arrived<'_>, seen: &Seen) -> Findings {
    let mut answers = Answers::default();
    let asking = async {
        loop {
            if let Ok(findings) = evaluate(arrived, seen, &mut answers) {
                return findings;
            }
            ask_all(dns, &mut answers).await;
        }
    };
    match timeout(limits::SENDER_CHECKS, asking).await {
        Ok(findings) => findings,
        Err(_) => loop {
            // Every round gives up on at least one question, and there is a bound of them.
            if let Ok(findings) = evaluate(arrived, seen, &mut answers) {
                return findings;
            }
            answers.give_up();
        },
    }
}

fn evaluate(arrived: &Arrived<'_>, seen: &Seen, answers: &mut Answers) -> Result<Findings, Wanted> {
    let sender = match arrived.reverse_path.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", in_ascii(domain)),
        None => String::new(),
    };
    let query = spf::Query {
        ip: arrived.ip,
        hello: arrived.hello,
        sender: &sender,
        receiver: arrived.receiver,
        now: arrived.now,
    };
    // Nothing waits for another: all questions that are known are asked together.
    let spf = spf::check(&query, answers);
    let dkim = dkim::verify(seen, arrived.now, answers);
    let arc = arc::check(seen, arrived.now, answers);
    let reverse = reverse::check(arrived.ip, answers);
    let policy = dmarc::check(arrived.from, &spf::Checked::default(), &[], answers);
    let (spf, dkim) = (spf?, dkim?);
    let dmarc = dmarc::check(arrived.from, &spf, &dkim, answers);
    policy?;
    Ok(Findings {
        dmarc: dmarc?,
        arc: arc?,
        reverse: reverse?,
        spf_of_hello: sender.is_empty(),
        spf,
        dkim,
    })
}

/// Asks all open questions side by side.
pub(crate) async fn ask_all(dns: &dyn Dns, answers: &mut Answers) {
    let questions = answers.take_wanted();
    let mut open: Vec<(&Question, Asked<'_>)> = questions
        .iter()
        .map(|question| (question, dns.ask(question)))
        .collect();
    poll_fn(|task| {
        open.retain_mut(|(question, asked)| match asked.as_mut().poll(task) {
            Poll::Ready(answer) => {
                answers.put(question.clone(), answer);
                false
            }
            Poll::Pending => true,
        });
        if open.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_message::Scanner;

    fn author_of(header: &str) -> Author {
        let mut scanner = Scanner::new();
        scanner.push(header.as_bytes());
        scanner.push(b"\r\n\r\n");
        author(&scanner.finish())
    }

    #[test]
    fn one_from_with_one_domain() {
        let one = |domain: &str| Author::One(domain.to_owned());
        for (header, expected) in [
            ("From: a@B.test", one("b.test")),
            ("From: a@b.test, c@b.test", one("b.test")),
            ("From: a@dépôt.fr", one("xn--dpt-bma0d.fr")),
            ("From: a@b.test, c@d.test", Author::Several),
            ("From: a@b.test\r\nFrom: a@b.test", Author::Unclear),
            ("From: undisclosed:;", Author::Unclear),
            ("From:", Author::Unclear),
            ("Subject: x", Author::Unclear),
        ] {
            assert_eq!(author_of(header), expected, "{header}");
        }
    }
}
