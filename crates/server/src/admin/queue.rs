//! Mail that waits to leave.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use facteur_store::{QueueEntry, QueueFilter, QueueId, RecipientState, Timestamp, WaitReason};
use serde::{Deserialize, Serialize};

use super::error::{ApiError, Code};
use super::extract::{Path, Query};
use super::limits::QUEUE_PAGE_MAX;
use super::names::normalise_domain;
use super::{Answer, State, blocking, rfc3339};
use crate::Context;

#[derive(Serialize)]
struct RecipientView {
    address: String,
    /// "pending", "delivered" or "failed".
    state: &'static str,
    reply: Option<String>,
}

#[derive(Serialize)]
struct EntryView {
    id: u64,
    domain: String,
    /// Empty: a report of ours, which has no sender.
    from: String,
    recipients: Vec<RecipientView>,
    size: u64,
    created: String,
    due: String,
    expires: String,
    held: bool,
    attempts: u32,
    last_outcome: String,
    /// Why it waits, a word of the table below.
    reason: &'static str,
    /// RFC 6710: -9 to 9.
    priority: i8,
}

#[derive(Serialize)]
struct Page {
    entries: Vec<EntryView>,
    /// Ask again with `after` this id; `null`: that was all.
    next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    domain: Option<String>,
    held: Option<bool>,
    after: Option<u64>,
    max: Option<usize>,
}

/// What can be done to an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Retry,
    Hold,
    Release,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/queue", get(list))
        .route("/v1/queue/{id}", get(show).delete(drop_entry))
        .route(
            "/v1/queue/{id}/retry",
            post(|context: State, id: Path<u64>| edit(context, id, Edit::Retry)),
        )
        .route(
            "/v1/queue/{id}/hold",
            post(|context: State, id: Path<u64>| edit(context, id, Edit::Hold)),
        )
        .route(
            "/v1/queue/{id}/release",
            post(|context: State, id: Path<u64>| edit(context, id, Edit::Release)),
        )
}

async fn list(context: State, Query(filter): Query<Filter>) -> Answer<Page> {
    let domain = match filter.domain {
        Some(domain) => Some(
            normalise_domain(&domain)
                .and_then(|domain| idna::domain_to_ascii(&domain).ok())
                .ok_or_else(|| ApiError::new(Code::BadDomain))?,
        ),
        None => None,
    };
    let wanted = QueueFilter {
        domain,
        held: filter.held,
    };
    let max = filter.max.unwrap_or(QUEUE_PAGE_MAX);
    let max = max.clamp(1, QUEUE_PAGE_MAX);
    let after = filter.after.map(QueueId);
    let context = Arc::clone(&context);
    let entries = blocking(move || Ok(context.store.queue_list(&wanted, after, max)?)).await?;
    let next = match entries.last() {
        Some(last) if entries.len() == max => Some(last.id.0),
        _ => None,
    };
    Ok(axum::Json(Page {
        entries: entries.into_iter().map(view).collect(),
        next,
    }))
}

async fn show(context: State, Path(id): Path<u64>) -> Answer<EntryView> {
    Ok(axum::Json(view(entry(&context, id)?)))
}

async fn edit(context: State, Path(id): Path<u64>, edit: Edit) -> Answer<EntryView> {
    let now = context.clock.now();
    let changed = update(&context, id, |entry| Some(edited(entry, edit, now))).await?;
    Ok(axum::Json(view(changed)))
}

/// Removes it: nobody gets it, and nobody is told.
async fn drop_entry(context: State, Path(id): Path<u64>) -> Answer<EntryView> {
    let gone = update(&context, id, |_| None).await?;
    tracing::info!(id, domain = gone.domain, "queue entry dropped by hand");
    Ok(axum::Json(view(gone)))
}

/// Changes an entry that nobody is sending: a change under a transfer's feet could send it twice.
/// Gives it as it is afterwards, or as it was when it is gone.
async fn update(
    context: &Context,
    id: u64,
    change: impl FnOnce(QueueEntry) -> Option<QueueEntry>,
) -> Result<QueueEntry, ApiError> {
    let store = &context.store;
    let before = entry(context, id)?;
    if !store.queue_lease(QueueId(id)) {
        return Err(ApiError::new(Code::Busy));
    }
    // Read again: it may have changed before the lease.
    let changed = match entry(context, id) {
        Ok(current) => {
            let changed = change(current);
            let update = store.queue_update(QueueId(id), changed.clone(), Vec::new());
            update.await.map_err(ApiError::from).map(|()| changed)
        }
        Err(error) => Err(error),
    };
    if changed.is_err() {
        // A successful update has given the lease back, and the runner may have it by now.
        store.queue_release(QueueId(id));
    }
    changed.map(|changed| changed.unwrap_or(before))
}

fn edited(entry: QueueEntry, edit: Edit, now: Timestamp) -> QueueEntry {
    let held = edit == Edit::Hold;
    match edit {
        Edit::Retry => QueueEntry { held, ..entry }.tried_at(now),
        Edit::Hold | Edit::Release => QueueEntry { held, ..entry },
    }
}

fn entry(context: &Context, id: u64) -> Result<QueueEntry, ApiError> {
    let entry = context.store.queue_entry(QueueId(id))?;
    entry.ok_or_else(|| ApiError::new(Code::NoSuchQueueEntry))
}

fn reason(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::NotTried => "not_tried",
        WaitReason::Asked => "asked",
        WaitReason::Answered => "answered",
        WaitReason::Unreachable => "unreachable",
        WaitReason::Dns => "dns",
        WaitReason::Unproven => "unproven",
        WaitReason::TlsDemanded => "tls_demanded",
        WaitReason::Here => "here",
        WaitReason::Unconfirmed => "unconfirmed",
        WaitReason::Reporting => "reporting",
    }
}

fn view(entry: QueueEntry) -> EntryView {
    let recipients = entry.recipients.into_iter().map(|recipient| {
        let (state, reply) = match recipient.state {
            RecipientState::Pending => ("pending", None),
            RecipientState::Delivered { reply } => ("delivered", Some(reply)),
            RecipientState::Failed { reply } => ("failed", Some(reply)),
        };
        RecipientView {
            address: recipient.address,
            state,
            reply,
        }
    });
    EntryView {
        id: entry.id.0,
        domain: entry.domain,
        from: entry.reverse_path,
        recipients: recipients.collect(),
        size: entry.body_size.saturating_add(entry.prefix.len() as u64),
        created: rfc3339(entry.created),
        due: rfc3339(entry.due),
        expires: rfc3339(entry.expires),
        held: entry.held,
        attempts: entry.attempts,
        last_outcome: entry.last_outcome,
        reason: reason(entry.reason),
        priority: entry.wishes.priority,
    }
}
