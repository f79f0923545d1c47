//! The compact message index in memory: immutable pages of rows, shared by all sessions of a
//! mailbox. A change replaces the pages that it touches, never the whole list.
//!
//! Locking: the writer thread holds the gate for writing while it commits and updates the cache.
//! Whoever loads a mailbox takes the gate for reading just long enough to open a view and mark
//! the slot as loading; changes committed meanwhile are kept in the slot and applied afterwards.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::index::{self, View};
use crate::keys::{self, Family, Name};
use crate::limits::{CACHED_ROWS_MAX, PAGE_ROWS};
use crate::rows::{self, State};
use crate::seen::SeenSet;
use crate::sweep::Sweep;
use crate::tx::{Edits, uid_of};
use crate::*;

/// An immutable picture of one mailbox's messages, shared by all its sessions.
#[derive(Clone, Debug)]
pub struct Index {
    inner: Arc<Inner>,
    /// What its viewer has seen, when that is not in the rows.
    seen: Option<Arc<SeenSet>>,
}

#[derive(Clone, Debug)]
struct Inner {
    mailbox: Mailbox,
    modseq: ModSeq,
    len: usize,
    /// None is empty; uids ascend within a page and from page to page.
    pages: Vec<Arc<Page>>,
}

/// Neighbours in a mailbox, and what lets a walk pass them by.
#[derive(Clone, Debug, Default)]
struct Page {
    rows: Vec<Row>,
    /// Of the last one that changed.
    newest: ModSeq,
    /// Whether the owner has seen them all.
    seen: bool,
}

impl Page {
    fn new(rows: Vec<Row>) -> Arc<Self> {
        let newest = rows.iter().map(|row| row.modseq).max();
        let is_seen = |row: &Row| row.flags.system.contains(SystemFlags::SEEN);
        Arc::new(Page {
            newest: newest.unwrap_or_default(),
            seen: rows.iter().all(is_seen),
            rows,
        })
    }

    fn first(&self) -> Option<Uid> {
        self.rows.first().map(|row| row.uid)
    }

    fn last(&self) -> Option<Uid> {
        self.rows.last().map(|row| row.uid)
    }

    /// No uid is missing between its first and its last.
    fn is_dense(&self) -> bool {
        let span = |(first, last): (Uid, Uid)| (last.0 - first.0) as usize + 1;
        self.first().zip(self.last()).map(span) == Some(self.rows.len())
    }

    /// The rows with a uid in `first..=last`.
    fn within(&self, first: Uid, last: Uid) -> &[Row] {
        let start = match self.first() {
            Some(uid) if uid < first => self.rows.partition_point(|row| row.uid < first),
            _ => 0,
        };
        let end = match self.last() {
            Some(uid) if uid > last => self.rows.partition_point(|row| row.uid <= last),
            _ => self.rows.len(),
        };
        self.rows.get(start..end).unwrap_or_default()
    }

    /// Runs of consecutive uids.
    fn runs(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        let whole = self.first().zip(self.last()).filter(|_| self.is_dense());
        let single = match whole {
            Some(_) => &[][..],
            None => &self.rows,
        };
        let single = single.iter().map(|row| (row.uid, row.uid));
        whole.into_iter().chain(single)
    }
}

impl Index {
    /// Its count of unseen messages is the owner's: see [`Index::unseen`].
    pub fn mailbox(&self) -> &Mailbox {
        &self.inner.mailbox
    }

    /// Messages without \Seen, in the eyes of its viewer. Walks over the rows when those are not the
    /// owner's.
    pub fn unseen(&self) -> u32 {
        match &self.seen {
            None => self.inner.mailbox.unseen,
            Some(seen) => {
                let uids = self.inner.pages.iter().flat_map(|page| &page.rows);
                let unseen = uids.filter(|row| !seen.contains(row.uid)).count();
                u32::try_from(unseen).unwrap_or(u32::MAX)
            }
        }
    }

