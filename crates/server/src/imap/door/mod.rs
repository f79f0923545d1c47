//! The one way from an IMAP command to a mailbox.
//!
//! A name becomes a [`Handle`]: a place and the rights its user has there. What changes a mailbox
//! is a method of the handle and asks for its right (RFC 4314 §4) before it calls the store; what
//! reads one needs a [`Reading`], which only a handle with that right gives. Where a mailbox is
//! (account and number) is private to this module: a handler has no other way to the store.
//!
//! Names: what groups share is below `Shared/<address>/`, what other people share is below
//! `Users/<address>/`. Only a second level with an `@` is meant, so that a mailbox "Shared/Plans" of
//! one's own stays what it is.

mod acl;
mod handle;
mod listed;
mod source;

use facteur_imap::response::Code;
use facteur_imap::{Reply, text};
use facteur_store::{
    Account, AccountId, AccountKind, AddressTarget, Error, Mailbox, MailboxEdit, MailboxId,
    MetadataEdit, Place, Rights, SpecialUse, Store,
};

pub(super) use handle::{Handle, Key, Reading};
pub(super) use listed::Asked;
pub(super) use source::{Source, any_past};

use super::error::Failure;
use super::object_id;
use crate::groups::{self, NOT_A_SEPARATOR, prefix};
pub(super) use crate::groups::{OTHERS, SHARED};

/// Stands for a whole tree: no mailbox has this number.
const TREE: MailboxId = MailboxId(0);
const SEPARATOR: char = '/';

/// What one logged-in user may reach.
#[derive(Debug)]
pub(super) struct Door {
    account: AccountId,
}

/// Whose a name is, and its own name there.
enum Owner<'a> {
    Self_,
    /// The prefix of the names of all its mailboxes, and the rest.
    Other(AccountId, &'a str, &'a str),
    /// Nobody's.
    Nobody,
}

impl Door {
    pub(super) fn new(account: AccountId) -> Self {
        Door { account }
    }

    /// A mailbox by the name its user knows. What this user has no right in is not there.
    pub(super) fn open(&self, store: &Store, name: &str) -> Result<Handle, Error> {
        match self.owner(store, name)? {
            Owner::Self_ => {
                let record = store.mailbox_by_name(self.account, name)?;
                Ok(self.own(record.ok_or(Error::NoSuchMailbox)?))
            }
            Owner::Nobody => Err(Error::NoSuchMailbox),
            Owner::Other(owner, prefix, rest) => {
                let record = store.mailbox_by_name(owner, rest)?;
                let record = record.ok_or(Error::NoSuchMailbox)?;
                let handle = self.others(store, owner, prefix, record)?;
                handle.ok_or(Error::NoSuchMailbox)
            }
        }
    }

    /// A mailbox by its number, as it is now; `None`: gone, or there is no right in it any more.
    fn by_key(&self, store: &Store, key: Key) -> Result<Option<Handle>, Error> {
        let is_own = key.account == self.account;
        let record = match store.mailbox(key.account, key.mailbox) {
            // Somebody else's account was erased: that is not the end of this one.
            Err(Error::NoSuchAccount) if !is_own => None,
            found => found?,
        };
        let Some(record) = record else {
            return Ok(None);
        };
        if is_own {
            return Ok(Some(self.own(record)));
        }
        match store.account(key.account)? {
            Some(owner) => self.others(store, key.account, &prefix(&owner), record),
            None => Ok(None),
        }
    }

    fn own(&self, record: Mailbox) -> Handle {
        Handle {
            place: Place::own(self.account, record.id),
            rights: Rights::ALL,
            threads: true,
            record,
        }
    }

    /// `None`: there is no right in it.
    fn others(
        &self,
        store: &Store,
        owner: AccountId,
        prefix: &str,
        mut record: Mailbox,
    ) -> Result<Option<Handle>, Error> {
        let place = self.place(owner, record.id);
        let rights = store.rights(place)?;
        if rights.is_empty() {
            return Ok(None);
        }
        record.name.insert_str(0, prefix);
        record.subscribed = store.is_subscribed_name(self.account, &record.name)?;
        // The use is the owner's: nobody has two places for what he sent.
        record.special_use = None;
        Ok(Some(Handle {
            place,
            rights,
            threads: store
                .rights(self.place(owner, TREE))?
                .contains(Rights::READ),
            record,
        }))
    }

