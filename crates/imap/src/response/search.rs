//! Printing of what a search found: SEARCH, ESEARCH, SORT, THREAD and the changes of contexts.
//! RFC 9051 §7.3.4, RFC 3501 §7.2.5, RFC 4731, RFC 5256 §4, RFC 5267, RFC 6203, RFC 7162 §3.1.6, RFC 7377,
//! RFC 9394, RFC 10022.

use super::print::Dialect;
use super::token::{mailbox, number, number32, numbers, runs, string};
use crate::command::{Numbering, PartialRange, SearchReturn};
use crate::set::Numbers;
use crate::thread::Forest;

/// Numbers that match, in the order that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// In the order of the mailbox.
    Ascending(&'a Numbers),
    Sorted(&'a [u32]),
}

/// Matches; the session prints SEARCH, SORT or ESEARCH with what RETURN asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchData<'a> {
    /// Sequence numbers, or uids after UID SEARCH.
    pub matches: Found<'a>,
    /// The highest modseq of the matches, when a MODSEQ key was used and there are matches.
    pub modseq: Option<u64>,
    /// RFC 6203 §4, of each match in their order; empty: 100 each.
    pub relevancy: &'a [u8],
    /// RFC 7377 §2.1: of which mailbox (UTF-8), with its UIDVALIDITY; the matches are uids.
    pub mailbox: Option<(&'a str, u32)>,
}

/// How the result of a search with UPDATE changes, RFC 5267 §4.3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateData<'a> {
    /// Of the command that asked for it.
    pub tag: &'a [u8],
    pub numbering: Numbering,
    pub changes: &'a [UpdateChange],
}

/// Applied one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateChange {
    pub removed: bool,
    /// 0: wherever the mailbox's order puts them.
    pub position: u32,
    /// In the order asked for.
    pub numbers: Vec<u32>,
}

impl Found<'_> {
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub fn count(&self) -> u64 {
        match self {
            Found::Ascending(numbers) => numbers.count(),
            Found::Sorted(numbers) => numbers.len() as u64,
        }
    }

    pub fn first(&self) -> Option<u32> {
        match self {
            Found::Ascending(numbers) => numbers.first(),
            Found::Sorted(numbers) => numbers.first().copied(),
        }
    }

    pub fn last(&self) -> Option<u32> {
        match self {
            Found::Ascending(numbers) => numbers.last(),
            Found::Sorted(numbers) => numbers.last().copied(),
        }
    }

    fn print(&self, out: &mut Vec<u8>) {
        match self {
            Found::Ascending(found) => numbers(found, out),
            Found::Sorted(found) => runs(found.iter().copied(), out),
        }
    }

    fn print_partial(&self, range: PartialRange, out: &mut Vec<u8>) {
        out.extend_from_slice(b" PARTIAL (");
        range.print(out);
        out.push(b' ');
        let places = range.places(self.count());
        if places.is_empty() {
            out.extend_from_slice(b"NIL");
        } else {
            match self {
                Found::Ascending(found) => numbers(&found.slice(places), out),
                Found::Sorted(found) => {
                    let skip = usize::try_from(places.start).unwrap_or(usize::MAX);
                    let take = usize::try_from(places.end - places.start).unwrap_or(usize::MAX);
                    runs(found.iter().copied().skip(skip).take(take), out);
                }
            }
        }
        out.push(b')');
    }
}

impl PartialRange {
    /// As it was written.
    fn print(self, out: &mut Vec<u8>) {
        let sign: &[u8] = if self.from_end { b"-" } else { b"" };
        out.extend_from_slice(sign);
        number32(self.first, out);
        out.push(b':');
        out.extend_from_slice(sign);
        number32(self.last, out);
    }
}

