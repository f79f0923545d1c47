//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3); LIST's RETURN (MYRIGHTS)
//! (RFC 8440) uses the last.

use facteur_imap::acl::Rights;
use facteur_imap::command::{Identified, MailboxName, RightsChange, SetAcl};
use facteur_imap::{Untagged, text};
use facteur_store::RightsEdit;

use super::door::Handle;
use super::link::Link;
use super::{Handled, User, done};
use crate::drive::Stream;

/// RFC 4314 §4: one of these is enough for MYRIGHTS.
const ANY: facteur_store::Rights = facteur_store::Rights::LOOKUP
    .and(facteur_store::Rights::READ)
    .and(facteur_store::Rights::INSERT)
    .and(facteur_store::Rights::CREATE)
    .and(facteur_store::Rights::DELETE_MAILBOX)
    .and(facteur_store::Rights::ADMINISTER);

fn shown(rights: facteur_store::Rights) -> Rights {
    Rights(rights.0)
}

pub(super) async fn set<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: SetAcl,
) -> Handled {
    let mailbox = user.door.open(link.store(), request.mailbox.as_str())?;
    mailbox.require(facteur_store::Rights::ADMINISTER)?;
    let who = user.door.identifier(link.store(), &request.identifier)?;
    let edit = match request.change {
        RightsChange::Set => RightsEdit::Set,
        RightsChange::Add => RightsEdit::Add,
        RightsChange::Remove => RightsEdit::Remove,
    };
    let rights = facteur_store::Rights(request.rights.0);
    mailbox.edit_rights(link.store(), who, edit, rights).await?;
    done(text::SETACL_DONE)
}

pub(super) async fn delete<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Identified,
) -> Handled {
    let mailbox = user.door.open(link.store(), request.mailbox.as_str())?;
    mailbox.require(facteur_store::Rights::ADMINISTER)?;
    let who = user.door.identifier(link.store(), &request.identifier)?;
    let none = facteur_store::Rights::NONE;
    mailbox
        .edit_rights(link.store(), who, RightsEdit::Set, none)
        .await?;
    done(text::DELETEACL_DONE)
}

pub(super) fn get<S: Stream>(link: &mut Link<S>, user: &mut User, name: &MailboxName) -> Handled {
    let mailbox = user.door.open(link.store(), name.as_str())?;
    let entries: Vec<(String, Rights)> = mailbox
        .acl(link.store())?
        .into_iter()
        .map(|(name, rights)| (name, shown(rights)))
        .collect();
    link.session.respond(&Untagged::Acl {
        mailbox: mailbox.name(),
        entries: &entries,
    });
    done(text::GETACL_DONE)
}

pub(super) fn list_rights<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: &Identified,
) -> Handled {
    let mailbox = user.door.open(link.store(), request.mailbox.as_str())?;
    mailbox.require(facteur_store::Rights::ADMINISTER)?;
    let who = user.door.identifier(link.store(), &request.identifier)?;
    let (required, optional) = mailbox.grantable(link.store(), who)?;
    link.session.respond(&Untagged::ListRights {
        mailbox: mailbox.name(),
        identifier: &request.identifier,
        required: shown(required),
        optional: shown(optional),
    });
    done(text::LISTRIGHTS_DONE)
}

pub(super) fn my_rights<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    name: &MailboxName,
) -> Handled {
    let mailbox = user.door.open(link.store(), name.as_str())?;
    if !mailbox.rights().has_any(ANY) {
        return Err(facteur_store::Error::NoSuchMailbox.into());
    }
    respond(link, &mailbox);
    done(text::MYRIGHTS_DONE)
}

pub(super) fn respond<S: Stream>(link: &mut Link<S>, mailbox: &Handle) {
    link.session.respond(&Untagged::MyRights {
        mailbox: mailbox.name(),
        rights: shown(mailbox.rights()),
    });
}
