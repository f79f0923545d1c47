//! SEARCH and UID SEARCH (RFC 9051 §6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182) and
//! MODSEQ (RFC 7162 §3.1.5).
//!
//! What the index answers is answered at once. Where bodies are read, the work goes on off the
//! runtime's threads in short pieces, with a sign of life between them now and then.

use std::sync::Arc;
use std::time::Duration;

use facteur_imap::command::{Numbering, Search, SearchKey};
use facteur_imap::response::{Code, SearchData};
use facteur_imap::set::Numbers;
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{AccountId, Clock, Error, Index, MailboxId, ModSeq, Row, Store};

use super::error::Failure;
use super::limits;
use super::link::Link;
use super::matching::{Candidate, Cost, Scope, Test};
use super::selected::{Hit, Selected, Walk};
use super::{Handled, User, done};
use crate::drive::{self, Stream};

pub(super) async fn search<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Search,
) -> Handled {
    let account = user.account;
    let selected = user.selected()?;
    let (saves, numbering, wanted) = (request.saves(), request.numbering, Wanted::new(&request));
    let uses_modseq = request.keys.iter().any(SearchKey::uses_modseq);
    let found = match find(link, account, selected, request.keys).await {
        Ok(found) => found,
        Err(failure) => {
            // RFC 5182 §2.1: what was saved before is not what this search would have found.
            if saves {
                selected.view.save(Numbers::new());
            }
            return Err(failure);
        }
    };
    let uids: Numbers = found.iter().map(|hit| hit.row.uid.0).collect();
    let matches = match numbering {
        Numbering::Uid => uids.clone(),
        Numbering::Sequence => found.iter().map(|hit| hit.sequence).collect(),
    };
    let modseq = match uses_modseq {
        true => wanted.highest_modseq(&found),
        false => None,
    };
    if saves {
        selected.view.save(wanted.saved(uids));
    }
    link.session.respond(&Untagged::Search(&SearchData {
        matches: &matches,
        modseq: modseq.map(|modseq| modseq.0),
    }));
    done(text::SEARCH_DONE)
}

/// Which of the matches the client sees: only the ends, or all.
#[derive(Clone, Copy)]
struct Wanted {
    min: bool,
    max: bool,
    all: bool,
}

impl Wanted {
    fn new(request: &Search) -> Self {
        match request.return_ {
            None => Wanted {
                min: false,
                max: false,
                all: true,
            },
            Some(asked) => Wanted {
                min: asked.min,
                max: asked.max,
                all: asked.all || asked.count || !(asked.min || asked.max),
            },
        }
    }

    /// RFC 5182 §2.1, the table: MIN and MAX alone save just those.
    fn saved(self, uids: Numbers) -> Numbers {
        if self.all {
            return uids;
        }
        let first = uids.first().filter(|_| self.min);
        let last = uids.last().filter(|_| self.max);
        first.into_iter().chain(last).collect()
    }

    /// RFC 7162 §3.1.5, of the messages that the client sees.
    fn highest_modseq(self, found: &[Hit]) -> Option<ModSeq> {
        let modseq = |hit: &Hit| hit.row.modseq;
        if self.all {
            return found.iter().map(modseq).max();
        }
        let first = found.first().filter(|_| self.min).map(modseq);
        let last = found.last().filter(|_| self.max).map(modseq);
        first.max(last)
    }
}

