//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3) with CONDSTORE and QRESYNC (RFC 7162).

use std::sync::Arc;

use facteur_imap::command::{Qresync, Select};
use facteur_imap::flag::SystemFlags;
use facteur_imap::response::{Code, FlagsChanged, Permanent, SelectData};
use facteur_imap::set::{Numbers, SequenceSet};
use facteur_imap::view::View;
use facteur_imap::{Outcome, Reply, Untagged, text};
use facteur_store::{Index, ModSeq, Rights};

use super::door::Handle;
use super::error::Failure;
use super::link::Link;
use super::list::special_uses;
use super::selected::{Selected, flag_list, numbers, present, view_of};
use super::{Handled, User};
use crate::drive::{self, Stream};

pub(super) async fn select<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Select,
) -> Handled {
    // RFC 9051 §6.3.2: whatever comes of it, the mailbox before is no longer selected.
    user.selected = None;
    let store = link.store().clone();
    let handle = user.door.open(&store, request.mailbox.as_str())?;
    let reading = handle.read()?;
    let source = handle.source_of(&store);
    // Reading 100,000 rows that nobody read before takes a while.
    let index = drive::blocking(move || reading.index(&store)).await?;
    let read_only = request.read_only || handle.is_read_only();
    let mailbox = index.mailbox();
    let view = view_of(&index);
    link.session.respond(&Untagged::Selected(&SelectData {
        mailbox: handle.name(),
        special_use: special_uses(handle.record().special_use),
        exists: view.len(),
        first_unseen: first_unseen(&index),
        keywords: &mailbox.keywords,
        uid_validity: mailbox.uid_validity,
        uid_next: mailbox.uid_next.0,
        highest_modseq: mailbox.highest_modseq.0.max(1),
        permanent: permanent(&handle, read_only),
        mailbox_id: &handle.object_id(),
    }));
    let selected = Selected {
        handle,
        reading,
        source,
        view,
        modseq: index.modseq(),
        held_after: index.modseq(),
        keywords: Arc::clone(&mailbox.keywords),
        read_only,
        contexts: Vec::new(),
    };
    if let Some(known) = &request.qresync
        && known.uid_validity == mailbox.uid_validity
    {
        resync(link, &selected, &index, known).await?;
    }
    user.selected = Some(selected);
    Ok(match read_only {
        true if !request.read_only => {
            Outcome::SelectedReadOnly(Reply::ok(text::SELECT_DONE)).into()
        }
        true => Outcome::SelectedReadOnly(Reply::ok(text::EXAMINE_DONE)).into(),
        false => Reply::ok(text::SELECT_DONE).into(),
    })
}

/// Flags that the client may change for good.
pub(super) fn permanent(handle: &Handle, read_only: bool) -> Permanent {
    if read_only {
        return Permanent::NONE;
    }
    let scope = handle.scope();
    Permanent {
        system: SystemFlags(scope.system.0 & SystemFlags::ALL.0),
        keywords: scope.keywords,
    }
}

/// The rights in a mailbox of somebody else may have changed since the last command; without that
/// to read it, it is gone.
pub(super) fn check_rights<S: Stream>(link: &mut Link<S>, user: &mut User) -> Result<(), Failure> {
    let Some(selected) = &mut user.selected else {
        return Ok(());
    };
    if selected.handle.is_own() {
        return Ok(());
    }
    let key = selected.handle.key();
    let now = selected.source.mailbox(link.store(), key)?;
    let now = now.filter(|now| now.may(Rights::READ));
    let now = now.ok_or(Failure::MailboxGone)?;
    let changed = now.scope() != selected.handle.scope();
    selected.handle = now;
    if changed && !selected.read_only {
        selected.tell_flags(link);
    }
    Ok(())
}

fn first_unseen(index: &Index) -> Option<u32> {
    let before = index.seen_first()?;
    u32::try_from(before + 1).ok()
}

