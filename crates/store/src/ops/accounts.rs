//! Accounts.

use crate::keys::{self, Name};
use crate::ops::names::INBOX;
use crate::rows::{self, Profile, State};
use crate::tx::Tx;
use crate::*;

/// What every account begins with.
const FIRST_MAILBOXES: [(&str, Option<SpecialUse>); 6] = [
    (INBOX, None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Archive", Some(SpecialUse::Archive)),
];

impl Store {
    /// With INBOX, Drafts, Sent, Junk, Trash, Archive, all subscribed.
    pub async fn create_account(&self, new: NewAccount) -> Result<AccountId, Error> {
        self.create(new, AccountKind::Person).await
    }

    /// As an account. Its credentials mean nothing.
    pub async fn create_group(&self, new: NewAccount) -> Result<AccountId, Error> {
        self.create(new, AccountKind::Group).await
    }

    async fn create(&self, new: NewAccount, kind: AccountKind) -> Result<AccountId, Error> {
        self.write(move |tx| {
            let address = keys::address(&new.address);
            if tx.get(&address)?.is_some() {
                return Err(Error::Exists);
            }
            let mut global = tx.global()?;
            global.last_account += 1;
            let id = AccountId(global.last_account);
            tx.put_global(&global);
            let target = AddressTarget::Account(id);
            tx.put(address, rows::encode_target(&target));
            let profile = Profile {
                address: new.address,
                display_name: new.display_name,
                disabled: false,
                removed: None,
                credentials: new.credentials,
                quota_bytes: new.quota_bytes,
                language: new.language,
                kind,
            };
            tx.put(keys::profile(id), profile.encode());
            tx.put_state(id, &State::default());
            for (name, special_use) in FIRST_MAILBOXES {
                add_mailbox(tx, id, name, special_use)?;
            }
            Ok(id)
        })
        .await
    }

    pub async fn edit_account(&self, account: AccountId, edit: AccountEdit) -> Result<(), Error> {
        self.write(move |tx| {
            let mut profile = tx.profile(account)?;
            let now = tx.now();
            set(&mut profile.display_name, edit.display_name);
            set(&mut profile.disabled, edit.disabled);
            set(&mut profile.credentials, edit.credentials);
            set(&mut profile.quota_bytes, edit.quota_bytes);
            set(&mut profile.language, edit.language);
            match edit.removed {
                Some(true) => profile.removed = profile.removed.or(Some(now)),
                Some(false) => profile.removed = None,
                None => {}
            }
            tx.put(keys::profile(account), profile.encode());
            Ok(())
        })
        .await
    }

    pub fn account(&self, account: AccountId) -> Result<Option<Account>, Error> {
        let view = self.view()?;
        let Some(profile) = view.get(&keys::profile(account))? else {
            return Ok(None);
        };
        let state = view
            .get(&keys::state(account))?
            .ok_or(Error::NoSuchAccount)?;
        let account = whole(account, Profile::decode(&profile)?, &State::decode(&state)?);
        Ok(Some(account))
    }

    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        let view = self.view()?;
        let mut accounts = Vec::new();
        let (mut first, end) = keys::all_accounts();
        while let Some((key, value)) = view.first(&first, &end)? {
            let Some(Name::Account(id, family, _)) = keys::parse(&key) else {
                break;
            };
            // An account that is being erased has rows but no profile.
            if family == keys::Family::Profile {
                let state = view.get(&keys::state(id))?.ok_or(Error::NoSuchAccount)?;
                accounts.push(whole(id, Profile::decode(&value)?, &State::decode(&state)?));
            }
            first = keys::whole_account(id).1;
        }
        Ok(accounts)
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn whole(id: AccountId, profile: Profile, state: &State) -> Account {
    Account {
        id,
        address: profile.address,
        display_name: profile.display_name,
        disabled: profile.disabled,
        removed: profile.removed,
        credentials: profile.credentials,
        quota_bytes: profile.quota_bytes,
        used_bytes: state.used_bytes,
        messages: state.messages,
        language: profile.language,
        kind: profile.kind,
        highest_modseq: state.highest_modseq,
    }
}

/// Makes one mailbox, without its parents. The name is checked, normalised and free.
pub fn add_mailbox(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
) -> Result<MailboxId, Error> {
    let modseq = tx.modseq(account)?;
    let now = tx.now().seconds();
    let mut state = tx.state(account)?;
    if state.mailboxes as usize >= limits::MAILBOXES_MAX {
        return Err(Error::TooManyMailboxes);
    }
    state.mailboxes += 1;
    state.last_mailbox += 1;
    // RFC 9051 §2.3.1.1: the time of creation, and never twice the same.
    let now = u32::try_from(now).unwrap_or(u32::MAX);
    state.last_uid_validity = now.max(state.last_uid_validity.saturating_add(1));
    tx.put_state(account, &state);
    let id = MailboxId(state.last_mailbox);
    let mailbox = Mailbox {
        id,
        name: name.to_owned(),
        uid_validity: state.last_uid_validity,
        uid_next: Uid(1),
        special_use,
        subscribed: true,
        messages: 0,
        unseen: 0,
        deleted: 0,
        size: 0,
        highest_modseq: modseq,
        keywords: [].into(),
    };
    tx.put_mailbox(account, &mailbox);
    tx.put(keys::name(account, name), rows::encode_mailbox_id(id));
    super::rights::inherit(tx, account, name, id)?;
    super::subscriptions::take(tx, account, name)?;
    tx.record_change(account, id, RecordChange::Created)?;
    Ok(id)
}
