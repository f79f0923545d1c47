//! Lets go of messages that were expunged and of accounts that were erased: nothing of a message
//! stays in the catalogue for longer than [`KEPT_MAX`] after it went, while the server runs.
//!
//! A segment of which a message is gone is written anew without it, one segment a step.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use facteur_store::{AccountId, Derived, Error, Index, Mailbox, Uid};

use super::columns::UIDS;
use super::directory::{self, Directory, Entry};
use super::indexer::{Done, mailboxes_of};
use super::segment::{Place, Segment, uid_at};
use super::{Catalog, lock};

/// After a change in an account its mailboxes are looked through within this time.
pub const KEPT_MAX: Duration = Duration::from_secs(60 * 60);
/// After the start, where nobody knows what changed before.
const KEPT_AT_START: Duration = Duration::from_secs(60);

/// When which account is looked through.
#[derive(Debug)]
pub struct Plan(BTreeMap<AccountId, Duration>);

impl Plan {
    pub fn new(accounts: &[AccountId], now: Duration) -> Self {
        let at = now.saturating_add(KEPT_AT_START);
        Plan(accounts.iter().map(|account| (*account, at)).collect())
    }

    /// Something was changed, perhaps expunged.
    pub fn changed(&mut self, account: AccountId, now: Duration) {
        let at = now.saturating_add(KEPT_MAX);
        self.0.entry(account).or_insert(at);
    }

    /// Takes those whose time has come.
    pub fn take_due(&mut self, now: Duration) -> Vec<AccountId> {
        self.0
            .extract_if(.., |_, at| *at <= now)
            .map(|(account, _)| account)
            .collect()
    }

    /// There is more to do.
    pub fn again(&mut self, account: AccountId, now: Duration) {
        self.0.insert(account, now);
    }

    pub fn next(&self) -> Option<Duration> {
        self.0.values().min().copied()
    }
}

/// Lets go of accounts that are no more; gives those that are. Blocking.
pub fn forget_erased(catalog: &Catalog) -> Result<Vec<AccountId>, Error> {
    let file = catalog.open()?;
    let _work = lock(&catalog.work);
    let live: Vec<AccountId> = {
        let accounts = catalog.store.accounts()?;
        accounts.into_iter().map(|account| account.id).collect()
    };
    let view = file.view()?;
    let mut rest = Some(directory::everything());
    let mut gone = Vec::new();
    while let Some((first, end)) = rest.take() {
        view.scan(&first, &end, |key, _| {
            if let Some(account) = directory::account_of(key) {
                if !live.contains(&account) {
                    gone.push(directory::account(account));
                }
                rest = directory::after_account(account);
            }
            Ok(ControlFlow::Break(()))
        })?;
    }
    drop(view);
    if !gone.is_empty() {
        file.apply(&gone, &[])?;
    }
    Ok(live)
}

/// Every message of an account that is gone; blocking.
pub fn clean_all(catalog: &Catalog, account: AccountId) -> Result<(), Error> {
    while clean(catalog, account)? == Done::More {}
    Ok(())
}

/// One segment of an account; blocking.
pub fn clean(catalog: &Catalog, account: AccountId) -> Result<Done, Error> {
    let file = catalog.open()?;
    let _work = lock(&catalog.work);
    let mailboxes = mailboxes_of(catalog, account)?;
    for mailbox in &mailboxes {
        match clean_mailbox(catalog, &file, account, mailbox) {
            Ok(Done::All) | Err(Error::NoSuchMailbox) => {}
            done => return done,
        }
    }
    Ok(Done::All)
}

fn clean_mailbox(
    catalog: &Catalog,
    file: &Derived,
    account: AccountId,
    mailbox: &Mailbox,
) -> Result<Done, Error> {
    let view = file.view()?;
    let Some(mut known) = Directory::load(&view, account, mailbox.id)? else {
        return Ok(Done::All);
    };
    let whole = known.up_to == mailbox.uid_next.0.saturating_sub(1);
    if whole && known.messages() == u64::from(mailbox.messages) {
        return Ok(Done::All);
    }
    let index = catalog.store.index(account, mailbox.id)?;
    for at in 0..known.segments.len() {
        let Some(entry) = known.segments.get(at).copied() else {
            break;
        };
        let place = Place {
            account,
            mailbox: mailbox.id,
            segment: entry.segment,
        };
        let key = directory::column(account, mailbox.id, entry.segment, UIDS);
        let uids = view.get(&key)?.unwrap_or_default();
        if is_live(&uids, &entry, &index) {
            continue;
        }
        let Some(mut segment) = Segment::load(&view, place, entry.messages as usize)? else {
            tracing::warn!("a segment of the search catalogue makes no sense");
            file.apply(&[directory::mailbox(account, mailbox.id)], &[])?;
            return Ok(Done::All);
        };
        segment.retain(|uid| index.get(Uid(uid)).is_some());
        known.segments.remove(at);
        let mut put = Vec::new();
        if !segment.cards.is_empty() {
            let number = known.next_segment;
            known.next_segment = number.wrapping_add(1);
            known.segments.insert(at, segment.entry(number));
            put = segment.rows(Place {
                segment: number,
                ..place
            });
        }
        put.push((directory::directory(account, mailbox.id), known.encode()));
        drop(view);
        file.apply(
            &directory::segment(account, mailbox.id, entry.segment),
            &put,
        )?;
        return Ok(Done::More);
    }
    Ok(Done::All)
}

fn is_live(uids: &[u8], entry: &Entry, index: &Index) -> bool {
    (0..entry.messages as usize)
        .all(|at| uid_at(uids, at).is_some_and(|uid| index.get(Uid(uid)).is_some()))
}
