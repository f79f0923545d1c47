//! Filter scripts of an account; checking one.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use facteur_sieve::{NoScripts, compile};
use facteur_store::{Account, Script, ScriptEdit};
use serde::{Deserialize, Serialize};

use super::accounts::find_account;
use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::limits::SCRIPT_BODY_BYTES_MAX;
use super::names::normalise_address;
use super::{Answer, State};
use crate::Context;

#[derive(Serialize)]
struct ScriptView {
    name: String,
    size: u64,
    active: bool,
}

#[derive(Serialize)]
struct TextView {
    name: String,
    active: bool,
    script: String,
}

#[derive(Serialize)]
struct ActiveView {
    active: Option<String>,
}

/// A script, and what is wrong with it when something is.
#[derive(Serialize)]
struct Checked {
    valid: bool,
    line: Option<u32>,
    english: Option<String>,
    french: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    script: String,
    /// Make it the active one as well.
    #[serde(default)]
    activate: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    script: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activate {
    /// Absent: no script is active any more.
    name: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/accounts/{address}/scripts", get(list))
        .route(
            "/v1/accounts/{address}/scripts/{name}",
            get(show).put(store).delete(remove),
        )
        .route("/v1/accounts/{address}/active-script", put(activate))
        .route("/v1/sieve/check", post(check))
        .layer(DefaultBodyLimit::max(SCRIPT_BODY_BYTES_MAX))
}

async fn list(context: State, Path(address): Path<String>) -> Answer<Vec<ScriptView>> {
    let account = account(&context, &address)?;
    let scripts = context.store.scripts(account.id)?;
    Ok(axum::Json(scripts.into_iter().map(view).collect()))
}

async fn show(context: State, Path((address, name)): Path<(String, String)>) -> Answer<TextView> {
    let account = account(&context, &address)?;
    let found = one(&context, &account, &name)?;
    let script = context.store.script(account.id, &name)?;
    Ok(axum::Json(TextView {
        name,
        active: found.active,
        script: script.ok_or_else(|| ApiError::new(Code::NoSuchScript))?,
    }))
}

async fn store(
    context: State,
    Path((address, name)): Path<(String, String)>,
    Json(new): Json<New>,
) -> Answer<ScriptView> {
    let account = account(&context, &address)?;
    compile(&new.script, &NoScripts)
        .map_err(|error| ApiError::new(Code::BadScript).because(error))?;
    let put = ScriptEdit::Put {
        name: name.clone(),
        text: new.script,
    };
    context.store.edit_script(account.id, put).await?;
    if new.activate {
        let activate = ScriptEdit::Activate(Some(name.clone()));
        context.store.edit_script(account.id, activate).await?;
    }
    one(&context, &account, &name).map(|script| axum::Json(view(script)))
}

async fn remove(
    context: State,
    Path((address, name)): Path<(String, String)>,
) -> Answer<ScriptView> {
    let account = account(&context, &address)?;
    let gone = one(&context, &account, &name)?;
    let delete = ScriptEdit::Delete { name };
    context.store.edit_script(account.id, delete).await?;
    Ok(axum::Json(view(gone)))
}

async fn activate(
    context: State,
    Path(address): Path<String>,
    Json(asked): Json<Activate>,
) -> Answer<ActiveView> {
    let account = account(&context, &address)?;
    let edit = ScriptEdit::Activate(asked.name.clone());
    context.store.edit_script(account.id, edit).await?;
    Ok(axum::Json(ActiveView { active: asked.name }))
}

async fn check(Json(asked): Json<Check>) -> Answer<Checked> {
    let error = compile(&asked.script, &NoScripts).err();
    Ok(axum::Json(Checked {
        valid: error.is_none(),
        line: error.as_ref().map(|error| error.line),
        english: error.as_ref().map(|error| error.text("en")),
        french: error.as_ref().map(|error| error.text("fr")),
    }))
}

fn account(context: &Context, address: &str) -> Result<Account, ApiError> {
    let address = normalise_address(address).ok_or_else(|| ApiError::new(Code::BadAddress))?;
    find_account(&context.store, &address)
}

fn one(context: &Context, account: &Account, name: &str) -> Result<Script, ApiError> {
    let mut scripts = context.store.scripts(account.id)?.into_iter();
    let found = scripts.find(|script| script.name == name);
    found.ok_or_else(|| ApiError::new(Code::NoSuchScript))
}

fn view(script: Script) -> ScriptView {
    ScriptView {
        name: script.name,
        size: script.size,
        active: script.active,
    }
}
