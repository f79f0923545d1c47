//! Filters at delivery: the active script of a local recipient is run on the message before it is
//! committed, and what it asks for becomes part of the same commit.
//!
//! A run decides nothing about others: what it gives is copies, addresses, a refusal, an answer.
//! Whatever goes wrong with a script leaves the message in INBOX, and its owner is told once.

mod answer;
mod notice;
mod world;

use std::sync::Arc;

use facteur_message::Facts;
use facteur_sieve::message::{Edition, Redirect, Reject, Stored};
use facteur_sieve::{Budget, Mail, Outcome, compile};
use facteur_store::{
    Account, AccountId, Body, Error, FlagNames, Memory, NewMailbox, Store, SystemFlags, Timestamp,
};

pub use world::Scripts;

use crate::{Context, junk, limits};
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
    pub context: Arc<Context>,
    /// How likely it is junk; `None`: nobody looked.
    pub spam_percent: Option<u8>,
}

/// Fields that scripts leave alone: they hold loops together and say what was found out here.
const PROTECTED: &[&str] = &[
    "Return-Path",
    "Delivered-To",
    "Authentication-Results",
    facteur_senders::strain::OWN_FIELD,
    junk::FIELD,
];

/// A message that the server writes to somebody because of a script.
#[derive(Clone, Debug)]
pub struct Written {
    /// Empty: nobody hears what became of it.
    pub reverse_path: String,
    pub to: Vec<String>,
    pub message: Vec<u8>,
    /// Where the owner of the script keeps a copy, and the mailbox that is made for it.
    pub filed: Option<(Copy, Option<NewMailbox>)>,
    /// Sent only when this is not remembered.
    pub once: Option<Memory>,
}

/// A copy in one of the account's mailboxes.
#[derive(Clone, Debug)]
pub struct Copy {
    pub mailbox: String,
    pub flags: FlagNames,
    /// Which of [`Filtered::editions`], from 1; 0: as it came.
    pub edition: usize,
}

/// What a script made of a message.
#[derive(Clone, Debug, Default)]
pub struct Filtered {
    pub copies: Vec<Copy>,
    /// Made before.
    pub mailboxes: Vec<NewMailbox>,
    pub redirects: Vec<Redirect>,
    /// Headers that the script made.
    pub editions: Vec<Edition>,
    pub reject: Option<Reject>,
    pub memories: Vec<Memory>,
    /// An absence message.
    pub answer: Option<Written>,
    pub notifications: Vec<Written>,
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
        received: arrival.head.len(),
        // What is not there can't be written anew.
        editable: arrival.head.len() as u64 == arrival.facts.header_end(),
        protected: PROTECTED,
        spam_percent: arrival.spam_percent,
        virus: None,
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
        editions: outcome.editions,
        ..Filtered::default()
    };
    for stored in outcome.stores {
        let (copy, mailbox) = copy(account.id, stored);
        done.mailboxes.extend(mailbox);
        done.copies.push(copy);
    }
    for tracked in &outcome.tracked {
        done.memories.push(Memory {
            account: account.id,
            key: key(&["duplicate", &tracked.handle, &tracked.id]),
            until: later(now, tracked.seconds),
        });
    }
    if let Some(vacation) = outcome.vacation {
        done.answer = answer::vacation(arrival, account, mail, vacation)?;
    }
    done.notifications = answer::notifications(arrival, account, mail, outcome.notifications)?;
    Ok(done)
}

/// And the mailbox that is made for it.
fn copy(account: AccountId, stored: Stored) -> (Copy, Option<NewMailbox>) {
    let mut flags = FlagNames::default();
    for flag in stored.flags {
        match system_flag(&flag) {
            Some(flag) => flags.system.0 |= flag.0,
            None => flags.keywords.push(flag),
        }
    }
    let special_use = stored.special_use.as_deref().and_then(special_use);
    let made = stored.create.then(|| NewMailbox {
        account,
        name: stored.mailbox.clone(),
        special_use,
    });
    let copy = Copy {
        mailbox: stored.mailbox,
        flags,
        edition: stored.edition,
    };
    (copy, made)
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
            edition: 0,
        }],
        notice: Some(Written {
            reverse_path: String::new(),
            to: vec![account.address.clone()],
            message,
            filed: None,
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
