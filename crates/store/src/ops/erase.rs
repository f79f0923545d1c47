//! Erasing an account: out of sight in one transaction, its rows removed in bounded ones.

use crate::keys::{self, Family, Name};
use crate::limits::CARE_ROWS_MAX;
use crate::rows::{self, Record};
use crate::tx::Tx;
use crate::*;

impl Store {
    /// At once and for good: rows, tombstones, credentials; body bytes at the next compaction.
    pub async fn erase_account(&self, account: AccountId) -> Result<(), Error> {
        self.write(move |tx| hide(tx, account)).await?;
        while self.write(move |tx| remove_rows(tx, account)).await? {}
        Ok(())
    }
}

/// From here on nobody finds the account, and a restart goes on with its removal.
pub fn hide(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.profile(account)?;
    tx.delete(keys::profile(account));
    tx.delete(keys::state(account));
    super::rights::drop_shares(tx, account)?;
    for family in [Family::Mailbox, Family::Name, Family::DeletedMailbox] {
        for (key, _) in tx.scan(&keys::whole_family(account, family), usize::MAX)? {
            tx.delete(key);
        }
    }
    for (key, value) in tx.scan(&keys::all_addresses(), usize::MAX)? {
        if rows::decode_target(&value)? == AddressTarget::Account(account) {
            tx.delete(key);
        }
    }
    for (key, value) in tx.scan(&keys::all_domains(), usize::MAX)? {
        let mut domain = rows::decode_domain(&value, String::new())?;
        if domain.catch_all == Some(account) {
            domain.catch_all = None;
            tx.put(key, rows::encode_domain(&domain));
        }
    }
    super::forwards::forget_account(tx, account)?;
    tx.put(keys::erasing(account), vec![1]);
    let mut global = tx.global()?;
    global.erased += 1;
    tx.put_global(&global);
    Ok(())
}

/// Removes some of the rows; false: none are left.
pub fn remove_rows(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    let rows = tx.scan(&keys::whole_account(account), CARE_ROWS_MAX)?;
    if rows.is_empty() {
        tx.delete(keys::erasing(account));
        return Ok(false);
    }
    for (key, value) in rows {
        if let Some(Name::Account(_, Family::Record, _)) = keys::parse(&key) {
            tx.drop_blob(Record::decode(&value)?.blob)?;
        }
        tx.delete(key);
    }
    Ok(true)
}
