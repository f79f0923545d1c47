//! What the store must do, in the plainest code: whole states are copied, lists are searched from
//! end to end, nothing is cached. The store's backends are compared with it.
//!
//! Numbers that the store is free to choose (account, mailbox and queue ids, uidvalidity, threads)
//! are told to the model, which checks that they are fresh; everything else it works out itself.
//! An operation that fails changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use facteur_store::{
    Account, AccountEdit, AccountId, AccountKind, AddressTarget, BlobId, Change, DeletedMailbox,
    Domain, Error, Grantee, Mailbox, MailboxChange, MailboxId, Message, ModSeq, NewAccount,
    QueueEntry, QueueId, RecordChange, Rights, SpecialUse, Timestamp, Tombstone, Uid, UidSet,
};

mod mailboxes;
mod messages;
mod queue;
mod rights;
mod scripts;

pub use mailboxes::{Given, normalised};
pub use messages::Recipient;
pub use queue::QueueReport;

/// RFC 6154 mailboxes of a new account, beside INBOX.
pub const SPECIAL_MAILBOXES: [(&str, SpecialUse); 5] = [
    ("Drafts", SpecialUse::Drafts),
    ("Sent", SpecialUse::Sent),
    ("Junk", SpecialUse::Junk),
    ("Trash", SpecialUse::Trash),
    ("Archive", SpecialUse::Archive),
];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub accounts: BTreeMap<AccountId, AccountState>,
    pub domains: BTreeMap<String, Domain>,
    pub addresses: BTreeMap<String, AddressTarget>,
    pub queue: BTreeMap<QueueId, QueueEntry>,
    /// Bodies by their id; never forgotten here.
    pub bodies: BTreeMap<BlobId, Arc<[u8]>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AccountState {
    /// `used_bytes`, `messages` and `highest_modseq` are worked out by [`AccountState::account`].
    pub record: Account,
    pub highest: ModSeq,
    pub mailboxes: BTreeMap<MailboxId, MailboxState>,
    pub deleted: BTreeMap<MailboxId, (MailboxState, Timestamp)>,
    pub tombstones: Vec<Tombstone>,
    pub log: Vec<Change>,
    /// By mailbox (0: the whole tree) and grantee; never empty.
    pub rights: BTreeMap<(MailboxId, Grantee), Rights>,
    /// What others have seen.
    pub seen: BTreeMap<(MailboxId, AccountId), BTreeSet<Uid>>,
    pub scripts: BTreeMap<String, String>,
    pub active_script: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MailboxState {
    pub id: MailboxId,
    pub name: String,
    pub uid_validity: u32,
    pub uid_next: Uid,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    pub highest_modseq: ModSeq,
    pub keywords: Vec<String>,
    pub messages: BTreeMap<Uid, Message>,
}

/// A body as the model wants it.
#[derive(Clone, Debug)]
pub struct Body {
    pub id: BlobId,
    pub bytes: Arc<[u8]>,
    pub facts: Arc<[u8]>,
}

/// What one transaction does to one account; becomes an entry of its change log.
#[derive(Debug)]
struct Entry {
    modseq: ModSeq,
    mailboxes: BTreeMap<MailboxId, MailboxChange>,
}

impl Entry {
    fn mailbox(&mut self, mailbox: MailboxId) -> &mut MailboxChange {
        self.mailboxes
            .entry(mailbox)
            .or_insert_with(|| MailboxChange {
                mailbox,
                record: None,
                added: UidSet::default(),
                updated: UidSet::default(),
                expunged: UidSet::default(),
            })
    }

    fn record(&mut self, mailbox: MailboxId, change: RecordChange) {
        let slot = &mut self.mailbox(mailbox).record;
        // A mailbox that is made and edited in one transaction is news as a whole.
        if *slot != Some(RecordChange::Created) {
            *slot = Some(change);
        }
    }

    fn added(&mut self, mailbox: MailboxId, uid: Uid) {
        insert(&mut self.mailbox(mailbox).added, uid);
    }

    fn updated(&mut self, mailbox: MailboxId, uid: Uid) {
        insert(&mut self.mailbox(mailbox).updated, uid);
    }

    fn expunged(&mut self, mailbox: MailboxId, uid: Uid) {
        insert(&mut self.mailbox(mailbox).expunged, uid);
    }
}

fn insert(set: &mut UidSet, uid: Uid) {
    *set = set.iter().chain([uid]).collect();
}

impl Model {
    /// Runs an operation on a copy, which takes the place of the model when it works out.
    fn transact<T>(
        &mut self,
        operation: impl FnOnce(&mut Model) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut copy = self.clone();
        let result = operation(&mut copy)?;
        *self = copy;
        Ok(result)
    }

    pub fn state(&self, account: AccountId) -> Result<&AccountState, Error> {
        self.accounts.get(&account).ok_or(Error::NoSuchAccount)
    }

    fn state_mut(&mut self, account: AccountId) -> Result<&mut AccountState, Error> {
        self.accounts.get_mut(&account).ok_or(Error::NoSuchAccount)
    }

    pub fn keep_body(&mut self, body: &Body) {
        self.bodies.insert(body.id, body.bytes.clone());
    }

    pub fn create_domain(&mut self, name: &str, now: Timestamp) -> Result<(), Error> {
        if self.domains.contains_key(name) {
            return Err(Error::Exists);
        }
        let domain = Domain {
            name: name.to_owned(),
            catch_all: None,
            created: now,
        };
        self.domains.insert(name.to_owned(), domain);
        Ok(())
    }

    pub fn remove_domain(&mut self, name: &str) -> Result<(), Error> {
        if !self.domains.contains_key(name) {
            return Err(Error::NoSuchDomain);
        }
        self.domains.remove(name);
        Ok(())
    }

    pub fn set_catch_all(&mut self, domain: &str, account: Option<AccountId>) -> Result<(), Error> {
        if !self.domains.contains_key(domain) {
            return Err(Error::NoSuchDomain);
        }
        if account.is_some_and(|account| !self.accounts.contains_key(&account)) {
            return Err(Error::NoSuchAccount);
        }
        if let Some(record) = self.domains.get_mut(domain) {
            record.catch_all = account;
        }
        Ok(())
    }

    pub fn set_address(&mut self, address: &str, target: AddressTarget) -> Result<(), Error> {
        if let AddressTarget::Account(account) = &target
            && !self.accounts.contains_key(account)
        {
            return Err(Error::NoSuchAccount);
        }
        if self.addresses.get(address) != Some(&target) {
            self.check_not_primary(address)?;
        }
        self.addresses.insert(address.to_owned(), target);
        Ok(())
    }

    fn check_not_primary(&self, address: &str) -> Result<(), Error> {
        let taken = self
            .accounts
            .values()
            .any(|state| state.record.address == address);
        if taken { Err(Error::InUse) } else { Ok(()) }
    }

    pub fn remove_address(&mut self, address: &str) -> Result<(), Error> {
        if !self.addresses.contains_key(address) {
            return Err(Error::NoSuchAddress);
        }
        self.check_not_primary(address)?;
        self.addresses.remove(address);
        Ok(())
    }

    /// `id` and `mailboxes` (INBOX first, then in the order of [`SPECIAL_MAILBOXES`]) as the store
    /// chose them.
    pub fn create_account(
        &mut self,
        new: &NewAccount,
        id: AccountId,
        mailboxes: &[Mailbox],
        now: Timestamp,
    ) -> Result<(), Error> {
        assert!(
            !self.accounts.contains_key(&id),
            "the account id {id:?} is taken"
        );
        let record = Account {
            id,
            address: new.address.clone(),
            display_name: new.display_name.clone(),
            disabled: false,
            removed: None,
            credentials: new.credentials.clone(),
            quota_bytes: new.quota_bytes,
            used_bytes: 0,
            messages: 0,
            language: new.language.clone(),
            kind: AccountKind::Person,
            highest_modseq: ModSeq(0),
        };
        let mut state = AccountState {
            record,
            highest: ModSeq(0),
            mailboxes: BTreeMap::new(),
            deleted: BTreeMap::new(),
            tombstones: Vec::new(),
            log: Vec::new(),
            rights: BTreeMap::new(),
            seen: BTreeMap::new(),
            scripts: BTreeMap::new(),
            active_script: None,
        };
        let mut entry = state.begin();
        let inbox = [("INBOX", None)].into_iter();
        let special = SPECIAL_MAILBOXES
            .iter()
            .map(|(name, special)| (*name, Some(*special)));
        for (name, special) in inbox.chain(special) {
            let given = mailboxes.iter().find(|mailbox| mailbox.name == name);
            let given = given.unwrap_or_else(|| panic!("a new account has no {name}"));
            state.add_mailbox((given.id, given.uid_validity), name, special, &mut entry);
        }
        state.end(entry, now);
        self.accounts.insert(id, state);
        self.addresses
            .insert(new.address.clone(), AddressTarget::Account(id));
        Ok(())
    }

    pub fn edit_account(
        &mut self,
        account: AccountId,
        edit: &AccountEdit,
        now: Timestamp,
    ) -> Result<(), Error> {
        let record = &mut self.state_mut(account)?.record;
        let edit = edit.clone();
        record.display_name = edit.display_name.unwrap_or(record.display_name.clone());
        record.disabled = edit.disabled.unwrap_or(record.disabled);
        record.credentials = edit.credentials.unwrap_or(record.credentials.clone());
        record.quota_bytes = edit.quota_bytes.unwrap_or(record.quota_bytes);
        record.language = edit.language.unwrap_or(record.language.clone());
        match edit.removed {
            Some(true) if record.removed.is_none() => record.removed = Some(now),
            Some(false) => record.removed = None,
            _ => {}
        }
        Ok(())
    }

    pub fn erase_account(&mut self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        let gone = self.accounts.remove(&account).ok_or(Error::NoSuchAccount)?;
        self.forget_member(account);
        self.tell_members(&gone, now)?;
        self.addresses
            .retain(|_, target| *target != AddressTarget::Account(account));
        for domain in self.domains.values_mut() {
            if domain.catch_all == Some(account) {
                domain.catch_all = None;
            }
        }
        Ok(())
    }
}

impl AccountState {
    fn begin(&self) -> Entry {
        Entry {
            modseq: ModSeq(self.highest.0 + 1),
            mailboxes: BTreeMap::new(),
        }
    }

    /// An operation that changed nothing takes no modseq.
    fn end(&mut self, entry: Entry, now: Timestamp) -> ModSeq {
        if entry.mailboxes.is_empty() {
            return self.highest;
        }
        self.highest = entry.modseq;
        for change in entry.mailboxes.values() {
            let touched = !change.added.is_empty()
                || !change.updated.is_empty()
                || !change.expunged.is_empty()
                || change.record == Some(RecordChange::Created);
            if let Some(mailbox) = self.mailboxes.get_mut(&change.mailbox)
                && touched
            {
                mailbox.highest_modseq = entry.modseq;
            }
        }
        self.log.push(Change {
            modseq: entry.modseq,
            at: now,
            mailboxes: entry.mailboxes.into_values().collect(),
        });
        self.highest
    }

    /// The account's record with its counters.
    pub fn account(&self) -> Account {
        let messages = || {
            self.mailboxes
                .values()
                .flat_map(|mailbox| mailbox.messages.values())
        };
        Account {
            used_bytes: messages().map(|message| message.row.size).sum(),
            messages: messages().count() as u64,
            highest_modseq: self.highest,
            ..self.record.clone()
        }
    }

    pub fn mailbox(&self, mailbox: MailboxId) -> Result<&MailboxState, Error> {
        self.mailboxes.get(&mailbox).ok_or(Error::NoSuchMailbox)
    }

    fn mailbox_mut(&mut self, mailbox: MailboxId) -> Result<&mut MailboxState, Error> {
        self.mailboxes.get_mut(&mailbox).ok_or(Error::NoSuchMailbox)
    }

    pub fn by_name(&self, name: &str) -> Option<&MailboxState> {
        self.mailboxes.values().find(|mailbox| mailbox.name == name)
    }

    pub fn deleted_mailboxes(&self) -> Vec<DeletedMailbox> {
        let mut list = Vec::new();
        for (mailbox, at) in self.deleted.values() {
            let messages = mailbox.messages.len() as u32;
            let name = mailbox.name.clone();
            list.push(DeletedMailbox {
                id: mailbox.id,
                name,
                messages,
                at: *at,
            });
        }
        list
    }

    /// Entries of the change log after `since`.
    pub fn changes_since(&self, since: ModSeq) -> Vec<Change> {
        self.log
            .iter()
            .filter(|change| change.modseq > since)
            .cloned()
            .collect()
    }

    pub fn vanished_since(&self, mailbox: MailboxId, since: ModSeq) -> UidSet {
        let changes = self.log.iter().filter(|change| change.modseq > since);
        let changes = changes.flat_map(|change| &change.mailboxes);
        let own = changes.filter(|change| change.mailbox == mailbox);
        own.flat_map(|change| change.expunged.iter()).collect()
    }
}

impl MailboxState {
    /// The record with its counters.
    pub fn mailbox(&self) -> Mailbox {
        use facteur_store::SystemFlags as F;
        let rows = || self.messages.values().map(|message| message.row);
        let flagged = |flag| {
            rows()
                .filter(move |row| row.flags.system.contains(flag))
                .count()
        };
        Mailbox {
            id: self.id,
            name: self.name.clone(),
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            special_use: self.special_use,
            subscribed: self.subscribed,
            messages: self.messages.len() as u32,
            unseen: (self.messages.len() - flagged(F::SEEN)) as u32,
            deleted: flagged(F::DELETED) as u32,
            size: rows().map(|row| row.size).sum(),
            highest_modseq: self.highest_modseq,
            keywords: self.keywords.clone().into(),
        }
    }
}
