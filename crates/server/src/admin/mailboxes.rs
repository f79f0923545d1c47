//! Mailboxes of an account, what was deleted in them, and bringing it back.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use facteur_message::{Facts, encoded_word};
use facteur_store::{
    Account, AccountId, Mailbox, MailboxId, SpecialUse, Store, Timestamp, Tombstone, UidSet,
};
use serde::{Deserialize, Serialize};

use super::accounts::find_account;
use super::error::{ApiError, Code};
use super::extract::{Json, Path, Query};
use super::limits::{TOMBSTONES_MAX, UID_RANGES_MAX};
use super::names::normalise_address;
use super::{Answer, State, blocking, rfc3339};
use crate::Context;

#[derive(Serialize)]
struct MailboxView {
    name: String,
    messages: u32,
    unseen: u32,
    size: u64,
    special_use: Option<&'static str>,
    subscribed: bool,
    uid_validity: u32,
    uid_next: u32,
}

#[derive(Serialize)]
struct DeletedView {
    mailboxes: Vec<DeletedMailboxView>,
    messages: Vec<DeletedMessageView>,
    /// There are more messages than are shown.
    more: bool,
}

#[derive(Serialize)]
struct DeletedMailboxView {
    name: String,
    messages: u32,
    deleted: String,
}

#[derive(Serialize)]
struct DeletedMessageView {
    mailbox: String,
    uid: u32,
    subject: String,
    size: u64,
    received: String,
    deleted: String,
}

#[derive(Serialize)]
struct RestoredView {
    /// What was asked for: "mailbox" or "messages".
    restored: &'static str,
    /// Where it is now; a mailbox gets a number when its name was taken meanwhile.
    mailbox: String,
    messages: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    mailbox: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    mailbox: String,
    /// As in IMAP: `3,7:12`. Absent: the deleted mailbox of that name, else all messages deleted in it.
    uids: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/accounts/{address}/mailboxes", get(list))
        .route("/v1/accounts/{address}/deleted", get(deleted))
        .route("/v1/accounts/{address}/deleted/restore", post(restore))
}

async fn list(context: State, Path(address): Path<String>) -> Answer<Vec<MailboxView>> {
    let account = account(&context, &address)?;
    let mailboxes = context.store.mailboxes(account.id)?;
    Ok(axum::Json(
        mailboxes.into_iter().map(mailbox_view).collect(),
    ))
}

async fn deleted(
    context: State,
    Path(address): Path<String>,
    Query(place): Query<Where>,
) -> Answer<DeletedView> {
    let account = account(&context, &address)?;
    let context = Arc::clone(&context);
    let view = blocking(move || {
        let mailboxes = context.store.deleted_mailboxes(account.id)?;
        let mut tombstones = context.store.tombstones(account.id, None)?;
        if let Some(name) = &place.mailbox {
            tombstones.retain(|tombstone| same_name(&tombstone.mailbox_name, name));
        }
        tombstones.sort_by_key(|tombstone| std::cmp::Reverse(tombstone.expunged));
        let more = tombstones.len() > TOMBSTONES_MAX;
        tombstones.truncate(TOMBSTONES_MAX);
        Ok(DeletedView {
            mailboxes: mailboxes
                .into_iter()
                .filter(|mailbox| {
                    let wanted = place.mailbox.as_deref();
                    wanted.is_none_or(|name| same_name(&mailbox.name, name))
                })
                .map(|mailbox| DeletedMailboxView {
                    name: mailbox.name,
                    messages: mailbox.messages,
                    deleted: rfc3339(mailbox.at),
                })
                .collect(),
            messages: tombstones.into_iter().map(message_view).collect(),
            more,
        })
    });
    Ok(axum::Json(view.await?))
}

async fn restore(
    context: State,
    Path(address): Path<String>,
    Json(wanted): Json<Restore>,
) -> Answer<RestoredView> {
    let account = account(&context, &address)?;
    let store = &context.store;
    let uids = wanted.uids.as_deref().map(parse_uids).transpose()?;
    if uids.is_none()
        && let Some((id, messages)) = deleted_mailbox(store, account.id, &wanted.mailbox)?
    {
        let name = store.restore_mailbox(account.id, id).await?;
        tracing::info!(
            address = account.address,
            mailbox = name,
            "mailbox restored"
        );
        return Ok(axum::Json(RestoredView {
            restored: "mailbox",
            mailbox: name,
            messages: u64::from(messages),
        }));
    }
    let (mailbox, name, found) = deleted_messages(store, account.id, &wanted.mailbox, uids)?;
    let appended = store.restore(account.id, mailbox, found).await?;
    tracing::info!(
        address = account.address,
        mailbox = name,
        count = appended.len(),
        "messages restored"
    );
    let place = appended.first().map(|first| first.mailbox);
    let place = match place {
        Some(mailbox) => store.mailbox(account.id, mailbox)?,
        None => None,
    };
    Ok(axum::Json(RestoredView {
        restored: "messages",
        mailbox: place.map_or(name, |mailbox| mailbox.name),
        messages: appended.len() as u64,
    }))
}

