//! The history of messages.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use facteur_store::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{ApiError, Code};
use super::extract::Query;
use super::{Answer, State, blocking, rfc3339};
use crate::Context;
use crate::history::{Event, What};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// A Message-ID or an address.
    about: String,
    /// Only what is this address's mail.
    #[serde(rename = "for")]
    only: Option<String>,
}

#[derive(Serialize)]
struct FoundView {
    /// The newest first.
    messages: Vec<MessageView>,
    /// There are more than these.
    more: bool,
}

#[derive(Serialize)]
struct MessageView {
    events: Vec<EventView>,
}

#[derive(Serialize)]
struct EventView {
    at: String,
    #[serde(flatten)]
    what: What,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    again_at: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/v1/trace", get(find))
}

async fn find(context: State, Query(question): Query<Question>) -> Answer<FoundView> {
    if question.about.trim().is_empty() {
        return Err(ApiError::new(Code::BadRequest).because("about: a Message-ID or an address"));
    }
    let context = Arc::clone(&context);
    let found = blocking(move || {
        let only = question.only.as_deref();
        Ok(context.history.find(&question.about, only)?)
    });
    let found = found.await?;
    let messages = found.messages.into_iter();
    let messages = messages.map(|message| MessageView {
        events: message.events.into_iter().map(view).collect(),
    });
    Ok(axum::Json(FoundView {
        messages: messages.collect(),
        more: found.more,
    }))
}

fn view(event: Event) -> EventView {
    let again = match &event.what {
        What::Tried { again, .. } => *again,
        What::Accepted { .. } | What::Refused { .. } => None,
    };
    EventView {
        at: rfc3339(Timestamp(event.at)),
        again_at: again.map(|at| rfc3339(Timestamp(at))),
        what: event.what,
    }
}
