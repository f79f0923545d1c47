//! What a sender is told: multipart/report with delivery-status, in French or English
//! (RFC 3461 §6, RFC 3464, RFC 6522; RFC 6533 when an address needs UTF-8).
//!
//! The returned message is not built here: the report is two pieces of bytes, and what is returned
//! is streamed between them.

use facteur_message::build::{Entity, Header};
use facteur_message::date;
use facteur_message::facts::Sent;
use facteur_store::{QueueEntry, TlsWish};

use super::plan::{Action, Reported};

/// What of the message goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Whole,
    Header,
}

/// A report around the returned message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    pub returned: Returned,
}

/// Without RET (RFC 3461 §4.3) larger messages come back as their header alone.
const RETURNED_BYTES_MAX: u64 = 50 * 1024;

pub struct Facts<'a> {
    pub hostname: &'a str,
    pub entry: &'a QueueEntry,
    pub lines: &'a [Reported],
    /// Seconds since 1970.
    pub at: i64,
    /// Letters and digits that nobody can guess.
    pub token: &'a str,
}

pub fn build(facts: &Facts<'_>) -> Report {
    let entry = facts.entry;
    let words = words(&entry.language);
    let action = leading_action(facts.lines);
    let returned = what_returns(entry, action);
    let utf8 = entry.smtputf8;
    let (status_type, whole_type, header_type) = if utf8 {
        (
            "message/global-delivery-status",
            "message/global",
            "message/global-headers",
        )
    } else {
        (
            "message/delivery-status",
            "message/rfc822",
            "text/rfc822-headers",
        )
    };
    let returned_type = match returned {
        Returned::Whole => whole_type,
        Returned::Header => header_type,
    };
    // The returned message may be 8-bit: its place-holder then is too, so that the parts say so.
    let eight = if entry.body_8bit || utf8 { "é" } else { "" };
    let place = format!("{eight}returned-{}", facts.token);
    let parts = [
        Entity::text("plain", &explanation(facts, words, action)),
        Entity::raw(status_type, status(facts).as_bytes()),
        Entity::raw(returned_type, place.as_bytes()),
    ];
    let report = Entity::multipart("report; report-type=delivery-status", facts.token, &parts);
    let postmaster = format!("postmaster@{}", facts.hostname);
    let header = Header::new()
        .date(
            "Date",
            Sent {
                unix: facts.at,
                offset_minutes: 0,
            },
        )
        .addresses("From", &[(words.system, &postmaster)])
        .addresses("To", &[("", &entry.reverse_path)])
        .text("Subject", words.subject(action))
        .raw(
            "Message-ID",
            &format!("<{}.report@{}>", facts.token, facts.hostname),
        )
        .raw("Auto-Submitted", "auto-replied");
    let message = report.into_message(header);
    let (before, after) = split(&message, place.as_bytes());
    Report {
        before,
        after,
        returned,
    }
}

/// The bytes around the last `place`: the token stands in the Message-ID as well, the place itself
/// only once.
fn split(message: &[u8], place: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let found = message
        .windows(place.len().max(1))
        .rposition(|window| window == place);
    match found.and_then(|start| message.split_at_checked(start)) {
        Some((before, rest)) => (
            before.to_vec(),
            rest.get(place.len()..).unwrap_or_default().to_vec(),
        ),
        None => (message.to_vec(), Vec::new()),
    }
}

fn what_returns(entry: &QueueEntry, action: Action) -> Returned {
    let size = entry.body_size.saturating_add(entry.prefix.len() as u64);
    // RFC 8689 §5: what must not travel unprotected does not travel in a report.
    let secret = entry.wishes.tls == TlsWish::Required;
    let wanted =
        !entry.return_headers_only && !entry.body_binary && !secret && size <= RETURNED_BYTES_MAX;
    match action {
        Action::Failed if wanted => Returned::Whole,
        Action::Failed | Action::Delayed | Action::Delivered | Action::Relayed => Returned::Header,
    }
}

/// The worst thing that the report says.
fn leading_action(lines: &[Reported]) -> Action {
    [Action::Failed, Action::Delayed, Action::Relayed]
        .into_iter()
        .find(|action| lines.iter().any(|line| line.action == *action))
        .unwrap_or(Action::Delivered)
}

