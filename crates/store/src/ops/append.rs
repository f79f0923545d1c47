//! New messages: delivery and append.

use std::borrow::Cow;

use crate::keys::{self, Family};
use crate::limits::{KEYWORD_BYTES_MAX, KEYWORDS_MAX, THREAD_KEYS_MAX};
use crate::ops::names::{self, INBOX};
use crate::rows::{self, Record};
use crate::seen::Eyes;
use crate::tx::Tx;
use crate::*;

impl Store {
    /// Fails at once when the disk is full or `size_hint` is over the limit.
    pub fn spool(&self, size_hint: Option<u64>) -> Result<Spool, Error> {
        self.engine.shared.check_open()?;
        let size_max = self.message_bytes_max();
        if size_hint.is_some_and(|size| size > size_max) {
            return Err(Error::TooLarge);
        }
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        Ok(Spool::new(self.engine.clone(), size_max))
    }

    /// One commit for all recipients and queue entries.
    pub async fn deliver(
        &self,
        body: NewBody,
        local: Vec<Delivery>,
        queue: Vec<NewQueueEntry>,
    ) -> Result<Delivered, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        let cost = cost_of(&body, local.len() + queue.len());
        self.engine
            .write(cost, move |tx| deliver_in(tx, &body, &local, &queue))
            .await
    }

    /// All or nothing, in order.
    pub async fn append(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        messages: Vec<(NewBody, NewMessage)>,
    ) -> Result<Vec<Appended>, Error> {
        self.append_in(Place::own(account, mailbox), messages).await
    }

    /// As the viewer of a place, whose \Seen is his own.
    pub async fn append_in(
        &self,
        place: Place,
        messages: Vec<(NewBody, NewMessage)>,
    ) -> Result<Vec<Appended>, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        let cost = messages.iter().map(|(body, _)| cost_of(body, 1)).sum();
        self.engine
            .write(cost, move |tx| {
                tx.state(place.account)?;
                tx.mailbox(place.account, place.mailbox)?;
                let mut appended = Vec::with_capacity(messages.len());
                for (body, message) in &messages {
                    appended.push(add_message(tx, place, body, message)?);
                }
                Ok(appended)
            })
            .await
    }

    /// Puts a message in the place of another, which is expunged, in one step (RFC 8508). The room
    /// of the old one counts as free. It may be in another mailbox; gone already:
    /// [`Error::NoSuchMessage`].
    pub async fn replace(
        &self,
        account: AccountId,
        (from, uid): (MailboxId, Uid),
        to: MailboxId,
        message: (NewBody, NewMessage),
    ) -> Result<Appended, Error> {
        let from = Place::own(account, from);
        let to = Place::own(account, to);
        self.replace_in((from, uid), to, message).await
    }

    /// The same, perhaps in mailboxes of others.
    pub async fn replace_in(
        &self,
        (from, uid): (Place, Uid),
        to: Place,
        (body, message): (NewBody, NewMessage),
    ) -> Result<Appended, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        self.engine
            .write(cost_of(&body, 1), move |tx| {
                tx.state(to.account)?;
                tx.mailbox(from.account, from.mailbox)?;
                tx.mailbox(to.account, to.mailbox)?;
                let uids = [uid].into_iter().collect();
                let old = tx.rows_in(from.account, from.mailbox, &uids)?;
                if old.is_empty() {
                    return Err(Error::NoSuchMessage);
                }
                super::expunge::bury(tx, from.account, from.mailbox, &old)?;
                add_message(tx, to, &body, &message)
            })
            .await
    }
}

/// Bytes that the commit will write, about.
pub fn cost_of(body: &NewBody, copies: usize) -> usize {
    body.body.held_bytes() + copies * (body.facts.len() + 512)
}

pub fn deliver_in(
    tx: &mut Tx<'_>,
    body: &NewBody,
    local: &[Delivery],
    queue: &[NewQueueEntry],
) -> Result<Delivered, Error> {
    let mut delivered = Delivered::default();
    for delivery in local {
        let account = delivery.account;
        let name = names::normalise(&delivery.mailbox);
        let mailbox = match tx.mailbox_id(account, &name)? {
            Some(mailbox) => mailbox,
            None => tx.mailbox_id(account, INBOX)?.ok_or(Error::NoSuchAccount)?,
        };
        let place = Place::own(account, mailbox);
        let message = with_fitting_flags(tx, place, &delivery.message)?;
        let appended = add_message(tx, place, body, &message)?;
        delivered.local.push((account, appended));
    }
    delivered.queued = super::queue::add_entries(tx, body, queue)?;
    Ok(delivered)
}

/// RFC 5232 §5: keywords that the mailbox has no room for are left out of a delivery.
fn with_fitting_flags<'a>(
    tx: &Tx<'_>,
    place: Place,
    message: &'a NewMessage,
) -> Result<Cow<'a, NewMessage>, Error> {
    if message.flags.keywords.is_empty() {
        return Ok(Cow::Borrowed(message));
    }
    let mailbox = tx.mailbox(place.account, place.mailbox)?;
    let mut room = KEYWORDS_MAX.saturating_sub(mailbox.keywords.len());
    let mut message = message.clone();
    message.flags.keywords.retain(|name| {
        let known = mailbox.keywords.iter();
        if known.clone().any(|known| known.eq_ignore_ascii_case(name)) {
            return true;
        }
        let fits = room > 0 && name.len() <= KEYWORD_BYTES_MAX;
        room = room.saturating_sub(usize::from(fits));
        fits
    });
    Ok(Cow::Owned(message))
}