/// RFC 7162 §3.2.5: what happened since the client was here last.
async fn resync<S: Stream>(
    link: &mut Link<S>,
    selected: &Selected,
    index: &Index,
    known: &Qresync,
) -> Result<(), Failure> {
    let all = Numbers::from_ranges([(1, index.mailbox().uid_next.0.saturating_sub(1))]);
    let asked = match &known.known_uids {
        Some(uids) => all.intersection(&plain(uids)),
        None => all,
    };
    let since = ModSeq(known.modseq);
    let gone = match selected.reading.vanished_since(link.store(), since)? {
        // A mailbox that was deleted and restored has its messages under the same uids.
        Some(uids) => asked
            .intersection(&numbers(&uids))
            .difference(&selected.view.uids()),
        None => {
            let matched = matched_up_to(&selected.view, known);
            let below = Numbers::from_ranges([(0, matched)]);
            absent(index, &asked).difference(&below)
        }
    };
    if !gone.is_empty() {
        let vanished = Untagged::Vanished {
            earlier: true,
            uids: &gone,
        };
        link.say(&vanished).await?;
    }
    for row in index.changed_since(since) {
        let uid = row.uid.0;
        let Some(sequence) = selected.view.sequence(uid).filter(|_| asked.contains(uid)) else {
            continue;
        };
        let changed = FlagsChanged {
            sequence,
            uid,
            modseq: row.modseq.0,
            flags: flag_list(row.flags, &index.mailbox().keywords),
            silent: false,
        };
        link.say(&Untagged::FlagsChanged(changed)).await?;
    }
    Ok(())
}

/// A set in which `*` and `$` mean nothing.
fn plain(set: &SequenceSet) -> Numbers {
    set.numbers(0, &Numbers::new())
}

/// Those of `asked` that no message has.
pub(super) fn absent(index: &Index, asked: &Numbers) -> Numbers {
    asked.difference(&present(index))
}

/// The largest uid up to which the client's sequence numbers are still right: nothing below it can
/// be gone (RFC 7162 §3.2.5.2).
fn matched_up_to(view: &View, known: &Qresync) -> u32 {
    let Some((sequences, uids)) = &known.sequence_match else {
        return 0;
    };
    let (sequences, uids) = (plain(sequences), plain(uids));
    sequences
        .iter()
        .zip(uids.iter())
        .take_while(|(sequence, uid)| view.uid(*sequence) == Some(*uid))
        .map(|(_, uid)| uid)
        .last()
        .unwrap_or(0)
}

/// ENABLE CONDSTORE or QRESYNC with a mailbox selected: its HIGHESTMODSEQ (RFC 7162 §3.1).
pub(super) fn enabled<S: Stream>(link: &mut Link<S>, user: &mut User, condstore: bool) -> Handled {
    if let (true, Some(selected)) = (condstore, &user.selected) {
        let index = selected.reading.index(link.store())?;
        let highest = index.mailbox().highest_modseq.min(selected.modseq).0.max(1);
        let reply = Reply::ok(text::HIGHESTMODSEQ).with(Code::HighestModSeq(highest));
        link.session.respond(&Untagged::Reply(&reply));
    }
    super::done(text::ENABLE_DONE)
}

#[cfg(test)]
mod tests {
    use facteur_imap::command::Qresync;
    use facteur_imap::set::{SequenceSet, SetNumber};
    use facteur_imap::view::View;

    use super::matched_up_to;

    fn set(numbers: &[u32]) -> SequenceSet {
        let number = |number: &u32| (SetNumber::Number(*number), SetNumber::Number(*number));
        SequenceSet::Ranges(numbers.iter().map(number).collect())
    }

    fn matched(sequences: &[u32], uids: &[u32]) -> u32 {
        // Uids 10, 12, 13, 20 are there.
        let view = View::new([10, 12, 13, 20]);
        let known = Qresync {
            uid_validity: 1,
            modseq: 1,
            known_uids: None,
            sequence_match: Some((set(sequences), set(uids))),
        };
        matched_up_to(&view, &known)
    }

    /// RFC 7162 §3.2.5.2.
    #[test]
    fn pairs_count_as_long_as_they_fit() {
        assert_eq!(matched(&[1, 3], &[10, 13]), 13);
        assert_eq!(matched(&[1, 3, 4], &[10, 13, 19]), 13);
        assert_eq!(matched(&[2, 3], &[11, 13]), 0);
        assert_eq!(matched(&[9], &[90]), 0);
    }
}