    /// The same messages as somebody sees them who has seen these.
    pub(crate) fn seen_by(self, seen: SeenSet) -> Index {
        Index {
            seen: Some(Arc::new(seen)),
            ..self
        }
    }

    fn show(&self, row: Row) -> Row {
        match &self.seen {
            None => row,
            Some(seen) => seen.show(row),
        }
    }

    /// The account's modseq this picture belongs to.
    pub fn modseq(&self) -> ModSeq {
        self.inner.modseq
    }

    pub fn len(&self) -> usize {
        self.inner.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, uid: Uid) -> Option<Row> {
        let rows = &self.inner.pages.get(self.inner.page_of(uid))?.rows;
        let at = rows.binary_search_by_key(&uid, |row| row.uid).ok()?;
        rows.get(at).map(|row| self.show(*row))
    }

    /// All rows, ascending uid.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.inner
            .pages
            .iter()
            .flat_map(|page| page.rows.iter().map(|row| self.show(*row)))
    }

    /// Rows with a uid in `first..=last`, ascending.
    pub fn range(&self, first: Uid, last: Uid) -> impl Iterator<Item = Row> + '_ {
        let pages = self.inner.pages.get(self.inner.page_of(first)..);
        let pages = pages.unwrap_or_default().iter();
        pages
            .take_while(move |page| page.first().is_some_and(|uid| uid <= last))
            .flat_map(move |page| page.within(first, last))
            .map(|row| self.show(*row))
    }

    /// Rows that changed after `since`, ascending uid. Costs what changed, not what is there.
    pub fn changed_since(&self, since: ModSeq) -> impl Iterator<Item = Row> + '_ {
        let pages = self.inner.pages.iter();
        pages
            .filter(move |page| page.newest > since)
            .flat_map(|page| &page.rows)
            .filter(move |row| row.modseq > since)
            .map(|row| self.show(*row))
    }

    /// The uids that are there, as ascending ranges, neighbours not always joined. Costs the holes, not the messages.
    pub fn uid_ranges(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        self.inner.pages.iter().flat_map(|page| page.runs())
    }

    /// How many messages stand before the first without \Seen, in the eyes of its viewer.
    pub fn seen_first(&self) -> Option<usize> {
        let mut before = 0;
        for page in &self.inner.pages {
            // What others have seen is not in the rows.
            if !(page.seen && self.seen.is_none()) {
                let is_unseen =
                    |row: &Row| !self.show(*row).flags.system.contains(SystemFlags::SEEN);
                if let Some(at) = page.rows.iter().position(is_unseen) {
                    return Some(before + at);
                }
            }
            before += page.rows.len();
        }
        None
    }
}

impl Inner {
    /// The page that has the uid, or would have it.
    fn page_of(&self, uid: Uid) -> usize {
        self.pages
            .partition_point(|page| page.last().is_some_and(|last| last < uid))
    }

    fn apply(&mut self, update: &MailboxUpdate) {
        let mut edits = update.rows.as_slice();
        while let Some((uid, _)) = edits.first() {
            let at = self.page_of(*uid);
            // The last page takes everything behind it, until it is full.
            let last_page = at >= self.pages.len();
            let at = match self.pages.last() {
                Some(page) if last_page && page.rows.len() < PAGE_ROWS => self.pages.len() - 1,
                _ => at,
            };
            let end = match self.pages.get(at).and_then(|page| page.last()) {
                Some(last) if at + 1 < self.pages.len() || last >= *uid => last,
                _ => Uid(u32::MAX),
            };
            let count = edits.partition_point(|(uid, _)| *uid <= end);
            let (mine, rest) = edits.split_at(count);
            self.replace_page(at, mine);
            edits = rest;
        }
        self.len = self.pages.iter().map(|page| page.rows.len()).sum();
    }

