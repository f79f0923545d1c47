//! A few messages as people really get them, delivered through the store: French text, an attachment,
//! an HTML alternative, an invitation, an answer in a thread.
//!
//! In the files, lines end in LF and `{date}` (RFC 5322), `{start}` and `{end}` (iCalendar, UTC) are
//! filled in, so that the mailbox looks as if it had been used these days.

use std::time::Duration;

use facteur_message::Scanner;
use facteur_message::date;
use facteur_message::facts::Sent;
use facteur_store::{AccountId, Delivery, Error, FlagNames, NewBody, NewMessage, Store, Timestamp};

struct Sample {
    text: &'static str,
    /// How long ago it was sent.
    hours_ago: u64,
    recipients: &'static [&'static str],
}

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

const SAMPLES: [Sample; 6] = [
    Sample {
        text: include_str!("messages/welcome.eml"),
        hours_ago: 74,
        recipients: &[ALICE, BOB],
    },
    Sample {
        text: include_str!("messages/report.eml"),
        hours_ago: 51,
        recipients: &[ALICE],
    },
    Sample {
        text: include_str!("messages/letter.eml"),
        hours_ago: 27,
        recipients: &[ALICE, BOB],
    },
    Sample {
        text: include_str!("messages/invitation.eml"),
        hours_ago: 26,
        recipients: &[ALICE],
    },
    Sample {
        text: include_str!("messages/question.eml"),
        hours_ago: 5,
        recipients: &[BOB],
    },
    Sample {
        text: include_str!("messages/answer.eml"),
        hours_ago: 2,
        recipients: &[ALICE],
    },
];

/// To those of `people` whom a message is for.
pub async fn deliver(store: &Store, people: &[(&str, AccountId)]) -> Result<(), Error> {
    let now = store.clock().now();
    for sample in &SAMPLES {
        let sent = now.before(Duration::from_secs(sample.hours_ago * 3600));
        let local: Vec<Delivery> = people
            .iter()
            .filter(|(address, _)| sample.recipients.contains(address))
            .map(|(address, account)| Delivery {
                account: *account,
                mailbox: "INBOX".to_owned(),
                message: NewMessage {
                    prefix: prefix(address, sent),
                    flags: FlagNames::default(),
                    internal_date: Some(sent.seconds()),
                },
            })
            .collect();
        if local.is_empty() {
            continue;
        }
        let body = body(store, &filled(sample.text, sent, now)).await?;
        store.deliver(body, local, Vec::new()).await?;
    }
    Ok(())
}

/// As a delivery would put it in front of this copy.
fn prefix(address: &str, sent: Timestamp) -> Vec<u8> {
    format!(
        "Return-Path: <>\r\nDelivered-To: {address}\r\nReceived: from facteur demo by mail.example.test for <{address}>; {}\r\n",
        rfc5322(sent)
    )
    .into_bytes()
}

async fn body(store: &Store, text: &str) -> Result<NewBody, Error> {
    let bytes = text.as_bytes();
    let mut spool = store.spool(Some(bytes.len() as u64))?;
    let mut scanner = Scanner::new();
    scanner.push(bytes);
    spool.write(bytes).await?;
    let facts = scanner.finish();
    Ok(NewBody {
        body: spool.finish().await?,
        thread_keys: facts.thread_keys.clone(),
        subject_key: facts.subject_key,
        facts: facts.encode(),
    })
}

fn filled(text: &str, sent: Timestamp, now: Timestamp) -> String {
    // A meeting in two days, on the hour.
    let hour = now.seconds().div_euclid(3600) + 48;
    let start = Timestamp::from_seconds(hour * 3600);
    let end = start.after(Duration::from_secs(3600));
    text.replace("{date}", &rfc5322(sent))
        .replace("{stamp}", &icalendar(sent))
        .replace("{start}", &icalendar(start))
        .replace("{end}", &icalendar(end))
        .replace('\n', "\r\n")
}

fn rfc5322(at: Timestamp) -> String {
    date::format(Sent {
        unix: at.seconds(),
        offset_minutes: 0,
    })
}

/// RFC 5545 §3.3.5 in UTC: `20261122T093000Z`.
fn icalendar(at: Timestamp) -> String {
    facteur_server::admin::rfc3339(at).replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_what_they_say() {
        let at = Timestamp::from_seconds(1_800_000_000);
        for sample in &SAMPLES {
            let text = filled(sample.text, at, at);
            assert!(!text.contains("{date}") && !text.contains("\r\r"));
            let mut scanner = Scanner::new();
            scanner.push(text.as_bytes());
            let facts = scanner.finish();
            assert_eq!(facts.header.from_count, 1, "{text}");
            assert!(
                facts.header.has_date && facts.header.has_message_id,
                "{text}"
            );
            assert_eq!(facts.header.sent.map(|sent| sent.unix), Some(1_800_000_000));
            assert!(!facts.header.has_garbage, "{text}");
            assert!(facts.degraded.is_empty());
        }
    }
}
