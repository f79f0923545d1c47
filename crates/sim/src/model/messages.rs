//! Making, copying, moving, flagging, deleting and bringing back messages.

use std::sync::Arc;

use facteur_store::QueueGroup;
use facteur_store::{
    AccountId, Appended, Copied, Delivered, Edited, Error, FlagEdit, FlagNames, FlagScope, Flags,
    MailboxId, Message, ModSeq, NewMessage, NewQueueEntry, Place, QueueId, RecordChange, Row,
    SystemFlags, ThreadId, Timestamp, Uid, UidSet,
};

use super::mailboxes::tombstone;
use super::{AccountState, Body, Entry, MailboxState, Model};

/// RFC 9051 leaves the number to the server.
const KEYWORDS_MAX: usize = 128;

/// One local recipient: account, mailbox name, copy.
pub type Recipient = (AccountId, String, NewMessage);

impl MailboxState {
    /// The names' own bits in this mailbox, new ones made.
    fn flags(&mut self, names: &FlagNames, entry: &mut Entry) -> Result<Flags, Error> {
        let mut flags = Flags {
            system: names.system,
            keywords: 0,
        };
        for name in &names.keywords {
            let known = self
                .keywords
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name));
            let bit = match known {
                Some(bit) => bit,
                None if self.keywords.len() >= KEYWORDS_MAX => return Err(Error::TooManyKeywords),
                None => {
                    self.keywords.push(name.clone());
                    entry.record(self.id, RecordChange::Updated);
                    self.keywords.len() - 1
                }
            };
            flags.keywords |= 1 << bit;
        }
        Ok(flags)
    }

    fn names(&self, flags: Flags) -> FlagNames {
        let named = self.keywords.iter().enumerate();
        let own = named.filter(|(bit, _)| flags.keywords >> bit & 1 == 1);
        FlagNames {
            system: flags.system,
            keywords: own.map(|(_, name)| name.clone()).collect(),
        }
    }

    /// Gives the message the next uid and the transaction's modseq.
    fn add(&mut self, mut message: Message, entry: &mut Entry) -> Appended {
        let uid = self.uid_next;
        self.uid_next = Uid(uid.0 + 1);
        message.row.uid = uid;
        message.row.modseq = entry.modseq;
        self.messages.insert(uid, message);
        entry.added(self.id, uid);
        Appended {
            mailbox: self.id,
            uid_validity: self.uid_validity,
            uid,
            modseq: entry.modseq,
        }
    }
}

impl AccountState {
    fn append(
        &mut self,
        place: Place,
        body: &Body,
        new: &NewMessage,
        entry: &mut Entry,
        now: Timestamp,
    ) -> Result<Appended, Error> {
        let size = (new.prefix.len() + body.bytes.len()) as u64;
        let used = self.account().used_bytes + size;
        if self.record.quota_bytes.is_some_and(|quota| used > quota) {
            return Err(Error::OverQuota);
        }
        let mailbox = self.mailbox_mut(place.mailbox)?;
        let uid = mailbox.uid_next;
        let flags = mailbox.flags(&new.flags, entry)?;
        let flags = self.kept(place, uid, flags, SystemFlags::default());
        let row = Row {
            uid: Uid(0),
            flags,
            modseq: ModSeq(0),
            size,
            internal_date: new.internal_date.unwrap_or(now.seconds()),
        };
        let message = Message {
            row,
            save_date: now.seconds(),
            blob: body.id,
            prefix: Arc::from(new.prefix.as_slice()),
            body_size: body.bytes.len() as u64,
            facts: body.facts.clone(),
            thread: ThreadId(0),
        };
        Ok(self.mailbox_mut(place.mailbox)?.add(message, entry))
    }

    /// A copy in another mailbox (or the same): keywords by name, the dates of RFC 9051 §6.4.7 and
    /// RFC 8514.
    fn copy(
        &mut self,
        (message, owner): (&Message, SystemFlags),
        names: &FlagNames,
        place: Place,
        entry: &mut Entry,
        now: Timestamp,
    ) -> Result<Appended, Error> {
        let to = self.mailbox_mut(place.mailbox)?;
        let uid = to.uid_next;
        let flags = to.flags(names, entry)?;
        let flags = self.kept(place, uid, flags, owner);
        let row = Row {
            flags,
            ..message.row
        };
        let copy = Message {
            row,
            save_date: now.seconds(),
            ..message.clone()
        };
        Ok(self.mailbox_mut(place.mailbox)?.add(copy, entry))
    }

