//! `facteur ban …`

use hyper::Method;
use serde_json::{Value, json};

use super::{items, moment, number, table_or, text};
use crate::arguments::Ban;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Ban) -> Outcome {
    match command {
        Ban::List => {
            let bans = client.call(Method::GET, "/v1/bans", None, "").await?;
            let rows: Vec<Vec<String>> = items(&bans).iter().map(row).collect();
            let head = [
                t(texts::COLUMN_ADDRESS),
                t(texts::COLUMN_SINCE),
                t(texts::COLUMN_UNTIL),
                t(texts::COLUMN_TIMES),
                t(texts::COLUMN_WHY),
            ];
            let shown = table_or(texts::BAN_NONE, &head, &rows);
            Ok(Output::new(bans, shown))
        }
        Ban::Add { address, hours } => {
            let body = Some(json!({ "hours": hours }));
            let path = path(&address);
            let ban = client.call(Method::PUT, &path, body, &address).await?;
            let sentence = fill(texts::BAN_ADDED, &[&text(&ban, "address"), &until(&ban)]);
            Ok(Output::new(ban, sentence))
        }
        Ban::Lift { address } => {
            let ban = client
                .call(Method::DELETE, &path(&address), None, &address)
                .await?;
            let sentence = fill(texts::BAN_LIFTED, &[&text(&ban, "address")]);
            Ok(Output::new(ban, sentence))
        }
    }
}

fn path(address: &str) -> String {
    format!("/v1/bans/{}", segment(address))
}

fn row(ban: &Value) -> Vec<String> {
    vec![
        text(ban, "address"),
        moment(ban, "since"),
        until(ban),
        number(ban, "times").to_string(),
        why(ban),
    ]
}

fn until(ban: &Value) -> String {
    match moment(ban, "until") {
        never if never.is_empty() => t(texts::BAN_UNTIL_LIFTED).to_owned(),
        until => until,
    }
}

fn why(ban: &Value) -> String {
    let why = match text(ban, "reason").as_str() {
        "logins" => texts::BAN_LOGINS,
        "recipients" => texts::BAN_RECIPIENTS,
        "protocol" => texts::BAN_PROTOCOL,
        _ => texts::BAN_BY_HAND,
    };
    t(why).to_owned()
}
