//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 3516, RFC 7162 §3.1.4 and §3.2.6).
//!
//! Flags, dates, sizes and uids come straight from the index's rows; the rest is prepared a slice
//! of messages at a time, so that the output stays small whatever was asked for.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use facteur_imap::command::{Fetch, FetchAttribute, Numbering};
use facteur_imap::response::{Code, Data, FetchItem, Piece};
use facteur_imap::set::Numbers;
use facteur_imap::structure::StringForm;
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{
    Error, FlagEdit, FlagNames, Index, ModSeq, Rights, Row, Store, SystemFlags, UidSet,
};

use super::catalog::Reads;
use super::content::{Content, Item, Logical, Problem, Streamed};
use super::door::Reading;
use super::error::Failure;
use super::limits;
use super::link::Link;
use super::select::absent;
use super::selected::{Hit, Selected, Walk, flag_list, numbers};
use super::{Handled, User};
use crate::drive::{self, Stream};

pub(super) async fn fetch<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Fetch,
) -> Handled {
    let selected = user.selected()?;
    let mut uids = selected.resolve(&request.set, request.numbering)?;
    if let Some(range) = request.partial {
        // RFC 9394 §3.4: the range is taken first, CHANGEDSINCE chooses among it.
        uids = selected.view.known(&uids);
        uids = uids.slice(range.places(uids.count()));
    }
    if let (true, Some(since)) = (request.vanished, request.changed_since) {
        vanished(link, selected, &request, ModSeq(since)).await?;
    }
    if request.sets_seen() && !selected.read_only && selected.handle.may(Rights::SEEN) {
        mark_seen(link, selected, &uids).await?;
    }
    let index = selected.reading.index(link.store())?;
    selected.tell_keywords(link, &index);
    let misses = selected.misses(&request.set, request.numbering, &uids, &index);
    if let Some(since) = request.changed_since {
        let changed: Numbers = index
            .changed_since(ModSeq(since))
            .map(|row| row.uid.0)
            .collect();
        uids = uids.intersection(&changed);
    }
    let work = give_items(link, selected, &index, request.items.into(), &uids).await?;
    let by_number = request.numbering == Numbering::Sequence;
    Ok(work.reply(misses || by_number && work.gone > 0).into())
}

/// Items of messages that nobody asked for by a FETCH (RFC 5465 §5.2). What can't be read is left
/// out.
pub(super) async fn give<S: Stream>(
    link: &mut Link<S>,
    selected: &mut Selected,
    items: &Arc<[FetchAttribute]>,
    uids: &Numbers,
) -> Result<(), Failure> {
    if uids.is_empty() {
        return Ok(());
    }
    let index = selected.reading.index(link.store())?;
    let items = Arc::clone(items);
    give_items(link, selected, &index, items, uids).await?;
    Ok(())
}

async fn give_items<S: Stream>(
    link: &mut Link<S>,
    selected: &mut Selected,
    index: &Index,
    items: Arc<[FetchAttribute]>,
    uids: &Numbers,
) -> Result<Work, Failure> {
    let mut work = Work {
        reading: selected.reading,
        rows_only: items.iter().all(is_in_row),
        attributes: items,
        form: match link.session.utf8() {
            true => StringForm::Utf8,
            false => StringForm::Ascii,
        },
        gone: 0,
        damaged: false,
        unknown_encoding: false,
    };
    let mut walk = Walk::new(uids);
    match work.rows_only {
        true => loop {
            let hits = walk.next(index, &selected.view, limits::ROWS_MAX);
            if hits.is_empty() {
                break;
            }
            still_readable(link, selected)?;
            for hit in hits {
                work.say(link, index, hit, &[], &[]).await?;
            }
        },
        false => {
            let many = uids.count() > limits::MESSAGES_FIRST as u64;
            let _reads = many.then(|| Reads::begin(link.ctx()));
            work.respond(link, index, selected, &mut walk).await?;
        }
    }
    Ok(work)
}

/// Asked before each slice: a right to read that is taken away ends what is under way, too.
fn still_readable<S: Stream>(link: &Link<S>, selected: &Selected) -> Result<(), Failure> {
    match selected.handle.is_readable_still(link.store())? {
        true => Ok(()),
        false => Err(Failure::MailboxGone),
    }
}

