//! `facteur store verify`: reads everything and proves it, or says what is wrong.

use std::sync::Arc;

use facteur_store::Store as MailStore;
use facteur_store::clock::SystemClock;
use serde_json::json;

use crate::arguments::Store;
use crate::output::{Outcome, Output, table};
use crate::place::{Place, open_disk, store_failure};
use crate::texts::{self, fill, t};

pub fn run(place: &Place, command: &Store) -> Outcome {
    match command {
        Store::Verify => verify(place),
    }
}

fn verify(place: &Place) -> Outcome {
    place.must_exist()?;
    let disk = open_disk(&place.data)?;
    let clock = Arc::new(SystemClock::new());
    let report =
        MailStore::verify(disk, clock).map_err(|error| store_failure(&place.data, &error))?;
    let clean = report.faults.is_empty();
    let json = json!({
        "clean": clean,
        "accounts": report.accounts,
        "mailboxes": report.mailboxes,
        "messages": report.messages,
        "tombstones": report.tombstones,
        "queue_entries": report.queue_entries,
        "blobs": report.blobs,
        "journal_records": report.journal_records,
        "faults": report.faults,
    });
    let counts = [
        (texts::VERIFY_ACCOUNTS, report.accounts),
        (texts::VERIFY_MAILBOXES, report.mailboxes),
        (texts::VERIFY_MESSAGES, report.messages),
        (texts::VERIFY_TOMBSTONES, report.tombstones),
        (texts::VERIFY_QUEUE, report.queue_entries),
        (texts::VERIFY_BLOBS, report.blobs),
        (texts::VERIFY_RECORDS, report.journal_records),
    ];
    let rows: Vec<Vec<String>> = counts
        .into_iter()
        .map(|(name, count)| vec![t(name).to_owned(), count.to_string()])
        .collect();
    let mut text = table(&[t(texts::VERIFY_READ), ""], &rows);
    for fault in &report.faults {
        text.push_str(&format!("- {fault}\n"));
    }
    text.push_str(&match report.faults.len() {
        0 => t(texts::VERIFY_CLEAN).to_owned(),
        faults => fill(texts::VERIFY_FAULTS, &[&faults]),
    });
    let mut output = Output::new(json, text);
    output.clean = clean;
    Ok(output)
}
