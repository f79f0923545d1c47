//! `facteur queue …`

use hyper::Method;
use serde_json::{Value, json};

use super::{flag, list as list_of, moment, number, text};
use crate::arguments::{Queue, QueueIds};
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, size, table};
use crate::texts::{self, Text, fill, t};

pub async fn run(client: &Client, command: Queue) -> Outcome {
    match command {
        Queue::List { domain, held } => {
            let entries = all(client, domain.as_deref(), held.then_some(true)).await?;
            let shown = overview(&entries);
            Ok(Output::new(Value::Array(entries), shown))
        }
        Queue::Show { id } => {
            let entry = client
                .call(Method::GET, &path(id, ""), None, &id.to_string())
                .await?;
            let shown = card(&entry);
            Ok(Output::new(entry, shown))
        }
        Queue::Retry(ids) => each(client, ids, Method::POST, "/retry", texts::QUEUE_RETRIED).await,
        Queue::Hold(ids) => each(client, ids, Method::POST, "/hold", texts::QUEUE_HELD).await,
        Queue::Release(ids) => {
            each(client, ids, Method::POST, "/release", texts::QUEUE_RELEASED).await
        }
        Queue::Drop { ids } => {
            let ids = QueueIds { ids, all: false };
            each(client, ids, Method::DELETE, "", texts::QUEUE_DROPPED).await
        }
    }
}

/// Every page.
async fn all(
    client: &Client,
    domain: Option<&str>,
    held: Option<bool>,
) -> Result<Vec<Value>, crate::output::Failure> {
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let mut query = Vec::new();
        query.extend(domain.map(|domain| format!("domain={}", segment(domain))));
        query.extend(held.map(|held| format!("held={held}")));
        query.extend(after.map(|after: u64| format!("after={after}")));
        let path = format!("/v1/queue?{}", query.join("&"));
        let subject = domain.unwrap_or_default();
        let page = client.call(Method::GET, &path, None, subject).await?;
        entries.extend_from_slice(list_of(&page, "entries"));
        after = page.get("next").and_then(Value::as_u64);
        if after.is_none() {
            return Ok(entries);
        }
    }
}

async fn each(client: &Client, ids: QueueIds, method: Method, rest: &str, done: Text) -> Outcome {
    let all_of_them = ids.all;
    let ids = if all_of_them {
        let entries = all(client, None, None).await?;
        entries.iter().map(|entry| number(entry, "id")).collect()
    } else {
        ids.ids
    };
    let mut changed = Vec::new();
    for id in ids {
        let path = path(id, rest);
        let subject = id.to_string();
        let call = client.call(method.clone(), &path, None, &subject);
        match call.await {
            Ok(entry) => changed.push(entry),
            // Being sent, or gone since the list was made: as good as asked for.
            Err(failure) if all_of_them && is_moving(&failure.code) => {}
            Err(failure) => return Err(failure),
        }
    }
    let sentence = fill(done, &[&changed.len()]);
    Ok(Output::new(json!(changed), sentence))
}

fn is_moving(code: &str) -> bool {
    matches!(code, "busy" | "no_such_queue_entry")
}

fn path(id: u64, rest: &str) -> String {
    format!("/v1/queue/{id}{rest}")
}

fn overview(entries: &[Value]) -> String {
    if entries.is_empty() {
        return t(texts::QUEUE_EMPTY).to_owned();
    }
    let head = [
        t(texts::COLUMN_ID),
        t(texts::COLUMN_DOMAIN),
        t(texts::COLUMN_FROM),
        t(texts::COLUMN_RECIPIENTS),
        t(texts::COLUMN_SIZE),
        t(texts::COLUMN_NEXT),
        t(texts::COLUMN_ATTEMPTS),
        t(texts::COLUMN_REASON),
        t(texts::COLUMN_OUTCOME),
    ];
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            vec![
                number(entry, "id").to_string(),
                text(entry, "domain"),
                text(entry, "from"),
                list_of(entry, "recipients").len().to_string(),
                size(number(entry, "size")),
                next(entry),
                number(entry, "attempts").to_string(),
                reason(entry),
                text(entry, "last_outcome"),
            ]
        })
        .collect();
    table(&head, &rows)
}

/// Why it waits, in words.
fn reason(entry: &Value) -> String {
    if flag(entry, "held") {
        return t(texts::STATE_HELD).to_owned();
    }
    let words = match text(entry, "reason").as_str() {
        "asked" => texts::WAITS_ASKED,
        "answered" => texts::WAITS_ANSWERED,
        "unreachable" => texts::WAITS_UNREACHABLE,
        "dns" => texts::WAITS_DNS,
        "unproven" => texts::WAITS_UNPROVEN,
        "tls_demanded" => texts::WAITS_TLS_DEMANDED,
        "here" => texts::WAITS_HERE,
        "unconfirmed" => texts::WAITS_UNCONFIRMED,
        "reporting" => texts::WAITS_REPORTING,
        _ => texts::WAITS_NOT_TRIED,
    };
    t(words).to_owned()
}

fn next(entry: &Value) -> String {
    if flag(entry, "held") {
        t(texts::STATE_HELD).to_owned()
    } else {
        moment(entry, "due")
    }
}

/// RFC 6710: -9 to 9.
fn priority(entry: &Value) -> String {
    let priority = entry.get("priority").and_then(Value::as_i64);
    priority.unwrap_or_default().to_string()
}

fn card(entry: &Value) -> String {
    let lines = [
        (texts::COLUMN_DOMAIN, text(entry, "domain")),
        (texts::COLUMN_FROM, text(entry, "from")),
        (texts::COLUMN_SIZE, size(number(entry, "size"))),
        (texts::COLUMN_CREATED, moment(entry, "created")),
        (texts::COLUMN_NEXT, next(entry)),
        (texts::COLUMN_EXPIRES, moment(entry, "expires")),
        (
            texts::COLUMN_ATTEMPTS,
            number(entry, "attempts").to_string(),
        ),
        (texts::COLUMN_REASON, reason(entry)),
        (texts::COLUMN_PRIORITY, priority(entry)),
        (texts::COLUMN_OUTCOME, text(entry, "last_outcome")),
    ];
    let mut rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|(name, value)| vec![t(name).to_owned(), value])
        .collect();
    for recipient in list_of(entry, "recipients") {
        let state = match text(recipient, "state").as_str() {
            "delivered" => t(texts::STATE_DELIVERED),
            "failed" => t(texts::STATE_FAILED),
            _ => t(texts::STATE_PENDING),
        };
        let reply = text(recipient, "reply");
        let state = format!("{state} {reply}");
        rows.push(vec![text(recipient, "address"), state]);
    }
    table(
        &[t(texts::COLUMN_ID), &number(entry, "id").to_string()],
        &rows,
    )
}
