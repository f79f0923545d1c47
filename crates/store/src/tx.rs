//! A transaction: `get`, `scan`, `put`, `delete` on ordered byte keys, over what the group's
//! earlier transactions did and what the index holds. A closure that fails leaves nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::engine::Shared;
use crate::index::{Edit, Overlay, View};
use crate::journal::{Appender, Group, Position};
use crate::keys::{self, Family, Span};
use crate::limits::SWEEPS_MAX;
use crate::rows::{self, Blob, Chunk, Global, Profile, Record, State};
use crate::spool::{Body, Packed, Piece};
use crate::sweep::{Sweep, Sweeps};
use crate::*;

/// The final edits of a group.
#[derive(Debug, Default)]
pub struct Edits {
    /// By key.
    pub rows: BTreeMap<Vec<u8>, Edit>,
    pub sweeps: Sweeps,
}

impl Edits {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.sweeps.is_empty()
    }

    /// For the journal. The rows first: a sweep is for those that are there.
    pub fn redo(&self) -> Vec<u8> {
        let rows = self.rows.iter();
        let mut redo = rows::encode_redo(rows.map(|(key, edit)| (key.as_slice(), edit.as_deref())));
        for (key, value) in self.sweeps.iter().map(|sweep| sweep.redo()) {
            redo.extend(rows::encode_redo(
                [(&key[..], Some(&value[..]))].into_iter(),
            ));
        }
        redo
    }
}
#[cfg(test)]
impl FromIterator<(Vec<u8>, Edit)> for Edits {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Edit)>>(rows: I) -> Self {
        Edits {
            rows: rows.into_iter().collect(),
            sweeps: Sweeps::default(),
        }
    }
}

/// A row as a scan gives it.
pub type KeyValue = (Vec<u8>, Vec<u8>);

type MailboxChanges = BTreeMap<MailboxId, MailboxChange>;

#[derive(Debug)]
pub struct Tx<'a> {
    shared: &'a Shared,
    view: &'a View,
    edits: &'a mut Edits,
    appender: &'a Appender,
    group: &'a mut Group,
    group_mark: usize,
    dump: &'a mut Vec<u8>,
    dump_mark: usize,
    /// What stood there before; `None`: nothing did, the group begins with this transaction.
    undo: Option<Vec<(Vec<u8>, Option<Edit>)>>,
    sweeps_mark: usize,
    changes: BTreeMap<AccountId, (ModSeq, MailboxChanges)>,
    now: Timestamp,
    /// Bytes of bodies that nobody has any more.
    freed: u64,
}

impl<'a> Tx<'a> {
    pub fn new(
        shared: &'a Shared,
        view: &'a View,
        edits: &'a mut Edits,
        appender: &'a Appender,
        group: &'a mut Group,
        dump: &'a mut Vec<u8>,
        now: Timestamp,
    ) -> Self {
        let (group_mark, dump_mark) = (group.len(), dump.len());
        let sweeps_mark = edits.sweeps.len();
        let undo = (!edits.is_empty()).then(Vec::new);
        Tx {
            shared,
            view,
            edits,
            appender,
            group,
            group_mark,
            dump,
            dump_mark,
            undo,
            sweeps_mark,
            changes: BTreeMap::new(),
            now,
            freed: 0,
        }
    }

