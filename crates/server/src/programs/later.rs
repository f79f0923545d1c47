//! What comes to be known of a program's mail after a host took it: it comes back as a message
//! (RFC 3464), or somebody complains (RFC 5965).
//!
//! A program's mail leaves under an envelope sender of ours that names the message: `bounce+ID+MAC`,
//! keyed with our secret. A report is believed when it holds such an address, wherever: only who
//! saw the message's envelope has it. What it says counts for recipients of that message alone.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use facteur_message::decode::PartDecoder;
use facteur_message::{Facts, report};
use facteur_smtp::Address;
use facteur_store::{Ending, Error, Later, SentId, SentState, Store};

use crate::context::Context;
use crate::limits::LATER_PLACES_MAX;
use crate::queue;

const TAG: &str = "bounce+";
const ID_CHARS: usize = 32;
const MAC_CHARS: usize = 16;

/// The local part under which the message leaves; its case does not matter.
pub fn local_part(secret: &[u8; 32], id: SentId) -> String {
    let id = hex(&id.0);
    format!("{TAG}{id}{}", mac(secret, &id))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(secret: &[u8; 32], id: &str) -> String {
    let key = blake3::derive_key("facteur 2026 mail of programs", secret);
    let mut mac = hex(blake3::keyed_hash(&key, id.as_bytes()).as_bytes());
    mac.truncate(MAC_CHARS);
    mac
}

/// What the local part of an address of ours names; `local` in lower case.
fn read(secret: &[u8; 32], local: &str) -> Option<SentId> {
    let (id, given) = local.strip_prefix(TAG)?.split_at_checked(ID_CHARS)?;
    let right = mac(secret, id);
    let same = constant_time::verify_slices_are_equal(given.as_bytes(), right.as_bytes());
    let number = u128::from_str_radix(id, 16).ok()?;
    same.ok().map(|()| SentId(number.to_be_bytes()))
}

/// Who sent the message that this local part names; `None`: it is a name like any other.
pub fn sender_at(store: &Store, local: &str) -> Result<Option<Address>, Error> {
    if !local.starts_with(TAG) {
        return Ok(None);
    }
    let Some(secret) = store.secret()? else {
        return Ok(None);
    };
    let Some(id) = read(&secret, local) else {
        return Ok(None);
    };
    let sent = store.sent(id)?;
    Ok(sent.and_then(|sent| Address::parse(&sent.from).ok()))
}

/// The first message that is named in a report. `head`: its bytes, as far as they were kept.
fn find(secret: &[u8; 32], head: &[u8]) -> Option<SentId> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let places = text.match_indices(TAG).take(LATER_PLACES_MAX);
    let mut named = places.filter_map(|(at, _)| {
        let end = at + TAG.len() + ID_CHARS + MAC_CHARS;
        read(secret, text.get(at..end)?)
    });
    named.next()
}

/// Reads a message that has come, and writes down what it tells. `nobody`: its sender is the null
/// reverse-path, as that of every report about delivery (RFC 5321 §6.1).
pub async fn hear(
    ctx: &Arc<Context>,
    facts: &Facts,
    head: &[u8],
    nobody: bool,
) -> Result<(), Error> {
    let reports = said(facts, head, nobody);
    if reports.is_empty() {
        return Ok(());
    }
    let Some(secret) = ctx.store.secret()? else {
        return Ok(());
    };
    let Some(id) = find(&secret, head) else {
        return Ok(());
    };
    if ctx.store.settle_later(id, reports).await? {
        tracing::info!("a report about a program's mail came");
        ctx.calls.notify_one();
    }
    Ok(())
}

