//! The search catalogue: throwing it away, to be made anew.

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use facteur_store::AccountId;
use serde::{Deserialize, Serialize};

use super::accounts::find_account;
use super::extract::Json;
use super::{Answer, State, blocking};
use crate::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebuild {
    /// Absent or `null`: of everybody.
    account: Option<String>,
}

#[derive(Serialize)]
struct Rebuilt {
    accounts: usize,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/v1/search/rebuild", post(rebuild))
}

async fn rebuild(context: State, Json(asked): Json<Rebuild>) -> Answer<Rebuilt> {
    let context = Arc::clone(&context);
    let accounts = blocking(move || {
        let accounts: Vec<AccountId> = match &asked.account {
            Some(address) => vec![find_account(&context.store, address)?.id],
            None => {
                let accounts = context.store.accounts()?;
                accounts.into_iter().map(|account| account.id).collect()
            }
        };
        context.catalog.rebuild(&accounts)?;
        Ok(accounts.len())
    })
    .await?;
    Ok(axum::Json(Rebuilt { accounts }))
}
