//! The selected mailbox, and the walk over its index that all handlers share.

use std::sync::Arc;

use facteur_imap::command::Numbering;
use facteur_imap::flag::{self, FlagList};
use facteur_imap::set::{Numbers, SequenceSet};
use facteur_imap::view::View;
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{FlagNames, Flags, Index, ModSeq, Row, SystemFlags, Uid, UidSet};

use super::contexts::Context;
use super::door::{Handle, Reading, Source};
use super::error::Failure;
use super::link::Link;
use super::select::permanent;
use crate::drive::Stream;

pub(super) struct Selected {
    pub(super) handle: Handle,
    pub(super) reading: Reading,
    pub(super) source: Source,
    pub(super) view: View,
    /// The client knows everything up to here, but for the expunges that the view holds back.
    pub(super) modseq: ModSeq,
    /// Those that are held back came after this.
    pub(super) held_after: ModSeq,
    /// Keywords that FLAGS has told of.
    pub(super) keywords: Arc<[String]>,
    pub(super) read_only: bool,
    /// RFC 5267 §4.3.
    pub(super) contexts: Vec<Context>,
}

impl Selected {
    /// What a command's set means, as uids.
    pub(super) fn resolve(
        &self,
        set: &SequenceSet,
        numbering: Numbering,
    ) -> Result<Numbers, Failure> {
        Ok(self.view.resolve(set, numbering)?)
    }

    /// How many messages a set of sequence numbers asks for; `None` for uids, where numbers
    /// without a message mean nothing (RFC 9051 §6.4.9).
    pub(super) fn asked(&self, set: &SequenceSet, numbering: Numbering) -> Option<u64> {
        match (set, numbering) {
            (SequenceSet::Saved, _) | (_, Numbering::Uid) => None,
            (SequenceSet::Ranges(_), Numbering::Sequence) => {
                Some(set.numbers(self.view.len(), &Numbers::new()).count())
            }
        }
    }

    /// Whether messages that a command names by their numbers are gone already.
    pub(super) fn misses(
        &self,
        set: &SequenceSet,
        numbering: Numbering,
        uids: &Numbers,
        index: &Index,
    ) -> bool {
        let Some(asked) = self.asked(set, numbering) else {
            return false;
        };
        let there: usize = uids
            .ranges()
            .iter()
            .map(|(first, last)| index.range(Uid(*first), Uid(*last)).count())
            .sum();
        (there as u64) < asked
    }

    pub(super) fn writable(&self) -> Result<(), Failure> {
        if self.read_only {
            let code = facteur_imap::response::Code::ReadOnly;
            return Err(Reply::no(text::READ_ONLY).with(code).into());
        }
        Ok(())
    }

    /// Before flags with a new keyword are shown, FLAGS names it (RFC 9051 §7.3.5).
    pub(super) fn tell_keywords<S: Stream>(&mut self, link: &mut Link<S>, index: &Index) {
        let keywords = &index.mailbox().keywords;
        if keywords.len() == self.keywords.len() {
            return;
        }
        self.keywords = Arc::clone(keywords);
        self.tell_flags(link);
    }

    pub(super) fn tell_flags<S: Stream>(&self, link: &mut Link<S>) {
        link.session.respond(&Untagged::Flags {
            keywords: &self.keywords,
            permanent: permanent(&self.handle, self.read_only),
        });
    }
}

/// Of a message that matches exactly.
pub(super) const RELEVANCY_MAX: u8 = 100;

/// A message that the client knows and that is still there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) sequence: u32,
    pub(super) row: Row,
    /// Of a search with FUZZY (RFC 6203 §4).
    pub(super) relevancy: u8,
}

impl Hit {
    pub(super) fn new(sequence: u32, row: Row) -> Self {
        Hit {
            sequence,
            row,
            relevancy: RELEVANCY_MAX,
        }
    }
}

/// Goes through the messages of a set in slices, so that neither memory nor output grows with it.
#[derive(Debug)]
pub(super) struct Walk {
    /// The next range last.
    ranges: Vec<(u32, u32)>,
}

impl Walk {
    pub(super) fn new(uids: &Numbers) -> Self {
        let ranges = uids.ranges().iter().rev().copied().collect();
        Walk { ranges }
    }

    /// At most `max` messages; empty at the end.
    pub(super) fn next(&mut self, index: &Index, view: &View, max: usize) -> Vec<Hit> {
        let mut hits = Vec::new();
        while let Some((first, last)) = self.ranges.pop() {
            let numbers = usize::try_from(last - first).unwrap_or(usize::MAX);
            hits.reserve(numbers.min(index.len()).min(max - hits.len()));
            for row in index.range(Uid(first), Uid(last)) {
                let Some(sequence) = view.sequence(row.uid.0) else {
                    continue;
                };
                if hits.len() == max {
                    self.ranges.push((row.uid.0, last));
                    return hits;
                }
                hits.push(Hit::new(sequence, row));
            }
        }
        hits
    }
}

pub(super) fn flag_list(flags: Flags, names: &[String]) -> FlagList<'_> {
    FlagList {
        system: flag::SystemFlags(flags.system.0),
        keywords: flags.keywords,
        names,
    }
}

pub(super) fn flag_names(flags: flag::FlagNames) -> FlagNames {
    FlagNames {
        system: SystemFlags(flags.system.0),
        keywords: flags.keywords,
    }
}

/// The messages of a mailbox as somebody knows them who has just opened it.
pub(super) fn view_of(index: &Index) -> View {
    View::of_ranges(index.uid_ranges().map(|(first, last)| (first.0, last.0)))
}

/// Uids of all messages that are there.
pub(super) fn present(index: &Index) -> Numbers {
    Numbers::from_ranges(index.uid_ranges().map(|(first, last)| (first.0, last.0)))
}

pub(super) fn uid_set(numbers: &Numbers) -> UidSet {
    UidSet::from_ranges(numbers.ranges().iter().copied())
}

pub(super) fn numbers(uids: &UidSet) -> Numbers {
    Numbers::from_ranges(uids.ranges().iter().copied())
}
