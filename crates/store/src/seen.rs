//! What a member has seen of a mailbox that is somebody else's: pages of bits, by uid.
//!
//! A page keeps the bits of messages that are gone; uids never come back.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use crate::codec::{Reader, Writer};
use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::limits::SEEN_PAGE_UIDS;
use crate::rows;
use crate::sweep::FlagChange;
use crate::tx::Tx;
use crate::*;

const VERSION: u8 = 1;
const PAGE_BYTES: usize = SEEN_PAGE_UIDS as usize / 8;

type Page = Box<[u8]>;

/// The messages that a viewer has seen.
#[derive(Clone, Debug, Default)]
pub struct SeenSet {
    pages: BTreeMap<u32, Page>,
}

impl SeenSet {
    pub fn load(view: &View, place: Place) -> Result<Self, Error> {
        let (first, end) = keys::all_seen(place.account, place.mailbox, place.viewer);
        let mut pages = BTreeMap::new();
        view.scan(&first, &end, |key, value| {
            if let Some(page) = page_of_key(key) {
                pages.insert(page, decode(value)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(SeenSet { pages })
    }

    pub fn contains(&self, uid: Uid) -> bool {
        let (page, byte, bit) = place_of(uid);
        let bytes = self.pages.get(&page);
        bytes
            .and_then(|bytes| bytes.get(byte))
            .is_some_and(|byte| byte & bit != 0)
    }

    /// The row as the viewer sees it.
    pub fn show(&self, mut row: Row) -> Row {
        row.flags.system.0 &= !SystemFlags::SEEN.0;
        if self.contains(row.uid) {
            row.flags.system.0 |= SystemFlags::SEEN.0;
        }
        row
    }
}

/// A viewer's \Seen inside a transaction; the owner's is the rows'.
pub struct Eyes {
    place: Place,
    set: SeenSet,
    changed: bool,
}

impl Eyes {
    pub fn new(place: Place) -> Self {
        Eyes {
            place,
            set: SeenSet::default(),
            changed: false,
        }
    }

    pub fn place(&self) -> Place {
        self.place
    }

    fn page(&mut self, tx: &Tx<'_>, page: u32) -> Result<&mut Page, Error> {
        let place = self.place;
        Ok(match self.set.pages.entry(page) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(free) => {
                let key = keys::seen(place.account, place.mailbox, place.viewer, page);
                free.insert(match tx.get(&key)? {
                    Some(value) => decode(&value)?,
                    None => vec![0; PAGE_BYTES].into(),
                })
            }
        })
    }

    /// The row as the viewer sees it.
    pub fn show(&mut self, tx: &Tx<'_>, row: Row) -> Result<Row, Error> {
        if self.place.is_own() {
            return Ok(row);
        }
        self.page(tx, place_of(row.uid).0)?;
        Ok(self.set.show(row))
    }

    /// Notes the viewer's \Seen of a message; gives the flags that its row is to have. `row`: the
    /// \Seen that is the owner's.
    pub fn keep(
        &mut self,
        tx: &Tx<'_>,
        uid: Uid,
        shown: Flags,
        owner: SystemFlags,
    ) -> Result<Flags, Error> {
        if self.place.is_own() {
            return Ok(shown);
        }
        let seen = shown.system.contains(SystemFlags::SEEN);
        self.set_seen(tx, uid, seen)?;
        let rest = shown.system.0 & !SystemFlags::SEEN.0;
        Ok(Flags {
            system: SystemFlags(rest | (owner.0 & SystemFlags::SEEN.0)),
            ..shown
        })
    }

    /// What a change of flags in the viewer's eyes does to the rows.
    pub fn of_rows(&self, mut change: FlagChange) -> FlagChange {
        if !self.place.is_own() {
            change.kept.system.0 |= SystemFlags::SEEN.0;
            change.set.system.0 &= !SystemFlags::SEEN.0;
        }
        change
    }

    fn set_seen(&mut self, tx: &Tx<'_>, uid: Uid, seen: bool) -> Result<(), Error> {
        let (page, byte, bit) = place_of(uid);
        let Some(byte) = self.page(tx, page)?.get_mut(byte) else {
            return Ok(());
        };
        let before = *byte;
        match seen {
            true => *byte |= bit,
            false => *byte &= !bit,
        }
        self.changed |= *byte != before;
        Ok(())
    }

    /// Writes what changed.
    pub fn write(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if !self.changed {
            return Ok(());
        }
        let Place {
            account,
            mailbox,
            viewer,
        } = self.place;
        for (page, bytes) in &self.set.pages {
            let key = keys::seen(account, mailbox, viewer, *page);
            match bytes.iter().any(|byte| *byte != 0) {
                true => tx.put(key, encode(bytes)),
                false => tx.delete(key),
            }
        }
        let share = keys::share(Grantee::Account(viewer), account);
        if tx.get(&share)?.is_none() {
            tx.put(share, rows::encode_share(false));
        }
        Ok(())
    }
}

/// Every member keeps what he has seen of messages that moved within their account.
pub fn carry(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: MailboxId,
    to: MailboxId,
    pairs: &[(Uid, Uid)],
    but: AccountId,
) -> Result<(), Error> {
    for viewer in members(tx, account, from)? {
        if viewer == but {
            continue;
        }
        let at = |mailbox| Place {
            account,
            mailbox,
            viewer,
        };
        let (mut old, mut new) = (Eyes::new(at(from)), Eyes::new(at(to)));
        for (before, after) in pairs {
            old.page(tx, place_of(*before).0)?;
            if old.set.contains(*before) {
                new.set_seen(tx, *after, true)?;
            }
        }
        new.write(tx)?;
    }
    Ok(())
}

/// Who has seen something of a mailbox: one row is read of each.
fn members(tx: &Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<Vec<AccountId>, Error> {
    let (mut first, end) = keys::whole_mailbox(account, Family::Seen, mailbox);
    let mut members = Vec::new();
    loop {
        let next = tx.scan(&(first, end.clone()), 1)?;
        let Some((_, member, _)) = next.first().and_then(|(key, _)| seen_key(key)) else {
            return Ok(members);
        };
        members.push(member);
        (_, first) = keys::all_seen(account, mailbox, member);
    }
}

/// The mailbox is gone for good.
pub fn drop_seen(tx: &mut Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<(), Error> {
    let span = keys::whole_mailbox(account, Family::Seen, mailbox);
    for (key, _) in tx.scan(&span, usize::MAX)? {
        tx.delete(key);
    }
    Ok(())
}

/// The member is gone for good.
pub fn drop_member(tx: &mut Tx<'_>, account: AccountId, gone: AccountId) -> Result<(), Error> {
    let span = keys::whole_family(account, Family::Seen);
    for (key, _) in tx.scan(&span, usize::MAX)? {
        if seen_key(&key).is_some_and(|(_, member, _)| member == gone) {
            tx.delete(key);
        }
    }
    Ok(())
}

fn seen_key(key: &[u8]) -> Option<(MailboxId, AccountId, u32)> {
    match keys::parse(key)? {
        Name::Account(_, Family::Seen, rest) => keys::mailbox_member_page(rest),
        _ => None,
    }
}

fn page_of_key(key: &[u8]) -> Option<u32> {
    seen_key(key).map(|(_, _, page)| page)
}

fn place_of(uid: Uid) -> (u32, usize, u8) {
    let within = uid.0 % SEEN_PAGE_UIDS;
    let byte = usize::try_from(within / 8).unwrap_or(usize::MAX);
    (uid.0 / SEEN_PAGE_UIDS, byte, 1 << (within % 8))
}

fn encode(page: &[u8]) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.fixed(page);
    w.0
}

pub fn decode(bytes: &[u8]) -> Result<Page, Error> {
    let mut r = Reader::version(bytes, "seen page", VERSION)?;
    let page = r.fixed(PAGE_BYTES)?.into();
    r.end()?;
    Ok(page)
}
