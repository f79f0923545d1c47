//! How the index keeps the rows of messages (flags, modseq, size, date): those of 64 neighbouring
//! uids in one value. A row is some 25 bytes, and a mailbox has 100,000 of them: one by one, a flag
//! set on all would be 100,000 inserts, and a mailbox is opened by reading all.
//!
//! Nobody outside the index sees it: the journal, transactions and scans know rows.
//!
//! A page is a list of entries by ascending slot: slot (the uid's low bits), length, bytes.

use crate::Error;
use crate::index::INDEX_FILE;
use crate::keys::{self, Family, Name, Span};
use crate::sweep::Sweeps;
use crate::{AccountId, MailboxId, Uid, UidSet};

const UID_BITS: u32 = 6;
const SLOT_MASK: u32 = (1 << UID_BITS) - 1;
/// Bytes of a page's key before its number, as of a row's key before the uid.
const PREFIX_BYTES: usize = 10;
const KEY_BYTES: usize = PREFIX_BYTES + 4;

/// The key of a row or a page.
pub type Key = [u8; KEY_BYTES];

/// The place of a row: its page's key, and where in the page.
pub fn place(key: &[u8]) -> Option<(Key, u8)> {
    let key: &Key = key.try_into().ok()?;
    if !matches!(keys::parse(key), Some(Name::Account(_, Family::Row, _))) {
        return None;
    }
    let uid = uid_at(key)?;
    Some((with_number(key, uid >> UID_BITS), slot_of(uid)))
}

fn slot_of(uid: u32) -> u8 {
    u8::try_from(uid & SLOT_MASK).unwrap_or_default()
}

fn uid_at(key: &Key) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk::<4>()?))
}

fn with_number(key: &Key, number: u32) -> Key {
    let mut page = *key;
    let bytes = number.to_be_bytes();
    for (to, from) in page.iter_mut().skip(PREFIX_BYTES).zip(bytes) {
        *to = from;
    }
    page
}

/// A bound of a scan as the bound of the pages: they hold all rows within, and perhaps more.
/// `end`: it is the upper bound.
pub fn bound(key: &[u8], end: bool) -> Vec<u8> {
    let Some((prefix, rest)) = key.split_at_checked(PREFIX_BYTES) else {
        return key.to_vec();
    };
    if rest.is_empty() || !matches!(keys::parse(prefix), Some(Name::Account(_, Family::Row, _))) {
        return key.to_vec();
    }
    // A shorter key sorts before all that it is the beginning of: as if zeros followed.
    let mut padded = [0; KEY_BYTES];
    for (to, from) in padded.iter_mut().zip(key) {
        *to = *from;
    }
    let uid = uid_at(&padded).unwrap_or_default();
    let beyond = end && (uid & SLOT_MASK != 0 || rest.len() > 4);
    with_number(&padded, (uid >> UID_BITS) + u32::from(beyond)).to_vec()
}

/// The pages that hold these uids, or would.
pub fn spans(account: AccountId, mailbox: MailboxId, uids: &[(u32, u32)]) -> Vec<Span> {
    let numbers = uids.iter();
    let numbers = numbers.map(|(first, last)| (first >> UID_BITS, last >> UID_BITS));
    let key = |number| keys::message(account, Family::Row, mailbox, Uid(number));
    // Numbers of pages side by side: a set of them does what one of uids does.
    let pages = UidSet::from_ranges(numbers);
    let ranges = pages.ranges().iter();
    ranges
        .map(|(first, last)| (key(*first), keys::after(&key(*last))))
        .collect()
}

/// The page with sweeps laid over its rows; `None`: as it is.
pub fn swept(key: &[u8], page: &[u8], sweeps: &Sweeps) -> Result<Option<Vec<u8>>, Error> {
    let Some(rows) = rows(key, page) else {
        return Ok(None);
    };
    let mut edits = Vec::new();
    let mut new = Vec::new();
    for row in rows {
        let (key, value) = row?;
        if sweeps.lay_over(&key, value, &mut new)? {
            let uid = uid_at(&key).unwrap_or_default();
            edits.push((slot_of(uid), std::mem::take(&mut new)));
        }
    }
    if edits.is_empty() {
        return Ok(None);
    }
    let edits = edits
        .iter()
        .map(|(slot, row)| (*slot, Some(row.as_slice())));
    edited(page, &edits.collect::<Vec<_>>()).map(Some)
}

