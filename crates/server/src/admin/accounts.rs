//! People: add, show, change, disable, remove, bring back.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use facteur_store::{
    Account, AccountEdit, AccountId, AccountKind, AddressTarget, Clock, Credentials, NewAccount,
    Store,
};
use serde::{Deserialize, Serialize};

use super::error::{ApiError, Code};
use super::extract::{Json, Path, Query, Removal, present};
use super::limits::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use super::names::normalise_address;
use super::{Answer, State, blocking, rfc3339};
use crate::Context;
use crate::alarm;
use crate::auth::make_credentials;

#[derive(Serialize)]
struct AccountView {
    address: String,
    display_name: String,
    disabled: bool,
    /// When it was removed; it is erased after the retention time.
    removed: Option<String>,
    language: String,
    quota_bytes: Option<u64>,
    used_bytes: u64,
    messages: u64,
    /// Other addresses that are this person's.
    also: Vec<String>,
    /// Known faults of the clients in use since the server started: names of the quirk table.
    client_faults: Vec<&'static str>,
    /// Only once, when it was generated here.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    address: String,
    #[serde(default)]
    display_name: String,
    /// Absent: one is generated and given back.
    password: Option<String>,
    quota_bytes: Option<u64>,
    language: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    display_name: Option<String>,
    disabled: Option<bool>,
    /// Absent: as it is. `null`: no quota.
    #[serde(default, deserialize_with = "present")]
    quota_bytes: Option<Option<u64>>,
    language: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: Option<String>,
}

#[derive(Serialize)]
struct Released {
    address: String,
    /// Queue entries that were held.
    released: usize,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/accounts", get(list).post(add))
        .route(
            "/v1/accounts/{address}",
            get(show).patch(edit).delete(remove),
        )
        .route("/v1/accounts/{address}/password", put(set_password))
        .route("/v1/accounts/{address}/restore", post(restore))
        .route("/v1/accounts/{address}/release", post(release))
}

/// What an alarm did to it is undone: see `alarm.rs`.
async fn release(context: State, Path(address): Path<String>) -> Answer<Released> {
    let account = find(&context, &address)?;
    let released = alarm::release(&context, account.id).await?;
    Ok(axum::Json(Released {
        address: account.address,
        released,
    }))
}

async fn list(context: State) -> Answer<Vec<AccountView>> {
    let context = Arc::clone(&context);
    let accounts = blocking(move || {
        let accounts = context.store.accounts()?;
        let addresses = context.store.addresses()?;
        let views = accounts
            .into_iter()
            .filter(|account| account.kind == AccountKind::Person)
            .map(|account| view(&context, account, &addresses));
        Ok(views.collect())
    });
    Ok(axum::Json(accounts.await?))
}

async fn add(context: State, Json(new): Json<New>) -> Answer<AccountView> {
    let address = normalise_address(&new.address).ok_or_else(|| ApiError::new(Code::BadAddress))?;
    must_be_local(&context.store, &address)?;
    let language = match new.language {
        Some(language) => known_language(language)?,
        None => context.config.language.clone(),
    };
    let (credentials, generated) = credentials(&context, new.password).await?;
    let account = NewAccount {
        address: address.clone(),
        display_name: new.display_name,
        credentials,
        quota_bytes: new.quota_bytes,
        language,
    };
    context.store.create_account(account).await?;
    tracing::info!(address, "account added");
    one(&context, &address, generated)
}

async fn show(context: State, Path(address): Path<String>) -> Answer<AccountView> {
    let account = find(&context, &address)?;
    one(&context, &account.address, None)
}

async fn edit(
    context: State,
    Path(address): Path<String>,
    Json(edit): Json<Edit>,
) -> Answer<AccountView> {
    let account = find(&context, &address)?;
    let edit = AccountEdit {
        display_name: edit.display_name,
        disabled: edit.disabled,
        credentials: None,
        quota_bytes: edit.quota_bytes,
        language: edit.language.map(known_language).transpose()?,
        removed: None,
    };
    context.store.edit_account(account.id, edit).await?;
    one(&context, &account.address, None)
}

async fn set_password(
    context: State,
    Path(address): Path<String>,
    Json(new): Json<Password>,
) -> Answer<AccountView> {
    let account = find(&context, &address)?;
    let (credentials, generated) = credentials(&context, new.password).await?;
    let edit = AccountEdit {
        credentials: Some(credentials),
        ..AccountEdit::default()
    };
    context.store.edit_account(account.id, edit).await?;
    tracing::info!(address = account.address, "password changed");
    one(&context, &account.address, generated)
}

