//! The outgoing queue: entries by due time, leases in memory.

use std::ops::ControlFlow;

use crate::engine::lock;
use crate::index::View;
use crate::keys::{self, Name};
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

type Reports = Vec<(NewBody, Vec<Delivery>, Vec<NewQueueEntry>)>;

impl Store {
    // Queue. Due entries first.
    /// Entries that are due, not held and not leased; each is leased in memory to the caller until `queue_update` or `queue_release`.
    pub fn queue_take(&self, now: Timestamp, max: usize) -> Result<Vec<QueueEntry>, Error> {
        let mut leases = lock(&self.engine.leases);
        // Looked at under the lock: an entry whose update has ended its lease is seen as updated.
        let view = self.view()?;
        let mut taken = Vec::new();
        each_due(&view, |due, id| {
            if due > now || taken.len() >= max {
                return Ok(false);
            }
            if !leases.contains(&id) {
                taken.extend(entry(&view, id)?);
            }
            Ok(true)
        })?;
        leases.extend(taken.iter().map(|entry| entry.id));
        Ok(taken)
    }

    /// Leases one entry, due or not, for a change by hand; false: somebody has it.
    pub fn queue_lease(&self, id: QueueId) -> bool {
        lock(&self.engine.leases).insert(id)
    }

    pub fn queue_release(&self, id: QueueId) {
        if lock(&self.engine.leases).remove(&id) {
            let news = &self.engine.shared.queue_news;
            news.send_modify(|count| *count += 1);
        }
    }

    /// When the next entry that is not held or leased falls due.
    pub fn queue_next_due(&self) -> Result<Option<Timestamp>, Error> {
        let leases = lock(&self.engine.leases);
        let view = self.view()?;
        let mut next = None;
        each_due(&view, |due, id| {
            if !leases.contains(&id) {
                next = Some(due);
            }
            Ok(next.is_none())
        })?;
        Ok(next)
    }

    /// Replaces the entry (same id), or removes it when `None`; with it, DSNs to deliver, in one
    /// commit. Ends the lease when it succeeds.
    pub async fn queue_update(
        &self,
        id: QueueId,
        entry: Option<QueueEntry>,
        reports: Reports,
    ) -> Result<(), Error> {
        let cost = reports
            .iter()
            .map(|(body, local, queue)| cost_of(body, local.len() + queue.len()))
            .sum();
        let run = move |tx: &mut Tx<'_>| replace(tx, id, entry, &reports);
        self.engine.write(cost, run).await?;
        self.queue_release(id);
        Ok(())
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

/// Entries that are not held, by due time, until `each` says false.
fn each_due(
    view: &View,
    mut each: impl FnMut(Timestamp, QueueId) -> Result<bool, Error>,
) -> Result<(), Error> {
    let (first, end) = keys::all_due();
    view.scan(&first, &end, |key, _| {
        let more = match keys::parse(key) {
            Some(Name::Due(due, id)) => each(due, id)?,
            _ => true,
        };
        Ok(if more {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })
}

pub fn add_entry(tx: &mut Tx<'_>, body: &NewBody, new: &NewQueueEntry) -> Result<QueueId, Error> {
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
    };
    put_entry(tx, &entry);
    Ok(entry.id)
}

fn put_entry(tx: &mut Tx<'_>, entry: &QueueEntry) {
    tx.put(keys::queue(entry.id), rows::encode_queue(entry));
    if !entry.held {
        tx.put(keys::due(entry.due, entry.id), vec![1]);
    }
}

fn replace(
    tx: &mut Tx<'_>,
    id: QueueId,
    new: Option<QueueEntry>,
    reports: &Reports,
) -> Result<(), Error> {
    let value = tx.get(&keys::queue(id))?.ok_or(Error::NoSuchQueueEntry)?;
    let old = rows::decode_queue(&value, id)?;
    tx.delete(keys::due(old.due, id));
    match new {
        Some(new) => {
            // What the entry is about never changes; only its state does.
            let new = QueueEntry {
                id,
                blob: old.blob,
                body_size: old.body_size,
                created: old.created,
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
    Ok(())
}
