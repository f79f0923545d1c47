//! Addresses outside that mail goes on to, and whether their owners agreed.
//!
//! A question is put in the transaction that queues the letter with it; what its answer changes, in the
//! one that delivers the news of it. An alias without a row here was made before owners were asked.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::keys::{self, Name};
use crate::limits::{FORWARD_ASKED_KEPT, FORWARDS_MAX, FORWARDS_OF_ACCOUNT_MAX};
use crate::ops::append::{cost_of, deliver_in};
use crate::ops::directory::check_not_primary;
use crate::ops::queue;
use crate::rows;
use crate::tx::Tx;
use crate::*;

/// A letter of ours: into mailboxes here, into the queue.
pub type Letter = (NewBody, Vec<Delivery>, Vec<NewQueueEntry>);

impl Store {
    pub fn forward(&self, id: ForwardId) -> Result<Option<Forward>, Error> {
        let value = self.view()?.get(&keys::forward(id))?;
        value
            .map(|value| rows::decode_forward(&value, id))
            .transpose()
    }

    /// All, in no order.
    pub fn forwards(&self) -> Result<Vec<Forward>, Error> {
        let (first, end) = keys::all_forwards();
        let mut found = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if let Some(Name::Forward(id)) = keys::parse(key) {
                found.push(rows::decode_forward(value, id)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Makes or replaces an alias, with what stands of its targets outside and the letters that ask
    /// them. What stood of targets that it has no more is forgotten.
    ///
    /// # Errors
    /// [`Error::InUse`] as of [`Store::set_address`]; [`Error::TooManyEntries`].
    pub async fn set_alias(
        &self,
        address: &str,
        targets: Vec<String>,
        forwards: Vec<Forward>,
        letters: Vec<Letter>,
    ) -> Result<(), Error> {
        let (address, target) = (address.to_owned(), AddressTarget::Alias(targets.clone()));
        let run = move |tx: &mut Tx<'_>| {
            check_not_primary(tx, &address, Some(&target))?;
            tx.put(keys::address(&address), rows::encode_target(&target));
            forget_alias(tx, &address, &targets)?;
            for forward in &forwards {
                make_room(tx, forward)?;
                tx.put(keys::forward(forward.id), rows::encode_forward(forward));
            }
            deliver_all(tx, &letters)
        };
        self.engine.write(0, run).await
    }

    /// False: there is a row of it already, and nothing was sent.
    ///
    /// # Errors
    /// [`Error::TooManyEntries`].
    pub async fn add_forward(&self, forward: Forward, letters: Vec<Letter>) -> Result<bool, Error> {
        let cost = letters.iter().map(|letter| cost_of(&letter.0, 1)).sum();
        let run = move |tx: &mut Tx<'_>| {
            let key = keys::forward(forward.id);
            if !make_room(tx, &forward)? {
                return Ok(false);
            }
            tx.put(key, rows::encode_forward(&forward));
            deliver_all(tx, &letters)?;
            Ok(true)
        };
        self.engine.write(cost, run).await
    }

    /// From one of the states `from` into `to`, with the letters that tell of it. `None`: it was in
    /// none of them, and nothing happened.
    pub async fn change_forward(
        &self,
        id: ForwardId,
        from: &'static [ForwardState],
        to: ForwardState,
        letters: Vec<Letter>,
    ) -> Result<Option<Forward>, Error> {
        let cost = letters.iter().map(|letter| cost_of(&letter.0, 1)).sum();
        let run = move |tx: &mut Tx<'_>| {
            let Some(mut forward) = get(tx, id)? else {
                return Ok(None);
            };
            if !from.contains(&forward.state) {
                return Ok(None);
            }
            (forward.state, forward.at, forward.failures) = (to, tx.now(), 0);
            tx.put(keys::forward(id), rows::encode_forward(&forward));
            deliver_all(tx, &letters)?;
            Ok(Some(forward))
        };
        self.engine.write(cost, run).await
    }

    /// A host said whether there is such an address; gives how often in a row it said no.
    pub async fn note_forward(&self, id: ForwardId, failed: bool) -> Result<u32, Error> {
        if !failed
            && self
                .forward(id)?
                .is_none_or(|forward| forward.failures == 0)
        {
            return Ok(0);
        }
        let run = move |tx: &mut Tx<'_>| {
            let Some(mut forward) = get(tx, id)? else {
                return Ok(0);
            };
            forward.failures = match failed {
                true => forward.failures.saturating_add(1),
                false => 0,
            };
            tx.put(keys::forward(id), rows::encode_forward(&forward));
            Ok(forward.failures)
        };
        self.write(run).await
    }

    /// What waits in the queue of a destination because of it.
    pub fn queue_of_forward(&self, domain: &str, id: ForwardId) -> Result<Vec<QueueId>, Error> {
        queue::waiting_for(&self.view()?, domain, |entry| {
            entry.wishes.forward == Some(id)
        })
    }
}

fn get(tx: &Tx<'_>, id: ForwardId) -> Result<Option<Forward>, Error> {
    let value = tx.get(&keys::forward(id))?;
    value
        .map(|value| rows::decode_forward(&value, id))
        .transpose()
}

fn deliver_all(tx: &mut Tx<'_>, letters: &[Letter]) -> Result<(), Error> {
    for (body, local, queue) in letters {
        deliver_in(tx, body, local, queue)?;
    }
    Ok(())
}

/// Forgets questions that nobody answered, and looks whether one more may be put; false: it is there.
fn make_room(tx: &mut Tx<'_>, new: &Forward) -> Result<bool, Error> {
    let kept = i64::try_from(FORWARD_ASKED_KEPT.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp(tx.now().0.saturating_sub(kept));
    let (mut all, mut same, mut old) = (0, 0, Vec::new());
    let mut is_new = true;
    each(tx, |forward| {
        let of_account = matches!(forward.source, ForwardSource::Account(_));
        if of_account && forward.state == ForwardState::Asked && forward.at < before {
            old.push(forward.id);
            return;
        }
        is_new &= forward.id != new.id;
        all += 1;
        same += usize::from(of_account && forward.source == new.source);
    })?;
    for id in old {
        tx.delete(keys::forward(id));
    }
    let is_full = all >= FORWARDS_MAX || same >= FORWARDS_OF_ACCOUNT_MAX;
    match is_new && is_full {
        true => Err(Error::TooManyEntries),
        false => Ok(is_new),
    }
}

/// What stood of an alias, but for these targets.
pub fn forget_alias(tx: &mut Tx<'_>, address: &str, targets: &[String]) -> Result<(), Error> {
    let targets: BTreeSet<&String> = targets.iter().collect();
    forget(tx, |forward| {
        matches!(&forward.source, ForwardSource::Alias(alias) if alias == address)
            && !targets.contains(&forward.target)
    })
}

pub fn forget_account(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    forget(tx, |forward| {
        forward.source == ForwardSource::Account(account)
    })
}

fn forget(tx: &mut Tx<'_>, which: impl Fn(&Forward) -> bool) -> Result<(), Error> {
    let mut gone = Vec::new();
    each(tx, |forward| {
        if which(forward) {
            gone.push(forward.id);
        }
    })?;
    for id in gone {
        tx.delete(keys::forward(id));
    }
    Ok(())
}

fn each(tx: &Tx<'_>, mut see: impl FnMut(&Forward)) -> Result<(), Error> {
    tx.each(&keys::all_forwards(), |key, value| {
        if let Some(Name::Forward(id)) = keys::parse(key) {
            see(&rows::decode_forward(value, id)?);
        }
        Ok(ControlFlow::Continue(()))
    })
}
