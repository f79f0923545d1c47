//! The selected mailbox as this client knows it: sequence numbers and uids.
//!
//! RFC 9051 §2.3.1. Invariants: uids ascend; what was expunged stays in the view, with its number,
//! until the client is told. Kept as runs of consecutive uids, so a mailbox of any size costs what
//! its holes cost.

use crate::command::Numbering;
use crate::set::{Numbers, SequenceSet};

#[cfg(test)]
mod tests;

/// A message of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub sequence: u32,
    pub uid: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    runs: Vec<Run>,
    /// Expunged, and the client is not told yet.
    held: Numbers,
    /// RFC 5182.
    saved: Numbers,
}

/// Consecutive uids with consecutive sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    sequence: u32,
    first: u32,
    last: u32,
}

/// A sequence number that no message has, RFC 9051 §9 `seq-number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// What happened to the mailbox since the view was last in step. Uids. A uid may be in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    pub added: Numbers,
    pub updated: Numbers,
    pub expunged: Numbers,
}

/// Whether expunges may be told now, `session.expunges()`; RFC 9051 §7.5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expunges {
    Tell,
    Hold,
}

/// How to tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpungeForm {
    /// EXPUNGE, one by one.
    Numbers,
    /// VANISHED, RFC 7162 §3.2.10.
    Uids,
}

/// What to tell the client, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// EXPUNGE responses as they are to be sent, each number right when the ones before were
    /// applied.
    pub expunged: Vec<u32>,
    /// Or VANISHED with these.
    pub vanished: Numbers,
    pub exists: Option<u32>,
    /// Uids whose flags changed, all known to the client and not expunged. Numbers by
    /// [`View::iter`].
    pub changed: Numbers,
}

impl View {
    /// Uids ascending.
    pub fn new(uids: impl IntoIterator<Item = u32>) -> Self {
        View::of_ranges(uids.into_iter().map(|uid| (uid, uid)))
    }

