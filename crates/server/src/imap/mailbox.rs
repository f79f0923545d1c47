//! CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8, RFC 6154 §3).

use facteur_imap::command::{Create, MailboxName, Rename, SpecialUse};
use facteur_imap::response::Code;
use facteur_imap::{Reply, text};

use super::error::Failure;
use super::link::Link;
use super::{Handled, User, done};
use crate::drive::Stream;

pub(super) async fn create<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Create,
) -> Handled {
    let special_use = special_use(link, user, &request)?;
    let name = request.mailbox.as_str();
    let id = user.door.create(link.store(), name, special_use).await?;
    Ok(Reply::ok(text::CREATE_DONE)
        .with(Code::MailboxId(id))
        .into())
}

/// One use a mailbox, one mailbox a use, and only those of the store (RFC 6154 §3: USEATTR).
fn special_use<S: Stream>(
    link: &Link<S>,
    user: &User,
    request: &Create,
) -> Result<Option<facteur_store::SpecialUse>, Failure> {
    use facteur_store::SpecialUse as Stored;
    let cannot = || Reply::no(text::SPECIAL_USE_CANNOT).with(Code::UseAttr);
    let special_use = match request.special_use.as_slice() {
        [] => return Ok(None),
        [SpecialUse::Archive] => Stored::Archive,
        [SpecialUse::Drafts] => Stored::Drafts,
        [SpecialUse::Junk] => Stored::Junk,
        [SpecialUse::Sent] => Stored::Sent,
        [SpecialUse::Trash] => Stored::Trash,
        _ => return Err(cannot().into()),
    };
    let name = request.mailbox.as_str();
    if !user.door.may_have_use(link.store(), name, special_use)? {
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
    let mailbox = user.door.open(link.store(), name.as_str())?;
    mailbox.delete(link.store()).await?;
    // Others who have it selected are told by the news; who deletes it knows.
    if user
        .selected
        .as_ref()
        .is_some_and(|selected| selected.handle.is_same(&mailbox))
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
    let (from, to) = (request.from.as_str(), request.to.as_str());
    user.door.rename(link.store(), from, to).await?;
    done(text::RENAME_DONE)
}

pub(super) async fn subscribe<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    name: MailboxName,
    subscribed: bool,
) -> Handled {
    user.door
        .subscribe(link.store(), name.as_str(), subscribed)
        .await?;
    done(match subscribed {
        true => text::SUBSCRIBE_DONE,
        false => text::UNSUBSCRIBE_DONE,
    })
}
