//! `facteur domain …`

use hyper::Method;
use serde_json::{Value, json};

use super::{dns, items, moment, reports, text};
use crate::arguments::Domain;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, table};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Domain) -> Outcome {
    match command {
        Domain::Add { domain } => {
            let body = Some(json!({ "name": domain }));
            let added = client
                .call(Method::POST, "/v1/domains", body, &domain)
                .await?;
            let sentence = fill(texts::DOMAIN_ADDED, &[&text(&added, "name")]);
            Ok(Output::new(added, sentence))
        }
        Domain::List => list(client).await,
        Domain::Dns { domain, no_check } => dns::run(client, &domain, !no_check).await,
        Domain::Reports {
            domain,
            days,
            unproven,
        } => reports::run(client, &domain, days, unproven).await,
        Domain::Renew { domain } => dns::renew(client, &domain).await,
        Domain::Remove { domain } => {
            let gone = client
                .call(Method::DELETE, &path(&domain, ""), None, &domain)
                .await?;
            let sentence = fill(texts::DOMAIN_REMOVED, &[&text(&gone, "name")]);
            Ok(Output::new(gone, sentence))
        }
        Domain::CatchAll {
            domain, address, ..
        } => {
            let subject = address.clone().unwrap_or_else(|| domain.clone());
            let body = Some(json!({ "account": address }));
            let set = client
                .call(Method::PUT, &path(&domain, "/catch-all"), body, &subject)
                .await?;
            let name = text(&set, "name");
            let sentence = match set.get("catch_all").and_then(Value::as_str) {
                Some(account) => fill(texts::CATCH_ALL_SET, &[&name, &account]),
                None => fill(texts::CATCH_ALL_NONE, &[&name]),
            };
            Ok(Output::new(set, sentence))
        }
    }
}

async fn list(client: &Client) -> Outcome {
    let domains = client.call(Method::GET, "/v1/domains", None, "").await?;
    let head = [
        t(texts::COLUMN_DOMAIN),
        t(texts::COLUMN_CATCH_ALL),
        t(texts::COLUMN_SIGNED),
        t(texts::COLUMN_CREATED),
    ];
    let rows: Vec<Vec<String>> = items(&domains)
        .iter()
        .map(|domain| {
            vec![
                text(domain, "name"),
                text(domain, "catch_all"),
                t(match text(domain, "signed").as_str() {
                    "yes" => texts::SIGNED_YES,
                    _ => texts::SIGNED_WAITS,
                })
                .to_owned(),
                moment(domain, "created"),
            ]
        })
        .collect();
    let shown = if rows.is_empty() {
        t(texts::DOMAIN_NONE).to_owned()
    } else {
        table(&head, &rows)
    };
    Ok(Output::new(domains, shown))
}

fn path(domain: &str, rest: &str) -> String {
    format!("/v1/domains/{}{rest}", segment(domain))
}
