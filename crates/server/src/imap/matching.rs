//! SEARCH keys (RFC 9051 §6.4.4, RFC 7162 §3.1.5, RFC 5032, RFC 6203, RFC 8474, RFC 8514) as tests of one message.
//!
//! What the index's row answers is asked first; facts, header and body are read only when nothing
//! cheaper has decided. Blocking.

use std::cell::{Cell, OnceCell};
use std::ops::Range;

use facteur_imap::command::SearchKey;
use facteur_imap::date::Date;
use facteur_imap::set::Numbers;
use facteur_imap::view::View;
use facteur_store::{Bodies, Error, Row, SystemFlags, Timestamp};

use super::catalog::{self, Envelope, Fields, Reader};
use super::content::Logical;
use super::door::Reading;
use super::error::Failure;
use super::fuzzy::Fuzzy;
use super::text_search;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// How dear a test is; the cheap ones go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    Row,
    Facts,
    Header,
    Body,
}

#[derive(Debug)]
pub(super) enum Test {
    Always(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Uids(Numbers),
    /// Every one of these is set.
    Flags(SystemFlags),
    /// None of these is set.
    NoFlags(SystemFlags),
    /// A bit of the row's keywords.
    Keyword(u32),
    /// Days since 1970.
    Internal(Range<i64>),
    Sent(Range<i64>),
    Saved(Range<i64>),
    /// Seconds since 1970, of the internal date.
    Moment(Range<i64>),
    Size(Range<u64>),
    ModSeq(u64),
    /// A field that the envelope has.
    Envelope(Field, String),
    Header(String, String),
    Body(String),
    Text(String),
    EmailId(String),
    ThreadId(String),
    Fuzzy(Fuzzy),
    /// The catalogue answered for the uids up to one.
    Known {
        up_to: u32,
        yes: Numbers,
        /// These are read, and those above `up_to`.
        maybe: Numbers,
        test: Box<Test>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    From,
    To,
    Cc,
    Bcc,
    Subject,
    MessageId,
}

impl Field {
    /// Where the catalogue keeps it.
    fn column(self) -> Envelope {
        let at = Field::ALL.iter().position(|field| *field == self);
        Envelope(at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX))
    }

    pub(super) const ALL: [Field; 6] = [
        Field::From,
        Field::To,
        Field::Cc,
        Field::Bcc,
        Field::Subject,
        Field::MessageId,
    ];
}

/// What a key refers to.
pub(super) struct Scope<'a> {
    pub(super) view: &'a View,
    pub(super) keywords: &'a [String],
    pub(super) now: Timestamp,
}

impl Test {
    /// All of the keys.
    pub(super) fn new(keys: Vec<SearchKey>, scope: &Scope<'_>) -> Result<Test, Failure> {
        let mut tests = keys
            .into_iter()
            .map(|key| test(key, scope))
            .collect::<Result<Vec<_>, _>>()?;
        tests.sort_by_key(Test::cost);
        Ok(Test::All(tests))
    }