pub(super) fn search(data: &SearchData<'_>, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    let wanted = match (dialect.search_return, data.matches) {
        (Some(return_), _) => return_,
        (None, Found::Ascending(_)) if dialect.rev2 || data.mailbox.is_some() => SearchReturn {
            all: true,
            ..SearchReturn::default()
        },
        (None, Found::Ascending(_)) => return plain("* SEARCH", data, out),
        (None, Found::Sorted(_)) => return plain("* SORT", data, out),
    };
    // RFC 5182 §2.1: SAVE alone asks for no response; nor do hints (RFC 5267 §4.2, §4.3).
    if !wanted.asks() {
        return;
    }
    out.extend_from_slice(b"* ESEARCH (TAG ");
    string(dialect.tag, out);
    if let Some((name, uid_validity)) = data.mailbox {
        out.extend_from_slice(b" MAILBOX ");
        mailbox(name, dialect.rev2, out);
        out.extend_from_slice(b" UIDVALIDITY ");
        number32(uid_validity, out);
    }
    out.push(b')');
    if dialect.numbering == Numbering::Uid || data.mailbox.is_some() {
        out.extend_from_slice(b" UID");
    }
    // RFC 4731 §3.1: MIN, MAX and ALL are left out when nothing matched.
    if let Some(first) = data.matches.first().filter(|_| wanted.min) {
        out.extend_from_slice(b" MIN ");
        number32(first, out);
    }
    if let Some(last) = data.matches.last().filter(|_| wanted.max) {
        out.extend_from_slice(b" MAX ");
        number32(last, out);
    }
    if wanted.all && !data.matches.is_empty() {
        out.extend_from_slice(b" ALL ");
        data.matches.print(out);
    }
    if wanted.count {
        out.extend_from_slice(b" COUNT ");
        number(data.matches.count(), out);
    }
    if let Some(range) = wanted.partial {
        data.matches.print_partial(range, out);
    }
    if wanted.relevancy {
        relevancy(data, wanted.partial, out);
    }
    if let Some(modseq) = data.modseq {
        out.extend_from_slice(b" MODSEQ ");
        number(modseq, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 6203 §7 `score-list`, of the matches that are shown.
fn relevancy(data: &SearchData<'_>, partial: Option<PartialRange>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" RELEVANCY (");
    let count = data.matches.count();
    let places = partial.map_or(0..count, |range| range.places(count));
    for (at, place) in places.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let score = data.relevancy.get(place).copied().unwrap_or(100);
        number32(u32::from(score), out);
    }
    out.push(b')');
}

/// RFC 3501 §7.2.5, RFC 5256 §4, RFC 7162 §3.1.6.
fn plain(name: &str, data: &SearchData<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    let mut print = |match_| {
        out.push(b' ');
        number32(match_, out);
    };
    match data.matches {
        Found::Ascending(numbers) => numbers.iter().for_each(&mut print),
        Found::Sorted(numbers) => numbers.iter().copied().for_each(&mut print),
    }
    if let Some(modseq) = data.modseq {
        out.extend_from_slice(b" (MODSEQ ");
        number(modseq, out);
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 5256 §4.
pub(super) fn thread(forest: &Forest, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* THREAD ");
    let empty = out.len();
    forest.print(out);
    if out.len() == empty {
        out.pop();
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 10022 §4.
pub(super) fn batches(ranges: &[(u32, u32)], dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* UIDBATCHES (TAG ");
    string(dialect.tag, out);
    out.push(b')');
    let mut before = b' ';
    for (highest, lowest) in ranges {
        out.push(before);
        before = b',';
        number32(*highest, out);
        out.push(b':');
        number32(*lowest, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 5267 §4.3.2.
pub(super) fn update(data: &UpdateData<'_>, out: &mut Vec<u8>) {
    if data.changes.is_empty() {
        return;
    }
    out.extend_from_slice(b"* ESEARCH (TAG ");
    string(data.tag, out);
    out.push(b')');
    if data.numbering == Numbering::Uid {
        out.extend_from_slice(b" UID");
    }
    for same in data.changes.chunk_by(|a, b| a.removed == b.removed) {
        let removed = same.first().is_some_and(|change| change.removed);
        out.extend_from_slice(if removed {
            b" REMOVEFROM ("
        } else {
            b" ADDTO ("
        });
        for (at, change) in same.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            number32(change.position, out);
            out.push(b' ');
            runs(change.numbers.iter().copied(), out);
        }
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n");
}
