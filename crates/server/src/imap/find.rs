//! Finding the messages of a mailbox that match, and reading the facts of those that did.
//!
//! What the index answers is answered at once. Where messages are read, the work goes on off the
//! runtime's threads in short pieces, with a sign of life between them now and then (RFC 9585).

use std::sync::Arc;
use std::time::Duration;

use facteur_imap::command::SearchKey;
use facteur_imap::response::Code;
use facteur_imap::set::Numbers;
use facteur_imap::view::View;
use facteur_imap::{Reply, Untagged, text};
use facteur_message::Facts;
use facteur_store::{Clock, Error, Index, Row, Store, Uid};

use super::content::Logical;
use super::door::Reading;
use super::error::Failure;
use super::link::Link;
use super::matching::{Candidate, Cost, Scope, Test};
use super::selected::{Hit, Walk};
use super::{fuzzy, limits};
use crate::drive::{self, Stream};

/// A mailbox that is searched, as the client knows it.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) mailbox: Reading,
    pub(super) view: &'a View,
}

/// How far a long command is.
pub(super) struct Progress {
    started: Duration,
    told: Duration,
    done: usize,
    goal: usize,
}

impl Progress {
    /// `goal`: messages to look at.
    pub(super) fn new<S: Stream>(link: &Link<S>, goal: usize) -> Self {
        let now = link.ctx().clock.monotonic();
        Progress {
            started: now,
            told: now,
            done: 0,
            goal,
        }
    }

    /// Keeps a waiting client and its network awake; a peer that is gone ends the search here.
    pub(super) async fn made<S: Stream>(
        &mut self,
        link: &mut Link<S>,
        messages: usize,
    ) -> Result<(), Failure> {
        self.done += messages;
        let now = link.ctx().clock.monotonic();
        if now.saturating_sub(self.started) > limits::SEARCH_TIME_MAX {
            return Err(Reply::no(text::SEARCH_TOO_LONG).with(Code::Limit).into());
        }
        if now.saturating_sub(self.told) < limits::SEARCH_SIGN_OF_LIFE {
            return Ok(());
        }
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let reply = Reply::ok(text::STILL_HERE).with(Code::InProgress {
            done: number(self.done.min(self.goal)),
            goal: number(self.goal).max(1),
        });
        link.session.respond(&Untagged::Reply(&reply));
        link.flush().await?;
        self.told = now;
        Ok(())
    }
}

/// The matching messages that the client knows, in the mailbox's order; `among`: only of these
/// uids.
pub(super) async fn find<S: Stream>(
    link: &mut Link<S>,
    target: Target<'_>,
    keys: Vec<SearchKey>,
    among: &Numbers,
) -> Result<Vec<Hit>, Failure> {
    let Target { mailbox, view } = target;
    let index = mailbox.index(link.store())?;
    let scope = Scope {
        view,
        keywords: &index.mailbox().keywords,
        now: link.ctx().clock.now(),
    };
    let mut test = Test::new(keys, &scope)?;
    if test.cost() == Cost::Row {
        return from_rows(link, target, &index, &test, among);
    }
    let ctx = Arc::clone(link.ctx());
    let test = drive::blocking(move || {
        if let Some(catalog) = mailbox.catalog(&ctx.catalog) {
            test.look_up(&catalog)?;
        }
        Ok(test)
    })
    .await?;
    let among = match test.bounds() {
        Some(bounds) => among.intersection(&bounds),
        None => among.clone(),
    };
    let work = Arc::new(Work {
        store: link.store().clone(),
        clock: Arc::clone(&link.ctx().clock),
        mailbox,
        test,
    });
    let mut found: Vec<(Hit, f32)> = Vec::new();
    let mut walk = Walk::new(&among);
    let mut progress = Progress::new(link, index.len());
    loop {
        let mut hits = walk.next(&index, view, limits::SEARCH_MESSAGES_MAX);
        if hits.is_empty() {
            return Ok(rated(found));
        }
        while !hits.is_empty() {
            let rows: Vec<Row> = hits.iter().map(|hit| hit.row).collect();
            let job = Arc::clone(&work);
            let matched = drive::blocking(move || job.run(&rows)).await?;
            let done = matched.len();
            let rest = hits.split_off(done);
            found.extend(
                hits.into_iter()
                    .zip(matched)
                    .filter_map(|(hit, score)| Some((hit, score?))),
            );
            hits = rest;
            progress.made(link, done).await?;
        }
    }
}

