//! The selected mailbox as this client knows it: sequence numbers and uids.
//!
//! RFC 9051 §2.3.1. Invariants: uids ascend; what was expunged stays in the view, with its number,
//! until the client is told. Kept as runs of consecutive uids, so a mailbox of any size costs what
//! its holes cost.

use crate::set::{Numbers, SequenceSet};

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
        let mut view = View::default();
        for uid in uids {
            view.push(uid);
        }
        view
    }

    /// The number of the last message, what EXISTS said.
    pub fn len(&self) -> u32 {
        0
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn uid(&self, sequence: u32) -> Option<u32> {
        let _ = sequence;
        None
    }

    pub fn sequence(&self, uid: u32) -> Option<u32> {
        let _ = uid;
        None
    }

    pub fn last_uid(&self) -> Option<u32> {
        None
    }

    /// Uids meant by a set of sequence numbers. Ranges span holes where no message is (never one
    /// that the client doesn't know).
    pub fn resolve_sequence(&self, set: &SequenceSet) -> Result<Numbers, OutOfRange> {
        let _ = set;
        Ok(Numbers::new())
    }

    /// Uids meant by a set of uids, cut to what the client knows; numbers without a message match
    /// nothing (RFC 9051 §6.4.9).
    pub fn resolve_uids(&self, set: &SequenceSet) -> Numbers {
        let _ = set;
        Numbers::new()
    }

    /// By the numbering of the command.
    pub fn resolve(
        &self,
        set: &SequenceSet,
        numbering: crate::command::Numbering,
    ) -> Result<Numbers, OutOfRange> {
        match numbering {
            crate::command::Numbering::Sequence => self.resolve_sequence(set),
            crate::command::Numbering::Uid => Ok(self.resolve_uids(set)),
        }
    }

    /// The messages with these uids, ascending.
    pub fn iter<'a>(&'a self, uids: &'a Numbers) -> impl Iterator<Item = Known> + 'a {
        uids.iter()
            .filter_map(|uid| self.sequence(uid).map(|sequence| Known { sequence, uid }))
    }

    /// Sequence numbers of these uids.
    pub fn sequences(&self, uids: &Numbers) -> Numbers {
        self.iter(uids).map(|known| known.sequence).collect()
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

    /// Takes the news and says what to tell.
    pub fn sync(&mut self, news: &News, expunges: Expunges, form: ExpungeForm) -> Told {
        let _ = (news, expunges, form);
        Told::default()
    }

    fn push(&mut self, uid: u32) {
        let _ = Run {
            sequence: 0,
            first: uid,
            last: uid,
        };
    }
}
