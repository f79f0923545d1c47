//! Annotations of mailboxes and of the account (RFC 5464): small named values.
//!
//! They stay with their mailbox's id: a renamed mailbox keeps them, a deleted one until it is gone
//! for good. The change log notes that a mailbox has others, mailbox 0 for the account's own.

use std::ops::ControlFlow;

use crate::keys::{self, Family, Name};
use crate::limits::{METADATA_BYTES_MAX, METADATA_ENTRIES_MAX};
use crate::rows;
use crate::tx::Tx;
use crate::*;

/// Where the account's own entries are: no mailbox has this id.
const OWN: MailboxId = MailboxId(0);

/// An entry's name and its value; `None` takes it away.
pub type MetadataEdit = (String, Option<Vec<u8>>);

impl Store {
    /// All entries of a mailbox, or the account's own, by name.
    pub fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let view = self.view()?;
        super::read::check_account(&view, account)?;
        let (first, end) = keys::whole_mailbox(account, Family::Metadata, mailbox.unwrap_or(OWN));
        let mut entries = Vec::new();
        view.scan(&first, &end, |key, value| {
            if let Some(name) = entry_name(key) {
                entries.push((name.to_owned(), rows::decode_metadata(value)?));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(entries)
    }

    /// All of the edits or none. Names are the caller's to check and to spell in one way.
    ///
    /// # Errors
    /// [`Error::TooManyEntries`] when a mailbox would have too many, or the account too many bytes.
    pub async fn set_metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        edits: Vec<MetadataEdit>,
    ) -> Result<(), Error> {
        self.write(move |tx| {
            tx.state(account)?;
            if let Some(mailbox) = mailbox {
                tx.mailbox(account, mailbox)?;
            }
            let mailbox = mailbox.unwrap_or(OWN);
            for (name, value) in &edits {
                let key = keys::metadata(account, mailbox, name);
                match value {
                    Some(value) => tx.put(key, rows::encode_metadata(value)),
                    None => tx.delete(key),
                }
            }
            check_room(tx, account, mailbox)?;
            tx.record_change(account, mailbox, RecordChange::Updated)?;
            Ok(())
        })
        .await
    }
}

fn check_room(tx: &Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<(), Error> {
    let span = keys::whole_mailbox(account, Family::Metadata, mailbox);
    let entries = tx.scan(&span, METADATA_ENTRIES_MAX + 1)?.len();
    let all = tx.scan(&keys::whole_family(account, Family::Metadata), usize::MAX)?;
    let bytes: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
    if entries > METADATA_ENTRIES_MAX || bytes > METADATA_BYTES_MAX {
        return Err(Error::TooManyEntries);
    }
    Ok(())
}

/// The mailbox is gone for good.
pub fn drop_metadata(tx: &mut Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<(), Error> {
    let span = keys::whole_mailbox(account, Family::Metadata, mailbox);
    for (key, _) in tx.scan(&span, METADATA_ENTRIES_MAX)? {
        tx.delete(key);
    }
    Ok(())
}

fn entry_name(key: &[u8]) -> Option<&str> {
    match keys::parse(key)? {
        Name::Account(_, Family::Metadata, rest) => keys::mailbox_and_entry(rest).map(|(_, n)| n),
        _ => None,
    }
}
