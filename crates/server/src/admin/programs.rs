//! Programs that may send, and as whom.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get};
use facteur_store::{Clock, Hook, Program, Store};
use serde::{Deserialize, Serialize};

use super::accounts::must_be_local;
use super::error::{ApiError, Code};
use super::extract::{Json, Path};
use super::limits::{PROGRAM_ADDRESSES_MAX, PROGRAM_NAME_BYTES_MAX, PROGRAM_URL_BYTES_MAX};
use super::names::{normalise_address, normalise_domain};
use super::{Answer, State, rfc3339};
use crate::Context;
use crate::programs::{self, token};

#[derive(Serialize)]
struct ProgramView {
    name: String,
    from: Vec<String>,
    user: Option<String>,
    /// Where it is told of its mail.
    hook: Option<String>,
    created: String,
    /// Only once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What calls are signed with; only once as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    hook_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    /// Addresses, or `@domain` for all of a domain.
    from: Vec<String>,
    /// The user of this machine whose processes it is. Absent: a token is made and given back.
    user: Option<String>,
    /// A URL that is called with what became of its mail.
    hook: Option<String>,
    /// The hook may lead to this machine and to private networks.
    #[serde(default)]
    hook_private: bool,
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
    if !is_name(&new.name) || new.user.as_ref().is_some_and(|user| !is_login(user)) {
        return Err(ApiError::new(Code::BadName));
    }
    if new.user.is_some() && new.hook.is_some() {
        return Err(ApiError::new(Code::BadRequest).because("hook: only with a token"));
    }
    let clock = context.clock.as_ref();
    let hook = match new.hook {
        Some(url) => Some(hook(clock, url, new.hook_private)?),
        None => None,
    };
    let (token, hash) = match &new.user {
        Some(_) => (None, None),
        None => {
            let (token, hash) = token::make(clock, &new.name);
            (Some(token), Some(hash))
        }
    };
    if new.from.is_empty() || new.from.len() > PROGRAM_ADDRESSES_MAX {
        let bound = format!("from: 1 to {PROGRAM_ADDRESSES_MAX} addresses");
        return Err(ApiError::new(Code::BadRequest).because(bound));
    }
    let from = new.from.iter().map(|from| sender(&context.store, from));
    let program = Program {
        name: new.name,
        from: from.collect::<Result<_, _>>()?,
        user: new.user,
        token: hash,
        hook,
        created: context.clock.now(),
    };
    context.store.add_program(program.clone()).await?;
    tracing::info!(program = program.name, from = ?program.from, "program added");
    let secret = program.hook.as_ref().map(|hook| &hook.secret);
    let secret = secret.map(|secret| String::from_utf8_lossy(secret).into_owned());
    Ok(axum::Json(ProgramView {
        token,
        hook_secret: secret,
        ..view(program)
    }))
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

fn hook(clock: &dyn Clock, url: String, private: bool) -> Result<Hook, ApiError> {
    if url.len() > PROGRAM_URL_BYTES_MAX || programs::Place::parse(&url, private).is_none() {
        return Err(ApiError::new(Code::BadRequest).because("hook: an https:// URL"));
    }
    Ok(Hook {
        url,
        secret: token::secret(clock).into_bytes(),
        private,
    })
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
        hook: program.hook.map(|hook| hook.url),
        token: None,
        hook_secret: None,
        created: rfc3339(program.created),
    }
}
