//! COPY and UID COPY (RFC 9051 §6.4.7), MOVE and UID MOVE (§6.4.8), with COPYUID.

use facteur_imap::command::Copy;
use facteur_imap::response::Code;
use facteur_imap::set::Numbers;
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{Copied, Error, Rights};

use super::door::Handle;
use super::error::Failure;
use super::link::Link;
use super::selected::uid_set;
use super::{Handled, User, done};
use crate::drive::Stream;

pub(super) async fn copy<S: Stream>(link: &mut Link<S>, user: &mut User, request: Copy) -> Handled {
    let (uids, to) = prepare(link, user, &request)?;
    let from = user.selected()?.reading;
    let copied = to
        .copy_from(link.store(), from, uid_set(&uids))
        .await
        .map_err(no_target)?;
    let reply = Reply::ok(text::COPY_DONE);
    Ok(match copy_uid(&to, copied) {
        Some(code) => reply.with(code).into(),
        None => reply.into(),
    })
}

pub(super) async fn move_messages<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Copy,
) -> Handled {
    user.selected()?.writable()?;
    let (uids, to) = prepare(link, user, &request)?;
    let from = &user.selected()?.handle;
    let moved = to
        .move_from(link.store(), from, uid_set(&uids))
        .await
        .map_err(no_target)?;
    // RFC 6851 §4.3: before the EXPUNGEs, so that the client can follow.
    if let Some(code) = copy_uid(&to, moved) {
        let reply = Reply::ok(text::COPYUID).with(code);
        link.session.respond(&Untagged::Reply(&reply));
    }
    done(text::MOVE_DONE)
}

/// What, where to. All or nothing: a message that is gone already refuses the whole
/// when it was asked for by its number (RFC 9051 §6.4.7).
fn prepare<S: Stream>(
    link: &Link<S>,
    user: &mut User,
    request: &Copy,
) -> Result<(Numbers, Handle), Failure> {
    let target = user
        .door
        .open(link.store(), request.mailbox.as_str())
        .map_err(no_target)?;
    target.require(Rights::INSERT).map_err(no_target)?;
    let selected = user.selected()?;
    let uids = selected.resolve(&request.set, request.numbering)?;
    let index = selected.reading.index(link.store())?;
    if selected.misses(&request.set, request.numbering, &uids, &index) {
        let reply = Reply::no(text::MESSAGES_GONE).with(Code::ExpungeIssued);
        return Err(reply.into());
    }
    Ok((uids, target))
}

/// RFC 9051 §7.1 TRYCREATE.
pub(super) fn no_target(failure: impl Into<Failure>) -> Failure {
    match failure.into() {
        Failure::Store(Error::NoSuchMailbox) => Reply::no(text::NO_SUCH_MAILBOX_TRY_CREATE)
            .with(Code::TryCreate)
            .into(),
        failure => failure,
    }
}

/// RFC 4315 §3: nothing is told of a mailbox that may be written to and not read.
pub(super) fn shows_uids(target: &Handle) -> bool {
    target.may(Rights::READ)
}

fn copy_uid(target: &Handle, copied: Copied) -> Option<Code> {
    if copied.uids.is_empty() || !shows_uids(target) {
        return None;
    }
    let uids = copied.uids.iter().map(|(from, to)| (from.0, to.0));
    Some(Code::CopyUid {
        uid_validity: copied.uid_validity,
        uids: uids.collect(),
    })
}