    /// Bytes of bodies that the transaction let go of.
    pub fn freed(&self) -> u64 {
        self.freed
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = match self.edits.rows.get(key) {
            Some(edit) => edit.clone(),
            None => self.view.get(key)?,
        };
        let Some(value) = value else {
            return Ok(None);
        };
        self.edits.sweeps.over(key, value).map(Some)
    }

    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.edit(key, Some(value));
    }

    pub fn delete(&mut self, key: Vec<u8>) {
        self.edit(key, None);
    }

    fn edit(&mut self, key: Vec<u8>, edit: Edit) {
        let Some(undo) = &mut self.undo else {
            self.edits.rows.insert(key, edit);
            return;
        };
        let before = match self.edits.rows.entry(key.clone()) {
            Entry::Occupied(mut entry) => Some(entry.insert(edit)),
            Entry::Vacant(entry) => {
                entry.insert(edit);
                None
            }
        };
        undo.push((key, before));
    }

    /// At most `max` rows of a span, ascending.
    pub fn scan(&self, span: &Span, max: usize) -> Result<Vec<KeyValue>, Error> {
        let mut found: Vec<KeyValue> = Vec::new();
        if max == 0 {
            return Ok(found);
        }
        self.each(span, |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(match found.len() < max {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })?;
        Ok(found)
    }

    /// The rows of a span, ascending, until `each` breaks.
    pub fn each(
        &self,
        (first, end): &Span,
        each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        if first >= end {
            return Ok(());
        }
        let edits = self.edits.rows.range(first.clone()..end.clone());
        let mut overlay = Overlay::new(edits, self.edits.sweeps.before(each));
        let mut broken = false;
        self.view.scan(first, end, |key, value| {
            let flow = overlay.row(key, value)?;
            broken = flow.is_break();
            Ok(flow)
        })?;
        match broken {
            true => Ok(()),
            false => overlay.rest(),
        }
    }

    /// Ends the closure well: writes the change log. The edits stay in the group.
    pub fn write_changes(&mut self) -> Result<(), Error> {
        for (account, (modseq, mailboxes)) in std::mem::take(&mut self.changes) {
            let change = Change {
                modseq,
                at: self.now,
                mailboxes: mailboxes.into_values().collect(),
            };
            self.put(keys::log(account, modseq), rows::encode_change(&change));
        }
        Ok(())
    }

    /// Takes back everything that the closure did.
    pub fn roll_back(self) {
        match self.undo {
            None => self.edits.rows.clear(),
            Some(undo) => {
                for (key, before) in undo.into_iter().rev() {
                    match before {
                        Some(edit) => self.edits.rows.insert(key, edit),
                        None => self.edits.rows.remove(&key),
                    };
                }
            }
        }
        self.edits.sweeps.truncate(self.sweeps_mark);
        self.group.truncate(self.group_mark);
        self.dump.truncate(self.dump_mark);
    }

    /// Writes rows as they are to the journal alone, for a checkpoint.
    pub fn dump(&mut self, rows: &[KeyValue]) {
        let rows = rows.iter();
        let redo = rows.map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
        self.dump.extend_from_slice(&rows::encode_redo(redo));
    }

    /// Writes a chunk of a body again, unless it is not at its old place any more.
    pub fn move_chunk(
        &mut self,
        id: BlobId,
        at: usize,
        from: Position,
        to: &Packed,
    ) -> Result<(), Error> {
        let Some(mut blob) = self.blob(id)? else {
            return Ok(());
        };
        if let Some(chunk) = blob.chunks.get_mut(at)
            && chunk.position == from
        {
            *chunk = to.add_to(self.appender, self.group);
            self.put(keys::blob(id), blob.encode());
        }
        Ok(())
    }

    // Typed rows.

    pub fn global(&self) -> Result<Global, Error> {
        match self.get(keys::GLOBAL)? {
            Some(value) => Global::decode(&value),
            None => Ok(Global::default()),
        }
    }

    pub fn put_global(&mut self, global: &Global) {
        self.put(keys::GLOBAL.to_vec(), global.encode());
    }

    pub fn profile(&self, account: AccountId) -> Result<Profile, Error> {
        let value = self.get(&keys::profile(account))?;
        Profile::decode(&value.ok_or(Error::NoSuchAccount)?)
    }

    pub fn state(&self, account: AccountId) -> Result<State, Error> {
        let value = self.get(&keys::state(account))?;
        State::decode(&value.ok_or(Error::NoSuchAccount)?)
    }

    pub fn put_state(&mut self, account: AccountId, state: &State) {
        self.put(keys::state(account), state.encode());
    }

    pub fn mailbox(&self, account: AccountId, id: MailboxId) -> Result<Mailbox, Error> {
        let value = self.get(&keys::mailbox(account, id))?;
        rows::decode_mailbox(&value.ok_or(Error::NoSuchMailbox)?, id)
    }

    pub fn put_mailbox(&mut self, account: AccountId, mailbox: &Mailbox) {
        let key = keys::mailbox(account, mailbox.id);
        self.put(key, rows::encode_mailbox(mailbox));
    }

    pub fn mailbox_id(&self, account: AccountId, name: &str) -> Result<Option<MailboxId>, Error> {
        let value = self.get(&keys::name(account, name))?;
        value
            .map(|value| rows::decode_mailbox_id(&value))
            .transpose()
    }

    pub fn put_row(&mut self, account: AccountId, mailbox: MailboxId, row: &Row) {
        let key = keys::message(account, Family::Row, mailbox, row.uid);
        self.put(key, rows::encode_row(row));
    }

    /// As [`Tx::put_row`] for many, uids ascending.
    pub fn put_rows(&mut self, account: AccountId, mailbox: MailboxId, rows: &[Row]) {
        if self.undo.is_some() {
            return rows
                .iter()
                .for_each(|row| self.put_row(account, mailbox, row));
        }
        // A tree of sorted keys is made in one go, and so are two in one.
        let edits = rows.iter().map(|row| {
            let key = keys::message(account, Family::Row, mailbox, row.uid);
            (key, Some(rows::encode_row(row)))
        });
        self.edits.rows.append(&mut edits.collect());
    }

    /// Writes rows, uids ascending, that a sweep makes of what is there: as that sweep when they are
    /// many. No row of them was written in this transaction before.
    pub fn put_swept(&mut self, sweep: Sweep, rows: &[Row]) {
        let waiting = self.view.sweeps().len() + self.edits.sweeps.len();
        if rows.len() < self.shared.options.sweep_rows_min || waiting >= SWEEPS_MAX {
            return self.put_rows(sweep.account, sweep.mailbox, rows);
        }
        self.edits.sweeps.push(Arc::new(sweep));
    }

    pub fn record(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Record, Error> {
        let value = self.get(&keys::message(account, Family::Record, mailbox, uid))?;
        Record::decode(&value.ok_or(Error::NoSuchMessage)?)
    }

    /// The existing rows of a mailbox whose uids are in the set, ascending. Walks over what
    /// exists, never over the numbers of the set. A mailbox that is in memory is read there: its
    /// picture is what the view shows, since the thread of this transaction refreshes both.
    pub fn rows_in(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
    ) -> Result<Vec<Row>, Error> {
        let (first, end) = keys::whole_mailbox(account, Family::Row, mailbox);
        let is_edited = self.edits.rows.range(first..end).next().is_some();
        let picture = self.shared.cache.ready(account, mailbox);
        if let Some(picture) = picture.filter(|_| !is_edited) {
            let ranges = uids.ranges().iter();
            let rows = ranges.flat_map(|(first, last)| picture.range(Uid(*first), Uid(*last)));
            let mut rows: Vec<Row> = rows.collect();
            self.edits.sweeps.lay_on(account, mailbox, &mut rows);
            return Ok(rows);
        }
        let mut found = Vec::new();
        for (first, last) in uids.ranges() {
            let first = keys::message(account, Family::Row, mailbox, Uid(*first));
            let end = keys::after(&keys::message(account, Family::Row, mailbox, Uid(*last)));
            self.each(&(first, end), |key, value| {
                found.push(rows::decode_row(value, uid_of(key)?)?);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(found)
    }

    // The change log.

    /// The modseq of this transaction in the account: the next one, taken once.
    pub fn modseq(&mut self, account: AccountId) -> Result<ModSeq, Error> {
        if let Some((modseq, _)) = self.changes.get(&account) {
            return Ok(*modseq);
        }
        let mut state = self.state(account)?;
        state.highest_modseq.0 += 1;
        self.put_state(account, &state);
        let modseq = state.highest_modseq;
        self.changes.insert(account, (modseq, BTreeMap::new()));
        Ok(modseq)
    }

    /// The entry of a mailbox in this transaction's change; call [`Tx::modseq`] first.
    pub fn change(&mut self, account: AccountId, mailbox: MailboxId) -> &mut MailboxChange {
        let (_, mailboxes) = self.changes.entry(account).or_default();
        mailboxes.entry(mailbox).or_insert_with(|| MailboxChange {
            mailbox,
            record: None,
            added: UidSet::default(),
            updated: UidSet::default(),
            expunged: UidSet::default(),
        })
    }

    /// Notes that a mailbox record changed, unless more is noted already.
    pub fn record_change(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        change: RecordChange,
    ) -> Result<ModSeq, Error> {
        let modseq = self.modseq(account)?;
        let noted = &mut self.change(account, mailbox).record;
        if change != RecordChange::Updated || noted.is_none() {
            *noted = Some(change);
        }
        Ok(modseq)
    }

    // Bodies.

    fn blob(&self, id: BlobId) -> Result<Option<Blob>, Error> {
        let value = self.get(&keys::blob(id))?;
        value.map(|value| Blob::decode(&value)).transpose()
    }

    /// One more message or queue entry has this body; its bytes are written when it is new.
    pub fn add_body(&mut self, body: &Body) -> Result<(), Error> {
        let blob = match self.blob(body.id())? {
            Some(mut blob) => {
                blob.references += 1;
                blob
            }
            None => Blob {
                references: 1,
                size: body.size(),
                chunks: body
                    .pieces()
                    .iter()
                    .map(|piece| self.place(piece))
                    .collect(),
            },
        };
        self.put(keys::blob(body.id()), blob.encode());
        Ok(())
    }

    fn place(&mut self, piece: &Piece) -> Chunk {
        match piece {
            Piece::Stored(chunk, _) => *chunk,
            Piece::Held(packed) => packed.add_to(self.appender, self.group),
        }
    }

    /// One more message has a body that is there already.
    pub fn keep_blob(&mut self, id: BlobId) -> Result<(), Error> {
        let mut blob = self.blob(id)?.ok_or_else(|| missing_blob(id))?;
        blob.references += 1;
        self.put(keys::blob(id), blob.encode());
        Ok(())
    }

    /// One message or queue entry fewer has this body; the last one takes it along.
    pub fn drop_blob(&mut self, id: BlobId) -> Result<(), Error> {
        let mut blob = self.blob(id)?.ok_or_else(|| missing_blob(id))?;
        blob.references = blob.references.saturating_sub(1);
        if blob.references == 0 {
            self.freed += blob
                .chunks
                .iter()
                .map(|chunk| u64::from(chunk.stored))
                .sum::<u64>();
            self.delete(keys::blob(id));
        } else {
            self.put(keys::blob(id), blob.encode());
        }
        Ok(())
    }
}

pub fn missing_blob(id: BlobId) -> Error {
    let hex: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    Error::Damaged {
        place: index::INDEX_FILE.to_owned(),
        what: format!("body {hex} is missing"),
    }
}

/// The uid at the end of a key of Row, Record or Tombstone.
pub fn uid_of(key: &[u8]) -> Result<Uid, Error> {
    let bytes = key.last_chunk::<4>().ok_or_else(|| Error::Damaged {
        place: index::INDEX_FILE.to_owned(),
        what: "a key is too short".to_owned(),
    })?;
    Ok(Uid(u32::from_be_bytes(*bytes)))
}