fn add_message(
    tx: &mut Tx<'_>,
    place: Place,
    body: &NewBody,
    message: &NewMessage,
) -> Result<Appended, Error> {
    let Place {
        account, mailbox, ..
    } = place;
    let size = message.prefix.len() as u64 + body.body.size();
    let profile = tx.profile(account)?;
    let used = tx.state(account)?.used_bytes;
    if profile
        .quota_bytes
        .is_some_and(|quota| used.saturating_add(size) > quota)
    {
        return Err(Error::OverQuota);
    }
    tx.add_body(&body.body)?;
    let thread = thread_of(tx, account, &body.thread_keys)?;
    let record = Record {
        save_date: tx.now().seconds(),
        blob: body.body.id(),
        body_size: body.body.size(),
        thread,
        prefix: message.prefix.as_slice().into(),
        facts: body.facts.as_slice().into(),
    };
    let flags = resolve_flags(tx, account, mailbox, &message.flags)?;
    let internal_date = message.internal_date.unwrap_or(tx.now().seconds());
    let mut eyes = Eyes::new(place);
    let row = NewRow {
        flags,
        owner: SystemFlags::default(),
        size,
        internal_date,
    };
    let appended = insert(tx, &mut eyes, &record, row)?;
    eyes.write(tx)?;
    Ok(appended)
}

/// What is known of a row before it has a uid. The flags are those that its viewer sees.
pub struct NewRow {
    pub flags: Flags,
    /// Of these, \Seen is the owner's when the viewer is somebody else.
    pub owner: SystemFlags,
    pub size: u64,
    pub internal_date: i64,
}

/// Puts a row and its record into a mailbox under the next uid, and counts it.
pub fn insert(
    tx: &mut Tx<'_>,
    eyes: &mut Eyes,
    record: &Record,
    new: NewRow,
) -> Result<Appended, Error> {
    let Place {
        account, mailbox, ..
    } = eyes.place();
    let mut target = tx.mailbox(account, mailbox)?;
    let modseq = tx.modseq(account)?;
    let uid = target.uid_next;
    // A mailbox that used up its uids (RFC 9051 §2.3.1.1: 32 bits) takes no more.
    target.uid_next = Uid(uid.0.checked_add(1).ok_or(Error::OverQuota)?);
    let row = Row {
        uid,
        flags: eyes.keep(tx, uid, new.flags, new.owner)?,
        modseq,
        size: new.size,
        internal_date: new.internal_date,
    };
    count(&mut target, &row, 1);
    target.highest_modseq = modseq;
    tx.put_mailbox(account, &target);
    let mut state = tx.state(account)?;
    state.messages += 1;
    state.used_bytes += new.size;
    tx.put_state(account, &state);
    tx.put_row(account, mailbox, &row);
    let key = keys::message(account, Family::Record, mailbox, uid);
    tx.put(key, record.encode());
    tx.change(account, mailbox).added.push(uid);
    Ok(Appended {
        mailbox,
        uid_validity: target.uid_validity,
        uid,
        modseq,
    })
}

/// Adds a row to the mailbox's counters, or with -1 takes it out.
pub fn count(mailbox: &mut Mailbox, row: &Row, sign: i64) {
    let add = |counter: &mut u32, counts: bool| {
        if counts {
            let new = i64::from(*counter) + sign;
            *counter = u32::try_from(new.max(0)).unwrap_or(u32::MAX);
        }
    };
    add(&mut mailbox.messages, true);
    add(
        &mut mailbox.unseen,
        !row.flags.system.contains(SystemFlags::SEEN),
    );
    add(
        &mut mailbox.deleted,
        row.flags.system.contains(SystemFlags::DELETED),
    );
    mailbox.size = if sign > 0 {
        mailbox.size.saturating_add(row.size)
    } else {
        mailbox.size.saturating_sub(row.size)
    };
}

/// Names to bits; a new keyword takes the mailbox's next bit.
pub fn resolve_flags(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    names: &FlagNames,
) -> Result<Flags, Error> {
    let mut flags = Flags {
        system: names.system,
        keywords: 0,
    };
    if names.keywords.is_empty() {
        return Ok(flags);
    }
    let mut target = tx.mailbox(account, mailbox)?;
    let mut keywords = target.keywords.to_vec();
    for name in &names.keywords {
        // RFC 9051 §2.3.2: keywords do not differ by case.
        let known = keywords.iter().position(|k| k.eq_ignore_ascii_case(name));
        let bit = match known {
            Some(bit) => bit,
            None if keywords.len() >= KEYWORDS_MAX || name.len() > KEYWORD_BYTES_MAX => {
                return Err(Error::TooManyKeywords);
            }
            None => {
                keywords.push(name.clone());
                keywords.len() - 1
            }
        };
        flags.keywords |= 1 << bit;
    }
    if keywords.len() != target.keywords.len() {
        target.keywords = keywords.into();
        tx.record_change(account, mailbox, RecordChange::Updated)?;
        tx.put_mailbox(account, &target);
    }
    Ok(flags)
}

/// The thread of the first key that has one, else a new one; all keys lead to it from now on.
pub fn thread_of(
    tx: &mut Tx<'_>,
    account: AccountId,
    thread_keys: &[u64],
) -> Result<ThreadId, Error> {
    let wanted = thread_keys.get(..THREAD_KEYS_MAX).unwrap_or(thread_keys);
    let mut missing = Vec::new();
    let mut found = None;
    for key in wanted {
        let key = keys::thread(account, *key);
        match tx.get(&key)? {
            Some(value) => found = found.or(Some(rows::decode_thread(&value)?)),
            None => missing.push(key),
        }
    }
    let thread = match found {
        Some(thread) => thread,
        None => {
            let mut state = tx.state(account)?;
            state.last_thread += 1;
            tx.put_state(account, &state);
            ThreadId(state.last_thread)
        }
    };
    for key in missing {
        tx.put(key, rows::encode_thread(thread));
    }
    Ok(thread)
}