async fn remove(
    context: State,
    Path(address): Path<String>,
    Query(removal): Query<Removal>,
) -> Answer<AccountView> {
    let account = find(&context, &address)?;
    let address = account.address.clone();
    if removal.erase {
        let gone = view(&context, account.clone(), &context.store.addresses()?);
        context.store.erase_account(account.id).await?;
        let derived = Arc::clone(&context);
        blocking(move || {
            derived.catalog.forget(account.id)?;
            derived.strangers.forget(account.id);
            Ok(derived.junk.forget(account.id)?)
        })
        .await?;
        tracing::info!(address, "account erased");
        return Ok(axum::Json(gone));
    }
    let edit = AccountEdit {
        removed: Some(true),
        ..AccountEdit::default()
    };
    context.store.edit_account(account.id, edit).await?;
    tracing::info!(address, "account removed");
    one(&context, &address, None)
}

async fn restore(context: State, Path(address): Path<String>) -> Answer<AccountView> {
    let account = find(&context, &address)?;
    let edit = AccountEdit {
        removed: Some(false),
        ..AccountEdit::default()
    };
    context.store.edit_account(account.id, edit).await?;
    tracing::info!(address = account.address, "account brought back");
    one(&context, &account.address, None)
}

/// A person: groups have no passwords.
fn find(context: &Context, address: &str) -> Result<Account, ApiError> {
    let address = normalise_address(address).ok_or_else(|| ApiError::new(Code::BadAddress))?;
    let found = find_account(&context.store, &address)?;
    match found.kind {
        AccountKind::Person => Ok(found),
        AccountKind::Group => Err(ApiError::new(Code::NoSuchAccount)),
    }
}

/// By its own address or one more of its addresses, removed ones too.
pub(super) fn find_account(store: &Store, address: &str) -> Result<Account, ApiError> {
    if let Some(AddressTarget::Account(id)) = store.address(address)?
        && let Some(account) = store.account(id)?
    {
        return Ok(account);
    }
    // A removed account's addresses lead nowhere any more.
    let mut accounts = store.accounts()?.into_iter();
    accounts
        .find(|account| account.address == address)
        .ok_or_else(|| ApiError::new(Code::NoSuchAccount))
}

/// Addresses are made only in domains that are ours.
pub(super) fn must_be_local(store: &Store, address: &str) -> Result<(), ApiError> {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    match store.domain(domain)? {
        Some(_) => Ok(()),
        None => Err(ApiError::new(Code::NoSuchDomain)),
    }
}

pub(super) fn primary_address(store: &Store, id: AccountId) -> Result<Option<String>, ApiError> {
    Ok(store.account(id)?.map(|account| account.address))
}

fn one(context: &Context, address: &str, password: Option<String>) -> Answer<AccountView> {
    let account = find_account(&context.store, address)?;
    let mut view = view(context, account, &context.store.addresses()?);
    view.password = password;
    Ok(axum::Json(view))
}

fn view(context: &Context, account: Account, addresses: &[(String, AddressTarget)]) -> AccountView {
    let mine = AddressTarget::Account(account.id);
    let also = addresses
        .iter()
        .filter(|(address, target)| *target == mine && *address != account.address)
        .map(|(address, _)| address.clone());
    AccountView {
        also: also.collect(),
        client_faults: context.quirks.of(account.id),
        address: account.address,
        display_name: account.display_name,
        disabled: account.disabled,
        removed: account.removed.map(rfc3339),
        language: account.language,
        quota_bytes: account.quota_bytes,
        used_bytes: account.used_bytes,
        messages: account.messages,
        password: None,
    }
}

pub(super) fn known_language(language: String) -> Result<String, ApiError> {
    match language.as_str() {
        "en" | "fr" => Ok(language),
        _ => Err(ApiError::new(Code::BadRequest).because("language is \"en\" or \"fr\"")),
    }
}

/// From the given password, or from a new one that is given back.
async fn credentials(
    context: &Context,
    given: Option<String>,
) -> Result<(Credentials, Option<String>), ApiError> {
    let generated = match &given {
        Some(password) => {
            check_password(password)?;
            None
        }
        None => Some(generate_password(context.clock.as_ref())),
    };
    let password = given.or_else(|| generated.clone()).unwrap_or_default();
    let clock = Arc::clone(&context.clock);
    let made = blocking(move || Ok(make_credentials(clock.as_ref(), &password)));
    Ok((made.await?, generated))
}

fn check_password(password: &str) -> Result<(), ApiError> {
    let length = password.chars().count();
    let fits = (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length);
    if fits && !password.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ApiError::new(Code::WeakPassword))
}

/// 80 random bits in four groups of four letters and digits that nobody mistakes for each other.
pub fn generate_password(clock: &dyn Clock) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 16];
    clock.random(&mut random);
    let mut password = String::with_capacity(19);
    for (place, byte) in random.into_iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            password.push('-');
        }
        let letter = LETTERS.get(usize::from(byte % 32)).copied();
        password.push(char::from(letter.unwrap_or(b'a')));
    }
    password
}
