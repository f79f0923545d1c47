//! Keeps the catalogue up with the store: follows the accounts that change, takes in what is new
//! in steps, merges small segments, lets go of mailboxes that are gone.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use facteur_store::{AccountId, Bodies, Derived, Error, Mailbox, MailboxId, Message, Uid, UidSet};

use super::cleaner::{self, Plan};
use super::columns::{DOUBT_ENVELOPE, DOUBT_TEXT, SORT_FIELDS};
use super::directory::{self, Directory, Span};
use super::grams::Grams;
use super::segment::{Card, Place, Segment};
use super::sink::{self, Taker};
use super::words::{MessageTerms, Words};
use super::{Catalog, lock};
use crate::background::Background;
use crate::context::Context;
use crate::drive;
use crate::imap::content::Logical;
use crate::imap::matching::Field;
use crate::imap::order::{self, Links};
use crate::imap::text_search;

/// Messages of one step, and of a segment that is merged no more.
const STEP_MESSAGES: usize = 1024;
/// Bytes of bodies that one step reads, about.
const STEP_BODY_BYTES: u64 = 64 << 20;
/// Bytes of facts and prefixes that one step holds, about.
const STEP_HELD_BYTES: usize = 8 << 20;
/// Groups and terms of one segment: the memory that it takes to make one.
const STEP_WEIGHT: usize = 8 << 20;
/// Documents of one step that are opened, about.
const STEP_DOCUMENTS: usize = 64;
/// So many of the smallest segments are merged.
const SMALL_SEGMENTS: usize = 32;
/// Or so many, when more can't be held.
const HEAVY_SEGMENTS: usize = 8;
/// A segment with as many messages is no longer one of the smallest.
const SMALL_MESSAGES: u32 = 32;
/// Before a look at what is new, and as many times as long as the last round took while mail arrives.
const REST_MIN: Duration = Duration::from_millis(250);
const REST_TIMES: u32 = 4;
/// Steps between two flushes.
const STEPS_UNFLUSHED: usize = 64;

/// Runs until the server stops.
pub async fn run(ctx: Arc<Context>) {
    let background = Background::start("catalogue");
    let mut follower = ctx.store.follow();
    // What changed while nobody looked.
    let accounts = forget_erased(&ctx).await;
    let mut plan = Plan::new(&accounts, ctx.clock.monotonic());
    let mut due: BTreeSet<AccountId> = accounts.into_iter().collect();
    let mut steps = 0;
    loop {
        let began = ctx.clock.monotonic();
        // One step each, so that nobody waits for a large account.
        for account in std::mem::take(&mut due) {
            if ctx.shutdown.started() {
                return flush(&ctx).await;
            }
            plan.changed(account, began);
            match take_step(&ctx, &background, account, step).await {
                Ok(Done::More) => {
                    due.insert(account);
                }
                Ok(Done::All) => {}
                Err(Error::Closed) => return,
                Err(error) => tracing::warn!(%error, "the search catalogue falls behind"),
            }
            steps += 1;
        }
        for account in plan.take_due(began) {
            if ctx.shutdown.started() {
                return flush(&ctx).await;
            }
            match take_step(&ctx, &background, account, cleaner::clean).await {
                Ok(Done::More) => plan.again(account, began),
                Ok(Done::All) => {}
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the search catalogue keeps what is gone");
                    plan.changed(account, began);
                }
            }
            steps += 1;
        }
        if steps >= STEPS_UNFLUSHED {
            flush(&ctx).await;
            steps = 0;
        }
        // Who brought news meanwhile or reads much goes first; else what is left is taken in
        // without a rest.
        let others_work = tokio::select! {
            biased;
            changed = follower.next() => {
                ctx.junk.note_changes(&changed);
                due.extend(changed);
                true
            }
            () = std::future::ready(()) => false,
        };
        if others_work || due.is_empty() || ctx.catalog.has_readers() {
            rest(&ctx, ctx.clock.monotonic().saturating_sub(began)).await;
        }
        tokio::select! {
            biased;
            () = ctx.shutdown.wait() => return flush(&ctx).await,
            changed = follower.next() => {
                ctx.junk.note_changes(&changed);
                due.extend(changed);
            }
            () = ctx.catalog.rebuild_asked.notified() => {
                let asked = std::mem::take(&mut *lock(&ctx.catalog.rebuild));
                due.extend(asked);
            }
            () = std::future::ready(()), if !due.is_empty() => {}
            () = until(&ctx, plan.next()) => {}
        }
    }
}