/// RFC 7162 §3.2.6: which of the asked uids are gone since then. Those that the client still
/// counts come later, with the news.
async fn vanished<S: Stream>(
    link: &mut Link<S>,
    selected: &Selected,
    request: &Fetch,
    since: ModSeq,
) -> Result<(), Failure> {
    let index = selected.reading.index(link.store())?;
    let last = selected.view.last_uid().unwrap_or(0);
    let all = Numbers::from_ranges([(1, index.mailbox().uid_next.0.saturating_sub(1))]);
    let asked = match request.numbering {
        Numbering::Uid => request.set.numbers(last, selected.view.saved()),
        Numbering::Sequence => Numbers::new(),
    };
    let asked = asked.intersection(&all);
    let gone = match selected.reading.vanished_since(link.store(), since)? {
        Some(gone) => asked.intersection(&numbers(&gone)),
        None => absent(&index, &asked),
    };
    let gone = gone.difference(&selected.view.uids());
    if !gone.is_empty() {
        let vanished = Untagged::Vanished {
            earlier: true,
            uids: &gone,
        };
        link.say(&vanished).await?;
    }
    Ok(())
}

/// One store call for all of them; the client hears of it with the news.
async fn mark_seen<S: Stream>(
    link: &mut Link<S>,
    selected: &Selected,
    uids: &Numbers,
) -> Result<(), Failure> {
    let index = selected.reading.index(link.store())?;
    let mut unseen = UidSet::default();
    let mut walk = Walk::new(uids);
    loop {
        let hits = walk.next(&index, &selected.view, limits::ROWS_MAX);
        if hits.is_empty() {
            break;
        }
        for hit in hits {
            if !hit.row.flags.system.contains(SystemFlags::SEEN) {
                unseen.push(hit.row.uid);
            }
        }
    }
    if unseen.is_empty() {
        return Ok(());
    }
    let seen = FlagNames {
        system: SystemFlags::SEEN,
        keywords: Vec::new(),
    };
    selected
        .handle
        .edit_flags(link.store(), unseen, FlagEdit::Add, seen, None)
        .await?;
    Ok(())
}

fn is_in_row(attribute: &FetchAttribute) -> bool {
    match attribute {
        FetchAttribute::Uid
        | FetchAttribute::Flags
        | FetchAttribute::InternalDate
        | FetchAttribute::Rfc822Size
        | FetchAttribute::ModSeq => true,
        FetchAttribute::SaveDate
        | FetchAttribute::EmailId
        | FetchAttribute::ThreadId
        | FetchAttribute::Envelope
        | FetchAttribute::Body
        | FetchAttribute::BodyStructure
        | FetchAttribute::Rfc822
        | FetchAttribute::Rfc822Header
        | FetchAttribute::Rfc822Text
        | FetchAttribute::Section { .. }
        | FetchAttribute::Binary { .. }
        | FetchAttribute::BinarySize { .. }
        | FetchAttribute::Preview => false,
    }
}

/// A FETCH under way.
struct Work {
    reading: Reading,
    attributes: Arc<[FetchAttribute]>,
    rows_only: bool,
    form: StringForm,
    /// Messages that went away while the command ran.
    gone: u64,
    damaged: bool,
    unknown_encoding: bool,
}

impl Work {
    /// The next messages are read while these are sent.
    async fn respond<S: Stream>(
        &mut self,
        link: &mut Link<S>,
        index: &Index,
        selected: &Selected,
        walk: &mut Walk,
    ) -> Result<(), Failure> {
        let mut under_way = VecDeque::new();
        let mut messages = limits::MESSAGES_FIRST;
        loop {
            while under_way.len() < limits::SLICES_AHEAD {
                let hits = walk.next(index, &selected.view, messages);
                if hits.is_empty() {
                    break;
                }
                under_way.push_back(self.read_ahead(link.store(), hits));
            }
            let Some(reading) = under_way.pop_front() else {
                return Ok(());
            };
            let mut slice: Slice = reading.await?;
            messages = slice.next_messages();
            let rest = std::mem::take(&mut slice.rest);
            if !rest.is_empty() {
                under_way.push_front(self.read_ahead(link.store(), rest));
            }
            still_readable(link, selected)?;
            self.give_slice(link, index, slice).await?;
        }
    }

