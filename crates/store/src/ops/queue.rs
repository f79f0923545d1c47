//! The outgoing queue: entries by destination, urgency and due time; leases in memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::cache::note_first;
use crate::engine::lock;
use crate::index::View;
use crate::keys::{self, Name, Spot};
use crate::limits::CARE_ROWS_MAX;
use crate::ops::append::{cost_of, deliver_in};
use crate::rows;
use crate::tx::Tx;
use crate::*;

/// How to pick queue entries.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    pub domain: Option<String>,
    pub held: Option<bool>,
}

/// What waits for one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub taken: Vec<QueueEntry>,
    /// Something more is due: its class, 0 the most urgent.
    pub ready: Option<u8>,
    /// When the next falls due after that.
    pub next: Option<Timestamp>,
    /// Where to look from the next time, unless `queue_changed` tells of an earlier place.
    pub from: Spot,
}

/// After everything.
const NOWHERE: Spot = Spot {
    class: u8::MAX,
    due: u64::MAX,
    id: QueueId(u64::MAX),
};

type Reports = Vec<(NewBody, Vec<Delivery>, Vec<NewQueueEntry>)>;

impl Store {
    /// Looks at what waits for one destination, from a place on that no waiting entry precedes
    /// (`Spot::default()` when nothing is known). At most `max` entries that are due, not held and
    /// not leased are taken, the most urgent first: each is leased in memory to the caller until
    /// `queue_update` or `queue_release`.
    pub fn queue_look(
        &self,
        destination: &str,
        from: Spot,
        now: Timestamp,
        max: usize,
    ) -> Result<Look, Error> {
        let mut leases = lock(&self.engine.leases);
        // Looked at under the lock: an entry whose update has ended its lease is seen as updated.
        let view = self.view()?;
        let mut look = Look::default();
        let mut first = None;
        let mut at = Some(from);
        while let Some(start) = at.take() {
            each_waiting(&view, destination, start, |spot| {
                if leases.contains(&spot.id) {
                    return Ok(ControlFlow::Continue(()));
                }
                if spot.due() > now {
                    first = first.or(Some(spot));
                    look.next = Some(look.next.map_or(spot.due(), |due| due.min(spot.due())));
                    // The rest of this class is later still.
                    at = spot.class.checked_add(1).map(|class| Spot {
                        class,
                        ..Spot::default()
                    });
                    return Ok(ControlFlow::Break(()));
                }
                if look.taken.len() >= max {
                    first = first.or(Some(spot));
                    look.ready = Some(spot.class);
                    return Ok(ControlFlow::Break(()));
                }
                look.taken.extend(entry(&view, spot.id)?);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        look.from = first.unwrap_or(NOWHERE);
        leases.extend(look.taken.iter().map(|entry| entry.id));
        Ok(look)
    }

    /// Destinations for which something waits, ascending, after the one given.
    pub fn queue_destinations(
        &self,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, Error> {
        let view = self.view()?;
        let mut found: Vec<String> = Vec::new();
        while found.len() < max {
            let (first, end) = keys::waiting_after(found.last().map(String::as_str).or(after));
            let Some((key, _)) = view.first(&first, &end)? else {
                break;
            };
            match keys::parse(&key) {
                Some(Name::Waiting(destination, _)) => {
                    found.push(String::from_utf8_lossy(destination).into_owned());
                }
                _ => break,
            }
        }
        Ok(found)
    }

    /// Destinations for which something was put into the queue or given back since this was asked
    /// last, with the first place of it. For one caller, who watches the queue.
    pub fn queue_changed(&self) -> BTreeMap<String, Spot> {
        std::mem::take(&mut *lock(&self.engine.shared.queue_changed))
    }

    /// Lists some entries of the first format by destination; false: none is left.
    pub async fn queue_convert(&self) -> Result<bool, Error> {
        self.engine.write(0, convert).await
    }

    /// Leases one entry, due or not, for a change by hand; false: somebody has it.
    pub fn queue_lease(&self, id: QueueId) -> bool {
        lock(&self.engine.leases).insert(id)
    }

    pub fn queue_release(&self, id: QueueId) {
        let shared = &self.engine.shared;
        if !lock(&self.engine.leases).remove(&id) {
            return;
        }
        if let Ok(Some(entry)) = self.queue_entry(id)
            && !entry.held
        {
            let spot = spot(&entry);
            note_first(&mut lock(&shared.queue_changed), entry.domain, spot);
        }
        shared.queue_news.send_modify(|count| *count += 1);
    }

    /// Replaces the entry (same id), or removes it when `None`; with it, DSNs to deliver, in one
    /// commit. Ends the lease when it succeeds.
    pub async fn queue_update(
        &self,
        id: QueueId,
        entry: Option<QueueEntry>,
        reports: Reports,
    ) -> Result<(), Error> {
        let settled = self.queue_settle(id, entry, Vec::new(), reports, Vec::new());
        settled.await.map(|_| ())
    }

    /// The same, with what an attempt gave for each recipient; `None` where it was not pending. With
    /// it `others`, leased to the caller too, whose reports are in this one; their leases end as well.
    /// True: a program may be told of it.
    pub async fn queue_settle(
        &self,
        id: QueueId,
        entry: Option<QueueEntry>,
        endings: Vec<Option<Ending>>,
        reports: Reports,
        others: Vec<(QueueId, Option<QueueEntry>)>,
    ) -> Result<bool, Error> {
        let cost = reports
            .iter()
            .map(|(body, local, queue)| cost_of(body, local.len() + queue.len()))
            .sum();
        let leased: Vec<QueueId> = others.iter().map(|other| other.0).collect();
        let run = move |tx: &mut Tx<'_>| {
            for (id, entry) in others {
                replace(tx, id, entry, &[], &Vec::new())?;
            }
            replace(tx, id, entry, &endings, &reports)
        };
        let told = self.engine.write(cost, run).await?;
        for id in leased.into_iter().chain([id]) {
            self.queue_release(id);
        }
        Ok(told)
    }

    /// The other entries of the same message that are still there, `max` at most.
    pub fn queue_siblings(&self, entry: &QueueEntry, max: usize) -> Result<Vec<QueueEntry>, Error> {
        let QueueGroup { first, count } = entry.group;
        if count < 2 {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let end = QueueId(first.0.saturating_add(u64::from(count)));
        let (first, end) = (keys::queue(first), keys::queue(end));
        self.view()?.scan(&first, &end, |key, value| {
            if found.len() >= max {
                return Ok(ControlFlow::Break(()));
            }
            if let Some(Name::Queue(id)) = keys::parse(key)
                && id != entry.id
            {
                found.push(rows::decode_queue(value, id)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The first entry of a message from this one on that is like that.
    pub fn queue_find_sibling(
        &self,
        group: QueueGroup,
        from: QueueId,
        is: impl Fn(&QueueEntry) -> bool,
    ) -> Result<Option<QueueId>, Error> {
        let end = QueueId(group.first.0.saturating_add(u64::from(group.count)));
        let (first, end) = (keys::queue(from.max(group.first)), keys::queue(end));
        let mut found = None;
        self.view()?.scan(&first, &end, |key, value| {
            if let Some(Name::Queue(id)) = keys::parse(key)
                && is(&rows::decode_queue(value, id)?)
            {
                found = Some(id);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, Error> {
        entry(&self.view()?, id)
    }

    /// By ascending id.
    pub fn queue_list(
        &self,
        filter: &QueueFilter,
        after: Option<QueueId>,
        max: usize,
    ) -> Result<Vec<QueueEntry>, Error> {
        let (mut first, end) = keys::all_queue();
        if let Some(after) = after {
            first = keys::after(&keys::queue(after));
        }
        let mut found = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if found.len() >= max {
                return Ok(ControlFlow::Break(()));
            }
            if let Some(Name::Queue(id)) = keys::parse(key) {
                let entry = rows::decode_queue(value, id)?;
                let domain = filter.domain.as_ref();
                if domain.is_none_or(|domain| *domain == entry.domain)
                    && filter.held.is_none_or(|held| held == entry.held)
                {
                    found.push(entry);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Counts up with every change of the queue (new entry, hold, retry): wakes the queue runner.
    pub fn queue_watch(&self) -> tokio::sync::watch::Receiver<u64> {
        self.engine.shared.queue_news.subscribe()
    }
}

fn entry(view: &View, id: QueueId) -> Result<Option<QueueEntry>, Error> {
    let value = view.get(&keys::queue(id))?;
    value
        .map(|value| rows::decode_queue(&value, id))
        .transpose()
}

/// Entries of a destination that are of this kind; those that are held are not among them.
pub fn waiting_for(
    view: &View,
    destination: &str,
    is: impl Fn(&QueueEntry) -> bool,
) -> Result<Vec<QueueId>, Error> {
    let mut found = Vec::new();
    each_waiting(view, destination, Spot::default(), |spot| {
        if entry(view, spot.id)?.is_some_and(|entry| is(&entry)) {
            found.push(spot.id);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Places of a destination, ascending, until `each` breaks.
fn each_waiting(
    view: &View,
    destination: &str,
    from: Spot,
    mut each: impl FnMut(Spot) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let (first, end) = keys::waiting_from(destination, from);
    view.scan(&first, &end, |key, _| match keys::parse(key) {
        Some(Name::Waiting(_, spot)) => each(spot),
        _ => Ok(ControlFlow::Continue(())),
    })
}

impl Spot {
    /// Where an entry that is not held is listed.
    pub fn of(entry: &QueueEntry) -> Spot {
        spot(entry)
    }
}

pub fn spot(entry: &QueueEntry) -> Spot {
    Spot {
        class: class(entry.wishes.priority),
        // Times before 1970 do not order; the queue has none.
        due: u64::try_from(entry.due.0).unwrap_or(0),
        id: entry.id,
    }
}

/// RFC 6710 §4: 9 goes first, as class 0.
fn class(priority: i8) -> u8 {
    u8::try_from(9 - i16::from(priority.clamp(-9, 9))).unwrap_or(9)
}

fn convert(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let listed = tx.scan(&keys::all_due(), CARE_ROWS_MAX)?;
    for (key, _) in &listed {
        if let Some(Name::Due(_, id)) = keys::parse(key)
            && let Some(value) = tx.get(&keys::queue(id))?
        {
            put_entry(tx, &rows::decode_queue(&value, id)?);
        }
        tx.delete(key.clone());
    }
    Ok(!listed.is_empty())
}

/// The entries of one message.
pub fn add_entries(
    tx: &mut Tx<'_>,
    body: &NewBody,
    new: &[NewQueueEntry],
) -> Result<Vec<QueueId>, Error> {
    let group = QueueGroup {
        first: QueueId(tx.global()?.last_queue + 1),
        count: u32::try_from(new.len()).unwrap_or(u32::MAX),
    };
    new.iter()
        .map(|new| add_entry(tx, body, new, group))
        .collect()
}

fn add_entry(
    tx: &mut Tx<'_>,
    body: &NewBody,
    new: &NewQueueEntry,
    group: QueueGroup,
) -> Result<QueueId, Error> {
    tx.add_body(&body.body)?;
    let mut global = tx.global()?;
    global.last_queue += 1;
    tx.put_global(&global);
    let entry = QueueEntry {
        id: QueueId(global.last_queue),
        domain: new.domain.clone(),
        reverse_path: new.reverse_path.clone(),
        recipients: new.recipients.clone(),
        blob: body.body.id(),
        prefix: new.prefix.as_slice().into(),
        body_size: body.body.size(),
        body_8bit: new.body_8bit,
        body_binary: new.body_binary,
        smtputf8: new.smtputf8,
        return_headers_only: new.return_headers_only,
        envelope_id: new.envelope_id.clone(),
        language: new.language.clone(),
        created: tx.now(),
        due: new.due,
        expires: new.expires,
        held: false,
        attempts: 0,
        last_outcome: String::new(),
        delay_notified: false,
        wishes: new.wishes.clone(),
        reason: match new.due > tx.now() {
            true => WaitReason::Asked,
            false => WaitReason::NotTried,
        },
        group,
        owing: None,
    };
    put_entry(tx, &entry);
    Ok(entry.id)
}

fn put_entry(tx: &mut Tx<'_>, entry: &QueueEntry) {
    tx.put(keys::queue(entry.id), rows::encode_queue(entry));
    if !entry.held {
        tx.put(keys::waiting(&entry.domain, spot(entry)), vec![1]);
    }
}

fn replace(
    tx: &mut Tx<'_>,
    id: QueueId,
    new: Option<QueueEntry>,
    endings: &[Option<Ending>],
    reports: &Reports,
) -> Result<bool, Error> {
    let value = tx.get(&keys::queue(id))?.ok_or(Error::NoSuchQueueEntry)?;
    let old = rows::decode_queue(&value, id)?;
    let told = super::sent::settle(tx, &old, endings, new.is_none())?;
    if rows::is_first_queue_format(&value) {
        tx.delete(keys::due(old.due, id));
    } else if !old.held {
        tx.delete(keys::waiting(&old.domain, spot(&old)));
    }
    match new {
        Some(new) => {
            // What the entry is about never changes; only its state does.
            let new = QueueEntry {
                id,
                domain: old.domain,
                blob: old.blob,
                body_size: old.body_size,
                created: old.created,
                group: old.group,
                ..new
            };
            put_entry(tx, &new);
        }
        None => {
            tx.delete(keys::queue(id));
            tx.drop_blob(old.blob)?;
        }
    }
    for (body, local, queue) in reports {
        deliver_in(tx, body, local, queue)?;
    }
    Ok(told)
}