    pub(super) fn move_all(
        &mut self,
        from: MailboxId,
        to: MailboxId,
        entry: &mut Entry,
        now: Timestamp,
    ) {
        let all = UidSet::from_ranges([(1, u32::MAX)]);
        let place = |mailbox| Place::own(self.record.id, mailbox);
        let (from, to) = (place(from), place(to));
        let moved = self.move_messages(from, &all, to, FlagScope::ALL, entry, now);
        moved.unwrap_or_else(|error| panic!("moving all messages: {error}"));
    }

    fn move_messages(
        &mut self,
        from: Place,
        uids: &UidSet,
        to: Place,
        scope: FlagScope,
        entry: &mut Entry,
        now: Timestamp,
    ) -> Result<Vec<(Uid, Uid)>, Error> {
        let mut pairs = Vec::new();
        for (message, names) in self.selected(from, uids)? {
            let names = scope.limit(names);
            let owner = message.row.flags.system;
            let copy = self.copy((&message, owner), &names, to, entry, now)?;
            let source = self.mailbox_mut(from.mailbox)?;
            source.messages.remove(&message.row.uid);
            entry.expunged(from.mailbox, message.row.uid);
            pairs.push((message.row.uid, copy.uid));
        }
        self.carry(from.mailbox, to.mailbox, &pairs, to.viewer);
        Ok(pairs)
    }

    /// The messages of the set that exist, with their flags by name as the viewer sees them.
    fn selected(&self, place: Place, uids: &UidSet) -> Result<Vec<(Message, FlagNames)>, Error> {
        let mailbox = self.mailbox(place.mailbox)?;
        let all = mailbox
            .messages
            .values()
            .filter(|message| uids.contains(message.row.uid));
        Ok(all
            .map(|message| {
                let flags = self.shown(place, message.row.uid, message.row.flags);
                (message.clone(), mailbox.names(flags))
            })
            .collect())
    }
}

impl Model {
    /// `queued`: the ids that the store gave to the new queue entries, in order.
    pub fn deliver(
        &mut self,
        body: &Body,
        local: &[Recipient],
        queue: &[NewQueueEntry],
        queued: &[QueueId],
        now: Timestamp,
    ) -> Result<Delivered, Error> {
        self.transact(|model| {
            model.keep_body(body);
            let mut done = Delivered::default();
            let mut entries: Vec<(AccountId, Entry)> = Vec::new();
            for (account, name, new) in local {
                let state = model.state_mut(*account)?;
                let own = entries.iter().position(|(other, _)| other == account);
                let own = own.unwrap_or_else(|| {
                    entries.push((*account, state.begin()));
                    entries.len() - 1
                });
                let entry = &mut entries[own].1;
                let to = state.by_name(name).or_else(|| state.by_name("INBOX"));
                let to = to.ok_or(Error::NoSuchMailbox)?.id;
                done.local.push((
                    *account,
                    state.append(Place::own(*account, to), body, new, entry, now)?,
                ));
            }
            for (account, entry) in entries {
                model.state_mut(account)?.end(entry, now);
            }
            let group = QueueGroup {
                first: queued.first().copied().unwrap_or_default(),
                count: queue.len() as u32,
            };
            for (index, new) in queue.iter().enumerate() {
                let id = queued.get(index).copied();
                let id = id.unwrap_or_else(|| panic!("no queue id for {}", new.domain));
                model.enqueue(body, new, id, (group, now));
                done.queued.push(id);
            }
            Ok(done)
        })
    }

    pub fn append(
        &mut self,
        place: Place,
        messages: &[(Body, NewMessage)],
        now: Timestamp,
    ) -> Result<Vec<Appended>, Error> {
        self.transact(|model| {
            let state = model.state_mut(place.account)?;
            state.mailbox(place.mailbox)?;
            let mut entry = state.begin();
            let mut done = Vec::new();
            for (body, new) in messages {
                done.push(state.append(place, body, new, &mut entry, now)?);
            }
            state.end(entry, now);
            messages.iter().for_each(|(body, _)| model.keep_body(body));
            Ok(done)
        })
    }