    async fn give_slice<S: Stream>(
        &mut self,
        link: &mut Link<S>,
        index: &Index,
        slice: Slice,
    ) -> Result<(), Failure> {
        self.gone += slice.gone;
        let mut items = slice.items.chunks(self.attributes.len().max(1));
        for message in slice.messages {
            match message {
                Ok(hit) => {
                    let items = items.next().unwrap_or_default();
                    self.say(link, index, hit, items, &slice.bytes).await?;
                }
                Err(Problem::UnknownEncoding) => self.unknown_encoding = true,
                Err(Problem::Store(error @ Error::Damaged { .. })) => {
                    tracing::error!(session = %link.id(), %error, "a message can't be read");
                    self.damaged = true;
                }
                Err(Problem::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Begins to prepare these messages on another thread.
    fn read_ahead(
        &self,
        store: &Store,
        hits: Vec<Hit>,
    ) -> impl Future<Output = Result<Slice, Error>> + use<> {
        let (store, attributes) = (store.clone(), Arc::clone(&self.attributes));
        let (reading, form) = (self.reading, self.form);
        drive::blocking(move || prepare(&store, reading, &hits, &attributes, form))
    }

    async fn say<S: Stream>(
        &self,
        link: &mut Link<S>,
        index: &Index,
        hit: Hit,
        items: &[Item],
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let pieces: Vec<Vec<Piece<'_>>> =
            items.iter().map(|item| pieces(link, item, bytes)).collect();
        let names = &index.mailbox().keywords;
        let rows = std::iter::repeat(&Item::Row);
        let items: Vec<FetchItem<'_>> = self
            .attributes
            .iter()
            .zip(items.iter().chain(rows))
            .enumerate()
            .filter_map(|(place, (attribute, item))| {
                let told = Told {
                    bytes,
                    pieces: pieces.get(place).map(Vec::as_slice).unwrap_or_default(),
                    names,
                };
                fetch_item(attribute, &hit.row, item, told)
            })
            .collect();
        link.say(&Untagged::Fetch {
            sequence: hit.sequence,
            uid: hit.row.uid.0,
            items: &items,
        })
        .await?;
        Ok(())
    }

    /// `expunged`: messages that were asked for by their numbers are gone.
    fn reply(&self, expunged: bool) -> Reply {
        if self.unknown_encoding {
            return Reply::no(text::UNKNOWN_CTE).with(Code::UnknownCte);
        }
        if self.damaged {
            return Reply::no(text::MESSAGE_DAMAGED).with(Code::Corruption);
        }
        let reply = Reply::ok(text::FETCH_DONE);
        match expunged {
            true => reply.with(Code::ExpungeIssued),
            false => reply,
        }
    }
}

/// Some messages of a set, prepared.
struct Slice {
    /// In their order.
    messages: Vec<Result<Hit, Problem>>,
    /// Of every message that could be read, one for each attribute.
    items: Vec<Item>,
    /// What the items are ranges of.
    bytes: Vec<u8>,
    /// Messages that are no more.
    gone: u64,
    /// Not come to.
    rest: Vec<Hit>,
}

impl Slice {
    /// How many the next one should have: as many as there is room for if they are like these, but
    /// at most twice as many.
    fn next_messages(&self) -> usize {
        let done = self.messages.len().max(1);
        let each = self.bytes.len() / done;
        let fit = limits::PREPARED_BYTES_SOFT / each.max(1);
        fit.clamp(1, limits::MESSAGES_MAX.min(done * 2))
    }

    fn take(
        &mut self,
        hit: Hit,
        message: &Logical<'_, &[u8]>,
        attributes: &[FetchAttribute],
        form: StringForm,
    ) {
        let (items, bytes) = (self.items.len(), self.bytes.len());
        for attribute in attributes {
            match message.item(attribute, form, &mut self.bytes) {
                Ok(item) => self.items.push(item),
                Err(problem) => {
                    self.items.truncate(items);
                    self.bytes.truncate(bytes);
                    return self.messages.push(Err(problem));
                }
            }
        }
        self.messages.push(Ok(hit));
    }
}

fn prepare(
    store: &Store,
    reading: Reading,
    hits: &[Hit],
    attributes: &[FetchAttribute],
    form: StringForm,
) -> Result<Slice, Error> {
    let mut slice = Slice {
        messages: Vec::with_capacity(hits.len()),
        items: Vec::with_capacity(hits.len() * attributes.len()),
        bytes: Vec::new(),
        gone: 0,
        rest: Vec::new(),
    };
    let bodies = store.bodies()?;
    let started = store.clock().monotonic();
    let rows: Vec<Row> = hits.iter().map(|hit| hit.row).collect();
    let mut left = hits.iter();
    let mut more = true;
    reading.messages_of(&bodies, &rows, &mut |message| {
        let uid = message.row.uid;
        let Some(hit) = left.find(|hit| hit.row.uid == uid) else {
            return false;
        };
        let logical = Logical::new(&bodies, reading.threads_of(), message);
        slice.take(*hit, &logical, attributes, form);
        let worked = store.clock().monotonic().saturating_sub(started);
        more = slice.bytes.len() < limits::PREPARED_BYTES_SOFT && worked < limits::PREPARE_SLICE;
        more
    })?;
    if !more {
        slice.rest = left.copied().collect();
    }
    let known = slice.messages.len() + slice.rest.len();
    slice.gone = hits.len().saturating_sub(known) as u64;
    Ok(slice)
}

/// Of content that is there.
fn pieces<'a, S: Stream>(link: &mut Link<S>, item: &Item, bytes: &'a [u8]) -> Vec<Piece<'a>> {
    let held = |at: &Range<usize>| Piece::Bytes(bytes.get(at.clone()).unwrap_or_default());
    match item {
        Item::Content(Content::Held(at))
        | Item::Binary {
            content: Content::Held(at),
            ..
        } => vec![held(at)],
        Item::Content(Content::Streamed(streamed))
        | Item::Binary {
            content: Content::Streamed(streamed),
            ..
        } => {
            let Streamed {
                held: at,
                source,
                range,
            } = &**streamed;
            let stored = link.stored(*source, range.clone());
            vec![held(at), Piece::Stored(stored)]
        }
        _ => Vec::new(),
    }
}

/// What the items of a message refer to.
struct Told<'a> {
    bytes: &'a [u8],
    pieces: &'a [Piece<'a>],
    /// Of keywords.
    names: &'a [String],
}

