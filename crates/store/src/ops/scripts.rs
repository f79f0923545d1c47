//! Filter scripts of an account, one of them active at most, and what runs of them remember.
//!
//! The store knows them as text under a name. What is remembered is a key and until when: a
//! [`Parcel`] with the same key is not delivered again before.

use std::ops::ControlFlow;

use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::limits::{
    CARE_ROWS_MAX, REMEMBERED_MAX, SCRIPT_NAME_BYTES_MAX, SCRIPTS_BYTES_MAX, SCRIPTS_MAX,
};
use crate::ops::append::{cost_of, deliver_in};
use crate::ops::names;
use crate::rows;
use crate::tx::Tx;
use crate::*;

/// A script as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub name: String,
    /// Bytes of its text.
    pub size: u64,
    pub active: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptEdit {
    /// Makes or replaces one.
    Put {
        name: String,
        text: String,
    },
    /// The only active one from now on; `None`: none is.
    Activate(Option<String>),
    /// [`Error::InUse`] when it is active (RFC 5804 §2.10).
    Delete {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
}

/// Something that is to be remembered for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub account: AccountId,
    /// A hash of what it is.
    pub key: [u8; 16],
    pub until: Timestamp,
}

/// A mailbox that is made when there is none of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMailbox {
    pub account: AccountId,
    pub name: String,
    pub special_use: Option<SpecialUse>,
}

/// One body and where it goes.
#[derive(Debug)]
pub struct Parcel {
    pub body: NewBody,
    /// Made first; one that can't be made is left out.
    pub mailboxes: Vec<NewMailbox>,
    pub local: Vec<Delivery>,
    pub queue: Vec<NewQueueEntry>,
    /// A copy to keep, left out where there is no room for it.
    pub aside: Option<Delivery>,
    /// Delivered only when this is not yet remembered, and when there is room for it (but for
    /// `aside`).
    pub once: Option<Memory>,
}

impl Parcel {
    pub(super) fn cost(&self) -> usize {
        let aside = usize::from(self.aside.is_some());
        cost_of(&self.body, self.local.len() + self.queue.len() + aside)
    }
}