    fn lay(&mut self, sweep: &Sweep) {
        for page in &mut self.pages {
            if page.rows.iter().any(|row| sweep.counts_for(row)) {
                let mut rows = page.rows.clone();
                for row in &mut rows {
                    sweep.lay_on(row);
                }
                *page = Page::new(rows);
            }
        }
    }

    fn replace_page(&mut self, at: usize, edits: &[(Uid, Option<Row>)]) {
        let mut merged: Vec<Row> = Vec::with_capacity(PAGE_ROWS.max(edits.len()));
        let old = self.pages.get(at).cloned().unwrap_or_default();
        let mut edits = edits.iter().peekable();
        for row in &old.rows {
            while let Some((_, edit)) = edits.next_if(|(uid, _)| *uid < row.uid) {
                merged.extend(edit);
            }
            match edits.next_if(|(uid, _)| *uid == row.uid) {
                Some((_, edit)) => merged.extend(edit),
                None => merged.push(*row),
            }
        }
        merged.extend(edits.filter_map(|(_, edit)| *edit));
        let pages = merged
            .chunks(PAGE_ROWS)
            .map(|rows| Page::new(rows.to_vec()));
        let range = at.min(self.pages.len())..(at + 1).min(self.pages.len());
        self.pages.splice(range, pages);
    }
}

/// What a group did to one mailbox.
#[derive(Debug, Default)]
struct MailboxUpdate {
    /// The new record; inner `None`: it is gone.
    record: Option<Option<Mailbox>>,
    /// Ascending, as the keys of the edits are.
    rows: Vec<(Uid, Option<Row>)>,
    /// Over the rows, the new ones too.
    sweeps: Vec<Arc<Sweep>>,
}

/// What a group did to one account.
#[derive(Debug, Default)]
pub struct AccountUpdate {
    /// The new highest modseq, when it changed.
    pub modseq: Option<ModSeq>,
    /// Its own record changed: password, disabled, removed, erased.
    pub profile: bool,
    /// The account was erased.
    pub gone: bool,
    mailboxes: BTreeMap<MailboxId, MailboxUpdate>,
}

/// What a group did, read off its edits.
#[derive(Debug, Default)]
pub struct Update {
    pub accounts: BTreeMap<AccountId, Arc<AccountUpdate>>,
    pub queue: bool,
    /// Destinations for which something waits that did not before, and the first place of it.
    pub waiting: BTreeMap<String, keys::Spot>,
}

impl Update {
    pub fn from_edits(edits: &Edits) -> Result<Update, Error> {
        let mut accounts: BTreeMap<AccountId, AccountUpdate> = BTreeMap::new();
        let mut queue = false;
        let mut waiting = BTreeMap::new();
        for (key, edit) in &edits.rows {
            match keys::parse(key) {
                Some(Name::Queue(_)) => queue = true,
                Some(Name::Waiting(destination, spot)) if edit.is_some() => {
                    let destination = String::from_utf8_lossy(destination).into_owned();
                    note_first(&mut waiting, destination, spot);
                }
                Some(Name::Account(account, family, rest)) => {
                    let update = accounts.entry(account).or_default();
                    update.note(family, rest, edit.as_deref())?;
                }
                _ => {}
            }
        }
        for sweep in edits.sweeps.iter() {
            let update = accounts.entry(sweep.account).or_default();
            let update = update.mailboxes.entry(sweep.mailbox).or_default();
            update.sweeps.push(sweep.clone());
        }
        Ok(Update {
            accounts: accounts
                .into_iter()
                .map(|(account, update)| (account, Arc::new(update)))
                .collect(),
            queue,
            waiting,
        })
    }
}

/// Keeps the first place of each destination.
pub fn note_first(
    waiting: &mut BTreeMap<String, keys::Spot>,
    destination: String,
    spot: keys::Spot,
) {
    let first = waiting.entry(destination).or_insert(spot);
    *first = spot.min(*first);
}