/// RFC 3464 §2: fields of the message, then of each recipient.
fn status(facts: &Facts<'_>) -> String {
    let kind = if facts.entry.smtputf8 {
        "utf-8"
    } else {
        "rfc822"
    };
    let mut out = format!("Reporting-MTA: dns; {}\r\n", facts.hostname);
    if let Some(id) = &facts.entry.envelope_id {
        out.push_str(&format!("Original-Envelope-Id: {}\r\n", plain(id)));
    }
    out.push_str(&format!(
        "Arrival-Date: {}\r\n",
        date_text(facts.entry.created.seconds())
    ));
    for line in facts.lines {
        out.push_str("\r\n");
        if let Some(original) = &line.original {
            let (kind, address) = original.split_once(';').unwrap_or(("rfc822", original));
            out.push_str(&format!(
                "Original-Recipient: {}; {}\r\n",
                one_line(kind),
                plain(address)
            ));
        }
        out.push_str(&format!(
            "Final-Recipient: {kind}; {}\r\n",
            one_line(&line.address)
        ));
        let action = match line.action {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
        };
        out.push_str(&format!(
            "Action: {action}\r\nStatus: {}\r\n",
            line.told.status
        ));
        if !line.told.host.is_empty() {
            out.push_str(&format!(
                "Remote-MTA: dns; {}\r\n",
                one_line(&line.told.host)
            ));
            out.push_str(&format!(
                "Diagnostic-Code: smtp; {}\r\n",
                one_line(&line.told.text)
            ));
        }
        out.push_str(&format!("Last-Attempt-Date: {}\r\n", date_text(facts.at)));
        if line.action == Action::Delayed {
            let until = facts.entry.expires.seconds();
            out.push_str(&format!("Will-Retry-Until: {}\r\n", date_text(until)));
        }
    }
    out
}

fn date_text(unix: i64) -> String {
    date::format(Sent {
        unix,
        offset_minutes: 0,
    })
}

/// RFC 3461 §6.3: xtext is decoded for the report.
fn plain(xtext: &str) -> String {
    let decoded = facteur_smtp::parameters::decode_xtext(xtext);
    one_line(&decoded.map_or_else(
        || xtext.to_owned(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    ))
}

/// What another host said can't begin a field of ours, nor leave ASCII, nor run on.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(800)
        .collect()
}

fn explanation(facts: &Facts<'_>, words: &Words, action: Action) -> String {
    let mut text = format!("{}\n\n{}\n", words.greeting, words.what(action));
    for line in facts.lines {
        text.push_str(&format!("\n  <{}>\n", one_line(&line.address)));
        let who = if line.told.host.is_empty() {
            String::new()
        } else {
            format!("{} {} ", one_line(&line.told.host), words.says)
        };
        text.push_str(&format!("    {who}{}\n", one_line(&line.told.text)));
    }
    text.push_str(&format!("\n{}\n", words.advice(action)));
    text
}

/// Everything a report says, in one language.
struct Words {
    system: &'static str,
    greeting: &'static str,
    says: &'static str,
    failed: [&'static str; 3],
    delayed: [&'static str; 3],
    relayed: [&'static str; 3],
    arrived: [&'static str; 3],
}

impl Words {
    fn of(&self, action: Action) -> &[&'static str; 3] {
        match action {
            Action::Failed => &self.failed,
            Action::Delayed => &self.delayed,
            Action::Relayed => &self.relayed,
            Action::Delivered => &self.arrived,
        }
    }

    fn subject(&self, action: Action) -> &'static str {
        self.of(action)[0]
    }

    fn what(&self, action: Action) -> &'static str {
        self.of(action)[1]
    }

    fn advice(&self, action: Action) -> &'static str {
        self.of(action)[2]
    }
}

fn words(language: &str) -> &'static Words {
    if language == "fr" { &FRENCH } else { &ENGLISH }
}

const ENGLISH: Words = Words {
    system: "Mail system",
    greeting: "Hello,",
    says: "says:",
    failed: [
        "Your message could not be delivered",
        "your message did not reach:",
        "It will not be tried again. The technical details and your message are attached.",
    ],
    delayed: [
        "Your message is delayed",
        "your message has not reached these people yet:",
        "You need not do anything: it is tried again, and you will be told if it fails for good.",
    ],
    arrived: [
        "Your message has arrived",
        "your message has arrived in the mailbox of:",
        "You asked to be told. It does not mean that somebody has read it.",
    ],
    relayed: [
        "Your message was handed over",
        "your message was handed over for:",
        "The next mail server is responsible from there and may not report back.",
    ],
};

