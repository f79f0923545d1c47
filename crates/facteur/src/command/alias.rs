//! `facteur alias …`

use hyper::Method;
use serde_json::{Value, json};

use super::{flag, items, list, text, texts_of};
use crate::arguments::Alias;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, safe, table};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Alias) -> Outcome {
    match command {
        Alias::Add {
            alias,
            targets,
            confirmed,
        } => {
            let body = Some(json!({ "targets": targets, "confirmed": confirmed }));
            let set = client
                .call(Method::PUT, &path(&alias), body, &alias)
                .await?;
            let text = if flag(&set, "own") {
                texts::ALIAS_OWN
            } else {
                texts::ALIAS_SET
            };
            let mut sentence = fill(
                text,
                &[&self::text(&set, "address"), &texts_of(&set, "targets")],
            );
            for asked in list(&set, "asked").iter().filter_map(Value::as_str) {
                sentence.push('\n');
                sentence.push_str(&fill(texts::ALIAS_ASKED, &[&safe(asked)]));
            }
            Ok(Output::new(set, sentence))
        }
        Alias::List => {
            let aliases = client.call(Method::GET, "/v1/aliases", None, "").await?;
            let rows: Vec<Vec<String>> = items(&aliases)
                .iter()
                .map(|alias| vec![text(alias, "address"), texts_of(alias, "targets")])
                .collect();
            let shown = if rows.is_empty() {
                t(texts::ALIAS_NONE).to_owned()
            } else {
                table(&[t(texts::COLUMN_ALIAS), t(texts::COLUMN_TARGETS)], &rows)
            };
            Ok(Output::new(aliases, shown))
        }
        Alias::Remove { alias } => {
            let gone = client
                .call(Method::DELETE, &path(&alias), None, &alias)
                .await?;
            let sentence = fill(texts::ALIAS_REMOVED, &[&text(&gone, "address")]);
            Ok(Output::new(gone, sentence))
        }
    }
}

fn path(alias: &str) -> String {
    format!("/v1/aliases/{}", segment(alias))
}
