//! Reading mailboxes, messages and bodies.

use std::ops::{ControlFlow, Range};

use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::limits::{CHUNK_BYTES_MAX, MESSAGES_STEP_ROWS};
use crate::rows::{self, Blob, Record};
use crate::seen::SeenSet;
use crate::spool::Piece;
use crate::tx::{missing_blob, uid_of};
use crate::*;

impl Store {
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, Error> {
        let view = self.view()?;
        check_account(&view, account)?;
        let (first, end) = keys::whole_family(account, Family::Mailbox);
        let mut mailboxes = Vec::new();
        view.scan(&first, &end, |key, value| {
            if let Some(Name::Account(_, _, rest)) = keys::parse(key)
                && let Some(id) = keys::mailbox_id(rest)
            {
                mailboxes.push(rows::decode_mailbox(value, id)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(mailboxes)
    }

    pub fn mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<Mailbox>, Error> {
        let value = self.view()?.get(&keys::mailbox(account, mailbox))?;
        value
            .map(|value| rows::decode_mailbox(&value, mailbox))
            .transpose()
    }

    pub fn mailbox_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, Error> {
        let view = self.view()?;
        let name = super::names::normalise(name);
        let Some(id) = view.get(&keys::name(account, &name))? else {
            return Ok(None);
        };
        let id = rows::decode_mailbox_id(&id)?;
        let value = view.get(&keys::mailbox(account, id))?;
        value
            .map(|value| rows::decode_mailbox(&value, id))
            .transpose()
    }

    /// From the shared cache when warm.
    pub fn index(&self, account: AccountId, mailbox: MailboxId) -> Result<Index, Error> {
        let shared = &self.engine.shared;
        shared.check_open()?;
        shared.cache.get(account, mailbox, &shared.index)
    }

    /// As its viewer sees it.
    pub fn index_in(&self, place: Place) -> Result<Index, Error> {
        let index = self.index(place.account, place.mailbox)?;
        if place.is_own() {
            return Ok(index);
        }
        // Read after the rows: never older than they are.
        let seen = SeenSet::load(&self.view()?, place)?;
        Ok(index.seen_by(seen))
    }

    pub fn message(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<Message>, Error> {
        let view = self.view()?;
        let row = view.get(&keys::message(account, Family::Row, mailbox, uid))?;
        let record = view.get(&keys::message(account, Family::Record, mailbox, uid))?;
        match (row, record) {
            (Some(row), Some(record)) if is_live(&view, account, mailbox)? => {
                let row = rows::decode_row(&row, uid)?;
                Ok(Some(Record::decode(&record)?.message(row)))
            }
            _ => Ok(None),
        }
    }

    /// Many messages at once from one picture of the index (envelopes of a whole mailbox).
    /// `each` gets them by ascending uid and stops with false.
    pub fn messages(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        each: &mut dyn FnMut(Message) -> bool,
    ) -> Result<(), Error> {
        let bodies = self.bodies()?;
        bodies.messages(account, mailbox, uids, &mut |message| {
            each(message.to_owned())
        })
    }

    /// Part of a body as it was received, appended to `out`; blocking, at most `range.len()` bytes
    /// and a chunk held (ask in pieces of 64 KiB). A range past the end gives what there is.
    pub fn read_body(
        &self,
        blob: BlobId,
        range: Range<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.bodies()?.read(blob, range, out)
    }

    /// The same when the body's bytes need not come from the disk; the index is looked up as ever.
    /// False: read it the other way, `out` is as it was.
    pub fn read_body_cached(
        &self,
        blob: BlobId,
        range: Range<u64>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let start = out.len();
        let done = self.bodies()?.read_range(blob, &range, out, Wait::No);
        if !matches!(done, Ok(true)) {
            out.truncate(start);
        }
        done
    }

    /// Bytes of a body that no message has yet. May wait for the disk.
    pub fn read_new_body(
        &self,
        body: &Body,
        range: Range<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let end = range.end.min(body.size());
        let mut at = range.start;
        while at < end {
            let number = usize::try_from(at / CHUNK_BYTES_MAX as u64);
            let within = (at % CHUNK_BYTES_MAX as u64) as usize;
            let piece = number.ok().and_then(|number| body.pieces().get(number));
            let start = out.len();
            match piece.ok_or_else(|| missing_blob(body.id()))? {
                Piece::Held(packed) => packed.unpack_into(out)?,
                Piece::Stored(chunk, _) => {
                    let segments = &self.engine.shared.segments;
                    segments.read_chunk(chunk.position, chunk.stored, out)?;
                }
            }
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
            let stop = within.saturating_add(wanted).min(out.len() - start);
            if stop <= within {
                return Err(missing_blob(body.id()));
            }
            out.truncate(start + stop);
            out.drain(start..start + within);
            at += (stop - within) as u64;
        }
        Ok(())
    }

    /// For reading many bodies.
    pub fn bodies(&self) -> Result<Bodies<'_>, Error> {
        Ok(Bodies {
            view: self.view()?,
            store: self,
        })
    }
}

/// The next rows of a range of uids.
fn some_rows(
    view: &View,
    account: AccountId,
    mailbox: MailboxId,
    (first, last): (Uid, Uid),
) -> Result<Vec<Row>, Error> {
    let first = keys::message(account, Family::Row, mailbox, first);
    let last = keys::message(account, Family::Row, mailbox, last);
    let mut rows = Vec::new();
    view.scan(&first, &keys::after(&last), |key, value| {
        rows.push(rows::decode_row(value, uid_of(key)?)?);
        Ok(match rows.len() < MESSAGES_STEP_ROWS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    Ok(rows)
}

/// Reads the records that belong to rows, as many as there are; `None`: `each` wants no more.
fn with_records(
    view: &View,
    account: AccountId,
    mailbox: MailboxId,
    rows: &[Row],
    each: &mut dyn FnMut(Message<&[u8]>) -> bool,
) -> Result<Option<usize>, Error> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(Some(0));
    };
    let first = keys::message(account, Family::Record, mailbox, first.uid);
    let last = keys::message(account, Family::Record, mailbox, last.uid);
    let mut rows = rows.iter().peekable();
    let mut given = Some(0);
    view.scan(&first, &keys::after(&last), |key, value| {
        let uid = uid_of(key)?;
        while rows.next_if(|row| row.uid < uid).is_some() {}
        // Records of expunged messages have no row and are passed over.
        let Some(row) = rows.next_if(|row| row.uid == uid) else {
            return Ok(ControlFlow::Continue(()));
        };
        let more = each(Record::read(value)?.message(*row));
        given = given.filter(|_| more).map(|given| given + 1);
        Ok(match more {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    Ok(given)
}

/// Reads messages and bodies from one picture of the index. Short-lived: what the picture holds is not freed.
#[derive(Debug)]
pub struct Bodies<'a> {
    store: &'a Store,
    view: View,
}

impl Bodies<'_> {
    pub fn store(&self) -> &Store {
        self.store
    }

    /// As [`Store::messages`], without a copy of what is read.
    pub fn messages(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        each: &mut dyn FnMut(Message<&[u8]>) -> bool,
    ) -> Result<(), Error> {
        let view = &self.view;
        if !is_live(view, account, mailbox)? {
            return Err(Error::NoSuchMailbox);
        }
        for (first, last) in uids.ranges() {
            let mut from = *first;
            loop {
                let rows = some_rows(view, account, mailbox, (Uid(from), Uid(*last)))?;
                let Some(end) = rows.last() else {
                    break;
                };
                match with_records(view, account, mailbox, &rows, each)? {
                    None => return Ok(()),
                    Some(given) if given < rows.len() => return Err(Error::NoSuchMessage),
                    Some(_) => {}
                }
                match end.uid.0.checked_add(1) {
                    Some(next) if next <= *last => from = next,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// The same of rows that the caller has, ascending, from [`Store::index`]. What was expunged
    /// meanwhile is given all the same while it is kept, and then passed over.
    pub fn messages_of(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        rows: &[Row],
        each: &mut dyn FnMut(Message<&[u8]>) -> bool,
    ) -> Result<(), Error> {
        if !is_live(&self.view, account, mailbox)? {
            return Err(Error::NoSuchMailbox);
        }
        let follows = |one: &Row, next: &Row| one.uid.0.checked_add(1) == Some(next.uid.0);
        for run in rows.chunk_by(follows) {
            if with_records(&self.view, account, mailbox, run, each)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// As [`Store::read_body`].
    pub fn read(&self, blob: BlobId, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        match self.read_range(blob, &range, out, Wait::Yes) {
            // The compactor may have moved the chunks between our look at the index and now.
            Err(Error::Disk(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                out.truncate(start);
                let now = self.store.bodies()?;
                now.read_range(blob, &range, out, Wait::Yes)?;
            }
            result => {
                result?;
            }
        }
        Ok(())
    }

    fn read_range(
        &self,
        id: BlobId,
        range: &Range<u64>,
        out: &mut Vec<u8>,
        wait: Wait,
    ) -> Result<bool, Error> {
        let value = self.view.get(&keys::blob(id))?;
        let blob = Blob::decode(&value.ok_or_else(|| missing_blob(id))?)?;
        let segments = &self.store.engine.shared.segments;
        let end = range.end.min(blob.size);
        let mut at = range.start;
        while at < end {
            let number = at / CHUNK_BYTES_MAX as u64;
            let within = (at % CHUNK_BYTES_MAX as u64) as usize;
            let chunk = usize::try_from(number)
                .ok()
                .and_then(|n| blob.chunks.get(n));
            let chunk = chunk.ok_or_else(|| missing_blob(id))?;
            let start = out.len();
            match wait {
                Wait::Yes => segments.read_chunk(chunk.position, chunk.stored, out)?,
                Wait::No if segments.read_chunk_cached(chunk.position, chunk.stored, out)? => {}
                Wait::No => return Ok(false),
            }
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
            let stop = within.saturating_add(wanted).min(out.len() - start);
            if stop <= within {
                return Err(missing_blob(id));
            }
            out.truncate(start + stop);
            out.drain(start..start + within);
            at += (stop - within) as u64;
        }
        Ok(true)
    }
}

/// May a read wait for the disk?
#[derive(Clone, Copy)]
enum Wait {
    Yes,
    No,
}

pub fn check_account(view: &View, account: AccountId) -> Result<(), Error> {
    match view.get(&keys::profile(account))? {
        Some(_) => Ok(()),
        None => Err(Error::NoSuchAccount),
    }
}

/// The mailbox is there and not deleted.
pub fn is_live(view: &View, account: AccountId, mailbox: MailboxId) -> Result<bool, Error> {
    Ok(view.get(&keys::mailbox(account, mailbox))?.is_some())
}
