//! Programs that may send, and as whom.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get};
use facteur_store::{Program, Store};
use serde::{Deserialize, Serialize};

use super::accounts::must_be_local;
use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::limits::{PROGRAM_ADDRESSES_MAX, PROGRAM_NAME_BYTES_MAX};
use super::names::{normalise_address, normalise_domain};
use super::{Answer, State, rfc3339};
use crate::Context;

#[derive(Serialize)]
struct ProgramView {
    name: String,
    from: Vec<String>,
    user: Option<String>,
    created: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    /// Addresses, or `@domain` for all of a domain.
    from: Vec<String>,
    /// The user of this machine whose processes it is.
    user: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/programs", get(list).post(add))
        .route("/v1/programs/{name}", delete(remove))
}

async fn list(context: State) -> Answer<Vec<ProgramView>> {
    let programs = context.store.programs()?;
    Ok(axum::Json(programs.into_iter().map(view).collect()))
}

async fn add(context: State, Json(new): Json<New>) -> Answer<ProgramView> {
    let Some(user) = new.user else {
        return Err(ApiError::new(Code::BadRequest).because("user: whose processes it is"));
    };
    if !is_name(&new.name) || !is_login(&user) {
        return Err(ApiError::new(Code::BadName));
    }
    if new.from.is_empty() || new.from.len() > PROGRAM_ADDRESSES_MAX {
        let bound = format!("from: 1 to {PROGRAM_ADDRESSES_MAX} addresses");
        return Err(ApiError::new(Code::BadRequest).because(bound));
    }
    let from = new.from.iter().map(|from| sender(&context.store, from));
    let program = Program {
        name: new.name,
        from: from.collect::<Result<_, _>>()?,
        user: Some(user),
        token: None,
        hook: None,
        created: context.clock.now(),
    };
    context.store.add_program(program.clone()).await?;
    tracing::info!(program = program.name, from = ?program.from, "program added");
    Ok(axum::Json(view(program)))
}

async fn remove(context: State, Path(name): Path<String>) -> Answer<ProgramView> {
    let none = || ApiError::new(Code::NoSuchProgram);
    let program = context.store.program(&name)?.ok_or_else(none)?;
    if !context.store.remove_program(&name).await? {
        return Err(none());
    }
    tracing::info!(program = name, "program removed");
    Ok(axum::Json(view(program)))
}

/// An address of ours, or `@` and a domain of ours.
fn sender(store: &Store, text: &str) -> Result<String, ApiError> {
    let bad = || ApiError::new(Code::BadAddress).because(text);
    let address = match text.strip_prefix('@') {
        Some(domain) => format!("@{}", normalise_domain(domain).ok_or_else(bad)?),
        None => normalise_address(text).ok_or_else(bad)?,
    };
    must_be_local(store, &address)?;
    Ok(address)
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=PROGRAM_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(good)
}

fn is_login(login: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=PROGRAM_NAME_BYTES_MAX).contains(&login.len()) && login.bytes().all(good)
}

fn view(program: Program) -> ProgramView {
    ProgramView {
        name: program.name,
        from: program.from,
        user: program.user,
        created: rfc3339(program.created),
    }
}
