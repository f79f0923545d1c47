//! A segment in memory, to its rows and back.

use std::ops::ControlFlow;

use facteur_store::{AccountId, DerivedView, Error, MailboxId};

use super::columns::{self, ENVELOPES, Envelope, SORT_FIELDS, Texts, put, put_texts, take};
use super::directory::{self, Entry};
use super::terms::Terms;
use super::words::MessageTerms;
use crate::imap::order::Links;

/// Bytes of postings in one row, about.
const BLOCK_BYTES: usize = 2048;

/// All of one message but its groups.
#[derive(Debug, Default)]
pub struct Card {
    pub uid: u32,
    pub doubts: u8,
    pub sent: Option<(i64, i16)>,
    /// Without the date.
    pub links: Links,
    pub sort: [Box<str>; SORT_FIELDS.len()],
    pub envelope: [Box<str>; ENVELOPES],
}

#[derive(Debug, Default)]
pub struct Segment {
    /// By ascending uids; at most 65,536.
    pub cards: Vec<Card>,
    /// A group of three bytes and the place of a message that has it.
    pub grams: Vec<(u32, u16)>,
    pub terms: Terms,
}

/// Where a segment is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub segment: u32,
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

impl Segment {
    pub fn push(&mut self, card: Card, grams: Vec<u32>, terms: MessageTerms) {
        let place = u16::try_from(self.cards.len()).unwrap_or(u16::MAX);
        self.cards.push(card);
        self.grams
            .extend(grams.into_iter().map(|gram| (gram, place)));
        self.terms.push(place, terms);
    }

    /// Puts a later segment behind this one.
    pub fn append(&mut self, mut later: Segment) {
        let offset = self.cards.len();
        let place = |place: u16| u16::try_from(offset + usize::from(place)).unwrap_or(u16::MAX);
        self.cards.append(&mut later.cards);
        let grams = later.grams.into_iter();
        self.grams.extend(grams.map(|(gram, at)| (gram, place(at))));
        self.terms.append(later.terms, place);
    }

    /// What it takes to hold it: groups and terms.
    pub fn weight(&self) -> usize {
        self.grams.len() + self.terms.len()
    }

