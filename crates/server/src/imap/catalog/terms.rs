//! Which messages of a segment have a term, in memory and in rows.
//!
//! A row has some terms that follow each other, each as what it adds to the one before and the
//! messages that have it. It is named by its last term.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::columns::{put, take};
use super::words::{Fields, MessageTerms, Seen};

/// Bytes of one row, about.
const BLOCK_BYTES: usize = 4096;

/// One message that has a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    pub place: u16,
    pub seen: Seen,
}

/// Once in the body: most of them.
const PLAIN: Seen = Seen {
    fields: Fields::BODY,
    count: 1,
};

#[derive(Debug, Default)]
pub struct Terms {
    terms: BTreeMap<Box<str>, Vec<Posting>>,
    postings: usize,
}

impl Terms {
    /// How many postings there are.
    pub fn len(&self) -> usize {
        self.postings
    }

    pub fn push(&mut self, place: u16, terms: MessageTerms) {
        for (term, seen) in terms {
            self.add(term, [Posting { place, seen }]);
        }
    }

    fn add(&mut self, term: Box<str>, postings: impl IntoIterator<Item = Posting>) {
        let own = self.terms.entry(term).or_default();
        let before = own.len();
        own.extend(postings);
        self.postings += own.len() - before;
    }

    /// Puts those of later messages behind; `place`: where each of them is now.
    pub fn append(&mut self, later: Terms, place: impl Fn(u16) -> u16) {
        for (term, postings) in later.terms {
            let moved = postings.into_iter().map(|posting| Posting {
                place: place(posting.place),
                ..posting
            });
            self.add(term, moved);
        }
    }

    /// `place`: where a message is now, if it stays.
    pub fn retain(&mut self, place: impl Fn(u16) -> Option<u16>) {
        for (term, postings) in std::mem::take(self).terms {
            let kept: Vec<Posting> = postings
                .into_iter()
                .filter_map(|posting| {
                    let place = place(posting.place)?;
                    Some(Posting { place, ..posting })
                })
                .collect();
            if !kept.is_empty() {
                self.add(term, kept);
            }
        }
    }

    /// Rows, each with its last term.
    pub fn blocks(&self, each: &mut dyn FnMut(&str, Vec<u8>)) {
        let mut block = Vec::new();
        let mut last = "";
        for (term, postings) in &self.terms {
            let before = if block.is_empty() { "" } else { last };
            put_term(before, term, postings, &mut block);
            last = term;
            if block.len() >= BLOCK_BYTES {
                each(last, std::mem::take(&mut block));
            }
        }
        if !block.is_empty() {
            each(last, block);
        }
    }

    /// Takes a row.
    pub fn load(&mut self, block: &[u8]) {
        for_each_term(block, |term, postings| {
            self.add(term.into(), postings);
            ControlFlow::Continue(())
        });
    }
}

fn put_term(before: &str, term: &str, postings: &[Posting], block: &mut Vec<u8>) {
    let same = before
        .bytes()
        .zip(term.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let rest = term.as_bytes().get(same..).unwrap_or_default();
    put(same as u64, block);
    put(rest.len() as u64, block);
    block.extend_from_slice(rest);
    put(postings.len() as u64, block);
    let mut at = 0;
    for Posting { place, seen } in postings {
        let more = u64::from(place.saturating_sub(at)) << 1;
        at = *place;
        match *seen == PLAIN {
            true => put(more, block),
            false => {
                put(more | 1, block);
                block.extend([seen.fields.0, seen.count]);
            }
        }
    }
}

/// The terms of a row with the messages that have them, ascending, until `each` breaks.
pub fn for_each_term<'a>(
    mut block: &'a [u8],
    mut each: impl FnMut(&str, &mut dyn Iterator<Item = Posting>) -> ControlFlow<()>,
) {
    let mut term: Vec<u8> = Vec::new();
    let rest: &mut &'a [u8] = &mut block;
    while let Some(count) = take_term(rest, &mut term) {
        let mut at = 0_u16;
        let mut postings = (0..count).map_while(|_| {
            let head = take(rest)?;
            at = at.saturating_add(u16::try_from(head >> 1).ok()?);
            let seen = match head & 1 {
                0 => PLAIN,
                _ => {
                    let ([fields, count], left) = rest.split_first_chunk::<2>()?;
                    *rest = left;
                    Seen {
                        fields: Fields(*fields),
                        count: *count,
                    }
                }
            };
            Some(Posting { place: at, seen })
        });
        let flow = match std::str::from_utf8(&term) {
            Ok(term) => each(term, &mut postings),
            Err(_) => ControlFlow::Continue(()),
        };
        // What was not asked for is passed over.
        postings.by_ref().for_each(drop);
        if flow.is_break() {
            return;
        }
    }
}

/// The next term, in place of the one before, and how many postings follow.
fn take_term(block: &mut &[u8], term: &mut Vec<u8>) -> Option<u64> {
    let number = |block: &mut &[u8]| usize::try_from(take(block)?).ok();
    let same = number(block)?;
    let more = number(block)?;
    let (rest, left) = block.split_at_checked(more)?;
    *block = left;
    term.truncate(same);
    term.extend_from_slice(rest);
    take(block)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(terms: &Terms) -> Vec<(Box<str>, Vec<Posting>)> {
        let terms = terms.terms.iter();
        terms
            .map(|(term, postings)| (term.clone(), postings.clone()))
            .collect()
    }

    proptest! {
        #[test]
        fn rows_give_back_what_was_put(
            messages in prop::collection::vec(prop::collection::btree_map("[a-cé]{1,3}", (any::<u8>(), 1_u8..4), 0..20), 0..40),
            gone in 0_usize..40,
        ) {
            let mut terms = Terms::default();
            let mut later = Terms::default();
            let half = messages.len() / 2;
            for (at, message) in messages.iter().enumerate() {
                let of_message = message.iter().map(|(term, (fields, count))| {
                    (Box::from(term.as_str()), Seen { fields: Fields(*fields), count: *count })
                });
                match at < half {
                    true => terms.push(at as u16, of_message.collect()),
                    false => later.push((at - half) as u16, of_message.collect()),
                }
            }
            terms.append(later, |place| place + half as u16);
            let count: usize = messages.iter().map(std::collections::BTreeMap::len).sum();
            prop_assert_eq!(terms.len(), count);
            let mut loaded = Terms::default();
            let mut before = String::new();
            terms.blocks(&mut |last, block| {
                assert!(before.as_str() < last);
                before = last.to_owned();
                loaded.load(&block);
            });
            prop_assert_eq!(all(&loaded), all(&terms));
            prop_assert_eq!(loaded.len(), count);
            loaded.retain(|place| match usize::from(place) {
                place if place == gone => None,
                place => Some((place - usize::from(place > gone)) as u16),
            });
            let left = count - messages.get(gone).map_or(0, std::collections::BTreeMap::len);
            prop_assert_eq!(loaded.len(), left);
        }

        #[test]
        fn any_bytes_are_read(block in prop::collection::vec(any::<u8>(), 0..200)) {
            Terms::default().load(&block);
        }
    }
}
