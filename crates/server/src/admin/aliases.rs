//! Addresses that lead elsewhere: to one account (then they are that person's, who may send as them),
//! or to several addresses, local or not.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, put};
use facteur_store::{AddressTarget, ForwardSource, Store};
use serde::{Deserialize, Serialize};

use super::accounts::{find_account, must_be_local, primary_address};
use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::limits::ALIAS_TARGETS_MAX;
use super::names::normalise_address;
use super::{Answer, State, blocking};
use crate::Context;
use crate::consent::{self, Standing};
use crate::smtp::directory;

#[derive(Serialize)]
struct AliasView {
    address: String,
    targets: Vec<String>,
    /// The address is one account's own: that person may send as it.
    own: bool,
    /// Targets outside whose owners were asked now.
    asked: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    targets: Vec<String>,
    /// The owners of those outside agree: the administrator knows it.
    #[serde(default)]
    confirmed: bool,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/aliases", get(list))
        .route("/v1/aliases/{address}", put(set).delete(remove))
}

async fn list(context: State) -> Answer<Vec<AliasView>> {
    let context = Arc::clone(&context);
    let aliases = blocking(move || {
        let mut aliases = Vec::new();
        for (address, target) in context.store.addresses()? {
            if let Some(alias) = view(&context.store, address, target)? {
                aliases.push(alias);
            }
        }
        Ok(aliases)
    });
    Ok(axum::Json(aliases.await?))
}

async fn set(
    context: State,
    Path(address): Path<String>,
    Json(new): Json<Targets>,
) -> Answer<AliasView> {
    let address = normalised(&address)?;
    must_be_local(&context.store, &address)?;
    if new.targets.is_empty() || new.targets.len() > ALIAS_TARGETS_MAX {
        return Err(ApiError::new(Code::BadRequest)
            .because(format!("an alias has 1 to {ALIAS_TARGETS_MAX} targets")));
    }
    refuse_account(&context.store, &address)?;
    let targets: Vec<String> = new
        .targets
        .iter()
        .map(|target| normalised(target))
        .collect::<Result<_, _>>()?;
    if directory::leads_to(&context.store, &targets, &address)? {
        return Err(ApiError::new(Code::AliasLoop));
    }
    let only = match targets.as_slice() {
        [only] => find_account(&context.store, only).ok(),
        _ => None,
    };
    let only = only.filter(|account| account.removed.is_none());
    let (target, asked) = match only {
        Some(account) => {
            let target = AddressTarget::Account(account.id);
            context.store.set_address(&address, target.clone()).await?;
            (target, Vec::new())
        }
        None => {
            let asked = set_alias(&context, &address, &targets, new.confirmed).await?;
            (AddressTarget::Alias(targets), asked)
        }
    };
    let alias = view(&context.store, address, target)?;
    let alias = alias.ok_or_else(|| ApiError::new(Code::Internal))?;
    Ok(axum::Json(AliasView { asked, ..alias }))
}

/// Those outside are asked first, unless they agreed before; gives who was.
async fn set_alias(
    context: &Arc<Context>,
    address: &str,
    targets: &[String],
    confirmed: bool,
) -> Result<Vec<String>, ApiError> {
    let store = &context.store;
    let before = match store.address(address)? {
        Some(AddressTarget::Alias(before)) => before,
        _ => Vec::new(),
    };
    let source = ForwardSource::Alias(address.to_owned());
    let (mut forwards, mut letters, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    let mut vouched = Vec::new();
    for target in targets {
        let domain = target.rsplit_once('@').map_or("", |(_, domain)| domain);
        if store.domain(domain)?.is_some() || asked.contains(target) {
            continue;
        }
        let known = consent::find(store, &source, target)?;
        let standing = known.map(|known| consent::standing(&known, context.clock.now()));
        match standing {
            _ if confirmed => vouched.push(target),
            // From before owners were asked.
            None if before.contains(target) => {}
            Some(Standing::Goes | Standing::Waits { .. }) => {}
            Some(Standing::Refused) | None => {
                let question = consent::question(context, source.clone(), target).await?;
                let Some(question) = question else {
                    return Err(ApiError::new(Code::AskedTooOften).because(target));
                };
                forwards.push(question.forward);
                letters.push(question.letter);
                asked.push(target.clone());
            }
        }
    }
    let set = store.set_alias(address, targets.to_vec(), forwards, letters);
    set.await?;
    for target in vouched {
        consent::vouch(context, source.clone(), target).await?;
    }
    Ok(asked)
}

async fn remove(context: State, Path(address): Path<String>) -> Answer<AliasView> {
    let address = normalised(&address)?;
    refuse_account(&context.store, &address)?;
    let target = context.store.address(&address)?;
    let target = target.ok_or_else(|| ApiError::new(Code::NoSuchAddress))?;
    let alias = view(&context.store, address.clone(), target)?;
    context.store.remove_address(&address).await?;
    alias
        .map(axum::Json)
        .ok_or_else(|| ApiError::new(Code::Internal))
}

/// An account's own address must keep leading to the account, a removed one's too.
fn refuse_account(store: &Store, address: &str) -> Result<(), ApiError> {
    match find_account(store, address) {
        Ok(account) if account.address == address => Err(ApiError::new(Code::NotAnAlias)),
        _ => Ok(()),
    }
}

fn normalised(text: &str) -> Result<String, ApiError> {
    normalise_address(text).ok_or_else(|| ApiError::new(Code::BadAddress).because(text))
}

/// `None`: the address is an account's own primary one.
fn view(
    store: &Store,
    address: String,
    target: AddressTarget,
) -> Result<Option<AliasView>, ApiError> {
    let (targets, own) = match target {
        AddressTarget::Alias(targets) => (targets, false),
        AddressTarget::Account(id) => {
            let primary = primary_address(store, id)?;
            if primary.as_ref() == Some(&address) {
                return Ok(None);
            }
            (primary.into_iter().collect(), true)
        }
    };
    Ok(Some(AliasView {
        address,
        targets,
        own,
        asked: Vec::new(),
    }))
}
