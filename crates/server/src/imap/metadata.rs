//! GETMETADATA and SETMETADATA (RFC 5464); LIST's RETURN (METADATA …) (RFC 9590) uses it too.
//!
//! A person's mailboxes are seen by nobody else: `/shared` entries are as private as `/private`
//! ones. Server entries under `/shared` are the administrator's and can't be set.

use facteur_imap::command::{Depth, GetMetadata, SetMetadata};
use facteur_imap::limits::METADATA_VALUE_BYTES_MAX;
use facteur_imap::response::{Code, MetadataData, MetadataEntry};
use facteur_imap::{Reply, Untagged, text};

use super::door::Handle;
use super::error::Failure;
use super::link::Link;
use super::{Handled, User, done};
use crate::drive::Stream;

/// RFC 5464 §6.2.2.
const ADMIN: &str = "/shared/admin";

pub(super) async fn get<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: GetMetadata,
) -> Handled {
    let (name, mailbox) = match &request.mailbox {
        Some(name) => {
            let mailbox = user.door.open(link.store(), name.as_str())?;
            (mailbox.name().to_owned(), Some(mailbox))
        }
        None => (String::new(), None),
    };
    let stored = load(link, user, mailbox.as_ref())?;
    let mut longest = None;
    let mut found: Vec<MetadataEntry<'_>> = Vec::new();
    for asked in &request.entries {
        let before = found.len();
        let mut there = false;
        for (entry, value) in stored
            .iter()
            .filter(|(entry, _)| is_within(entry, asked, request.depth))
        {
            there = true;
            if request.max_size.is_some_and(|max| value.len() as u64 > max) {
                longest = longest.max(Some(value.len() as u64));
            } else if !found.iter().any(|(told, _)| told == entry) {
                found.push((entry, Some(value)));
            }
        }
        // What is asked for by its name and is not there is NIL.
        if !there && found.len() == before && request.depth == Depth::Zero {
            found.push((asked, None));
        }
    }
    respond(link, &name, &found).await?;
    let reply = Reply::ok(text::GETMETADATA_DONE);
    Ok(match longest {
        Some(size) => reply.with(Code::MetadataLongEntries(size)).into(),
        None => reply.into(),
    })
}

async fn respond<S: Stream>(
    link: &mut Link<S>,
    mailbox: &str,
    entries: &[MetadataEntry<'_>],
) -> Result<(), Failure> {
    // One response each: values may be large.
    for entry in entries {
        link.say(&Untagged::Metadata(&MetadataData {
            mailbox,
            entries: std::slice::from_ref(entry),
        }))
        .await?;
    }
    Ok(())
}

fn load<S: Stream>(
    link: &Link<S>,
    user: &User,
    mailbox: Option<&Handle>,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    if let Some(mailbox) = mailbox {
        return mailbox.metadata(link.store());
    }
    let mut stored = user.door.metadata(link.store())?;
    stored.push(admin_entry(&link.ctx().config.hostname));
    Ok(stored)
}

/// RFC 5464 §6.2.2: whom to write to about the server.
pub(crate) fn admin_entry(hostname: &str) -> (String, Vec<u8>) {
    let admin = format!("mailto:postmaster@{hostname}");
    (ADMIN.to_owned(), admin.into_bytes())
}

/// RFC 5464 §4.2.2.
fn is_within(entry: &str, asked: &str, depth: Depth) -> bool {
    let Some(below) = entry.strip_prefix(asked) else {
        return false;
    };
    match (below.strip_prefix('/'), depth) {
        _ if below.is_empty() => true,
        (None, _) | (_, Depth::Zero) => false,
        (Some(rest), Depth::One) => !rest.contains('/'),
        (Some(_), Depth::Infinity) => true,
    }
}

/// RFC 9590: one response with all that was asked for, NIL for what is not there.
pub(super) async fn list<S: Stream>(
    link: &mut Link<S>,
    mailbox: &Handle,
    asked: &[String],
) -> Result<(), Failure> {
    let stored = mailbox.metadata(link.store())?;
    let found: Vec<MetadataEntry<'_>> = asked
        .iter()
        .map(|asked| {
            let value = stored.iter().find(|(entry, _)| entry == asked);
            (asked.as_str(), value.map(|(_, value)| value.as_slice()))
        })
        .collect();
    link.say(&Untagged::Metadata(&MetadataData {
        mailbox: mailbox.name(),
        entries: &found,
    }))
    .await?;
    Ok(())
}

pub(super) async fn set<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: SetMetadata,
) -> Handled {
    let mailbox = match &request.mailbox {
        Some(name) => Some(user.door.open(link.store(), name.as_str())?),
        None => None,
    };
    for (entry, value) in &request.entries {
        let large = value
            .as_ref()
            .is_some_and(|value| value.len() > METADATA_VALUE_BYTES_MAX);
        if large {
            let code = Code::MetadataMaxSize(METADATA_VALUE_BYTES_MAX as u64);
            return Err(Reply::no(text::METADATA_TOO_BIG).with(code).into());
        }
        // Entries are below one of the two, and the administrator's are not ours to set.
        if entry.matches('/').count() < 2 || (mailbox.is_none() && entry.starts_with("/shared/")) {
            return Err(Reply::no(text::NOT_PERMITTED).with(Code::NoPerm).into());
        }
    }
    let (store, entries) = (link.store(), request.entries);
    match mailbox {
        Some(mailbox) => mailbox.set_metadata(store, entries).await?,
        None => user.door.set_metadata(store, entries).await?,
    }
    done(text::SETMETADATA_DONE)
}
