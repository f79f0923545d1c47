//! Mail of programs whose fate is kept: what became of each recipient, who is still to be told of it,
//! and which request it came from, so that none is done twice.
//!
//! All of it changes in the transactions that deliver the mail and write down what its attempts gave:
//! nothing is told that did not happen, and nothing that happened is left untold.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::index::View;
use crate::keys::{self, Name};
use crate::limits::{CALL_ROWS_MAX, CARE_BYTES_MAX, CARE_ROWS_MAX, SENT_KEPT};
use crate::ops::scripts;
use crate::rows;
use crate::tx::Tx;
use crate::*;

/// Milliseconds since 1970, then chance: ascending, and nobody guesses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SentId(pub [u8; 16]);

impl SentId {
    pub fn new(now: Timestamp, random: [u8; 8]) -> SentId {
        let millis = u64::try_from(now.0).unwrap_or(0).to_be_bytes();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(millis.iter().chain(&random)) {
            *to = *from;
        }
        SentId(id)
    }

    fn at(self) -> Timestamp {
        let millis = self
            .0
            .first_chunk()
            .map_or(0, |first| u64::from_be_bytes(*first));
        Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    Queued,
    /// Tried at least once; it goes on.
    Deferred,
    Delivered,
    Bounced,
    /// Not tried: it bounced for good before.
    Suppressed,
    /// A host took it, and sent it back afterwards.
    BouncedLater,
    /// Who got it calls it junk.
    Complained,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRecipient {
    /// As the program gave it.
    pub address: String,
    pub state: SentState,
    /// What was said last; empty: nothing yet.
    pub told: String,
    pub at: Timestamp,
}

/// One message of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: SentId,
    pub program: String,
    /// The envelope sender that the program gave; empty in rows of the first format.
    pub from: String,
    pub message_id: String,
    /// A hash of the program's name for the request.
    pub key: Option<[u8; 16]>,
    pub recipients: Vec<SentRecipient>,
}

/// What a report that came by mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Of whom, as far as it is said.
    pub addresses: Vec<String>,
    pub ending: Ending,
}

/// A message to deliver and to follow.
#[derive(Clone, Debug)]
pub struct NewSent {
    pub sent: Sent,
    /// A hash of the whole request.
    pub request: [u8; 16],
    /// For each queue entry of the last parcel, and each of its recipients: the place in `sent`.
    pub places: Vec<Vec<Option<u32>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    New,
    /// The key was used before; `same`: for the same request. Nothing was delivered now.
    Before {
        id: SentId,
        same: bool,
    },
}

/// What an attempt gave for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub state: SentState,
    /// The address itself is wrong: it is not to be tried again.
    pub hard: bool,
    pub told: String,
}

/// The queue entry of a message that is followed, and where its recipients are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    pub id: SentId,
    pub places: Vec<Option<u32>>,
}

/// Names one call among those that wait: what is due first sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallPlace {
    pub due: u64,
    pub sent: SentId,
    pub recipient: u32,
    /// [`SentState`] as a number: each is told once.
    pub state: u8,
}

/// A program is to be told of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub place: CallPlace,
    pub program: String,
    pub message_id: String,
    pub recipient: SentRecipient,
    pub attempts: u32,
}

/// What a look at the calls found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueCalls {
    pub calls: Vec<Call>,
    /// When the first is due that is not yet.
    pub next: Option<Timestamp>,
    /// The look ended here, before all that are due were seen.
    pub after: Option<CallPlace>,
}

/// An address that is not tried for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Lower case.
    pub address: String,
    pub told: String,
    pub at: Timestamp,
}

/// For those who remove an entry by hand.
const REMOVED: &str = "removed from the queue by the administrator";

