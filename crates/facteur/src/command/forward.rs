//! `facteur forward …`

use hyper::Method;
use serde_json::{Value, json};

use super::{items, moment, table_or, text};
use crate::arguments::Forward;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output};
use crate::texts::{self, Text, fill, t};

pub async fn run(client: &Client, command: Forward) -> Outcome {
    match command {
        Forward::List => list(client).await,
        Forward::Confirm { address, source } => {
            let body = Some(json!({ "source": source }));
            let path = path(&address);
            let done = client.call(Method::PUT, &path, body, &address).await?;
            Ok(told(done, texts::FORWARD_CONFIRMED))
        }
        Forward::Stop { address } => {
            let path = path(&address);
            let done = client.call(Method::DELETE, &path, None, &address).await?;
            Ok(told(done, texts::FORWARD_STOPPED))
        }
    }
}

fn path(address: &str) -> String {
    format!("/v1/forwards/{}", segment(address))
}

fn told(done: Value, sentence: Text) -> Output {
    let lines = items(&done)
        .iter()
        .map(|one| fill(sentence, &[&text(one, "source"), &text(one, "target")]));
    let lines: Vec<String> = lines.collect();
    Output::new(done.clone(), lines.join("\n"))
}

async fn list(client: &Client) -> Outcome {
    let found = client.call(Method::GET, "/v1/forwards", None, "").await?;
    let rows: Vec<Vec<String>> = items(&found)
        .iter()
        .map(|one| {
            vec![
                text(one, "source"),
                text(one, "target"),
                state(one),
                moment(one, "since"),
            ]
        })
        .collect();
    let head = [
        texts::COLUMN_FORWARD_SOURCE,
        texts::COLUMN_FORWARD_TARGET,
        texts::COLUMN_STATE,
        texts::COLUMN_SINCE,
    ];
    let shown = table_or(texts::FORWARD_NONE, &head.map(t), &rows);
    Ok(Output::new(found, shown))
}

fn state(one: &Value) -> String {
    let words = match text(one, "state").as_str() {
        "confirmed" => texts::FORWARD_STATE_CONFIRMED,
        "asked" => texts::FORWARD_STATE_ASKED,
        "unanswered" => texts::FORWARD_STATE_UNANSWERED,
        "stopped" => texts::FORWARD_STATE_STOPPED,
        "gone" => texts::FORWARD_STATE_GONE,
        _ => return text(one, "state"),
    };
    t(words).to_owned()
}
