//! `facteur status`

use hyper::Method;
use serde_json::Value;

use super::{flag, number, text};
use crate::client::Client;
use crate::output::{Outcome, Output, table};
use crate::texts::{self, t};

pub async fn run(client: &Client) -> Outcome {
    let status = client.call(Method::GET, "/v1/status", None, "").await?;
    let running = match client {
        Client::Remote(_) => t(texts::STATUS_RUNNING),
        Client::Local { .. } => t(texts::STATUS_STOPPED),
    };
    let full = if flag(&status, "disk_full") {
        t(texts::YES)
    } else {
        t(texts::NO)
    };
    let store = match status.get("store_failure").and_then(Value::as_str) {
        Some(_) => t(texts::STATUS_STORE_FAILED),
        None => t(texts::STATUS_STORE_WORKS),
    };
    let mut rows = vec![
        vec![t(texts::STATUS_SERVER).to_owned(), running.to_owned()],
        vec![
            t(texts::STATUS_VERSION).to_owned(),
            text(&status, "version"),
        ],
        vec![t(texts::STATUS_STORE).to_owned(), store.to_owned()],
        vec![t(texts::STATUS_DISK_FULL).to_owned(), full.to_owned()],
    ];
    if matches!(client, Client::Remote(_)) {
        for (name, field) in [
            (texts::STATUS_OPEN, "sessions_open"),
            (texts::STATUS_SESSIONS, "sessions"),
            (texts::STATUS_LOGINS, "logins"),
            (texts::STATUS_LOGIN_FAILURES, "login_failures"),
            (texts::STATUS_IN, "messages_in"),
            (texts::STATUS_REFUSED, "messages_refused"),
            (texts::STATUS_PANICS, "panics"),
        ] {
            rows.push(vec![t(name).to_owned(), number(&status, field).to_string()]);
        }
    }
    let host = text(&status, "hostname");
    Ok(Output::new(status, table(&["facteur", &host], &rows)))
}
