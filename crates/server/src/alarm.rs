//! An account that suddenly sends as nobody does: what it has in the queue is held, and its owner is
//! told in a message, once a day. The administrator lets it go (`facteur account release`) or not.

use std::sync::Arc;

use facteur_message::build::{Entity, Header};
use facteur_message::facts::Sent;
use facteur_smtp::Address;
use facteur_store::{
    Account, AccountId, AddressTarget, Delivery, Error, FlagNames, NewMessage, QueueEntry,
    QueueFilter,
};

use crate::admin::normalise_address;
use crate::context::Context;
use crate::drive;
use crate::intake::Intake;
use crate::limits::ALARM_PAGE;
use crate::rates::Kind;
use crate::smtp::directory;

/// What is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It writes to very many; from a network where it never was, fewer are many.
    Volume { new_place: bool },
    /// What it wrote comes back.
    Bounces,
}

impl Why {
    fn name(self) -> &'static str {
        match self {
            Why::Volume { new_place: false } => "volume",
            Why::Volume { new_place: true } => "volume from a new network",
            Why::Bounces => "bounces",
        }
    }
}

/// Holds and tells, once a day.
pub fn ring(ctx: &Arc<Context>, account: AccountId, why: Why) {
    let key = account.0.to_string();
    let now = ctx.clock.monotonic();
    if ctx.rates.take(Kind::Alarm, &key, now).is_ok() {
        tokio::spawn(raise(Arc::clone(ctx), account, why));
    }
}

/// Never fails, the log says what went wrong.
async fn raise(ctx: Arc<Context>, account: AccountId, why: Why) {
    match hold_and_tell(&ctx, account, why).await {
        Ok(held) => tracing::warn!(
            account = account.0,
            held,
            why = why.name(),
            "an account sends as people do not: its mail is held, its owner is told"
        ),
        Err(error) => tracing::error!(account = account.0, %error, "the alarm failed"),
    }
}

/// It was the owner: what is held goes, and what was counted is forgotten. How many entries.
pub async fn release(ctx: &Arc<Context>, account: AccountId) -> Result<usize, Error> {
    let key = account.0.to_string();
    for kind in [
        Kind::Submitted,
        Kind::SubmittedADay,
        Kind::Bounced,
        Kind::Alarm,
    ] {
        ctx.rates.forget(kind, &key);
    }
    let released = set_held(ctx, account, false).await?;
    tracing::info!(account = account.0, released, "mail of an account let go");
    Ok(released)
}

/// A recipient of what an account sent was given up.
pub fn note_bounces(ctx: &Arc<Context>, reverse_path: &str, count: usize) {
    let Ok(Some(account)) = owner(ctx, reverse_path) else {
        return;
    };
    let key = account.0.to_string();
    let now = ctx.clock.monotonic();
    let over = (0..count).any(|_| ctx.rates.take(Kind::Bounced, &key, now).is_err());
    if over {
        ring(ctx, account, Why::Bounces);
    }
}

/// The account that sends under that address.
fn owner(ctx: &Context, reverse_path: &str) -> Result<Option<AccountId>, Error> {
    let Some(address) = normalise_address(reverse_path) else {
        return Ok(None);
    };
    Ok(match ctx.store.address(&address)? {
        Some(AddressTarget::Account(account)) => Some(account),
        Some(AddressTarget::Alias(_)) | None => None,
    })
}

async fn hold_and_tell(ctx: &Arc<Context>, account: AccountId, why: Why) -> Result<usize, Error> {
    let held = set_held(ctx, account, true).await?;
    let Some(record) = ctx.store.account(account)? else {
        return Ok(held);
    };
    let message = notice(ctx, &record, why);
    let (body, _) = Intake::whole(&ctx.store, &message).await?;
    let delivery = Delivery {
        account,
        mailbox: "INBOX".to_owned(),
        message: NewMessage {
            prefix: format!("Return-Path: <>\r\nDelivered-To: {}\r\n", record.address).into_bytes(),
            flags: FlagNames::default(),
            internal_date: None,
        },
    };
    ctx.store.deliver(body, vec![delivery], Vec::new()).await?;
    Ok(held)
}

