//! Domains that are ours.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, put};
use facteur_store::Domain;
use serde::{Deserialize, Serialize};

use super::accounts::{find_account, primary_address};
use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::names::{normalise_address, normalise_domain};
use super::{Answer, State, blocking, rfc3339};
use crate::Context;
use crate::dkim::{self, Telling};

#[derive(Serialize)]
struct DomainView {
    name: String,
    /// Address of the account that gets mail for unknown local parts.
    catch_all: Option<String>,
    /// Whether mail from it is signed: "yes", or "waits" for a record in DNS.
    signed: &'static str,
    created: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDomain {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatchAll {
    /// `null`: unknown local parts are refused.
    account: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/domains", get(list).post(add))
        .route("/v1/domains/{name}", delete(remove))
        .route("/v1/domains/{name}/catch-all", put(catch_all))
}

async fn list(context: State) -> Answer<Vec<DomainView>> {
    let context = Arc::clone(&context);
    let domains = blocking(move || {
        let domains = context.store.domains()?;
        domains
            .into_iter()
            .map(|domain| view(&context, domain))
            .collect()
    });
    Ok(axum::Json(domains.await?))
}

async fn add(context: State, Json(new): Json<NewDomain>) -> Answer<DomainView> {
    let name = domain_name(&new.name)?;
    context.store.create_domain(&name).await?;
    // Its keys can be made later as well: every look at them does.
    if let Err(error) = dkim::turn(&context, &name, Telling::Caller).await {
        tracing::error!(domain = name, %error, "no keys were made");
    }
    one(&context, &name)
}

async fn remove(context: State, Path(name): Path<String>) -> Answer<DomainView> {
    let name = domain_name(&name)?;
    let gone = one(&context, &name)?;
    let addresses = context.store.addresses()?;
    let behind = |address: &str| {
        address
            .rsplit_once('@')
            .is_some_and(|(_, domain)| domain == name)
    };
    if addresses.iter().any(|(address, _)| behind(address)) {
        return Err(ApiError::new(Code::InUse));
    }
    context.store.remove_domain(&name).await?;
    context.signing.forget(&name);
    Ok(gone)
}

async fn catch_all(
    context: State,
    Path(name): Path<String>,
    Json(to): Json<CatchAll>,
) -> Answer<DomainView> {
    let name = domain_name(&name)?;
    let account = match to.account {
        Some(address) => {
            let address =
                normalise_address(&address).ok_or_else(|| ApiError::new(Code::BadAddress))?;
            Some(find_account(&context.store, &address)?.id)
        }
        None => None,
    };
    context.store.set_catch_all(&name, account).await?;
    one(&context, &name)
}

pub(super) fn domain_name(text: &str) -> Result<String, ApiError> {
    normalise_domain(text).ok_or_else(|| ApiError::new(Code::BadDomain))
}

fn one(context: &Context, name: &str) -> Answer<DomainView> {
    let domain = context.store.domain(name)?;
    let domain = domain.ok_or_else(|| ApiError::new(Code::NoSuchDomain))?;
    view(context, domain).map(axum::Json)
}

fn view(context: &Context, domain: Domain) -> Result<DomainView, ApiError> {
    let keys = context.store.signing_keys(&domain.name)?;
    Ok(DomainView {
        signed: match keys.iter().any(dkim::signs) {
            true => "yes",
            false => "waits",
        },
        name: domain.name,
        catch_all: match domain.catch_all {
            Some(account) => primary_address(&context.store, account)?,
            None => None,
        },
        created: rfc3339(domain.created),
    })
}
