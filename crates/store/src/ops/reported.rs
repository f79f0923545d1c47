//! Reports about other people's domains: which of a day were sent. That one was is in the same commit as
//! its way out, so that a crash neither loses a report nor sends it twice.

use crate::limits::{REPORTED_DAYS, REPORTED_GONE_MAX};
use crate::ops::append::{cost_of, deliver_in};
use crate::*;

/// A report: about whom, and of when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reported {
    /// Since 1970, in UTC.
    pub day: u32,
    /// What it is about; its meaning is its user's.
    pub kind: u8,
    /// In A-labels and lower case.
    pub domain: String,
}

impl Reported {
    fn key(&self) -> Vec<u8> {
        keys::reported(self.day, self.kind, &self.domain)
    }
}

impl Store {
    pub fn is_reported(&self, report: &Reported) -> Result<bool, Error> {
        let value = self.view()?.get(&report.key())?;
        Ok(value.is_some())
    }

    /// Puts the report into the queue, and remembers that in the same commit; without a body it went
    /// another way. False: it was sent before, and nothing is done.
    pub async fn send_report(
        &self,
        report: Reported,
        sent: Option<(NewBody, Vec<NewQueueEntry>)>,
    ) -> Result<bool, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        let cost = sent
            .as_ref()
            .map_or(0, |(body, queue)| cost_of(body, queue.len()));
        self.engine
            .write(cost, move |tx| {
                let key = report.key();
                if tx.get(&key)?.is_some() {
                    return Ok(false);
                }
                if let Some((body, queue)) = &sent {
                    deliver_in(tx, body, &[], queue)?;
                }
                tx.put(key, rows::encode_reported());
                // Nobody asks about them any more.
                let old = keys::reported_before(report.day.saturating_sub(REPORTED_DAYS));
                for (key, _) in tx.scan(&old, REPORTED_GONE_MAX)? {
                    tx.delete(key);
                }
                Ok(true)
            })
            .await
    }
}
