//! The one path for news: what does the change log say since the client was last in step?
//!
//! Called after every command and in IDLE. The client's own changes come this way as everybody
//! else's do; `.SILENT` only marks them. RFC 9051 §7.5.1 (when expunges may be told) is the
//! session's to know and the view's to obey; RFC 7162 §3.2.10 for VANISHED.

use facteur_imap::response::{Code, FlagsChanged};
use facteur_imap::set::Numbers;
use facteur_imap::view::{Expunges, News, Told};
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{Change, Error, Index, ModSeq, RecordChange, Store};

use super::error::Failure;
use super::fetch;
use super::limits;
use super::link::Link;
use super::selected::{Hit, Selected, Walk, flag_list, present};
use super::{User, contexts};
use crate::drive::Stream;

/// What of the news is this client's own doing.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    /// Uids to tell of even if nothing changed (STORE answers with the flags as they are now).
    pub(super) echo: Numbers,
    /// Uids that a `.SILENT` store changed.
    pub(super) silent: Numbers,
    /// The modseq of that change.
    pub(super) modseq: ModSeq,
}

/// News of one mailbox.
#[derive(Debug, Default)]
struct Gathered {
    added: Vec<(u32, u32)>,
    updated: Vec<(u32, u32)>,
    expunged: Vec<(u32, u32)>,
    /// Updated by others than `Own`.
    foreign: Vec<(u32, u32)>,
    record: bool,
    /// The log does not reach back: compare states.
    compare: bool,
    destroyed: bool,
    up_to: ModSeq,
}

/// Tells the client all that is new in its mailbox.
pub(super) async fn sync<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    own: &Own,
) -> Result<(), Failure> {
    let wanted = user
        .notify
        .as_ref()
        .map(|watching| watching.selected.clone());
    if matches!(wanted, Some(None)) && !answers_with_news(link.session.command_name()) {
        return Ok(());
    }
    let wanted = wanted.flatten();
    let Some(selected) = user.selected.as_mut() else {
        return Ok(());
    };
    // RFC 7162 §6: who was shown a MODSEQ must hear of everything before it.
    let shown = match selected.reading.newest(link.store()) {
        Ok(shown) => shown,
        Err(Error::NoSuchMailbox) => return Err(Failure::MailboxGone),
        Err(error) => return Err(error.into()),
    };
    let newest = selected.source.current().max(shown);
    let expunges = link.session.expunges();
    let waiting = selected.view.holds() && expunges == Expunges::Tell;
    if newest <= selected.modseq && own.echo.is_empty() && !waiting {
        return Ok(());
    }
    let index = match selected.reading.index(link.store()) {
        Ok(index) => index,
        Err(Error::NoSuchMailbox) => return Err(Failure::MailboxGone),
        Err(error) => return Err(error.into()),
    };
    let gathered = gather(link.store(), selected, own, index.modseq())?;
    if gathered.destroyed {
        return Err(Failure::MailboxGone);
    }
    let since = selected.modseq;
    let nothing = gathered.added.is_empty()
        && gathered.updated.is_empty()
        && gathered.expunged.is_empty()
        && !gathered.compare
        && !gathered.record;
    selected.modseq = selected.modseq.max(gathered.up_to);
    if nothing && own.echo.is_empty() && !waiting {
        return Ok(());
    }
    let foreign = Numbers::from_ranges(gathered.foreign.iter().copied());
    let news = if gathered.compare {
        compare(selected, &index, since, own)
    } else {
        news(gathered, own)
    };
    let news = match &wanted {
        Some(wanted) if !wanted.flags => News {
            updated: news.updated.intersection(&own.echo.union(&own.silent)),
            ..news
        },
        _ => news,
    };
    let form = link.session.expunge_form();
    contexts::expunged(link, selected, &news.expunged).await?;
    if !selected.view.holds() {
        selected.held_after = since;
    }
    let told = selected.view.sync(&news, expunges, form);
    selected.tell_keywords(link, &index);
    tell_numbers(link, &told).await?;
    tell_flags(link, selected, &index, &told.changed, own, &foreign).await?;
    if let Some(wanted) = wanted.filter(|wanted| !wanted.items.is_empty()) {
        let new = selected.view.known(&news.added);
        fetch::give(link, selected, &wanted.items, &new).await?;
    }
    let changed = news.added.union(&news.updated).difference(&news.expunged);
    contexts::changed(link, selected, &changed, &news.added).await
}

/// RFC 7162 §6: the client takes the highest MODSEQ it was told for its HIGHESTMODSEQ. When expunges
/// wait to be told, it would never hear of them after a lost connection; so it is told how far it got.
pub(super) fn tell_behind<S: Stream>(link: &mut Link<S>, user: &User) {
    let Some(selected) = user.selected.as_ref() else {
        return;
    };
    if selected.view.holds() && link.session.condstore() {
        let code = Code::HighestModSeq(selected.held_after.0.max(1));
        let reply = Reply::ok(text::HIGHESTMODSEQ).with(code);
        link.session.respond(&Untagged::Reply(&reply));
    }
}