    /// Keeps these uids alone.
    pub fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        let mut places = 0..;
        let kept: Vec<Option<u16>> = self
            .cards
            .iter()
            .map(|card| keep(card.uid).then(|| places.next()).flatten())
            .collect();
        let place = |place: u16| kept.get(usize::from(place)).copied().flatten();
        self.cards.retain(|card| keep(card.uid));
        self.grams = std::mem::take(&mut self.grams)
            .into_iter()
            .filter_map(|(gram, at)| Some((gram, place(at)?)))
            .collect();
        self.terms.retain(place);
    }

    pub fn entry(&self, segment: u32) -> Entry {
        Entry {
            segment,
            messages: u32::try_from(self.cards.len()).unwrap_or(u32::MAX),
            weight: u32::try_from(self.weight()).unwrap_or(u32::MAX),
            doubts: self.cards.iter().any(|card| card.doubts != 0),
        }
    }

    pub fn rows(&mut self, place: Place) -> Rows {
        let mut rows = Rows::new();
        let mut column = |column: u8, value: Vec<u8>| {
            let Place {
                account,
                mailbox,
                segment,
            } = place;
            rows.push((directory::column(account, mailbox, segment, column), value));
        };
        let cards = &self.cards;
        let (mut uids, mut sent, mut links, mut doubts) = Default::default();
        for (at, card) in cards.iter().enumerate() {
            Vec::extend_from_slice(&mut uids, &card.uid.to_le_bytes());
            let (seconds, zone) = card.sent.unwrap_or((i64::MIN, 0));
            Vec::extend_from_slice(&mut sent, &seconds.to_le_bytes());
            sent.extend_from_slice(&zone.to_le_bytes());
            put_links(&card.links, &mut links);
            if card.doubts != 0 {
                put(at as u64, &mut doubts);
                put(u64::from(card.doubts), &mut doubts);
            }
        }
        column(columns::UIDS, uids);
        column(columns::SENT, sent);
        column(columns::LINKS, links);
        if !doubts.is_empty() {
            column(columns::DOUBTS, doubts);
        }
        for (at, field) in SORT_FIELDS.iter().enumerate() {
            let mut value = Vec::new();
            let texts = cards.iter();
            put_texts(
                texts.map(|card| card.sort.get(at).map_or("", |text| text)),
                &mut value,
            );
            if let Some(number) = columns::sort_column(*field) {
                column(number, value);
            }
        }
        for at in 0..ENVELOPES {
            let mut value = Vec::new();
            let texts = cards.iter();
            put_texts(
                texts.map(|card| card.envelope.get(at).map_or("", |text| text)),
                &mut value,
            );
            column(Envelope(at as u8).column(), value);
        }
        self.put_postings(place, &mut rows);
        self.terms.blocks(&mut |last, block| {
            let (account, mailbox) = (place.account, place.mailbox);
            let key = directory::terms(account, mailbox, place.segment, last.as_bytes());
            rows.push((key, block));
        });
        rows
    }

    fn put_postings(&mut self, place: Place, rows: &mut Rows) {
        self.grams.sort_unstable();
        let (mut block, mut last) = (Vec::new(), 0);
        let mut end_block = |block: &mut Vec<u8>, last: u32| {
            let Place {
                account,
                mailbox,
                segment,
            } = place;
            let key = directory::postings(account, mailbox, segment, last);
            rows.push((key, std::mem::take(block)));
        };
        for same in self.grams.chunk_by(|a, b| a.0 == b.0) {
            let Some((gram, _)) = same.first() else {
                continue;
            };
            // The first group of a block is whole, the others tell what they add.
            let before = if block.is_empty() { 0 } else { last };
            put(u64::from(gram - before), &mut block);
            put(same.len() as u64, &mut block);
            let mut at = 0;
            for (_, message) in same {
                put(u64::from(message - at), &mut block);
                at = *message;
            }
            last = *gram;
            if block.len() >= BLOCK_BYTES {
                end_block(&mut block, last);
            }
        }
        if !block.is_empty() {
            end_block(&mut block, last);
        }
    }

    /// Reads a segment back; `None`: it makes no sense.
    pub fn load(
        view: &DerivedView,
        place: Place,
        messages: usize,
    ) -> Result<Option<Segment>, Error> {
        let Place {
            account,
            mailbox,
            segment,
        } = place;
        let column = |column: u8| {
            let key = directory::column(account, mailbox, segment, column);
            Ok::<_, Error>(view.get(&key)?.unwrap_or_default())
        };
        let uids = column(columns::UIDS)?;
        let sent = column(columns::SENT)?;
        let links = column(columns::LINKS)?;
        let doubts = column(columns::DOUBTS)?;
        let mut texts = Vec::new();
        for field in SORT_FIELDS {
            texts.push(column(columns::sort_column(field).unwrap_or(u8::MAX))?);
        }
        for at in 0..ENVELOPES {
            texts.push(column(Envelope(at as u8).column())?);
        }
        let mut loaded = Segment::default();
        let (mut links, texts) = (links.as_slice(), texts);
        let mut doubts = doubts_of(&doubts).peekable();
        for at in 0..messages {
            let Some(card) = card(at, &uids, &sent, &mut links, &texts, messages) else {
                return Ok(None);
            };
            let doubts = doubts.next_if(|(place, _)| *place == at);
            loaded.cards.push(Card {
                doubts: doubts.map_or(0, |(_, doubts)| doubts),
                ..card
            });
        }
        let (first, end) = directory::all_postings(account, mailbox, segment);
        view.scan(&first, &end, |_, block| {
            for_each_gram(block, |gram, places| {
                loaded.grams.extend(places.map(|place| (gram, place)));
                ControlFlow::Continue(())
            });
            Ok(ControlFlow::Continue(()))
        })?;
        let (first, end) = directory::terms_from(account, mailbox, segment, "");
        view.scan(&first, &end, |_, block| {
            loaded.terms.load(block);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Some(loaded))
    }
}