    pub(super) fn cost(&self) -> Cost {
        match self {
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().map(Test::cost).max().unwrap_or(Cost::Row)
            }
            Test::Not(test) | Test::Known { test, .. } => test.cost(),
            Test::Always(_)
            | Test::Uids(_)
            | Test::Flags(_)
            | Test::NoFlags(_)
            | Test::Keyword(_)
            | Test::Internal(_)
            | Test::Moment(_)
            | Test::Size(_)
            | Test::ModSeq(_) => Cost::Row,
            Test::Sent(_)
            | Test::Saved(_)
            | Test::Envelope(..)
            | Test::EmailId(_)
            | Test::ThreadId(_) => Cost::Facts,
            Test::Header(..) => Cost::Header,
            Test::Body(_) | Test::Text(_) | Test::Fuzzy(_) => Cost::Body,
        }
    }

    /// Asks the catalogue what it knows. Blocking.
    pub(super) fn look_up(&mut self, catalog: &Reader) -> Result<(), Error> {
        let answer = match self {
            Test::All(tests) | Test::Any(tests) => {
                for test in tests {
                    test.look_up(catalog)?;
                }
                return Ok(());
            }
            Test::Not(test) => return test.look_up(catalog),
            Test::Fuzzy(fuzzy) => return fuzzy.look_up(catalog),
            Test::Sent(days) => Some(catalog.sent_on(days)?),
            Test::Envelope(field, needle) => Some(catalog.envelope(field.column(), needle)?),
            Test::Header(_, needle) | Test::Body(needle) | Test::Text(needle) => {
                catalog.text(needle)?
            }
            _ => None,
        };
        if let Some(answer) = answer {
            *self = Test::Known {
                up_to: catalog.up_to(),
                yes: answer.yes,
                maybe: answer.maybe,
                test: Box::new(std::mem::replace(self, Test::Always(false))),
            };
        }
        Ok(())
    }

    /// Uids outside of which nothing matches; `None`: anything may.
    pub(super) fn bounds(&self) -> Option<Numbers> {
        match self {
            Test::Uids(uids) => Some(uids.clone()),
            Test::Always(false) => Some(Numbers::new()),
            Test::Fuzzy(fuzzy) => fuzzy.bounds(),
            Test::Known {
                up_to, yes, maybe, ..
            } => {
                let rest = up_to.checked_add(1).map(|first| (first, u32::MAX));
                Some(yes.union(maybe).union(&Numbers::from_ranges(rest)))
            }
            Test::All(tests) => tests
                .iter()
                .filter_map(Test::bounds)
                .reduce(|one, other| one.intersection(&other)),
            Test::Any(tests) => tests
                .iter()
                .map(Test::bounds)
                .reduce(|one, other| Some(one?.union(&other?)))
                .flatten(),
            _ => None,
        }
    }

    /// A message that went meanwhile matches nothing that needs more than its row.
    pub(super) fn matches(&self, candidate: &Candidate<'_>) -> Result<bool, Error> {
        let row = &candidate.row;
        Ok(match self {
            Test::Always(answer) => *answer,
            Test::All(tests) => {
                for test in tests {
                    if !test.matches(candidate)? {
                        return Ok(false);
                    }
                }
                true
            }
            Test::Any(tests) => {
                for test in tests {
                    if test.matches(candidate)? {
                        return Ok(true);
                    }
                }
                false
            }
            Test::Not(test) => !test.matches(candidate)?,
            Test::Known {
                up_to,
                yes,
                maybe,
                test,
            } => {
                let uid = row.uid.0;
                yes.contains(uid)
                    || (uid > *up_to || maybe.contains(uid)) && test.matches(candidate)?
            }
            Test::Uids(uids) => uids.contains(row.uid.0),
            Test::Flags(flags) => row.flags.system.contains(*flags),
            Test::NoFlags(flags) => row.flags.system.0 & flags.0 == 0,
            Test::Keyword(bit) => row.flags.keywords.checked_shr(*bit).unwrap_or(0) & 1 == 1,
            Test::Internal(days) => days.contains(&row.internal_date.div_euclid(DAY_SECONDS)),
            Test::Moment(seconds) => seconds.contains(&row.internal_date),
            Test::Size(sizes) => sizes.contains(&row.size),
            Test::ModSeq(modseq) => row.modseq.0 >= *modseq,
            Test::Sent(days) => candidate.asks(|message| {
                let sent = message.facts()?.header.sent;
                // The date as it was written: neither time nor zone count.
                Ok(sent.is_some_and(|sent| {
                    let local = sent.unix + i64::from(sent.offset_minutes) * 60;
                    days.contains(&local.div_euclid(DAY_SECONDS))
                }))
            })?,
            Test::Saved(days) => candidate.asks(|message| {
                let saved = message.message().save_date;
                Ok(days.contains(&saved.div_euclid(DAY_SECONDS)))
            })?,
            Test::EmailId(id) => candidate.asks(|message| Ok(message.email_id() == *id))?,
            Test::ThreadId(id) => {
                candidate.asks(|message| Ok(message.thread_id().as_ref() == Some(id)))?
            }
            Test::Envelope(field, needle) => {
                candidate.asks(|message| text_search::envelope_contains(message, *field, needle))?
            }
            Test::Header(name, needle) => {
                candidate.asks(|message| text_search::header_contains(message, name, needle))?
            }
            Test::Body(needle) => {
                candidate.asks(|message| text_search::body_contains(message, needle))?
            }
            Test::Text(needle) => {
                candidate.asks(|message| text_search::text_contains(message, needle))?
            }
            Test::Fuzzy(fuzzy) => match fuzzy.known(row.uid.0) {
                Some(score) => candidate.scores(score),
                None => candidate.asks(|message| {
                    let terms = catalog::terms_of(message)?;
                    Ok(candidate.scores(fuzzy.score(&terms)))
                })?,
            },
        })
    }
}

