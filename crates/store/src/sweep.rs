//! A sweep: one change of the flags of many messages, kept as what it means and not as their rows.
//!
//! A flag set on 100,000 messages is 100,000 new rows. As a sweep it is one entry of the journal
//! and of the memtable. Whoever reads a row gets the sweeps laid over it: a transaction those of its
//! group, a view those of its memtables, the pictures of mailboxes each one once. With its memtable a
//! sweep goes into the index's file, there into the rows: the file knows none, and replay makes the
//! same of the journal.
//!
//! The rule: a sweep counts for the rows of its uids whose modseq is below its own. So one that is in
//! a row already does nothing to it, nor does it to what came after it; of several the older
//! one has to be laid first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::codec::{Reader, Writer};
use crate::keys::{self, Family, Name};
use crate::rows;
use crate::*;

const VERSION: u8 = 1;

/// What happens to flags: some stay as they are, the others go, some are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagChange {
    pub kept: Flags,
    pub set: Flags,
}

impl FlagChange {
    pub fn on(self, flags: Flags) -> Flags {
        let FlagChange { kept, set } = self;
        Flags {
            system: SystemFlags(flags.system.0 & kept.system.0 | set.system.0),
            keywords: flags.keywords & kept.keywords | set.keywords,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub modseq: ModSeq,
    /// All of them had a row when it was made.
    pub uids: UidSet,
    pub change: FlagChange,
}

impl Sweep {
    /// For a row of its mailbox.
    pub fn counts_for(&self, row: &Row) -> bool {
        row.modseq < self.modseq && self.uids.contains(row.uid)
    }

    /// The same; false: it does not count.
    pub fn lay_on(&self, row: &mut Row) -> bool {
        let counts = self.counts_for(row);
        if counts {
            row.flags = self.change.on(row.flags);
            row.modseq = self.modseq;
        }
        counts
    }

    /// As the journal has it, between the rows: key and value.
    pub fn redo(&self) -> (Vec<u8>, Vec<u8>) {
        let mut w = Writer::version(VERSION);
        for flags in [self.change.kept, self.change.set] {
            w.u8(flags.system.0).u128(flags.keywords);
        }
        rows::put_uids(&mut w, &self.uids);
        (keys::sweep(self.account, self.mailbox, self.modseq), w.0)
    }

    /// `None`: it is something else.
    pub fn from_redo(key: &[u8], value: Option<&[u8]>) -> Result<Option<Sweep>, Error> {
        let (Some((account, mailbox, modseq)), Some(value)) = (keys::parse_sweep(key), value)
        else {
            return Ok(None);
        };
        let mut r = Reader::version(value, "change of many flags", VERSION)?;
        let flags = |r: &mut Reader<'_>| -> Result<Flags, Error> {
            Ok(Flags {
                system: SystemFlags(r.u8()?),
                keywords: r.u128()?,
            })
        };
        let sweep = Sweep {
            account,
            mailbox,
            modseq,
            change: FlagChange {
                kept: flags(&mut r)?,
                set: flags(&mut r)?,
            },
            uids: rows::take_uids(&mut r)?,
        };
        r.end()?;
        Ok(Some(sweep))
    }
}

/// Those of a group, of a memtable or of a view, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Sweeps(Vec<Arc<Sweep>>);

impl Sweeps {
    pub fn push(&mut self, sweep: Arc<Sweep>) {
        self.0.push(sweep);
    }

    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Sweep>> {
        self.0.iter()
    }

    /// Lays them over the value of a key. True: `new` is the value now.
    pub fn lay_over(&self, key: &[u8], value: &[u8], new: &mut Vec<u8>) -> Result<bool, Error> {
        if self.is_empty() {
            return Ok(false);
        }
        let Some(Name::Account(account, Family::Row, rest)) = keys::parse(key) else {
            return Ok(false);
        };
        let Some((mailbox, uid)) = keys::mailbox_and_uid(rest) else {
            return Ok(false);
        };
        let mut here = self.of(account, mailbox).peekable();
        if here.peek().is_none() {
            return Ok(false);
        }
        let mut row = rows::decode_row(value, uid)?;
        let mut laid = false;
        for sweep in here {
            laid |= sweep.lay_on(&mut row);
        }
        if laid {
            rows::encode_row_into(&row, new);
        }
        Ok(laid)
    }

    /// Lays them on rows of a mailbox.
    pub fn lay_on(&self, account: AccountId, mailbox: MailboxId, rows: &mut [Row]) {
        for sweep in self.of(account, mailbox) {
            for row in rows.iter_mut() {
                sweep.lay_on(row);
            }
        }
    }

    fn of(&self, account: AccountId, mailbox: MailboxId) -> impl Iterator<Item = &Arc<Sweep>> {
        let here = move |sweep: &&Arc<Sweep>| (sweep.account, sweep.mailbox) == (account, mailbox);
        self.iter().filter(here)
    }

    /// The value with them laid over it.
    pub fn over(&self, key: &[u8], value: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut new = Vec::new();
        let laid = self.lay_over(key, &value, &mut new)?;
        Ok(if laid { new } else { value })
    }

