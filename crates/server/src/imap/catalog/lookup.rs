//! Asking the catalogue about one mailbox. Blocking, but short.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::panic::resume_unwind;
use std::thread;

use facteur_imap::command::SortField;
use facteur_imap::set::Numbers;
use facteur_store::{AccountId, Derived, DerivedView, Error, MailboxId};
use memchr::memmem::Finder;

use super::columns::{self, DOUBT_ENVELOPE, DOUBT_TEXT, Envelope, Texts, sort_column};
use super::directory::{self, Directory, Entry};
use super::grams;
use super::segment::{doubts_of, for_each_gram, sent_at, take_links, uid_at};
use super::terms::{Posting, for_each_term};
use super::words::{Seen, is_near};
use crate::imap::order::Links;

/// Spellings of one word that are tried.
const NEAR_TERMS_MAX: usize = 64;
/// Fewer segments than this are not worth a thread.
const SEGMENTS_ALONE: usize = 32;

/// What is known of a mailbox at one moment.
#[derive(Debug)]
pub struct Reader {
    view: DerivedView,
    account: AccountId,
    mailbox: MailboxId,
    directory: Directory,
}

/// Uids that a question has for an answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub yes: Numbers,
    /// To be read.
    pub maybe: Numbers,
}

impl Answer {
    fn and(&self, other: &Answer) -> Answer {
        Answer {
            yes: self.yes.union(&other.yes),
            maybe: self.maybe.union(&other.maybe),
        }
    }
}

