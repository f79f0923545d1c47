//! Filters at delivery: the active script of a local recipient is run on the message before it is
//! committed, and what it asks for becomes part of the same commit.
//!
//! A run decides nothing about others: what it gives is copies, addresses, a refusal, an answer.
//! Whatever goes wrong with a script leaves the message in INBOX, and its owner is told once.

mod notice;
mod world;

use std::sync::Arc;

use facteur_message::{Facts, Sent};
use facteur_sieve::message::{Reject, Stored, Vacation};
use facteur_sieve::vacation::{self, Reply};
use facteur_sieve::{Budget, Mail, Outcome, compile};
use facteur_store::{
    Account, AccountId, Body, Error, FlagNames, Memory, NewMailbox, Store, SystemFlags, Timestamp,
};

pub use world::Scripts;

use crate::limits;
use crate::smtp::directory;
use world::{Arriving, special_use};

/// A message that is to be delivered to one account.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub store: Store,
    pub account: AccountId,
    /// The address that led here.
    pub address: String,
    /// Empty: null.
    pub reverse_path: String,
    /// What stands in front of the message in this recipient's copy.
    pub prefix: String,
    /// The message's own header block.
    pub head: Arc<[u8]>,
    pub facts: Arc<Facts>,
    pub body: Body,
    pub hostname: String,
    /// Of the client that brought it.
    pub remote_host: String,
    pub remote_ip: Option<String>,
}

/// A message that the server writes to somebody because of a script.
#[derive(Clone, Debug)]
pub struct Written {
    pub to: String,
    pub message: Vec<u8>,
    /// Sent only when this is not remembered.
    pub once: Option<Memory>,
}

/// A copy in one of the account's mailboxes.
#[derive(Clone, Debug)]
pub struct Copy {
    pub mailbox: String,
    pub flags: FlagNames,
}

/// What a script made of a message.
#[derive(Clone, Debug, Default)]
pub struct Filtered {
    pub copies: Vec<Copy>,
    /// Made before.
    pub mailboxes: Vec<NewMailbox>,
    pub redirects: Vec<String>,
    pub reject: Option<Reject>,
    pub memories: Vec<Memory>,
    /// An absence message.
    pub answer: Option<Written>,
    /// The owner's script failed.
    pub notice: Option<Written>,
}

/// Runs the active script; `None`: the account has none. May wait for the disk.
pub fn run(arrival: &Arrival) -> Result<Option<Filtered>, Error> {
    let store = &arrival.store;
    let Some((name, text)) = store.active_script(arrival.account)? else {
        return Ok(None);
    };
    let Some(account) = store.account(arrival.account)? else {
        return Ok(None);
    };
    let library = Scripts {
        store,
        account: account.id,
    };
    let program = match compile(&text, &library) {
        Ok(program) => program,
        Err(error) => {
            let reason = error.text(&account.language);
            return Ok(Some(failed(arrival, &account, &name, &text, &reason)));
        }
    };
    let header = [arrival.prefix.as_bytes(), &arrival.head].concat();
    let now = store.clock().now();
    let environment = environment(arrival);
    let mail = Mail {
        header: &header,
        size: arrival.facts.size + arrival.prefix.len() as u64,
        root: &arrival.facts.root,
        from: &arrival.reverse_path,
        to: &arrival.address,
        now: now.seconds(),
        environment: &environment,
    };
    let world = Arriving::new(arrival);
    let outcome = facteur_sieve::run(&program, &mail, &world, Budget::default());
    world.failed()?;
    if let Some(failure) = &outcome.failure {
        let reason = failure.text(&account.language);
        return Ok(Some(failed(arrival, &account, &name, &text, &reason)));
    }
    filtered(arrival, &account, &mail, outcome).map(Some)
}

fn filtered(
    arrival: &Arrival,
    account: &Account,
    mail: &Mail<'_>,
    outcome: Outcome,
) -> Result<Filtered, Error> {
    let now = arrival.store.clock().now();
    let mut done = Filtered {
        redirects: outcome.redirects,
        reject: outcome.reject,
        ..Filtered::default()
    };
    for stored in outcome.stores {
        if stored.create {
            done.mailboxes.push(NewMailbox {
                account: account.id,
                name: stored.mailbox.clone(),
                special_use: stored.special_use.as_deref().and_then(special_use),
            });
        }
        done.copies.push(copy(stored));
    }
    for tracked in &outcome.tracked {
        done.memories.push(Memory {
            account: account.id,
            key: key(&["duplicate", &tracked.handle, &tracked.id]),
            until: later(now, tracked.seconds),
        });
    }
    if let Some(vacation) = outcome.vacation {
        done.answer = answer(arrival, account, mail, &vacation)?;
    }
    Ok(done)
}