async fn until(ctx: &Context, moment: Option<Duration>) {
    match moment {
        Some(moment) => {
            let now = ctx.clock.monotonic();
            tokio::time::sleep(moment.saturating_sub(now)).await;
        }
        None => std::future::pending().await,
    }
}

/// Mail that arrives and who reads much go first: what is not taken in yet is found all the same, only slower. Much
/// that gathers meanwhile costs little more than one message.
async fn rest(ctx: &Context, worked: Duration) {
    tokio::select! {
        () = ctx.shutdown.wait() => {}
        () = tokio::time::sleep(rest_after(worked)) => {}
    }
}

pub fn rest_after(worked: Duration) -> Duration {
    REST_MIN.max(worked.saturating_mul(REST_TIMES))
}

type Work = fn(&Catalog, AccountId) -> Result<Done, Error>;

async fn take_step(
    ctx: &Arc<Context>,
    background: &Background,
    account: AccountId,
    work: Work,
) -> Result<Done, Error> {
    let ctx = Arc::clone(ctx);
    background.run(move || work(&ctx.catalog, account)).await
}

/// The accounts that there are.
async fn forget_erased(ctx: &Arc<Context>) -> Vec<AccountId> {
    let ctx = Arc::clone(ctx);
    let live = drive::blocking(move || cleaner::forget_erased(&ctx.catalog)).await;
    live.unwrap_or_else(|error| {
        tracing::warn!(%error, "the search catalogue falls behind");
        Vec::new()
    })
}

async fn flush(ctx: &Arc<Context>) {
    let ctx = Arc::clone(ctx);
    let flushed = drive::blocking(move || ctx.catalog.open()?.flush()).await;
    if let Err(error) = flushed {
        tracing::warn!(%error, "the search catalogue was not flushed");
    }
}

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    All,
    More,
}

/// Everything of an account; blocking.
pub fn catch_up(catalog: &Catalog, account: AccountId) -> Result<(), Error> {
    while step(catalog, account)? == Done::More {}
    Ok(())
}

