//! The queue: entries by id, taken when they are due.

use std::collections::BTreeSet;

use facteur_store::QueueGroup;
use facteur_store::{Error, NewQueueEntry, QueueEntry, QueueId, Timestamp, WaitReason};

use super::messages::Recipient;
use super::{Body, Model};

/// A DSN to deliver together with the outcome of an attempt, and the ids that the store gave to
/// the queue entries it makes.
pub type QueueReport = (Body, Vec<Recipient>, Vec<NewQueueEntry>, Vec<QueueId>);

impl Model {
    pub(super) fn enqueue(
        &mut self,
        body: &Body,
        new: &NewQueueEntry,
        id: QueueId,
        (group, now): (QueueGroup, Timestamp),
    ) {
        assert!(
            !self.queue.contains_key(&id),
            "the queue id {id:?} is taken"
        );
        let new = new.clone();
        let entry = QueueEntry {
            id,
            domain: new.domain,
            reverse_path: new.reverse_path,
            recipients: new.recipients,
            blob: body.id,
            prefix: new.prefix.into(),
            body_size: body.bytes.len() as u64,
            body_8bit: new.body_8bit,
            body_binary: new.body_binary,
            smtputf8: new.smtputf8,
            return_headers_only: new.return_headers_only,
            envelope_id: new.envelope_id,
            language: new.language,
            created: now,
            due: new.due,
            expires: new.expires,
            held: false,
            attempts: 0,
            last_outcome: String::new(),
            delay_notified: false,
            wishes: new.wishes,
            reason: match new.due > now {
                true => WaitReason::Asked,
                false => WaitReason::NotTried,
            },
            group,
            owing: None,
        };
        self.queue.insert(id, entry);
    }

    /// Due and not held, by destination; leases are not modelled.
    pub fn queue_due(&self, now: Timestamp) -> Vec<QueueEntry> {
        let mut due: Vec<QueueEntry> = self
            .queue
            .values()
            .filter(|entry| !entry.held && entry.due <= now)
            .cloned()
            .collect();
        // The most urgent first, of one destination.
        due.sort_by(|a, b| {
            let urgency = b.wishes.priority.cmp(&a.wishes.priority);
            let domain = a.domain.cmp(&b.domain);
            domain.then(urgency).then((a.due, a.id).cmp(&(b.due, b.id)))
        });
        due
    }

    /// Where something waits that is not held.
    pub fn queue_destinations(&self) -> BTreeSet<String> {
        let waiting = self.queue.values().filter(|entry| !entry.held);
        waiting.map(|entry| entry.domain.clone()).collect()
    }

    /// When the next falls due after `now`.
    pub fn queue_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.queue
            .values()
            .filter(|entry| !entry.held && entry.due > now)
            .map(|entry| entry.due)
            .min()
    }

    pub fn queue_update(
        &mut self,
        id: QueueId,
        entry: Option<&QueueEntry>,
        reports: &[QueueReport],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            if model.queue.remove(&id).is_none() {
                return Err(Error::NoSuchQueueEntry);
            }
            if let Some(entry) = entry {
                model.queue.insert(id, entry.clone());
            }
            for (body, local, queue, ids) in reports {
                model.deliver(body, local, queue, ids, now)?;
            }
            Ok(())
        })
    }
}
