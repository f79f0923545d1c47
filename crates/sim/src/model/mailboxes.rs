//! Making, renaming, deleting and bringing back mailboxes.

use std::collections::BTreeMap;

use facteur_store::{
    AccountId, Error, MailboxEdit, MailboxId, Message, ModSeq, RecordChange, Row, SpecialUse,
    Timestamp, Tombstone, Uid,
};

use super::{AccountState, Entry, MailboxState, Model};

/// Ids and uidvalidities that the store chose for the mailboxes that it made, by name.
pub type Given = BTreeMap<String, (MailboxId, u32)>;

fn given(all: &Given, name: &str) -> (MailboxId, u32) {
    *all.get(name)
        .unwrap_or_else(|| panic!("the store did not make the mailbox {name}"))
}

/// INBOX in any case is INBOX; every level has a visible name.
pub fn normalised(name: &str) -> Result<String, Error> {
    let empty = name.split('/').any(str::is_empty);
    if empty || name.chars().any(char::is_control) {
        return Err(Error::BadName);
    }
    let (first, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
    if first.eq_ignore_ascii_case("INBOX") {
        return Ok(format!("INBOX{rest}"));
    }
    Ok(name.to_owned())
}

/// `a/b/c`: `a`, `a/b`.
fn parents(name: &str) -> Vec<&str> {
    name.match_indices('/')
        .filter_map(|(at, _)| name.get(..at))
        .collect()
}

impl AccountState {
    pub(super) fn add_mailbox(
        &mut self,
        (id, uid_validity): (MailboxId, u32),
        name: &str,
        special_use: Option<SpecialUse>,
        entry: &mut Entry,
    ) {
        let taken = self.mailboxes.contains_key(&id) || self.deleted.contains_key(&id);
        assert!(!taken, "the mailbox id {id:?} is taken");
        assert_ne!(uid_validity, 0, "uidvalidity of {name}");
        let mailbox = MailboxState {
            id,
            name: name.to_owned(),
            uid_validity,
            uid_next: Uid(1),
            special_use,
            subscribed: true,
            highest_modseq: entry.modseq,
            keywords: Vec::new(),
            messages: BTreeMap::new(),
        };
        self.mailboxes.insert(id, mailbox);
        let parent = name
            .rsplit_once('/')
            .and_then(|(parent, _)| self.by_name(parent));
        if let Some(parent) = parent.map(|parent| parent.id) {
            self.inherit(parent, id);
        }
        entry.record(id, RecordChange::Created);
    }

    fn add_missing_parents(&mut self, name: &str, all: &Given, entry: &mut Entry) {
        for parent in parents(name) {
            if self.by_name(parent).is_none() {
                self.add_mailbox(given(all, parent), parent, None, entry);
            }
        }
    }

    fn renamed(&mut self, mailbox: MailboxId, name: String, entry: &mut Entry) {
        if let Some(mailbox) = self.mailboxes.get_mut(&mailbox) {
            mailbox.name = name;
            entry.record(mailbox.id, RecordChange::Updated);
        }
    }

    /// A special use belongs to one mailbox: the others lose it.
    fn take_special_use(&mut self, special_use: SpecialUse, to: MailboxId, entry: &mut Entry) {
        for mailbox in self.mailboxes.values_mut() {
            if mailbox.id != to && mailbox.special_use == Some(special_use) {
                mailbox.special_use = None;
                entry.record(mailbox.id, RecordChange::Updated);
            }
        }
    }
}

impl Model {
    pub fn create_mailbox(
        &mut self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        all: &Given,
        now: Timestamp,
    ) -> Result<MailboxId, Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            let name = normalised(name)?;
            if state.by_name(&name).is_some() {
                return Err(Error::Exists);
            }
            let mut entry = state.begin();
            state.add_missing_parents(&name, all, &mut entry);
            let (id, uid_validity) = given(all, &name);
            if let Some(special_use) = special_use {
                state.take_special_use(special_use, id, &mut entry);
            }
            state.add_mailbox((id, uid_validity), &name, special_use, &mut entry);
            state.end(entry, now);
            Ok(id)
        })
    }

    pub fn rename_mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        name: &str,
        all: &Given,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            let old = state.mailbox(mailbox)?.name.clone();
            let name = normalised(name)?;
            let children = format!("{old}/");
            if name.starts_with(&children) && old != "INBOX" {
                return Err(Error::BadName);
            }
            if state.by_name(&name).is_some() {
                return Err(Error::Exists);
            }
            let mut entry = state.begin();
            state.add_missing_parents(&name, all, &mut entry);
            if old == "INBOX" {
                let (id, uid_validity) = given(all, &name);
                state.add_mailbox((id, uid_validity), &name, None, &mut entry);
                state.move_all(mailbox, id, &mut entry, now);
            } else {
                let tree: Vec<(MailboxId, String)> = state
                    .mailboxes
                    .values()
                    .filter(|mailbox| mailbox.name.starts_with(&children))
                    .map(|mailbox| (mailbox.id, mailbox.name.replacen(&old, &name, 1)))
                    .collect();
                if tree.iter().any(|(_, name)| state.by_name(name).is_some()) {
                    return Err(Error::Exists);
                }
                state.renamed(mailbox, name, &mut entry);
                for (child, name) in tree {
                    state.renamed(child, name, &mut entry);
                }
            }
            state.end(entry, now);
            Ok(())
        })
    }

    pub fn edit_mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        edit: &MailboxEdit,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            let mut entry = state.begin();
            let record = state.mailbox_mut(mailbox)?;
            let before = record.clone();
            record.subscribed = edit.subscribed.unwrap_or(record.subscribed);
            record.special_use = edit.special_use.unwrap_or(record.special_use);
            if *record != before {
                entry.record(mailbox, RecordChange::Updated);
            }
            if let Some(Some(special_use)) = edit.special_use {
                state.take_special_use(special_use, mailbox, &mut entry);
            }
            state.end(entry, now);
            Ok(())
        })
    }

    pub fn delete_mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            if state.mailbox(mailbox)?.name == "INBOX" {
                return Err(Error::InUse);
            }
            let mut entry = state.begin();
            entry.record(mailbox, RecordChange::Destroyed);
            if let Some(gone) = state.mailboxes.remove(&mailbox) {
                for message in gone.messages.values() {
                    entry.expunged(mailbox, message.row.uid);
                    let stone = tombstone(message, &gone, entry.modseq, now);
                    state.tombstones.push(stone);
                }
                state.deleted.insert(mailbox, (gone, now));
                state.rights.retain(|(other, _), _| *other != mailbox);
            }
            state.end(entry, now);
            Ok(())
        })
    }

    /// `name`: what the store called it; its own name when that is free.
    pub fn restore_mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        name: &str,
        all: &Given,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            let state = model.state_mut(account)?;
            let (mut back, _) = state.deleted.remove(&mailbox).ok_or(Error::NoSuchMailbox)?;
            let free = state.by_name(&back.name).is_none();
            assert!(
                !free || name == back.name,
                "{} came back as {name}",
                back.name
            );
            assert!(state.by_name(name).is_none(), "{name} is taken");
            let mut entry = state.begin();
            state.add_missing_parents(name, all, &mut entry);
            state.tombstones.retain(|stone| {
                stone.mailbox != mailbox || !back.messages.contains_key(&stone.message.row.uid)
            });
            entry.record(mailbox, RecordChange::Created);
            for message in back.messages.values_mut() {
                message.row.modseq = entry.modseq;
                entry.added(mailbox, message.row.uid);
            }
            back.name = name.to_owned();
            let taken = state
                .mailboxes
                .values()
                .any(|m| m.special_use == back.special_use);
            if taken {
                back.special_use = None;
            }
            state.mailboxes.insert(mailbox, back);
            state.end(entry, now);
            Ok(())
        })
    }
}

pub(super) fn tombstone(
    message: &Message,
    mailbox: &MailboxState,
    expunged: ModSeq,
    at: Timestamp,
) -> Tombstone {
    Tombstone {
        message: Message {
            row: Row { ..message.row },
            ..message.clone()
        },
        mailbox: mailbox.id,
        mailbox_name: mailbox.name.clone(),
        expunged,
        at,
    }
}