fn account(context: &Context, address: &str) -> Result<Account, ApiError> {
    let address = normalise_address(address).ok_or_else(|| ApiError::new(Code::BadAddress))?;
    find_account(&context.store, &address)
}

/// The one of that name that was deleted last.
fn deleted_mailbox(
    store: &Store,
    account: AccountId,
    name: &str,
) -> Result<Option<(MailboxId, u32)>, ApiError> {
    let deleted = store.deleted_mailboxes(account)?.into_iter();
    let found = deleted
        .filter(|mailbox| same_name(&mailbox.name, name))
        .max_by_key(|mailbox| mailbox.at);
    Ok(found.map(|mailbox| (mailbox.id, mailbox.messages)))
}

/// Which messages deleted in the mailbox of that name are meant: its id, its name, their uids.
fn deleted_messages(
    store: &Store,
    account: AccountId,
    name: &str,
    uids: Option<UidSet>,
) -> Result<(MailboxId, String, UidSet), ApiError> {
    let mut tombstones = store.tombstones(account, None)?;
    tombstones.retain(|tombstone| {
        let uid = tombstone.message.row.uid;
        same_name(&tombstone.mailbox_name, name)
            && uids.as_ref().is_none_or(|uids| uids.contains(uid))
    });
    let newest = tombstones.iter().max_by_key(|tombstone| tombstone.expunged);
    let Some((mailbox, name)) = newest.map(|tombstone| {
        let name = tombstone.mailbox_name.clone();
        (tombstone.mailbox, name)
    }) else {
        return Err(ApiError::new(Code::NothingToRestore));
    };
    let found = tombstones
        .iter()
        .filter(|tombstone| tombstone.mailbox == mailbox)
        .map(|tombstone| tombstone.message.row.uid);
    Ok((mailbox, name, found.collect()))
}

/// INBOX has no case (RFC 9051 §5.1).
fn same_name(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("inbox") && other.eq_ignore_ascii_case("inbox"))
}

fn parse_uids(text: &str) -> Result<UidSet, ApiError> {
    let bad = || ApiError::new(Code::BadUids);
    let mut ranges = Vec::new();
    for part in text.split(',') {
        if ranges.len() == UID_RANGES_MAX {
            return Err(bad());
        }
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let first: u32 = first.trim().parse().map_err(|_| bad())?;
        let last: u32 = match last.trim() {
            "*" => u32::MAX,
            last => last.parse().map_err(|_| bad())?,
        };
        if first == 0 || last == 0 {
            return Err(bad());
        }
        ranges.push((first, last));
    }
    Ok(UidSet::from_ranges(ranges))
}

fn special_use_name(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::Archive => "archive",
        SpecialUse::Drafts => "drafts",
        SpecialUse::Junk => "junk",
        SpecialUse::Sent => "sent",
        SpecialUse::Trash => "trash",
    }
}

fn mailbox_view(mailbox: Mailbox) -> MailboxView {
    MailboxView {
        name: mailbox.name,
        messages: mailbox.messages,
        unseen: mailbox.unseen,
        size: mailbox.size,
        special_use: mailbox.special_use.map(special_use_name),
        subscribed: mailbox.subscribed,
        uid_validity: mailbox.uid_validity,
        uid_next: mailbox.uid_next.0,
    }
}

fn message_view(tombstone: Tombstone) -> DeletedMessageView {
    let row = tombstone.message.row;
    let subject = Facts::decode(&tombstone.message.facts)
        .ok()
        .and_then(|facts| facts.envelope.subject);
    DeletedMessageView {
        mailbox: tombstone.mailbox_name,
        uid: row.uid.0,
        subject: encoded_word::decode(&subject.unwrap_or_default()),
        size: row.size,
        received: rfc3339(Timestamp::from_seconds(row.internal_date)),
        deleted: rfc3339(tombstone.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_sets() {
        for (text, expected) in [
            ("3", Some(vec![(3, 3)])),
            ("7:12,3", Some(vec![(3, 3), (7, 12)])),
            ("12:7", Some(vec![(7, 12)])),
            ("5:*", Some(vec![(5, u32::MAX)])),
            ("", None),
            ("0", None),
            ("1,,2", None),
            ("a", None),
        ] {
            let parsed = parse_uids(text).ok();
            assert_eq!(parsed.map(|set| set.ranges().to_vec()), expected, "{text}");
        }
    }
}
