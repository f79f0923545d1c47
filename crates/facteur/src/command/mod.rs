//! One command, one file.

pub mod account;
pub mod alias;
pub mod ban;
pub mod config;
pub mod demo;
pub mod dns;
pub mod domain;
pub mod forward;
pub mod group;
pub mod mailbox;
pub mod program;
pub mod queue;
pub mod reports;
pub mod search;
pub mod send;
pub mod serve;
pub mod setup;
pub mod sieve;
pub mod status;
pub mod store;
pub mod suppression;
pub mod trace;

use serde_json::Value;

use crate::output::{Failure, safe, table};
use crate::settings::parse_size;
use crate::texts::{self, Text, fill, t};

/// A text field of an answer, fit for a terminal.
fn text(value: &Value, name: &str) -> String {
    safe(value.get(name).and_then(Value::as_str).unwrap_or_default())
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    items(value.get(name).unwrap_or(&Value::Null))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The rows, or a sentence that there are none.
fn table_or(none: Text, head: &[&str], rows: &[Vec<String>]) -> String {
    match rows.is_empty() {
        true => t(none).to_owned(),
        false => table(head, rows),
    }
}

/// `2G` as bytes; a quota of nothing is a mistake.
fn quota_bytes(text: &str) -> Result<u64, Failure> {
    let bytes = parse_size(text).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| Failure::new("bad_size", fill(texts::BAD_SIZE, &[&text])))
}

/// A list of texts, joined.
fn texts_of(value: &Value, name: &str) -> String {
    let texts = list(value, name).iter().filter_map(Value::as_str);
    texts.map(safe).collect::<Vec<_>>().join(", ")
}

/// `2026-11-22T09:30:00Z` as `2026-11-22 09:30`.
fn moment(value: &Value, name: &str) -> String {
    let text = text(value, name);
    text.get(..16).unwrap_or_default().replace('T', " ")
}