fn fetch_item<'a>(
    attribute: &'a FetchAttribute,
    row: &Row,
    item: &'a Item,
    told: Told<'a>,
) -> Option<FetchItem<'a>> {
    let data = match item {
        Item::Content(Content::Nil)
        | Item::Binary {
            content: Content::Nil,
            ..
        } => Data::Nil,
        _ => Data::Pieces(told.pieces),
    };
    let printed = |range: &Range<usize>| told.bytes.get(range.clone()).unwrap_or_default();
    Some(match (attribute, item) {
        (FetchAttribute::Uid, _) => FetchItem::Uid(row.uid.0),
        (FetchAttribute::Flags, _) => FetchItem::Flags(flag_list(row.flags, told.names)),
        (FetchAttribute::InternalDate, _) => FetchItem::InternalDate(row.internal_date),
        (FetchAttribute::Rfc822Size, _) => FetchItem::Rfc822Size(row.size),
        (FetchAttribute::ModSeq, _) => FetchItem::ModSeq(row.modseq.0),
        (FetchAttribute::Envelope, Item::Structure(at)) => FetchItem::Envelope(printed(at)),
        (FetchAttribute::Body, Item::Structure(at)) => FetchItem::Body(printed(at)),
        (FetchAttribute::BodyStructure, Item::Structure(at)) => {
            FetchItem::BodyStructure(printed(at))
        }
        (FetchAttribute::Preview, Item::Structure(at)) => FetchItem::Preview(printed(at)),
        (FetchAttribute::SaveDate, Item::SaveDate(seconds)) => FetchItem::SaveDate(*seconds),
        (FetchAttribute::EmailId, Item::ObjectId(id)) => FetchItem::EmailId(id),
        (FetchAttribute::ThreadId, Item::Content(Content::Nil)) => FetchItem::NoThreadId,
        (FetchAttribute::ThreadId, Item::ObjectId(id)) => FetchItem::ThreadId(id),
        (FetchAttribute::Rfc822, _) => FetchItem::Rfc822(data),
        (FetchAttribute::Rfc822Header, _) => FetchItem::Rfc822Header(data),
        (FetchAttribute::Rfc822Text, _) => FetchItem::Rfc822Text(data),
        (
            FetchAttribute::Section {
                section, partial, ..
            },
            _,
        ) => FetchItem::Section {
            section,
            offset: partial.map(|partial| partial.offset),
            data,
        },
        (FetchAttribute::Binary { part, partial, .. }, Item::Binary { nul, .. }) => {
            FetchItem::Binary {
                part,
                offset: partial.map(|partial| partial.offset),
                data,
                nul: *nul,
            }
        }
        (FetchAttribute::BinarySize { part }, Item::Size(size)) => {
            FetchItem::BinarySize { part, size: *size }
        }
        _ => return None,
    })
}
