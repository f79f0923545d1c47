//! What one session knows of its selected mailbox, by what the server told it alone.
//!
//! RFC 9051 §2.3.1 and §7.5.1, RFC 7162 §3 and §6. Every function refuses what no server may say.

use std::collections::{BTreeMap, BTreeSet};

/// In small letters.
pub type Flags = BTreeSet<String>;

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    /// 0: not known.
    pub modseq: u64,
    /// A FETCH left it out: it has to be told gone.
    pub missing: bool,
    /// The number of the command that its flags were told in last.
    pub told_in: u64,
}

/// A mailbox as a client without connection remembers it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub uid_validity: u32,
    pub modseq: u64,
    pub messages: BTreeMap<u32, Flags>,
    /// SELECT is asked about these messages alone.
    pub only: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub name: String,
    pub mailbox_id: String,
    pub uid_validity: u32,
    pub uid_next: u32,
    pub read_only: bool,
    /// UIDONLY: numbers mean nothing, what has no known uid stands last.
    pub uid_only: bool,
    pub slots: Vec<Slot>,
    /// What FLAGS said last.
    pub keywords: Flags,
    pub permanent: Flags,
    /// The client's copy of HIGHESTMODSEQ (RFC 7162 §6).
    pub modseq: u64,
    /// What SELECT said it was.
    pub modseq_opened: u64,
    /// The ledger's time when SELECT was sent.
    pub opened: u64,
    /// QRESYNC: what was remembered, put right by what SELECT told.
    pub remembered: Option<Snapshot>,
}

impl Picture {
    pub fn exists(&mut self, count: u32) -> Result<(), String> {
        let count = count as usize;
        if count < self.slots.len() {
            return Err(format!(
                "EXISTS {count} when there are {}",
                self.slots.len()
            ));
        }
        self.slots.resize_with(count, Slot::default);
        Ok(())
    }

    pub fn expunge(&mut self, sequence: u32) -> Result<Slot, String> {
        let index = self.index(sequence)?;
        Ok(self.slots.remove(index))
    }

    /// Takes the message away that has the uid, or may have.
    pub fn vanish(&mut self, uid: u32) -> Result<Slot, String> {
        match self.find(uid) {
            Ok(index) => Ok(self.slots.remove(index)),
            Err(Some(first)) => {
                self.forget(first);
                Ok(Slot {
                    uid: Some(uid),
                    ..Slot::default()
                })
            }
            Err(None) => Err(format!("VANISHED {uid}, which was not there")),
        }
    }

    /// One of the messages without a known uid around `first` goes: rather one that was left out,
    /// and of the others nobody knows any more which is which.
    fn forget(&mut self, first: usize) {
        let unknown = |slot: &Slot| slot.uid.is_none();
        let start = self.slots[..first].iter().rposition(|s| !unknown(s));
        let start = start.map_or(0, |before| before + 1);
        let end = self.slots[first..].iter().position(|s| !unknown(s));
        let end = end.map_or(self.slots.len(), |after| first + after);
        for slot in &mut self.slots[start..end] {
            slot.flags = None;
            slot.modseq = 0;
        }
        let missing = self.slots[start..end].iter().position(|slot| slot.missing);
        self.slots.remove(start + missing.unwrap_or(0));
    }

    fn index(&self, sequence: u32) -> Result<usize, String> {
        let index = (sequence as usize).checked_sub(1);
        index
            .filter(|index| *index < self.slots.len())
            .ok_or_else(|| format!("number {sequence} of {} messages", self.slots.len()))
    }

    /// Where the uid is; else the first place without a known uid where it may be.
    pub fn find(&self, uid: u32) -> Result<usize, Option<usize>> {
        let mut unknown = None;
        if self.uid_only {
            let known = |slot: &Slot| slot.uid.is_some_and(|known| known < uid);
            let index = self.slots.partition_point(known);
            let there = self.slots.get(index).and_then(|slot| slot.uid) == Some(uid);
            let last = self.slots.last().filter(|slot| slot.uid.is_none());
            let unknown = last.map(|_| self.slots.len() - 1);
            return if there { Ok(index) } else { Err(unknown) };
        }
        for (index, slot) in self.slots.iter().enumerate() {
            match slot.uid {
                Some(known) if known == uid => return Ok(index),
                Some(known) if known > uid => break,
                Some(_) => unknown = None,
                None => unknown = unknown.or(Some(index)),
            }
        }
        Err(unknown)
    }