/// RFC 6203 §4.
fn rated(found: Vec<(Hit, f32)>) -> Vec<Hit> {
    let best = found.iter().map(|(_, score)| *score).fold(0.0, f32::max);
    let rated = found.into_iter().map(|(hit, score)| Hit {
        relevancy: fuzzy::relevancy(score, best),
        ..hit
    });
    rated.collect()
}

pub(super) fn everything() -> Numbers {
    Numbers::from_ranges([(1, u32::MAX)])
}

fn from_rows<S: Stream>(
    link: &Link<S>,
    target: Target<'_>,
    index: &Index,
    test: &Test,
    among: &Numbers,
) -> Result<Vec<Hit>, Failure> {
    let bodies = link.store().bodies()?;
    let mut found = Vec::with_capacity(index.len());
    for (first, last) in among.ranges() {
        for row in index.range(Uid(*first), Uid(*last)) {
            let Some(sequence) = target.view.sequence(row.uid.0) else {
                continue;
            };
            let candidate = Candidate::new(&bodies, target.mailbox, row);
            if test.matches(&candidate)? {
                found.push(Hit::new(sequence, row));
            }
        }
    }
    Ok(found)
}

/// A search that reads messages.
struct Work {
    store: Store,
    clock: Arc<dyn Clock>,
    mailbox: Reading,
    test: Test,
}

impl Work {
    /// Whether each of the rows matches and how well, of as many as fit into the time; at least one.
    fn run(&self, rows: &[Row]) -> Result<Vec<Option<f32>>, Error> {
        let started = self.clock.monotonic();
        let bodies = self.store.bodies()?;
        let mut matched = Vec::with_capacity(rows.len());
        for row in rows {
            let candidate = Candidate::new(&bodies, self.mailbox, *row);
            matched.push(match self.test.matches(&candidate) {
                Err(error @ Error::Damaged { .. }) => {
                    tracing::error!(%error, uid = row.uid.0, "a message can't be searched");
                    None
                }
                matches => matches?.then(|| candidate.score()),
            });
            if self.clock.monotonic().saturating_sub(started) > limits::SEARCH_SLICE {
                break;
            }
        }
        Ok(matched)
    }
}

/// Takes what it needs of one message after the other.
pub(super) trait Gather: Send + 'static {
    /// Of a message that went meanwhile, the facts are empty.
    fn take(&mut self, row: &Row, facts: &Facts);
}

/// Shows the facts of every hit to `gather`, in their order (ascending uids).
pub(super) async fn gather<S: Stream, G: Gather>(
    link: &mut Link<S>,
    target: Target<'_>,
    hits: &[Hit],
    mut gather: G,
) -> Result<G, Failure> {
    let mut progress = Progress::new(link, hits.len());
    for hits in hits.chunks(limits::SEARCH_MESSAGES_MAX) {
        let rows: Vec<Row> = hits.iter().map(|hit| hit.row).collect();
        let store = link.store().clone();
        let mailbox = target.mailbox;
        gather = drive::blocking(move || {
            read(&store, mailbox, &rows, &mut gather)?;
            Ok(gather)
        })
        .await?;
        progress.made(link, hits.len()).await?;
    }
    Ok(gather)
}

fn read<G: Gather>(
    store: &Store,
    mailbox: Reading,
    rows: &[Row],
    gather: &mut G,
) -> Result<(), Error> {
    let nothing = Facts::default();
    let bodies = store.bodies()?;
    let mut left = rows.iter().peekable();
    mailbox.messages_of(&bodies, rows, &mut |message| {
        let uid = message.row.uid;
        while let Some(gone) = left.next_if(|row| row.uid < uid) {
            gather.take(gone, &nothing);
        }
        if let Some(row) = left.next_if(|row| row.uid == uid) {
            match Logical::new(&bodies, mailbox.threads_of(), message).head() {
                Ok(facts) => gather.take(row, &facts),
                Err(error) => {
                    tracing::error!(%error, uid = uid.0, "the facts of a message can't be read");
                    gather.take(row, &nothing);
                }
            }
        }
        true
    })?;
    left.for_each(|gone| gather.take(gone, &nothing));
    Ok(())
}
