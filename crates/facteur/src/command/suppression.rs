//! `facteur suppression …`

use hyper::Method;
use serde_json::Value;

use super::{flag, list, moment, text};
use crate::arguments::Suppression;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, table};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Suppression) -> Outcome {
    match command {
        Suppression::List => all(client).await,
        Suppression::Add { address } => {
            let path = path(&address);
            let added = client.call(Method::PUT, &path, None, &address).await?;
            let sentence = fill(texts::SUPPRESSION_ADDED, &[&text(&added, "address")]);
            Ok(Output::new(added, sentence))
        }
        Suppression::Remove { address } => {
            let path = path(&address);
            let gone = client.call(Method::DELETE, &path, None, &address).await?;
            let sentence = fill(texts::SUPPRESSION_REMOVED, &[&text(&gone, "address")]);
            Ok(Output::new(gone, sentence))
        }
    }
}

fn path(address: &str) -> String {
    format!("/v1/suppressions/{}", segment(address))
}

/// Every page of the list.
async fn all(client: &Client) -> Outcome {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let after = found.last().map(|last| text(last, "address"));
        let path = match after {
            Some(after) => format!("/v1/suppressions?after={}", segment(&after)),
            None => "/v1/suppressions".to_owned(),
        };
        let page = client.call(Method::GET, &path, None, "").await?;
        found.extend_from_slice(list(&page, "addresses"));
        if !flag(&page, "more") {
            break;
        }
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|one| {
            vec![
                text(one, "address"),
                moment(one, "since"),
                text(one, "reply"),
            ]
        })
        .collect();
    let shown = if rows.is_empty() {
        t(texts::SUPPRESSION_NONE).to_owned()
    } else {
        let head = [
            texts::COLUMN_ADDRESS,
            texts::COLUMN_SINCE,
            texts::COLUMN_REPLY,
        ];
        table(&head.map(t), &rows)
    };
    Ok(Output::new(Value::Array(found), shown))
}
