//! What the server writes because a script asked for it: absence messages and notifications.

use facteur_message::Sent;
use facteur_sieve::message::{Notification, Stored, Vacation};
use facteur_sieve::vacation::{self, Reply};
use facteur_sieve::{Mail, notify};
use facteur_store::{Account, AccountId, Error, Memory, NewMailbox, Store};

use super::{Arrival, Copy, Written, hex, key, later};
use crate::limits::{NOTIFICATION_REMEMBERED, NOTIFICATIONS_HOURLY_MAX};
use crate::smtp::directory;

/// An absence message, when one may be sent.
pub(super) fn vacation(
    arrival: &Arrival,
    account: &Account,
    mail: &Mail<'_>,
    vacation: Vacation,
) -> Result<Option<Written>, Error> {
    let store = &arrival.store;
    let mut broken = None;
    let failure = std::cell::RefCell::new(&mut broken);
    let own = |text: &str| match is_own(store, account.id, text) {
        Ok(own) => own,
        Err(error) => {
            **failure.borrow_mut() = Some(error);
            false
        }
    };
    let to = vacation::recipient(mail, &vacation, &own);
    if let Some(error) = broken {
        return Err(error);
    }
    let to = match to {
        Ok(to) => to,
        Err(silence) => {
            tracing::debug!(account = account.id.0, ?silence, "no absence message");
            return Ok(None);
        }
    };
    // RFC 5230 §4.3: From is one of the account's addresses, whatever the script says.
    let vacation = Vacation {
        from: usable(store, account.id, vacation.from)?,
        ..vacation
    };
    let (sent, id) = stamp(arrival);
    let message = vacation::message(
        mail,
        &vacation,
        Reply {
            from: (&account.address, &account.display_name),
            to: &to,
            sent,
            message_id: &id,
        },
    );
    let now = store.clock().now();
    let once = (vacation.seconds > 0).then(|| Memory {
        account: account.id,
        key: key(&["vacation", &vacation.handle, &to.to_lowercase()]),
        until: later(now, vacation.seconds),
    });
    Ok(Some(Written {
        reverse_path: String::new(),
        to: vec![to],
        message,
        filed: filed(account.id, vacation.fcc),
        once,
    }))
}

/// RFC 5436: none for what a program sent, and so many in an hour.
pub(super) fn notifications(
    arrival: &Arrival,
    account: &Account,
    mail: &Mail<'_>,
    asked: Vec<Notification>,
) -> Result<Vec<Written>, Error> {
    if asked.is_empty() || !notify::is_wanted(mail) {
        return Ok(Vec::new());
    }
    let store = &arrival.store;
    let now = store.clock().now();
    let hour = (now.seconds() / 3600).to_string();
    let mut places = (0..NOTIFICATIONS_HOURLY_MAX).map(|n| key(&["notify", &hour, &n.to_string()]));
    let mut written = Vec::new();
    for notification in asked {
        let mut free = None;
        for key in places.by_ref() {
            if !store.is_remembered(account.id, key)? {
                free = Some(key);
                break;
            }
        }
        let Some(key) = free else {
            tracing::info!(
                account = account.id.0,
                "no notification: too many in this hour"
            );
            break;
        };
        let notification = Notification {
            from: usable(store, account.id, notification.from)?,
            ..notification
        };
        let (sent, id) = stamp(arrival);
        let origin = notify::Origin {
            from: (&account.address, &account.display_name),
            owner: &account.address,
            sent,
            message_id: &id,
        };
        // RFC 5436 §2.7: of what came from nobody nobody hears again.
        let reverse_path = match arrival.reverse_path.is_empty() {
            true => String::new(),
            false => account.address.clone(),
        };
        // RFC 5435 §8: whoever looks for the source of too many finds it.
        tracing::info!(account = account.id.0, to = ?notification.method.recipients, "notification");
        written.push(Written {
            reverse_path,
            message: notify::message(mail, &notification, origin),
            to: notification.method.recipients,
            filed: filed(account.id, notification.fcc),
            once: Some(Memory {
                account: account.id,
                key,
                until: now.after(NOTIFICATION_REMEMBERED),
            }),
        });
    }
    Ok(written)
}

/// RFC 8580 §3.
fn filed(account: AccountId, fcc: Option<Stored>) -> Option<(Copy, Option<NewMailbox>)> {
    fcc.map(|stored| super::copy(account, stored))
}

/// Date and Message-ID.
fn stamp(arrival: &Arrival) -> (Sent, String) {
    let clock = arrival.store.clock();
    let mut random = [0u8; 16];
    clock.random(&mut random);
    let sent = Sent {
        unix: clock.now().seconds(),
        offset_minutes: 0,
    };
    (sent, format!("<{}@{}>", hex(&random), arrival.hostname))
}

/// Only an address of the account's own.
fn usable(
    store: &Store,
    account: AccountId,
    from: Option<String>,
) -> Result<Option<String>, Error> {
    match from {
        Some(from) if is_own(store, account, &from)? => Ok(Some(from)),
        Some(_) | None => Ok(None),
    }
}

fn is_own(store: &Store, account: AccountId, text: &str) -> Result<bool, Error> {
    match facteur_smtp::address::Address::parse(text) {
        Ok(address) => directory::is_own(store, account, &address),
        Err(_) => Ok(false),
    }
}