async fn find<S: Stream>(
    link: &mut Link<S>,
    account: AccountId,
    selected: &Selected,
    keys: Vec<SearchKey>,
) -> Result<Vec<Hit>, Failure> {
    let index = link.store().index(account, selected.id)?;
    let scope = Scope {
        view: &selected.view,
        keywords: &index.mailbox().keywords,
        now: link.ctx().clock.now(),
    };
    let test = Test::new(keys, &scope)?;
    if test.cost() == Cost::Row {
        return from_rows(link, account, selected, &index, &test);
    }
    let work = Arc::new(Work {
        store: link.store().clone(),
        clock: Arc::clone(&link.ctx().clock),
        account,
        mailbox: selected.id,
        test,
    });
    let mut found = Vec::new();
    let mut walk = Walk::new(&everything());
    let started = work.clock.monotonic();
    let mut told = started;
    loop {
        let mut hits = walk.next(&index, &selected.view, limits::SEARCH_MESSAGES_MAX);
        if hits.is_empty() {
            return Ok(found);
        }
        while !hits.is_empty() {
            let rows: Vec<Row> = hits.iter().map(|hit| hit.row).collect();
            let job = Arc::clone(&work);
            let matched = drive::blocking(move || job.run(&rows)).await?;
            let rest = hits.split_off(matched.len());
            found.extend(
                hits.into_iter()
                    .zip(matched)
                    .filter_map(|(hit, ok)| ok.then_some(hit)),
            );
            hits = rest;
            told = sign_of_life(link, started, told).await?;
        }
    }
}

fn everything() -> Numbers {
    Numbers::from_ranges([(1, u32::MAX)])
}

fn from_rows<S: Stream>(
    link: &Link<S>,
    account: AccountId,
    selected: &Selected,
    index: &Index,
    test: &Test,
) -> Result<Vec<Hit>, Failure> {
    let bodies = link.store().bodies()?;
    let mut found = Vec::new();
    let mut walk = Walk::new(&everything());
    loop {
        let hits = walk.next(index, &selected.view, limits::SEARCH_MESSAGES_MAX);
        if hits.is_empty() {
            return Ok(found);
        }
        for hit in hits {
            let candidate = Candidate::new(&bodies, account, selected.id, hit.row);
            if test.matches(&candidate)? {
                found.push(hit);
            }
        }
    }
}

/// Keeps a waiting client and its network awake; a peer that is gone ends the search here.
async fn sign_of_life<S: Stream>(
    link: &mut Link<S>,
    started: Duration,
    told: Duration,
) -> Result<Duration, Failure> {
    let now = link.ctx().clock.monotonic();
    if now.saturating_sub(started) > limits::SEARCH_TIME_MAX {
        return Err(Reply::no(text::SEARCH_TOO_LONG).with(Code::Limit).into());
    }
    if now.saturating_sub(told) < limits::SEARCH_SIGN_OF_LIFE {
        return Ok(told);
    }
    let reply = Reply::ok(text::STILL_HERE);
    link.session.respond(&Untagged::Reply(&reply));
    link.flush().await?;
    Ok(now)
}

/// A search that reads messages.
struct Work {
    store: Store,
    clock: Arc<dyn Clock>,
    account: AccountId,
    mailbox: MailboxId,
    test: Test,
}

impl Work {
    /// Whether each of the rows matches, of as many as fit into the time; at least one.
    fn run(&self, rows: &[Row]) -> Result<Vec<bool>, Error> {
        let started = self.clock.monotonic();
        let bodies = self.store.bodies()?;
        let mut matched = Vec::with_capacity(rows.len());
        for row in rows {
            let candidate = Candidate::new(&bodies, self.account, self.mailbox, *row);
            matched.push(match self.test.matches(&candidate) {
                Err(error @ Error::Damaged { .. }) => {
                    tracing::error!(%error, uid = row.uid.0, "a message can't be searched");
                    false
                }
                matches => matches?,
            });
            if self.clock.monotonic().saturating_sub(started) > limits::SEARCH_SLICE {
                break;
            }
        }
        Ok(matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(min: bool, max: bool, all: bool) -> Vec<u32> {
        let uids = [3, 5, 9].into_iter().collect();
        Wanted { min, max, all }.saved(uids).iter().collect()
    }

    /// RFC 5182 §2.1, the table.
    #[test]
    fn what_is_saved_follows_what_is_returned() {
        assert_eq!(saved(true, false, false), [3]);
        assert_eq!(saved(false, true, false), [9]);
        assert_eq!(saved(true, true, false), [3, 9]);
        assert_eq!(saved(true, false, true), [3, 5, 9]);
    }
}
