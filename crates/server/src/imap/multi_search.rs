//! ESEARCH: one search over several mailboxes, RFC 7377.

use facteur_imap::command::{MailboxName, Search, SearchKey, Source};
use facteur_imap::text;
use facteur_store::{Error, Rights};

use super::door::{Asked, Handle};
use super::error::Failure;
use super::find::Target;
use super::link::Link;
use super::selected::{Hit, view_of};
use super::{Handled, User, contexts, done, search};
use crate::drive::{self, Stream};

pub(super) async fn search<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Search,
) -> Handled {
    let updates = request.return_.is_some_and(|return_| return_.update);
    if let (true, Some(selected)) = (updates, &user.selected) {
        contexts::check_tag(link, selected)?;
    }
    let mut updating = false;
    for mailbox in mailboxes(link, user, &request)? {
        let selected = user
            .selected
            .as_ref()
            .filter(|open| open.handle.is_same(&mailbox));
        let is_selected = selected.is_some();
        let Some(found) = in_mailbox(link, user, &mailbox, &request).await? else {
            continue;
        };
        if !found.is_empty() {
            let name = Some((mailbox.name(), mailbox.record().uid_validity));
            search::respond(link, &request, &found, name);
        }
        if let (true, Some(selected)) = (is_selected, user.selected.as_mut()) {
            if request.saves() {
                selected.view.save(search::saved(&request, &found));
            }
            // RFC 7377 §2.2: UPDATE is about the selected mailbox alone.
            if updates {
                updating = true;
                contexts::begin(link, selected, &request, &found).await?;
            }
        }
        link.flush().await?;
    }
    if updates && !updating {
        contexts::refuse(link);
    }
    done(text::ESEARCH_DONE)
}

/// `None`: it went meanwhile.
async fn in_mailbox<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    mailbox: &Handle,
    request: &Search,
) -> Result<Option<Vec<Hit>>, Failure> {
    // Mailboxes before it may have taken a while.
    if !mailbox.is_readable_still(link.store())? {
        return Ok(None);
    }
    let selected = user.selected.as_ref();
    let selected = selected.filter(|open| open.handle.is_same(mailbox));
    if let Some(selected) = selected {
        let found = search::run(link, selected.target(), request).await?;
        return Ok(Some(found));
    }
    // Numbers of messages mean nothing in a mailbox that is not open.
    if request.keys.iter().any(SearchKey::uses_sequence) {
        return Ok(None);
    }
    let (store, reading) = (link.store().clone(), mailbox.read()?);
    let index = match drive::blocking(move || reading.index(&store)).await {
        Ok(index) => index,
        Err(Error::NoSuchMailbox) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let view = view_of(&index);
    drop(index);
    let target = Target {
        mailbox: reading,
        view: &view,
    };
    search::run(link, target, request).await.map(Some)
}

/// The mailboxes meant, each once, in the order of their names; names that nothing has are passed
/// over, as those that may not be read are (RFC 7377 §2.2).
fn mailboxes<S: Stream>(
    link: &Link<S>,
    user: &User,
    request: &Search,
) -> Result<Vec<Handle>, Failure> {
    let selected = user.selected.as_ref().map(|selected| &selected.handle);
    let sources = request.sources.as_deref().unwrap_or_default();
    let asked: Vec<&str> = sources.iter().flat_map(names_in).collect();
    let mut mailboxes = user.door.mailboxes(link.store(), Asked(&asked))?;
    mailboxes.sort_by(|a, b| a.name().cmp(b.name()));
    mailboxes.retain(|mailbox| {
        let mut sources = sources.iter();
        mailbox.may(Rights::READ) && sources.any(|source| covers(source, mailbox, selected))
    });
    Ok(mailboxes)
}

fn names_in(source: &Source) -> impl Iterator<Item = &str> {
    let names = match source {
        Source::Mailboxes(names) | Source::Subtree(names) | Source::SubtreeOne(names) => {
            names.as_slice()
        }
        Source::Selected | Source::Inboxes | Source::Personal | Source::Subscribed => &[],
    };
    names.iter().map(MailboxName::as_str)
}

/// RFC 5465 §6, RFC 7377 §2.2.
fn covers(source: &Source, mailbox: &Handle, selected: Option<&Handle>) -> bool {
    let below = |name: &MailboxName| {
        let rest = mailbox.name().strip_prefix(name.as_str())?;
        rest.strip_prefix('/')
    };
    let named = |names: &[MailboxName]| names.iter().any(|name| name.as_str() == mailbox.name());
    match source {
        Source::Selected => selected.is_some_and(|selected| selected.is_same(mailbox)),
        Source::Inboxes => mailbox.name() == "INBOX",
        Source::Personal => mailbox.is_own(),
        Source::Subscribed => mailbox.record().subscribed,
        Source::Mailboxes(names) => named(names),
        Source::Subtree(names) => named(names) || names.iter().any(|name| below(name).is_some()),
        Source::SubtreeOne(names) => {
            let child = |name| below(name).is_some_and(|rest| !rest.contains('/'));
            named(names) || names.iter().any(child)
        }
    }
}