    fn place(&self, owner: AccountId, mailbox: MailboxId) -> Place {
        Place {
            account: owner,
            mailbox,
            viewer: self.account,
        }
    }

    fn owner<'a>(&self, store: &Store, name: &'a str) -> Result<Owner<'a>, Error> {
        for (root, kind) in [(SHARED, AccountKind::Group), (OTHERS, AccountKind::Person)] {
            let Some(below) = name.strip_prefix(root) else {
                continue;
            };
            let (label, rest) = below.split_once(SEPARATOR).unwrap_or((below, ""));
            if !label.contains('@') {
                continue;
            }
            let prefix = name.strip_suffix(rest).unwrap_or(name);
            let address = label.replace(NOT_A_SEPARATOR, "/");
            let Some(AddressTarget::Account(id)) = store.address(&address)? else {
                return Ok(Owner::Nobody);
            };
            // One account has one name, whatever other addresses lead to it.
            let is_it = |account: &Account| account.kind == kind && account.address == address;
            let found = store.account(id)?.filter(is_it);
            return Ok(match found {
                Some(_) if id != self.account && !rest.is_empty() => Owner::Other(id, prefix, rest),
                _ => Owner::Nobody,
            });
        }
        Ok(Owner::Self_)
    }

    /// Subscribed names that none of the user's own mailboxes has.
    pub(super) fn kept_names(&self, store: &Store) -> Result<Vec<String>, Error> {
        store.subscriptions_without_mailbox(self.account)
    }

    /// Gives the new mailbox's identifier (RFC 8474 §4.1).
    pub(super) async fn create(
        &self,
        store: &Store,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<String, Failure> {
        let (owner, rest) = self.room_for(store, name)?;
        let created = store.create_mailbox(owner, rest, special_use).await?;
        if owner != self.account {
            // As one is subscribed to the mailboxes one makes at home.
            match store.subscribe_name(self.account, name).await {
                // It is made all the same.
                Ok(()) | Err(Error::Exists | Error::TooManyMailboxes) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(object_id::mailbox_id(owner, created))
    }

    /// Whose account a new mailbox would be in and its name there, for who may make it.
    fn room_for<'a>(&self, store: &Store, name: &'a str) -> Result<(AccountId, &'a str), Failure> {
        let refused = || Failure::from(Reply::no(text::NOT_PERMITTED).with(Code::NoPerm));
        match self.owner(store, name)? {
            Owner::Self_ => Ok((self.account, name)),
            Owner::Nobody => Err(refused()),
            Owner::Other(owner, _, rest) => {
                // RFC 4314 §4: the nearest mailbox above it that there is, or the whole tree.
                let mut above = rest;
                let mut parent = TREE;
                while let Some((next, _)) = above.rsplit_once(SEPARATOR) {
                    above = next;
                    if let Some(found) = store.mailbox_by_name(owner, above)? {
                        parent = found.id;
                        break;
                    }
                }
                let rights = store.rights(self.place(owner, parent))?;
                match rights.contains(Rights::CREATE) {
                    true => Ok((owner, rest)),
                    false => Err(refused()),
                }
            }
        }
    }

    /// Whether a new mailbox may have this use: one of one's own, when none has it.
    pub(super) fn may_have_use(
        &self,
        store: &Store,
        name: &str,
        special_use: SpecialUse,
    ) -> Result<bool, Error> {
        if !matches!(self.owner(store, name)?, Owner::Self_) {
            return Ok(false);
        }
        let mailboxes = store.mailboxes(self.account)?;
        let mut uses = mailboxes.iter().map(|mailbox| mailbox.special_use);
        Ok(!uses.any(|found| found == Some(special_use)))
    }

    pub(super) async fn rename(&self, store: &Store, from: &str, to: &str) -> Result<(), Failure> {
        let handle = self.open(store, from)?;
        handle.require(Rights::DELETE_MAILBOX)?;
        let (owner, rest) = self.room_for(store, to)?;
        let place = handle.place;
        // Its messages would go where other rights are (RFC 9051 §6.3.6).
        if !handle.is_own() && handle.is_inbox(store)? {
            return Err(Reply::no(text::INBOX_IS_THE_OWNERS)
                .with(Code::Cannot)
                .into());
        }
        if owner != place.account {
            // Messages go from one account to another by MOVE, mailboxes don't.
            return Err(Reply::no(text::RENAME_STAYS).with(Code::Cannot).into());
        }
        Ok(store.rename_mailbox(owner, place.mailbox, rest).await?)
    }

    /// Only what exists can be subscribed to (RFC 9051 §6.3.7 allows the check), or what stayed
    /// subscribed when its mailbox was deleted.
    pub(super) async fn subscribe(
        &self,
        store: &Store,
        name: &str,
        subscribed: bool,
    ) -> Result<(), Failure> {
        let handle = match self.open(store, name) {
            Ok(handle) if handle.may(Rights::LOOKUP) => handle,
            Ok(_) | Err(Error::NoSuchMailbox) => {
                return self.subscribe_kept(store, name, subscribed).await;
            }
            Err(error) => return Err(error.into()),
        };
        if handle.record.subscribed == subscribed {
            return Ok(());
        }
        match (handle.is_own(), subscribed) {
            (true, _) => {
                let edit = MailboxEdit {
                    subscribed: Some(subscribed),
                    ..MailboxEdit::default()
                };
                let mailbox = handle.place.mailbox;
                store.edit_mailbox(self.account, mailbox, edit).await?;
            }
            (false, true) => store.subscribe_name(self.account, handle.name()).await?,
            (false, false) => {
                store.unsubscribe_name(self.account, handle.name()).await?;
            }
        }
        Ok(())
    }

    async fn subscribe_kept(
        &self,
        store: &Store,
        name: &str,
        subscribed: bool,
    ) -> Result<(), Failure> {
        let kept = self.kept_names(store)?;
        if !kept.iter().any(|kept| kept == name) {
            return Err(Error::NoSuchMailbox.into());
        }
        if !subscribed {
            store.unsubscribe_name(self.account, name).await?;
        }
        Ok(())
    }

    /// The user's own annotations of the server (RFC 5464 §3), filters among them (RFC 5466).
    pub(super) fn metadata(&self, store: &Store) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut entries = store.metadata(self.account, None)?;
        entries.retain(|(entry, _)| !entry.starts_with(handle::MAILBOXES));
        Ok(entries)
    }

    pub(super) async fn set_metadata(
        &self,
        store: &Store,
        edits: Vec<MetadataEdit>,
    ) -> Result<(), Failure> {
        Ok(store.set_metadata(self.account, None, edits).await?)
    }

    /// The account that a quota root is: the user's own has the empty name, a group that the user
    /// sees something of has its prefix.
    pub(super) fn quota_root(&self, store: &Store, root: &str) -> Result<Option<Account>, Error> {
        if root.is_empty() {
            return store.account(self.account);
        }
        for owner in store.shares(self.account)? {
            let account = store.account(owner)?;
            let is_it = |account: &Account| is_group(account) && quota_name(account) == root;
            if let Some(account) = account.filter(is_it) {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// Sets how many bytes a root may have, for who may (RFC 9208 §4.1.3): whoever runs a group.
    pub(super) async fn set_quota(
        &self,
        store: &Store,
        root: &Account,
        bytes: Option<u64>,
    ) -> Result<(), Failure> {
        let rights = store.rights(groups::tree(root.id, self.account))?;
        if !is_group(root) || !rights.contains(Rights::ADMINISTER) {
            return Err(Reply::no(text::NOT_PERMITTED).with(Code::NoPerm).into());
        }
        let edit = facteur_store::AccountEdit {
            quota_bytes: Some(bytes),
            ..facteur_store::AccountEdit::default()
        };
        Ok(store.edit_account(root.id, edit).await?)
    }
}

fn is_group(account: &Account) -> bool {
    account.kind == AccountKind::Group
}

/// A group's quota root: its prefix without the separator.
fn quota_name(account: &Account) -> String {
    let mut name = prefix(account);
    name.pop();
    name
}