fn copy(stored: Stored) -> Copy {
    let mut flags = FlagNames::default();
    for flag in stored.flags {
        match system_flag(&flag) {
            Some(flag) => flags.system.0 |= flag.0,
            None => flags.keywords.push(flag),
        }
    }
    Copy {
        mailbox: stored.mailbox,
        flags,
    }
}

fn system_flag(name: &str) -> Option<SystemFlags> {
    [
        ("\\seen", SystemFlags::SEEN),
        ("\\answered", SystemFlags::ANSWERED),
        ("\\flagged", SystemFlags::FLAGGED),
        ("\\deleted", SystemFlags::DELETED),
        ("\\draft", SystemFlags::DRAFT),
    ]
    .into_iter()
    .find(|(known, _)| known.eq_ignore_ascii_case(name))
    .map(|(_, flag)| flag)
}

fn answer(
    arrival: &Arrival,
    account: &Account,
    mail: &Mail<'_>,
    vacation: &Vacation,
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
    let to = vacation::recipient(mail, vacation, &own);
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
    let from = vacation.from.as_deref();
    let usable = match from {
        Some(from) => is_own(store, account.id, from)?,
        None => true,
    };
    let vacation = Vacation {
        from: vacation.from.clone().filter(|_| usable),
        ..vacation.clone()
    };
    let now = store.clock().now();
    let mut random = [0u8; 16];
    store.clock().random(&mut random);
    let id = format!("<{}@{}>", hex(&random), arrival.hostname);
    let message = vacation::message(
        mail,
        &vacation,
        Reply {
            from: (&account.address, &account.display_name),
            to: &to,
            sent: Sent {
                unix: now.seconds(),
                offset_minutes: 0,
            },
            message_id: &id,
        },
    );
    let once = (vacation.seconds > 0).then(|| Memory {
        account: account.id,
        key: key(&["vacation", &vacation.handle, &to.to_lowercase()]),
        until: later(now, vacation.seconds),
    });
    Ok(Some(Written { to, message, once }))
}

fn is_own(store: &Store, account: AccountId, text: &str) -> Result<bool, Error> {
    match facteur_smtp::address::Address::parse(text) {
        Ok(address) => directory::is_own(store, account, &address),
        Err(_) => Ok(false),
    }
}

/// RFC 5228 §2.10.6: the message is kept; whoever wrote the script hears of it once.
fn failed(arrival: &Arrival, account: &Account, name: &str, text: &str, reason: &str) -> Filtered {
    tracing::info!(
        account = account.id.0,
        script = name,
        reason,
        "a filter failed"
    );
    let now = arrival.store.clock().now();
    let mut random = [0u8; 16];
    arrival.store.clock().random(&mut random);
    let message = notice::message(&notice::Facts {
        account,
        script: name,
        reason,
        hostname: &arrival.hostname,
        at: now.seconds(),
        token: &hex(&random),
    });
    Filtered {
        copies: vec![Copy {
            mailbox: facteur_sieve::message::INBOX.to_owned(),
            flags: FlagNames::default(),
        }],
        notice: Some(Written {
            to: account.address.clone(),
            message,
            once: Some(Memory {
                account: account.id,
                key: key(&["failed", name, text]),
                until: now.after(limits::FILTER_NOTICE_REMEMBERED),
            }),
        }),
        ..Filtered::default()
    }
}

/// RFC 5183 §4.1.
fn environment(arrival: &Arrival) -> Vec<(&'static str, String)> {
    let domain = arrival
        .hostname
        .split_once('.')
        .map_or("", |(_, domain)| domain);
    let mut items = vec![
        ("domain", domain.to_owned()),
        ("host", arrival.hostname.clone()),
        ("location", "MDA".to_owned()),
        ("name", "Facteur".to_owned()),
        ("phase", "during".to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("remote-host", arrival.remote_host.clone()),
    ];
    items.extend(arrival.remote_ip.clone().map(|ip| ("remote-ip", ip)));
    items
}

/// Names something that is remembered; no part can run into the next.
fn key(parts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    key
}

fn later(now: Timestamp, seconds: u64) -> Timestamp {
    now.after(std::time::Duration::from_secs(seconds))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