/// RFC 5465 §3.1: who wants no news of the selected mailbox still gets the answers of commands
/// that change it, and all numbers have to be in step with them.
fn answers_with_news(command: &str) -> bool {
    matches!(command, "STORE" | "EXPUNGE" | "MOVE" | "REPLACE")
}

/// Reads the log as far as the picture goes that the client is told from: a row of a newer one would
/// bring a MODSEQ of which the client has not heard everything.
fn gather(
    store: &Store,
    selected: &Selected,
    own: &Own,
    newest: ModSeq,
) -> Result<Gathered, Failure> {
    let mut gathered = Gathered {
        up_to: selected.modseq,
        ..Gathered::default()
    };
    loop {
        let changes =
            selected
                .source
                .changes_since(store, gathered.up_to, newest, limits::CHANGES_MAX)?;
        if !changes.complete {
            gathered.compare = true;
            gathered.up_to = gathered.up_to.max(newest);
            return Ok(gathered);
        }
        let more = changes.entries.len() >= limits::CHANGES_MAX
            && changes.up_to > gathered.up_to
            && changes.up_to < newest;
        gathered.up_to = gathered.up_to.max(changes.up_to.min(newest));
        let entries = changes.entries.iter();
        for entry in entries.filter(|entry| entry.modseq <= newest) {
            take(&mut gathered, entry, selected, own);
        }
        if !more {
            return Ok(gathered);
        }
    }
}

fn take(gathered: &mut Gathered, entry: &Change, selected: &Selected, own: &Own) {
    let mine = entry.modseq == own.modseq;
    for change in &entry.mailboxes {
        if change.mailbox != selected.handle.number() {
            continue;
        }
        match change.record {
            None => {}
            Some(RecordChange::Created | RecordChange::Updated) => gathered.record = true,
            // Even if it was brought back: messages that are there again can't be told from those that went.
            Some(RecordChange::Destroyed) => gathered.destroyed = true,
        }
        gathered.added.extend(change.added.ranges());
        gathered.updated.extend(change.updated.ranges());
        gathered.expunged.extend(change.expunged.ranges());
        if !mine {
            gathered.foreign.extend(change.updated.ranges());
        }
    }
}

fn news(gathered: Gathered, own: &Own) -> News {
    let echo = own.echo.ranges().iter().copied();
    News {
        added: Numbers::from_ranges(gathered.added),
        updated: Numbers::from_ranges(gathered.updated.into_iter().chain(echo)),
        expunged: Numbers::from_ranges(gathered.expunged),
    }
}

/// Without the log: everything in which the mailbox differs from what the client knows.
fn compare(selected: &Selected, index: &Index, since: ModSeq, own: &Own) -> News {
    let view = &selected.view;
    let last = view.last_uid().unwrap_or(0);
    let (present, known) = (present(index), view.uids());
    let updated: Numbers = index.changed_since(since).map(|row| row.uid.0).collect();
    News {
        added: present.difference(&Numbers::from_ranges([(0, last)])),
        updated: updated.intersection(&known).union(&own.echo),
        expunged: known.difference(&present),
    }
}

async fn tell_numbers<S: Stream>(link: &mut Link<S>, told: &Told) -> Result<(), Failure> {
    for sequence in &told.expunged {
        link.say(&Untagged::Expunge(*sequence)).await?;
    }
    if !told.vanished.is_empty() {
        let uids = &told.vanished;
        link.say(&Untagged::Vanished {
            earlier: false,
            uids,
        })
        .await?;
    }
    if let Some(exists) = told.exists {
        link.say(&Untagged::Exists(exists)).await?;
    }
    Ok(())
}

async fn tell_flags<S: Stream>(
    link: &mut Link<S>,
    selected: &Selected,
    index: &Index,
    changed: &Numbers,
    own: &Own,
    foreign: &Numbers,
) -> Result<(), Failure> {
    // Somebody else's change in the same breath is news all the same.
    let silent = own.silent.difference(foreign);
    let mut walk = match link.session.condstore() {
        true => Walk::new(changed),
        // RFC 7162 §3.1.3: the MODSEQ is all that would be told of these.
        false => Walk::new(&changed.difference(&silent)),
    };
    loop {
        let hits = walk.next(index, &selected.view, limits::ROWS_MAX);
        if hits.is_empty() {
            return Ok(());
        }
        for Hit { sequence, row, .. } in hits {
            let uid = row.uid.0;
            let silent = row.modseq == own.modseq && silent.contains(uid);
            link.say(&Untagged::FlagsChanged(FlagsChanged {
                sequence,
                uid,
                modseq: row.modseq.0,
                flags: flag_list(row.flags, &index.mailbox().keywords),
                silent,
            }))
            .await?;
        }
    }
}
