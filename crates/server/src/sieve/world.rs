//! What a script may ask of the account and of the message.

use std::cell::Cell;

use facteur_message::Span;
use facteur_sieve::message::Unreadable;
use facteur_sieve::{Library, Place, World};
use facteur_store::{AccountId, Error, Mailbox, SpecialUse, Store};

use super::{Arrival, key};
use crate::imap::metadata::admin_entry;
use crate::imap::object_id::mailbox_id;

/// The scripts that a script of the account can include. There is no site-wide library.
#[derive(Debug)]
pub struct Scripts<'a> {
    pub store: &'a Store,
    pub account: AccountId,
}

impl Library for Scripts<'_> {
    fn script(&self, place: Place, name: &str) -> Option<String> {
        match place {
            Place::Personal => self.store.script(self.account, name).ok().flatten(),
            Place::Global => None,
        }
    }
}

/// The store behind one run. What fails is kept until the end: a script never sees it.
pub(super) struct Arriving<'a> {
    arrival: &'a Arrival,
    error: Cell<Option<Error>>,
}

impl<'a> Arriving<'a> {
    pub(super) fn new(arrival: &'a Arrival) -> Self {
        Arriving {
            arrival,
            error: Cell::new(None),
        }
    }

    /// The store failed while the script ran: nothing that came of it counts.
    pub(super) fn failed(self) -> Result<(), Error> {
        self.error.into_inner().map_or(Ok(()), Err)
    }

    fn or_else<T>(&self, result: Result<T, Error>, otherwise: T) -> T {
        result.unwrap_or_else(|error| {
            self.error.set(Some(error));
            otherwise
        })
    }

    fn mailbox(&self, fits: impl Fn(&Mailbox) -> bool) -> Option<String> {
        let all = self.arrival.store.mailboxes(self.arrival.account);
        let mut all = self.or_else(all, Vec::new()).into_iter();
        all.find(|mailbox| fits(mailbox))
            .map(|mailbox| mailbox.name)
    }
}

impl World for Arriving<'_> {
    fn mailbox_exists(&self, name: &str) -> bool {
        let found = self
            .arrival
            .store
            .mailbox_by_name(self.arrival.account, name);
        self.or_else(found, None).is_some()
    }

    fn mailbox_of_id(&self, id: &str) -> Option<String> {
        let account = self.arrival.account;
        self.mailbox(|mailbox| mailbox_id(account, mailbox.id) == id)
    }

    fn mailbox_of_use(&self, name: &str) -> Option<String> {
        let wanted = special_use(name)?;
        self.mailbox(|mailbox| mailbox.special_use == Some(wanted))
    }

    /// RFC 6134 §2.5: whom the account has written to.
    fn in_address_book(&self, value: &str) -> bool {
        let address = value.trim().to_lowercase();
        let known = self
            .arrival
            .context
            .junk
            .wrote_to(self.arrival.account, &address);
        self.or_else(known, false)
    }

    fn metadata(&self, mailbox: Option<&str>, name: &str) -> Option<String> {
        let (store, account) = (&self.arrival.store, self.arrival.account);
        let mailbox = match mailbox {
            None => None,
            Some(name) => {
                let found = store.mailbox_by_name(account, name);
                Some(self.or_else(found, None)?.id)
            }
        };
        let entries = self.or_else(store.metadata(account, mailbox), Vec::new());
        // What IMAP shows of the server itself.
        let admin = mailbox
            .is_none()
            .then(|| admin_entry(&self.arrival.hostname));
        let mut entries = entries.into_iter().chain(admin);
        let found = entries.find(|(entry, _)| entry.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
    }

    fn is_duplicate(&self, handle: &str, id: &str) -> bool {
        let key = key(&["duplicate", handle, id]);
        let known = self.arrival.store.is_remembered(self.arrival.account, key);
        self.or_else(known, false)
    }

    fn body(&self, span: Span, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let (store, body) = (&self.arrival.store, &self.arrival.body);
        store
            .read_new_body(body, span.start..span.end, out)
            .map_err(|error| {
                self.error.set(Some(error));
                Unreadable
            })
    }
}

/// RFC 6154 §2.
pub(super) fn special_use(name: &str) -> Option<SpecialUse> {
    [
        ("\\archive", SpecialUse::Archive),
        ("\\drafts", SpecialUse::Drafts),
        ("\\junk", SpecialUse::Junk),
        ("\\sent", SpecialUse::Sent),
        ("\\trash", SpecialUse::Trash),
    ]
    .into_iter()
    .find(|(known, _)| known.eq_ignore_ascii_case(name))
    .map(|(_, special_use)| special_use)
}