    /// The message that a FETCH is about: by number, with its uid when it was told.
    pub fn by_number(&mut self, sequence: u32, uid: Option<u32>) -> Result<&mut Slot, String> {
        let index = self.index(sequence)?;
        if let Some(uid) = uid {
            self.learn(index, uid)?;
        }
        Ok(&mut self.slots[index])
    }

    /// RFC 9586 §3.3: by uid alone.
    pub fn by_uid(&mut self, uid: u32) -> Result<&mut Slot, String> {
        let index = match self.find(uid) {
            Ok(index) => index,
            Err(Some(unknown)) => {
                self.slots.remove(unknown);
                let known = |slot: &Slot| slot.uid.is_some_and(|known| known < uid);
                let index = self.slots.partition_point(known);
                self.slots.insert(index, Slot::default());
                self.slots[index].uid = Some(uid);
                index
            }
            Err(None) => return Err(format!("UIDFETCH {uid}, which is not there")),
        };
        Ok(&mut self.slots[index])
    }

    fn learn(&mut self, index: usize, uid: u32) -> Result<(), String> {
        if let Some(known) = self.slots[index].uid {
            return match known == uid {
                true => Ok(()),
                false => Err(format!("number {} is uid {uid} and was {known}", index + 1)),
            };
        }
        let before = self.slots[..index].iter().rposition(|s| s.uid.is_some());
        let after = self.slots[index..].iter().position(|s| s.uid.is_some());
        let distance = |a: usize, b: usize| u32::try_from(b - a).unwrap_or(u32::MAX);
        if let Some(before) = before {
            let low = self.slots[before].uid.unwrap_or(0) + distance(before, index);
            if uid < low {
                return Err(format!("number {} is uid {uid}, below {low}", index + 1));
            }
        }
        if let Some(after) = after {
            let next = self.slots[index + after].uid.unwrap_or(u32::MAX);
            if uid + distance(0, after) > next {
                return Err(format!("number {} is uid {uid}, near {next}", index + 1));
            }
        }
        self.slots[index].uid = Some(uid);
        Ok(())
    }

    /// Known uids, ascending.
    pub fn uids(&self) -> Vec<u32> {
        self.slots.iter().filter_map(|slot| slot.uid).collect()
    }

    pub fn numbers(&self) -> Vec<u32> {
        (1..=self.slots.len() as u32).collect()
    }

    /// Every uid is known.
    pub fn complete(&self) -> bool {
        self.slots.iter().all(|slot| slot.uid.is_some())
    }

    pub fn slot(&self, uid: u32) -> Option<&Slot> {
        self.find(uid).ok().map(|index| &self.slots[index])
    }

    /// When everything is known.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let messages = self.slots.iter().map(|slot| {
            let flags = slot.flags.clone()?;
            Some((slot.uid?, flags))
        });
        Some(Snapshot {
            uid_validity: self.uid_validity,
            modseq: self.modseq,
            messages: messages.collect::<Option<_>>()?,
            only: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uids: &[Option<u32>]) -> Picture {
        let slots = uids.iter().map(|uid| Slot {
            uid: *uid,
            ..Slot::default()
        });
        Picture {
            slots: slots.collect(),
            ..Picture::default()
        }
    }

    #[test]
    fn uids_ascend() {
        let mut picture = of(&[Some(3), None, None, Some(9)]);
        assert!(picture.by_number(2, Some(3)).is_err());
        assert!(picture.by_number(3, Some(4)).is_err());
        assert!(picture.by_number(2, Some(8)).is_err());
        assert!(picture.by_number(2, Some(7)).is_ok());
        assert!(picture.by_number(2, Some(6)).is_err());
        assert!(picture.by_number(3, Some(8)).is_ok());
        assert_eq!(picture.uids(), [3, 7, 8, 9]);
    }

    #[test]
    fn what_is_not_there_does_not_go() {
        let mut picture = of(&[Some(3), None, Some(9)]);
        assert!(picture.vanish(2).is_err());
        assert!(picture.vanish(5).is_ok());
        assert!(picture.vanish(6).is_err());
        assert!(picture.expunge(3).is_err());
        assert!(picture.expunge(0).is_err());
        assert!(picture.exists(1).is_err());
        assert!(picture.by_uid(4).is_err());
        assert_eq!(picture.uids(), [3, 9]);
    }
}
