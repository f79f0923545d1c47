//! SEARCH and UID SEARCH (RFC 9051 §6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL
//! (RFC 9394), CONTEXT (RFC 5267) and MODSEQ (RFC 7162 §3.1.5); SORT and THREAD (RFC 5256).

use facteur_imap::command::{Numbering, Search, SearchKey, SortField, SortKey, Thread};
use facteur_imap::response::{Found, SearchData};
use facteur_imap::set::Numbers;
use facteur_imap::{Untagged, text};
use facteur_message::Facts;
use facteur_store::{ModSeq, Row};

use super::error::Failure;
use super::find::{self, Gather, Target};
use super::link::Link;
use super::order::{self, Column, Links};
use super::selected::{Hit, Selected};
use super::{Handled, User, contexts, done, multi_search};
use crate::drive::Stream;

pub(super) async fn search<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Search,
) -> Handled {
    if request.sources.is_some() {
        return multi_search::search(link, user, request).await;
    }
    let account = user.account;
    let selected = user.selected()?;
    if request.return_.is_some_and(|return_| return_.update) {
        contexts::check_tag(link, selected)?;
    }
    let saves = request.saves();
    let found = match run(link, selected.target(account), &request).await {
        Ok(found) => found,
        Err(failure) => {
            // RFC 5182 §2.1: what was saved before is not what this search would have found.
            if saves {
                selected.view.save(Numbers::new());
            }
            return Err(failure);
        }
    };
    respond(link, &request, &found, None);
    if saves {
        selected.view.save(Wanted::new(&request).saved(&found));
    }
    if request.return_.is_some_and(|return_| return_.update) {
        contexts::begin(link, account, selected, &request, &found).await?;
    }
    done(match request.sort.is_empty() {
        true => text::SEARCH_DONE,
        false => text::SORT_DONE,
    })
}

/// What of the matches is kept for `$`. Uids.
pub(super) fn saved(request: &Search, found: &[Hit]) -> Numbers {
    Wanted::new(request).saved(found)
}

/// What matches, in the order asked for.
pub(super) async fn run<S: Stream>(
    link: &mut Link<S>,
    target: Target<'_>,
    request: &Search,
) -> Result<Vec<Hit>, Failure> {
    let found = find::find(link, target, request.keys.clone(), &find::everything()).await?;
    if request.sort.is_empty() || found.len() < 2 {
        return Ok(found);
    }
    let columns = columns(link, target, &found, &request.sort).await?;
    let places = order::order(found.len(), &request.sort, &columns);
    let hits = places.into_iter();
    Ok(hits.filter_map(|place| found.get(place).copied()).collect())
}

/// `mailbox`: with its UIDVALIDITY, for ESEARCH.
pub(super) fn respond<S: Stream>(
    link: &mut Link<S>,
    request: &Search,
    found: &[Hit],
    mailbox: Option<(&str, u32)>,
) {
    let modseq = match request.keys.iter().any(SearchKey::uses_modseq) {
        true => Wanted::new(request).highest_modseq(found),
        false => None,
    };
    let number = |hit: &Hit| match request.numbering {
        Numbering::Uid => hit.row.uid.0,
        Numbering::Sequence => hit.sequence,
    };
    let (ascending, sorted): (Numbers, Vec<u32>);
    let matches = if request.sort.is_empty() {
        ascending = found.iter().map(number).collect();
        Found::Ascending(&ascending)
    } else {
        sorted = found.iter().map(number).collect();
        Found::Sorted(&sorted)
    };
    link.session.respond(&Untagged::Search(&SearchData {
        matches,
        modseq: modseq.map(|modseq| modseq.0),
        mailbox,
    }));
}

/// The criteria of messages in ascending order.
pub(super) async fn columns<S: Stream>(
    link: &mut Link<S>,
    target: Target<'_>,
    hits: &[Hit],
    keys: &[SortKey],
) -> Result<Vec<Column>, Failure> {
    let mut columns = Columns {
        fields: keys.iter().map(|key| key.field).collect(),
        columns: keys.iter().map(|key| Column::new(key.field)).collect(),
    };
    if columns.fields.iter().all(|field| order::is_of_row(*field)) {
        let nothing = Facts::default();
        for hit in hits {
            columns.take(&hit.row, &nothing);
        }
        return Ok(columns.columns);
    }
    Ok(find::gather(link, target, hits, columns).await?.columns)
}

struct Columns {
    fields: Vec<SortField>,
    columns: Vec<Column>,
}