impl Store {
    /// All of it in one commit, and nothing when the key was used before. The last parcel is the
    /// message itself.
    pub async fn deliver_sent(
        &self,
        parcels: Vec<Parcel>,
        memories: Vec<Memory>,
        new: NewSent,
    ) -> Result<Taken, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        let cost = parcels.iter().map(Parcel::cost).sum();
        self.engine
            .write(cost, move |tx| deliver(tx, &parcels, &memories, &new))
            .await
    }

    /// With what became of its recipients until now.
    pub fn sent(&self, id: SentId) -> Result<Option<Sent>, Error> {
        let view = self.view()?;
        let Some(value) = view.get(&keys::sent(id))? else {
            return Ok(None);
        };
        let mut sent = rows::decode_sent(&value, id)?;
        let (first, end) = keys::fates(id);
        view.scan(&first, &end, |key, value| {
            if let Some(Name::Fate(_, place)) = keys::parse(key)
                && let Some(recipient) = sent.recipients.get_mut(place as usize)
            {
                *recipient = rows::decode_fate(value)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Some(sent))
    }

    /// What reports said of a message after a host took it. Believed of its recipients alone; of its
    /// only recipient whatever the address: the message may have gone on from there.
    /// True: a program may be told of it.
    pub async fn settle_later(&self, id: SentId, reports: Vec<Later>) -> Result<bool, Error> {
        self.write(move |tx| later(tx, id, &reports)).await
    }

    /// What a request with this key was, while it is known.
    pub fn request(&self, key: [u8; 16]) -> Result<Option<(SentId, [u8; 16])>, Error> {
        let value = self.view()?.get(&keys::request(key))?;
        value.map(|value| rows::decode_request(&value)).transpose()
    }

    /// Calls that are due but for those to `skip`, `max` at most: a bounded part of them, from
    /// behind `after` on.
    pub fn calls(
        &self,
        now: Timestamp,
        after: Option<CallPlace>,
        max: usize,
        skip: impl Fn(&Call) -> bool,
    ) -> Result<DueCalls, Error> {
        let (mut first, end) = keys::all_calls();
        if let Some(after) = after {
            first = keys::call(after);
            first.push(0);
        }
        let (mut found, mut seen, mut last) = (DueCalls::default(), 0, after);
        self.view()?.scan(&first, &end, |key, value| {
            let Some(Name::Call(place)) = keys::parse(key) else {
                return Ok(ControlFlow::Continue(()));
            };
            let due = Timestamp(i64::try_from(place.due).unwrap_or(i64::MAX));
            if due > now {
                found.next = Some(due);
                return Ok(ControlFlow::Break(()));
            }
            if found.calls.len() >= max || seen >= CALL_ROWS_MAX {
                found.after = last;
                return Ok(ControlFlow::Break(()));
            }
            (seen, last) = (seen + 1, Some(place));
            let call = rows::decode_call(value, place)?;
            if !skip(&call) {
                found.calls.push(call);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Drops calls that were due before, a bounded part of them; gives how many.
    pub async fn drop_calls(&self, before: Timestamp) -> Result<usize, Error> {
        let (first, end) = keys::all_calls();
        let mut old = false;
        self.view()?.scan(&first, &end, |key, _| {
            old = is_call_before(key, before);
            Ok(ControlFlow::Break(()))
        })?;
        match old {
            true => self.write(move |tx| drop_calls(tx, before)).await,
            false => Ok(0),
        }
    }

    /// The call was made, or is given up; `again`: it failed and is due then.
    pub async fn settle_call(&self, call: Call, again: Option<Timestamp>) -> Result<(), Error> {
        self.write(move |tx| {
            let key = keys::call(call.place);
            if tx.get(&key)?.is_none() {
                return Ok(());
            }
            tx.delete(key);
            if let Some(due) = again {
                let mut call = call;
                call.place.due = u64::try_from(due.0).unwrap_or(0);
                call.attempts = call.attempts.saturating_add(1);
                tx.put(keys::call(call.place), rows::encode_call(&call));
            }
            Ok(())
        })
        .await
    }

    /// `address` in any case.
    pub fn suppressed(&self, address: &str) -> Result<Option<Suppressed>, Error> {
        let address = address.to_lowercase();
        let value = self.view()?.get(&keys::suppressed(&address))?;
        value
            .map(|value| rows::decode_suppressed(&value, address))
            .transpose()
    }

    /// By address, after this one.
    pub fn all_suppressed(&self, after: &str, max: usize) -> Result<Vec<Suppressed>, Error> {
        let (mut first, end) = keys::all_suppressed();
        if !after.is_empty() {
            first = keys::suppressed(after);
            first.push(0);
        }
        let mut found = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if found.len() >= max {
                return Ok(ControlFlow::Break(()));
            }
            if let Some(Name::Suppressed(address)) = keys::parse(key) {
                let address = String::from_utf8_lossy(address).into_owned();
                found.push(rows::decode_suppressed(value, address)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    pub async fn suppress(&self, address: &str, told: &str) -> Result<(), Error> {
        let (address, told) = (address.to_owned(), told.to_owned());
        self.write(move |tx| {
            suppress(tx, &address, &told);
            Ok(())
        })
        .await
    }

    /// False: it was not there.
    pub async fn unsuppress(&self, address: &str) -> Result<bool, Error> {
        self.remove_row(keys::suppressed(&address.to_lowercase()))
            .await
    }

    /// Forgets what is past its time, a bounded part of it.
    pub(crate) async fn forget_sent(&self) -> Result<(), Error> {
        let before = Timestamp(self.clock().now().0.saturating_sub(millis(SENT_KEPT)));
        let view = self.view()?;
        let old = oldest(&view)?.is_some_and(|id| id.at() < before);
        if !old {
            return Ok(());
        }
        self.write(move |tx| forget(tx, before)).await
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn is_call_before(key: &[u8], before: Timestamp) -> bool {
    let before = u64::try_from(before.0).unwrap_or(0);
    matches!(keys::parse(key), Some(Name::Call(place)) if place.due < before)
}

fn drop_calls(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    let mut old = Vec::new();
    tx.each(&keys::all_calls(), |key, _| {
        if old.len() >= CARE_ROWS_MAX || !is_call_before(key, before) {
            return Ok(ControlFlow::Break(()));
        }
        old.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    let count = old.len();
    for key in old {
        tx.delete(key);
    }
    Ok(count)
}

fn oldest(view: &View) -> Result<Option<SentId>, Error> {
    let (first, end) = keys::all_sent();
    let mut found = None;
    view.scan(&first, &end, |key, _| {
        if let Some(Name::Sent(id)) = keys::parse(key) {
            found = Some(id);
        }
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn forget(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), Error> {
    let (mut old, mut bytes, mut rows) = (Vec::new(), 0, 0);
    tx.each(&keys::all_sent(), |key, value| {
        let Some(Name::Sent(id)) = keys::parse(key) else {
            return Ok(ControlFlow::Continue(()));
        };
        // Their names ascend by time.
        if id.at() >= before || rows >= CARE_ROWS_MAX || bytes >= CARE_BYTES_MAX {
            return Ok(ControlFlow::Break(()));
        }
        let sent = rows::decode_sent(value, id)?;
        // Of each recipient there may be one more.
        rows += 1 + sent.recipients.len();
        bytes += value.len();
        old.push((key.to_vec(), sent));
        Ok(ControlFlow::Continue(()))
    })?;
    for (key, sent) in old {
        for (fate, _) in tx.scan(&keys::fates(sent.id), sent.recipients.len())? {
            tx.delete(fate);
        }
        if let Some(request) = sent.key {
            tx.delete(keys::request(request));
        }
        tx.delete(key);
    }
    Ok(())
}

fn deliver(
    tx: &mut Tx<'_>,
    parcels: &[Parcel],
    memories: &[Memory],
    new: &NewSent,
) -> Result<Taken, Error> {
    if let Some(key) = new.sent.key
        && let Some(value) = tx.get(&keys::request(key))?
    {
        let (id, request) = rows::decode_request(&value)?;
        let same = request == new.request;
        return Ok(Taken::Before { id, same });
    }
    let last = scripts::send_all(tx, parcels)?.pop().flatten();
    for memory in memories {
        scripts::remember(tx, *memory)?;
    }
    let id = new.sent.id;
    let queued = last.map(|delivered| delivered.queued).unwrap_or_default();
    for (entry, places) in queued.into_iter().zip(&new.places) {
        if places.iter().any(Option::is_some) {
            let followed = Followed {
                id,
                places: places.clone(),
            };
            tx.put(keys::followed(entry), rows::encode_followed(&followed));
        }
    }
    tx.put(keys::sent(id), rows::encode_sent(&new.sent));
    if let Some(key) = new.sent.key {
        tx.put(keys::request(key), rows::encode_request(id, new.request));
    }
    for (place, recipient) in (0..).zip(&new.sent.recipients) {
        if recipient.state != SentState::Queued {
            call(tx, &new.sent, place, recipient)?;
        }
    }
    Ok(Taken::New)
}

/// An attempt is written down, or an entry removed (`gone`). True: a program may be told of it.
pub fn settle(
    tx: &mut Tx<'_>,
    entry: &QueueEntry,
    endings: &[Option<Ending>],
    gone: bool,
) -> Result<bool, Error> {
    let key = keys::followed(entry.id);
    let Some(value) = tx.get(&key)? else {
        return Ok(false);
    };
    let followed = rows::decode_followed(&value)?;
    if gone {
        tx.delete(key);
    }
    let Some(value) = tx.get(&keys::sent(followed.id))? else {
        return Ok(false);
    };
    let sent = rows::decode_sent(&value, followed.id)?;
    let dropped = Ending {
        state: SentState::Bounced,
        hard: false,
        told: REMOVED.to_owned(),
    };
    let mut changed = false;
    for (at, (recipient, place)) in entry.recipients.iter().zip(&followed.places).enumerate() {
        let pending = recipient.state == RecipientState::Pending;
        let ending = match endings.get(at).and_then(Option::as_ref) {
            Some(ending) => ending,
            None if gone && pending => &dropped,
            None => continue,
        };
        let Some(place) = *place else {
            continue;
        };
        let Some(of) = fate(tx, &sent, place)? else {
            continue;
        };
        // Behind an alias it is another address that is wrong.
        if ending.hard && recipient.address.eq_ignore_ascii_case(&of.address) {
            suppress(tx, &of.address, &ending.told);
        }
        changed |= tell(tx, &sent, (place, of), ending)?;
    }
    Ok(changed)
}

/// A recipient with what became of it until now; none at that place.
fn fate(tx: &Tx<'_>, sent: &Sent, place: u32) -> Result<Option<SentRecipient>, Error> {
    if let Some(value) = tx.get(&keys::fate(sent.id, place))? {
        return rows::decode_fate(&value).map(Some);
    }
    Ok(sent.recipients.get(place as usize).cloned())
}

/// Writes down what is news of a recipient, in a row of its own (of one message there are as many as
/// it has recipients), and that it is to be told. False: it is none.
fn tell(
    tx: &mut Tx<'_>,
    sent: &Sent,
    (place, mut of): (u32, SentRecipient),
    ending: &Ending,
) -> Result<bool, Error> {
    if !is_news(of.state, ending.state) {
        return Ok(false);
    }
    of.state = ending.state;
    of.told.clone_from(&ending.told);
    of.at = tx.now();
    tx.put(keys::fate(sent.id, place), rows::encode_fate(&of));
    call(tx, sent, place, &of)?;
    Ok(true)
}

fn later(tx: &mut Tx<'_>, id: SentId, reports: &[Later]) -> Result<bool, Error> {
    let Some(value) = tx.get(&keys::sent(id))? else {
        return Ok(false);
    };
    let sent = rows::decode_sent(&value, id)?;
    let only = sent.recipients.len() == 1;
    let mut changed = false;
    for Later { addresses, ending } in reports {
        for (place, of) in (0..).zip(&sent.recipients) {
            let named = addresses
                .iter()
                .any(|it| it.eq_ignore_ascii_case(&of.address));
            let complaint = ending.state == SentState::Complained;
            if !(named || only) {
                continue;
            }
            let Some(now) = fate(tx, &sent, place)? else {
                continue;
            };
            if !tell(tx, &sent, (place, now), ending)? {
                continue;
            }
            changed = true;
            // Of another address it is not known that this one is wrong.
            if ending.hard && (named || complaint) {
                suppress(tx, &of.address, &ending.told);
            }
        }
    }
    Ok(changed)
}

/// A recipient behind an alias may have several ends: the worst of them stands.
fn is_news(before: SentState, now: SentState) -> bool {
    use SentState::{Bounced, BouncedLater, Complained, Deferred, Delivered, Queued, Suppressed};
    match (before, now) {
        (Queued, Deferred | Delivered | Bounced) | (Deferred, Delivered | Bounced) => true,
        (Delivered, Bounced) => true,
        (Queued | Deferred | Delivered, BouncedLater | Complained) => true,
        (BouncedLater, Complained) => true,
        (Queued | Deferred | Delivered | Bounced, _) => false,
        (Suppressed | BouncedLater | Complained, _) => false,
    }
}

fn suppress(tx: &mut Tx<'_>, address: &str, told: &str) {
    let suppressed = Suppressed {
        address: address.to_lowercase(),
        told: told.to_owned(),
        at: tx.now(),
    };
    let key = keys::suppressed(&suppressed.address);
    tx.put(key, rows::encode_suppressed(&suppressed));
}

/// To be made when the program wants to be told.
fn call(tx: &mut Tx<'_>, sent: &Sent, place: u32, recipient: &SentRecipient) -> Result<(), Error> {
    let Some(value) = tx.get(&keys::program(&sent.program))? else {
        return Ok(());
    };
    if rows::decode_program(&value, sent.program.clone())?
        .hook
        .is_none()
    {
        return Ok(());
    }
    let call = Call {
        place: CallPlace {
            due: u64::try_from(tx.now().0).unwrap_or(0),
            sent: sent.id,
            recipient: place,
            state: rows::sent_state(recipient.state),
        },
        program: sent.program.clone(),
        message_id: sent.message_id.clone(),
        recipient: recipient.clone(),
        attempts: 0,
    };
    tx.put(keys::call(call.place), rows::encode_call(&call));
    Ok(())
}