const FRENCH: Words = Words {
    system: "Système de courrier",
    greeting: "Bonjour,",
    says: "répond :",
    failed: [
        "Votre message n'a pas pu être remis",
        "votre message n'est pas parvenu à :",
        "Il n'y aura pas d'autre essai. Les détails techniques et votre message sont joints.",
    ],
    delayed: [
        "Votre message est retardé",
        "votre message n'est pas encore parvenu à :",
        "Vous n'avez rien à faire : l'envoi est retenté, et un échec définitif vous sera signalé.",
    ],
    arrived: [
        "Votre message est arrivé",
        "votre message est arrivé dans la boîte de :",
        "Vous aviez demandé cet avis. Il ne dit pas que le message a été lu.",
    ],
    relayed: [
        "Votre message a été transmis",
        "votre message a été transmis pour :",
        "Le serveur suivant en est désormais responsable et n'en rendra peut-être pas compte.",
    ],
};

#[cfg(test)]
mod tests {
    use facteur_message::{Scanner, encoded_word};

    use super::super::plan::Told;
    use super::super::plan::tests::entry;
    use super::*;

    fn line(action: Action) -> Reported {
        Reported {
            address: "bob@remote.test".to_owned(),
            original: Some("rfc822;bob+2Bx@remote.test".to_owned()),
            action,
            told: Told {
                status: "5.1.1".to_owned(),
                text: "550 5.1.1 nobody\r\nX-Evil: 1".to_owned(),
                host: "mx.remote.test".to_owned(),
                dsn_passed_on: false,
                relayed: false,
            },
        }
    }

    fn text(report: &Report, content: &str) -> (String, facteur_message::Facts) {
        let mut message = report.before.clone();
        message.extend_from_slice(content.as_bytes());
        message.extend_from_slice(&report.after);
        let mut scanner = Scanner::new();
        scanner.push(&message);
        (String::from_utf8(message).expect("utf-8"), scanner.finish())
    }

    fn report(language: &str, action: Action) -> Report {
        let mut entry = entry(&[None]);
        entry.language = language.to_owned();
        entry.envelope_id = Some("QQ314159".to_owned());
        build(&Facts {
            hostname: "mail.example.test",
            entry: &entry,
            lines: &[line(action)],
            at: 1_000_000,
            token: "0123456789abcdef",
        })
    }

    #[test]
    fn a_failure_is_a_report_with_three_parts() {
        let report = report("en", Action::Failed);
        assert_eq!(report.returned, Returned::Whole);
        let (text, facts) = text(&report, "Subject: x\r\n\r\nbody\r\n");
        assert_eq!(
            facts.root.param("report-type"),
            Some(&b"delivery-status"[..])
        );
        for number in 1..=3 {
            assert!(facts.section(&[number]).is_some(), "part {number}");
        }
        assert!(
            facts
                .section(&[3])
                .is_some_and(|part| part.nested().is_some())
        );
        for field in [
            "Reporting-MTA: dns; mail.example.test\r\n",
            "Original-Envelope-Id: QQ314159\r\n",
            "Original-Recipient: rfc822; bob+x@remote.test\r\n",
            "Final-Recipient: rfc822; bob@remote.test\r\n",
            "Action: failed\r\n",
            "Status: 5.1.1\r\n",
            "Remote-MTA: dns; mx.remote.test\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 nobody  X-Evil: 1\r\n",
            "Auto-Submitted: auto-replied\r\n",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
    }

    #[test]
    fn french_people_are_told_in_french() {
        let (_, facts) = text(&report("fr", Action::Failed), "");
        let subject = encoded_word::decode(facts.envelope.subject.as_deref().unwrap_or_default());
        assert_eq!(subject, "Votre message n'a pas pu être remis");
    }

    #[test]
    fn a_delay_says_until_when_and_returns_the_header_alone() {
        let report = report("en", Action::Delayed);
        assert_eq!(report.returned, Returned::Header);
        let (text, _) = text(&report, "Subject: x\r\n\r\n");
        assert!(text.contains("Will-Retry-Until: Tue, 6 Jan 1970 00:00:00 +0000\r\n"));
    }

    #[test]
    fn large_messages_come_back_as_their_header() {
        let mut entry = entry(&[None]);
        entry.body_size = 10 << 20;
        assert_eq!(what_returns(&entry, Action::Failed), Returned::Header);
        entry.body_size = 10;
        entry.return_headers_only = true;
        assert_eq!(what_returns(&entry, Action::Failed), Returned::Header);
    }
}