    /// Lays them over the rows that a scan gives, in front of whoever takes these.
    pub fn before(
        &self,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error> {
        let mut new = Vec::new();
        move |key, value| match self.lay_over(key, value, &mut new)? {
            true => each(key, &new),
            false => each(key, value),
        }
    }

    /// The uids of all of them, by mailbox.
    pub fn ranges(&self) -> BTreeMap<(AccountId, MailboxId), Vec<(u32, u32)>> {
        let mut ranges: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for sweep in self.iter() {
            let here = ranges.entry((sweep.account, sweep.mailbox)).or_default();
            here.extend_from_slice(sweep.uids.ranges());
        }
        ranges
    }
}

impl FromIterator<Arc<Sweep>> for Sweeps {
    fn from_iter<I: IntoIterator<Item = Arc<Sweep>>>(sweeps: I) -> Self {
        Sweeps(sweeps.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Flags = Flags {
        system: SystemFlags(u8::MAX),
        keywords: u128::MAX,
    };

    fn flags(system: u8, keywords: u128) -> Flags {
        Flags {
            system: SystemFlags(system),
            keywords,
        }
    }

    fn sweep(modseq: u64, uids: &[(u32, u32)], change: FlagChange) -> Arc<Sweep> {
        Arc::new(Sweep {
            account: AccountId(7),
            mailbox: MailboxId(3),
            modseq: ModSeq(modseq),
            uids: UidSet::from_ranges(uids.iter().copied()),
            change,
        })
    }

    fn set(system: u8) -> FlagChange {
        let set = flags(system, 0);
        FlagChange { kept: ALL, set }
    }

    fn row(uid: u32, modseq: u64) -> Row {
        Row {
            uid: Uid(uid),
            flags: flags(1, 6),
            modseq: ModSeq(modseq),
            size: 4711,
            internal_date: -5,
        }
    }

    fn laid(sweeps: &Sweeps, mailbox: u32, row: Row) -> Row {
        let key = keys::message(AccountId(7), Family::Row, MailboxId(mailbox), row.uid);
        let (value, mut new) = (rows::encode_row(&row), b"of the row before".to_vec());
        match sweeps.lay_over(&key, &value, &mut new).unwrap() {
            true => rows::decode_row(&new, row.uid).unwrap(),
            false => row,
        }
    }

    #[test]
    fn it_counts_for_older_rows_of_its_uids() {
        let sweeps = Sweeps::from_iter([sweep(10, &[(5, 9)], set(4))]);
        let new = Row {
            flags: flags(5, 6),
            modseq: ModSeq(10),
            ..row(5, 9)
        };
        assert_eq!(laid(&sweeps, 3, row(5, 9)), new);
        assert_eq!(laid(&sweeps, 3, new), new);
        for (mailbox, other) in [
            (3, row(5, 10)),
            (3, row(5, 11)),
            (3, row(4, 9)),
            (4, row(5, 9)),
        ] {
            assert_eq!(laid(&sweeps, mailbox, other), other);
        }
        let record = keys::message(AccountId(7), Family::Record, MailboxId(3), Uid(5));
        assert!(!sweeps.lay_over(&record, b"", &mut Vec::new()).unwrap());
    }

    #[test]
    fn they_are_laid_one_after_the_other() {
        let cleared = FlagChange {
            kept: flags(!4, !2),
            set: flags(8, 0),
        };
        let sweeps =
            Sweeps::from_iter([sweep(10, &[(1, 9)], set(4)), sweep(11, &[(1, 9)], cleared)]);
        let both = laid(&sweeps, 3, row(2, 1));
        assert_eq!((both.flags, both.modseq), (flags(9, 4), ModSeq(11)));
        // Changed between the two.
        let second = laid(&sweeps, 3, row(2, 10));
        assert_eq!((second.flags, second.modseq), (flags(9, 4), ModSeq(11)));
    }

    #[test]
    fn other_keys_are_no_sweeps() {
        let row = keys::message(AccountId(7), Family::Row, MailboxId(3), Uid(5));
        let log = keys::log(AccountId(7), ModSeq(5));
        for key in [keys::POSITION, keys::GLOBAL, &row, &log, b""] {
            assert_eq!(Sweep::from_redo(key, Some(b"x")).unwrap(), None);
        }
        let (key, value) = sweep(1, &[(1, 2)], set(1)).redo();
        assert!(Sweep::from_redo(&key, value.get(..5)).is_err());
    }

    proptest! {
        #[test]
        fn it_comes_back_from_the_journal(
            account: u32, mailbox: u32, modseq: u64,
            ranges: Vec<(u32, u32)>, kept: (u8, u128), new: (u8, u128),
        ) {
            let sweep = Sweep {
                account: AccountId(account),
                mailbox: MailboxId(mailbox),
                modseq: ModSeq(modseq),
                uids: UidSet::from_ranges(ranges),
                change: FlagChange {
                    kept: flags(kept.0, kept.1),
                    set: flags(new.0, new.1),
                },
            };
            let (key, value) = sweep.redo();
            prop_assert_eq!(Sweep::from_redo(&key, Some(&value)).unwrap(), Some(sweep));
        }
    }
}