/// One bounded piece of work for an account; blocking.
fn step(catalog: &Catalog, account: AccountId) -> Result<Done, Error> {
    let file = catalog.open()?;
    let _work = lock(&catalog.work);
    let mailboxes = mailboxes_of(catalog, account)?;
    forget_gone(&file, account, &mailboxes)?;
    for mailbox in &mailboxes {
        match step_mailbox(catalog, &file, account, mailbox) {
            Ok(Done::All) => {}
            Ok(Done::More) => return Ok(Done::More),
            Err(Error::NoSuchMailbox) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Done::All)
}

/// None of an account that is erased: nothing of it is to be left.
pub(super) fn mailboxes_of(catalog: &Catalog, account: AccountId) -> Result<Vec<Mailbox>, Error> {
    match catalog.store.mailboxes(account) {
        Err(Error::NoSuchAccount) => Ok(Vec::new()),
        mailboxes => mailboxes,
    }
}

/// Removes mailboxes that are no more.
fn forget_gone(file: &Derived, account: AccountId, live: &[Mailbox]) -> Result<(), Error> {
    let view = file.view()?;
    let mut rest = Some(directory::account(account));
    let mut gone = Vec::new();
    while let Some((first, end)) = rest.take() {
        view.scan(&first, &end, |key, _| {
            if let Some(mailbox) = directory::mailbox_of(key) {
                if !live.iter().any(|live| live.id == mailbox) {
                    gone.push(directory::mailbox(account, mailbox));
                }
                rest = directory::after(account, mailbox);
            }
            Ok(ControlFlow::Break(()))
        })?;
    }
    drop(view);
    match gone.is_empty() {
        true => Ok(()),
        false => file.apply(&gone, &[]),
    }
}

fn step_mailbox(
    catalog: &Catalog,
    file: &Derived,
    account: AccountId,
    mailbox: &Mailbox,
) -> Result<Done, Error> {
    let id = mailbox.id;
    let last = mailbox.uid_next.0.saturating_sub(1);
    let known = Directory::load(&file.view()?, account, id)?;
    let mut known = known.unwrap_or_default();
    let mut remove = Vec::new();
    // The store is an older one than the catalogue knew.
    if known.up_to > last {
        remove.push(directory::mailbox(account, id));
        known = Directory::default();
    }
    if known.up_to == last {
        return Ok(Done::All);
    }
    let (mut segment, up_to) = next_segment(catalog, account, id, known.up_to + 1, last)?;
    known.up_to = up_to;
    let mut put = Vec::new();
    if !segment.cards.is_empty() {
        merge(file, account, id, &mut known, &mut segment, &mut remove)?;
        let number = known.next_segment;
        known.next_segment = number.wrapping_add(1);
        known.segments.push(segment.entry(number));
        put = segment.rows(Place {
            account,
            mailbox: id,
            segment: number,
        });
    }
    put.push((directory::directory(account, id), known.encode()));
    file.apply(&remove, &put)?;
    Ok(match up_to == last {
        true => Done::All,
        false => Done::More,
    })
}

/// The messages from `first` on, as many as one step takes, and the uid up to which they are all.
fn next_segment(
    catalog: &Catalog,
    account: AccountId,
    mailbox: MailboxId,
    first: u32,
    last: u32,
) -> Result<(Segment, u32), Error> {
    let store = &catalog.store;
    let (mut messages, mut held, mut bytes) = (Vec::new(), 0, 0);
    let mut whole = true;
    let uids = UidSet::from_ranges([(first, last)]);
    store.messages(account, mailbox, &uids, &mut |message| {
        held += message.facts.len() + message.prefix.len();
        bytes += message.body_size;
        messages.push(message);
        whole = messages.len() < STEP_MESSAGES && held < STEP_HELD_BYTES && bytes < STEP_BODY_BYTES;
        whole
    })?;
    let (mut segment, mut documents) = (Segment::default(), 0);
    let (mut grams, mut words) = (Grams::default(), Words::default());
    let bodies = store.bodies()?;
    let mut up_to = first;
    for message in messages {
        if segment.weight() >= STEP_WEIGHT || documents >= STEP_DOCUMENTS {
            return Ok((segment, up_to));
        }
        up_to = message.row.uid.0;
        documents += take_in(
            &bodies,
            account,
            message,
            &mut segment,
            (&mut grams, &mut words),
        )?;
    }
    Ok((segment, if whole { last } else { up_to }))
}

/// How many documents were opened. A message that can't be read is in doubt.
fn take_in(
    bodies: &Bodies<'_>,
    account: AccountId,
    message: Message,
    segment: &mut Segment,
    (grams, words): (&mut Grams, &mut Words),
) -> Result<usize, Error> {
    let (row, Uid(uid)) = (message.row, message.row.uid);
    let mut card = Card {
        uid,
        ..Card::default()
    };
    let logical = Logical::new(bodies, Some(account), message);
    let facts = match logical.facts() {
        Ok(facts) => facts,
        Err(Error::Damaged { .. }) => {
            card.doubts = DOUBT_ENVELOPE | DOUBT_TEXT;
            segment.push(card, Vec::new(), MessageTerms::new());
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    card.sent = facts
        .header
        .sent
        .map(|sent| (sent.unix, sent.offset_minutes));
    card.links = Links::new(&row, facts);
    for (slot, field) in card.sort.iter_mut().zip(SORT_FIELDS) {
        *slot = order::image(field, facts).replace('\0', " ").into();
    }
    for (slot, field) in card.envelope.iter_mut().zip(Field::ALL) {
        match text_search::envelope_image(facts, field) {
            Some(image) => *slot = image.into(),
            None => card.doubts |= DOUBT_ENVELOPE,
        }
    }
    let read = surviving(|| {
        text_search::texts(&logical, &mut Taker::new(Some(grams), words))?;
        sink::take_names(&logical, words)?;
        let documents = sink::take_documents(&logical, words)?;
        Ok((words.finish(), documents))
    });
    let read = read.unwrap_or_else(|| {
        tracing::error!(
            uid,
            "a message could not be taken into the search catalogue"
        );
        (*grams, *words) = Default::default();
        card.doubts |= DOUBT_TEXT;
        Ok(Default::default())
    });
    let (mut terms, mut documents) = Default::default();
    let read = read.map(|found| (terms, documents) = found);
    let found = match (read, grams.finish()) {
        (Ok(()), Some(found)) => found,
        (Ok(_), _) | (Err(Error::Damaged { .. }), _) => {
            card.doubts |= DOUBT_TEXT;
            Vec::new()
        }
        (Err(error), _) => return Err(error),
    };
    segment.push(card, found, terms);
    Ok(documents)
}

/// What a library does not survive harms one message's place in the catalogue alone. `None`: it
/// panicked, and what it worked on is to be dropped.
pub fn surviving<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// How many of the last segments go into the new one.
fn mergeable(known: &Directory, new: &Segment) -> usize {
    let messages = u32::try_from(new.cards.len()).unwrap_or(u32::MAX);
    // Those that are small and can be held together.
    let run = |limit: u32| {
        let mut weight = new.weight();
        let mut sum = messages;
        let small = known.segments.iter().rev();
        let small = small.take_while(|entry| entry.messages < limit);
        let mut capped = false;
        let count = small
            .take_while(|entry| {
                weight = weight.saturating_add(entry.weight as usize);
                capped = weight > STEP_WEIGHT;
                if !capped {
                    sum = sum.saturating_add(entry.messages);
                }
                !capped
            })
            .count();
        (count, sum, capped)
    };
    let (smallest, _, capped) = run(SMALL_MESSAGES);
    let (small, sum, _) = run(STEP_MESSAGES as u32);
    if messages < STEP_MESSAGES as u32 && sum >= STEP_MESSAGES as u32 {
        return small;
    }
    let enough = smallest + 1 >= SMALL_SEGMENTS || capped && smallest >= HEAVY_SEGMENTS;
    match messages < SMALL_MESSAGES && enough {
        true => smallest,
        false => 0,
    }
}

/// Puts small segments in front of the new one into it, when there are enough of them.
fn merge(
    file: &Derived,
    account: AccountId,
    mailbox: MailboxId,
    known: &mut Directory,
    new: &mut Segment,
    remove: &mut Vec<Span>,
) -> Result<(), Error> {
    let merged = mergeable(known, new);
    if merged == 0 {
        return Ok(());
    }
    let view = file.view()?;
    let keep = known.segments.len().saturating_sub(merged);
    let mut whole = Segment::default();
    for entry in known.segments.get(keep..).unwrap_or_default() {
        let place = Place {
            account,
            mailbox,
            segment: entry.segment,
        };
        match Segment::load(&view, place, entry.messages as usize)? {
            Some(segment) => whole.append(segment),
            // Unreadable: the mailbox begins anew with the next step.
            None => {
                tracing::warn!("a segment of the search catalogue makes no sense");
                return Err(Error::Damaged {
                    place: super::FILE.to_owned(),
                    what: "a segment makes no sense".to_owned(),
                });
            }
        }
        remove.extend(directory::segment(account, mailbox, entry.segment));
    }
    known.segments.truncate(keep);
    whole.append(std::mem::take(new));
    *new = whole;
    Ok(())
}