fn card(
    at: usize,
    uids: &[u8],
    sent: &[u8],
    links: &mut &[u8],
    texts: &[Vec<u8>],
    messages: usize,
) -> Option<Card> {
    let mut card = Card {
        uid: uid_at(uids, at)?,
        sent: sent_at(sent, at)?,
        links: take_links(links)?,
        ..Card::default()
    };
    for (slot, texts) in card.sort.iter_mut().chain(&mut card.envelope).zip(texts) {
        let text = Texts::new(texts, messages)?.get(at)?;
        *slot = std::str::from_utf8(text).ok()?.into();
    }
    Some(card)
}

pub fn uid_at(uids: &[u8], at: usize) -> Option<u32> {
    let (uids, _) = uids.as_chunks::<4>();
    uids.get(at).map(|uid| u32::from_le_bytes(*uid))
}

/// The date with its zone, if there is one; the outer `None`: there is no such message.
pub fn sent_at(sent: &[u8], at: usize) -> Option<Option<(i64, i16)>> {
    let (sent, _) = sent.as_chunks::<10>();
    let (seconds, zone) = sent.get(at)?.split_at_checked(8)?;
    let seconds = i64::from_le_bytes(seconds.try_into().ok()?);
    let zone = i16::from_le_bytes(zone.try_into().ok()?);
    Some((seconds != i64::MIN).then_some((seconds, zone)))
}

fn put_links(links: &Links, out: &mut Vec<u8>) {
    out.extend_from_slice(&links.id.to_le_bytes());
    out.extend_from_slice(&links.subject.to_le_bytes());
    put(
        (links.references.len() as u64) << 1 | u64::from(links.is_reply),
        out,
    );
    for reference in &links.references {
        out.extend_from_slice(&reference.to_le_bytes());
    }
}

pub fn take_links(bytes: &mut &[u8]) -> Option<Links> {
    let hash = |bytes: &mut &[u8]| {
        let (hash, rest) = bytes.split_first_chunk::<8>()?;
        *bytes = rest;
        Some(u64::from_le_bytes(*hash))
    };
    let (id, subject) = (hash(bytes)?, hash(bytes)?);
    let head = take(bytes)?;
    let count = usize::try_from(head >> 1).ok()?;
    if count > bytes.len() / 8 {
        return None;
    }
    let mut references = Vec::with_capacity(count);
    for _ in 0..count {
        references.push(hash(bytes)?);
    }
    Some(Links {
        sent: 0,
        id,
        subject,
        is_reply: head & 1 == 1,
        references: references.into(),
    })
}

/// Places with their doubts.
pub fn doubts_of(mut doubts: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
    std::iter::from_fn(move || {
        let place = usize::try_from(take(&mut doubts)?).ok()?;
        let bits = u8::try_from(take(&mut doubts)?).ok()?;
        Some((place, bits))
    })
}

/// The groups of a block with the places that have them, ascending, until `each` breaks.
pub fn for_each_gram<'a>(
    mut block: &'a [u8],
    mut each: impl FnMut(u32, &mut dyn Iterator<Item = u16>) -> ControlFlow<()>,
) {
    let mut gram = 0_u32;
    while let Some(more) = take(&mut block).and_then(|more| u32::try_from(more).ok()) {
        gram = gram.saturating_add(more);
        let count = take(&mut block).unwrap_or(0);
        let mut at = 0_u16;
        let rest: &mut &'a [u8] = &mut block;
        let mut places = (0..count).map_while(|_| {
            let more = take(rest).and_then(|more| u16::try_from(more).ok())?;
            at = at.saturating_add(more);
            Some(at)
        });
        let flow = each(gram, &mut places);
        // What was not asked for is passed over.
        places.by_ref().for_each(drop);
        if flow.is_break() {
            return;
        }
    }
}