/// How many entries.
async fn set_held(ctx: &Arc<Context>, account: AccountId, wanted: bool) -> Result<usize, Error> {
    let (mut after, mut held) = (None, 0);
    loop {
        let context = Arc::clone(ctx);
        let page = drive::blocking(move || {
            let filter = QueueFilter::default();
            context.store.queue_list(&filter, after, ALARM_PAGE)
        });
        let page = page.await?;
        after = page.last().map(|entry| entry.id);
        for entry in &page {
            held += usize::from(set_one(ctx, account, entry, wanted).await?);
        }
        if page.len() < ALARM_PAGE {
            return Ok(held);
        }
    }
}

async fn set_one(
    ctx: &Context,
    account: AccountId,
    entry: &QueueEntry,
    wanted: bool,
) -> Result<bool, Error> {
    let store = &ctx.store;
    let own = match Address::parse(&entry.reverse_path) {
        Ok(sender) => directory::is_own(store, account, &sender)?,
        Err(_) => false,
    };
    // What is being sent this moment goes.
    if !own || entry.held == wanted || !store.queue_lease(entry.id) {
        return Ok(false);
    }
    let Some(current) = store.queue_entry(entry.id)? else {
        store.queue_release(entry.id);
        return Ok(false);
    };
    let kept = QueueEntry {
        held: wanted,
        ..current
    };
    let update = store.queue_update(entry.id, Some(kept), Vec::new()).await;
    if update.is_err() {
        store.queue_release(entry.id);
    }
    update.map(|()| true)
}

struct Words {
    subject: &'static str,
    subject_bounces: &'static str,
    text: &'static str,
    text_bounces: &'static str,
    rest: &'static str,
}

const EN: Words = Words {
    subject: "Your account sends unusually much mail",
    subject_bounces: "Much of what your account sends comes back",
    text: "Your account has just sent more mail than people usually do.",
    text_bounces: "Much of the mail that your account has just sent could not be delivered.",
    rest: " If that was not you, somebody may know your password: change it, and tell your \
           administrator.\r\n\r\nNothing more is taken from your account for now, and what waited to \
           leave is held until your administrator lets it go.\r\n",
};
const FR: Words = Words {
    subject: "Votre compte envoie un volume inhabituel de courrier",
    subject_bounces: "Une grande partie de ce que votre compte envoie revient",
    text: "Votre compte vient d'envoyer plus de courrier que d'habitude.",
    text_bounces: "Une grande partie du courrier que votre compte vient d'envoyer n'a pas pu être remise.",
    rest: " Si ce n'était pas vous, quelqu'un connaît peut-être votre mot de passe : changez-le et \
           prévenez votre administrateur.\r\n\r\nPour l'instant, plus rien n'est accepté de votre \
           compte, et ce qui attendait de partir est retenu jusqu'à ce que votre administrateur le \
           libère.\r\n",
};

fn notice(ctx: &Context, account: &Account, why: Why) -> Vec<u8> {
    let words = if account.language == "fr" { FR } else { EN };
    let (subject, text) = match why {
        Why::Volume { .. } => (words.subject, words.text),
        Why::Bounces => (words.subject_bounces, words.text_bounces),
    };
    let text = format!("{text}{}", words.rest);
    let mut random = [0u8; 16];
    ctx.clock.random(&mut random);
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let hostname = &ctx.config.hostname;
    let sent = Sent {
        unix: ctx.clock.now().seconds(),
        offset_minutes: 0,
    };
    let header = Header::new()
        .addresses("From", &[("Facteur", &format!("postmaster@{hostname}"))])
        .addresses("To", &[(&account.display_name, &account.address)])
        .text("Subject", subject)
        .date("Date", sent)
        .raw("Message-ID", &format!("<{id}@{hostname}>"))
        .raw("Auto-Submitted", "auto-generated");
    Entity::text("plain", &text).into_message(header)
}