/// The bytes of one row in a page.
pub fn find(page: &[u8], slot: u8) -> Result<Option<&[u8]>, Error> {
    for entry in entries(page) {
        let (found, bytes) = entry?;
        if found == slot {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Calls for each row of a page with its own key, ascending.
pub fn rows<'a>(
    page_key: &[u8],
    page: &'a [u8],
) -> Option<impl Iterator<Item = Result<(Key, &'a [u8]), Error>> + use<'a>> {
    let key: Key = page_key.try_into().ok()?;
    if !matches!(keys::parse(&key), Some(Name::Account(_, Family::Row, _))) {
        return None;
    }
    let first = uid_at(&key)? << UID_BITS;
    Some(entries(page).map(move |entry| {
        let (slot, bytes) = entry?;
        Ok((with_number(&key, first | u32::from(slot)), bytes))
    }))
}

fn entries(page: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), Error>> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let (slot, after) = rest.split_first()?;
        let entry = after.split_first().and_then(|(len, after)| {
            let (bytes, after) = after.split_at_checked(usize::from(*len))?;
            rest = after;
            Some((*slot, bytes))
        });
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| damaged("a page of rows is too short")))
    })
}

fn damaged(what: &str) -> Error {
    Error::Damaged {
        place: INDEX_FILE.to_owned(),
        what: what.to_owned(),
    }
}

/// The page with edits, slots ascending, applied; empty: nothing is left.
pub fn edited(page: &[u8], edits: &[(u8, Option<&[u8]>)]) -> Result<Vec<u8>, Error> {
    let mut new = Vec::with_capacity(page.len() + edits.len() * 32);
    let mut put = |slot: u8, bytes: Option<&[u8]>| {
        let Some(bytes) = bytes else { return Ok(()) };
        let len = u8::try_from(bytes.len()).map_err(|_| damaged("a row is too long"))?;
        new.extend_from_slice(&[slot, len]);
        new.extend_from_slice(bytes);
        Ok(())
    };
    let mut edits = edits.iter().peekable();
    for entry in entries(page) {
        let (slot, bytes) = entry?;
        while let Some((edited, value)) = edits.next_if(|(edited, _)| *edited < slot) {
            put(*edited, *value)?;
        }
        match edits.next_if(|(edited, _)| *edited == slot) {
            Some((_, value)) => put(slot, *value)?,
            None => put(slot, Some(bytes))?,
        }
    }
    for (slot, value) in edits {
        put(*slot, *value)?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn row(uid: u32) -> Vec<u8> {
        keys::message(AccountId(7), Family::Row, MailboxId(3), Uid(uid))
    }

    #[test]
    fn only_rows_are_in_pages() {
        let record = keys::message(AccountId(7), Family::Record, MailboxId(3), Uid(5));
        assert_eq!(place(&record), None);
        assert_eq!(place(keys::POSITION), None);
        let (page, slot) = place(&row(200)).unwrap();
        assert_eq!((page.to_vec(), slot), (row(3), 8));
    }

    #[test]
    fn bounds_hold_what_is_within() {
        assert_eq!(bound(&row(200), false), row(3));
        assert_eq!(bound(&row(200), true), row(4));
        assert_eq!(bound(&row(192), true), row(3));
        let mut after = row(192);
        after.push(0);
        assert_eq!(bound(&after, true), row(4));
        assert_eq!(bound(&after, false), row(3));
        assert_eq!(bound(&row(u32::MAX), true), row(1 << 26));
        for span in [
            keys::whole_mailbox(AccountId(7), Family::Row, MailboxId(3)),
            keys::whole_account(AccountId(7)),
        ] {
            assert_eq!((bound(&span.0, false), bound(&span.1, true)), span);
        }
    }

    #[test]
    fn a_short_page_is_damage() {
        assert!(find(&[1, 5, 0], 1).is_err());
        assert!(find(&[1], 2).is_err());
        assert!(edited(&[1, 5, 0], &[]).is_err());
    }

    proptest! {
        #[test]
        fn edits_are_those_of_a_map(
            steps in prop::collection::vec(
                prop::collection::btree_map(0u8..64, prop::option::of(prop::collection::vec(0u8.., 0..40)), 0..20),
                0..8,
            ),
        ) {
            let mut map = BTreeMap::new();
            let mut page = Vec::new();
            for step in &steps {
                for (slot, value) in step {
                    match value {
                        Some(value) => map.insert(*slot, value.clone()),
                        None => map.remove(slot),
                    };
                }
                let edits: Vec<_> = step.iter().map(|(slot, value)| (*slot, value.as_deref())).collect();
                page = edited(&page, &edits).unwrap();
            }
            for slot in 0..64 {
                prop_assert_eq!(find(&page, slot).unwrap(), map.get(&slot).map(Vec::as_slice));
            }
            let found: Vec<_> = rows(&row(2), &page).unwrap().map(Result::unwrap).collect();
            let wanted: Vec<_> = map.iter().map(|(slot, value)| {
                (row(128 + u32::from(*slot)).try_into().unwrap(), value.as_slice())
            }).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
