//! EXPUNGE, UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9) and CLOSE (§6.4.1).

use facteur_imap::response::Code;
use facteur_imap::set::SequenceSet;
use facteur_imap::{Reply, text};
use facteur_store::{Error, Rights};

use super::error::Failure;
use super::link::Link;
use super::selected::uid_set;
use super::{Handled, User, done};
use crate::drive::Stream;

pub(super) async fn expunge<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    uids: Option<SequenceSet>,
) -> Handled {
    let selected = user.selected()?;
    selected.writable()?;
    let uids = uids.map(|set| uid_set(&selected.view.resolve_uids(&set)));
    let (gone, modseq) = selected.handle.expunge(link.store(), uids).await?;
    let reply = Reply::ok(text::EXPUNGE_DONE);
    if gone.is_empty() || !link.session.condstore() {
        return Ok(reply.into());
    }
    // RFC 7162 §3.2.7; everything up to there has been told before the tagged response.
    Ok(reply.with(Code::HighestModSeq(modseq.0)).into())
}

/// Expunges without a word, unless the mailbox is read-only; then nothing is selected.
pub(super) async fn close<S: Stream>(link: &mut Link<S>, user: &mut User) -> Handled {
    let Some(selected) = user.selected.take() else {
        return done(text::CLOSE_DONE);
    };
    // RFC 4314 §4: without the right, it is closed all the same.
    if !selected.read_only && selected.handle.may(Rights::EXPUNGE) {
        match selected.handle.expunge(link.store(), None).await {
            // Deleted meanwhile: it is closed all the same.
            Ok(_) | Err(Failure::Store(Error::NoSuchMailbox)) => {}
            Err(failure) => return Err(failure),
        }
    }
    done(text::CLOSE_DONE)
}