/// One message under test.
pub(super) struct Candidate<'a> {
    bodies: &'a Bodies<'a>,
    mailbox: Reading,
    row: Row,
    message: OnceCell<Option<Logical<'a>>>,
    /// Of the FUZZY keys that matched.
    score: Cell<f32>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(bodies: &'a Bodies<'a>, mailbox: Reading, row: Row) -> Self {
        Candidate {
            bodies,
            mailbox,
            row,
            message: OnceCell::new(),
            score: Cell::new(0.0),
        }
    }

    pub(super) fn score(&self) -> f32 {
        self.score.get()
    }

    /// Notes the score of a key; false: it does not match.
    fn scores(&self, score: Option<f32>) -> bool {
        self.score.set(self.score.get() + score.unwrap_or_default());
        score.is_some()
    }

    fn asks(
        &self,
        question: impl FnOnce(&Logical<'a>) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if self.message.get().is_none() {
            let store = self.bodies.store();
            let message = self.mailbox.message(store, self.row.uid)?;
            let threads_of = self.mailbox.threads_of();
            let message = message.map(|message| Logical::new(self.bodies, threads_of, message));
            // Set once: this is the only place, and it was empty.
            let _ = self.message.set(message);
        }
        match self.message.get() {
            Some(Some(message)) => question(message),
            _ => Ok(false),
        }
    }
}

/// RFC 6203 §5: texts resemble, all else is exact.
fn fuzzy(key: SearchKey, scope: &Scope<'_>) -> Result<Test, Failure> {
    let again = |key: SearchKey| SearchKey::Fuzzy(Box::new(key));
    let resembling = match &key {
        SearchKey::Subject(text) => Fuzzy::new(Fields::SUBJECT, text),
        SearchKey::From(text) => Fuzzy::new(Fields::FROM, text),
        SearchKey::To(text) => Fuzzy::new(Fields::TO, text),
        SearchKey::Cc(text) => Fuzzy::new(Fields::CC, text),
        SearchKey::Bcc(text) => Fuzzy::new(Fields::BCC, text),
        SearchKey::Body(text) => Fuzzy::new(Fields(Fields::BODY.0 | Fields::FILE.0), text),
        SearchKey::Text(text) => Fuzzy::new(Fields::ANY, text),
        _ => None,
    };
    if let Some(resembling) = resembling {
        return Ok(Test::Fuzzy(resembling));
    }
    let key = match key {
        SearchKey::And(keys) => SearchKey::And(keys.into_iter().map(again).collect()),
        SearchKey::Or(left, right) => {
            SearchKey::Or(Box::new(again(*left)), Box::new(again(*right)))
        }
        SearchKey::Not(key) => SearchKey::Not(Box::new(again(*key))),
        key => key,
    };
    test(key, scope)
}