/// What the report says, if it is one; pure.
fn said(facts: &Facts, head: &[u8], nobody: bool) -> Vec<Later> {
    let kind = facts.root.param("report-type").unwrap_or_default();
    if !facts.root.is("multipart", "report") {
        return Vec::new();
    }
    // RFC 6522 §3: the second part is for machines.
    let Some(part) = facts.section(&[2]) else {
        return Vec::new();
    };
    let range = usize::try_from(part.body.start)
        .ok()
        .zip(usize::try_from(part.body.end).ok());
    let Some(bytes) = range.and_then(|(start, end)| head.get(start..end)) else {
        return Vec::new();
    };
    let mut decoder = PartDecoder::new(part.encoding());
    let (encoded, mut bytes) = (bytes, Vec::new());
    decoder.push(encoded, &mut bytes);
    decoder.finish(&mut bytes);
    if kind.eq_ignore_ascii_case(b"delivery-status") && nobody {
        return report::delivery_status(&bytes)
            .into_iter()
            .filter_map(bounced)
            .collect();
    }
    let complaint = kind.eq_ignore_ascii_case(b"feedback-report");
    let complaint = complaint.then(|| report::feedback(&bytes)).flatten();
    complaint.and_then(complained).into_iter().collect()
}

/// Only what failed for good.
fn bounced(status: report::DeliveryStatus) -> Option<Later> {
    if status.action != "failed" || !status.status.starts_with('5') {
        return None;
    }
    let addresses = [status.original_recipient, status.final_recipient];
    // That a domain is not there, DNS told whoever reports, maybe for a minute.
    let lasts = status.is_reply || status.status != "5.1.2";
    let told = match status.diagnostic.is_empty() {
        true => status.status.clone(),
        false => status.diagnostic,
    };
    Some(Later {
        addresses: addresses.into_iter().flatten().collect(),
        ending: Ending {
            state: SentState::BouncedLater,
            hard: lasts && queue::is_wrong_status(&status.status),
            told,
        },
    })
}

/// RFC 5965 §3.5: "not-spam" and the like are no complaints.
fn complained(report: report::FeedbackReport) -> Option<Later> {
    let complaints = ["abuse", "fraud", "opt-out", "opt-out-list"];
    complaints.contains(&report.kind.as_str()).then(|| Later {
        addresses: report.original_recipients,
        ending: Ending {
            state: SentState::Complained,
            hard: true,
            told: format!("complaint: {}", report.kind),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    #[test]
    fn addresses_name_a_message_and_nobody_makes_one_up() {
        let id = SentId([0x0f; 16]);
        let local = local_part(&SECRET, id);
        assert!(local.len() <= 64, "{local}");
        assert_eq!(read(&SECRET, &local), Some(id));
        assert_eq!(read(&[8; 32], &local), None);
        let other = local.replacen("0f", "0e", 1);
        for wrong in [
            other.as_str(),
            "bounce+",
            "bounce",
            "bounce+0",
            &local[..54],
        ] {
            assert_eq!(read(&SECRET, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_dns_did_not_know_is_no_wrong_address() {
        let hard = |status: &str, diagnostic: &str| {
            let group = format!(
                "Final-Recipient: rfc822; a@b.test\r\nAction: failed\r\nStatus: {status}\r\n\
                 Diagnostic-Code: {diagnostic}\r\n"
            );
            let read = report::delivery_status(group.as_bytes());
            read.into_iter().find_map(bounced).map(|it| it.ending.hard)
        };
        assert_eq!(hard("5.1.2", "X-Postfix; Host not found"), Some(false));
        assert_eq!(hard("5.1.2", "smtp; 550 5.1.2 no such domain"), Some(true));
        assert_eq!(hard("5.1.1", "X-Postfix; unknown user"), Some(true));
    }

    #[test]
    fn a_name_is_found_wherever_it_stands() {
        let id = SentId([0x1f; 16]);
        let local = local_part(&SECRET, id);
        let upper = local.to_uppercase();
        for text in [
            format!("X: bounce+zz\r\nReturn-Path: <{local}@our.test>\r\n"),
            format!("smtp.mailfrom={upper}@our.test;"),
        ] {
            assert_eq!(find(&SECRET, text.as_bytes()), Some(id), "{text}");
        }
        let many = format!("{}{local}", "bounce+ ".repeat(LATER_PLACES_MAX));
        assert_eq!(find(&SECRET, many.as_bytes()), None);
        assert_eq!(find(&SECRET, "bounce+é".as_bytes()), None);
    }
}
