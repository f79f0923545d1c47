//! SEARCH and UID SEARCH (RFC 9051 §6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL
//! (RFC 9394), CONTEXT (RFC 5267), RELEVANCY (RFC 6203) and MODSEQ (RFC 7162 §3.1.5); SORT and THREAD (RFC 5256).

use std::sync::Arc;

use facteur_imap::command::{Numbering, Search, SearchKey, SortField, SortKey, Thread};
use facteur_imap::response::{Code, Found, SearchData};
use facteur_imap::set::Numbers;
use facteur_imap::{Reply, Untagged, text};
use facteur_message::Facts;
use facteur_store::{Error, ModSeq, Row};

use super::catalog::Reader;
use super::error::Failure;
use super::find::{self, Gather, Target};
use super::link::Link;
use super::order::{self, Column, Links};
use super::selected::{Hit, Selected};
use super::{Handled, User, contexts, done, filters, multi_search};
use crate::drive::{self, Stream};

pub(super) async fn search<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    mut request: Search,
) -> Handled {
    request.keys = match filters::expand(link, user, std::mem::take(&mut request.keys)) {
        Ok(keys) => keys,
        Err(failure) => {
            if let (true, Some(selected)) = (request.saves(), &mut user.selected) {
                selected.view.save(Numbers::new());
            }
            return Err(failure);
        }
    };
    if request.sources.is_some() {
        return multi_search::search(link, user, request).await;
    }
    let selected = user.selected()?;
    if request.return_.is_some_and(|return_| return_.update) {
        contexts::check_tag(link, selected)?;
    }
    let saves = request.saves();
    let found = match run(link, selected.target(), &request).await {
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
        contexts::begin(link, selected, &request, &found).await?;
    }
    done(match request.sort.is_empty() {
        true => text::SEARCH_DONE,
        false => text::SORT_DONE,
    })
}

/// RFC 9051 §6.4.4.1: a search with SAVE that is refused leaves nothing saved.
pub(super) fn save_in_charset(user: &mut User) -> Handled {
    if let Some(selected) = &mut user.selected {
        selected.view.save(Numbers::new());
    }
    let reply = Reply::no(text::BAD_CHARSET).with(Code::BadCharset);
    Ok(reply.into())
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
    let relevancy: Vec<u8> = match request.return_.is_some_and(|return_| return_.relevancy) {
        true => found.iter().map(|hit| hit.relevancy).collect(),
        false => Vec::new(),
    };
    link.session.respond(&Untagged::Search(&SearchData {
        relevancy: &relevancy,
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
    let columns = Columns {
        fields: keys.iter().map(|key| key.field).collect(),
        columns: keys.iter().map(|key| Column::new(key.field)).collect(),
    };
    let mut columns = assemble(link, target, hits, columns).await?.columns;
    for (key, column) in keys.iter().zip(&mut columns) {
        if key.field == SortField::Relevancy {
            // RFC 6203 §6: the highest first.
            *column = Column::Numbers(hits.iter().map(|hit| -i64::from(hit.relevancy)).collect());
        }
    }
    Ok(columns)
}

/// Something of every message: from the catalogue what it knows, the rest from the facts.
trait Assemble: Gather {
    /// Takes what the rows and the catalogue tell of messages, all of which it covers.
    fn take_known(&mut self, rows: &[Row], catalog: &Reader) -> Result<(), Error>;
    /// The rows alone tell everything.
    fn needs_rows_only(&self) -> bool;
}

async fn assemble<S: Stream, A: Assemble>(
    link: &mut Link<S>,
    target: Target<'_>,
    hits: &[Hit],
    mut assemble: A,
) -> Result<A, Failure> {
    if assemble.needs_rows_only() {
        let nothing = Facts::default();
        for hit in hits {
            assemble.take(&hit.row, &nothing);
        }
        return Ok(assemble);
    }
    let rows: Vec<Row> = hits.iter().map(|hit| hit.row).collect();
    let (ctx, mailbox) = (Arc::clone(link.ctx()), target.mailbox);
    let (known, assemble) = drive::blocking(move || {
        let Some(catalog) = mailbox.catalog(&ctx.catalog) else {
            return Ok((0, assemble));
        };
        let known = rows.partition_point(|row| row.uid.0 <= catalog.up_to());
        assemble.take_known(rows.get(..known).unwrap_or_default(), &catalog)?;
        Ok((known, assemble))
    })
    .await?;
    let rest = hits.get(known..).unwrap_or_default();
    find::gather(link, target, rest, assemble).await
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

impl Assemble for Columns {
    fn take_known(&mut self, rows: &[Row], catalog: &Reader) -> Result<(), Error> {
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            match column {
                Column::Numbers(numbers) if *field == SortField::Date => {
                    numbers.extend(rows.iter().map(|row| row.internal_date));
                    let mut slots = rows.iter().zip(numbers.iter_mut()).peekable();
                    catalog.for_each_sent(&mut |uid, sent| {
                        while slots.next_if(|(row, _)| row.uid.0 < uid).is_some() {}
                        if let (Some((seconds, _)), Some((_, slot))) =
                            (sent, slots.next_if(|(row, _)| row.uid.0 == uid))
                        {
                            *slot = seconds;
                        }
                    })?;
                }
                Column::Numbers(numbers) => {
                    numbers.extend(rows.iter().map(|row| order::of_row(*field, row)));
                }
                Column::Texts(texts) => {
                    let mut rows = rows.iter().peekable();
                    catalog.for_each_text(*field, &mut |uid, text| {
                        while rows.next_if(|row| row.uid.0 < uid).is_some() {
                            texts.push(Box::default());
                        }
                        if rows.next_if(|row| row.uid.0 == uid).is_some() {
                            texts.push(text.into());
                        }
                    })?;
                    rows.for_each(|_| texts.push(Box::default()));
                }
            }
        }
        Ok(())
    }

    fn needs_rows_only(&self) -> bool {
        self.fields.iter().all(|field| order::is_of_row(*field))
    }
}

pub(super) async fn thread<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Thread,
) -> Handled {
    let keys = filters::expand(link, user, request.keys)?;
    let target = user.selected()?.target();
    let found = find::find(link, target, keys, &find::everything()).await?;
    let links = Linked(Vec::with_capacity(found.len()));
    let links = assemble(link, target, &found, links).await?.0;
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

impl Assemble for Linked {
    fn take_known(&mut self, rows: &[Row], catalog: &Reader) -> Result<(), Error> {
        self.0.extend(rows.iter().map(|row| Links {
            sent: row.internal_date,
            ..Links::default()
        }));
        let mut slots = rows.iter().zip(self.0.iter_mut()).peekable();
        catalog.for_each_links(&mut |uid, links| {
            while slots.next_if(|(row, _)| row.uid.0 < uid).is_some() {}
            if let Some((row, slot)) = slots.next_if(|(row, _)| row.uid.0 == uid) {
                *slot = Links {
                    sent: row.internal_date,
                    ..links
                };
            }
        })?;
        let mut slots = rows.iter().zip(self.0.iter_mut()).peekable();
        catalog.for_each_sent(&mut |uid, sent| {
            while slots.next_if(|(row, _)| row.uid.0 < uid).is_some() {}
            if let (Some((seconds, _)), Some((_, slot))) =
                (sent, slots.next_if(|(row, _)| row.uid.0 == uid))
            {
                slot.sent = seconds;
            }
        })
    }

    fn needs_rows_only(&self) -> bool {
        false
    }
}

impl Selected {
    pub(super) fn target(&self) -> Target<'_> {
        Target {
            mailbox: self.reading,
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
            relevancy: 100,
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
