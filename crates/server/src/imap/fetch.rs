//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 3516, RFC 7162 §3.1.4 and §3.2.6).
//!
//! Flags, dates, sizes and uids come straight from the index's rows; the rest is prepared a slice
//! of messages at a time, so that the output stays small whatever was asked for.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use facteur_imap::command::{Fetch, FetchAttribute, Numbering};
use facteur_imap::response::{Code, Data, FetchItem, Fetched, Piece, Stored};
use facteur_imap::set::Numbers;
use facteur_imap::structure::{StringForm, StructurePrinter};
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{
    Error, FlagEdit, FlagNames, Index, ModSeq, Rights, Row, Store, SystemFlags, UidSet,
};

use super::catalog::Reads;
use super::content::{Content, Item, Logical, Problem};
use super::door::Reading;
use super::error::Failure;
use super::limits;
use super::link::{Link, Source};
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
    match work.attributes.iter().all(is_in_row) {
        true => work.give_rows(link, index, selected, &mut walk).await?,
        false => {
            let many = uids.count() > limits::MESSAGES_FIRST as u64;
            let _reads = many.then(|| Reads::begin(link.ctx()));
            work.give_messages(link, index, selected, &mut walk).await?;
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
    form: StringForm,
    /// Messages that went away while the command ran.
    gone: u64,
    damaged: bool,
    unknown_encoding: bool,
}

impl Work {
    /// What the index's rows tell.
    async fn give_rows<S: Stream>(
        &self,
        link: &mut Link<S>,
        index: &Index,
        selected: &Selected,
        walk: &mut Walk,
    ) -> Result<(), Failure> {
        let names = &index.mailbox().keywords;
        loop {
            let hits = walk.next(index, &selected.view, limits::ROWS_MAX);
            if hits.is_empty() {
                return Ok(());
            }
            still_readable(link, selected)?;
            let mut fetched = link.session.fetched(hits.len() * limits::ROW_BYTES_USUAL);
            for Hit { sequence, row, .. } in &hits {
                let mut message = fetched.message(*sequence, row.uid.0, self.attributes.len());
                for attribute in self.attributes.iter() {
                    if let Some(item) = row_item(attribute, row, names) {
                        message.item(&item);
                    }
                }
                message.end();
            }
            link.say_fetched(fetched, Vec::new()).await?;
        }
    }

    /// The next messages are read and printed while these are sent.
    async fn give_messages<S: Stream>(
        &mut self,
        link: &mut Link<S>,
        index: &Index,
        selected: &Selected,
        walk: &mut Walk,
    ) -> Result<(), Failure> {
        let mut under_way = VecDeque::new();
        let (mut messages, mut each) = (limits::MESSAGES_FIRST, 0);
        loop {
            while under_way.len() < limits::SLICES_AHEAD {
                let hits = walk.next(index, &selected.view, messages);
                if hits.is_empty() {
                    break;
                }
                under_way.push_back(self.read_ahead(link, index, hits, each));
            }
            let Some(reading) = under_way.pop_front() else {
                return Ok(());
            };
            let slice: Slice = reading.await?;
            (messages, each) = (slice.next_messages(), slice.bytes_each());
            if !slice.rest.is_empty() {
                under_way.push_front(self.read_ahead(link, index, slice.rest, each));
            }
            still_readable(link, selected)?;
            self.gone += slice.gone;
            for problem in slice.problems {
                self.take_problem(link, problem)?;
            }
            link.say_fetched(slice.fetched, slice.sources).await?;
        }
    }

    fn take_problem<S: Stream>(&mut self, link: &Link<S>, problem: Problem) -> Result<(), Failure> {
        match problem {
            Problem::UnknownEncoding => self.unknown_encoding = true,
            Problem::Store(error @ Error::Damaged { .. }) => {
                tracing::error!(session = %link.id(), %error, "a message can't be read");
                self.damaged = true;
            }
            Problem::Store(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Begins to prepare these messages on another thread; of about so many bytes each.
    fn read_ahead<S: Stream>(
        &self,
        link: &Link<S>,
        index: &Index,
        hits: Vec<Hit>,
        each: usize,
    ) -> impl Future<Output = Result<Slice, Error>> + use<S> {
        let (store, index) = (link.store().clone(), index.clone());
        let (reading, form) = (self.reading, self.form);
        let attributes = Arc::clone(&self.attributes);
        let bytes = (hits.len() * each * 5 / 4).min(limits::PREPARED_BYTES_SOFT * 2);
        let slice = Slice::new(link.session.fetched(bytes));
        drive::blocking(move || {
            let asked = Asked {
                attributes: &attributes,
                form,
                names: &index.mailbox().keywords,
            };
            prepare(&store, reading, &hits, &asked, slice)
        })
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
    fetched: Fetched,
    /// Of stored ranges; their handles are places in here.
    sources: Vec<Source>,
    /// Of messages that are not given.
    problems: Vec<Problem>,
    /// Messages come to.
    done: usize,
    /// Messages that are no more.
    gone: u64,
    /// Not come to.
    rest: Vec<Hit>,
}

impl Slice {
    fn new(fetched: Fetched) -> Self {
        Slice {
            fetched,
            sources: Vec::new(),
            problems: Vec::new(),
            done: 0,
            gone: 0,
            rest: Vec::new(),
        }
    }

    fn bytes_each(&self) -> usize {
        self.fetched.len() / self.done.max(1)
    }

    /// How many the next one should have: as many as there is room for if they are like these, but
    /// at most four times as many.
    fn next_messages(&self) -> usize {
        let fit = limits::PREPARED_BYTES_SOFT / self.bytes_each().max(1);
        fit.clamp(1, limits::MESSAGES_MAX.min(self.done.max(1) * 4))
    }

    fn take(
        &mut self,
        hit: &Hit,
        message: &Logical<'_, &[u8]>,
        asked: &Asked<'_>,
        desk: &mut Desk,
    ) {
        self.done += 1;
        let Desk {
            items,
            scratch,
            printer,
        } = desk;
        items.clear();
        scratch.clear();
        for attribute in asked.attributes {
            match message.item(attribute, printer, scratch) {
                Ok(item) => items.push(item),
                Err(problem) => return self.problems.push(problem),
            }
        }
        let Hit { sequence, row, .. } = hit;
        let mut response = self.fetched.message(*sequence, row.uid.0, items.len());
        for (attribute, item) in asked.attributes.iter().zip(items.iter()) {
            let pieces = pieces(item, scratch, &mut self.sources);
            let pieces = pieces.as_ref().map_or(&[][..], <[_; 2]>::as_slice);
            let told = Told {
                bytes: scratch,
                pieces,
            };
            let row_item = row_item(attribute, row, asked.names);
            if let Some(item) = row_item.or_else(|| fetch_item(attribute, item, told)) {
                response.item(&item);
            }
        }
        response.end();
    }
}

/// What one message after the other is prepared on.
struct Desk {
    items: Vec<Item>,
    /// What the items are ranges of.
    scratch: Vec<u8>,
    printer: StructurePrinter,
}

/// What is to be told of each message.
struct Asked<'a> {
    attributes: &'a [FetchAttribute],
    form: StringForm,
    /// Of keywords.
    names: &'a [String],
}

fn prepare(
    store: &Store,
    reading: Reading,
    hits: &[Hit],
    asked: &Asked<'_>,
    mut slice: Slice,
) -> Result<Slice, Error> {
    let bodies = store.bodies()?;
    let started = store.clock().monotonic();
    let rows: Vec<Row> = hits.iter().map(|hit| hit.row).collect();
    let mut left = hits.iter();
    let mut more = true;
    let mut desk = Desk {
        items: Vec::new(),
        scratch: Vec::new(),
        printer: StructurePrinter::new(asked.form),
    };
    reading.messages_of(&bodies, &rows, &mut |message| {
        let uid = message.row.uid;
        let Some(hit) = left.find(|hit| hit.row.uid == uid) else {
            return false;
        };
        let logical = Logical::new(&bodies, reading.threads_of(), message);
        slice.take(hit, &logical, asked, &mut desk);
        let is_full = slice.fetched.len() >= limits::PREPARED_BYTES_SOFT;
        let is_late = slice.done.is_multiple_of(limits::MESSAGES_BETWEEN_CLOCKS)
            && store.clock().monotonic().saturating_sub(started) >= limits::PREPARE_SLICE;
        more = !is_full && !is_late;
        more
    })?;
    if !more {
        slice.rest = left.copied().collect();
    }
    let known = slice.done + slice.rest.len();
    slice.gone = hits.len().saturating_sub(known) as u64;
    Ok(slice)
}

/// Of content that is there: what was read, and what is to be streamed behind it.
fn pieces<'a>(item: &Item, bytes: &'a [u8], sources: &mut Vec<Source>) -> Option<[Piece<'a>; 2]> {
    let (Item::Content(content) | Item::Binary { content, .. }) = item else {
        return None;
    };
    let held = |at: &Range<usize>| Piece::Bytes(bytes.get(at.clone()).unwrap_or_default());
    match content {
        Content::Nil => None,
        Content::Held(at) => Some([held(at), Piece::Bytes(&[])]),
        Content::Streamed(streamed) => {
            let stored = Stored {
                handle: sources.len() as u64,
                range: streamed.range.clone(),
            };
            sources.push(streamed.source);
            Some([held(&streamed.held), Piece::Stored(stored)])
        }
    }
}

/// What the items of a message refer to.
struct Told<'a> {
    bytes: &'a [u8],
    pieces: &'a [Piece<'a>],
}

/// `None`: the row doesn't have it.
fn row_item<'a>(
    attribute: &FetchAttribute,
    row: &Row,
    names: &'a [String],
) -> Option<FetchItem<'a>> {
    Some(match attribute {
        FetchAttribute::Uid => FetchItem::Uid(row.uid.0),
        FetchAttribute::Flags => FetchItem::Flags(flag_list(row.flags, names)),
        FetchAttribute::InternalDate => FetchItem::InternalDate(row.internal_date),
        FetchAttribute::Rfc822Size => FetchItem::Rfc822Size(row.size),
        FetchAttribute::ModSeq => FetchItem::ModSeq(row.modseq.0),
        _ => return None,
    })
}

fn fetch_item<'a>(
    attribute: &'a FetchAttribute,
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