impl Store {
    /// By name.
    pub fn scripts(&self, account: AccountId) -> Result<Vec<Script>, Error> {
        let view = self.view()?;
        super::read::check_account(&view, account)?;
        let active = active_name(&view, account)?;
        let (first, end) = keys::whole_family(account, Family::Script);
        let mut scripts = Vec::new();
        view.scan(&first, &end, |key, value| {
            if let Some(name) = script_name(key) {
                scripts.push(Script {
                    name: name.to_owned(),
                    size: rows::decode_script(value)?.len() as u64,
                    active: active.as_deref() == Some(name),
                });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(scripts)
    }

    /// The text of a script.
    pub fn script(&self, account: AccountId, name: &str) -> Result<Option<String>, Error> {
        if name.is_empty() {
            return Ok(None);
        }
        let value = self.view()?.get(&keys::script(account, name))?;
        value.map(|value| rows::decode_script(&value)).transpose()
    }

    /// Name and text of the active one.
    pub fn active_script(&self, account: AccountId) -> Result<Option<(String, String)>, Error> {
        let view = self.view()?;
        let Some(name) = active_name(&view, account)? else {
            return Ok(None);
        };
        let value = view.get(&keys::script(account, &name))?;
        let text = value.map(|value| rows::decode_script(&value)).transpose()?;
        Ok(text.map(|text| (name, text)))
    }

    pub fn has_active_script(&self, account: AccountId) -> Result<bool, Error> {
        Ok(active_name(&self.view()?, account)?.is_some())
    }

    /// Whether a script of that name and size could be put (RFC 5804 §2.5).
    pub fn has_room_for_script(
        &self,
        account: AccountId,
        name: &str,
        size: u64,
    ) -> Result<bool, Error> {
        let scripts = self.scripts(account)?;
        let others = scripts.iter().filter(|script| script.name != name);
        let (count, bytes) = others.fold((1, size), |(count, bytes), script| {
            (count + 1, bytes.saturating_add(script.size))
        });
        Ok(count <= SCRIPTS_MAX && bytes <= SCRIPTS_BYTES_MAX as u64)
    }

    /// # Errors
    /// [`Error::NoSuchScript`], [`Error::Exists`], [`Error::InUse`], [`Error::BadName`],
    /// [`Error::TooManyScripts`] when there would be too many or too many bytes of them.
    pub async fn edit_script(&self, account: AccountId, edit: ScriptEdit) -> Result<(), Error> {
        self.write(move |tx| {
            tx.state(account)?;
            apply(tx, account, &edit)
        })
        .await
    }

    /// Whether it is still remembered now.
    pub fn is_remembered(&self, account: AccountId, key: [u8; 16]) -> Result<bool, Error> {
        let value = self.view()?.get(&keys::memory(account, key))?;
        let until = value.map(|value| rows::decode_memory(&value)).transpose()?;
        Ok(until.is_some_and(|until| until > self.clock().now()))
    }

    /// All of the parcels and memories in one commit; `None` for a parcel that was not delivered.
    pub async fn deliver_parcels(
        &self,
        parcels: Vec<Parcel>,
        memories: Vec<Memory>,
    ) -> Result<Vec<Option<Delivered>>, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        let cost = parcels.iter().map(Parcel::cost).sum();
        self.engine
            .write(cost, move |tx| {
                let delivered = send_all(tx, &parcels)?;
                for memory in &memories {
                    remember(tx, *memory)?;
                }
                Ok(delivered)
            })
            .await
    }

    /// The same, unless it was done before; false: it was, and nothing is done now.
    pub async fn deliver_once(
        &self,
        parcels: Vec<Parcel>,
        memories: Vec<Memory>,
        once: Memory,
    ) -> Result<bool, Error> {
        if self.is_full() {
            return Err(Error::DiskFull);
        }
        let cost = parcels.iter().map(Parcel::cost).sum();
        self.engine
            .write(cost, move |tx| {
                if remembers(tx, once.account, once.key)? {
                    return Ok(false);
                }
                send_all(tx, &parcels)?;
                for memory in memories.iter().chain([&once]) {
                    remember(tx, *memory)?;
                }
                Ok(true)
            })
            .await
    }

    /// Forgets what is past its time, and of too much what would be forgotten next; true when
    /// there was something.
    pub(crate) async fn forget_step(&self, account: AccountId) -> Result<bool, Error> {
        let view = self.view()?;
        let now = self.clock().now();
        let (first, end) = keys::whole_family(account, Family::Memory);
        let (mut rows, mut expired) = (0, false);
        view.scan(&first, &end, |_, value| {
            rows += 1;
            expired |= rows::decode_memory(value)? <= now;
            Ok(ControlFlow::Continue(()))
        })?;
        if !expired && rows <= REMEMBERED_MAX {
            return Ok(false);
        }
        self.write(move |tx| forget(tx, account)).await?;
        Ok(true)
    }
}

fn active_name(view: &View, account: AccountId) -> Result<Option<String>, Error> {
    let value = view.get(&keys::active_script(account))?;
    value.map(|value| rows::decode_script(&value)).transpose()
}

fn apply(tx: &mut Tx<'_>, account: AccountId, edit: &ScriptEdit) -> Result<(), Error> {
    let active = tx.get(&keys::active_script(account))?;
    let active = active
        .map(|value| rows::decode_script(&value))
        .transpose()?;
    match edit {
        ScriptEdit::Put { name, text } => {
            check_name(name)?;
            tx.put(keys::script(account, name), rows::encode_script(text));
            check_room(tx, account)
        }
        ScriptEdit::Activate(None) => {
            if active.is_some() {
                tx.delete(keys::active_script(account));
            }
            Ok(())
        }
        ScriptEdit::Activate(Some(name)) => {
            existing(tx, account, name)?;
            tx.put(keys::active_script(account), rows::encode_script(name));
            Ok(())
        }
        ScriptEdit::Delete { name } => {
            existing(tx, account, name)?;
            if active.as_ref() == Some(name) {
                return Err(Error::InUse);
            }
            tx.delete(keys::script(account, name));
            Ok(())
        }
        ScriptEdit::Rename { from, to } => {
            let value = existing(tx, account, from)?;
            check_name(to)?;
            if tx.get(&keys::script(account, to))?.is_some() {
                return Err(Error::Exists);
            }
            tx.delete(keys::script(account, from));
            tx.put(keys::script(account, to), value);
            if active.as_ref() == Some(from) {
                tx.put(keys::active_script(account), rows::encode_script(to));
            }
            Ok(())
        }
    }
}

fn existing(tx: &Tx<'_>, account: AccountId, name: &str) -> Result<Vec<u8>, Error> {
    if name.is_empty() {
        return Err(Error::NoSuchScript);
    }
    let value = tx.get(&keys::script(account, name))?;
    value.ok_or(Error::NoSuchScript)
}

/// RFC 5804 §1.6: no control characters, none that end a line or a paragraph.
fn check_name(name: &str) -> Result<(), Error> {
    let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match name.is_empty() || name.len() > SCRIPT_NAME_BYTES_MAX || name.chars().any(bad) {
        true => Err(Error::BadName),
        false => Ok(()),
    }
}

fn check_room(tx: &Tx<'_>, account: AccountId) -> Result<(), Error> {
    let all = tx.scan(
        &keys::whole_family(account, Family::Script),
        SCRIPTS_MAX + 2,
    )?;
    let scripts = all.iter().filter(|(key, _)| script_name(key).is_some());
    let (mut count, mut bytes) = (0, 0);
    for (_, value) in scripts {
        count += 1;
        bytes += rows::decode_script(value)?.len();
    }
    match count > SCRIPTS_MAX || bytes > SCRIPTS_BYTES_MAX {
        true => Err(Error::TooManyScripts),
        false => Ok(()),
    }
}

/// `None`: the key is that of the active one's name.
fn script_name(key: &[u8]) -> Option<&str> {
    match keys::parse(key)? {
        Name::Account(_, Family::Script, rest) if !rest.is_empty() => {
            std::str::from_utf8(rest).ok()
        }
        _ => None,
    }
}

/// What is kept aside comes last: it takes no room from a message.
pub fn send_all(tx: &mut Tx<'_>, parcels: &[Parcel]) -> Result<Vec<Option<Delivered>>, Error> {
    let mut all = Vec::with_capacity(parcels.len());
    for parcel in parcels {
        all.push(send(tx, parcel)?);
    }
    for (parcel, delivered) in parcels.iter().zip(&mut all) {
        let (Some(aside), Some(delivered)) = (&parcel.aside, delivered) else {
            continue;
        };
        if fits(tx, parcel, aside)? {
            let kept = deliver_in(tx, &parcel.body, std::slice::from_ref(aside), &[])?;
            delivered.local.extend(kept.local);
        }
    }
    Ok(all)
}

fn send(tx: &mut Tx<'_>, parcel: &Parcel) -> Result<Option<Delivered>, Error> {
    if let Some(memory) = parcel.once {
        if remembers(tx, memory.account, memory.key)? || !has_room(tx, parcel)? {
            return Ok(None);
        }
        remember(tx, memory)?;
    }
    for new in &parcel.mailboxes {
        make_mailbox(tx, new)?;
    }
    deliver_in(tx, &parcel.body, &parcel.local, &parcel.queue).map(Some)
}

fn remembers(tx: &Tx<'_>, account: AccountId, key: [u8; 16]) -> Result<bool, Error> {
    let value = tx.get(&keys::memory(account, key))?;
    let until = value.map(|value| rows::decode_memory(&value)).transpose()?;
    Ok(until.is_some_and(|until| until > tx.now()))
}

pub fn remember(tx: &mut Tx<'_>, memory: Memory) -> Result<(), Error> {
    tx.state(memory.account)?;
    let key = keys::memory(memory.account, memory.key);
    tx.put(key, rows::encode_memory(memory.until));
    Ok(())
}

fn has_room(tx: &Tx<'_>, parcel: &Parcel) -> Result<bool, Error> {
    for delivery in &parcel.local {
        if !fits(tx, parcel, delivery)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn fits(tx: &Tx<'_>, parcel: &Parcel, delivery: &Delivery) -> Result<bool, Error> {
    let size = delivery.message.prefix.len() as u64 + parcel.body.body.size();
    let used = tx.state(delivery.account)?.used_bytes.saturating_add(size);
    let quota = tx.profile(delivery.account)?.quota_bytes;
    Ok(quota.is_none_or(|quota| used <= quota))
}

/// What can't be made is not: the message then goes to INBOX.
fn make_mailbox(tx: &mut Tx<'_>, new: &NewMailbox) -> Result<(), Error> {
    let name = names::normalise(&new.name);
    if names::check(&name).is_err() || tx.mailbox_id(new.account, &name)?.is_some() {
        return Ok(());
    }
    let levels = names::parents(&name).count() + 1;
    let mailboxes = tx.state(new.account)?.mailboxes as usize;
    if mailboxes + levels > crate::limits::MAILBOXES_MAX {
        return Ok(());
    }
    super::mailboxes::create_in(tx, new.account, &name, new.special_use).map(drop)
}

fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    let mut kept = Vec::new();
    let mut left = CARE_ROWS_MAX;
    for (key, value) in tx.scan(&keys::whole_family(account, Family::Memory), usize::MAX)? {
        let until = rows::decode_memory(&value)?;
        if until <= tx.now() && left > 0 {
            left -= 1;
            tx.delete(key);
        } else {
            kept.push((until, key));
        }
    }
    let extra = kept.len().saturating_sub(REMEMBERED_MAX).min(left);
    kept.sort();
    for (_, key) in kept.into_iter().take(extra) {
        tx.delete(key);
    }
    Ok(())
}