    /// Ranges of uids ascending, first and last.
    pub fn of_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut view = View::default();
        for (first, last) in ranges {
            view.push_range(first, last);
        }
        view
    }

    /// The number of the last message, what EXISTS said.
    pub fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.last_sequence())
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn uid(&self, sequence: u32) -> Option<u32> {
        let after = self
            .runs
            .partition_point(|run| run.last_sequence() < sequence);
        self.runs
            .get(after)
            .and_then(|run| Some(run.first + sequence.checked_sub(run.sequence)?))
    }

    pub fn sequence(&self, uid: u32) -> Option<u32> {
        let run = self.runs.get(self.run_reaching(uid))?;
        Some(run.sequence + uid.checked_sub(run.first)?)
    }

    pub fn last_uid(&self) -> Option<u32> {
        self.runs.last().map(|run| run.last)
    }

    /// RFC 10022 §3.1: the messages in batches, the highest uids first; those batches of the range,
    /// counted from 1. First and last uid of each, the higher one first. The last of all ends at 1.
    pub fn batches(
        &self,
        messages: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> impl Iterator<Item = (u32, u32)> + '_ {
        range.map_while(move |batch| {
            let above = messages.checked_mul(batch.checked_sub(1)?)?;
            let last = self.len().checked_sub(above).filter(|last| *last > 0)?;
            let lowest = match last.checked_sub(messages) {
                Some(below @ 1..) => self.uid(below + 1)?,
                _ => 1,
            };
            Some((self.uid(last)?, lowest))
        })
    }

    /// Every uid of the view, ascending ranges.
    pub fn uids(&self) -> Numbers {
        Numbers::from_ranges(self.runs.iter().map(|run| (run.first, run.last)))
    }

    /// The first run that does not end before `uid`.
    fn run_reaching(&self, uid: u32) -> usize {
        self.runs.partition_point(|run| run.last < uid)
    }

    /// Uids meant by a set of sequence numbers. Ranges span holes where no message is (never one
    /// that the client doesn't know).
    pub fn resolve_sequence(&self, set: &SequenceSet) -> Result<Numbers, OutOfRange> {
        if *set == SequenceSet::Saved {
            return Ok(self.saved.clone());
        }
        // RFC 9051 §9 `seq-number`: a number beyond the last one is an error; so is `*` when there
        // is no message.
        let sequences = set.numbers(self.len(), &Numbers::new());
        if sequences.is_empty() || sequences.last() > Some(self.len()) {
            return Err(OutOfRange);
        }
        let uids = sequences
            .ranges()
            .iter()
            .filter_map(|(first, last)| Some((self.uid(*first)?, self.uid(*last)?)));
        Ok(Numbers::from_ranges(uids))
    }

    /// Uids meant by a set of uids, cut to what the client knows; numbers without a message match
    /// nothing (RFC 9051 §6.4.9).
    pub fn resolve_uids(&self, set: &SequenceSet) -> Numbers {
        let Some(last) = self.last_uid() else {
            return Numbers::new();
        };
        let known = Numbers::from_ranges([(1, last)]);
        set.numbers(last, &self.saved).intersection(&known)
    }

    /// By the numbering of the command.
    pub fn resolve(&self, set: &SequenceSet, numbering: Numbering) -> Result<Numbers, OutOfRange> {
        match numbering {
            Numbering::Sequence => self.resolve_sequence(set),
            Numbering::Uid => Ok(self.resolve_uids(set)),
        }
    }

    /// The messages with these uids, ascending. Costs the messages it gives, not the holes.
    pub fn iter<'a>(&'a self, uids: &'a Numbers) -> impl Iterator<Item = Known> + 'a {
        uids.ranges().iter().flat_map(move |&(first, last)| {
            let runs = self
                .runs
                .get(self.run_reaching(first)..)
                .unwrap_or_default();
            runs.iter()
                .take_while(move |run| run.first <= last)
                .flat_map(move |run| {
                    let (from, to) = (run.first.max(first), run.last.min(last));
                    (from..=to).map(move |uid| Known {
                        sequence: run.sequence + (uid - run.first),
                        uid,
                    })
                })
        })
    }

    /// Sequence numbers of these uids.
    pub fn sequences(&self, uids: &Numbers) -> Numbers {
        let mut sequences = Numbers::new();
        for known in self.iter(uids) {
            sequences.push(known.sequence);
        }
        sequences
    }

    /// Of these uids, those in the view.
    pub fn known(&self, uids: &Numbers) -> Numbers {
        let mut known = Numbers::new();
        for &(first, last) in uids.ranges() {
            let runs = self
                .runs
                .get(self.run_reaching(first)..)
                .unwrap_or_default();
            for run in runs.iter().take_while(|run| run.first <= last) {
                known.push_range(run.first.max(first), run.last.min(last));
            }
        }
        known
    }

    /// Keeps a search result for `$`. Uids.
    pub fn save(&mut self, uids: Numbers) {
        self.saved = uids;
    }

    /// The uids of `$`.
    pub fn saved(&self) -> &Numbers {
        &self.saved
    }

    /// Expunges that wait to be told.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Of these uids, whether the message is gone and the client not told yet.
    pub fn is_held(&self, uid: u32) -> bool {
        self.held.contains(uid)
    }

    /// Takes the news and says what to tell.
    ///
    /// A message that came and went between is never told. One that came is told by EXISTS alone.
    pub fn sync(&mut self, news: &News, expunges: Expunges, form: ExpungeForm) -> Told {
        let mut told = Told::default();
        let gone = self.known(&news.expunged);
        if !gone.is_empty() {
            self.held = self.held.union(&gone);
        }
        if !news.updated.is_empty() {
            told.changed = self.known(&news.updated).difference(&self.held);
        }
        if expunges == Expunges::Tell && !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            match form {
                ExpungeForm::Numbers => told.expunged = self.expunge_numbers(&held),
                ExpungeForm::Uids => told.vanished = held.clone(),
            }
            self.remove(&held);
            // RFC 5182 §2.1: what is expunged leaves the saved result.
            self.saved = self.saved.difference(&held);
        }
        let added = news.added.difference(&news.expunged);
        if self.add(&added) {
            told.exists = Some(self.len());
        }
        told
    }

    /// From the last to the first, so that no number shifts under the next.
    fn expunge_numbers(&self, uids: &Numbers) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.iter(uids).map(|known| known.sequence).collect();
        numbers.reverse();
        numbers
    }

    /// True when there were some that the view had not.
    fn add(&mut self, uids: &Numbers) -> bool {
        let after = self.last_uid().unwrap_or(0);
        let mut grown = false;
        for &(first, last) in uids.ranges() {
            // Uids ascend (RFC 9051 §2.3.1.1): what is not above the last one is known already.
            let first = first.max(after.saturating_add(1));
            if first <= last {
                self.push_range(first, last);
                grown = true;
            }
        }
        grown
    }

    fn push_range(&mut self, first: u32, last: u32) {
        let sequence = self.len() + 1;
        match self.runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(first) => run.last = last,
            _ => self.runs.push(Run {
                sequence,
                first,
                last,
            }),
        }
    }

    /// All of them are in the view.
    fn remove(&mut self, uids: &Numbers) {
        let kept = self.uids().difference(uids);
        self.runs.clear();
        for &(first, last) in kept.ranges() {
            self.push_range(first, last);
        }
        self.runs.shrink_to_fit();
    }
}

impl Run {
    fn last_sequence(&self) -> u32 {
        self.sequence + (self.last - self.first)
    }
}
