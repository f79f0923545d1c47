//! CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8, RFC 6154 §3).

use facteur_imap::command::{Create, MailboxName, Rename, SpecialUse};
use facteur_imap::response::Code;
use facteur_imap::{Reply, text};
use facteur_store::{Error, Mailbox, MailboxEdit};

use super::error::Failure;
use super::link::Link;
use super::{Handled, User, done, object_id};
use crate::drive::Stream;

pub(super) async fn create<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Create,
) -> Handled {
    let special_use = special_use(link, user, &request.special_use)?;
    let created = link
        .store()
        .create_mailbox(user.account, request.mailbox.as_str(), special_use)
        .await?;
    // RFC 8474 §4.1.
    let id = object_id::mailbox_id(user.account, created);
    Ok(Reply::ok(text::CREATE_DONE)
        .with(Code::MailboxId(id))
        .into())
}

/// One use a mailbox, one mailbox a use, and only those of the store (RFC 6154 §3: USEATTR).
fn special_use<S: Stream>(
    link: &Link<S>,
    user: &User,
    asked: &[SpecialUse],
) -> Result<Option<facteur_store::SpecialUse>, Failure> {
    use facteur_store::SpecialUse as Stored;
    let cannot = || Reply::no(text::SPECIAL_USE_CANNOT).with(Code::UseAttr);
    let special_use = match asked {
        [] => return Ok(None),
        [SpecialUse::Archive] => Stored::Archive,
        [SpecialUse::Drafts] => Stored::Drafts,
        [SpecialUse::Junk] => Stored::Junk,
        [SpecialUse::Sent] => Stored::Sent,
        [SpecialUse::Trash] => Stored::Trash,
        _ => return Err(cannot().into()),
    };
    let mailboxes = link.store().mailboxes(user.account)?;
    if mailboxes
        .iter()
        .any(|mailbox| mailbox.special_use == Some(special_use))
    {
        return Err(cannot().into());
    }
    Ok(Some(special_use))
}

pub(super) async fn delete<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    name: MailboxName,
) -> Handled {
    if name.as_str() == "INBOX" {
        return Err(Reply::no(text::INBOX_STAYS).with(Code::Cannot).into());
    }
    let mailbox = find(link, user, &name)?;
    link.store()
        .delete_mailbox(user.account, mailbox.id)
        .await?;
    // Others who have it selected are told by the news; who deletes it knows.
    if user
        .selected
        .as_ref()
        .is_some_and(|selected| selected.id == mailbox.id)
    {
        user.selected = None;
        link.session.unselected();
    }
    done(text::DELETE_DONE)
}

pub(super) async fn rename<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Rename,
) -> Handled {
    let mailbox = find(link, user, &request.from)?;
    link.store()
        .rename_mailbox(user.account, mailbox.id, request.to.as_str())
        .await?;
    done(text::RENAME_DONE)
}

/// Only what exists can be subscribed to (RFC 9051 §6.3.7 allows the check), or what stayed
/// subscribed when its mailbox was deleted.
pub(super) async fn subscribe<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    name: MailboxName,
    subscribed: bool,
) -> Handled {
    let reply = match subscribed {
        true => text::SUBSCRIBE_DONE,
        false => text::UNSUBSCRIBE_DONE,
    };
    let account = user.account;
    let Some(mailbox) = link.store().mailbox_by_name(account, name.as_str())? else {
        let kept = link.store().subscriptions_without_mailbox(account)?;
        let known = kept.iter().any(|kept| kept == name.as_str());
        if known && !subscribed {
            link.store()
                .unsubscribe_name(account, name.as_str())
                .await?;
        }
        return match known {
            true => done(reply),
            false => Err(Error::NoSuchMailbox.into()),
        };
    };
    if mailbox.subscribed != subscribed {
        let edit = MailboxEdit {
            subscribed: Some(subscribed),
            ..MailboxEdit::default()
        };
        link.store().edit_mailbox(account, mailbox.id, edit).await?;
    }
    done(reply)
}

fn find<S: Stream>(link: &Link<S>, user: &User, name: &MailboxName) -> Result<Mailbox, Failure> {
    let mailbox = link.store().mailbox_by_name(user.account, name.as_str())?;
    Ok(mailbox.ok_or(Error::NoSuchMailbox)?)
}
