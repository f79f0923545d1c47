//! `facteur search …`

use hyper::Method;
use serde_json::json;

use super::number;
use crate::arguments::Search;
use crate::client::Client;
use crate::output::{Outcome, Output};
use crate::texts::{self, fill};

pub async fn run(client: &Client, command: Search) -> Outcome {
    match command {
        Search::Rebuild { address } => {
            let subject = address.clone().unwrap_or_default();
            let body = Some(json!({ "account": address }));
            let rebuilt = client
                .call(Method::POST, "/v1/search/rebuild", body, &subject)
                .await?;
            let sentence = fill(texts::SEARCH_REBUILT, &[&number(&rebuilt, "accounts")]);
            Ok(Output::new(rebuilt, sentence))
        }
    }
}