impl AccountUpdate {
    fn note(&mut self, family: Family, rest: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        match family {
            Family::Profile => self.profile = true,
            Family::State => {
                let state = value.map(State::decode).transpose()?;
                self.gone = state.is_none();
                self.modseq = state.map(|state| state.highest_modseq);
            }
            Family::Mailbox => {
                if let Some(id) = keys::mailbox_id(rest) {
                    let mailbox = value.map(|value| rows::decode_mailbox(value, id));
                    self.mailboxes.entry(id).or_default().record = Some(mailbox.transpose()?);
                }
            }
            Family::Row => {
                if let Some((mailbox, uid)) = keys::mailbox_and_uid(rest) {
                    let row = value
                        .map(|value| rows::decode_row(value, uid))
                        .transpose()?;
                    let update = self.mailboxes.entry(mailbox).or_default();
                    update.rows.push((uid, row));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Content {
    Empty,
    Loading(Vec<Arc<AccountUpdate>>),
    Ready(Index),
}

#[derive(Debug)]
struct Slot {
    mailbox: MailboxId,
    /// Held by the one who loads.
    load: Mutex<()>,
    content: Mutex<Content>,
    used: AtomicU64,
}

impl Slot {
    fn new(mailbox: MailboxId) -> Arc<Slot> {
        Arc::new(Slot {
            mailbox,
            load: Mutex::new(()),
            content: Mutex::new(Content::Empty),
            used: AtomicU64::new(0),
        })
    }

    fn ready(&self) -> Option<Index> {
        match &*lock(&self.content) {
            Content::Ready(index) => Some(index.clone()),
            _ => None,
        }
    }

    fn apply(&self, update: &Arc<AccountUpdate>) {
        let mut content = lock(&self.content);
        match &mut *content {
            Content::Empty => {}
            Content::Loading(waiting) => waiting.push(update.clone()),
            Content::Ready(index) => {
                if !apply_to(index, self.mailbox, update) {
                    *content = Content::Empty;
                }
            }
        }
    }
}

/// False when the mailbox is gone.
fn apply_to(index: &mut Index, mailbox: MailboxId, update: &AccountUpdate) -> bool {
    if update.gone {
        return false;
    }
    let inner = Arc::make_mut(&mut index.inner);
    inner.modseq = update.modseq.unwrap_or(inner.modseq);
    let Some(change) = update.mailboxes.get(&mailbox) else {
        return true;
    };
    match &change.record {
        Some(Some(record)) => inner.mailbox = record.clone(),
        Some(None) => return false,
        None => {}
    }
    if !change.rows.is_empty() {
        inner.apply(change);
    }
    for sweep in &change.sweeps {
        inner.lay(sweep);
    }
    true
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Slots = HashMap<AccountId, HashMap<MailboxId, Arc<Slot>>>;

/// All mailboxes in memory.
#[derive(Debug, Default)]
pub struct Cache {
    slots: Mutex<Slots>,
    pub gate: RwLock<()>,
    clock: AtomicU64,
}

impl Cache {
    /// Called by the writer thread, which holds the gate.
    pub fn apply(&self, update: &Update) {
        for (account, update) in &update.accounts {
            let slots: Vec<_> = match lock(&self.slots).get(account) {
                Some(slots) => slots.values().cloned().collect(),
                None => continue,
            };
            for slot in slots {
                slot.apply(update);
            }
        }
    }

    /// The mailbox's picture, when it is in memory.
    pub fn ready(&self, account: AccountId, mailbox: MailboxId) -> Option<Index> {
        let slot = lock(&self.slots).get(&account)?.get(&mailbox)?.clone();
        slot.ready()
    }

    /// The mailbox's picture, loaded through a view of `index` when it is not in memory.
    pub fn get(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        index: &index::Layered,
    ) -> Result<Index, Error> {
        let slot = {
            let mut slots = lock(&self.slots);
            let mailboxes = slots.entry(account).or_default();
            let slot = mailboxes.entry(mailbox);
            slot.or_insert_with(|| Slot::new(mailbox)).clone()
        };
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        slot.used.store(tick, Ordering::Relaxed);
        if let Some(index) = slot.ready() {
            return Ok(index);
        }
        let _loading = lock(&slot.load);
        if let Some(index) = slot.ready() {
            return Ok(index);
        }
        let view = {
            let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            *lock(&slot.content) = Content::Loading(Vec::new());
            index.view()
        };
        let loaded = load(&view, account, mailbox);
        let result = self.install(&slot, mailbox, loaded);
        match &result {
            Ok(_) => self.evict(),
            Err(_) => self.forget(account, mailbox),
        }
        result
    }

    fn install(
        &self,
        slot: &Slot,
        mailbox: MailboxId,
        loaded: Result<Index, Error>,
    ) -> Result<Index, Error> {
        let mut content = lock(&slot.content);
        let waiting = match std::mem::replace(&mut *content, Content::Empty) {
            Content::Loading(waiting) => waiting,
            _ => Vec::new(),
        };
        let mut index = loaded?;
        for update in waiting {
            if !apply_to(&mut index, mailbox, &update) {
                return Err(Error::NoSuchMailbox);
            }
        }
        *content = Content::Ready(index.clone());
        Ok(index)
    }

    fn forget(&self, account: AccountId, mailbox: MailboxId) {
        let mut slots = lock(&self.slots);
        if let Some(mailboxes) = slots.get_mut(&account) {
            mailboxes.remove(&mailbox);
            if mailboxes.is_empty() {
                slots.remove(&account);
            }
        }
    }

    /// Lets go of the mailboxes that were not asked for the longest.
    fn evict(&self) {
        let mut slots = lock(&self.slots);
        let mut all: Vec<(u64, AccountId, MailboxId, usize)> = Vec::new();
        for (account, mailboxes) in slots.iter() {
            for (mailbox, slot) in mailboxes {
                let rows = slot.ready().map_or(0, |index| index.len());
                let used = slot.used.load(Ordering::Relaxed);
                all.push((used, *account, *mailbox, rows + PAGE_ROWS / 8));
            }
        }
        let mut rows: usize = all.iter().map(|(_, _, _, rows)| rows).sum();
        all.sort_unstable();
        // The newest one stays, however large.
        all.pop();
        for (_, account, mailbox, held) in all {
            if rows <= CACHED_ROWS_MAX {
                break;
            }
            rows -= held;
            if let Some(mailboxes) = slots.get_mut(&account) {
                mailboxes.remove(&mailbox);
                if mailboxes.is_empty() {
                    slots.remove(&account);
                }
            }
        }
    }
}

fn load(view: &View, account: AccountId, id: MailboxId) -> Result<Index, Error> {
    let record = view.get(&keys::mailbox(account, id))?;
    let mailbox = rows::decode_mailbox(&record.ok_or(Error::NoSuchMailbox)?, id)?;
    let state = view.get(&keys::state(account))?;
    let state = State::decode(&state.ok_or(Error::NoSuchAccount)?)?;
    let (first, end) = keys::whole_mailbox(account, Family::Row, id);
    let mut pages = Vec::with_capacity(mailbox.messages as usize / PAGE_ROWS + 1);
    let mut page = Vec::new();
    let mut len = 0;
    view.scan(&first, &end, |key, value| {
        if page.len() == PAGE_ROWS {
            pages.push(Page::new(std::mem::take(&mut page)));
        }
        page.push(rows::decode_row(value, uid_of(key)?)?);
        len += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    if !page.is_empty() {
        pages.push(Page::new(page));
    }
    Ok(Index {
        inner: Arc::new(Inner {
            mailbox,
            modseq: state.highest_modseq,
            len,
            pages,
        }),
        seen: None,
    })
}