impl Gather for Columns {
    fn take(&mut self, row: &Row, facts: &Facts) {
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            column.push(*field, row, facts);
        }
    }
}

pub(super) async fn thread<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Thread,
) -> Handled {
    let account = user.account;
    let target = user.selected()?.target(account);
    let found = find::find(link, target, request.keys, &find::everything()).await?;
    let links = Linked(Vec::with_capacity(found.len()));
    let links = find::gather(link, target, &found, links).await?.0;
    let number = |hit: &Hit| match request.numbering {
        Numbering::Uid => hit.row.uid.0,
        Numbering::Sequence => hit.sequence,
    };
    let messages: Vec<(u32, i64, Links)> = found
        .iter()
        .zip(links)
        .map(|(hit, links)| (number(hit), hit.row.internal_date, links))
        .collect();
    let forest = order::threads(request.algorithm, &messages);
    link.session.respond(&Untagged::Thread(&forest));
    done(text::THREAD_DONE)
}

struct Linked(Vec<Links>);

impl Gather for Linked {
    fn take(&mut self, row: &Row, facts: &Facts) {
        self.0.push(Links::new(row, facts));
    }
}

impl Selected {
    pub(super) fn target(&self, account: facteur_store::AccountId) -> Target<'_> {
        Target {
            account,
            mailbox: self.id,
            view: &self.view,
        }
    }
}

/// Which of the matches the client sees: all, or a few.
#[derive(Clone, Copy)]
struct Wanted {
    min: bool,
    max: bool,
    all: bool,
    partial: Option<facteur_imap::command::PartialRange>,
}

impl Wanted {
    fn new(request: &Search) -> Self {
        let asked = request.return_.unwrap_or_default();
        let few = asked.min || asked.max || asked.partial.is_some();
        Wanted {
            min: asked.min,
            max: asked.max,
            all: asked.all || asked.count || !few,
            partial: asked.partial,
        }
    }

    /// Some may come more than once.
    fn seen(self, found: &[Hit]) -> impl Iterator<Item = &Hit> {
        let all = if self.all { found } else { &[] };
        let places = self.partial.map_or(0..0, |range| {
            let places = range.places(found.len() as u64);
            let place = |place| usize::try_from(place).unwrap_or(usize::MAX);
            place(places.start)..place(places.end)
        });
        let first = found.first().filter(|_| self.min);
        let last = found.last().filter(|_| self.max);
        let part = found.get(places).unwrap_or_default();
        all.iter().chain(part).chain(first).chain(last)
    }

    /// RFC 5182 §2.1, RFC 9394 §3.2, the tables. Uids.
    fn saved(self, found: &[Hit]) -> Numbers {
        self.seen(found).map(|hit| hit.row.uid.0).collect()
    }

    /// RFC 7162 §3.1.5, of the messages that the client sees.
    fn highest_modseq(self, found: &[Hit]) -> Option<ModSeq> {
        self.seen(found).map(|hit| hit.row.modseq).max()
    }
}

#[cfg(test)]
mod tests {
    use facteur_imap::command::PartialRange;
    use facteur_store::{Flags, Uid};

    use super::*;

    fn hit(uid: u32) -> Hit {
        Hit {
            sequence: uid,
            row: Row {
                uid: Uid(uid),
                flags: Flags::default(),
                modseq: ModSeq(1),
                size: 0,
                internal_date: 0,
            },
        }
    }

    fn saved(min: bool, max: bool, all: bool, partial: Option<PartialRange>) -> Vec<u32> {
        let wanted = Wanted {
            min,
            max,
            all,
            partial,
        };
        wanted.saved(&[hit(3), hit(5), hit(9)]).iter().collect()
    }

    /// RFC 5182 §2.1, the table.
    #[test]
    fn what_is_saved_follows_what_is_returned() {
        assert_eq!(saved(true, false, false, None), [3]);
        assert_eq!(saved(false, true, false, None), [9]);
        assert_eq!(saved(true, true, false, None), [3, 9]);
        assert_eq!(saved(true, false, true, None), [3, 5, 9]);
    }

    /// RFC 9394 §3.2, the table.
    #[test]
    fn a_part_is_saved_with_the_ends() {
        let second = Some(PartialRange {
            first: 2,
            last: 2,
            from_end: false,
        });
        assert_eq!(saved(false, false, false, second), [5]);
        assert_eq!(saved(true, false, false, second), [3, 5]);
        assert_eq!(saved(false, true, false, second), [5, 9]);
        assert_eq!(saved(false, false, true, second), [3, 5, 9]);
    }
}