impl Reader {
    /// `None`: nothing is known.
    pub fn open(
        file: &Derived,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<Reader>, Error> {
        let view = file.view()?;
        let directory = Directory::load(&view, account, mailbox)?;
        Ok(directory.map(|directory| Reader {
            view,
            account,
            mailbox,
            directory,
        }))
    }

    /// Uids up to this one are known.
    pub fn up_to(&self) -> u32 {
        self.directory.up_to
    }

    fn column(&self, entry: &Entry, column: u8) -> Result<Vec<u8>, Error> {
        let key = directory::column(self.account, self.mailbox, entry.segment, column);
        Ok(self.view.get(&key)?.unwrap_or_default())
    }

    /// Places with such a doubt.
    fn doubts(&self, entry: &Entry, kind: u8) -> Result<Vec<usize>, Error> {
        if !entry.doubts {
            return Ok(Vec::new());
        }
        let doubts = self.column(entry, columns::DOUBTS)?;
        let those = doubts_of(&doubts).filter(|(_, bits)| bits & kind != 0);
        Ok(those.map(|(place, _)| place).collect())
    }

    /// Messages whose envelope field contains an image.
    pub fn envelope(&self, field: Envelope, needle: &str) -> Result<Answer, Error> {
        let finder = Finder::new(needle);
        let entries = &self.directory.segments;
        let (one, other) = in_halves(entries, |entries| self.envelope_in(entries, field, &finder))?;
        Ok(one.and(&other))
    }

    fn envelope_in(
        &self,
        entries: &[Entry],
        field: Envelope,
        needle: &Finder<'_>,
    ) -> Result<Answer, Error> {
        let (mut yes, mut maybe) = (Vec::new(), Vec::new());
        for entry in entries {
            let messages = entry.messages as usize;
            let value = self.column(entry, field.column())?;
            let Some(texts) = Texts::new(&value, messages) else {
                continue;
            };
            let mut places = Vec::new();
            if needle.needle().is_empty() {
                // Only of a field that is there, which the text does not tell.
                maybe.extend(self.uids(entry, (0..messages).collect())?);
                continue;
            }
            texts.containing(needle, &mut |place| places.push(place));
            let doubts = self.doubts(entry, DOUBT_ENVELOPE)?;
            places.retain(|place| !doubts.contains(place));
            yes.extend(self.uids(entry, places)?);
            maybe.extend(self.uids(entry, doubts)?);
        }
        Ok(Answer {
            yes: yes.into_iter().collect(),
            maybe: maybe.into_iter().collect(),
        })
    }

    /// Messages that may contain an image somewhere; `None`: it is too short to tell.
    pub fn text(&self, needle: &str) -> Result<Option<Answer>, Error> {
        // The group that most often rules a segment out comes first.
        let mut grams: Vec<(u32, u32)> = grams::of_needle(needle)
            .into_iter()
            .map(|gram| (0, gram))
            .collect();
        if grams.is_empty() {
            return Ok(None);
        }
        let mut maybe = Vec::new();
        for entry in &self.directory.segments {
            let mut places: Option<Vec<u16>> = None;
            for (rules_out, gram) in &mut grams {
                let having = self.having(entry, *gram)?;
                let both = match places {
                    None => having,
                    Some(places) => both(&places, &having),
                };
                let none = both.is_empty();
                places = Some(both);
                if none {
                    *rules_out += 1;
                    break;
                }
            }
            grams.sort_unstable_by(|a, b| b.cmp(a));
            let places = places.unwrap_or_default().into_iter().map(usize::from);
            let places = places.chain(self.doubts(entry, DOUBT_TEXT)?).collect();
            maybe.extend(self.uids(entry, places)?);
        }
        Ok(Some(Answer {
            yes: Numbers::new(),
            maybe: maybe.into_iter().collect(),
        }))
    }

    /// Places of the messages that have a group, ascending.
    fn having(&self, entry: &Entry, gram: u32) -> Result<Vec<u16>, Error> {
        let first = directory::postings(self.account, self.mailbox, entry.segment, gram);
        let (_, end) = directory::all_postings(self.account, self.mailbox, entry.segment);
        let mut having = Vec::new();
        self.view.scan(&first, &end, |_, block| {
            for_each_gram(block, |found, places| {
                if found == gram {
                    having.extend(places);
                }
                match found < gram {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
            Ok(ControlFlow::Break(()))
        })?;
        Ok(having)
    }

    /// How many messages are known.
    pub fn messages(&self) -> u64 {
        self.directory.messages()
    }

    /// Messages that have a term: a number that [`Reader::by_uid`] knows, and where it stands.
    pub fn for_each_with(&self, term: &str, each: &mut dyn FnMut(u64, Seen)) -> Result<(), Error> {
        for (at, entry) in self.directory.segments.iter().enumerate() {
            let (first, end) =
                directory::terms_from(self.account, self.mailbox, entry.segment, term);
            self.view.scan(&first, &end, |_, block| {
                for_each_term(block, |found, postings| {
                    if found == term {
                        postings.for_each(|Posting { place, seen }| {
                            each((at as u64) << 16 | u64::from(place), seen);
                        });
                    }
                    match found < term {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                });
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(())
    }

    /// Terms that are near one of those of a word, some.
    pub fn terms_near(&self, word: &[Box<str>]) -> Result<Vec<Box<str>>, Error> {
        let mut near = BTreeSet::new();
        let initial: String = word.iter().flat_map(|term| term.chars()).take(1).collect();
        for entry in &self.directory.segments {
            let (first, end) =
                directory::terms_from(self.account, self.mailbox, entry.segment, &initial);
            self.view.scan(&first, &end, |_, block| {
                let mut beyond = false;
                for_each_term(block, |term, _| {
                    if word.iter().any(|written| is_near(term, written)) {
                        near.insert(Box::from(term));
                    }
                    beyond = *term > *initial && !term.starts_with(&*initial);
                    match beyond || near.len() >= NEAR_TERMS_MAX {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    }
                });
                Ok(match beyond || near.len() >= NEAR_TERMS_MAX {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })?;
        }
        Ok(near.into_iter().collect())
    }

    /// Values of messages that [`Reader::for_each_with`] named, by ascending uid.
    pub fn by_uid<T>(&self, values: BTreeMap<u64, T>) -> Result<Vec<(u32, T)>, Error> {
        let mut by_uid = Vec::with_capacity(values.len());
        let mut uids = (usize::MAX, Vec::new());
        for (number, value) in values {
            let at = usize::try_from(number >> 16).unwrap_or(usize::MAX);
            if let (true, Some(entry)) = (uids.0 != at, self.directory.segments.get(at)) {
                uids = (at, self.column(entry, columns::UIDS)?);
            }
            let place = usize::try_from(number & 0xffff).unwrap_or(usize::MAX);
            if let Some(uid) = uid_at(&uids.1, place) {
                by_uid.push((uid, value));
            }
        }
        Ok(by_uid)
    }

    fn uids(&self, entry: &Entry, places: Vec<usize>) -> Result<Vec<u32>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let uids = self.column(entry, columns::UIDS)?;
        let uids = places.into_iter().filter_map(|at| uid_at(&uids, at));
        Ok(uids.collect())
    }

    /// Messages that were sent on one of these days, as written in their Date fields.
    pub fn sent_on(&self, days: &Range<i64>) -> Result<Answer, Error> {
        const DAY_SECONDS: i64 = 24 * 60 * 60;
        let mut yes = Vec::new();
        self.for_each_sent(&mut |uid, sent| {
            if let Some((seconds, zone)) = sent
                && days.contains(&(seconds + i64::from(zone) * 60).div_euclid(DAY_SECONDS))
            {
                yes.push(uid);
            }
        })?;
        Ok(Answer {
            yes: yes.into_iter().collect(),
            maybe: Numbers::new(),
        })
    }

    /// Sent dates by ascending uid.
    pub fn for_each_sent(
        &self,
        each: &mut dyn FnMut(u32, Option<(i64, i16)>),
    ) -> Result<(), Error> {
        for entry in &self.directory.segments {
            let uids = self.column(entry, columns::UIDS)?;
            let sent = self.column(entry, columns::SENT)?;
            for at in 0..entry.messages as usize {
                if let (Some(uid), Some(sent)) = (uid_at(&uids, at), sent_at(&sent, at)) {
                    each(uid, sent);
                }
            }
        }
        Ok(())
    }

    /// Images of a sort criterion by ascending uid.
    pub fn for_each_text(
        &self,
        field: SortField,
        each: &mut dyn FnMut(u32, &str),
    ) -> Result<(), Error> {
        let Some(column) = sort_column(field) else {
            return Ok(());
        };
        for entry in &self.directory.segments {
            let uids = self.column(entry, columns::UIDS)?;
            let value = self.column(entry, column)?;
            let Some(texts) = Texts::new(&value, entry.messages as usize) else {
                continue;
            };
            for at in 0..entry.messages as usize {
                let text = texts
                    .get(at)
                    .and_then(|text| std::str::from_utf8(text).ok());
                if let (Some(uid), Some(text)) = (uid_at(&uids, at), text) {
                    each(uid, text);
                }
            }
        }
        Ok(())
    }

    /// What links messages, without their dates, by ascending uid.
    pub fn for_each_links(&self, each: &mut dyn FnMut(u32, Links)) -> Result<(), Error> {
        for entry in &self.directory.segments {
            let uids = self.column(entry, columns::UIDS)?;
            let links = self.column(entry, columns::LINKS)?;
            let mut links = links.as_slice();
            for at in 0..entry.messages as usize {
                let (Some(uid), Some(links)) = (uid_at(&uids, at), take_links(&mut links)) else {
                    break;
                };
                each(uid, links);
            }
        }
        Ok(())
    }
}

/// Works on both halves at once when there is much to read, the second one on a thread of its own.
fn in_halves<T: Default + Send>(
    entries: &[Entry],
    work: impl Fn(&[Entry]) -> Result<T, Error> + Sync,
) -> Result<(T, T), Error> {
    if entries.len() < SEGMENTS_ALONE {
        return Ok((work(entries)?, T::default()));
    }
    let (first, second) = entries.split_at(entries.len() / 2);
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("search".to_owned());
        let other = thread.spawn_scoped(scope, || work(second));
        let one = work(first);
        let other = match other {
            Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => work(second),
        };
        Ok((one?, other?))
    })
}

fn both(one: &[u16], other: &[u16]) -> Vec<u16> {
    let mut other = other.iter().peekable();
    let mut both = Vec::new();
    for place in one {
        while other.next_if(|next| *next < place).is_some() {}
        if other.peek() == Some(&place) {
            both.push(*place);
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_a_whole() {
        let entries: Vec<Entry> = (0..100)
            .map(|segment| Entry {
                segment,
                messages: 1,
                weight: 1,
                doubts: false,
            })
            .collect();
        for count in [0, 1, SEGMENTS_ALONE - 1, SEGMENTS_ALONE, 100] {
            let entries = &entries[..count];
            let numbers = |some: &[Entry]| Ok(some.iter().map(|entry| entry.segment).collect());
            let (one, other): (Vec<u32>, Vec<u32>) = in_halves(entries, numbers).unwrap();
            let whole: Vec<u32> = one.into_iter().chain(other).collect();
            assert_eq!(whole, (0..count as u32).collect::<Vec<_>>());
        }
        let fails = |_: &[Entry]| Err::<(), _>(Error::Closed);
        assert!(matches!(in_halves(&entries, fails), Err(Error::Closed)));
    }
}
