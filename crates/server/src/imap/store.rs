//! STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use facteur_imap::command::{FlagEdit, Numbering, Store};
use facteur_imap::response::Code;
use facteur_imap::set::Numbers;
use facteur_imap::{Reply, text};
use facteur_store::ModSeq;

use super::link::Link;
use super::selected::{Selected, flag_names, numbers, uid_set};
use super::sync::Own;
use super::{Answer, Handled, User};
use crate::drive::Stream;

pub(super) async fn store<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Store,
) -> Handled {
    let selected = user.selected()?;
    selected.writable()?;
    let uids = selected.resolve(&request.set, request.numbering)?;
    let edited = selected
        .handle
        .edit_flags(
            link.store(),
            uid_set(&uids),
            match request.edit {
                FlagEdit::Add => facteur_store::FlagEdit::Add,
                FlagEdit::Remove => facteur_store::FlagEdit::Remove,
                FlagEdit::Replace => facteur_store::FlagEdit::Replace,
            },
            flag_names(request.flags),
            request.unchanged_since.map(ModSeq),
        )
        .await?;
    let refused = numbers(&edited.refused);
    let index = selected.reading.index(link.store())?;
    let misses = selected.misses(&request.set, request.numbering, &uids, &index);
    let own = match request.silent {
        true => Own {
            silent: numbers(&edited.changed),
            modseq: edited.modseq,
            ..Own::default()
        },
        // RFC 9051 §6.4.6: the flags as they are now, changed or not.
        false => Own {
            echo: uids.difference(&refused),
            modseq: edited.modseq,
            ..Own::default()
        },
    };
    Ok(Answer {
        outcome: reply(selected, request.numbering, &refused, misses).into(),
        own,
    })
}

/// RFC 7162 §3.1.3: which ones had changed, in the numbers of the command. RFC 5530 §3: some were
/// gone.
fn reply(selected: &Selected, numbering: Numbering, refused: &Numbers, misses: bool) -> Reply {
    let done = Reply::ok(text::STORE_DONE);
    if refused.is_empty() {
        return if misses {
            done.with(Code::ExpungeIssued)
        } else {
            done
        };
    }
    let modified = match numbering {
        Numbering::Sequence => selected.view.sequences(refused),
        Numbering::Uid => refused.clone(),
    };
    Reply::ok(text::STORE_MODIFIED).with(Code::Modified(modified))
}