    pub fn copy(
        &mut self,
        from: Place,
        uids: &UidSet,
        to: Place,
        scope: FlagScope,
        now: Timestamp,
    ) -> Result<Copied, Error> {
        self.transact(|model| {
            let chosen = model.state(from.account)?.selected(from, uids)?;
            model.copies(&chosen, to, scope, now)
        })
    }

    fn copies(
        &mut self,
        chosen: &[(Message, FlagNames)],
        to: Place,
        scope: FlagScope,
        now: Timestamp,
    ) -> Result<Copied, Error> {
        let state = self.state_mut(to.account)?;
        let uid_validity = state.mailbox(to.mailbox)?.uid_validity;
        let size: u64 = chosen.iter().map(|(message, _)| message.row.size).sum();
        let used = state.account().used_bytes + size;
        if size > 0 && state.record.quota_bytes.is_some_and(|quota| used > quota) {
            return Err(Error::OverQuota);
        }
        let mut entry = state.begin();
        let mut pairs = Vec::new();
        for (message, names) in chosen {
            let names = scope.limit(names.clone());
            let origin = (message, SystemFlags::default());
            let copy = state.copy(origin, &names, to, &mut entry, now)?;
            pairs.push((message.row.uid, copy.uid));
        }
        let modseq = state.end(entry, now);
        Ok(Copied {
            uid_validity,
            uids: pairs,
            modseq,
        })
    }

    pub fn move_messages(
        &mut self,
        from: Place,
        uids: &UidSet,
        to: Place,
        scope: FlagScope,
        now: Timestamp,
    ) -> Result<Copied, Error> {
        self.transact(|model| {
            if from.account != to.account {
                let chosen = model.state(from.account)?.selected(from, uids)?;
                let copied = model.copies(&chosen, to, scope, now)?;
                let gone = chosen.iter().map(|(message, _)| message.row.uid).collect();
                model.expunge(from.account, from.mailbox, Some(&gone), false, now)?;
                return Ok(copied);
            }
            let state = model.state_mut(from.account)?;
            state.mailbox(from.mailbox)?;
            let uid_validity = state.mailbox(to.mailbox)?.uid_validity;
            let mut entry = state.begin();
            let uids = state.move_messages(from, uids, to, scope, &mut entry, now)?;
            let modseq = state.end(entry, now);
            Ok(Copied {
                uid_validity,
                uids,
                modseq,
            })
        })
    }

    pub fn edit_flags(
        &mut self,
        place: Place,
        uids: &UidSet,
        (edit, scope): (FlagEdit, FlagScope),
        names: &FlagNames,
        unchanged_since: Option<ModSeq>,
        now: Timestamp,
    ) -> Result<Edited, Error> {
        self.transact(|model| {
            let state = model.state_mut(place.account)?;
            let names = &scope.limit(names.clone());
            let mut entry = state.begin();
            let mut changed = Vec::new();
            let mut refused = Vec::new();
            let modseq = entry.modseq;
            let mailbox = state.mailbox_mut(place.mailbox)?;
            let mut rows = mailbox.messages.values().map(|message| message.row);
            let any = rows.any(|row| {
                uids.contains(row.uid) && unchanged_since.is_none_or(|since| row.modseq <= since)
            });
            let flags = match edit {
                FlagEdit::Add | FlagEdit::Replace if any => mailbox.flags(names, &mut entry)?,
                // What nobody gets, or what is taken away from where it is not, makes no keyword.
                _ => mailbox.known_flags(names),
            };
            let id = mailbox.id;
            let rows: Vec<Row> = mailbox
                .messages
                .values()
                .map(|message| message.row)
                .collect();
            for row in rows.iter().filter(|row| uids.contains(row.uid)) {
                if unchanged_since.is_some_and(|since| row.modseq > since) {
                    refused.push(row.uid);
                    continue;
                }
                let shown = state.shown(place, row.uid, row.flags);
                let after = edited(shown, edit, flags, scope);
                if after != shown {
                    let flags = state.kept(place, row.uid, after, row.flags.system);
                    let messages = &mut state.mailbox_mut(id)?.messages;
                    if let Some(message) = messages.get_mut(&row.uid) {
                        message.row.flags = flags;
                        message.row.modseq = modseq;
                    }
                    changed.push(row.uid);
                }
            }
            changed.iter().for_each(|uid| entry.updated(id, *uid));
            let modseq = state.end(entry, now);
            let (changed, refused) = (changed.into_iter().collect(), refused.into_iter().collect());
            Ok(Edited {
                changed,
                refused,
                modseq,
            })
        })
    }

