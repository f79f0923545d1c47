//! The messages of one login: a fixed list with deletion marks (RFC 1939 §5).
//!
//! The list is a picture taken at login: mail that comes later is seen at the next login, message
//! numbers never change, and 16 bytes are held for each message.

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Octets as sent by RETR before byte-stuffing.
    pub size: u64,
    /// With the maildrop's `uid_validity` unique for ever (RFC 1939 §7, UIDL).
    pub uid: u32,
}

/// All messages, numbered from 1 in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maildrop {
    uid_validity: u32,
    entries: Vec<Entry>,
    /// One bit a message.
    marks: Vec<u64>,
    marked: u32,
    marked_size: u64,
    size: u64,
}

impl Maildrop {
    /// Entries beyond [`crate::limits::MESSAGES_MAX`] are left out.
    pub fn new(uid_validity: u32, mut entries: Vec<Entry>) -> Self {
        entries.truncate(crate::limits::MESSAGES_MAX);
        Maildrop {
            uid_validity,
            size: entries.iter().fold(0, |sum, e| sum.saturating_add(e.size)),
            marks: Vec::new(),
            marked: 0,
            marked_size: 0,
            entries,
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Messages that are not marked: how many, and octets in all.
    pub fn totals(&self) -> (u32, u64) {
        let all = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        (
            all.saturating_sub(self.marked),
            self.size.saturating_sub(self.marked_size),
        )
    }

    /// The message of this number (from 1), marked or not.
    pub fn get(&self, number: u32) -> Option<Entry> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.entries.get(index).copied()
    }

    pub fn is_marked(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.marks.get(word).is_some_and(|marks| marks & bit != 0)
    }

    /// False: no such message, or marked already.
    pub fn mark(&mut self, number: u32) -> bool {
        let Some(entry) = self.get(number) else {
            return false;
        };
        if self.marks.is_empty() {
            self.marks = vec![0; self.entries.len().div_ceil(64)];
        }
        let (word, bit) = place(number);
        match self.marks.get_mut(word) {
            Some(marks) if *marks & bit == 0 => *marks |= bit,
            _ => return false,
        }
        self.marked += 1;
        self.marked_size = self.marked_size.saturating_add(entry.size);
        true
    }

    /// RFC 1939 §5, RSET.
    pub fn unmark_all(&mut self) {
        self.marks = Vec::new();
        self.marked = 0;
        self.marked_size = 0;
    }

    /// Uids of the marked messages, in the maildrop's order.
    pub fn marked_uids(&self) -> Vec<u32> {
        if self.marked == 0 {
            return Vec::new();
        }
        (1u32..)
            .zip(&self.entries)
            .filter(|(number, _)| self.is_marked(*number))
            .map(|(_, entry)| entry.uid)
            .collect()
    }

    /// RFC 1939 §7: 1 to 70 characters of 0x21 to 0x7E, never used again for another message.
    pub fn unique_id(&self, entry: Entry) -> String {
        format!("{:08x}{:08x}", self.uid_validity, entry.uid)
    }
}

/// Word and bit of a number from 1.
fn place(number: u32) -> (usize, u64) {
    let index = number.saturating_sub(1);
    (
        usize::try_from(index / 64).unwrap_or(usize::MAX),
        1 << (index % 64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Maildrop {
        let entries = [(100, 7), (20, 9), (3, 12)];
        let entries = entries.map(|(size, uid)| Entry { size, uid });
        Maildrop::new(5, entries.to_vec())
    }

    #[test]
    fn marks_count_once() {
        let mut maildrop = three();
        assert_eq!(maildrop.totals(), (3, 123));
        assert!(maildrop.mark(2));
        assert!(!maildrop.mark(2));
        assert!(!maildrop.mark(0));
        assert!(!maildrop.mark(4));
        assert!(maildrop.is_marked(2));
        assert!(!maildrop.is_marked(1));
        assert!(!maildrop.is_marked(0));
        assert_eq!(maildrop.totals(), (2, 103));
        assert_eq!(maildrop.marked_uids(), [9]);
        maildrop.unmark_all();
        assert_eq!(maildrop.totals(), (3, 123));
        assert!(maildrop.marked_uids().is_empty());
    }

    #[test]
    fn numbers_begin_at_one() {
        let maildrop = three();
        assert_eq!(maildrop.get(0), None);
        assert_eq!(maildrop.get(1).map(|e| e.uid), Some(7));
        assert_eq!(maildrop.get(4), None);
        assert_eq!(
            maildrop.unique_id(maildrop.entries()[2]),
            "000000050000000c"
        );
    }
}