fn test(key: SearchKey, scope: &Scope<'_>) -> Result<Test, Failure> {
    let flags = |flags: facteur_imap::flag::SystemFlags| SystemFlags(flags.0);
    Ok(match key {
        SearchKey::All | SearchKey::Old => Test::Always(true),
        SearchKey::Recent | SearchKey::New => Test::Always(false),
        SearchKey::And(keys) => Test::new(keys, scope)?,
        SearchKey::Or(left, right) => {
            let mut tests = vec![test(*left, scope)?, test(*right, scope)?];
            tests.sort_by_key(Test::cost);
            Test::Any(tests)
        }
        SearchKey::Not(key) => Test::Not(Box::new(test(*key, scope)?)),
        SearchKey::Fuzzy(key) => fuzzy(*key, scope)?,
        SearchKey::Sequence(set) => Test::Uids(scope.view.resolve_sequence(&set)?),
        SearchKey::Uid(set) => Test::Uids(scope.view.resolve_uids(&set)),
        SearchKey::Flag(set) => Test::Flags(flags(set)),
        SearchKey::Unflag(set) => Test::NoFlags(flags(set)),
        SearchKey::Keyword(name) => keyword(&name, scope),
        SearchKey::Unkeyword(name) => Test::Not(Box::new(keyword(&name, scope))),
        SearchKey::Before(date) => Test::Internal(before(date)),
        SearchKey::On(date) => Test::Internal(on(date)),
        SearchKey::Since(date) => Test::Internal(since(date)),
        SearchKey::SentBefore(date) => Test::Sent(before(date)),
        SearchKey::SentOn(date) => Test::Sent(on(date)),
        SearchKey::SentSince(date) => Test::Sent(since(date)),
        SearchKey::SavedBefore(date) => Test::Saved(before(date)),
        SearchKey::SavedOn(date) => Test::Saved(on(date)),
        SearchKey::SavedSince(date) => Test::Saved(since(date)),
        SearchKey::Older(seconds) => Test::Moment(i64::MIN..ago(scope, seconds).saturating_add(1)),
        SearchKey::Younger(seconds) => Test::Moment(ago(scope, seconds)..i64::MAX),
        SearchKey::Larger(size) => Test::Size(size.saturating_add(1)..u64::MAX),
        SearchKey::Smaller(size) => Test::Size(0..size),
        SearchKey::Header(name, needle) => header(name, &needle),
        SearchKey::From(needle) => envelope(Field::From, &needle),
        SearchKey::To(needle) => envelope(Field::To, &needle),
        SearchKey::Cc(needle) => envelope(Field::Cc, &needle),
        SearchKey::Bcc(needle) => envelope(Field::Bcc, &needle),
        SearchKey::Subject(needle) => envelope(Field::Subject, &needle),
        SearchKey::Body(needle) => Test::Body(text_search::fold(&needle)),
        SearchKey::Text(needle) => Test::Text(text_search::fold(&needle)),
        SearchKey::ModSeq(modseq) => Test::ModSeq(modseq),
        SearchKey::EmailId(id) => Test::EmailId(id),
        SearchKey::ThreadId(id) => Test::ThreadId(id),
        // Put in its place before (`filters.rs`).
        SearchKey::Filter(_) => Test::Always(false),
    })
}

fn keyword(name: &str, scope: &Scope<'_>) -> Test {
    let place = scope
        .keywords
        .iter()
        .position(|keyword| keyword.eq_ignore_ascii_case(name));
    match place.and_then(|place| u32::try_from(place).ok()) {
        Some(bit) => Test::Keyword(bit),
        None => Test::Always(false),
    }
}

fn envelope(field: Field, needle: &str) -> Test {
    Test::Envelope(field, text_search::fold(needle))
}

fn header(name: String, needle: &str) -> Test {
    let needle = text_search::fold(needle);
    // Clients look messages up by their id all the time; the facts know it.
    if name.eq_ignore_ascii_case("message-id") && !needle.is_empty() {
        return Test::Envelope(Field::MessageId, needle);
    }
    Test::Header(name, needle)
}

fn before(date: Date) -> Range<i64> {
    i64::MIN..date.days()
}

fn on(date: Date) -> Range<i64> {
    date.days()..date.days() + 1
}

fn since(date: Date) -> Range<i64> {
    date.days()..i64::MAX
}

fn ago(scope: &Scope<'_>, seconds: u32) -> i64 {
    scope.now.seconds().saturating_sub(i64::from(seconds))
}