    pub fn expunge(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
        only_deleted: bool,
        now: Timestamp,
    ) -> Result<(UidSet, ModSeq), Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            let mut entry = state.begin();
            let own = state.mailbox_mut(mailbox)?;
            let mut gone = Vec::new();
            for (uid, message) in own.messages.clone() {
                let chosen = uids.is_none_or(|uids| uids.contains(uid));
                let deleted = message.row.flags.system.contains(SystemFlags::DELETED);
                if chosen && (deleted || !only_deleted) {
                    own.messages.remove(&uid);
                    entry.expunged(mailbox, uid);
                    gone.push(tombstone(&message, own, entry.modseq, now));
                }
            }
            let uids = gone.iter().map(|stone| stone.message.row.uid).collect();
            state.tombstones.extend(gone);
            Ok((uids, state.end(entry, now)))
        })
    }

    pub fn restore(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        now: Timestamp,
    ) -> Result<Vec<Appended>, Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            let mut entry = state.begin();
            let (mut back, stay): (Vec<_>, Vec<_>) =
                state.tombstones.drain(..).partition(|stone| {
                    stone.mailbox == mailbox && uids.contains(stone.message.row.uid)
                });
            state.tombstones = stay;
            back.sort_by_key(|stone| stone.message.row.uid);
            let inbox = state.by_name("INBOX").map(|inbox| inbox.id);
            let home = state.mailboxes.get(&mailbox).map(|own| own.id).or(inbox);
            let home = home.ok_or(Error::NoSuchMailbox)?;
            let known = state.mailboxes.get(&mailbox);
            let known = known
                .or(state.deleted.get(&mailbox).map(|(gone, _)| gone))
                .cloned();
            let (mut done, mut pairs) = (Vec::new(), Vec::new());
            if let Some((gone, _)) = state.deleted.get_mut(&mailbox) {
                gone.messages.retain(|uid, _| !uids.contains(*uid));
            }
            for mut stone in back {
                let without_deleted = stone.message.row.flags.system.0 & !SystemFlags::DELETED.0;
                stone.message.row.flags.system = SystemFlags(without_deleted);
                let names = known
                    .as_ref()
                    .map(|known| known.names(stone.message.row.flags));
                let names = names.unwrap_or_default();
                let place = Place::own(account, home);
                let owner = stone.message.row.flags.system;
                let back = state.copy((&stone.message, owner), &names, place, &mut entry, now)?;
                pairs.push((stone.message.row.uid, back.uid));
                done.push(back);
            }
            state.carry(mailbox, home, &pairs, account);
            state.end(entry, now);
            Ok(done)
        })
    }
}

impl MailboxState {
    fn known_flags(&self, names: &FlagNames) -> Flags {
        let known = self.keywords.iter().enumerate();
        let own = known.filter(|(_, known)| {
            names
                .keywords
                .iter()
                .any(|name| name.eq_ignore_ascii_case(known))
        });
        Flags {
            system: names.system,
            keywords: own.fold(0, |bits, (bit, _)| bits | 1 << bit),
        }
    }
}

fn edited(old: Flags, edit: FlagEdit, by: Flags, scope: FlagScope) -> Flags {
    let (system, keywords) = match edit {
        FlagEdit::Add => (old.system.0 | by.system.0, old.keywords | by.keywords),
        FlagEdit::Remove => (old.system.0 & !by.system.0, old.keywords & !by.keywords),
        FlagEdit::Replace => {
            let outside = old.system.0 & !scope.system.0;
            let keywords = if scope.keywords {
                by.keywords
            } else {
                old.keywords
            };
            (by.system.0 | outside, keywords)
        }
    };
    Flags {
        system: SystemFlags(system),
        keywords,
    }
}
